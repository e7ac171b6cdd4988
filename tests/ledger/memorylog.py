"""A broker in memory, and owners that perform what the machines name, with every fault that a broker knows.

Nothing here is random: every choice comes from a list of numbers, so that a failing run can be shrunk.
"""

import copy
from collections import Counter
from dataclasses import dataclass, field

import msgspec
from tinycore import INPUTS, OUTPUTS, Folding, State, canonical, digest, effects_of

from schemas.journal import read_content
from schemas.topics import CLOCK, COUNTS, FACTS
from streams.ledger import root
from streams.ledger.chain import GENESIS, Head, judge_slice
from streams.ledger.effects import (
    Append,
    ApplyRows,
    BackOff,
    CheckInputs,
    Commit,
    ComputeRoot,
    InputFound,
    Leave,
    Publish,
    ReadJournal,
    ReadTails,
    Ready,
    Rebuild,
    Recover,
    Seek,
    Stop,
    WriteApplied,
    WriteHead,
    WriteRows,
)
from streams.ledger.recovery import Assignment, Recovery
from streams.ledger.step import Step


class Choices:
    """The run's choices, in order; when they are used up, always the first option: on, without a fault."""

    def __init__(self, numbers=()):
        self.numbers = list(numbers)

    def pick(self, options):
        if len(options) == 1 or not self.numbers:
            return options[0]
        return options[self.numbers.pop(0) % len(options)]


@dataclass
class MemoryLog:
    """One partition: inputs, journal, outputs, changelog, group; and requests still under way."""

    inputs: dict
    journal: list = field(default_factory=list)
    journal_start: int = 0
    outputs: dict = field(default_factory=dict)
    rows: dict = field(default_factory=dict)
    head: object = None
    group: dict = field(default_factory=dict)
    late: list = field(default_factory=list)
    log_start: dict = field(default_factory=dict)
    topic_ids: dict = field(default_factory=lambda: {topic: f"id-{topic}" for topic in INPUTS})
    stopped: list = field(default_factory=list)
    done: Counter = field(default_factory=Counter)

    def append(self, raw):
        self.journal.append(raw)
        return len(self.journal) - 1

    def publish(self, batches, share=1.0):
        for topic, records in batches:
            self.outputs.setdefault(topic, []).extend(records[: int(len(records) * share)])

    def write_rows(self, rows):
        for key, row in rows:
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row

    def write_head(self, pointer):
        self.head = pointer

    def delete_table(self):
        self.rows, self.head = {}, None

    def tail(self, topic):
        seqs = [msgspec.json.decode(value)["seq"] for _, value, _ in self.outputs.get(topic, [])]
        return max(seqs, default=None)

    def found(self, expected):
        values, run, start = (
            self.inputs[expected.topic],
            expected.last_run,
            self.log_start.get(expected.topic, 0),
        )
        read = digest(values[run.start : run.end]) if run and start <= run.start else None
        return InputFound(expected.topic, self.topic_ids[expected.topic], start, len(values), read)


class Owner:
    """A worker's driver for one partition: performs the outstanding effect, and folds when there is none."""

    def __init__(self, log, name, choices, kinds=(Recovery, Step), lost_allowed=()):
        self.log, self.name, self.choices, self.kinds = log, name, choices, kinds
        self.lost_allowed = lost_allowed
        self.recover()

    def recover(self):
        self.view, self.unwritten, self.state = dict(self.log.rows), set(), None
        assignment = Assignment(0, self.name, effects_of, "clock", INPUTS, OUTPUTS, self.lost_allowed)
        self.machine = self.kinds[0](self.log.head, assignment)

    @property
    def idle(self):
        """Nothing is under way, and no input is left to take."""
        if self.machine.effect is not None or self.state is None:
            return False
        return all(offset >= len(self.log.inputs[topic]) for topic, offset in self.state.positions)

    def act(self, fate="done"):
        """Perform the outstanding effect, or begin a step. Returns False when this owner is over."""
        fork, before, effect = copy.copy(self.machine), self.machine.state(), self.machine.effect
        hash(before)
        self.log.done[type(effect).__name__] += 1
        goes_on = self._perform(effect, fate)
        assert fork.state() == before, "what one fork does, another one feels"
        return goes_on

    def _perform(self, effect, fate):  # noqa: PLR0915 - one arm per effect
        match effect:
            case None:
                self.begin()
            case Append():
                self._append(effect, fate)
            case Publish():
                self._publish(effect, fate)
            case ReadJournal():
                self._read(effect)
            case ReadTails():
                self.machine.tails_are({topic: self.log.tail(topic) for topic in effect.topics})
            case CheckInputs():
                self.machine.inputs_are([self.log.found(expected) for expected in effect.inputs])
            case ApplyRows():
                self.apply(effect.rows)
                self.machine.rows_applied()
            case Rebuild():
                self.unwritten |= self.view.keys()
                self.view = {}
                self.machine.cleared()
            case ComputeRoot():
                self.machine.root_is(root.of_rows(self.view.items()))
            case BackOff():
                self.machine.still_mine(self.choices.pick([True, True, False]))
            case WriteRows():
                self.apply(effect.rows)
                self._table(lambda rows=effect.rows: self.log.write_rows(rows), fate)
                self.machine.rows_written()
            case WriteApplied():
                rows = tuple((key, self.view.get(key)) for key in sorted(self.unwritten))
                self.unwritten = set()
                self._table(lambda: self.log.write_rows(rows), fate)
                self.machine.rows_written()
            case WriteHead():
                self._table(lambda: self.log.write_head(effect.pointer), fate)
                self.machine.head_written()
            case Commit():
                self._table(lambda: self.log.group.update(effect.positions), fate)
                self.machine.committed()
            case Seek():
                self.sought = dict(effect.positions)
                self.machine.sought()
            case Ready():
                assert self.sought == effect.content.positions
                self.state = State.of(effect.content, self.view)
                self.machine = self.kinds[1](effect, self.name)
            case Recover():
                self.recover()
            case Stop():
                self.log.stopped.append(effect)
                return False
            case Leave():
                return False
        return True

    def apply(self, rows):
        for key, row in rows:
            self.unwritten.add(key)
            if row is None:
                self.view.pop(key, None)
            else:
                self.view[key] = row

    def begin(self):
        """Take records in any order of topics up to the first that wakes, and journal them."""
        folding = Folding(self.state)
        while not folding.woke:
            positions = dict(folding.state.positions)
            left = [topic for topic in INPUTS if positions[topic] < len(self.log.inputs[topic])]
            if folding.state.after is not None:
                left = [folding.state.after.topic]
            if not left:
                break
            topic = self.choices.pick(left)
            offset = positions[topic]
            folding.take(topic, offset, self.log.inputs[topic][offset])
        self.state = folding.state
        if folding.runs or folding.decisions:
            self.unwritten = set()
            self.machine.begin(folding.draft(self.machine.head.n + 1))

    def _append(self, effect, fate):
        if fate in ("done", "twice", "unacked"):
            offset = self.log.append(effect.raw)
        if fate in ("late", "twice"):
            self.log.late.append(lambda: self.log.append(effect.raw))
        if fate in ("done", "twice"):
            self.machine.appended(offset)
        else:
            self.machine.unacked()

    def _publish(self, effect, fate):
        if fate == "done":
            self.log.publish(effect.batches)
            self.machine.published()
            return
        if fate == "late":
            self.log.late.append(lambda: self.log.publish(effect.batches))
        elif fate != "lost":
            self.log.publish(effect.batches, 0.5 if fate == "twice" else 1.0)
        self.machine.unacked()

    def _table(self, write, fate):
        if fate == "done":
            write()
        elif fate in ("late", "twice"):
            self.log.late.append(write)

    def _read(self, effect):
        end = len(self.log.journal) if effect.end is None else effect.end
        upto = self.choices.pick([end, min(end, effect.start + 1)])  # a read may bring less than asked
        records = [(offset, self.log.journal[offset]) for offset in range(effect.start, upto)]
        self.machine.journal_read(
            records, upto=upto, log_start=self.log.journal_start, log_end=len(self.log.journal)
        )


FATES = ("lost", "late", "unacked", "twice")
FAULTY = (Append, Publish, WriteRows, WriteApplied, WriteHead, Commit)


class Run:
    """A history of one partition under faults, and what must hold in each of its states."""

    def __init__(self, inputs, numbers, faults, kinds=(Recovery, Step), *, table_lives=True, peace=5):
        self.choices = Choices(numbers)
        self.log = MemoryLog({topic: list(inputs.get(topic, ())) for topic in INPUTS})
        self.faults, self.peace, self.kinds, self.table_lives = faults, peace, kinds, table_lives
        self.owners, self.started, self.seen, self.asleep = [], 0, None, None

    def start(self):
        self.started += 1
        self.owners.append(Owner(self.log, f"w{self.started}", self.choices, self.kinds))

    def go(self):
        """Follow the choices, then let everything late land, and one last owner finish in peace."""
        while self.choices.numbers:
            self.move()
            self.check()
        self.owners = []
        for land in self.log.late:
            land()
            self.check()
        self.log.late = []
        for _ in range(2):  # the second one finds what the first one left
            if not self.table_lives:
                self.log.delete_table()
            self.owners = []
            self.start()
            last = self.owners[0]
            for _ in range(400):
                assert last.act(), f"stopped for nothing: {self.log.stopped}"
                self.check()
                if last.idle:
                    break
            else:
                raise AssertionError("no progress")
            self.check_at_rest(last)

    def move(self):
        awake = [owner for owner in self.owners if owner is not self.asleep] or self.owners
        asking = [owner for owner in awake if isinstance(owner.machine.effect, FAULTY)]
        moves = [("act", owner) for owner in awake] * 3 or [("start", None)]
        if len(self.owners) == 2:
            moves += [("sleep", owner) for owner in (*self.owners, None)]
        if self.log.late:
            moves += [("land", None)]
        # trouble comes seldom, so that it also comes late in a history
        if self.owners and self.faults and self.choices.pick(range(self.peace)) == self.peace - 1:
            moves = [("crash", owner) for owner in self.owners] + [("fault", owner) for owner in asking] * 4
            if len(self.owners) == 1:
                moves += [("start", None)] + [("stall", owner) for owner in asking] * 2
        move, owner = self.choices.pick(moves)
        if move == "land":
            self.log.late.pop(self.choices.pick(range(len(self.log.late))))()
        elif move == "start":
            self.faults -= bool(self.owners)
            self.start()
        elif move == "sleep":
            self.asleep = owner
        elif move == "stall":  # a long pause in the middle of a request: another owner starts meanwhile
            self.faults -= 1
            self.asleep = owner
            owner.act("unacked")
            self.start()
        elif move == "crash":
            self.faults -= 1
            self.owners.remove(owner)
        elif not owner.act(self._fate(move)):
            self.owners.remove(owner)

    def _fate(self, move):
        if move != "fault":
            return "done"
        self.faults -= 1
        return self.choices.pick(FATES)

    def check(self):
        """The properties of every state."""
        now = (len(self.log.journal), sum(map(len, self.log.outputs.values())), self.log.head)
        if now == self.seen:
            return
        self.seen = now
        assert not self.log.stopped, f"stopped for nothing: {self.log.stopped}"
        head, entries = judge_slice(GENESIS, enumerate(self.log.journal), len(self.log.journal))
        _, published = replay(self.log, entries)
        for topic, records in self.log.outputs.items():
            whole, top = published.get(topic, []), 0
            for record in records:
                assert record in whole, (
                    f"{topic}: visible without an accepted entry, or two payloads under one id"
                )
                if topic in OUTPUTS:
                    seq = whole.index(record)
                    assert seq <= top, f"{topic}: first copies out of order"
                    top = max(top, seq + 1)
        self._check_head(head, entries)

    def _check_head(self, head, entries):
        if self.log.head is None:
            return
        named = [one for one in entries if _hash(one) == self.log.head.hash]
        assert named, "the head pointer names an entry that is not accepted"
        start = Head(named[0].envelope.n, named[0].envelope.epoch, self.log.head.hash, self.log.head.offset)
        rest = list(enumerate(self.log.journal))[start.next_offset :]
        again, _ = judge_slice(start, rest, len(self.log.journal))
        assert again == head, "a reader from the head pointer disagrees with a reader from 0"

    def check_at_rest(self, owner):
        """The properties once everything has come to rest: nothing is missing, and the state is the fold."""
        _, entries = judge_slice(GENESIS, enumerate(self.log.journal), len(self.log.journal))
        state, published = replay(self.log, entries)
        for topic, records in published.items():
            missing = [record for record in records if record not in self.log.outputs.get(topic, [])]
            assert not missing, f"{topic}: missing at rest: {missing}"
        assert dict(state.positions) == {topic: len(values) for topic, values in self.log.inputs.items()}
        assert {key.encode(): row for key, row in state.rows} == owner.view, "recovered state is not the fold"


def _hash(accepted):
    return judge_slice(accepted.before, [(accepted.offset, accepted.raw)], accepted.offset + 1)[0].hash


def replay(log, entries):
    """Derive every accepted entry again from the inputs; returns the state and all records to publish."""
    state, published, restricted, upto = State.genesis(), {}, set(), {}
    for one in entries:
        content = read_content(one.envelope)
        folding = Folding(state)
        for run in content.runs:
            for offset in range(run.start, run.end):
                folding.take(run.topic, offset, log.inputs[run.topic][offset])
        if content.more and not one.is_takeover:
            topic, offset = content.after.topic, content.after.offset
            assert not folding.take(topic, offset, log.inputs[topic][offset])
        state = folding.state
        derived = folding.draft(one.envelope.n)
        assert [canonical(decision) for decision in content.decisions] == list(derived.decisions), (
            "replay differs"
        )
        for name in ("runs", "positions", "next_seq", "state_root", "more", "after"):
            assert getattr(content, name) == getattr(derived, name), f"complete replay differs in {name}"
        assert all(content.published_upto[topic] >= seq for topic, seq in upto.items()), (
            "published_upto went back"
        )
        upto = content.published_upto
        for topic, records in derived.publish.items():
            published.setdefault(topic, []).extend(records)
        for decision in content.decisions:
            for output in decision["outputs"]:
                if output["kind"] == "restrict":
                    assert min(output["clocks"]) >= output["due"], "a deadline is early by both clocks"
                    assert (output["key"], output["due"]) not in restricted, "a deadline fired twice"
                    restricted.add((output["key"], output["due"]))
    return state, published


def count(key, followers):
    return canonical({"k": key, "n": followers})


def tick(written, append):
    return canonical({"w": written, "b": append})


WORLD = {
    COUNTS: (
        count("x", 5),
        count("x", 12),
        count("y", 11),
        count("x", 3),
        b"junk",
        count("x", 14),
        count("z", 20),
    ),
    FACTS: (canonical({"all": 1}), canonical({"met": "y"})),
    CLOCK: (tick(9, 1), tick(3, 3), tick(9, 9)),
}
