"""Compressed batches may not unfold without end: 500 KB of zstd can hold 500 MB, and aiokafka has no cap.

Whoever imports this caps every consumer of the process. A batch that unfolds to more than `MOST_UNFOLDED`, or that
cannot be unfolded at all, is **one unreadable record** at its last offset: the worker's dead letter is `too-large`,
in the journal it is void. So a bomb stops nobody, and every reader of ours sees the same.

It is the unfolded size of the whole batch that counts, and nothing else of it: not how it was fetched, nor beside
what. The same bytes are the same record in every reading.

The second trap of the same place: a header's name that is not UTF-8 ends aiokafka's reading with an untyped error.
Any sender can write one, and brokers do not look. Such a batch is read here, without its headers. So is one with
attributes of a record above 127, which aiokafka takes for two bytes, as far as it sees that it went astray.

The third: the offset that a record says of itself may be another's, or none of its batch, and brokers do not look
there either. What such a batch has from there on is one unreadable record, too.
"""

import contextlib
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cramjam
import crc32c
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record import default_records, legacy_records
from aiokafka.record.memory_records import MemoryRecords

from schemas.columns import Column

MOST_UNFOLDED = 8 << 20
"""Producers send batches of at most 1 MiB unless they are told otherwise; a book has at most 1 MiB."""

UNREADABLE = bytes((1 << 20) + 1)
"""Stands for all that such a batch says: a byte longer than any record of ours may be."""

_MODULES: list[Any] = []
with contextlib.suppress(ImportError):  # aiokafka reads records in Python where it is not compiled
    from aiokafka.record import _crecords

    _MODULES = [_crecords.default_records, _crecords.legacy_records]

try:
    from streams.live.batches_compiled import read_records
except ImportError:  # there was no C compiler when this program was built
    read_records = None  # type: ignore[assignment]

_XERIAL = b"\x82SNAPPY\0\0\0\0\1\0\0\0\1"

_FULL = "failed to write whole buffer"
"""What cramjam says where the output does not fit."""

_room = threading.local()


class TooFar(Exception):
    """A batch cannot be unfolded, or not within its bounds."""


class Record(NamedTuple):
    """What stands in place of aiokafka's own."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[()] = ()
    checksum: int | None = None


class Batch:
    """A batch of aiokafka, which is only unfolded when its records are asked for.

    Args:
        batch: Of aiokafka.
        fetched: The bytes of its fetch.
        start: Where among them the batch begins.
    """

    def __init__(self, batch: Any, fetched: bytes, start: int) -> None:
        self._batch = batch
        self._fetched = fetched
        self._start = start

    @property
    def _raw(self) -> memoryview:
        (length,) = _LENGTH.unpack_from(self._fetched, self._start)
        return memoryview(self._fetched)[self._start : self._start + _LENGTH.size + length]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    @property
    def is_folded(self) -> bool:
        """Whether it may unfold to more than was fetched; the oldest formats do not say."""
        return bool(getattr(self._batch, "compression_type", 1))

    def validate_crc(self) -> bool:
        """Return whether the checksum is right, as aiokafka does, by the processor's own instruction."""
        raw = self._raw
        if raw[_MAGIC] != _FORMAT:
            return bool(self._batch.validate_crc())
        return bool(crc32c.crc32c(raw[_CHECKED:]) == self._batch.crc)

    def read(self, keys: Column, values: Column) -> bool:
        """Put the keys and values of a plain batch behind others, at a third of the price of its records.

        Returns:
            Whether it was read. Not if its offsets have gaps or something of it is odd: iterate it then.
        """
        batch, raw, before = self._batch, self._raw, len(keys)
        if read_records is None or raw[_MAGIC] != _FORMAT or batch.compression_type >= len(_CODEC):
            return False
        with contextlib.suppress(*_ODD):
            count = _HEADER.unpack_from(raw)[1]
            if count != batch.next_offset - batch.base_offset:
                return False
            if batch.compression_type:
                body = CODECS[_CODEC[batch.compression_type]](raw[_HEADER.size :])
                start, end = 0, len(body)
            else:
                body, start, end = self._fetched, self._start + _HEADER.size, self._start + len(raw)
            if read_records(body, start, end, count, keys, values):
                return True
        keys.truncate(before)
        values.truncate(before)
        return False

    def __next__(self) -> Any:
        """Return the next record; aiokafka asks that of a control batch for its marker."""
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        batch = self._batch
        last = getattr(batch, "base_offset", 0) - 1
        try:
            for record in self._records():
                if not last < record.offset < batch.next_offset:
                    raise TooFar
                last = record.offset
                yield record
        except _ODD:
            if last < batch.next_offset - 1:
                timestamp = getattr(batch, "max_timestamp", -1)
                yield Record(
                    batch.next_offset - 1, timestamp, getattr(batch, "timestamp_type", 0), value=UNREADABLE
                )

    def _records(self) -> Iterator[Any]:
        last = -1
        try:
            for record in self._batch:
                last = record.offset
                yield record
        except (UnicodeDecodeError, CorruptRecordException):
            # The name of a header, or attributes of a record: nobody asks for them of inputs.
            if self._raw[_MAGIC] != _FORMAT:
                raise
            rest = _without_headers(self._raw, self._batch)
            yield from (record for record in rest if record.offset > last)


class Batches:
    """The batches of one fetch, as aiokafka's `MemoryRecords`.

    Args:
        fetched: Their bytes.
    """

    def __init__(self, fetched: bytes) -> None:
        self._fetched = fetched
        self._next = 0
        self._records = MemoryRecords(fetched)
        self.has_next: Callable[[], bool] = self._records.has_next
        self.size_in_bytes: Callable[[], int] = self._records.size_in_bytes

    def next_batch(self) -> Batch:
        """Return the next batch."""
        start = self._next
        (length,) = _LENGTH.unpack_from(self._fetched, start)
        self._next += _LENGTH.size + length
        return Batch(self._records.next_batch(), self._fetched, start)


_ODD = (TooFar, cramjam.DecompressionError, zlib.error, struct.error)
_FORMAT = 2
_MAGIC = 16
_CHECKED = 21
"""Where in a batch its format stands, and where that begins of which format 2 has the checksum."""
_LENGTH = struct.Struct(">8xi")
_HEADER = struct.Struct(">8x4x4x1x4x2x4xq8x8x2x4xi")
"""Of a batch; all but its first timestamp and the number of its records, aiokafka tells."""
_CODEC = ("", "gzip_decode", "snappy_decode", "lz4_decode", "zstd_decode")


def _without_headers(raw: memoryview, batch: Any) -> Iterator[Record]:
    """Yield the records of a batch of format 2, whatever their headers are.

    Source:
        Kafka's documentation, Message Format: Record Batch, Record.
    """
    first, count = _HEADER.unpack_from(raw)
    body = bytes(raw[_HEADER.size :])
    if batch.compression_type:
        body = CODECS[_CODEC[batch.compression_type]](body)
    at = 0
    for _ in range(count):
        length, at = _varint(body, at)
        end = at + length
        delta, at = _varint(body, at + 1)
        timestamp = batch.max_timestamp if batch.timestamp_type else first + delta
        place, at = _varint(body, at)
        key, at = _bytes(body, at)
        value, at = _bytes(body, at)
        if not at < end <= len(body):
            raise CorruptRecordException("a record does not end where it says")
        yield Record(batch.base_offset + place, timestamp, batch.timestamp_type, key, value)
        at = end
    if at != len(body):
        raise CorruptRecordException("bytes behind the last record")


def _bytes(body: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(body, at)
    return (body[at : at + length], at + length) if length >= 0 else (None, at)


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """Return a signed number of a few bytes, and where it ends."""
    found, shift = 0, 0
    while True:
        if not 0 <= at < len(body) or shift > 63:
            raise CorruptRecordException("a record ends in the middle")
        byte = body[at]
        found |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (found >> 1) ^ -(found & 1), at


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
for _module in (*_MODULES, default_records, legacy_records):
    for _name, _codec in CODECS.items():
        if hasattr(_module, _name):
            setattr(_module, _name, _codec)
fetcher.MemoryRecords = Batches
