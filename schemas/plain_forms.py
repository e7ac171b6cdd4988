"""Schemas as regular expressions over canonical JSON: one look at bytes that are written anyway, for all fields.

A form is narrow. What it matches, the schema lets through; what it does not match may be allowed, but is rare: a text
with a quote or a backslash, an integer of more than 15 digits, an array or object inside a reason.
"""

import re
from typing import Any

from schemas.fields import MOST_FOLLOWERS as MOST

_VISIBLE = "[!-~]"
_PLAIN = r"[!#-\[\]-~]"
"""Of the visible characters those that JSON writes as they are."""


def form_of(schema: dict[str, Any]) -> re.Pattern[bytes]:
    """Return what matches canonical JSON only of what a schema lets through.

    Args:
        schema: As pydantic says it; of the kinds that outputs are made of.

    Raises:
        ValueError: a part of it is of another kind.
    """
    return re.compile(_form(schema, schema.get("$defs", {})).encode())


def _form(schema: dict[str, Any], named: dict[str, Any]) -> str:
    match schema:
        case {"$ref": str(reference)}:
            return _form(named[reference.rpartition("/")[2]], named)
        case {"anyOf": list(kinds)}:
            return _any_of([_form(kind, named) for kind in kinds])
        case {"const": str(text)}:
            return re.escape(f'"{text}"')
        case {"enum": list(texts)}:
            return _any_of([re.escape(f'"{text}"') for text in texts])
        case {"type": "string", "pattern": str(pattern)}:
            return f'"{pattern.removeprefix("^").removesuffix("$").replace(_VISIBLE, _PLAIN)}"'
        case {"type": "integer", "minimum": 0 | 1 as least} if schema.get("maximum", MOST) == MOST:
            return "[1-9][0-9]{0,14}" if least else "(?:0|[1-9][0-9]{0,14})"
        case {"type": "array", "items": dict(items)}:
            several = rf"{(item := _form(items, named))}(?:,{item})*"
            return rf"\[{several}\]" if schema.get("minItems") else rf"\[(?:{several})?\]"
        case {"type": "object", "properties": dict(given), "required": list(names)} if len(names) == len(
            given
        ):
            members = [f'"{name}":{_form(given[name], named)}' for name in sorted(names)]
            return rf"\{{{','.join(members)}\}}"
        case {"type": "object", "additionalProperties": True}:
            return r"\{[^][{}]*\}"  # a bracket in a text does not match, so its end is not mistaken
    raise ValueError(f"no form is known of {schema}")


def _any_of(forms: list[str]) -> str:
    return f"(?:{'|'.join(forms)})"
