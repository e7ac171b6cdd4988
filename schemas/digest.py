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
    columns = [_packed("q", [len(records)]), _little_endian(records.offsets)]
    columns += [records.keys.lengths, records.values.lengths]
    if with_time and records.times is not None:
        columns.append(_packed("q", [timestamp for timestamp, _ in records.times]))
        columns.append(_packed("i", [kind for _, kind in records.times]))
    digest = hashlib.sha256(_VERSION)
    for column in columns:
        digest.update(column)
    records.keys.feed(digest.update)
    records.values.feed(digest.update)
    return digest.hexdigest()


def _packed(kind: str, numbers: Collection[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}{kind}", *numbers)


def _little_endian(numbers: "array[int]") -> bytes:
    if sys.byteorder == "big":
        return _packed(numbers.typecode, numbers)
    return numbers.tobytes()
