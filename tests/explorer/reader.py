"""A reading of the journal that shares nothing with the machines but the bytes, and its complete replay.

Every accepted entry is derived again from the inputs when it first appears: what it took, decided, says and leaves
behind (properties 2 and 5).
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from msgspec.structs import replace

from schemas.journal import (
    GENESIS_HASH,
    EntryContent,
    EntryUnreadable,
    decode_content,
    encode_content,
    read_content,
    read_envelope,
)
from schemas.topics import CLOCK, DEAD_LETTERS, RESTRICTIONS, STATUS
from streams.ledger.effects import Record, Rows

from . import tiny
from .properties import DEADLINES, ONCE, Violation


class Told(NamedTuple):
    """What an envelope says, and the hash of the whole."""

    n: int
    epoch: int
    prev: str
    writer: str
    hash: str


@lru_cache(1 << 18)
def told(raw: bytes) -> Told:
    """Read an envelope."""
    said = json.loads(raw)
    return Told(said["n"], said["epoch"], said["prev"], said["writer"], sha256(raw).hexdigest())


@lru_cache(1 << 16)
def content_bytes(raw: bytes) -> bytes:
    """Return what an entry says, but for the last runs that a takeover carries on."""
    envelope = read_envelope(raw)
    assert envelope is not None
    return encode_content(replace(decode_content(bytes(envelope.content)), last_runs=()))


class Head(NamedTuple):
    """The last accepted entry, as everybody has to see it."""

    n: int
    epoch: int
    hash: str


class Entry:
    """An accepted entry, with everything that follows from it and those before it."""

    __slots__ = (
        *(
            "before",
            "content",
            "dead",
            "epoch",
            "fired",
            "follows",
            "hash",
            "id",
            "is_takeover",
            "marks",
            "n",
        ),
        *("outputs", "state", "statuses"),
    )

    def __init__(self, number: int, before: "Entry | None", state: tiny.State) -> None:
        self.id, self.before, self.state = number, before, state
        self.hash, self.n, self.epoch, self.is_takeover = GENESIS_HASH, -1, 0, False
        self.content: EntryContent | None = None
        self.follows: tuple[Rows, Mapping[str, tuple[Record, ...]]] = ((), {})
        """Rows and records that follow from this one."""
        self.marks = tuple(seq for _, seq in state.next_seq)
        """Outputs of each topic so far."""
        self.outputs: dict[str, tuple[Record, ...]] = dict.fromkeys(tiny.OUTPUTS, ())
        self.dead: frozenset[bytes] = frozenset()
        self.statuses: frozenset[tuple[bytes | None, bytes | None]] = frozenset()
        self.fired: frozenset[tuple[str, int]] = frozenset()
        """Deadlines: account and due instant."""
        if before is not None:
            self.outputs, self.dead = before.outputs, before.dead
            self.statuses, self.fired = before.statuses, before.fired

    def after(self, hash_: str) -> "tuple[Entry, ...] | None":
        """Return the accepted entries from one of them, itself excluded, up to this one; None where it is none."""
        found: list[Entry] = []
        at: Entry | None = self
        while at is not None:
            if at.hash == hash_:
                return tuple(reversed(found))
            found.append(at)
            at = at.before
        return None


class Reader:
    """Reads journals.

    Args:
        records: All inputs.
        statuses: Entries also lead to statuses.
    """

    def __init__(self, records: dict[str, tuple[tiny.Rec, ...]], *, statuses: bool) -> None:
        self._records, self._statuses = records, statuses
        self.genesis = Entry(0, None, tiny.genesis(tuple(records)))
        self.entries = {GENESIS_HASH: self.genesis}

    def read(self, head: Head, tip: Entry, raw: bytes) -> tuple[Head, Entry]:
        """Return head and tip after one more record of a journal."""
        said = told(raw)
        if said.prev != head.hash or said.n != head.n + 1 or said.epoch not in (head.epoch, head.epoch + 1):
            return head, tip
        if said.hash not in self.entries:
            self.entries[said.hash] = self._derive(tip, raw, is_takeover=said.epoch != head.epoch)
        return Head(said.n, said.epoch, said.hash), self.entries[said.hash]

    def _derive(self, before: Entry, raw: bytes, *, is_takeover: bool) -> Entry:
        envelope = read_envelope(raw)
        assert envelope is not None
        try:
            content = read_content(envelope)
        except EntryUnreadable as error:
            raise Violation(ONCE, str(error)) from error
        step = self._again(before.state, content, is_takeover=is_takeover)
        entry = Entry(len(self.entries), before, step.state)
        entry.content, entry.is_takeover = content, is_takeover
        entry.n, entry.epoch, entry.hash = envelope.n, envelope.epoch, told(raw).hash
        derived = step.draft(entry.n, statuses=self._statuses, commits=False)
        if [tiny.canonical(decision) for decision in content.decisions] != list(derived.decisions):
            raise Violation(ONCE, f"entry {entry.n}: the complete replay decides otherwise")
        for name in ("positions", "T", "book", "next_seq", "state_root", "more", "after"):
            said, again = getattr(content, name), getattr(derived, name)
            if said != again and (name, said) != ("T", None):
                raise Violation(ONCE, f"entry {entry.n} says {name} {said}, and the complete replay {again}")
        if not is_takeover and content.runs != derived.runs:
            raise Violation(ONCE, f"entry {entry.n}: the digests of its runs are not those of the inputs")
        entry.follows = derived.rows, derived.publish
        for topic, records in derived.publish.items():
            if topic == DEAD_LETTERS:
                entry.dead |= {value for _, value, _ in records if value is not None}
            elif topic == STATUS:
                entry.statuses |= {(key, value) for key, value, _ in records}
            else:
                entry.outputs = {**entry.outputs, topic: entry.outputs[topic] + records}
        for decision in content.decisions:
            self._check_deadline(entry, decision)
        return entry

    def _again(self, state: tiny.State, content: EntryContent, *, is_takeover: bool) -> tiny.Step:
        step = tiny.Step(state, state)
        for run in content.runs:
            if run.digest is None and is_takeover:
                step = step.lose(run.topic, run.start, run.end)
                continue
            for offset in range(run.start, run.end):
                self._check_next(step, run.topic, offset)
                after = step.state.after
                if after is not None and (after.topic, after.offset) != (run.topic, offset):
                    raise Violation(ONCE, f"{run.topic}[{offset}] is taken inside of an unfinished record")
                step = step.take(run.topic, self._records[run.topic][offset])
        if content.after is not None and not is_takeover:
            topic, offset = content.after.topic or "", content.after.offset or 0
            self._check_next(step, topic, offset)
            step = step.take(topic, self._records[topic][offset], until=content.after)
        return step

    def _check_next(self, step: tiny.Step, topic: str, offset: int) -> None:
        if dict(step.state.positions)[topic] != offset:
            raise Violation(ONCE, f"{topic}[{offset}] is skipped or taken twice")

    def _check_deadline(self, entry: Entry, decision: dict[str, Any]) -> None:
        for output in decision["outputs"]:
            if output["topic"] != RESTRICTIONS:
                continue
            tick = self._records[CLOCK][decision["cause"]["offset"]]
            if tick.timestamp < output["due"] or tick.timestamp_type != tiny.LOG_APPEND_TIME:
                raise Violation(DEADLINES, f"{output} is early: the broker's clock said {tick.timestamp}")
            fired = (output["key"], output["due"])
            if fired in entry.fired:
                raise Violation(DEADLINES, f"{output} fired before")
            entry.fired |= {fired}
