"""Which states are alike, so that only one of them has to be visited.

Nobody looks into a hash, a number, a nonce or an offset: they are compared, and counted on. So the past of a journal
matters only by what can be learned from it now. Two states are alike if they agree in

- the state that the accepted entries lead to, what is visible, and what there is of the inputs;
- of the table: its rows, and what a new owner would find from its head pointer on: rows changed, records owed;
- of each owner: what it has, what it is about to send, and what it would find if it read the journal now;
- of each late request: what it would do; where another entry was faster, nothing but to leave a void record.

Then every move of one is a move of the other, and leads to states that are alike again. This is an argument, not a
proof; `search.alike` holds it, move by move, against searches in which every state is told from every other one.
"""

from collections.abc import Iterable
from typing import Any

from schemas.journal import GENESIS_HASH
from streams.ledger.effects import Append, WriteHead
from streams.ledger.owed import Owed, settled
from streams.ledger.recovery import Recovery
from streams.ledger.step import Step

from .broker import APPEND, HEAD, PUBLISH, Inputs, Late, Outputs, Table, changed
from .broker import seen as seen_after
from .owner import IDLE, READ, TAILS, Owner
from .reader import Entry, content_bytes, told
from .worlds import TABLE_LOST, World

CURRENT, LANDED, PAST = "current", "landed", "past"


class Likeness:
    """Numbers for states, equal for states that are alike.

    Args:
        world: Whose states.
    """

    def __init__(self, world: World) -> None:
        self._table_may_be_lost = TABLE_LOST in world.may
        self._numbers: dict[Any, int] = {}
        self._memo: dict[Any, int] = {}

    def __call__(self, state: Any) -> int:
        """Return the number of everything that is like this state."""
        journal, table, outputs, inputs, late, one, other = state
        tip, memo = journal.tip, self._memo
        key: Any = ("tip", tip.id)
        tip_part = memo.get(key)
        if tip_part is None:
            whole = from_pointer(None, (), tip) if self._table_may_be_lost else ()
            tip_part = memo[key] = self._number((tip.state, tip.fired, tip.dead, whole))
        key = ("table", table.id, tip.id)
        table_part = memo.get(key)
        if table_part is None:
            table_part = memo[key] = self._number(table_seen(table, tip))
        late_part = 0
        if late.requests:
            key = ("late", late.id, tip.id, outputs.id, one.id, other.id)
            if key not in memo:
                left = late_seen(late, tip, outputs, (one, other))
                memo[key] = self._number(left) if left else 0
            late_part = memo[key]
        parts = []
        for owner in (one, other):
            key = (owner.id, late.id, inputs.id, journal.length if is_near(owner, tip) else -1, tip.id)
            part = memo.get(key)
            if part is None:
                part = memo[key] = self._number(owner_seen(owner, journal, late, inputs))
            parts.append(part)
        small, large = parts if parts[0] < parts[1] else parts[::-1]
        low = ((((tip_part << 24 | table_part) << 24 | late_part) << 24 | small) << 24) | large
        return low << 28 | outputs.id << 12 | inputs.id

    def _number(self, part: Any) -> int:
        found = self._numbers.get(part)
        if found is None:
            found = self._numbers[part] = len(self._numbers) + 1
            if found >= 1 << 24:
                raise OverflowError("too many parts of states")
        return found


def is_near(owner: Owner, tip: Entry) -> bool:
    """Return whether the void records after its head can matter to an owner."""
    head = getattr(owner.machine, "head", None)
    return head is not None and head.hash == tip.hash


def read(rows: Any, unwritten: Iterable[bytes], owed: Owed, entries: Iterable[Entry]) -> Any:
    """Return rows, unwritten keys and what is owed once entries are read."""
    keys = set(unwritten)
    for entry in entries:
        more, publish = entry.follows
        rows = changed(rows, more)
        keys |= {key for key, _ in more}
        owed = owed.after(entry.content, publish, takeover=entry.is_takeover)
    return rows, tuple(sorted(keys)), owed


def from_pointer(pointer: Any, rows: Any, tip: Entry) -> Any:
    """Return what an owner finds that begins with rows and a head pointer now."""
    entries = tip.after(GENESIS_HASH if pointer is None else pointer.hash)
    if entries is None:
        return "nowhere", pointer, rows
    owed = Owed()
    if pointer is not None:
        at = entries[0].before if entries else tip
        owed = settled(at.content)
    return read(rows, (), owed, entries)


def table_seen(table: Table, tip: Entry) -> Any:
    return table.rows, table.group, from_pointer(table.head, table.rows, tip)


def late_seen(late: Late, tip: Entry, outputs: Outputs, owners: tuple[Owner, ...]) -> Any:
    found = []
    under_way = {one.id for owner in owners for lane in owner.requests for one in lane}
    for request in late.requests:
        if request.kind == APPEND:
            seen = when(tip, request.payload)
            if seen in (LANDED, PAST):
                found.append((PAST,))
            elif request.id not in under_way:
                found.append((seen, content_of(request.payload, tip)))
        elif request.kind == HEAD:
            found.append((HEAD, pointed(request.payload, tip)))
        elif request.kind != PUBLISH or seen_after(outputs, request.payload, "", tip)[:2] != (
            outputs.marks,
            outputs.dead,
        ):
            found.append((request.kind, request.id))
    return tuple(sorted(found, key=repr))


def pointed(pointer: Any, tip: Entry) -> Any:
    """Return what a head pointer would let somebody find, but for the rows."""
    rows, keys, owed = from_pointer(pointer, (), tip)
    return keys, owed, rows if keys == "nowhere" else ()


def when(tip: Entry, raw: bytes) -> str:
    """Return whether an entry may be accepted yet, was the last one to be, or is void wherever it lands."""
    said = told(raw)
    if said.prev == tip.hash:
        return CURRENT
    if said.hash == tip.hash:
        return LANDED
    return PAST if tip.after(said.prev) is not None else said.hash


def content_of(raw: bytes, tip: Entry) -> Any:
    """Return what an entry says beside its place in the chain."""
    return content_bytes(raw), told(raw).epoch - tip.epoch


def owner_seen(owner: Owner, journal: Any, late: Late, inputs: Inputs) -> Any:
    """Return what of an owner can matter."""
    machine, tip = owner.machine, journal.tip
    if type(machine) is Step:
        # what arrives is taken by what it has, be it overtaken
        taking = (owner.intake, owner.core) if inputs.arrive else ()
        return owner.mine, taking, *_step_seen(owner, journal, late, inputs)
    if type(machine) is Recovery:
        return owner.mine, *_recovery_seen(owner, journal, late, inputs)
    return ("exactly", owner.id, tip.id) if owner.id else ()


def _lanes(owner: Owner) -> Any:
    """Return what is to be sent yet; a head pointer is the reader's to describe."""
    return tuple(tuple("head" if one.kind == HEAD else one.id for one in lane) for lane in owner.requests)


def _copies(owner: Owner, late: Late) -> int:
    return sum(one is owner.requests[0][0] for one in late.requests)


def _recovery_seen(owner: Owner, journal: Any, late: Late, inputs: Inputs) -> Any:
    machine, tip = owner.machine, journal.tip
    if owner.kind == TAILS:
        return "begins", from_pointer(machine._pointer, owner.rows, tip)
    entries = tip.after(machine.head.hash)
    if entries is None:
        return "nowhere", owner.id, tip.id
    if owner.kind == READ:
        found = read(owner.rows, owner.unwritten, machine._known.owed, entries)
        return "reads", machine.rebuilt, found
    if isinstance(machine.effect, Append):
        seen = when(tip, machine.effect.raw)
        found = machine.rebuilt, read(owner.rows, owner.unwritten, machine._known.owed, entries)
        if seen == CURRENT:
            shift = journal.length - machine.head.next_offset
            return "takes over", seen, found, shift, _copies(owner, late), content_bytes(machine.effect.raw)
        return "takes over", seen, found
    shift = -1 if entries else journal.length - machine.head.next_offset
    ahead = "" if entries else "current"
    begins = entries[0].before.state if entries and inputs.arrive else ()
    return (
        "publishes",
        ahead,
        shift,
        _lanes(owner),
        owner.rows,
        owner.unwritten,
        _head_seen(owner, tip),
        begins,
    )


def _head_seen(owner: Owner, tip: Entry) -> Any:
    """Return what follows the entry that an owner stands on: who reads from there finds it."""
    return pointed(owner.machine.head, tip)


def _step_seen(owner: Owner, journal: Any, late: Late, inputs: Inputs) -> Any:
    machine, tip = owner.machine, journal.tip
    if tip.after(machine.head.hash) is None:
        return "nowhere", owner.id, tip.id
    # after a void entry it begins again with its own view, if the group lets it
    again = from_pointer(owner.head, owner.rows, tip) if owner.mine else ()
    is_current = machine.head.hash == tip.hash
    shift = journal.length - machine.head.next_offset if is_current else -1
    if owner.kind == IDLE:
        return ("idle", shift, owner.rows) if is_current else ("idle", PAST, can_go_on(owner, inputs), again)
    if isinstance(machine.effect, Append):
        seen = when(tip, machine.effect.raw)
        if seen == CURRENT:
            content = content_bytes(machine.effect.raw)
            return "appends", seen, shift, _copies(owner, late), content, owner.rows, again
        if seen == LANDED:
            return "appends", seen, _work(machine), owner.rows
        return "idle", PAST, again
    left = _lanes(owner), _work(machine), owner.rows, _head_seen(owner, tip)
    return "follows", shift, left, again if not is_current else ()


def can_go_on(owner: Owner, inputs: Inputs) -> bool:
    """Return whether an owner has anything left to take."""
    return any(at < len(inputs.records[topic]) for topic, at in owner.core.positions)


def _work(machine: Step) -> Any:
    return tuple("head" if isinstance(effect, WriteHead) else effect for effect in machine._work)
