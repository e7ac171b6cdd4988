"""Quiet counts, one after the other: what `streams.core.quiet_compiled` does where that was not built."""

from collections.abc import Mapping

from schemas.columns import Column
from schemas.counts import read_count
from streams.core.band import AWAKE, Band


def pass_quiet(
    keys: Column,
    values: Column,
    index: int,
    bands: Mapping[bytes, Band],
    asleep: Mapping[str, Band],
    T: int,
    before: int,
    moves: bool,
) -> tuple[int, int]:
    """Return the index of the first count that is not quiet, or not plain, and where T is before it.

    Args:
        keys: Of records of `follower-counts`.
        values: As many.
        index: Where to begin.
        bands: Of each account that is watched.
        asleep: Of each platform the band of an account that nobody watches.
        T: The time of the partition, in µs; nothing is due at it.
        before: A count observed at this instant or later is not quiet.
        moves: Whether a count moves T to its own instant.
    """
    for index in range(index, len(values)):  # noqa: B020, PLR1704 - from where it is given on
        key = keys[index]
        count = read_count(key, values[index])
        if key is None or count is None:
            return index, T
        lo, hi, sample_at, until = bands.get(key) or asleep.get(count.platform, AWAKE)
        latest = max(T, count.at) if moves else T
        if not lo <= count.followers <= hi or count.at >= min(sample_at, before) or latest > until:
            return index, T
        T = latest
    return len(values), T
