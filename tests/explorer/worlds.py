"""What is searched, as data."""

from dataclasses import dataclass, replace
from typing import Any

from schemas.topics import BOOKS, CLOCK, COUNTS, FACTS

from .tiny import INPUTS, Rec, record

CRASH, GIVEN_AWAY, UNAWARE, TABLE_LOST = "crash", "given away", "unaware", "table lost"
REQUESTS = frozenset(
    f"{what} {fate}"
    for what, fates in {
        "append": ("lost", "late", "unacked", "twice"),
        "publish": ("lost", "late", "unacked", "twice"),
        "rows": ("lost", "late", "twice"),
        "head": ("lost", "late", "twice"),
        "commit": ("lost", "late", "twice"),
    }.items()
    for fate in fates
)
FAULTS = REQUESTS | {CRASH, GIVEN_AWAY, UNAWARE, TABLE_LOST}
"""What may go wrong, each at the cost of one fault:

- an owner dies; or the group gives its partition to another one while it lives: it was paused, and may go on at any
  time; or one that was paused does not hear of it, and takes over again after its void entry;
- a request is lost, lands late (at any later time, also when its writer is gone), lands without its
  acknowledgement, or lands a second time later; a row, a head pointer or a commit may be lost although it was
  acknowledged.
- the whole table is deleted.
"""

RETENTION = "retention"
"""The oldest record of an input that is still there is deleted."""
RECREATED, TAIL_LOST, CHANGED, JOURNAL_LOST = "recreated", "tail lost", "changed", "journal lost"
DISASTERS = frozenset({RECREATED, TAIL_LOST, CHANGED, JOURNAL_LOST})
"""The broker comes back from a disaster: nobody and nothing under way lives on, and an input topic was made anew, has
lost its last taken record, or has another one in its place (of a tick: with another time of appending); or the journal
has lost its last entry. Then a new owner has to notice, or it must not matter."""


@dataclass(frozen=True)
class World:
    """One small world: its inputs, what may go wrong how often, and what is told apart."""

    name: str
    counts: str = ""
    facts: str = ""
    clock: str = ""
    books: str = ""
    faults: int = 1
    may: frozenset[str] = FAULTS
    """Which faults."""
    wakes: int = 1
    """Waking records per entry."""
    per_part: int | None = None
    """Decisions per entry: a record with more is split."""
    flush: bool = True
    """Quiet records alone are journaled at any time; else only once nothing is left to read."""
    torn: bool = False
    """Each output and each row is a request of its own; else those of one effect land together."""
    commits: bool = False
    """Group offsets are kept."""
    short: bool = False
    """A read of the journal may bring one record only."""
    arrivals: bool = False
    """Records arrive one after the other, in any order, and the real intake says what comes next (rule 21); else all
    are there from the start, and are taken in any order of topics, which is more than an intake would do."""
    statuses: bool = False
    """Statuses are published, seen and corrected (rule 24)."""
    lost_allowed: tuple[tuple[str, int], ...] = ()
    """Where an operator takes a loss upon himself."""
    exactly: bool = False
    """Every state is told from every other one: where what is alike is not worked out (see `likeness`)."""

    @property
    def records(self) -> dict[str, tuple[Rec, ...]]:
        """All records, by topic."""
        words = {BOOKS: self.books, FACTS: self.facts, COUNTS: self.counts, CLOCK: self.clock}
        return {
            topic: tuple(record(topic, offset, word) for offset, word in enumerate(words[topic].split()))
            for topic in INPUTS
            if words[topic]
        }

    def but(self, **changes: Any) -> "World":
        """Return the world with changes."""
        return replace(self, **changes)


# The catalogue -----------------------------------------------------------------------------------

WHOLE = World("2+2+2", counts="x5 x12", facts="narrow:x shown:x", clock="9/1 9/9")
"""Two counts, of which the first is quiet unless the second fact comes before it; two facts; two ticks, the first of
which is early by its writer's clock, the second makes the deadline due."""
FOUR = World("zombie and late request, four inputs", counts="x5 x12", facts="shown:x", clock="9/9", faults=2)
COUNT_AND_TICK = World("count and tick", counts="x12", clock="9/9", faults=2)
ARRIVALS = World("arrivals", counts="x12", facts="shown:x", clock="1/1 9/9", arrivals=True)
STATUSES = World("statuses", counts="x12", facts="shown:x", statuses=True, exactly=True)
LOSING = World("retention", counts="x12", may=frozenset({CRASH, RETENTION}), faults=2, exactly=True)
DISASTROUS = World(
    "disasters", counts="x12", clock="9/9", may=DISASTERS | {CRASH, RETENTION}, faults=2, exactly=True
)
FLAGS = World("everything told apart", counts="x12 y11", torn=True, commits=True, short=True, wakes=2)
SPLIT = World("split record", counts="x12 y11", facts="touch", per_part=1)

IN_TESTS = (
    WHOLE,
    FOUR,
    COUNT_AND_TICK,
    SPLIT,
    World("split tick", counts="x12 y11", clock="9/9", per_part=1),
    World("book adoption", counts="x5 y12", books="b3", per_part=1),
    World("two books", counts="x12 y5", books="b3 b9", per_part=1),
    FLAGS.but(facts="shown:x"),
    World("dead letters", counts="junk x12", facts="junk", clock="9/9"),
    World("a tick that nobody stamped", counts="x12", clock="9/9c 9/9"),
    DISASTROUS,
    LOSING,
    LOSING.but(name="retention, and an operator takes the loss upon himself", lost_allowed=((COUNTS, 0),)),
    LOSING.but(name="retention in a split record", counts="x12 y11", facts="touch", per_part=1),
    ARRIVALS.but(may=frozenset({CRASH, TABLE_LOST, "append late", "append unacked", "head late"})),
    ARRIVALS.but(name="arrivals, two owners", facts="", may=frozenset({GIVEN_AWAY, UNAWARE})),
    STATUSES.but(may=REQUESTS | {CRASH, TABLE_LOST}),
    STATUSES.but(name="statuses, two owners", facts=""),
)
"""Searched whole by `make test`."""

IN_FAULTS = (
    WHOLE.but(faults=3),
    WHOLE.but(name="2+2+2, everything told apart", torn=True, commits=True, short=True, wakes=2),
    WHOLE.but(name="2+2+2 and a book", books="b3", per_part=1),
    FOUR.but(faults=3),
    COUNT_AND_TICK.but(faults=4),
    SPLIT.but(name="split record and split tick", clock="9/9", faults=2),
    FLAGS.but(facts="shown:x", faults=2),
    World("two books", counts="x12 y5", books="b3 b9", per_part=1, faults=2),
    ARRIVALS.but(faults=2),
    ARRIVALS.but(
        name="arrivals, two deadlines",
        counts="x12 y11",
        facts="shown:y",
        clock="1/1 5/5 9/9",
        may=frozenset({CRASH}),
    ),
    STATUSES,
    STATUSES.but(name="statuses, two faults", facts="", faults=2),
    DISASTROUS.but(name="disasters and any other fault", may=FAULTS | DISASTERS | {RETENTION}),
    LOSING.but(
        name="retention, two owners",
        may=frozenset({CRASH, GIVEN_AWAY, RETENTION}),
        counts="x5 x12",
        lost_allowed=((COUNTS, 0),),
    ),
)
"""Searched by `make faults`, as far as there is time."""

ALIKE_IN_TESTS = (
    World("one count", counts="x12", faults=2),
    World("count and tick", counts="x12", clock="9/9"),
    World("a fact that wakes what was quiet", counts="x5", facts="narrow:x"),
    FLAGS.but(may=frozenset({CRASH, "rows late", "append twice"})),
    SPLIT.but(may=frozenset({CRASH, TABLE_LOST})),
    ARRIVALS.but(facts="", may=frozenset({CRASH, "append late"})),
)
"""In which likeness is held against exact searches by `make test`."""

ALIKE_IN_FAULTS = (
    COUNT_AND_TICK,
    World("one count", counts="x12", faults=3),
    FLAGS.but(counts="x5 x12", facts="shown:x"),
    World("dead letters", counts="x12 junk", facts="shown:x", short=True, wakes=2),
    SPLIT,
    World("split tick", counts="x12 y11", clock="9/9", per_part=1),
    World("book adoption", counts="x5 y12", books="b3", per_part=1),
    ARRIVALS.but(facts=""),
)
"""And by `make faults`."""
