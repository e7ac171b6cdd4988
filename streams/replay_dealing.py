"""Counts dealt to partitions, with what each partition has to know of the others: how late it is for all."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from schemas.counts import Counts
from schemas.partitioner import partitions_of
from streams.replay_files import Plain


class Share(NamedTuple):
    """The counts of one partition."""

    keys: list[bytes]
    values: list[bytes]
    counts: Counts
    latest_before: list[int] | None = None
    """Of each the latest instant of those before it, in all partitions; None where no instant goes back."""

    def part(self, start: int, end: int) -> "Share":
        """Return some consecutive ones."""
        said, at = self.counts
        before = self.latest_before
        return Share(
            self.keys[start:end],
            self.values[start:end],
            Counts(said[start:end], at[start:end]),
            before[start:end] if before is not None else None,
        )


class Dealt(NamedTuple):
    """Consecutive counts by partition."""

    shares: Sequence[Share]
    latest: int
    """Their latest instant."""


def deal(block: Plain, partitions: int) -> Dealt:
    """Deal counts as Kafka would."""
    said, at = block.counts
    if partitions == 1:
        return Dealt((Share(block.keys, block.values, block.counts),), max(at))
    latest = list(accumulate(at, max))
    before = None if latest == at else [at[0], *latest[:-1]]
    places: list[list[int]] = [[] for _ in range(partitions)]
    for place, number in enumerate(partitions_of(block.keys, partitions)):
        places[number].append(place)
    shares = [
        Share(
            [block.keys[place] for place in own],
            [block.values[place] for place in own],
            Counts([said[place] for place in own], [at[place] for place in own]),
            [before[place] for place in own] if before is not None else None,
        )
        for own in places
    ]
    return Dealt(shares, latest[-1])
