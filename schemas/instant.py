"""Instants: RFC 3339 text outside, whole microseconds since 1970 UTC inside.

Integers compare, add and hash the same everywhere; a float or a naive datetime does not.
Read and written in compiled code where there was a C compiler when this program was built; elsewhere in Python.
"""

from schemas.errors import OperatorError
from schemas.instant_python import FIRST, LAST

try:
    from schemas.instant_compiled import parse, text
except ImportError:
    from schemas.instant_python import parse, text

__all__ = ["DAY", "FIRST", "FOREVER", "LAST", "SECOND", "after", "day_number", "of_option", "parse", "text"]

SECOND = 1_000_000
DAY = 86_400 * SECOND
FOREVER = 2**62
"""Later than every instant, also after some arithmetic with days."""


def after(instant: int, duration: int) -> int:
    """Return the instant so many microseconds later, at most the last one that has a text.

    No record may ask for a deadline that cannot be said.
    """
    return min(instant + duration, LAST)


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
