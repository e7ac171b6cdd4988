"""The highest count taken of each of the last 31 UTC days: the baseline of a purge."""

from schemas.account import Row
from schemas.instant import DAY
from schemas.policy import Purge
from streams.core.scope import WHOLE

Days = tuple[tuple[int, int], ...]
KEPT_DAYS = 31
"""The day of the count and the 30 days before it: `within_days` is at most 30."""


def with_count(days: Days, observed_at: int, followers: int) -> Days:
    """Return the days with one more count in them. Counts come in the order of their instants."""
    day = observed_at // DAY
    kept = [entry for entry in days if day - KEPT_DAYS < entry[0] < day]
    today = days[-1][1] if days and days[-1][0] == day else 0
    return (*kept, (day, max(today, followers)))


def highest_within(days: Days, last_day: int, within_days: int) -> int:
    """Return the highest count of a day and the days before it, 0 where there is none."""
    return max((count for day, count in days if last_day - within_days <= day <= last_day), default=0)


def purge_from(purge: Purge, row: Row) -> int | None:
    """Return the count from which an account was purged, None where its fall was no purge.

    The last count taken is itself in the days; it cannot be the highest of a fall, so leaving it
    in changes nothing.

    Source:
        Contract, section 3, "Purge"; flights below the line are in facts such as the stock account
        that went from 7.058 to 0.90 million in a day.
    """
    highest = highest_within(row.days, row.observed_at // DAY, purge.within_days)
    lost = highest - row.followers
    return highest if lost > 0 and lost * WHOLE >= purge.drop_share * highest else None
