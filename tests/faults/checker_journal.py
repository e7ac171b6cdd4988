"""The journal with the checker's own eyes: hashes, the chain, digests, rows and roots, each written from the papers.

Nothing here comes from `streams` or `schemas`: an error there must not be repeated here.
"""

import hashlib
import json
import re
import struct
from dataclasses import dataclass
from typing import Any

import msgspec

from .checker_dump import Dump, Record

_SEAL = re.compile(rb',"seal":"([0-9a-f]{64})"')
_SIZE = 1 << 256
_ROW = ("followers", "observed_at", "days", "sides", "facts", "profile", "displayed", "met", "waived",
        "waived_until", "obligation")  # fmt: skip
_OBLIGATION = ("id", "phase", "stage", "notified_at", "deadline_at", "reminders", "answer", "holds", "stopped_at",
               "was_held", "measures")  # fmt: skip
_PROFILE = ("owner", "self_media", "daily_life", "verified", "status", "subjects")


@dataclass
class Judged:
    """One record of a journal partition, and the verdict."""

    record: Record
    said: dict[str, Any] | None
    hash: str
    is_accepted: bool
    is_takeover: bool = False

    @property
    def content(self) -> dict[str, Any]:
        assert self.said is not None
        content: dict[str, Any] = self.said["content"]
        return content

    @property
    def decisions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.content["decisions"]
        return found


class Chain:
    """Judges the records of one journal partition in order (rule 2)."""

    def __init__(self) -> None:
        self.n, self.epoch, self.head = -1, 0, "0" * 64

    def judge(self, record: Record) -> Judged:
        """Say whether the next record follows the last accepted one."""
        raw = record.value or b""
        own, said = hashlib.sha256(raw).hexdigest(), envelope(raw)
        if said is None or said["prev"] != self.head or said["n"] != self.n + 1:
            return Judged(record, said, own, False)
        step = said["epoch"] - self.epoch
        if step not in (0, 1):
            return Judged(record, said, own, False)
        self.n, self.epoch, self.head = said["n"], said["epoch"], own
        return Judged(record, said, own, True, step == 1)


def envelope(raw: bytes) -> dict[str, Any] | None:
    """Return an entry's fields where the envelope can be read, else None."""
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    is_whole = all(type(said.get(name)) is int and 0 <= said[name] < 2**53 for name in ("n", "epoch"))
    is_named = all(isinstance(said.get(name), str) for name in ("prev", "writer"))
    return said if is_whole and is_named and "v" in said else None


def judged(dump: Dump) -> dict[int, list[Judged]]:
    """Return all journal records of each partition with their verdicts."""
    found = {}
    for partition in dump.partitions:
        chain = Chain()
        found[partition] = [chain.judge(record) for record in dump.of("journal", partition)]
    return found


def seal_fits(raw: bytes) -> bool:
    """Whether the seal is the hash of the entry without it."""
    for match in _SEAL.finditer(raw):
        without = raw[: match.start()] + raw[match.end() :]
        if hashlib.sha256(without).hexdigest().encode() == match[1]:
            return True
    return False


def canonical(value: Any) -> bytes:
    """Return JSON without a choice: sorted keys, no spaces (outputs hold ASCII keys and whole numbers only)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def output_id(output: dict[str, Any]) -> str:
    """Return the id that an output must have (contract, section 4)."""
    rest = {name: value for name, value in output.items() if name not in ("id", "seq", "partition")}
    return hashlib.sha256(canonical(rest)).hexdigest()[:32]


def digest(records: list[Record], *, with_time: bool) -> str:
    """Return the digest of a run: columns of fixed width, then all keys, then all values."""
    parts = [b"nameplate-run-1", struct.pack("<q", len(records))]
    parts += [struct.pack("<q", record.offset) for record in records]
    for column in ("key", "value"):
        raw = [getattr(record, column) for record in records]
        parts += [struct.pack("<i", -1 if one is None else len(one)) for one in raw]
    if with_time:
        parts += [struct.pack("<q", record.timestamp) for record in records]
        parts += [struct.pack("<i", record.kind) for record in records]
    for column in ("key", "value"):
        parts += [getattr(record, column) or b"" for record in records]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def pack_row(row: dict[str, Any]) -> bytes:
    """Return the packed form of a row that a journal shows: MessagePack, its fields in their order."""
    said = {name: row[name] for name in _ROW if name in row}
    if said.get("obligation") is not None:
        said["obligation"] = {
            name: row["obligation"][name] for name in _OBLIGATION if name in row["obligation"]
        }
    if said.get("profile") is not None:
        said["profile"] = {name: row["profile"][name] for name in _PROFILE if name in row["profile"]}
    return msgspec.msgpack.encode(said)


def row_number(key: bytes, packed: bytes) -> int:
    """Return the number of a row under its key, of which roots are sums."""
    return int.from_bytes(hashlib.sha256(len(key).to_bytes(4, "big") + key + packed).digest(), "big")


class Rows:
    """The rows of a partition as its journal tells them, and their root."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.packed: dict[str, bytes] = {}
        self.root = 0

    def before(self, key: str) -> str | None:
        """Return the hash of a row as a decision says it, None where there is none."""
        return f"{self.numbers[key]:064x}" if key in self.numbers else None

    def change(self, key: str, row: dict[str, Any] | None) -> None:
        self.root = (self.root - self.numbers.pop(key, 0)) % _SIZE
        self.packed.pop(key, None)
        if row is not None:
            packed = pack_row(row)
            self.packed[key] = packed
            self.numbers[key] = row_number(key.encode(), packed)
            self.root = (self.root + self.numbers[key]) % _SIZE
