"""Counts dealt to partitions, with what each partition has to know of the others: how late it is for all."""

from array import array
from collections.abc import Collection, Mapping
from typing import NamedTuple

from schemas.columns import Column


class Share(NamedTuple):
    """The counts of one partition among some that follow each other."""

    keys: Column
    values: Column
    at: "array[int]"
    """The instant of each, in µs."""
    latest_before: "array[int] | None"
    """Of each the latest instant of those before it, in all partitions; None where no instant goes back."""
    places: "array[int]"
    """Of each where it stands among those of all partitions."""

    def part(self, start: int, end: int) -> "Share":
        """Return some consecutive ones."""
        before = self.latest_before
        return Share(
            self.keys[start:end],
            self.values[start:end],
            self.at[start:end],
            before[start:end] if before is not None else None,
            self.places[start:end],
        )


class Dealt(NamedTuple):
    """Consecutive counts, dealt to partitions as Kafka would deal them."""

    end: int
    """Where the text goes on behind them."""
    lines: int
    """How many they are, of all partitions."""
    latest: int
    """The latest instant of all."""
    platforms: Collection[str]
    """All that are named."""
    shares: Mapping[int, Share]
    """Of each partition that was asked for and has any."""
