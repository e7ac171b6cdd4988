"""JSON text read strictly and written canonically; nothing here knows a record.

Reading follows the grammar of RFC 8259 and adds three laws: UTF-8 only, no key twice in one object,
and no deeper than `DEEPEST`. Fractions become decimals, so that 0.6 is 0.6 and `1000000.0` is still
no integer. Every refusal is an `InputError` and none of them keeps a piece of the text.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Never

import msgspec

from schemas.errors import InputError

DEEPEST = 128
"""How many arrays and objects may stand inside each other.

Our own records need five. A limit of our own, and well below the interpreter's, because that one
moves with the stack of whoever calls: the same record would be read in a replay and refused in a worker.
"""

_FAR = 10**20  # outside the range of every integer of ours: stands for all integers beyond it, however long
_FAR_EXPONENT = 999_999  # the same for decimals; well inside what a Decimal can hold
# Also a string that never ends, and possessive: linear in the length, whatever it is fed.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
_NEITHER_BRACKET = bytes(set(range(256)) - set(b"[]{}"))


class _Doubled(Exception):
    """A key stands twice in one object."""


def parse(raw: bytes) -> Any:
    """Return the value of a JSON text, fractions as decimals.

    Integers beyond 64 bits and exponents beyond six digits come back as numbers that are just as far
    outside every range of ours: nobody has to compute with five thousand digits to refuse them.

    Raises:
        InputError: `not-utf8`, `not-json` (also NaN, a byte order mark, or too deep) or
            `duplicate-key`; the first of them that holds.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise InputError("not-utf8")
    if is_too_deep(raw):
        raise InputError("not-json")
    code = "not-json"
    try:
        return _CLOSED.decode(text)
    except _Doubled:
        code = "duplicate-key" if _is_json(text) else "not-json"
    except ValueError:
        pass
    raise InputError(code)  # outside the handlers: the parser's error quotes the text


def is_too_deep(raw: bytes, deepest: int = DEEPEST) -> bool:
    """Return whether arrays and objects stand in each other deeper than allowed, JSON or not."""
    if raw.count(b"[") + raw.count(b"{") <= deepest:
        return False
    depth = 0
    for bracket in _STRINGS.sub(b"", raw).translate(None, _NEITHER_BRACKET):
        depth += 1 if bracket in b"[{" else -1
        if depth > deepest:
            return True
    return False


def _is_json(text: str) -> bool:
    try:
        _OPEN.decode(text)
    except ValueError:
        return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Doubled
    return members


def _integer(text: str) -> int:
    if len(text) <= 20:
        return int(text)
    return -_FAR if text[0] == "-" else _FAR


def _fraction(text: str) -> Decimal:
    mantissa, _, exponent = text.lower().partition("e")
    if len(exponent.lstrip("+-0")) <= 6:
        return Decimal(text)
    if not mantissa.strip("-0."):
        return Decimal(0)
    sign, away = mantissa[0] == "-", exponent[0] == "-"
    return Decimal((sign, (1,), -_FAR_EXPONENT if away else _FAR_EXPONENT))


def _constant(_: str) -> Never:
    raise ValueError("NaN and Infinity are no JSON")


_CLOSED = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_fraction, parse_int=_integer, parse_constant=_constant
)
_OPEN = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_constant)

# What the encoder below writes otherwise than RFC 8785: a fraction may have zeros too many (its point is
# followed by digits and an end), a decimal may have an exponent, and keys beyond the 16-bit characters
# are sorted by code point. Each leaves a mark in the bytes that is cheap to look for and rare by chance.
_FRACTION = re.compile(rb"\.\d+(?:[,}\]]|\Z)")
_ASTRAL = re.compile(rb"[\xf0-\xf4]")
_SORTED = msgspec.json.Encoder(order="sorted", decimal_format="number")
_AS_IT_STANDS = msgspec.json.Encoder(decimal_format="number")


def canonical(value: Any) -> bytes:
    r"""Return the canonical JSON of a value: the bytes of RFC 8785.

    Args:
        value: Text, integers up to 2^53 - 1, booleans, null, decimals of at most 15 digits, and
            arrays, objects and structs of them. A float stands for the shortest decimal that names it.

    Raises:
        ValueError: a decimal is beyond what RFC 8785 writes exactly, or a text has a lone surrogate.
        TypeError: a value is of another type.

    Examples:
        >>> canonical({"b": [1, None], "a": "é"})
        b'{"a":"\xc3\xa9","b":[1,null]}'

    Source:
        RFC 8785, sections 3.2.2 and 3.2.3.
    """
    out = _SORTED.encode(value)
    if _FRACTION.search(out) or b"E" in out or (not out.isascii() and _ASTRAL.search(out)):
        return _AS_IT_STANDS.encode(_in_order(msgspec.to_builtins(value, builtin_types=(Decimal,))))
    return out


assembled = _SORTED.encode
"""Return the canonical JSON of canonical parts: `msgspec.Raw`, integers, and texts without surprises.

The caller vouches for the parts; all keys are ASCII and there are no decimals outside of them.
"""

in_order = _AS_IT_STANDS.encode
"""Return what `assembled` returns of a value in which all keys stand in canonical order."""


def _in_order(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _in_order(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))}
    if isinstance(value, list | tuple):
        return [_in_order(inner) for inner in value]
    if isinstance(value, float):
        return _shortest(Decimal(repr(value)))  # the decimal that the float was read from
    return _shortest(value) if isinstance(value, Decimal) else value


def _shortest(number: Decimal) -> int | Decimal:
    if not number:
        return 0
    if -7 < number.adjusted() < 15:
        exact = number.normalize()
        if exact == number and len(exact.as_tuple().digits) <= 15:
            return int(exact) if exact == exact.to_integral_value() else exact
    raise ValueError("a decimal of more than 15 digits has no canonical form")


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of bytes as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()
