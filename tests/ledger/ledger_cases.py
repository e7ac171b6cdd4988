"""Builders for the tests of single rules: an owner that is ready, drafts, journals as lists of bytes."""

from dataclasses import replace

from msgspec.structs import replace as evolve

from schemas.journal import Cursor, Run, encode_content
from schemas.topics import COUNTS, DEAD_LETTERS, DISCLOSURE, FACTS, STATUS
from streams.ledger import takeover
from streams.ledger.chain import GENESIS, Head, judge, next_entry
from streams.ledger.effects import Commit, InputFound, Publish, Ready, WriteHead, WriteRows, offsets
from streams.ledger.recovery import Assignment, Recovery
from streams.ledger.step import Draft, Step

INPUTS, OUTPUTS = (FACTS, COUNTS), (DISCLOSURE,)
DIGEST = "d" * 64
ROOT = "0" * 64


def content(**changes):
    return evolve(takeover.genesis(0, INPUTS, OUTPUTS, "clock"), **changes)


def ready(**changes):
    body = content(**changes)
    return Ready(Head(3, 1, "a" * 64, 10), encode_content(body), offsets(body.next_seq), False, 0)


def a_step(**changes):
    return Step(ready(**changes), "w1")


def record(name):
    return (b"k", name, ())


def draft(**changes):
    """One count taken at offset 0, one output, one row."""
    whole = Draft(
        partition=0,
        time="clock",
        runs=(Run(COUNTS, 0, 1, DIGEST),),
        positions={COUNTS: 1, FACTS: 0},
        T="1970-01-01T00:00:00Z",
        book=None,
        decisions=(),
        next_seq={DISCLOSURE: 1},
        state_root=ROOT,
        rows=((b"k", b"{}"),),
        publish={DISCLOSURE: (record(b"o0"),)},
        commit={COUNTS: 1, FACTS: 0},
    )
    return replace(whole, **changes)


def finish(step):
    """Answer everything that follows an accepted entry."""
    while step.effect is not None:
        match step.effect:
            case Publish():
                step.published()
            case WriteRows():
                step.rows_written()
            case WriteHead():
                step.head_written()
            case Commit():
                step.committed()


def quiet(start, **changes):
    """One count that woke nobody."""
    quiet_one = {
        "runs": (Run(COUNTS, start, start + 1, DIGEST),),
        "positions": {COUNTS: start + 1, FACTS: 0},
        "rows": (),
        "publish": {},
        "next_seq": {DISCLOSURE: 0},
        "commit": {},
    }
    return draft(**{**quiet_one, **changes})


def split(key="a"):
    return Cursor(COUNTS, 0, None, key, None)


def outputs(body, n):
    """Each entry with runs has one output, one status and one dead letter, named after its n."""
    if not body.runs:
        return (), {}
    names = {DISCLOSURE: f"o{n}", STATUS: f"s{n}", DEAD_LETTERS: f"d{n}"}
    return (), {topic: (record(name.encode()),) for topic, name in names.items()}


def rows(body, n):
    """Each entry with runs also writes the one row; the next one takes it away."""
    return ((b"k", b"{}" if n % 2 else None),) if body.runs else (), outputs(body, n)[1]


def recovery(pointer=None, effects_of=outputs, **changes):
    return Recovery(pointer, Assignment(0, "w2", effects_of, "clock", INPUTS, OUTPUTS, **changes))


class Journal:
    """A journal that is written entry by entry."""

    def __init__(self):
        self.records, self.head = [], GENESIS

    def add(self, body, writer="w1", takeover=False):
        raw = next_entry(self.head, writer, encode_content(body), takeover=takeover)
        return self.add_raw(raw)

    def add_raw(self, raw):
        self.head, _ = judge(self.head, len(self.records), raw)
        self.records.append(raw)
        return raw

    def answer(self, machine, upto=None):
        """Answer a machine's outstanding read."""
        reading, end = machine.effect, len(self.records)
        last = min(end if reading.end is None else reading.end, end if upto is None else upto)
        found = [(offset, self.records[offset]) for offset in range(reading.start, last)]
        return machine.journal_read(found, upto=last, log_start=0, log_end=end)


def found(machine, **changes):
    """What a broker in order answers: everything there, nothing lost."""
    by_topic = changes.pop("by_topic", {})
    return [
        by_topic.get(
            one.topic,
            InputFound(
                one.topic, one.topic_id or "id", 0, 100, one.last_run.digest if one.last_run else None
            ),
        )
        for one in machine.effect.inputs
    ]
