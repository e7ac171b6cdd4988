"""Disasters of the broker's data, and the operator who is paged: a worker must stop, and for the right reason.

A disaster comes with a restart of everything: who was at work is gone, and what was under way does not land. The first
worker that takes the partition over has to stop; the operator then restores what was lost, or takes the loss upon
himself, and life goes on.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas import topics
from schemas.errors import AuditError, TransportError
from schemas.journal import HeadPointer
from streams.live.performer import HEAD_KEY

from .accepted import Chain, Content, Entry, content_of, last_run
from .broker import Log, Record
from .ports import OffsetOutOfRange
from .violation import Violation

if TYPE_CHECKING:
    from .process import Process
    from .run import World

CUT = (topics.COUNTS, topics.FACTS, topics.CLOCK)


class Expected(NamedTuple):
    """A stop that has to come."""

    what: str
    codes: tuple[str, ...]
    cure: Callable[[str], None]


class Operator:
    """Who is paged."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.lost_allowed: dict[tuple[str, int], int] = {}
        self.chains: dict[int, Chain] = {}
        """What the journals of the partitions accepted."""
        self.expects: Expected | None = None
        self.mended: dict[str, int] = {}
        """By code of a stop the number of the last worker that was started before its cause was mended."""
        self.stops: list[str] = []
        """Codes of the stops that had to come."""

    def look(self, process: "Process", error: BaseException) -> None:
        """Judge why a worker stopped, and mend it."""
        if isinstance(error, TransportError | OffsetOutOfRange):
            return
        code = str(error).rpartition("[")[2].rstrip("]") if isinstance(error, AuditError) else ""
        expected = self.expects
        if expected is not None and code in expected.codes:
            self.world.note(f"the operator mends: {expected.what}")
            self.stops.append(code)
            self.mended |= dict.fromkeys(expected.codes, self.world.started)
            self.expects = None
            expected.cure(code)
            return
        if process.number <= self.mended.get(code, 0):
            return  # it may have asked before that was mended, and stood still
        if code == "input-lost" and process.settings.lost_allowed != self.lost_allowed:
            return  # it was started before the operator took the loss upon himself
        which = "stops for nothing" if isinstance(error, AuditError) else "dies"
        raise Violation(f"progress: {which}", f"{process.name}: {type(error).__name__}: {error}") from error

    def expect(self, what: str, codes: tuple[str, ...], cure: Callable[[str], None]) -> None:
        self.world.note(f"{what}: somebody has to stop with one of {codes}")
        self.expects = Expected(what, codes, cure)


def _last(world: "World", number: int) -> Content | None:
    """Return the last accepted entry of a partition."""
    entries = _entries(world, number)
    return content_of(entries[-1]) if entries else None


def _entries(world: "World", number: int) -> list[Entry]:
    chain = world.operator.chains.setdefault(number, Chain())
    return chain.of(world.broker.log(topics.JOURNAL, number))


def _restart_everything(world: "World") -> None:
    world.broker.restarts += 1
    for process in list(world.processes):
        process.struck("killed", 0)


def _restore(log: Log, at: int, lost: list[Record]) -> None:
    """Put records back; what came meanwhile comes behind them."""
    later = log.cut_end(at)
    log.records += lost
    for record in later:
        log.records.append(msgspec.structs.replace(record, offset=log.end))


def cut_inputs(world: "World", which: int, how: int) -> None:
    """Lose the end of an input, acknowledged records too."""
    number, topic = which % world.settings.partitions, CUT[how % 3]
    log, last = world.broker.log(topic, number), _last(world, number)
    count = 1 + how // 3 % 40
    if world.operator.expects is not None or last is None or count > len(log.records):
        return
    at = log.end - count
    _restart_everything(world)
    lost = log.cut_end(at)
    if last.positions.get(topic, 0) > at:
        run = last_run(_entries(world, number), topic)
        if run is None or run[0] < log.start:
            _restore(
                log, at, lost
            )  # nobody could know, once it has grown again: the run is not there to be read
            return
        world.operator.expect(
            f"{topic}[{number}] lost {at}..{at + count}",
            ("input-behind", "input-changed"),
            lambda _: _restore(log, at, lost),
        )


def cut_journal(world: "World", which: int, how: int) -> None:
    """Lose the end of the journal. Who takes over must see it, if anything outside tells of what was lost."""
    number = which % world.settings.partitions
    log, broker = world.broker.log(topics.JOURNAL, number), world.broker
    count = 1 + how % 12
    if world.operator.expects is not None or count >= len(log.records):
        return
    at = log.end - count
    _restart_everything(world)
    lost = log.cut_end(at)
    last = _last(world, number)
    pointer = broker.tables[number].get(HEAD_KEY)
    seqs = {
        topic: max(
            (msgspec.json.decode(one.value)["seq"] for one in broker.log(topic, number).records), default=-1
        )
        for topic in topics.OUTPUTS
    }
    told = pointer is not None and HeadPointer.decode(pointer).offset > at
    told = told or any(seq >= (last.next_seq[topic] if last else 0) for topic, seq in seqs.items())
    if told:
        codes = ("head-not-in-journal", "output-ahead", "journal-went-back")
        world.operator.expect(
            f"journal[{number}] lost {at}..{at + count}", codes, lambda _: _restore(log, at, lost)
        )
    else:
        log.records += lost  # nobody can know; and nothing is lost that was ever seen


def let_retention_pass(world: "World", which: int, how: int) -> None:
    """Delete the oldest records of an input; sometimes some that were not taken yet."""
    number, topic = which % world.settings.partitions, CUT[how % 3]
    log, last = world.broker.log(topic, number), _last(world, number)
    if world.operator.expects is not None or last is None:
        return
    position = last.positions.get(topic, 0)
    start = min(log.end, max(log.start, position + how // 3 % 40 - 30))
    if start <= position:
        log.cut_start(start)
        return
    _restart_everything(world)
    log.cut_start(start)
    if world.operator.lost_allowed.get((topic, number)) == position:
        return  # nobody has taken the partition over since the loss of these very records was allowed

    def cure(code: str) -> None:
        if code == "input-lost":
            world.operator.lost_allowed[topic, number] = position
        else:
            log.records[:0] = log.gone
            log.start, log.gone = 0, []

    what = f"{topic}[{number}] begins at {start}, not at {position}"
    world.operator.expect(what, ("input-lost", "unfinished-lost"), cure)
