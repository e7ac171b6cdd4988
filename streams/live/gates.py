"""Which partitions may deliver, from where, and what of them is accepted: the transport's book-keeping.

Pure: it knows neither Faust nor Kafka. The consumer thread puts gates while the main thread shuts them, so an
assignment is ended and a gate put under one lock; everything else is read and written by single operations.
"""

import threading
from collections.abc import Mapping

from schemas.errors import InvariantBroken, TransportError
from streams.live.fetched import Run

Place = tuple[str, int]


class Revoked(TransportError):
    """The partition is not this worker's any more: what was to be done for it is its next owner's."""

    code = "revoked"

    def __init__(self, place: Place | None) -> None:
        super().__init__(f"{place or 'nothing'} is assigned to this worker now; the work on it ends here")


class Gate:
    """One opening of a partition: all that is delivered through it is contiguous from `opened` on."""

    __slots__ = ("accepted", "committed", "fetched", "handed", "log_end", "place")

    def __init__(self, place: Place, opened: int) -> None:
        self.place = place
        self.fetched = opened  # next offset to fetch; the consumer thread's
        self.handed = opened  # next offset to hand over
        self.accepted = opened  # next offset to commit: where it opened is accepted by definition
        self.committed: int | None = None
        self.log_end = opened  # where the log ended when a run was fetched last; the consumer thread's

    def fetch(self, run: Run) -> None:
        """Pass a run on its way in.

        Raises:
            InvariantBroken: there is a hole or an overlap.
        """
        if run.start != self.fetched:
            raise InvariantBroken(f"{run} was fetched where offset {self.fetched} was due")
        self.fetched = run.end


class Gates:
    """The gates of one worker, by topic and partition."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.assignment = 0  # numbers the assignments of this worker; 0 between two of them
        self.open: dict[Place, Gate] = {}
        self._ledger: dict[Place, Gate] = {}  # shut ones too, until they are forgotten
        self._count = 0

    def begin(self) -> None:
        """Begin an assignment: from now on gates can be put."""
        with self.lock:
            self.forget()
            self._count += 1
            self.assignment = self._count

    def end(self) -> bool:
        """End the assignment: no gate can be put any more. True if there was one."""
        with self.lock:
            was, self.assignment = self.assignment, 0
            return bool(was)

    def put(self, place: Place, gate: Gate, *, mended: bool = False) -> None:
        """Open a partition, or open it anew; a mended gate goes on with the accepted position of the one before."""
        before = self._ledger.get(place)
        if mended and before is not None:
            gate.accepted, gate.committed = before.accepted, before.committed
            gate.log_end = before.log_end
        self._ledger[place] = self.open[place] = gate

    def shut(self, place: Place) -> None:
        """Deliver nothing more of a partition."""
        self.open.pop(place, None)

    def forget(self) -> None:
        """Drop everything, accepted positions too."""
        self.open.clear()
        self._ledger.clear()

    def take(self, run: Run) -> bool:
        """Hand a run over, in order; false if it came through a gate that is not open any more.

        Raises:
            InvariantBroken: runs were lost or doubled on the way from the fetch to here. The consumer mends lost ones.
        """
        gate: Gate = run.gate
        if self.open.get((run.topic, run.partition)) is not gate:
            return False
        if run.start != gate.handed:
            raise InvariantBroken(f"{run} arrived where offset {gate.handed} was due")
        gate.handed = run.end
        return True

    def accepted(self, place: Place, offset: int) -> bool:
        """Note an accepted position; false if the partition was not opened in this assignment.

        Raises:
            InvariantBroken: it goes back, or beyond what was handed over.
        """
        gate = self._ledger.get(place)
        if gate is None:
            return False
        if not gate.accepted <= offset <= gate.handed:
            raise InvariantBroken(
                f"{place}: {offset} accepted after {gate.accepted}, handed over to {gate.handed}"
            )
        gate.accepted = offset
        return True

    def find(self, place: Place) -> Gate | None:
        """Return the last gate of a partition in this assignment, open or shut."""
        return self._ledger.get(place)

    def uncommitted(self) -> dict[Place, int]:
        """Return the accepted positions that the group does not have yet."""
        return {
            place: gate.accepted
            for place, gate in list(self._ledger.items())
            if gate.accepted != gate.committed
        }

    def committed(self, offsets: Mapping[Place, int]) -> None:
        """Note what the group has now."""
        for place, offset in offsets.items():
            if place in self._ledger:
                self._ledger[place].committed = offset
