"""A core small enough to see through: waking counts, a fact that touches all rows, ticks with a deadline.

counts   {"k", "n"}     n < 10 is quiet; else the row takes it, an obligation with a deadline 4 later opens
facts    {"met": k}     the row is forgotten (a tombstone)
         {"all": m}     every row adds m, in key order, one entry per row: a split record
clock    {"w", "b"}     T = max(T, min(written, append)); what is due is restricted
anything else           a dead letter
"""

import hashlib
from dataclasses import dataclass, field, replace

import msgspec

from schemas.journal import Cursor, EntryContent, Run
from schemas.topics import CLOCK, COUNTS, DEAD_LETTERS, DISCLOSURE, FACTS, RESTRICTIONS, STATUS
from streams.ledger import root
from streams.ledger.draft import Draft

INPUTS = (COUNTS, FACTS, CLOCK)
OUTPUTS = (DISCLOSURE, RESTRICTIONS)


def canonical(value):
    return msgspec.json.encode(value, order="sorted")


def digest(values):
    return hashlib.sha256(b"".join(len(value).to_bytes(4) + value for value in values)).hexdigest()


@dataclass(frozen=True)
class State:
    """Everything that a step starts from; a value."""

    positions: tuple
    next_seq: tuple
    rows: tuple = ()
    T: int = 0
    after: Cursor | None = None

    @staticmethod
    def genesis():
        return State(
            tuple((topic, 0) for topic in sorted(INPUTS)), tuple((topic, 0) for topic in sorted(OUTPUTS))
        )

    @staticmethod
    def of(content, rows):
        return State(
            tuple(sorted(content.positions.items())),
            tuple(sorted(content.next_seq.items())),
            tuple(sorted((key.decode(), row) for key, row in rows.items())),
            int(content.T or 0),
            content.after,
        )

    @property
    def root(self):
        return root.text(root.of_rows((key.encode(), row) for key, row in self.rows))


@dataclass
class Folding:
    """One step in the making."""

    state: State
    runs: list = field(default_factory=list)
    decisions: list = field(default_factory=list)
    woke: bool = False

    def take(self, topic, offset, value):
        """Evaluate one record; returns False when it is split and must be gone on with after this entry."""
        rows, T = dict(self.state.rows), self.state.T
        cause = {"topic": topic, "offset": offset}
        record = parse(value)
        due = []
        if topic == CLOCK and record and "w" in record:
            T = max(T, min(record["w"], record["b"]))
            due = [key for key in sorted(rows) if 0 < msgspec.json.decode(rows[key])["due"] <= T]
        self.state = replace(self.state, T=T)
        for key in due:
            row = msgspec.json.decode(rows[key])
            event = {
                "topic": RESTRICTIONS,
                "kind": "restrict",
                "key": key,
                "due": row["due"],
                "clocks": [record["w"], record["b"]],
            }
            self._decide(cause, key, {**row, "due": 0}, [event])
        if topic == COUNTS and record and record["n"] >= 10:
            row = msgspec.json.decode(rows.get(record["k"], b'{"due":0,"n":0}'))
            events = [{"topic": DISCLOSURE, "kind": "count", "key": record["k"], "n": record["n"]}]
            if not row["due"]:
                events.append({"topic": DISCLOSURE, "kind": "open", "key": record["k"], "due": T + 4})
            self._decide(cause, record["k"], {"n": record["n"], "due": row["due"] or T + 4}, events)
        elif topic == FACTS and record and "met" in record:
            events = [{"topic": DISCLOSURE, "kind": "met", "key": record["met"]}]
            self._decide(cause, record["met"], None, events)
        elif topic == FACTS and record and "all" in record:
            place = self.state.after.key if self.state.after else ""
            keys = [key for key in sorted(rows) if key > place]
            if keys:
                row = msgspec.json.decode(rows[keys[0]])
                row["n"] += record["all"]
                self._decide(
                    cause, keys[0], row, [{"topic": DISCLOSURE, "kind": "all", "key": keys[0], "n": row["n"]}]
                )
            if len(keys) > 1:
                self.state = replace(self.state, after=Cursor(topic, offset, None, keys[0], None))
                return False
            self.state = replace(self.state, after=None)
        elif record is None:
            dead = {"topic": topic, "offset": offset, "sha256": hashlib.sha256(value).hexdigest()}
            self._decide(cause, None, None, [], dead)
        assert dict(self.state.positions)[topic] == offset, "an input is skipped or applied twice"
        if self.runs and self.runs[-1][0] == topic:
            self.runs[-1][2] += 1
            self.runs[-1][3].append(value)
        else:
            self.runs.append([topic, offset, offset + 1, [value]])
        positions = {**dict(self.state.positions), topic: offset + 1}
        self.state = replace(self.state, positions=tuple(sorted(positions.items())))
        return True

    def _decide(self, cause, key, after, events, dead=None):
        self.woke = True
        rows, seq = dict(self.state.rows), dict(self.state.next_seq)
        before = rows.pop(key, None)
        if after is not None:
            rows[key] = canonical(after)
        outputs = []
        for event in events:
            outputs.append({**event, "seq": seq[event["topic"]]})
            seq[event["topic"]] += 1
        decision = {
            "T": str(self.state.T),
            "cause": cause,
            "key": key,
            "before": None if before is None else hashlib.sha256(before).hexdigest(),
            "after": after,
            "reasons": [],
            "outputs": outputs,
        }
        self.decisions.append(decision if dead is None else {**decision, "dead": dead})
        self.state = replace(
            self.state, rows=tuple(sorted(rows.items())), next_seq=tuple(sorted(seq.items()))
        )

    def draft(self, n, partition=0):
        content = EntryContent(
            partition=partition,
            time="clock",
            runs=tuple(Run(topic, start, end, digest(values)) for topic, start, end, values in self.runs),
            positions=dict(self.state.positions),
            T=str(self.state.T),
            book=None,
            decisions=tuple(self.decisions),
            next_seq=dict(self.state.next_seq),
            published_upto={},
            state_root=self.state.root,
            more=self.state.after is not None,
            after=self.state.after,
        )
        rows, publish = effects_of(content, n)
        return Draft(
            partition=partition,
            time=content.time,
            runs=content.runs,
            positions=content.positions,
            T=content.T,
            book=None,
            decisions=tuple(canonical(decision) for decision in self.decisions),
            next_seq=content.next_seq,
            state_root=content.state_root,
            more=content.more,
            after=content.after,
            rows=rows,
            publish=publish,
            commit=content.positions,
        )


def parse(value):
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return None


def effects_of(content, n):
    """Row changes and records of an entry; the machine's only knowledge of this core."""
    rows, publish = [], {}
    for decision in content.decisions:
        if "dead" in decision:
            publish.setdefault(DEAD_LETTERS, []).append((None, canonical(decision["dead"]), ()))
            continue
        key = decision["key"].encode()
        packed = None if decision["after"] is None else canonical(decision["after"])
        rows.append((key, packed))
        publish.setdefault(STATUS, []).append((key, canonical({"entry": n, "row": decision["after"]}), ()))
        for output in decision["outputs"]:
            publish.setdefault(output["topic"], []).append((key, canonical(output), ()))
    return tuple(rows), {topic: tuple(records) for topic, records in publish.items()}
