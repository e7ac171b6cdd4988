"""One partition of a broker as interned values: equal ones are the same object, with a small number.

A journal is a node of a tree: its parent with one more record. So what a record means (accepted or void, and the
state, rows and outputs that follow from an accepted one) is worked out once for each different journal, by a
`Reader`, which has a predicate of its own.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from schemas.journal import GENESIS_HASH, HeadPointer
from schemas.topics import DEAD_LETTERS, STATUS
from streams.journaling import ENTRY_HEADER
from streams.ledger.effects import Batches, Rows

from . import properties
from .reader import Entry, Head, Reader, told
from .tiny import OUTPUTS, Rec

APPEND, PUBLISH, ROWS, HEAD, COMMIT = "append", "publish", "rows", "head", "commit"


class Interner:
    """Numbers for values of one kind, from 0 on."""

    def __init__(self, kind: Callable[..., Any], bits: int) -> None:
        self._kind, self._limit = kind, 1 << bits
        self._known: dict[Any, Any] = {}

    def __call__(self, *parts: Any) -> Any:
        found = self._known.get(parts)
        if found is None:
            found = self._known[parts] = self._kind(len(self._known), *parts)
            if len(self._known) > self._limit:
                raise OverflowError(f"more than {self._limit} different {found!r}")
        return found

    def __len__(self) -> int:
        return len(self._known)


class Request:
    """Something that was sent to the broker and may land."""

    __slots__ = ("id", "kind", "payload", "writer")

    def __init__(self, number: int, kind: str, payload: Any, writer: str) -> None:
        self.id, self.kind, self.payload = number, kind, payload
        self.writer = writer
        """Of statuses; else empty."""


class Journal:
    """A journal partition: `length` records, the last of them `raw`."""

    __slots__ = ("children", "head", "id", "length", "parent", "raw", "tip", "writers")

    def __init__(self, number: int, parent: "Journal | None", raw: bytes | None, reader: Reader) -> None:
        self.id, self.parent, self.raw = number, parent, raw
        self.children: dict[bytes, Journal] = {}
        self.head: Head
        self.tip: Entry
        if parent is None or raw is None:
            self.length, self.writers = 0, frozenset()
            self.head, self.tip = Head(-1, 0, GENESIS_HASH), reader.genesis
        else:
            self.length, self.writers = parent.length + 1, parent.writers | {told(raw).writer}
            self.head, self.tip = reader.read(parent.head, parent.tip, raw)

    def prefix(self, length: int) -> "Journal":
        """Return the journal as it was when it had so many records."""
        node = self
        while node.length > length and node.parent is not None:
            node = node.parent
        return node

    def slice(self, start: int) -> list[tuple[int, bytes | None]]:
        """Return offsets and values from an offset on."""
        node: Journal | None = self
        found = []
        while node is not None and node.length > start:
            found.append((node.length - 1, node.raw))
            node = node.parent
        return found[::-1]


class Table:
    """The table's changelog, compacted, and the group's offsets."""

    __slots__ = ("group", "head", "id", "memo", "rows")

    def __init__(self, number: int, rows: Rows, head: HeadPointer | None, group: Any) -> None:
        self.id, self.rows, self.head, self.group = number, rows, head, group
        self.memo: dict[int, Table] = {}


class Outputs:
    """What consumers can see: of each topic the number of outputs, the dead letters, and the log of the statuses.

    First copies are dense and each copy is checked as it lands, so that a number says everything.
    """

    __slots__ = ("dead", "id", "marks", "memo", "statuses")

    def __init__(self, number: int, marks: tuple[int, ...], dead: frozenset[bytes], statuses: Any) -> None:
        self.id, self.marks, self.dead, self.statuses = number, marks, dead, statuses
        self.memo: dict[tuple[int, int], Outputs] = {}

    def tails(self) -> dict[str, int | None]:
        """Return the highest seq visible in each topic."""
        return {topic: mark - 1 if mark else None for topic, mark in zip(OUTPUTS, self.marks, strict=True)}


class Inputs:
    """What there is of each input topic."""

    __slots__ = ("arrive", "before", "damage", "id", "ids", "records", "starts")

    def __init__(
        self, number: int, records: Any, starts: Any, ids: Any, before: Any, damage: str, arrive: bool
    ) -> None:
        self.id = number
        self.arrive = arrive
        """Records come one after the other."""
        self.records: dict[str, tuple[Rec, ...]] = dict(records)
        self.starts: dict[str, int] = dict(starts)
        self.ids: dict[str, str] = dict(ids)
        self.before: tuple[tuple[tuple[str, int], ...], ...] = before
        """Of each tick where the other topics ended when it arrived; empty where all was there from the start."""
        self.damage = damage
        """The disaster that there was."""

    def parts(self, **changes: Any) -> tuple[Any, ...]:
        """Return what makes these inputs, with changes."""
        whole = {
            name: getattr(self, name) for name in ("records", "starts", "ids", "before", "damage", "arrive")
        } | changes
        return tuple(tuple(part.items()) if isinstance(part, dict) else part for part in whole.values())


class Late:
    """Requests under way that may land at any time, or never."""

    __slots__ = ("id", "requests", "writers")

    def __init__(self, number: int, requests: tuple[Request, ...]) -> None:
        self.id, self.requests = number, requests
        self.writers = frozenset(told(one.payload).writer for one in requests if one.kind == APPEND)


def changed(rows: Rows, changes: Iterable[tuple[bytes, bytes | None]]) -> Rows:
    """Return rows, sorted by key, after changes."""
    after = dict(rows)
    for key, row in changes:
        if row is None:
            after.pop(key, None)
        else:
            after[key] = row
    return tuple(sorted(after.items()))


def seen(outputs: Outputs, batches: Batches, writer: str, tip: Entry) -> tuple[Any, ...]:
    """Return what can be seen after records landed, each of them checked."""
    marks, dead, statuses = dict(zip(OUTPUTS, outputs.marks, strict=True)), outputs.dead, outputs.statuses
    for topic, records in batches:
        for record in records:
            properties.is_backed(tip, topic, record)
            if topic in marks:
                seq = msgspec.json.decode(record[1] or b"")["seq"]
                properties.is_dense(topic, marks[topic], seq)
                marks[topic] = max(marks[topic], seq + 1)
            elif topic == DEAD_LETTERS:
                dead |= {record[1]}
            elif topic == STATUS:
                statuses = (*statuses, (*record[:2], writer, dict(record[2])[ENTRY_HEADER]))
    return tuple(marks.values()), dead, statuses
