"""One append and its verdict, shared by the step and the takeover (rules 4 and 5).

A machine of this room is a value in motion: every attribute is immutable, so `copy.copy` forks it, and
`state()` compares and hashes it. What it waits for is its outstanding `effect`; an event that does not answer
that is our bug, and changes nothing.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeVar

from schemas.errors import InvariantBroken
from schemas.journal import entry_hash
from streams.ledger import stops
from streams.ledger.chain import Head
from streams.ledger.effects import ENDINGS, Append, Effect, ReadJournal

_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class Flight:
    """An entry on its way: its bytes and their hash."""

    raw: bytes
    hash: str


class Appender(ABC):
    """A machine that appends to the journal, one entry at a time."""

    __slots__ = ("_flight", "effect", "head")

    effect: Effect | None
    """What to do next; None between two steps."""
    head: Head
    """The last accepted entry this machine builds on."""
    _flight: Flight | None

    def state(self) -> tuple[object, ...]:
        """Return everything that this machine is: equal states behave equally."""
        slots = (name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ()))
        return (type(self).__name__, *(getattr(self, name) for name in slots))

    def unacked(self) -> Effect:
        """Take that it is not known whether the outstanding effect happened: the same one again.

        For an append this is rule 5: the same bytes until an offset comes back. Absent at a look is no
        verdict, because a request can land late.
        """
        if self.effect is None or isinstance(self.effect, ENDINGS):
            raise InvariantBroken(f"nothing is under way that could be unacknowledged: {self.effect!r}")
        return self.effect

    def appended(self, offset: int) -> Effect | None:
        """Take the offset of this append's own acknowledgement (rule 4).

        Args:
            offset: Where the bytes stand; negative where the broker acknowledges a duplicate without saying
                where: then the bytes are appended again.
        """
        append = self._expect(Append)
        if offset < 0:
            return append
        if offset < self.head.next_offset:
            self.effect = stops.journal_went_back(offset, self.head.next_offset)
            return self.effect
        if self._is_accepted_at_once(offset):
            return self._accept(self._mine_at(offset))
        return self._read_back(self.head.next_offset, offset + 1)

    @abstractmethod
    def _accept(self, head: Head) -> Effect | None:
        """Go on after the verdict that the entry under way is the last accepted one."""

    def _read_back(self, start: int, end: int) -> Effect:
        """Judge all offsets up to this append's own before saying whose entry is the last accepted one."""
        self.effect = ReadJournal(start, end)
        return self.effect

    def _append(self, raw: bytes, hashed: str | None = None) -> Append:
        """Append an entry; its hash, where it is known already."""
        self._flight = Flight(raw, hashed or entry_hash(raw))
        self.effect = Append(raw)
        return self.effect

    def _is_accepted_at_once(self, offset: int) -> bool:
        """Nothing unjudged lies before this append's own offset, so nothing can have come between."""
        return offset == self.head.next_offset

    def _is_mine(self, head: Head) -> bool:
        """The last accepted of all up to mine has my bytes; my bytes among them are not enough."""
        return head.hash == self._in_flight().hash

    def _mine_at(self, offset: int) -> Head:
        epoch = self.head.epoch + self._raises_epoch()
        return Head(self.head.n + 1, epoch, self._in_flight().hash, offset + 1)

    def _raises_epoch(self) -> bool:
        """Whether what this machine appends is a takeover."""
        return False

    def _in_flight(self) -> Flight:
        if self._flight is None:
            raise InvariantBroken("no entry is under way")
        return self._flight

    def _expect(self, kind: type[_Kind]) -> _Kind:
        """Return the outstanding effect, which must be of this kind."""
        if not isinstance(self.effect, kind):
            raise InvariantBroken(
                f"an answer to {kind.__name__} came, and outstanding is {self.effect!r:.80}"
            )
        return self.effect
