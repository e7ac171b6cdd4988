"""The leaves of a policy: what each kind of value is inside, and how a written one is read.

Inside, an instant is microseconds since 1970 UTC and a share whole ten-thousandths, so that every
comparison is one of integers. In a file (and in a policy-book record) they are an instant's text and
a decimal. Both forms of a share can be the integer 1, so a reader says which form it reads: with the
validation context `WRITTEN` values are read as written, without it they are taken as they stand.
"""

import re
from datetime import date
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)

from schemas import instant
from schemas.fields import IDENTIFIER, LABEL, SHARE_SCHEMA, UTC_INSTANT

WRITTEN: Final = object()
"""The validation context of values as they stand in a file or in a policy-book record."""

MOST_FOLLOWERS: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps (RFC 8785, section 3.2.2.3)."""

MOST_DAYS: Final = 36_500  # a century: instants stay far inside the years that RFC 3339 can write

DAY: Final = r"^([0-9]{4})-([0-9]{2})-([0-9]{2})$"
_ISO_DATE = re.compile(DAY[1:-1])
# Wide enough for 0..100 with 4 fraction digits; a digit that would be lost is refused, not rounded.
_EXACT = Context(prec=40, traps=[Inexact, InvalidOperation])

_Item = TypeVar("_Item")


def whole_units(written: object, most: int, fraction_digits: int) -> int:
    """Return a written decimal in units of its last allowed fraction digit.

    Args:
        written: An int, a Decimal, or a float, which stands for the shortest decimal that names it.
        most: The largest value allowed; the smallest is 0.
        fraction_digits: How many digits may stand behind the point.

    Raises:
        ValueError: no number, outside 0..most, or with more fraction digits.

    Examples:
        >>> whole_units(Decimal("0.3"), 1, 4)
        3000
    """
    if isinstance(written, bool) or not isinstance(written, int | float | Decimal):
        what = f"is {shown(written)}, no number. Write a number of 0 to {most}, without quotes"
        raise ValueError(what)  # noqa: TRY004 - pydantic collects a ValueError, and lets a TypeError through
    number = Decimal(repr(written)) if isinstance(written, float) else Decimal(written)
    if not number.is_finite() or not 0 <= number <= most:
        raise ValueError(f"is {shown(number)}, outside 0 to {most}. Write a number of 0 to {most}")
    try:
        exact = _EXACT.quantize(number, Decimal(1).scaleb(-fraction_digits))
    except (Inexact, InvalidOperation):
        what = f"is {shown(number)}, with more than {fraction_digits} fraction digits"
        raise ValueError(f"{what}. Round it to {fraction_digits}") from None
    return int(exact.scaleb(fraction_digits, _EXACT))


def shown(value: object) -> str:
    """Return a value as an error message quotes it: short, and on one line."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, dict):
        text = "a table"
    elif isinstance(value, list | tuple):
        text = "an array"
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def json_form(value: Any) -> Any:
    """Return checked tables with decimals as RFC 8785 writes them: `1` for 1.0, a float for a fraction."""
    if isinstance(value, dict):
        return {key: json_form(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [json_form(inner) for inner in value]
    if isinstance(value, Decimal | float):
        return int(value) if value == int(value) else float(value)
    return value


def _read_instant(value: Any, info: ValidationInfo) -> Any:
    if info.context is not WRITTEN:
        return value
    try:
        read = instant.parse(value) if isinstance(value, str) else None
    except ValueError:
        read = None
    if read is None:
        raise ValueError(
            f"is {shown(value)}, no instant with an offset. Write it like 2023-10-31T00:00:00+08:00"
        )
    if instant.text(read) != value:
        what = f"is {shown(value)}, a text that is not UTC. In TOML take the quotes off"
        raise ValueError(f'{what}; in a record write "{instant.text(read)}"')
    return read


def _written_share(units: int) -> int | float:
    written: int | float = json_form(Decimal(units).scaleb(-4))
    return written


def _written_percentage(units: int) -> int | float:
    written: int | float = json_form(Decimal(units).scaleb(-2))
    return written


def _read_share(value: Any, info: ValidationInfo) -> Any:
    return whole_units(value, 1, 4) if info.context is WRITTEN else value


def _read_percentage(value: Any, info: ValidationInfo) -> Any:
    return whole_units(value, 100, 2) if info.context is WRITTEN else value


def read_array(value: Any, info: ValidationInfo) -> Any:
    """Return a written array as the tuple that a frozen model keeps."""
    if info.context is not WRITTEN:
        return value
    if not isinstance(value, list):
        remedy = (
            "Double the brackets of its header" if isinstance(value, dict) else "Put it in brackets: [ ... ]"
        )
        what = f"is {shown(value)}, no array. {remedy}"
        raise ValueError(what)  # noqa: TRY004 - as above
    return tuple(value)


def _distinct(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    # A subject named twice would have its share added twice.
    for place, item in enumerate(items):
        if item in items[:place]:
            raise ValueError(f"names {shown(item)} twice. Take one out")
    return items


def _real_date(text: str) -> str:
    match = _ISO_DATE.fullmatch(text)
    try:
        date(*map(int, match.groups())) if match else None
    except ValueError:
        match = None
    if match is None:
        raise ValueError(f"is {shown(text)}, no date. Write the day like 2023-10-31")
    return text


Instant = Annotated[
    int,
    BeforeValidator(_read_instant),
    PlainSerializer(instant.text, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": UTC_INSTANT}),
]
"""Microseconds since 1970 UTC; written as a TOML offset date-time, in a record as UTC text."""

Share = Annotated[
    int,
    Field(ge=0, le=10_000),
    BeforeValidator(_read_share),
    PlainSerializer(_written_share, when_used="json"),
    WithJsonSchema(SHARE_SCHEMA),
]
"""Ten-thousandths, 0 to 10,000; written as a decimal of 0 to 1."""

Percentage = Annotated[
    int,
    Field(ge=0, le=10_000),
    BeforeValidator(_read_percentage),
    PlainSerializer(_written_percentage, when_used="json"),
    WithJsonSchema({**SHARE_SCHEMA, "maximum": 100}),
]
"""Ten-thousandths, 0 to 10,000; written as a percentage of 0 to 100."""

Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
"""A name that programs compare: a platform, measure, subject or channel."""

Label = Annotated[str, StringConstraints(pattern=LABEL)]
"""The id of a phase or a rule; the part of a source's key path that names it."""

Prose = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Day = Annotated[
    str, AfterValidator(_real_date), WithJsonSchema({"type": "string", "format": "date", "pattern": DAY})
]
"""A calendar day as text, `YYYY-MM-DD`; a citation's date has no hour and no offset."""

Followers = Annotated[int, Field(ge=1, le=MOST_FOLLOWERS)]
Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]
DaysOrNone = Annotated[int, Field(ge=0, le=MOST_DAYS)]
Owner = Literal["individual", "organisation", "government", "news_media"]
Op = Literal[">=", ">"]
Status = Literal["notice", "notice_via_repost", "news", "law", "inferred", "assumed"]

_OF_DISTINCT = Field(json_schema_extra={"uniqueItems": True})
Identifiers = Annotated[
    tuple[Identifier, ...], BeforeValidator(read_array), AfterValidator(_distinct), _OF_DISTINCT
]
Owners = Annotated[tuple[Owner, ...], BeforeValidator(read_array), AfterValidator(_distinct), _OF_DISTINCT]
SomeDays = Annotated[tuple[Days, ...], BeforeValidator(read_array), AfterValidator(_distinct), _OF_DISTINCT]
