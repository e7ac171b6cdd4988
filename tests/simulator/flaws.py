"""Planted bugs: each is put in the place of something of the product, and has to be found.

Those of the protocol's machines are the explorer's own (`tests/explorer/flawed.py`), driven here by the real worker;
the others lie where its tiny core cannot look: in the law, the real fold, the intake, the worker's round about it.
"""

import bisect
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from schemas import topics
from schemas.digest import digest_of
from schemas.policy import Phase
from streams.core import agenda, band, decide, decider, fold, obligations, scope
from streams.ledger import recovery, step
from streams.live import books, intake, owner
from tests.explorer import flawed

from . import ports
from .outcome import Outcome, outcome_of
from .run import Spec

TRIES_S = 60.0
"""CPU time in which a flaw has to be found."""


@dataclass(frozen=True)
class Flaw:
    """One flaw, and under which weather it is looked for."""

    name: str
    patches: tuple[tuple[Any, str, Any], ...]
    kinds: tuple[str, ...] | None = None
    """Faults that are switched on; None for those of each seed."""
    law: bool = False
    """It lies in the law or in the real fold: the explorer's tiny core does not have it."""
    given: tuple[tuple[str, int], ...] = (("days", 25), ("pace", 7200), ("hours", 12))
    seed: int = 1
    """The first that finds it,"""
    which: str = ""
    """and what it violates."""

    @property
    def spec(self) -> Spec:
        """The run that finds it."""
        return Spec(self.seed, self.given, self.kinds)

    @contextmanager
    def planted(self) -> Iterator[None]:
        with ExitStack() as stack:
            for place, name, replacement in self.patches:
                stack.enter_context(patch.object(place, name, replacement))
            yield

    def found(self, seconds: float = TRIES_S) -> tuple[Outcome | None, float]:
        """Return the first run that fails, and the CPU time until then."""
        began, seed = time.process_time(), 0
        with self.planted():
            while time.process_time() - began < seconds:
                seed += 1
                outcome = outcome_of(replace(self, seed=seed).spec)
                if outcome.violation is not None:
                    return outcome, time.process_time() - began
        return None, time.process_time() - began


# In the worker, the fold and the law ---------------------------------------------------------------

REAL: dict[str, Any] = {
    "take_fact": decide._take_fact,
    "time_of_tick": fold._time_of_tick,
    "rebuilding": agenda.Agenda.rebuilding,
    "restore": fold.Fold.restore,
    "cut": fold.Fold._cut,
    "accept": ports.SimPorts.accept,
    "seek": ports.SimPorts.seek,
    "advance": decider.Decider.advance,
    "bounds": band.bounds,
    "extend": obligations.extend,
    "after": books.Books.after,
}


def more_than(phase: Phase, followers: int) -> bool:
    """`op` is not looked at."""
    return followers > phase.threshold


def of_the_tick_alone(tick: Any) -> int:
    """T is what the tick says; the broker's time is not looked at."""
    return REAL["time_of_tick"](
        tick._replace(timestamp=-1) if hasattr(tick, "_replace") else _unstamped(tick)
    )


def _unstamped(tick: Any) -> Any:
    return type(tick)(tick.offset, tick.key, tick.value, -1, 0)


def a_wall_clock() -> Callable[[Any], int]:
    """The core looks at a clock of its own process when it takes a tick."""

    def now(tick: Any) -> int:
        said = REAL["time_of_tick"](tick)
        began = now.__dict__.setdefault("began", time.monotonic_ns())
        return said + (time.monotonic_ns() - began) // 1000 if said > decider.BEFORE_TIME else said

    return now


def without_time(records: Any, *, with_time: bool) -> str:
    """A digest leaves out when a tick was appended."""
    return digest_of(records, with_time=False)


def every_fact(case: Any, fact: Any) -> bool:
    """A repeated or an older fact is taken."""
    case.set(facts=())
    return REAL["take_fact"](case, fact)


def nothing_planned(self: Any, book: Any, rows: Any, after: int, cursor: Any) -> Iterator[None]:
    """A new owner plans the deadlines of no row that it has found."""
    return REAL["rebuilding"](self, book, (), after, cursor)


def unsorted(self: Any, cause: Any, done: str | None) -> Iterator[Any]:
    """A new book is looked at in the order of a set."""
    for key in {key for key, _ in self._items()}:
        place = decider.place_of(key)
        self.decide(key.decode(), decide.BookAdopted(*place, cause["book"]), cause)
        yield decider.Cursor(cause["topic"], cause["offset"], None, key.decode(), None)


def back_in_time(self: Any, to: int, topic: str | None, offset: int | None) -> Iterator[Any]:
    """T follows every tick, also one that is behind."""
    if topic == topics.CLOCK:
        self.T = to
    yield from REAL["advance"](self, to, topic, offset)


def one_too_high(policy: Any, followers: int) -> tuple[int, int]:
    """A count that is one over the band is still quiet."""
    lo, hi = REAL["bounds"](policy, followers)
    return lo, hi + 1


def without_hysteresis(policy: Any, phase: Phase, followers: int) -> bool:
    return not phase.reached(followers)


def whatever_it_says(case: Any, until: int, reason_code: str) -> None:
    """An extension may move a deadline earlier."""
    previous = case.open.deadline_at
    if until < previous and case.open.stage == "grace" and until > case.at:
        obligations._change(case, "extend", deadline_at=until, reminders=())
        reasons = case.because(
            obligations.reason("extended", reason_code=reason_code, until=obligations.text(until))
        )
        said = {"previous_deadline_at": obligations.text(previous), "deadline_at": obligations.text(until)}
        obligations._say(case, "grace-extended", reasons, **said)
        return
    REAL["extend"](case, until, reason_code)


def newest_book(self: Any, position: int) -> list[Any]:
    """Of the books only the newest is taken."""
    return REAL["after"](self, position)[-1:]


def all_but_next_seq() -> tuple[Any, Any]:
    """A new owner of the process goes on with the sequence numbers that it remembers."""
    remembered: dict[tuple[Any, int], dict[str, int]] = {}

    def cut(self: Any, after: Any) -> Any:
        work = REAL["cut"](self, after)
        remembered[_here(), self.partition] = dict(self.decider.sealer.next_seq)
        return work

    def restore(self: Any, **stood: Any) -> None:
        known = remembered.get((_here(), self.partition))
        REAL["restore"](self, **{**stood, "next_seq": known or stood["next_seq"]})

    return restore, cut


def _here() -> Any:
    """Return the process whose task is at work."""
    loop = owner.asyncio._loop
    return loop.current.home.name if loop.current else None


def handed_over(self: Any, partition: int, positions: Any) -> None:
    """What was handed over is committed, and not what was accepted."""
    REAL["accept"](self, partition, positions)
    for topic in (topics.COUNTS, topics.FACTS):
        if (fetched := self.fetching.get((topic, partition))) is not None:
            self.broker.__dict__.setdefault("committed", {})[topic, partition] = fetched.position


async def from_the_commit(self: Any, partition: int, positions: Any, time_: str) -> None:
    """Reading begins at the group's offset."""
    committed = self.broker.__dict__.get("committed", {})
    await REAL["seek"](
        self,
        partition,
        {topic: committed.get((topic, partition), at) for topic, at in positions.items()},
        time_,
    )


async def nothing_corrected(self: Any) -> None:
    """Nobody looks after the statuses."""
    self._doubted = {}


class Arrival(intake.Clocked):
    """Records are taken as they come, also before any time."""

    def _may_come(self, topic: str) -> bool:  # noqa: ARG002
        return True


def nothing_shut(self: Any, partition: int) -> None:
    """What comes of an earlier ownership is taken for the new one's."""


ZOMBIES = ("pause", "stopped", "deaf", "join")
CRASHES = ("kill", "killed")
RESTORE, CUT = all_but_next_seq()

FLAWS = (
    # the protocol, by the explorer's own flawed machines, in the real worker
    Flaw(
        "outputs before the verdict",
        ((owner, "Step", flawed.PublishFirst),),
        (*ZOMBIES, *CRASHES),
        seed=5,
        which="progress: stops for nothing",
    ),
    Flaw(
        "an acknowledged entry is an accepted one",
        ((owner, "Step", flawed.AckIsVerdict),),
        ZOMBIES,
        seed=1,
        which="progress: not taken",
    ),
    Flaw(
        "to find one's own entry is to be the last accepted",
        ((owner, "Step", flawed.ReadBackOwn),),
        (*ZOMBIES, "doubled", "unacked", "late"),
        seed=26,
        which="progress: stops for nothing",
    ),
    Flaw(
        "silence is consent",
        ((owner, "Step", flawed.SilenceIsConsent),),
        ("lost", "late"),
        seed=1,
        which="progress: dies",
    ),
    Flaw(
        "an output is sent once",
        ((owner, "Step", flawed.PublishOnce),),
        ("lost",),
        seed=2,
        which="progress: dies",
    ),
    Flaw(
        "head pointer before outputs",
        ((owner, "Step", flawed.HeadFirst),),
        CRASHES,
        seed=11,
        which="I1 the law",
    ),
    Flaw(
        "nothing is published again",
        ((owner, "Recovery", flawed.NothingAgain),),
        CRASHES,
        seed=3,
        which="I6 dense",
    ),
    Flaw(
        "rows believed",
        ((owner, "Recovery", flawed.NoRoot),),
        ("rows damaged", "table lost", *CRASHES),
        seed=1,
        which="progress: dies",
    ),
    Flaw(
        "the inputs are not checked",
        ((recovery, "check_inputs", flawed.no_losses),),
        ("inputs cut", "retention"),
        seed=1,
        which="progress: nobody stops",
    ),
    Flaw(
        "committed when handed over, and read from there",
        ((ports.SimPorts, "accept", handed_over), (ports.SimPorts, "seek", from_the_commit)),
        CRASHES,
        seed=1,
        which="progress: dies",
    ),
    Flaw(
        "seq from memory",
        ((fold.Fold, "restore", RESTORE), (fold.Fold, "_cut", CUT)),
        (*ZOMBIES, "doubled"),
        seed=1,
        which="progress: dies",
    ),
    Flaw(
        "the newest book at once",
        ((books.Books, "after", newest_book),),
        ("outage", *CRASHES),
        given=(("days", 60), ("pace", 28800), ("hours", 12)),
        seed=10,
        which="progress: stops for nothing",
    ),
    Flaw(
        "a digest without the time of appending",
        ((fold, "digest_of", without_time),),
        (),
        seed=1,
        which="progress: stops for nothing",
    ),
    Flaw("a tick does not wait", ((owner, "Clocked", flawed.NeverWaits),), (), seed=1, which="I5 waits"),
    Flaw(
        "nobody looks after the statuses",
        ((owner.Owner, "_correct_statuses", nothing_corrected),),
        (*ZOMBIES, "late", "doubled"),
        seed=7,
        which="I1 statuses",
    ),
    Flaw(
        "an entry repeats no last run of other topics",
        ((step, "last_runs", lambda _: ()),),
        ("inputs cut", "killed"),
        given=(("days", 60), ("pace", 28800), ("hours", 12)),
        law=True,
        seed=7,
        which="progress: nobody stops",
    ),
    # in the worker about the protocol
    Flaw(
        "what comes of an earlier ownership is taken",
        ((ports.SimPorts, "shut", nothing_shut),),
        (*ZOMBIES, "late", "doubled", "unacked"),
        law=True,
        seed=4,
        which="progress: dies",
    ),
    Flaw(
        "records are taken before any time",
        ((owner, "Clocked", Arrival),),
        (),
        law=True,
        seed=1,
        which="I11 contiguous",
    ),
    # in the real fold and in the law
    Flaw("`>` for `>=`", ((Phase, "reached", more_than),), (), law=True, seed=5, which="I1 the law"),
    Flaw(
        "a wall clock in the core",
        ((fold, "_time_of_tick", a_wall_clock()),),
        (),
        law=True,
        seed=1,
        which="I5 time",
    ),
    Flaw(
        "T of the tick alone",
        ((fold, "_time_of_tick", of_the_tick_alone),),
        ("worker clock", "broker clock"),
        law=True,
        seed=1,
        which="I5 time",
    ),
    Flaw(
        "T goes back with a tick",
        ((decider.Decider, "advance", back_in_time),),
        ("worker clock", "broker clock"),
        law=True,
        seed=4,
        which="I5 time",
    ),
    Flaw(
        "deadlines are lost at a takeover",
        ((agenda.Agenda, "rebuilding", nothing_planned),),
        CRASHES,
        law=True,
        seed=1,
        which="I1 statuses",
    ),
    Flaw(
        "repeated and older facts are taken",
        ((decide, "_take_fact", every_fact),),
        ("repeated", "delayed"),
        law=True,
        seed=3,
        which="I1 the law",
    ),
    Flaw(
        "dues in the order of a set",
        (
            (agenda, "heappush", lambda heap, one: bisect.insort_left(heap, one, key=lambda due: due.due)),
            (agenda, "heapify", lambda heap: heap.sort(key=lambda due: due.due)),
            (agenda, "heappop", lambda heap: heap.pop(0)),
        ),
        (),
        law=True,
        seed=1,
        which="order",
    ),
    Flaw(
        "a book is looked at in the order of a set",
        ((decider.Decider, "look_again", unsorted),),
        (),
        law=True,
        given=(("days", 60), ("pace", 28800), ("hours", 12)),
        seed=1,
        which="order",
    ),
    Flaw(
        "a band is one too wide",
        ((band, "bounds", one_too_high), (decide, "bounds", one_too_high)),
        (),
        law=True,
        seed=1,
        which="I1 statuses",
    ),
    Flaw(
        "falling below without hysteresis",
        ((scope, "is_below", without_hysteresis),),
        (),
        law=True,
        seed=3,
        which="I1 the law",
    ),
    Flaw(
        "an extension moves a deadline earlier",
        ((obligations, "extend", whatever_it_says),),
        (),
        law=True,
        seed=6,
        which="I1 the law",
    ),
)


def plant(name: str) -> int:
    """Plant flaws one by one, and say which were found."""
    missed = 0
    for flaw in FLAWS:
        if name not in flaw.name:
            continue
        outcome, seconds = flaw.found()
        missed += outcome is None
        what = (
            f"seed {outcome.spec.seed}, {outcome.violation.which}"
            if outcome and outcome.violation
            else "NOT FOUND"
        )
        where = "not in the explorer" if flaw.law else "also in the explorer"
        print(f"{flaw.name}: {what}; {seconds:.1f} s; {where}", flush=True)
        if name and outcome is not None:
            print(outcome.violation)
    print(f"{missed} of {len(FLAWS)} flaws missed")
    return int(missed > 0)
