"""One run: a world from its seed, through its troubles, to its rest.

A second of a worker is an hour of the accounts' lives, more or less: `pace` says how much. So every period of the
worker (ticks, quiet entries, sessions, retries) is as it is, and a year passes in some thousand steps of its clock.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import msgspec

from schemas import topics
from schemas.instant import text
from schemas.partitioner import partition_of
from streams import journaling
from streams.ledger import chain, known
from streams.live import books, intake, owner, performer, worker

from . import lives
from .broker import Broker
from .chance import Chance, Tape
from .group import Group
from .loop import Asyncio, Loop
from .operator import Operator
from .process import Process
from .violation import Violation
from .weather import Weather

SETTLE_MS = 80_000
"""After the last fault: by then the latest request has landed, and everybody who stood still goes on."""
REST_MS = 10_000
MACHINES = 4
WAITS = 40
"""How often the world is looked at until it is at rest."""


@dataclass(frozen=True)
class Spec:
    """What a run is a function of."""

    seed: int
    given: tuple[tuple[str, int], ...] = ()
    """Settings that are not drawn."""
    kinds: tuple[str, ...] | None = None
    """Faults that are switched on; None for those of the seed."""
    tape: Tape | None = None
    """The faults that happen; None for drawn ones."""
    until_day: int | None = None
    """Nothing is sent after it."""
    only: tuple[int, ...] | None = None
    """Numbers of the inputs that are sent; None for all."""
    calm: bool = False
    """Every latency is the least, and ties are broken by order."""

    def but(self, **changes: Any) -> "Spec":
        return replace(self, **changes)


@dataclass(frozen=True)
class Settings:
    """What a world is like."""

    accounts: int
    days: int
    partitions: int
    workers: int
    pace: int
    """How many µs of the calendar one ms of a worker's clock is, in thousands: 3,600 for an hour a second."""
    fetch_ms: int
    platforms: int
    hours: int
    """Between two counts of an account that is looked at: from four a day to one a week."""
    hold: int
    """With more records than this waiting a topic is held back; in life 200,000."""

    @classmethod
    def drawn(cls, chance: Chance, **given: Any) -> "Settings":
        random = chance.stream("settings")
        drawn = {
            "accounts": 50,
            "days": random.choice((60, 120, 240, 240, 365)),
            "partitions": random.choice((1, 1, 2, 3)),
            "workers": random.choice((1, 2, 2, 3)),
            "pace": random.choice((3600, 7200, 7200, 14400, 14400, 28800, 28800, 28800, 57600)),
            "fetch_ms": random.choice((200, 2000, 2000, 4000)),
            "platforms": random.choice((1, 1, 2)),
            "hold": random.choice((5, 50, 500)),
            "hours": random.choice((6, 12, 24, 24, 48, 72, 168)),
        }
        return cls(**{**drawn, **{name: value for name, value in given.items() if value is not None}})


class World:
    """Everything of one run.

    Args:
        spec: What it is a function of.
        is_told: Keep a trace.
    """

    def __init__(self, spec: Spec, *, is_told: bool = False) -> None:
        self.spec, self.is_told = spec, is_told
        self.chance = chance = Chance(spec.seed, tape=spec.tape, calm=spec.calm, kinds=spec.kinds)
        self.settings = settings = Settings.drawn(chance, **dict(spec.given))
        self.trace: list[str] = []
        self.loop = Loop(chance.stream("ties"))
        if chance.calm:
            self.loop._tie = float
        self.asyncio = Asyncio(self.loop)
        platforms = ["weibo", "douyin"][: settings.platforms]
        self.books = lives.books(chance, platforms, settings.days)
        inputs = lives.lives(chance, self.books, platforms, settings.accounts, settings.days, settings.hours)
        end = lives.START + (spec.until_day or 10**6) * lives.DAY
        only = None if spec.only is None else frozenset(spec.only)
        self.inputs = [one for one in inputs if (only is None or one.number in only) and one.at < end]
        self.broker = Broker(self.loop, chance, settings.partitions, self.calendar)
        self.group = Group(self.loop, chance, settings.partitions)
        self.operator = Operator(self)
        self.weather = Weather(self)
        self.processes: list[Process] = []
        self.clock_errors = [0] * MACHINES
        """In µs; how far the clock of each machine is ahead. A worker that is started again runs on the next one."""
        self.started = self.voids = self.rebuilds = 0
        self.ticks = True

    def calendar(self) -> int:
        """Return the true time in µs."""
        return lives.START + self.loop.now * self.settings.pace * 1000

    def ms_of(self, calendar: int) -> int:
        """Return when it is so late by the calendar."""
        return -(-(calendar - lives.START) // (self.settings.pace * 1000))

    def note(self, what: str) -> None:
        if self.is_told:
            self.trace.append(f"{self.loop.now:>9} {text(self.calendar())} {what}")

    # Processes -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start one more worker."""
        self.started += 1
        process = Process(self, self.started)
        self.processes.append(process)
        self.note(f"{process.name} starts")

    def died(self, process: Process) -> None:
        self.voids += process.counts.void_entries
        self.rebuilds += process.counts.rebuilds
        self.weather.restart()

    def stopped(self, process: Process, error: BaseException) -> None:
        """Hear why a worker stopped."""
        self.note(f"{process.name} stops: {type(error).__name__}: {error}")
        self.operator.look(process, error)

    # The whole run ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Live, then come to rest."""
        with replaced(self.asyncio, self.settings.hold):
            for book in self.books:
                self.loop.at(self.ms_of(book.at), self._publish, book)
            self._feed(iter(self.inputs))
            for _ in range(self.settings.workers):
                self.start()
            self.weather.begin()
            end = self.ms_of(lives.START + (self.spec.until_day or self.settings.days) * lives.DAY)
            last = max(end, *(self.ms_of(one.at) for one in self.inputs[-1:]), 0)
            self.loop.run(last)
            self.chance.is_over = True
            self.note("no more faults")
            self.weather.clear_up()
            self.loop.run(last + SETTLE_MS)
            self._come_to_rest()
            self._take_over_once_more()

    def _publish(self, book: lives.Book) -> None:
        self.note(f"book {book.loaded.hash[:8]} is published")
        self.broker.append(topics.BOOKS, 0, [(b"policy-book", book.record, ())])

    def _feed(self, inputs: Iterator[lives.Input]) -> None:
        """Send one input, and plan the next."""
        now = self.calendar()
        for one in inputs:
            if one.at > now:
                self.loop.at(self.ms_of(one.at), self._send, one, inputs)
                return
            self._send_one(one)

    def _send(self, one: lives.Input, inputs: Iterator[lives.Input]) -> None:
        self._send_one(one)
        self._feed(inputs)

    def _send_one(self, one: lives.Input) -> None:
        partition = partition_of(one.key or b"", self.settings.partitions)
        self.broker.append(one.topic, partition, [(one.key, one.value, ())])

    def _come_to_rest(self) -> None:
        """Wait until everything is taken, then stop the clocks, and wait again."""
        for ticks in (True, False):
            self.ticks = ticks
            for _ in range(WAITS):
                self.loop.run(self.loop.now + REST_MS)
                if self._at_rest(topics.INPUTS if not ticks else (topics.COUNTS, topics.FACTS, topics.BOOKS)):
                    break
            else:
                raise Violation("progress: no rest", self._unrest())
        if self.operator.expects is not None:
            raise Violation("progress: nobody stops", f"{self.operator.expects.what}, and nobody has noticed")

    def digest(self) -> str:
        """Return a hash over everything that happened: the trace, and all that stands in the logs and the tables."""
        found = hashlib.sha256("\n".join(self.trace).encode())
        for place, log in sorted(self.broker.logs.items()):
            found.update(repr(place).encode() + msgspec.json.encode(log.archive()))
        for table in self.broker.tables:
            found.update(repr(sorted(table.items())).encode())
        return found.hexdigest()

    def _take_over_once_more(self) -> None:
        """Let new owners read the table, the journal and the statuses as they were left."""
        for process in list(self.processes):
            process.struck("killed", 0)
        self.loop.run(self.loop.now + REST_MS)
        self._come_to_rest()

    def _at_rest(self, wanted: tuple[str, ...]) -> bool:
        owners = {number: one for process in self.processes for number, one in process.owners.items()}
        if len(owners) < self.settings.partitions:
            return False
        return all(
            one.is_recovered
            and one.fold.unfinished is None
            and (self.ticks or not one.fold.has_work)
            and one.fold.positions[topic] == self.broker.log(topic, number).end
            for number, one in owners.items()
            for topic in wanted
        )

    def _unrest(self) -> str:
        found = [f"{len(self.processes)} workers, generation {self.group.generation}"]
        for process in self.processes:
            found.append(f"{process.name} is assigned {process._ports.assigned}")
            for number, one in process.owners.items():
                ends = {topic: self.broker.log(topic, number).end for topic in topics.INPUTS}
                found.append(f"{process.name}[{number}] is at {one.fold.positions} of {ends}")
        return "the world does not come to rest: " + "; ".join(found)


def remembered() -> Iterator[tuple[Any, str, Any]]:
    """Yield functions that read the same books and entries again in each process: of one value the answer is one."""
    for module, name in ((books, "decode"), (chain, "read_envelope")):
        yield module, name, lru_cache(None)(getattr(module, name))
    of_objects = (
        (books, "book_from_tables"),
        (known, "read_content"),
        (journaling, "row_of_json"),
        (journaling, "pack"),
    )
    for module, name in of_objects:
        yield module, name, _of_the_same(getattr(module, name))


def _of_the_same(pure: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that remembers its answer to each object, and the object."""
    answers: dict[int, tuple[Any, Any]] = {}

    def answer(asked: Any) -> Any:
        if id(asked) not in answers:
            answers[id(asked)] = asked, pure(asked)
        return answers[id(asked)][1]

    return answer


@contextmanager
def replaced(aio: Asyncio, hold: int) -> Iterator[None]:
    """Put virtual time in the place of asyncio in the worker's own modules."""
    levels = [(name, logging.getLogger(name).level) for name in ("streams.live",)]
    with ExitStack() as stack:
        for module in (owner, performer, worker):
            stack.enter_context(patch.object(module, "asyncio", aio))
        for module, name, pure in remembered():
            stack.enter_context(patch.object(module, name, pure))
        stack.enter_context(patch.object(intake, "HOLD_RECORDS", hold))
        for name, _ in levels:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for name, level in levels:
                logging.getLogger(name).setLevel(level)
