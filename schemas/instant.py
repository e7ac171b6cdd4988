"""Instants: RFC 3339 text outside, whole microseconds since 1970 UTC inside.

Integers compare, add and hash the same everywhere; a float or a naive datetime does not.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from schemas.errors import OperatorError

SECOND = 1_000_000
DAY = 86_400 * SECOND
_MINUTE = 60 * SECOND
FOREVER = 2**62
"""Later than every instant, also after some arithmetic with days."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:[Zz]|[+-](\d{2}):(\d{2}))",
    re.ASCII,
)


def parse(text: str) -> int:
    """Return the instant that an RFC 3339 text names.

    Args:
        text: With an offset, and with at most 6 fraction digits. A leap second (`:60`) has no
            place in a count of days of 86,400 s and is refused.

    Returns:
        Microseconds since 1970-01-01T00:00:00Z; negative before it.

    Raises:
        ValueError: the text is no such instant, or none of the years 1 to 9999 UTC.

    Examples:
        >>> parse("1970-01-01T08:00:01.5+08:00")
        1500000
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 instant with an offset and at most 6 fraction digits")
    hours, minutes = match.groups()
    if hours is not None and (hours > "23" or minutes > "59"):
        raise ValueError("an offset has at most 23 hours and 59 minutes")
    moment = datetime.fromisoformat(text.upper())
    instant = (moment - _EPOCH) // _MICROSECOND
    if not FIRST <= instant <= LAST:
        raise ValueError("outside the years 1 to 9999 UTC")
    return instant


def after(instant: int, duration: int) -> int:
    """Return the instant so many microseconds later, at most the last one that has a text.

    No record may ask for a deadline that cannot be said.
    """
    return min(instant + duration, LAST)


@lru_cache(maxsize=4096)  # a decision says the same few instants again and again
def text(instant: int) -> str:
    """Return an instant as RFC 3339 in UTC with `Z` and no trailing zero fractions.

    Examples:
        >>> text(1_500_000)
        '1970-01-01T00:00:01.5Z'
    """
    minutes, micros = divmod(instant, _MINUTE)
    seconds, micro = divmod(micros, SECOND)
    whole = f"{_minute(minutes)}{seconds:02d}"
    return f"{whole}.{micro:06d}".rstrip("0") + "Z" if micro else whole + "Z"


@lru_cache(maxsize=4096)
def _minute(minutes: int) -> str:
    """Return an instant as text up to its minutes: many instants that are said are of the same few."""
    return (_EPOCH + timedelta(minutes=minutes)).isoformat()[: len("1970-01-01T00:00:")]


def of_option(option: str, said: str | None) -> int | None:
    """Return the instant that an option of a command names, None where it is not given.

    Raises:
        OperatorError: it names none.
    """
    if said is None:
        return None
    try:
        return parse(said)
    except ValueError as error:
        raise OperatorError(
            f"{option} {said}: {error}. Write it like `{option} 2024-01-02T00:00:00Z`."
        ) from error


def day_number(instant: int) -> int:
    """Return the UTC day of an instant, counted from 1970-01-01."""
    return instant // DAY


FIRST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The last instant that has a text."""
