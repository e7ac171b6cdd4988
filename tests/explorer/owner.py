"""One owner of the partition: a real machine of the ledger, and the hands that perform what it names.

An owner is a value. What happens to it gives another owner, and the same event on the same owner the same one: the
machines are run once for each pair. An owner rests only where its next deed meets the broker; what it does by itself
(rows into its view, the root, a read of what can no longer change) is done at once, since nobody can see when.
"""

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.errors import AuditError, InvariantBroken
from schemas.journal import HeadPointer
from streams.ledger import root
from streams.ledger.effects import (
    Append,
    ApplyRows,
    BackOff,
    Batches,
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
    Rows,
    Seek,
    Stop,
    WriteApplied,
    WriteHead,
    WriteRows,
)
from streams.ledger.recovery import Assignment, Recovery
from streams.ledger.step import Step

from . import intake, properties, tails, tiny
from .broker import Inputs, Request, Table, changed
from .properties import Violation
from .reader import Entry
from .worlds import World

IDLE, TAILS, READ, SLICE, ROOT, CHECK, SEND, ASK, VOID, LEFT, STOPPED, FOLLOW = range(12)
"""What an owner rests at: taking the next record; or asking for the output tails, for the journal's end, for a piece of
the journal that can no longer change, for its name in an entry, about the inputs; sending; or asking the group whether
the partition is still its own: in a back-off, or because its entry is void. Or it has left or stopped. In a world with
statuses it begins by asking for their end."""


@dataclass(frozen=True)
class Place:
    """Where an owner is."""

    world: World
    entries: dict[str, Entry]
    """All that were accepted in some journal, by hash."""
    assignment: Assignment
    done: Counter[str] = field(default_factory=Counter)
    """Which effects were performed, each once for each different owner."""


class Owner:
    """An owner as a value, with what became of it under each event so far."""

    __slots__ = (
        *("core", "correction", "extra", "head", "id", "intake", "kind", "machine", "memo", "mine", "name"),
        *("requests", "rows", "tail", "unwritten"),
    )

    def __init__(self, number: int, hands: "Hands", requests: tuple[tuple[Request, ...], ...]) -> None:
        self.id = number
        for name in hands.PARTS:
            setattr(self, name, getattr(hands, name))
        self.kind = kind_of(hands)
        self.requests = requests
        """What it has to send for the effect that is outstanding: lanes, in each one after the other."""
        self.memo: dict[Any, Any] = {}


class Hands:
    """An owner while it moves. Subclasses plant flaws of the hands, or put other machines in."""

    kinds: tuple[type[Recovery], type[Step]] = (Recovery, Step)
    clocked: type[intake.Clocked] = intake.Clocked
    corrects = True
    PARTS = (
        "machine",
        "rows",
        "head",
        "unwritten",
        "core",
        "mine",
        "name",
        "intake",
        "tail",
        "correction",
        "extra",
    )

    def __init__(self, place: Place, owner: Owner | None = None) -> None:
        self.place = place
        self.machine: Any = None
        self.rows: Rows = ()
        self.head: HeadPointer | None = None
        self.unwritten: tuple[bytes, ...] = ()
        self.core: tiny.State | None = None
        """Of an owner at work: what the draft under way leads to."""
        self.mine = True
        """The group gives it the partition."""
        self.name = ""
        """Its nonce; drawn when it is first needed, so that two owners without one are the same."""
        self.intake = intake.EMPTY
        self.tail: tails.Seen | None = None
        self.correction: Batches = ()
        """Statuses to be written again, before anything else."""
        self.extra: Any = None
        """What a planted flaw remembers."""
        self.requests: tuple[tuple[Request, ...], ...] | None = None
        if owner is not None:
            for name in self.PARTS:
                setattr(self, name, getattr(owner, name))
            self.machine = copy.copy(owner.machine)

    @property
    def whose(self) -> str:
        """Return a name for messages."""
        return f"owner {self.name or '(new)'}"

    def key(self) -> Any:
        """Return everything that an owner is."""
        sent = self.requests and tuple(tuple(one.id for one in lane) for lane in self.requests)
        return (self.machine.state(), *(getattr(self, name) for name in self.PARTS[1:]), sent)

    # Events --------------------------------------------------------------------------------------

    def start(self, table: Table) -> None:
        """Begin with what the table's changelog says."""
        self.rows, self.head = table.rows, table.head
        self.recover()

    def recover(self) -> None:
        """Begin, or begin again after a void entry: with the view as it is (rule 16)."""
        self.unwritten, self.core, self.intake = (), None, intake.EMPTY
        self.machine = self.kinds[0](self.head, replace(self.place.assignment, writer=self.name or "?"))

    def lose(self) -> None:
        """Lose the partition to another owner, without hearing of it."""
        self.mine = False

    def name_and_root(self, name: str) -> None:
        """Compute the root; a takeover that follows is the first thing to bear the name."""
        machine = self.machine
        if not self.name:
            self.name = name
            machine.assignment = replace(machine.assignment, writer=name)
            machine._known = replace(machine._known, assignment=machine.assignment)
        machine.root_is(root.of_rows(self.rows))
        if not isinstance(machine.effect, Append):
            self.name = ""

    def journal_read(self, records: list[tuple[int, bytes | None]], upto: int, end: int) -> None:
        self.machine.journal_read(records, upto=upto, log_start=0, log_end=end)

    def inputs_are(self, inputs: Inputs) -> None:
        self.machine.inputs_are([self.found(expected, inputs) for expected in self.machine.effect.inputs])

    def found(self, expected: Any, inputs: Inputs) -> InputFound:
        records, run, digest = inputs.records[expected.topic], expected.last_run, None
        start = inputs.starts[expected.topic]
        if run is not None and start <= run.start and run.end <= len(records):
            digest = tiny.run_of(expected.topic, records[run.start : run.end]).digest
        return InputFound(expected.topic, inputs.ids[expected.topic], start, len(records), digest)

    def begin(self, step: tiny.Step) -> None:
        world = self.place.world
        draft = step.draft(self.machine.head.n + 1, statuses=world.statuses, commits=world.commits)
        self.machine.begin(draft)
        self.core = step.state
        if self.tail is not None:
            self.tail = tails.telling(self.tail, draft)

    def acked(self) -> None:
        """Hear that everything of the outstanding effect is acknowledged."""
        machine = self.machine
        match machine.effect:
            case Publish():
                machine.published()
            case WriteRows(rows):
                self.rows = changed(self.rows, rows)
                machine.rows_written()
            case WriteApplied():
                self.unwritten = ()
                machine.rows_written()
            case WriteHead(pointer):
                self.head = pointer
                machine.head_written()
            case Commit():
                machine.committed()
            case None:
                self.correction = ()
                return
        if machine.effect is None and self.tail is not None:
            self.tail = tails.told(self.tail)

    # By itself -----------------------------------------------------------------------------------

    def settle(self) -> None:
        """Do what nobody else can see."""
        while True:
            machine = self.machine
            self.place.done[type(machine.effect).__name__] += 1
            match machine.effect:
                case ApplyRows(rows):
                    self.rows = changed(self.rows, rows)
                    self.unwritten = tuple(sorted({*self.unwritten, *(key for key, _ in rows)}))
                    machine.rows_applied()
                case Rebuild():
                    self.unwritten = tuple(sorted({*self.unwritten, *(key for key, _ in self.rows)}))
                    self.rows = ()
                    machine.cleared()
                case WriteApplied() if not self.unwritten:
                    machine.rows_written()
                case Seek(positions):
                    self.sought = self.seek(positions)
                    machine.sought()
                case Ready() as ready:
                    self.work(ready)
                case None:
                    self.go_on()
                    return
                case _:
                    return

    def seek(self, positions: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
        """Return from where on the inputs will be read."""
        return positions

    def work(self, ready: Ready) -> None:
        self.core = tiny.restored(ready.content, self.rows)._replace(positions=self.sought)
        self.machine = self.kinds[1](ready, self.name)

    def go_on(self) -> None:
        """Do what comes between two steps: correct statuses, then take what has arrived."""
        properties.is_fold(self.place.entries[self.machine.head.hash], self.core, self.rows, self.whose)
        world = self.place.world
        if world.statuses and self.tail is not None:
            self.tail, self.correction = tails.correct(self.tail, self.core, self.machine.head.n, self.name)
            if not self.corrects:
                self.correction = ()
        if world.arrivals and not self.correction and not (world.statuses and self.tail is None):
            self.intake, step = intake.choose(self.clocked, self.intake, self.core, world)
            if step is not None:
                self.begin(step)


def kind_of(hands: Hands) -> int:
    match hands.machine.effect:
        case None if hands.correction:
            return SEND
        case None if hands.place.world.statuses and hands.tail is None:
            return FOLLOW
        case None:
            return IDLE
        case ReadTails():
            return TAILS
        case ReadJournal(_, end):
            return READ if end is None else SLICE
        case ComputeRoot():
            return ROOT
        case CheckInputs():
            return CHECK
        case BackOff():
            return ASK
        case Recover():
            return VOID
        case Leave():
            return LEFT
        case Stop():
            return STOPPED
        case _:
            return SEND


def performed(hands: Hands, event: Callable[[Hands], None]) -> Hands:
    """Let something happen to an owner."""
    try:
        event(hands)
        hands.settle()
    except (AuditError, InvariantBroken) as error:
        raise Violation(
            properties.PROGRESS, f"{hands.whose} dies of {type(error).__name__}: {error}"
        ) from error
    return hands
