"""The state root: an additive 256-bit hash over the multiset of a partition's rows.

One addition per changed row, whatever the number of rows, and no order. It finds accidents: a lost, late or
stale row. It does not resist somebody who chooses rows to collide; the audit rests on the chain and on
re-derivation.
"""

from collections.abc import Iterable

from schemas import account

EMPTY = 0
_SIZE = 1 << 256


def row_hash(key: bytes, row: bytes) -> int:
    """Return the 256-bit number of one row."""
    return int.from_bytes(account.row_hash(key, row))


def add(root: int, key: bytes, row: bytes) -> int:
    """Return the root with one more row."""
    return (root + row_hash(key, row)) % _SIZE


def remove(root: int, key: bytes, row: bytes) -> int:
    """Return the root without a row that it held."""
    return (root - row_hash(key, row)) % _SIZE


def replace(root: int, key: bytes, before: bytes | None, after: bytes | None) -> int:
    """Return the root after one row changed; None is no row."""
    if before is not None:
        root = remove(root, key, before)
    return root if after is None else add(root, key, after)


def of_rows(rows: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the root of rows, in any order."""
    return of_sum(sum(row_hash(key, row) for key, row in rows))


def of_sum(hashes: int) -> int:
    """Return the root of a sum of `row_hash` over rows."""
    return hashes % _SIZE


def text(root: int) -> str:
    """Return a root as the journal says it: 64 hex digits, of an empty partition 64 zeros."""
    return f"{root:064x}"


def parse(digits: str) -> int:
    """Return the root that 64 hex digits name."""
    return int(digits, 16)
