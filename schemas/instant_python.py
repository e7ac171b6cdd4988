"""Instants read and written: what `schemas.instant_compiled` does where that was not built, and what is rare."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
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


@lru_cache(maxsize=4096)  # a decision says the same few instants again and again
def text(instant: int) -> str:
    """Return an instant as RFC 3339 in UTC with `Z` and no trailing zero fractions.

    Examples:
        >>> text(1_500_000)
        '1970-01-01T00:00:01.5Z'
    """
    minutes, micros = divmod(instant, _MINUTE)
    seconds, micro = divmod(micros, _SECOND)
    whole = f"{_minute(minutes)}{seconds:02d}"
    return f"{whole}.{micro:06d}".rstrip("0") + "Z" if micro else whole + "Z"


@lru_cache(maxsize=4096)
def _minute(minutes: int) -> str:
    """Return an instant as text up to its minutes: many instants that are said are of the same few."""
    return (_EPOCH + timedelta(minutes=minutes)).isoformat()[: len("1970-01-01T00:00:")]


FIRST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The last instant that has a text."""
