"""The digest of a run: what an entry says of the raw records that it covers.

Layout: SHA-256 over `nameplate-run-1`, the number of records, and then column by column the offsets,
the lengths of keys and of values (-1 for null), for the clock topic also the timestamps and their
types, and at last all keys and all values one after another. Numbers are little-endian, offsets
and timestamps 8 bytes, the others 4. Columns, because hashing a few joined buffers costs tens of
nanoseconds a record, and lengths come first, so that nothing can be moved from one field to another.
"""

import hashlib
import sys
from array import array
from collections.abc import Sequence
from typing import Any

_VERSION = b"nameplate-run-1"


def digest_of(records: Sequence[Any], *, with_time: bool) -> str:
    """Return the digest of consecutive raw records in hex.

    Args:
        records: Objects with offset, key, value, timestamp (ms) and timestamp_type.
        with_time: For the clock topic, whose time of appending decides.
    """
    keys = [record.key for record in records]
    values = [record.value for record in records]
    columns = [
        array("q", [len(records), *(record.offset for record in records)]),
        array("i", [-1 if key is None else len(key) for key in keys]),
        array("i", [-1 if value is None else len(value) for value in values]),
    ]
    if with_time:
        columns.append(array("q", [record.timestamp for record in records]))
        columns.append(array("i", [record.timestamp_type for record in records]))
    if sys.byteorder == "big":
        for column in columns:
            column.byteswap()
    digest = hashlib.sha256(_VERSION)
    for column in columns:
        digest.update(column)
    digest.update(b"".join([key for key in keys if key is not None]))
    digest.update(b"".join([value for value in values if value is not None]))
    return digest.hexdigest()
