"""A world, and everything that was worked out in it so far: what owners become, what requests do."""

from collections import Counter
from collections.abc import Callable
from operator import methodcaller
from typing import Any, NamedTuple

from streams.ledger.effects import Append, Commit, Publish, WriteApplied, WriteHead, WriteRows
from streams.ledger.recovery import Assignment

from . import properties, tiny
from .broker import (
    APPEND,
    COMMIT,
    HEAD,
    PUBLISH,
    ROWS,
    Inputs,
    Interner,
    Journal,
    Late,
    Outputs,
    Request,
    Table,
    changed,
    seen,
)
from .disasters import may_stop, must_stop
from .owner import ASK, CHECK, LEFT, ROOT, SLICE, STOPPED, VOID, Hands, Owner, Place, performed
from .properties import Violation
from .reader import Reader
from .worlds import World

BITS = {Journal: 24, Table: 20, Outputs: 16, Inputs: 12, Late: 20, Owner: 26}
"""Of a number of each kind, so that a state is one integer."""


class State(NamedTuple):
    """A state of everything: what the broker has, what is under way, and the two owners, by their numbers."""

    journal: Journal
    table: Table
    outputs: Outputs
    inputs: Inputs
    late: Late
    one: Owner
    other: Owner

    def packed(self) -> int:
        """Return the state as one integer: equal states, and only they, give the same one."""
        journal, table, outputs, inputs, late, one, other = self
        low = (((outputs.id << 12 | inputs.id) << 20 | late.id) << 26 | one.id) << 26 | other.id
        return (journal.id << 20 | table.id) << 100 | low


class Partition:
    """A world and what is known of it.

    Args:
        world: What is searched.
        hands: How owners do what their machines name, and which machines.
    """

    def __init__(self, world: World, hands: type[Hands] = Hands) -> None:
        self.world, self._hands = world, hands
        self.records = world.records
        self.reader = Reader(self.records, statuses=world.statuses)
        topics = tuple(sorted(self.records))
        follows = tiny.effects_with_statuses if world.statuses else tiny.effects_of
        assignment = Assignment(0, "?", follows, "clock", topics, tiny.OUTPUTS, world.lost_allowed)
        self._place = Place(world, self.reader.entries, assignment)
        self._requests = Interner(Request, 20)
        self._journals = Interner(self._journal, BITS[Journal])
        self._tables = Interner(Table, BITS[Table])
        self._outputs = Interner(Outputs, BITS[Outputs])
        self.inputs = Interner(Inputs, BITS[Inputs])
        self._lates = Interner(Late, BITS[Late])
        self._owners: dict[Any, Owner] = {}
        nobody = Hands(self._place)
        nobody.machine, nobody.mine = _Nobody(), False
        self.nobody = self._owners[None] = Owner(0, nobody, ())

    def start(self) -> State:
        """Return the state before anything happened."""
        visible = {topic: () if self.world.arrivals else records for topic, records in self.records.items()}
        inputs = self.inputs(
            tuple(visible.items()),
            tuple((topic, 0) for topic in visible),
            tuple((topic, f"id-{topic}") for topic in visible),
            (),
            "",
            self.world.arrivals,
        )
        outputs = self._outputs((0,) * len(tiny.OUTPUTS), frozenset(), ())
        journal, table, late = self._journals(None, None), self._tables((), None, None), self._lates(())
        return State(journal, table, outputs, inputs, late, self.nobody, self.nobody)

    @property
    def done(self) -> Counter[str]:
        """Return which effects were performed, each once for each different owner."""
        return self._place.done

    def sizes(self) -> str:
        """Return how much was worked out."""
        journals, entries = len(self._journals), len(self.reader.entries)
        return f"{journals:,} journals, {entries:,} accepted entries, {len(self._owners):,} owners"

    # Owners --------------------------------------------------------------------------------------

    def after(self, owner: Owner, key: Any, event: Callable[[Hands], None]) -> Owner:
        """Return what becomes of an owner under an event; the key names both."""
        found: Owner | None = owner.memo.get(key)
        if found is None:
            found = owner.memo[key] = self._owner(performed(self._hands(self._place, owner), event))
        return found

    def begun(self, table: Table) -> Owner:
        """Return a new owner that has read the table's changelog."""
        found: Owner | None = self.nobody.memo.get(table.id)
        if found is None:
            hands = performed(self._hands(self._place), lambda hands: hands.start(table))
            found = self.nobody.memo[table.id] = self._owner(hands)
        return found

    def drafts(self, owner: Owner, inputs: Inputs) -> tuple[Owner, ...]:
        """Return an owner with each step that it may begin next."""
        key = ("drafts", inputs.id)
        found: tuple[Owner, ...] | None = owner.memo.get(key)
        if found is None:
            world = self.world
            if world.arrivals:
                steps = [owner.intake.step] if owner.intake.step is not None else []
            else:
                limits = {"wakes": world.wakes, "per_part": world.per_part, "flush": world.flush}
                steps = list(tiny.steps(owner.core, inputs.records, **limits))
            found = owner.memo[key] = tuple(self._drafted(owner, step) for step in steps)
        return found

    def _drafted(self, owner: Owner, step: tiny.Step) -> Owner:
        def begin(hands: Hands) -> None:
            hands.intake = hands.intake._replace(step=None, asks=None)
            hands.begin(step)

        return self._owner(performed(self._hands(self._place, owner), begin))

    def settled(self, owner: Owner, state: State, journal: Journal, *, unaware: bool = False) -> Owner:
        """Let an owner do what meets nobody: read what can no longer change, draw its name, hear from the group."""
        while True:
            kind = owner.kind
            if kind == SLICE:
                owner = self.read(owner, journal)
            elif kind == ROOT:
                name = owner.name or self._name(state, journal)
                owner = self.after(owner, ("root", name), lambda hands, name=name: hands.name_and_root(name))
            elif kind == CHECK:
                owner = self._checked(owner, state, journal)
            elif kind == ASK:
                mine = owner.mine or unaware
                owner = self.after(
                    owner, ("mine", mine), lambda hands, mine=mine: hands.machine.still_mine(mine)
                )
            elif kind == VOID:
                if not owner.mine and not unaware:
                    return self.nobody
                owner = self.after(owner, "void", methodcaller("recover"))
            elif kind == LEFT:
                if owner.mine:
                    raise Violation(
                        properties.PROGRESS, "an owner leaves a partition that the group gives to it"
                    )
                return self.nobody
            elif kind == STOPPED:
                stop = owner.machine.effect
                if stop.code not in may_stop(state, journal, self.world):
                    raise Violation(properties.PROGRESS, f"stopped for nothing: {stop.code}: {stop.message}")
                return owner
            else:
                return owner

    def _checked(self, owner: Owner, state: State, journal: Journal) -> Owner:
        inputs = state.inputs
        owner = self.after(owner, ("inputs", inputs.id), lambda hands: hands.inputs_are(inputs))
        wrong = must_stop(state, journal, self.world)
        if wrong and owner.kind != STOPPED:
            raise Violation(properties.PROGRESS, f"an owner goes on, and must stop: {sorted(wrong)}")
        return owner

    def read(self, owner: Owner, journal: Journal, upto: int | None = None) -> Owner:
        """Let an owner read the journal: to an offset, or as far as it asks."""
        reading = owner.machine.effect
        if upto is None:
            upto = journal.length if reading.end is None else min(reading.end, journal.length)
        end = journal.length if reading.end is None else upto
        node = journal.prefix(upto)
        found = self.after(
            owner,
            ("read", node.id, end),
            lambda hands: hands.journal_read(node.slice(reading.start), upto, end),
        )
        if found.kind != STOPPED:
            properties.stands(journal, found.machine.head, "an owner")
        return found

    def further(self, owner: Owner, lane: int) -> Owner:
        """Return the owner after the first request of a lane is acknowledged."""
        found: Owner | None = owner.memo.get(lane)
        if found is None:
            rest = tuple(left for at, whole in enumerate(owner.requests) if (left := whole[at == lane :]))
            if rest:
                hands = self._hands(self._place, owner)
                hands.requests = rest
                found = self._owner(hands)
            else:
                found = self.after(owner, "all acked", methodcaller("acked"))
            owner.memo[lane] = found
        return found

    def _owner(self, hands: Hands) -> Owner:
        key = hands.key()
        found = self._owners.get(key)
        if found is None:
            requests = hands.requests if hands.requests is not None else self._sent(hands)
            found = self._owners[key] = Owner(len(self._owners), hands, requests)
            if found.id >= 1 << BITS[Owner]:
                raise OverflowError("too many owners")
        return found

    def _name(self, state: State, journal: Journal) -> str:
        """Return a nonce that nobody has left any trace of."""
        taken = journal.writers | state.late.writers | {state.one.name, state.other.name}
        if self.world.statuses:
            taken |= {by for _, _, by, _ in state.outputs.statuses} | {
                one.writer for one in state.late.requests
            }
        return next(name for number in range(1, 99) if (name := f"w{number}") not in taken)

    # Requests ------------------------------------------------------------------------------------

    def _sent(self, hands: Hands) -> tuple[tuple[Request, ...], ...]:
        """Return what an outstanding effect sends, in lanes; in a torn world each record by itself."""
        torn = self.world.torn
        match hands.machine.effect:
            case None:
                return self._published(hands.correction, hands.name) if hands.correction else ()
            case Append(raw):
                return ((self._requests(APPEND, raw, ""),),)
            case Publish(batches):
                return self._published(batches, hands.name)
            case WriteRows(rows):
                pass
            case WriteApplied():
                now = dict(hands.rows)
                rows = tuple((key, now.get(key)) for key in hands.unwritten)
            case WriteHead(pointer):
                return ((self._requests(HEAD, pointer, ""),),)
            case Commit(positions):
                return ((self._requests(COMMIT, positions, ""),),)
            case _:
                return ()
        if not torn:
            return ((self._requests(ROWS, rows, ""),),)
        return (tuple(self._requests(ROWS, (row,), "") for row in rows),)

    def _published(self, batches: Any, name: str) -> tuple[tuple[Request, ...], ...]:
        writer = name if self.world.statuses else ""
        if not self.world.torn:
            return ((self._requests(PUBLISH, batches, writer),),)
        return tuple(
            tuple(self._requests(PUBLISH, ((topic, (record,)),), writer) for record in records)
            for topic, records in batches
        )

    def _journal(self, number: int, parent: Journal | None, raw: bytes | None) -> Journal:
        return Journal(number, parent, raw, self.reader)

    def appended(self, state: State, journal: Journal, raw: bytes) -> Journal:
        """Return a journal with one more record."""
        found = journal.children.get(raw)
        if found is None:
            found = journal.children[raw] = self._journals(journal, raw)
        if found.tip is not journal.tip:
            for run in found.tip.content.runs if found.tip.is_takeover else ():
                if run.end > state.inputs.starts[run.topic]:
                    raise Violation(properties.ONCE, f"{run} is said to be lost, and is there")
            if state.inputs.before:
                properties.waited(found.tip, state.inputs)
        return found

    def landed(self, state: State, request: Request) -> State:
        """Return the state after a request that is no append has landed."""
        journal, table, outputs, inputs, late, one, other = state
        if request.kind == PUBLISH:
            key = (request.id, journal.tip.id)
            found = outputs.memo.get(key)
            if found is None:
                parts = seen(outputs, request.payload, request.writer, journal.tip)
                found = outputs.memo[key] = self._outputs(*parts)
            return State(journal, table, found, inputs, late, one, other)
        after = table.memo.get(request.id)
        if after is None:
            rows, head, group = table.rows, table.head, table.group
            if request.kind == ROWS:
                rows = changed(rows, request.payload)
            elif request.kind == HEAD:
                head = request.payload
            else:
                group = request.payload
            after = table.memo[request.id] = self._tables(rows, head, group)
        if request.kind == HEAD:
            properties.points(journal, request.payload)
        return State(journal, after, outputs, inputs, late, one, other)

    def with_late(self, late: Late, request: Request) -> Late:
        """Return the late requests with one more."""
        found: Late = self._lates(tuple(sorted((*late.requests, request), key=lambda one: one.id)))
        return found

    def without_late(self, late: Late, place: int) -> Late:
        """Return the late requests without one."""
        found: Late = self._lates(late.requests[:place] + late.requests[place + 1 :])
        return found

    def without_table(self, state: State) -> State:
        """Return the state after the table was deleted."""
        return state._replace(table=self._tables((), None, state.table.group))


class _Nobody:
    """What stands where no owner is."""

    effect = "nobody"

    def state(self) -> tuple[str]:
        return ("nobody",)
