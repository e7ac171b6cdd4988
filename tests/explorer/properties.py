"""The six properties.

1. One chain: every owner and every head pointer stands on the accepted chain, whoever reads it and from where.
2. Each input is exactly once in the accepted order: every accepted entry can be derived again, byte for byte.
3. Every visible output is backed by an accepted entry, has one payload, comes in order, and none is missing at rest.
4. What is recovered is the fold of the journal, or the difference is detected.
5. No deadline is early by the broker's clock, none fires twice, none before what was there before its tick.
6. Progress: at rest everything is decided; nobody stops for nothing or works on where he should stop; and a new owner
   could go on.

`reader` checks 2 and 5 of every entry as it is accepted; the rest is here.
"""

from typing import Any

import msgspec

from schemas.journal import HeadPointer
from schemas.topics import CLOCK, DEAD_LETTERS, STATUS
from streams.ledger.effects import Record

from . import tiny

ONE_CHAIN = "1: one chain"
ONCE = "2: each input once, in the accepted order"
OUTPUTS = "3: outputs backed, dense, one payload, none missing"
FOLD = "4: recovered state is the fold"
DEADLINES = "5: deadlines never early, never twice"
PROGRESS = "6: progress"


class Violation(Exception):
    """A property does not hold."""

    def __init__(self, which: str, what: str) -> None:
        super().__init__(f"{which}: {what}")
        self.which = which


# What lands --------------------------------------------------------------------------------------


def is_backed(tip: Any, topic: str, record: Record) -> None:
    """Property 3: what becomes visible stands in an accepted entry, with this payload."""
    key, value, _ = record
    if topic == DEAD_LETTERS:
        backed = value in tip.dead
    elif topic == STATUS:
        backed = (key, value) in tip.statuses or is_row_at(tip, key, value)
    else:
        seq, records = msgspec.json.decode(value or b"")["seq"], tip.outputs[topic]
        backed = seq < len(records) and records[seq] == record
    if not backed:
        raise Violation(OUTPUTS, f"{topic} shows {value!r}, and no accepted entry has it")


def is_row_at(tip: Any, key: bytes | None, value: bytes | None) -> bool:
    """Return whether a status tells a row as it was after the entry that it names: one that was written again."""
    if key is None or value is None:
        return key is not None and key.decode() not in dict(tip.state.rows)
    status, at = msgspec.json.decode(value), tip
    while at.n > status["entry"]:
        at = at.before
    row = dict(at.state.rows).get(key.decode())
    return row is not None and list(row) == status["row"]


def is_dense(topic: str, mark: int, seq: int) -> None:
    """Property 3: a reader that keeps one integer sees no gap."""
    if seq > mark:
        raise Violation(
            OUTPUTS,
            f"{topic}: the first copy of seq {seq} comes before that of seq {mark}: a gap for readers",
        )


def stands(journal: Any, head: Any, whose: str) -> None:
    """Property 1: a reader that stands there sees the same chain as one that reads from 0."""
    if head.next_offset > journal.length:
        raise Violation(
            ONE_CHAIN, f"{whose} has judged offset {head.next_offset - 1}, and the journal ends before it"
        )
    found = journal.prefix(head.next_offset).head
    if found != (head.n, head.epoch, head.hash):
        raise Violation(
            ONE_CHAIN,
            f"{whose} follows entry {head.n} ({head.hash[:8]}) at offset {head.next_offset}, a reader from 0 entry "
            f"{found.n} ({found.hash[:8]})",
        )


def points(journal: Any, pointer: HeadPointer) -> None:
    """Property 1: the head pointer names the last accepted entry before its offset."""
    if pointer.offset > journal.length or journal.prefix(pointer.offset).head.hash != pointer.hash:
        raise Violation(
            ONE_CHAIN,
            f"a reader from the head pointer {pointer.hash[:8]}, {pointer.offset} disagrees with one from 0",
        )


def is_fold(entry: Any, core: Any, rows: Any, whose: str) -> None:
    """Property 4: an owner that begins a step has the state and the rows that follow from the journal."""
    expected = tuple((key.encode(), tiny.pack(row)) for key, row in entry.state.rows)
    if rows != expected:
        raise Violation(FOLD, f"{whose} has the rows {rows}, the fold of the journal {expected}")
    if core != entry.state:
        raise Violation(FOLD, f"{whose} begins from {core}, and the journal leads to {entry.state}")


def waited(entry: Any, inputs: Any) -> None:
    """Property 5: what was there when a tick arrived is decided before a deadline that the tick fires."""
    positions = dict(entry.before.state.positions)
    ticks = {
        d["cause"]["offset"] for d in entry.content.decisions if d["cause"]["topic"] == CLOCK and d["outputs"]
    }
    order = [(run.topic, offset) for run in entry.content.runs for offset in range(run.start, run.end)]
    if entry.content.after is not None:
        order.append((entry.content.after.topic, entry.content.after.offset))
    for topic, offset in order:
        if topic == CLOCK and offset in ticks:
            left = [name for name, end in inputs.before[offset] if positions[name] < end]
            if left:
                raise Violation(
                    DEADLINES, f"tick {offset} fires before what was there before it: {left}, {positions}"
                )
        positions[topic] = offset + 1


# At rest -----------------------------------------------------------------------------------------


def at_rest(tip: Any, outputs: Any, records: dict[str, tuple[tiny.Rec, ...]]) -> None:
    """Properties 3 and 6 once nothing can happen any more without a fault."""
    ends = tuple((topic, len(records[topic])) for topic, _ in tip.state.positions)
    if tip.state.positions != ends or tip.state.after is not None:
        raise Violation(
            PROGRESS, f"at rest with positions {tip.state.positions} of {ends}, {tip.state.after} unfinished"
        )
    for topic, mark, end in zip(tiny.OUTPUTS, outputs.marks, tip.marks, strict=True):
        if mark != end:
            raise Violation(OUTPUTS, f"{topic}: missing at rest from seq {mark} on, of {end}")
    if outputs.dead != tip.dead:
        raise Violation(OUTPUTS, f"dead letters missing at rest: {sorted(tip.dead - outputs.dead)}")
    told = {key: value for key, value, *_ in outputs.statuses}
    rows = dict(tip.state.rows)
    for key, value in told.items():
        said = None if value is None else msgspec.json.decode(value)["row"]
        row = rows.get(key.decode())
        if said != (None if row is None else list(row)):
            raise Violation(OUTPUTS, f"the status of {key!r} says {said} for ever, and the row is {row}")
