"""The kinds of field that input records are made of: how each stands on the wire, and what it is inside.

A field takes what JSON says (an instant as text, a share as a decimal) and gives what the core computes
with: whole microseconds since 1970 UTC, whole ten-thousandths. Where one refuses, the kind of its error
says the dead-letter code; `schemas.wire` holds the table.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas import instant

EVENT_ID = r"^[!-~]{1,128}$"
"""Visible ASCII."""
ACCOUNT_ID = r"^[a-z0-9][a-z0-9_-]{2,63}$"
IDENTIFIER = r"^[a-z0-9_]{1,40}$"
"""A name that programs compare: a platform, subject, measure or channel."""
HASH = r"^[0-9a-f]{64}$"
"""SHA-256."""
REASON_CODE = r"^[a-z0-9-]{1,40}$"
"""What an adjudication names as its case."""
LABEL = r"^[a-z0-9_-]{1,40}$"
"""The id of a phase or a rule."""
VERSION = r"^[!-~]{1,64}$"
"""The name that a policy's author gives to its state."""
INSTANT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
"""An instant as it may come in. That the day exists, a pattern cannot say."""
UTC_INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,5}[1-9])?Z$"
"""An instant as we write it: `instant.text`."""
MOST_FOLLOWERS = 2**53 - 1
MOST_BYTES = 64 * 1024
"""A record that is longer is refused, whatever it says; a book may be longer (contract, section 2)."""
WHOLE = 10_000
"""A share of 1 in ten-thousandths."""
SHARE_DIGITS = 4

WITHOUT_UNTIL = ("revoke", "hold", "release")
"""Rulings that have no end of their own."""

_T = TypeVar("_T")
LEFT_OUT = object()
"""Stands for a field that is not there, where a null must be told from it."""


def _instant(value: object) -> int:
    """Return the instant of its text; an integer is none on the wire."""
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "an instant is a text")
    try:
        return instant.parse(value)
    except ValueError:
        raise PydanticCustomError("instant", "not an instant") from None


def _share(value: object) -> int:
    """Return a share in ten-thousandths; it counts by value, so 0.60000 is 0.6."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PydanticCustomError("share_type", "a share is a number")
    _, digits, exponent = Decimal(value).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    exponent = int(exponent) + len(digits) - len(text) if text else 0
    if exponent < -SHARE_DIGITS:
        raise PydanticCustomError("share_digits", "a share has at most 4 fraction digits")
    if not 0 <= value <= 1:
        raise PydanticCustomError("share_range", "a share is from 0 to 1")
    return int(value * WHOLE)


def _pairs(value: object) -> object:
    """Return an object as pairs by name, for pydantic to check one by one."""
    if not isinstance(value, Mapping):
        raise PydanticCustomError("dict_type", "subjects are an object")
    return tuple(sorted(value.items()))


def _decimals(pairs: tuple[tuple[str, int], ...]) -> dict[str, Decimal]:
    return {name: Decimal(share) / WHOLE for name, share in pairs}


def _not_null(value: _T) -> _T:
    if value is None:
        raise PydanticCustomError("null", "a null is no value")
    return value


def _until(value: object, info: ValidationInfo) -> int | None:
    """Hold `until` to its ruling: optional for waive, required for extend, else forbidden."""
    ruling = info.data.get("ruling")
    if value is LEFT_OUT:
        if ruling == "extend":
            raise PydanticCustomError("missing", "an extension says until when")
        return None
    if ruling in WITHOUT_UNTIL:
        raise PydanticCustomError("extra_forbidden", "this ruling has no end")
    return _instant(value)


def _tables(value: object) -> object:
    if _holds_null(value):
        raise PydanticCustomError("null", "a null is no value")
    return value


def _holds_null(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_null, value.values() if isinstance(value, dict) else value))
    return value is None


def without_null(schema: dict[str, Any]) -> None:
    """Take the null, which stands for a field left out, from a JSON Schema: the wire refuses it."""
    del schema["default"]
    given, _ = schema.pop("anyOf")
    schema.update(given)


# No multipleOf for the 4 digits of a share: validators divide floats, and would refuse 0.3 for 2999.9999999999995.
SHARE_SCHEMA = {"type": "number", "minimum": 0, "maximum": 1}
"""A share as JSON Schema can say it."""
_INSTANT_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time", "pattern": INSTANT})
_AS_TEXT = PlainSerializer(instant.text, when_used="unless-none")
Instant = Annotated[int, BeforeValidator(_instant), _AS_TEXT, _INSTANT_SCHEMA]
"""RFC 3339 outside, microseconds inside."""
EventId = Annotated[str, Field(pattern=EVENT_ID)]
AccountId = Annotated[str, Field(pattern=ACCOUNT_ID)]
Platform = Annotated[str, Field(json_schema_extra={"pattern": IDENTIFIER})]
"""One of the policy book, which alone knows: the pattern is what every book holds its platforms to."""
Share = Annotated[int, BeforeValidator(_share)]
Subjects = Annotated[
    tuple[tuple[Annotated[str, Field(pattern=IDENTIFIER)], Share], ...],
    BeforeValidator(_pairs),
    PlainSerializer(_decimals, when_used="unless-none"),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": IDENTIFIER},
            "additionalProperties": SHARE_SCHEMA,
        }
    ),
]
Optional = Annotated[_T | None, BeforeValidator(_not_null)]
"""May be left out, and is then None; may not be null."""
Until = Annotated[int | None, BeforeValidator(_until), _AS_TEXT, _INSTANT_SCHEMA]
"""Belongs behind a field `ruling`; without it the field's default is `LEFT_OUT`, validated."""
Tables = Annotated[dict[str, Any], BeforeValidator(_tables)]
"""The tables of one policy."""
ReasonCode = Annotated[str, Field(pattern=REASON_CODE)]
Hash = Annotated[str, Field(pattern=HASH)]
