"""Compressed batches may not unfold without end: 500 KB of zstd can hold 500 MB, and aiokafka has no cap.

Whoever imports this caps every consumer of the process. A batch that unfolds to more than `MOST_UNFOLDED`, or that
cannot be unfolded at all, is **one unreadable record** at its last offset: the worker's dead letter is `too-large`,
in the journal it is void. So a bomb stops nobody, and every reader of ours sees the same.

It is the unfolded size of the whole batch that counts, and nothing else of it: not how it was fetched, nor beside
what. The same bytes are the same record in every reading.
"""

import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cramjam
from aiokafka.consumer import fetcher
from aiokafka.record._crecords import default_records, legacy_records
from aiokafka.record.memory_records import MemoryRecords

MOST_UNFOLDED = 8 << 20
"""Producers send batches of at most 1 MiB unless they are told otherwise; a book has at most 1 MiB."""

UNREADABLE = bytes((1 << 20) + 1)
"""Stands for all that such a batch says: a byte longer than any record of ours may be."""

_XERIAL = b"\x82SNAPPY\0\0\0\0\1\0\0\0\1"

_FULL = "failed to write whole buffer"
"""What cramjam says where the output does not fit."""

_room = threading.local()


class TooFar(Exception):
    """A batch cannot be unfolded, or not within its bounds."""


class Record(NamedTuple):
    """What stands in place of a batch's records."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None = None
    value: bytes | None = UNREADABLE
    headers: tuple[()] = ()
    checksum: int | None = None


class Batch:
    """A compressed batch of aiokafka, which is only unfolded when its records are asked for.

    Args:
        batch: Of aiokafka.
    """

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        batch = self._batch
        try:
            if hasattr(batch, "compression_type"):
                return iter(batch)
            return iter(list(batch))  # one of the oldest formats unfolds with its first record
        except (TooFar, cramjam.DecompressionError, zlib.error, struct.error):
            timestamp = getattr(batch, "max_timestamp", -1)
            return iter([Record(batch.next_offset - 1, timestamp, getattr(batch, "timestamp_type", 0))])


class Batches:
    """The batches of one fetch, as aiokafka's `MemoryRecords`.

    Args:
        fetched: Their bytes.
    """

    def __init__(self, fetched: bytes) -> None:
        self._records = MemoryRecords(fetched)
        self.has_next: Callable[[], bool] = self._records.has_next
        self.size_in_bytes: Callable[[], int] = self._records.size_in_bytes

    def next_batch(self) -> Any:
        """Return the next batch; one that is compressed as a `Batch`."""
        batch = self._records.next_batch()
        # those of the oldest formats do not say whether they are
        return Batch(batch) if getattr(batch, "compression_type", 1) else batch


def is_folded(batch: Any) -> bool:
    """Return whether a batch may unfold to more than was fetched."""
    return isinstance(batch, Batch)


# How each codec unfolds -----------------------------------------------------------------------------


def _gzip(data: Any) -> bytes:
    parts, rest, room = [], bytes(data), MOST_UNFOLDED
    while rest:  # one member after another
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        parts.append(member.decompress(rest, room + 1))
        room -= len(parts[-1])
        if room < 0 or not member.eof:
            raise TooFar
        rest = member.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _within(unfold: Callable[[bytes, bytearray], int]) -> Callable[[Any], bytes]:
    def unfolded(data: Any) -> bytes:
        if not hasattr(_room, "buffer"):
            _room.buffer = bytearray(MOST_UNFOLDED)
        try:
            return bytes(memoryview(_room.buffer)[: unfold(bytes(data), _room.buffer)])
        except cramjam.DecompressionError as error:
            if _FULL in str(error):
                raise TooFar from None
            raise

    return unfolded


def _snappy(data: Any) -> bytes:
    raw = bytes(data)
    blocks = list(_xerial_blocks(raw)) if raw.startswith(_XERIAL) else [raw]
    if sum(cramjam.snappy.decompress_raw_len(block) for block in blocks) > MOST_UNFOLDED:
        raise TooFar
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def _xerial_blocks(raw: bytes) -> Iterator[bytes]:
    at = len(_XERIAL)
    while at < len(raw):
        (size,) = struct.unpack_from("!I", raw, at)
        yield raw[at + 4 : at + 4 + size]
        at += 4 + size


CODECS: dict[str, Callable[[Any], bytes]] = {
    "gzip_decode": _gzip,
    "snappy_decode": _snappy,
    "lz4_decode": _within(cramjam.lz4.decompress_into),
    "zstd_decode": _within(cramjam.zstd.decompress_into),
}
for _module in (default_records, legacy_records):
    for _name, _codec in CODECS.items():
        if hasattr(_module, _name):
            setattr(_module, _name, _codec)
fetcher.MemoryRecords = Batches
