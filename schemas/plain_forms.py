"""Schemas as forms of canonical JSON: one look at bytes that are written anyway, for all fields.

A form is narrow. What is of it, the schema lets through; what is not may be allowed, but is rare: a text
with a quote or a backslash, an integer of more than 15 digits, an array or object inside a reason.

Compiled where there was a C compiler when this program was built; elsewhere regular expressions, several times slower.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from schemas.fields import MOST_FOLLOWERS as MOST
from schemas.fields import UTC_INSTANT

try:
    from schemas.plain_forms_compiled import Form, either, instant, row, run, several, text
except ImportError:
    from schemas.plain_forms_python import (  # type: ignore[assignment]
        Form,
        either,
        instant,
        row,
        run,
        several,
        text,
    )

__all__ = ["Form", "form_of"]

_run = cache(run)  # the same few in all forms, so that they stay near the processor
_CLASS = re.compile(r"(\[[^\]]+\])(?:\{(\d+)(?:,(\d+))?\})?")
_DIGITS = b"0123456789"
_NO_BRACKET = bytes(set(range(1, 256)) - set(b"[]{}"))


def form_of(schema: dict[str, Any]) -> Form:
    """Return the form of canonical JSON only of what a schema lets through.

    Args:
        schema: As pydantic says it; of the kinds that outputs are made of.

    Raises:
        ValueError: a part of it is of another kind.
    """
    return _form(schema, schema.get("$defs", {}))


def _form(schema: dict[str, Any], named: dict[str, Any]) -> Form:
    match schema:
        case {"$ref": str(reference)}:
            return _form(named[reference.rpartition("/")[2]], named)
        case {"anyOf": list(kinds)}:
            return either([_form(kind, named) for kind in kinds])
        case {"const": str(said)}:
            return text(b'"%b"' % said.encode())
        case {"enum": list(texts)}:
            return either([text(b'"%b"' % said.encode()) for said in texts])
        case {"type": "string", "pattern": str(pattern)}:
            inside = instant() if pattern == UTC_INSTANT else row(list(_runs(pattern)))
            return row([text(b'"'), inside, text(b'"')])
        case {"type": "integer", "minimum": 0 | 1 as least} if schema.get("maximum", MOST) == MOST:
            from_one = row([_run(_DIGITS[1:], 1, 1), _run(_DIGITS, 0, 14)])
            return from_one if least else either([text(b"0"), from_one])
        case {"type": "array", "items": dict(items)}:
            return row([text(b"["), several(_form(items, named), schema.get("minItems", 0)), text(b"]")])
        case {"type": "object", "properties": dict(given), "required": list(names)} if len(names) == len(
            given
        ):
            return row(list(_members(given, named)))
        case {"type": "object", "additionalProperties": True}:
            # a bracket in a text does not match, so its end is not mistaken
            return row([text(b"{"), _run(_NO_BRACKET, 0, 2**15), text(b"}")])
    raise ValueError(f"no form is known of {schema}")


def _runs(pattern: str) -> Iterable[Form]:
    """Return the forms of a pattern of classes of characters, without those that JSON does not write as they are."""
    classes = list(_CLASS.finditer(pattern))
    if f"^{''.join([found[0] for found in classes])}$" != pattern:
        raise ValueError(f"no form is known of {pattern}")
    for found in classes:
        of, least, most = found.groups()
        plain = bytes(byte for byte in range(128) if re.fullmatch(of, chr(byte)) and byte not in b'"\\')
        yield _run(plain, int(least or 1), int(most or least or 1))


def _members(given: dict[str, Any], named: dict[str, Any]) -> Iterable[Form]:
    before = b"{"
    for name in sorted(given):
        yield text(b'%b"%b":' % (before, name.encode()))
        yield _form(given[name], named)
        before = b","
    yield text(b"}")
