"""Raw records of one topic partition, as columns.

A firehose is looked at column by column: all keys, all values. A record object for each would cost more
than what is decided of nearly all of them.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import msgspec

from schemas.columns import Column, numbers

TIMES_UNKNOWN = (-1, 0)


class Raw(msgspec.Struct, frozen=True, gc=False):
    """A record as it came: nothing read yet."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = -1
    """Milliseconds since 1970 UTC; -1 where the record has none."""
    timestamp_type: int = 0
    """0: create time, 1: log append time."""


class Records(Sequence[Raw]):
    """Records in the order of their offsets; a slice is made of slices of the columns.

    Args:
        offsets: Ascending.
        keys: As many.
        values: As many.
        times: Timestamp and its type of each; None where nobody asks for them.
    """

    __slots__ = ("keys", "offsets", "times", "values")

    def __init__(
        self,
        offsets: "array[int]",
        keys: Column,
        values: Column,
        times: list[tuple[int, int]] | None = None,
    ) -> None:
        self.offsets = offsets
        self.keys = keys
        self.values = values
        self.times = times

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return self.values.size

    @classmethod
    def of(cls, records: Iterable[Any], *, with_time: bool = True) -> "Records":
        """Return the columns of records: objects with offset, key, value, timestamp (ms) and timestamp_type."""
        offsets = array("q")
        keys, values = Column(), Column()
        times: list[tuple[int, int]] = []
        for record in records:  # one by one: whoever parses them lazily may forget each at once
            offsets.append(record.offset)
            keys.append(record.key)
            values.append(record.value)
            if with_time:
                times.append((record.timestamp, record.timestamp_type))
        return cls(offsets, keys, values, times if with_time else None)

    @classmethod
    def plain(cls, start: int, keys: Column, values: Column) -> "Records":
        """Return records whose offsets are dense from a first one on, with no times."""
        return cls(numbers(start, start + len(values)), keys, values)

    def extend(self, others: "Records") -> None:
        """Put records behind these."""
        self.offsets.extend(others.offsets)
        self.keys.extend(others.keys)
        self.values.extend(others.values)
        if self.times is not None:
            self.times.extend(others.times or [TIMES_UNKNOWN] * len(others))

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, place: int) -> Raw: ...
    @overload
    def __getitem__(self, place: slice) -> "Records": ...
    def __getitem__(self, place: int | slice) -> "Raw | Records":
        times = self.times
        if isinstance(place, slice):
            cut = times[place] if times is not None else None
            return Records(self.offsets[place], self.keys[place], self.values[place], cut)
        timestamp, kind = times[place] if times is not None else TIMES_UNKNOWN
        return Raw(self.offsets[place], self.keys[place], self.values[place], timestamp, kind)

    def __iter__(self) -> Iterator[Raw]:
        return map(self.__getitem__, range(len(self)))

    def __repr__(self) -> str:
        return f"Records({len(self)} from {self.offsets[0]})" if len(self) else "Records(none)"
