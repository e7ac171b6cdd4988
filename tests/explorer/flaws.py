"""Flaws to plant, one at a time: a search is only as good as what it finds.

Most are wordings that the protocol once had, or what somebody would write in a hurry. Each changes one class or one
function of the machines, the draft's checks, the intake, the tail of the statuses, or the hands, and names the world
in which it is looked for. States are told exactly: what is alike was worked out for the machines as they are.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from streams.ledger import chain, draft, inputs, owed, takeover
from streams.ledger import recovery as recovery_module
from streams.ledger.recovery import Recovery
from streams.ledger.step import Step
from streams.live import statuses

from . import tiny
from .flawed import (
    AckIsVerdict,
    AckIsVerdictOfTakeover,
    AlwaysLeaves,
    CommitFirst,
    FromCommit,
    GiveUpOnSilence,
    HeadBeforeRows,
    HeadFirst,
    HeadOneOff,
    NeverCorrects,
    NeverWaits,
    NoRebuild,
    NoRoot,
    NoTakeover,
    NothingAgain,
    NothingOfTheJournal,
    OldEnds,
    OutputsAgainOnly,
    PublishedTooSoon,
    PublishFirst,
    PublishOnce,
    ReadBackOwn,
    RestForgotten,
    RowsFirst,
    SameEpoch,
    SeqFromMemory,
    SilenceIsConsent,
    TailsLast,
    TailsOneOff,
    VerdictNotAwaited,
    VoidGoesOn,
    any_prev,
    carried_without_rest,
    carried_without_runs,
    epoch_alone,
    last_record_only,
    later_clock,
    newest,
    no_entry,
    no_losses,
    nothing_wrong,
    settled_by_takeover,
    strangers_only,
    unstamped_clock,
    without_time,
)
from .intake import Clocked
from .owner import Hands
from .worlds import CHANGED, CRASH, GIVEN_AWAY, JOURNAL_LOST, RECREATED, RETENTION, TAIL_LOST, UNAWARE, World


@dataclass(frozen=True)
class Flaw:
    """One flaw and where to look for it."""

    name: str
    world: World
    machines: tuple[type[Recovery], type[Step]] = (Recovery, Step)
    hands: type[Hands] = Hands
    clocked: type[Clocked] = Clocked
    patches: tuple[tuple[Any, str, Any], ...] = ()
    """What is put in place of what: owner, name, replacement."""

    @contextmanager
    def planted(self) -> Iterator[type[Hands]]:
        """Plant the flaw, and return the hands that have it."""
        with ExitStack() as stack:
            for owner, name, replacement in self.patches:
                stack.enter_context(patch.object(owner, name, replacement))
            yield type("Flawed", (self.hands,), {"kinds": self.machines, "clocked": self.clocked})


def step(name: str, machine: type[Step], world: World, **more: Any) -> Flaw:
    return Flaw(name, world, (Recovery, machine), **more)


def recovery(name: str, machine: type[Recovery], world: World, **more: Any) -> Flaw:
    return Flaw(name, world, (machine, Step), **more)


def function(name: str, world: World, *patches: tuple[Any, str, Any], **more: Any) -> Flaw:
    return Flaw(name, world, patches=patches, **more)


ONE = World("one count", counts="x12", exactly=True)
TWO = World("two counts", counts="x12 y11", exactly=True)
TICK = World("a deadline", counts="x12", clock="9/9", exactly=True)
SPLIT = World("a split record", counts="x12 y11", facts="touch", per_part=1, exactly=True)
JUNK = World("a dead letter", counts="junk x12", exactly=True)
GROUP = World("group offsets", counts="x5 x12", commits=True, exactly=True)
BROKEN = World(
    "disasters",
    counts="x12",
    clock="9/9",
    may=frozenset({CRASH, JOURNAL_LOST, RECREATED, TAIL_LOST, CHANGED, RETENTION}),
    exactly=True,
)
ARRIVING = World("arrivals", counts="x12 y11", facts="shown:y", clock="1/1 5/5 9/9", arrivals=True)
TOLD = World("statuses", counts="x12", facts="shown:x", statuses=True, exactly=True)
BOOKS = World("two books", counts="x12", books="b3 b9", exactly=True)
NO_CHECK = (draft, "check", nothing_wrong)

FLAWS = (
    step("an acknowledged entry is an accepted one", AckIsVerdict, ONE),
    step("to find one's own entry is to be the last accepted", ReadBackOwn, TWO.but(faults=2)),
    step("head pointer before outputs", HeadFirst, ONE),
    Flaw(
        "head pointer before rows, and rows believed",
        ONE.but(may=frozenset({CRASH})),
        (NoRoot, HeadBeforeRows),
    ),
    step("commit first, and read from it", CommitFirst, GROUP, hands=FromCommit),
    step("outputs before the verdict", PublishFirst, ONE),
    Flaw(
        "rows before the verdict, and rows believed",
        ONE.but(may=frozenset({CRASH, GIVEN_AWAY})),
        (NoRoot, RowsFirst),
    ),
    step("silence is void", GiveUpOnSilence, ONE),
    step("silence is consent", SilenceIsConsent, ONE),
    step("an output is sent once", PublishOnce, ONE),
    step("an entry calls its own outputs published", PublishedTooSoon, ONE),
    step("an owner goes on after a void entry", VoidGoesOn, TWO),
    step("the head pointer is one off", HeadOneOff, ONE),
    recovery("an acknowledged takeover is an accepted one", AckIsVerdictOfTakeover, ONE),
    recovery("the verdict on a takeover is not awaited", VerdictNotAwaited, ONE),
    recovery("a takeover in the old epoch", SameEpoch, JUNK.but(faults=2)),
    recovery("rows believed", NoRoot, ONE),
    recovery("nothing is published again", NothingAgain, ONE),
    recovery("dead letters are not published again", OutputsAgainOnly, JUNK),
    recovery("the journal is not read on from the head pointer", NothingOfTheJournal, ONE),
    recovery("tails after the journal", TailsLast, ONE),
    recovery("a tail may be one ahead", TailsOneOff, BROKEN),
    recovery("a void takeover is the end", AlwaysLeaves, ONE),
    Flaw("reading begins at the commit", GROUP, hands=FromCommit),
    Flaw("seq from memory", TWO.but(faults=2, may=frozenset({GIVEN_AWAY, UNAWARE})), hands=SeqFromMemory),
    Flaw("the rest of a split record is forgotten", SPLIT, hands=RestForgotten),
    Flaw("a rebuild on top of what there was", TWO.but(facts="shown:x"), hands=NoRebuild),
    Flaw("nobody looks after the statuses", TOLD, hands=NeverCorrects),
    Flaw("a tick does not wait", ARRIVING, clocked=NeverWaits),
    Flaw("a tick waits for what was there before another one", ARRIVING, clocked=OldEnds),
    function("an entry counts if its epoch is not lower", ONE, (chain, "accepts", epoch_alone)),
    function(
        "a takeover forgets that a record is unfinished", SPLIT, (takeover, "carried", carried_without_rest)
    ),
    function(
        "a takeover settles what was owed", JUNK.but(faults=2), (owed.Owed, "after", settled_by_takeover)
    ),
    function("a takeover forgets the last runs", BROKEN, (takeover, "carried", carried_without_runs)),
    function("the inputs are not checked", BROKEN, (recovery_module, "check_inputs", no_losses)),
    function("lost records are jumped over", BROKEN, (inputs, "lost_run", nothing_wrong)),
    function("a digest without the time of appending", BROKEN, (tiny, "digest_of", without_time)),
    function(
        "quiet records are left out, and the writer does not refuse",
        GROUP,
        NO_CHECK,
        (tiny.Step, "draft", last_record_only),
    ),
    function("the newest book at once", BOOKS, (tiny, "next_of", newest)),
    function("the worker's own clock", TICK.but(clock="9/1"), (tiny, "time_after", later_clock)),
    function("a tick that nobody stamped", TICK.but(clock="9/9c"), (tiny, "time_after", unstamped_clock)),
    function("a late copy of one's own status stays", TOLD, (statuses.Tail, "see", strangers_only)),
    function("a paused owner corrects its successor's statuses", TOLD, (statuses, "entry_of", no_entry)),
)

HARMLESS = (
    Flaw("head pointer before rows", TWO, (Recovery, HeadBeforeRows)),
    Flaw("rows before the verdict", TWO, (Recovery, RowsFirst)),
    Flaw("commit first", GROUP, (Recovery, CommitFirst)),
    Flaw("no takeover entry", TWO.but(faults=2), (NoTakeover, Step)),
    function("the number is compared, and not the previous hash", TWO, (chain, "accepts", any_prev)),
)
"""Rules taken away that another one makes up for: the root finds wrong rows; reading begins at the journal's position;
and as long as every writer builds on the last accepted entry, its number says as much as its hash."""
