"""Every move that a state allows."""

from operator import methodcaller
from typing import Any

from schemas.topics import CLOCK

from . import intake, properties, tails
from .broker import APPEND, PUBLISH, Journal, Late
from .disasters import disasters, losses
from .move import Move
from .owner import ASK, FOLLOW, IDLE, READ, SEND, STOPPED, TAILS, VOID, Hands, Owner
from .partition import Partition, State
from .properties import Violation
from .worlds import CRASH, GIVEN_AWAY, JOURNAL_LOST, TABLE_LOST, UNAWARE


class Moves(Partition):
    """A world and its moves."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._probed: set[tuple[int, int, int]] = set()

    def of(self, state: State, *, with_faults: bool) -> list[Move]:
        """Return every move; without faults those only that cost none.

        Raises:
            Violation: a property does not hold after one of them.
        """
        may = self.world.may if with_faults else frozenset()
        found: list[Move] = []
        self._late(state, found)
        one, other, nobody = state.one, state.other, self.nobody
        if one is nobody:
            self._start(state, other, may, found)
        else:
            self._act(state, one, other, may, found)
        if other is not nobody and other is not one:
            self._act(state, other, one, may, found)
        if self.world.arrivals:
            self._arrive(state, found)
        if may:
            self._lose(state, may, found)
        return found

    def check_at_rest(self, state: State) -> None:
        """Properties 3, 4 and 6 where only a fault can happen; and a new owner could go on from here."""
        if STOPPED in (state.one.kind, state.other.kind):
            return
        properties.at_rest(state.journal.tip, state.outputs, self.records)
        key = (state.journal.id, state.table.id, state.outputs.id)
        if key in self._probed:
            return
        self._probed.add(key)
        state = state._replace(late=self._lates(()), one=self.nobody, other=self.nobody)
        while moves := self.of(state, with_faults=False):
            state = moves[0].state
        if state.other.kind != STOPPED:
            properties.at_rest(state.journal.tip, state.outputs, self.records)

    # The broker ----------------------------------------------------------------------------------

    def _late(self, state: State, found: list[Move]) -> None:
        one, other, before = state.one, state.other, None
        for place, request in enumerate(state.late.requests):
            if request is before:
                continue
            before = request
            after = state._replace(late=self.without_late(state.late, place))
            if request.kind == APPEND:
                journal = self.appended(state, state.journal, request.payload)
                found.append(
                    Move(self._put(after, one, other, journal), False, "late: {what} lands", None, journal)
                )
            else:
                found.append(Move(self.landed(after, request), False, "late: {what} lands", None, request))

    def _arrive(self, state: State, found: list[Move]) -> None:
        inputs = state.inputs
        for topic, there in inputs.records.items():
            if len(there) == len(self.records[topic]):
                continue
            record = self.records[topic][len(there)]
            changes: dict[str, Any] = {"records": {**inputs.records, topic: (*there, record)}}
            if topic == CLOCK:
                ends = tuple(
                    (name, len(records)) for name, records in inputs.records.items() if name != CLOCK
                )
                changes["before"] = (*inputs.before, ends)
            after = state._replace(inputs=self.inputs(*inputs.parts(**changes)))
            found.append(
                Move(after, False, "{what} arrives", None, f"{topic}[{len(there)}] {record.value.decode()}")
            )

    def _lose(self, state: State, may: frozenset[str], found: list[Move]) -> None:
        if TABLE_LOST in may and (state.table.rows or state.table.head is not None):
            found.append(Move(self.without_table(state), True, "the table is deleted"))
        for text, changes in losses(state, self.world):
            after = state._replace(inputs=self.inputs(*state.inputs.parts(**changes)))
            found.append(Move(after, True, text))
        for text, changes in disasters(state, self.world):
            inputs = self.inputs(*state.inputs.parts(**changes))
            journal = state.journal
            if inputs.damage == JOURNAL_LOST:
                while journal.tip is state.journal.tip:  # void records after it are lost as well
                    journal = journal.prefix(journal.length - 1)
            nothing = state._replace(late=self._lates(()), inputs=inputs, journal=journal)
            found.append(Move(self._put(nothing, self.nobody, self.nobody), True, text))

    # Owners --------------------------------------------------------------------------------------

    def _start(self, state: State, alive: Owner, may: frozenset[str], found: list[Move]) -> None:
        is_taken = alive is not self.nobody and alive.mine
        if is_taken and (GIVEN_AWAY not in may or alive.kind == STOPPED):
            return
        begun, head = self.settled(self.begun(state.table), state, state.journal), state.table.head
        text = f"a new owner reads the table, {len(state.table.rows)} rows, head {head and head.hash[:8]}"
        if not is_taken:
            found.append(Move(self._put(state, alive, begun), False, text))
        else:
            paused = self.after(alive, "given away", methodcaller("lose"))
            found.append(
                Move(
                    self._put(state, paused, begun),
                    True,
                    "the group gives {who}'s partition away: " + text,
                    alive,
                )
            )

    def _put(
        self, state: State, one: Owner, other: Owner, journal: Journal | None = None, late: Late | None = None
    ) -> State:
        if one.id > other.id:
            one, other = other, one
        _, table, outputs, inputs, _, _, _ = state
        return State(journal or state.journal, table, outputs, inputs, late or state.late, one, other)

    def _act(self, state: State, owner: Owner, peer: Owner, may: frozenset[str], found: list[Move]) -> None:
        try:
            self._act_in_kind(state, owner, peer, may, found)
        except Violation as violation:
            doing = (
                type(owner.machine.effect).__name__ if owner.machine.effect is not None else "the next step"
            )
            violation.add_note(f"when {owner.name or 'a new owner'} goes on with {doing}")
            raise

    def _act_in_kind(
        self, state: State, owner: Owner, peer: Owner, may: frozenset[str], found: list[Move]
    ) -> None:
        kind = owner.kind
        if CRASH in may and kind != STOPPED:
            found.append(Move(self._put(state, self.nobody, peer), True, "{who} dies", owner))
        if self.world.statuses and owner.tail is not None:
            self._see(state, owner, peer, found)
        if kind == SEND:
            self._send(state, owner, peer, may, found)
        elif kind == IDLE:
            self._work(state, owner, peer, may, found)
        elif kind == TAILS:
            marks = state.outputs.marks
            after = self.after(
                owner, ("tails", marks), lambda hands: hands.machine.tails_are(state.outputs.tails())
            )
            after = self.settled(after, state, state.journal)
            found.append(
                Move(
                    self._put(state, after, peer), False, "{who} reads the output tails {what}", owner, marks
                )
            )
        elif kind == READ:
            ends = [state.journal.length]
            if self.world.short and owner.machine.effect.start + 1 < ends[0]:
                ends.append(owner.machine.effect.start + 1)
            for end in ends:
                after = self.settled(self.read(owner, state.journal, end), state, state.journal)
                found.append(
                    Move(
                        self._put(state, after, peer),
                        False,
                        "{who} reads the journal up to {what}",
                        owner,
                        end,
                    )
                )
        elif kind == FOLLOW:
            end = len(state.outputs.statuses)
            after = self.after(owner, ("follow", end), lambda hands: setattr(hands, "tail", tails.Seen(end)))
            found.append(
                Move(
                    self._put(state, after, peer),
                    False,
                    "{who} follows the statuses from {what} on",
                    owner,
                    end,
                )
            )

    def _see(self, state: State, owner: Owner, peer: Owner, found: list[Move]) -> None:
        log = state.outputs.statuses
        if owner.tail.at == len(log) and owner.tail.before is None:
            return

        def see(hands: Hands) -> None:
            hands.tail = tails.see(hands.tail, log, hands.name) if hands.tail is not None else None

        if owner.tail.at < len(log) or owner.tail.end <= len(log):
            after = self.after(owner, ("statuses", log), see)
            found.append(
                Move(
                    self._put(state, after, peer),
                    False,
                    "{who} reads the statuses up to {what}",
                    owner,
                    len(log),
                )
            )

    def _work(self, state: State, owner: Owner, peer: Owner, may: frozenset[str], found: list[Move]) -> None:
        for drafted in self.drafts(owner, state.inputs):
            self._send(state, drafted, peer, may, found)
        if any(state.inputs.starts[topic] > at for topic, at in owner.core.positions):
            found.append(
                Move(
                    self._put(state, self.nobody, peer), False, "{who} cannot read an input: it stops", owner
                )
            )
        if not self.world.arrivals:
            return
        visible = state.inputs.records
        for topic, end, taken in intake.fetch(owner.intake, owner.core, visible):
            after = self.after(
                owner, ("fetch", topic, end), lambda hands, taken=taken: setattr(hands, "intake", taken)
            )
            found.append(
                Move(
                    self._put(state, after, peer),
                    False,
                    "{who} fetches {what}",
                    owner,
                    f"{topic} up to {end}",
                )
            )
        if owner.intake.asks is not None:
            asked = intake.ends_are(owner.intake, visible)
            after = self.after(owner, ("ends", asked.ends), lambda hands: setattr(hands, "intake", asked))
            found.append(
                Move(
                    self._put(state, after, peer), False, "{who} asks for the ends: {what}", owner, asked.ends
                )
            )

    def _unacked(self, owner: Owner) -> Owner:
        return self.after(owner, "unacked", lambda hands: hands.machine.unacked())

    def _append(
        self, state: State, owner: Owner, peer: Owner, may: frozenset[str], found: list[Move]
    ) -> None:
        """Append the entry under way, and hear the verdict: what is read back cannot change any more."""
        ((request,),) = owner.requests
        journal = self.appended(state, state.journal, request.payload)
        offset = state.journal.length
        judged = self.after(owner, ("acked", offset), lambda hands: hands.machine.appended(offset))
        if judged.kind not in (ASK, VOID):
            judged = self.settled(judged, state, journal)
        heard = self.settled(judged, state, journal)
        if heard is not self.nobody and heard.kind != STOPPED:
            properties.stands(journal, heard.machine.head, "an owner")
        found.append(
            Move(self._put(state, heard, peer, journal), False, "{who} appends {what}", owner, journal)
        )
        if not may:
            return
        if UNAWARE in may and heard is self.nobody:
            after = self.settled(judged, state, journal, unaware=True)
            text = "{who} appends {what}, and takes over again: it has not heard from the group"
            found.append(Move(self._put(state, after, peer, journal), True, text, owner, journal))
        again, late = self._unacked(owner), self.with_late(state.late, request)
        for fate, after, text in (
            ("lost", self._put(state, again, peer), "lost"),
            ("unacked", self._put(state, again, peer, journal), "its acknowledgement is lost"),
            ("late", self._put(state, again, peer, None, late), "late, without acknowledgement"),
            ("twice", self._put(state, heard, peer, journal, late), "and a late copy"),
        ):
            if f"append {fate}" in may:
                found.append(Move(after, True, "{who} appends {what}: " + text, owner, journal))

    def _send(self, state: State, owner: Owner, peer: Owner, may: frozenset[str], found: list[Move]) -> None:
        for lane, requests in enumerate(owner.requests):
            request = requests[0]
            kind = request.kind
            if kind == APPEND:
                self._append(state, owner, peer, may, found)
                return
            further = self.further(owner, lane)
            landed = self.landed(state, request)
            found.append(Move(self._put(landed, further, peer), False, "{who} sends {what}", owner, request))
            if not may:
                continue
            late = self.with_late(state.late, request)
            if kind == PUBLISH:
                # a correction is no effect of a machine: without its acknowledgement the worker stops
                again = self._unacked(owner) if owner.machine.effect is not None else self.nobody
                fates = [
                    ("lost", self._put(state, again, peer), "lost"),
                    ("unacked", self._put(landed, again, peer), "its acknowledgement is lost"),
                    ("late", self._put(state, again, peer, None, late), "late, without acknowledgement"),
                ]
            else:
                fates = [
                    ("lost", self._put(state, further, peer), "acknowledged, and lost"),
                    ("late", self._put(state, further, peer, None, late), "acknowledged, and late"),
                ]
            fates.append(("twice", self._put(landed, further, peer, None, late), "and a late copy"))
            for fate, after, text in fates:
                if f"{kind} {fate}" in may:
                    found.append(Move(after, True, "{who} sends {what}: " + text, owner, request))
