"""Columns of bytes as lists: what `schemas.columns_compiled` does where that was not built."""

import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import overload


class Column(Sequence[bytes | None]):
    """The keys, or the values, of many records: bytes, some of them null.

    A part of it is a column, too.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[bytes | None] = ()) -> None:
        self._items = list(items)

    def append(self, item: bytes | None) -> None:
        """Put one behind the others."""
        self._items.append(item)

    def extend(self, others: "Column") -> None:
        """Put those of another column behind these."""
        self._items.extend(others._items)

    def truncate(self, count: int) -> None:
        """Keep the first ones only."""
        del self._items[count:]

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, place: int) -> bytes | None: ...
    @overload
    def __getitem__(self, place: slice) -> "Column": ...
    def __getitem__(self, place: int | slice) -> "bytes | Column | None":
        if not isinstance(place, slice):
            return self._items[place]
        if place.step not in {None, 1}:
            raise ValueError("a part of a column is of consecutive texts")
        return Column(self._items[place])

    def __eq__(self, others: object) -> bool:
        return isinstance(others, Iterable) and self._items == list(others)

    __hash__ = None  # type: ignore[assignment]

    @property
    def size(self) -> int:
        """The bytes of all."""
        return sum(len(item) for item in self._items if item is not None)

    def feed(self, take: Callable[[bytes | memoryview], object]) -> None:
        """Give all, one after another, to somebody who keeps none of it: the `update` of a hash."""
        take(b"".join(item for item in self._items if item is not None))

    @property
    def lengths(self) -> bytes:
        """The length of each, -1 of a null; 4 bytes each, little-endian."""
        sizes = [-1 if item is None else len(item) for item in self._items]
        return struct.pack(f"<{len(sizes)}i", *sizes)


def numbers(start: int, end: int) -> "array[int]":
    """Return the numbers from one to another (exclusive), 8 bytes each."""
    return array("q", range(start, end))
