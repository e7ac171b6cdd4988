"""The lines of a policy and the band between two of them.

A count inside the band of the last count taken, on a day that has its sample, changes nothing and
decides nothing: that is what lets an account sleep (contract, section 3, "What is taken").
"""

from bisect import bisect_right
from typing import NamedTuple

from schemas.account import NO_COUNT, Row
from schemas.instant import DAY, FOREVER
from schemas.policy import Policy

KEPT_BEFORE_T = 30 * DAY
"""A count observed longer than this before T is not taken; a row of counts alone is not kept longer."""

HIGHEST = 2**53 - 1


class Band(NamedTuple):
    """What keeps an account asleep: `lo <= followers <= hi`, observed before `sample_at`, while T <= `until`."""

    lo: int
    hi: int
    sample_at: int
    until: int


AWAKE = Band(1, 0, FOREVER, FOREVER)
"""Every count wakes the account: none is in it."""


def bounds(policy: Policy, followers: int) -> tuple[int, int]:
    """Return the lowest and the highest count that no line parts from this one."""
    lines = policy.lines
    place = bisect_right(lines, followers)
    lo = lines[place - 1] if place else 0
    hi = lines[place] - 1 if place < len(lines) else HIGHEST
    return lo, hi


def band_of(policy: Policy, row: Row | None) -> Band:
    """Return the band of an account, one that nobody watches included.

    Args:
        policy: The policy of its platform.
        row: The account, None where it has no row: it sleeps below the watch floor.
    """
    if row is None:
        return Band(0, policy.watch_from - 1, FOREVER, FOREVER)
    if row.followers == NO_COUNT:
        return AWAKE
    lo, hi = bounds(policy, row.followers)
    watched = row.followers >= policy.watch_from
    sample_at = (row.observed_at // DAY + 1) * DAY if watched else FOREVER
    return Band(lo, hi, sample_at, forgotten_after(policy, row))


def holds_only_counts(row: Row) -> bool:
    """Return whether nothing but counts is known of an account."""
    return row.profile is None and not row.displayed and not row.waived and row.obligation is None


def forgotten_after(policy: Policy, row: Row) -> int:
    """Return the last T at which a row is kept, FOREVER where it is kept for good."""
    if NO_COUNT < row.followers < policy.watch_from and holds_only_counts(row):
        return row.observed_at + KEPT_BEFORE_T
    return FOREVER
