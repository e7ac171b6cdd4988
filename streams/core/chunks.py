"""Counts read in chunks: so many at once that each costs little, so few that one odd record costs little."""

from typing import NamedTuple

from schemas.counts import Said, decode_counts
from schemas.records import Records

CHUNK = 512
"""Records read at once. A record that is not sound and plain makes its chunk cost three times as much."""

NOT_PLAIN = Said("", "", "", -1, "")
"""Stands for a record that has to be looked at by itself: no band holds its count."""


class Chunk(NamedTuple):
    """The counts of the records from `start` to `end` (exclusive), each with its instant in µs."""

    of: Records
    start: int
    end: int
    said: list[Said]
    at: list[int]


NO_CHUNK = Chunk(Records.of(()), 0, 0, [], [])


def chunk_at(records: Records, start: int) -> Chunk:
    """Return the counts of the next records from a place on; whether their platforms are known is not asked."""
    if records.counts is not None:
        return Chunk(records, 0, len(records), *records.counts)
    end = min(start + CHUNK, len(records))
    counts = decode_counts(records.keys[start:end], records.values[start:end])
    if counts is not None:
        return Chunk(records, start, end, *counts)
    said, at = [], []
    for place in range(start, end):
        one = decode_counts(records.keys[place : place + 1], records.values[place : place + 1])
        said.append(one.said[0] if one is not None else NOT_PLAIN)
        at.append(one.at[0] if one is not None else 0)
    return Chunk(records, start, end, said, at)
