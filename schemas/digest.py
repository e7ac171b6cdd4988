"""The digest of a run: what an entry says of the raw records that it covers.

Layout: SHA-256 over `nameplate-run-1`, the number of records, and then column by column the offsets,
the lengths of keys and of values (-1 for null), for the clock topic also the timestamps and their
types, and at last all keys and all values one after another. Numbers are little-endian, offsets
and timestamps 8 bytes, the others 4. Columns, because hashing a few joined buffers costs tens of
nanoseconds a record, and lengths come first, so that nothing can be moved from one field to another.
"""

import hashlib
import struct
import sys
from array import array
from collections.abc import Collection, Sequence
from typing import Any

from schemas.records import Records

_VERSION = b"nameplate-run-1"


def digest_of(records: Sequence[Any], *, with_time: bool) -> str:
    """Return the digest of consecutive raw records in hex.

    Args:
        records: `Records`, or objects with offset, key, value, timestamp (ms) and timestamp_type.
        with_time: For the clock topic, whose time of appending decides.
    """
    if not isinstance(records, Records):
        records = Records.of(records)
    columns: list[bytes | bytearray] = [_packed("q", [len(records)]), _little_endian(records.offsets)]
    columns += [_lengths(records.keys), _lengths(records.values)]
    if with_time and records.times is not None:
        columns.append(_packed("q", [timestamp for timestamp, _ in records.times]))
        columns.append(_packed("i", [kind for _, kind in records.times]))
    digest = hashlib.sha256(_VERSION)
    for column in columns:
        digest.update(column)
    digest.update(_joined(records.keys))
    digest.update(_joined(records.values))
    return digest.hexdigest()


def _packed(kind: str, numbers: Collection[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}{kind}", *numbers)


def _little_endian(numbers: "array[int]") -> bytes:
    if sys.byteorder == "big":
        return _packed(numbers.typecode, numbers)
    return numbers.tobytes()


def _lengths(texts: list[bytes | None]) -> bytes | bytearray:
    """Return the column of lengths; where all fit a byte, and nearly all do, at half the price."""
    column = bytearray(4 * len(texts))
    try:
        column[::4] = bytes(list(map(len, texts)))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return _packed("i", [-1 if text is None else len(text) for text in texts])
    return column


def _joined(texts: list[bytes | None]) -> bytes:
    try:
        return b"".join(texts)  # type: ignore[arg-type]
    except TypeError:
        return b"".join([text for text in texts if text is not None])
