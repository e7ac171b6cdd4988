"""What a journal partition accepted, read by nobody else's rules: envelope, chain, and the order of the records."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from .broker import Log, Record
from .violation import Violation

GENESIS = "0" * 64


class Entry(msgspec.Struct):
    """The envelope of a journal record."""

    n: int
    epoch: int
    prev: str
    writer: str
    content: msgspec.Raw


class Content(msgspec.Struct):
    """What is looked at of an entry's content."""

    runs: list[tuple[str, int, int, str | None]]
    positions: dict[str, int]
    T: str | None
    book: str | None
    decisions: list[dict[str, Any]]
    next_seq: dict[str, int]
    published_upto: dict[str, int]
    state_root: str
    more: bool
    last_runs: list[tuple[str, int, int, str | None]] = []
    after: tuple[str | None, int | None, str | None, str | None, str | None] | None = None


_entries = msgspec.json.Decoder(Entry)
_contents = msgspec.json.Decoder(Content)


@dataclass
class Accepted:
    """The accepted entries of one partition."""

    entries: list[tuple[Entry, Content]] = field(default_factory=list)
    landed: list[int] = field(default_factory=list)
    """Of each the number of its landing."""
    takeovers: int = 0
    void: int = 0


def accepted(log: Log) -> Accepted:
    """Return what a journal partition accepted.

    Raises:
        Violation: the chain is not what it must be.
    """
    found, head, n, epoch, writer = Accepted(), GENESIS, -1, 0, ""
    for record in log.records:
        entry = _entries.decode(record.value or b"")
        if entry.prev != head or entry.n != n + 1 or entry.epoch not in (epoch, epoch + 1):
            found.void += 1
            continue
        content = _contents.decode(entry.content)
        if entry.epoch == epoch and entry.writer != writer:
            raise Violation("I7 chain", f"entry {entry.n} of {entry.writer} in the epoch of {writer}")
        if entry.epoch != epoch:
            found.takeovers += 1
            if content.decisions or any(digest is not None for *_, digest in content.runs):
                raise Violation("I7 chain", f"the takeover {entry.n} decides something")
        head, n, epoch, writer = (
            hashlib.sha256(record.value or b"").hexdigest(),
            entry.n,
            entry.epoch,
            entry.writer,
        )
        found.entries.append((entry, content))
        found.landed.append(record.landed)
    return found


class Chain:
    """The accepted entries of a journal as they are now, for an operator who looks again and again."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._judged: list[Record] = []
        self._entries: list[Entry] = []
        self._hash = GENESIS

    def of(self, log: Log) -> list[Entry]:
        """Return what is accepted; what was judged before is judged again only where the log lost its end."""
        judged = self._judged
        if len(judged) > len(log.records) or (judged and judged[-1] is not log.records[len(judged) - 1]):
            self._begin()
        for record in log.records[len(self._judged) :]:
            entry = _entries.decode(record.value or b"")
            n, epoch = (self._entries[-1].n, self._entries[-1].epoch) if self._entries else (-1, 0)
            if entry.prev == self._hash and entry.n == n + 1 and entry.epoch in (epoch, epoch + 1):
                self._hash = hashlib.sha256(record.value or b"").hexdigest()
                self._entries.append(entry)
            self._judged.append(record)
        return self._entries


def content_of(entry: Entry) -> Content:
    return _contents.decode(entry.content)


def last_run(entries: list[Entry], topic: str) -> tuple[int, int] | None:
    """Return where the last run of a topic begins and ends; None where none was taken, or it was lost."""
    for entry in reversed(entries):
        for run in reversed(content_of(entry).runs):
            if run[0] == topic:
                return run[1:3] if run[3] is not None else None
    return None


class Taken(NamedTuple):
    """One record in the order in which it was taken."""

    entry: int
    topic: str
    offset: int
    is_lost: bool


def order(found: Accepted) -> Iterator[Taken]:
    """Yield every input offset in the accepted order.

    Raises:
        Violation: one is skipped or taken twice.
    """
    positions: dict[str, int] = {}
    for entry, content in found.entries:
        for topic, start, end, digest in content.runs:
            if positions.get(topic, 0) != start:
                raise Violation(
                    "I11 contiguous", f"entry {entry.n}: a run of {topic} from {start}, not {positions}"
                )
            positions[topic] = end
            for offset in range(start, end):
                yield Taken(entry.n, topic, offset, digest is None)
        if any(positions.get(topic, 0) != end for topic, end in content.positions.items()):
            raise Violation(
                "I11 contiguous", f"entry {entry.n} says {content.positions}, its runs {positions}"
            )
