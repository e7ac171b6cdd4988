"""The core that is put in: a law of ten lines with everything in it that the protocol has to carry.

counts   `x12`       above the band of its row it wakes: the row takes it; from 10 on an obligation opens, due at T + 4
facts    `narrow:x`  the row's band ends at 3 from now on: what was quiet wakes
         `shown:x`   an open obligation is met, and the row forgotten (a tombstone); else a remark
         `touch`     every row adds one, in key order: a record with many decisions
clock    `9/1`       written at 9, appended at 1: T = max(T, the earlier one); what is due is restricted, in order
         `9/9c`      a tick that the broker did not stamp (CreateTime): moves nothing (rule 20)
books    `b3`        a book with the band 3: adopted, then decided again for every row
`junk` in any topic is a dead letter.

Everything here is a pure function of values. A record with many decisions is cut by `per_part` decisions, as the
real fold cuts by bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from schemas.digest import digest_of
from schemas.journal import Cursor, EntryContent, Run
from schemas.topics import BOOKS, CLOCK, COUNTS, DEAD_LETTERS, DISCLOSURE, FACTS, RESTRICTIONS, STATUS
from streams.journaling import ENTRY_HEADER
from streams.ledger import root
from streams.ledger.draft import Draft
from streams.ledger.effects import Record, Rows

INPUTS = (BOOKS, FACTS, COUNTS, CLOCK)
OUTPUTS = (DISCLOSURE, RESTRICTIONS)
WIDE, GRACE, MANY = 9, 4, 10
LOG_APPEND_TIME = 1


def canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


class Rec(NamedTuple):
    """A raw record, as the digest wants it."""

    offset: int
    key: bytes | None
    value: bytes
    timestamp: int = 0
    timestamp_type: int = LOG_APPEND_TIME


def record(topic: str, offset: int, word: str) -> Rec:
    """Return the record that a word of a world's data stands for."""
    if word == "junk":
        return Rec(offset, None, b"junk")
    if topic == CLOCK:
        stamped = not word.endswith("c")
        written, appended = (int(part) for part in word.removesuffix("c").split("/"))
        return Rec(offset, None, canonical(written), appended, LOG_APPEND_TIME if stamped else 0)
    if topic == BOOKS:
        return Rec(offset, None, canonical(int(word[1:])))
    if topic == COUNTS:
        return Rec(offset, word[0].encode(), canonical(int(word[1:])))
    what, _, key = word.partition(":")
    return Rec(offset, key.encode(), canonical(what))


class Row(NamedTuple):
    """What is known of one account."""

    band: int
    n: int = 0
    due: int = 0


class State(NamedTuple):
    """Everything that a step starts from."""

    positions: tuple[tuple[str, int], ...]
    next_seq: tuple[tuple[str, int], ...]
    rows: tuple[tuple[str, Row], ...] = ()
    T: int = 0
    book: str | None = None
    after: Cursor | None = None


def genesis(inputs: tuple[str, ...]) -> State:
    return State(
        tuple((topic, 0) for topic in sorted(inputs)), tuple((topic, 0) for topic in sorted(OUTPUTS))
    )


def restored(content: EntryContent, rows: Rows) -> State:
    """Return the state that a content and the rows of a view make."""
    return State(
        tuple(sorted(content.positions.items())),
        tuple(sorted(content.next_seq.items())),
        tuple(sorted((key.decode(), unpack(row)) for key, row in rows if row is not None)),
        int(content.T or 0),
        content.book,
        content.after,
    )


def pack(row: Row) -> bytes:
    return canonical(tuple(row))


def unpack(packed: bytes) -> Row:
    return Row(*msgspec.json.decode(packed))


@lru_cache(None)
def root_of(rows: tuple[tuple[str, Row], ...]) -> str:
    return root.text(root.of_rows((key.encode(), pack(row)) for key, row in rows))


# One record --------------------------------------------------------------------------------------


class Atom(NamedTuple):
    """One decision to come: whose row, what it becomes, and what is said."""

    key: str | None
    row: Row | None = None
    says: tuple[dict[str, Any], ...] = ()
    dead: bool = False
    book: str | None = None


def time_after(T: int, record: Rec) -> int:
    """Rule 20: the earlier of the two clocks, and only where the broker stamped it."""
    if record.timestamp_type != LOG_APPEND_TIME:
        return T
    return max(T, min(msgspec.json.decode(record.value), record.timestamp))


def due_at(rows: tuple[tuple[str, Row], ...], T: int) -> list[str]:
    return [key for due, key in sorted((row.due, key) for key, row in rows) if 0 < due <= T]


def atoms(state: State, topic: str, record: Rec) -> list[Atom]:
    """Return the decisions on a record that are still to come, from the state alone (rule 10)."""
    if record.value == b"junk":
        return [Atom(None, dead=True)]
    said, rows = msgspec.json.decode(record.value), dict(state.rows)
    place = state.after.key or "" if state.after is not None else ""
    if topic == CLOCK:
        return [_restricted(key, rows[key], record) for key in due_at(state.rows, state.T)]
    if topic == BOOKS:
        name = f"{said:064x}"
        again = [
            Atom(key, row._replace(band=said)) for key, row in state.rows if key > place and row.band != said
        ]
        return again if state.book == name else [Atom(None, book=name), *again]
    key = (record.key or b"").decode()
    band = int(state.book, 16) if state.book else WIDE
    row = rows.get(key, Row(band))
    if topic == COUNTS:
        return [_taken(key, row, said, state.T)] if said > row.band else []
    if said == "narrow":
        return [Atom(key, row._replace(band=3))]
    if said == "touch":
        return [
            Atom(
                at,
                row._replace(n=row.n + 1),
                ({"topic": DISCLOSURE, "kind": "touched", "key": at, "n": row.n + 1},),
            )
            for at, row in state.rows
            if at > place
        ]
    if row.due:
        return [Atom(key, None, ({"topic": DISCLOSURE, "kind": "met", "key": key},))]
    return [Atom(key, row._replace(n=row.n + 100), ({"topic": DISCLOSURE, "kind": "shown", "key": key},))]


def _taken(key: str, row: Row, n: int, T: int) -> Atom:
    if n < MANY or row.due:
        return Atom(key, row._replace(n=n), ({"topic": DISCLOSURE, "kind": "noted", "key": key, "n": n},))
    says = {"topic": DISCLOSURE, "kind": "opened", "key": key, "n": n, "due": T + GRACE}
    return Atom(key, Row(row.band, n, T + GRACE), (says,))


def _restricted(key: str, row: Row, tick: Rec) -> Atom:
    says = {"topic": RESTRICTIONS, "kind": "restricted", "key": key, "due": row.due}
    return Atom(key, row._replace(due=0), (says,))


# One step ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One entry in the making: where it began, what it took, what it decided."""

    before: State
    state: State
    runs: tuple[tuple[str, tuple[Rec, ...]], ...] = ()
    decisions: tuple[bytes, ...] = ()
    woke: int = 0
    """Records that decided something."""

    def take(self, topic: str, record: Rec, limit: int | None = None, until: Cursor | None = None) -> "Step":
        """Evaluate a record, or its rest; cut after `limit` decisions, or once `until` is reached."""
        state, decisions = self.state, list(self.decisions)
        if topic == CLOCK and record.value != b"junk":
            state = state._replace(T=time_after(state.T, record))
        before, left = len(decisions), atoms(state, topic, record)
        while left:
            if limit is not None and len(decisions) >= limit:
                break
            if until is not None and state.after == until:
                break
            state, decision = _decide(state, topic, record, left[0])
            decisions.append(decision)
            done = Cursor(topic, record.offset, None, left[0].key, None)
            left = left[1:]
            state = state._replace(after=done if left else None)
        woke = self.woke + (len(decisions) > before)
        if left:
            return Step(self.before, state, self.runs, tuple(decisions), woke)
        positions = tuple((name, at + (name == topic)) for name, at in state.positions)
        runs = self.runs
        if runs and runs[-1][0] == topic:
            runs = (*runs[:-1], (topic, (*runs[-1][1], record)))
        else:
            runs = (*runs, (topic, (record,)))
        return Step(
            self.before, state._replace(positions=positions, after=None), runs, tuple(decisions), woke
        )

    def lose(self, topic: str, start: int, end: int) -> "Step":
        """Pass records that no longer exist."""
        positions = dict(self.state.positions)
        if positions[topic] != start or self.is_cut:
            raise ValueError(f"{topic} is at {positions[topic]}, and what is lost begins at {start}")
        positions[topic] = end
        return Step(self.before, self.state._replace(positions=tuple(sorted(positions.items()))))

    @property
    def is_cut(self) -> bool:
        """Whether a record is unfinished."""
        return self.state.after is not None

    def draft(self, n: int, *, statuses: bool, commits: bool) -> Draft:
        """Return the draft of entry n."""
        state, positions = self.state, dict(self.state.positions)
        decisions = [msgspec.json.decode(decision) for decision in self.decisions]
        rows, publish = follows(decisions, n, statuses=statuses)
        return Draft(
            partition=0,
            time="clock",
            runs=tuple(run_of(topic, records) for topic, records in self.runs),
            positions=positions,
            T=str(state.T),
            book=state.book,
            decisions=self.decisions,
            next_seq=dict(state.next_seq),
            state_root=root_of(state.rows),
            more=self.is_cut,
            after=state.after,
            rows=rows,
            publish=publish,
            commit=positions if commits else {},
        )


def run_of(topic: str, records: tuple[Rec, ...]) -> Run:
    digest = digest_of(records, with_time=topic == CLOCK)
    return Run(topic, records[0].offset, records[-1].offset + 1, digest)


def _decide(state: State, topic: str, record: Rec, atom: Atom) -> tuple[State, bytes]:
    rows, seq, outputs = dict(state.rows), dict(state.next_seq), []
    before = rows.get(atom.key) if atom.key is not None else None
    for said in atom.says:
        outputs.append({**said, "seq": seq[said["topic"]]})
        seq[said["topic"]] += 1
    decision: dict[str, Any] = {
        "T": str(state.T),
        "cause": {"topic": topic, "offset": record.offset, **({"book": atom.book} if atom.book else {})},
        "key": atom.key,
        "before": None if before is None else sha256(pack(before)).hexdigest(),
        "reasons": [],
        "outputs": outputs,
    }
    if atom.dead:
        decision["dead"] = {"topic": topic, "offset": record.offset}
    if atom.key is not None:
        decision["after"] = atom.row
        rows.pop(atom.key, None)
        if atom.row is not None:
            rows[atom.key] = atom.row
    state = state._replace(
        rows=tuple(sorted(rows.items())), next_seq=tuple(sorted(seq.items())), book=atom.book or state.book
    )
    return state, canonical(decision)


def follows(
    decisions: list[dict[str, Any]], n: int, *, statuses: bool
) -> tuple[Rows, Mapping[str, tuple[Record, ...]]]:
    """Return the rows and the records that follow from decisions of entry n."""
    rows: list[tuple[bytes, bytes | None]] = []
    publish: dict[str, list[Record]] = {}
    for decision in decisions:
        for output in decision["outputs"]:
            publish.setdefault(output["topic"], []).append((output["key"].encode(), canonical(output), ()))
        if "dead" in decision:
            publish.setdefault(DEAD_LETTERS, []).append((None, canonical(decision["dead"]), ()))
        if "after" in decision:
            key, after = decision["key"].encode(), decision["after"]
            rows.append((key, None if after is None else canonical(after)))
            if statuses:
                value = None if after is None else canonical({"entry": n, "row": after})
                publish.setdefault(STATUS, []).append((key, value, ((ENTRY_HEADER, b"%d" % n),)))
    return tuple(rows), {topic: tuple(records) for topic, records in publish.items()}


def effects_of(content: EntryContent, n: int) -> tuple[Rows, Mapping[str, tuple[Record, ...]]]:
    """Return what follows from an entry, for a machine."""
    return follows(list(content.decisions), n, statuses=False)


def effects_with_statuses(content: EntryContent, n: int) -> tuple[Rows, Mapping[str, tuple[Record, ...]]]:
    return follows(list(content.decisions), n, statuses=True)


def steps(
    state: State, records: Mapping[str, tuple[Rec, ...]], *, wakes: int, per_part: int | None, flush: bool
) -> Iterator[Step]:
    """Yield every step that an owner may journal next: any order of topics, any number of quiet records.

    Args:
        state: Where it starts.
        records: All of each topic.
        wakes: How many waking records one entry may have.
        per_part: How many decisions one entry may have; a record with more is split.
        flush: Quiet records alone may be journaled at any time, else only when nothing is left to read.
    """
    yield from _grown(Step(state, state), records, wakes, per_part, flush)


def _grown(
    step: Step, records: Mapping[str, tuple[Rec, ...]], wakes: int, per_part: int | None, flush: bool
) -> Iterator[Step]:
    state = step.state
    left = [topic for topic, at in state.positions if at < len(records[topic])]
    if step.decisions or (step.runs and (step.woke or flush or not left)):
        yield step
    if (step.decisions and step.is_cut) or step.woke >= wakes:
        return
    if state.after is not None:  # left by the part before, and to be finished first (rule 10)
        left = [state.after.topic or ""]
    for topic in left:
        longer = step.take(topic, next_of(records[topic], dict(state.positions)[topic]), per_part)
        yield from _grown(longer, records, wakes, per_part, flush)


def next_of(records: tuple[Rec, ...], position: int) -> Rec:
    """Return which record of a topic comes next."""
    return records[position]
