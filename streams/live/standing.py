"""Where the partitions of a worker stand: what its metrics tell, and what its watchdog expects to move.

Reads what others keep, and changes nothing. The metrics ask from a thread of their own.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from schemas import topics
from schemas.instant import FOREVER
from streams.core.decider import BEFORE_TIME
from streams.ledger import effects
from streams.live.owner import Owner
from streams.live.ports import Ports
from streams.live.watchdog import Watched

WAITS_FOR: Mapping[type, str] = {
    effects.Append: "the acknowledgement of a journal entry",
    effects.ReadJournal: "records of the journal",
    effects.ReadTails: "the last records of the outputs",
    effects.CheckInputs: "the broker's word on the inputs",
    effects.Publish: "the acknowledgement of outputs",
    effects.WriteRows: "the acknowledgement of rows of the table",
    effects.WriteApplied: "the acknowledgement of rows of the table",
    effects.WriteHead: "the acknowledgement of the table's head pointer",
    effects.Seek: "the consumer to seek the inputs",
}
"""By effect what the broker owes; the others need no broker."""


class Standing(NamedTuple):
    """Where one owned partition stands."""

    T: int | None
    """In µs; None before any."""
    next_due: int | None
    """In µs; None where nothing is due."""
    open_duties: int
    lag: Mapping[str, int]
    """By input topic how many records are known to be in the log and not taken."""


def standing_of(owner: Owner, ports: Ports) -> Standing:
    """Return where an owner stands whose recovery is over.

    How long a log is, the answers to its fetches say, and the broker's word at the takeover; nobody is asked
    for it. A topic that is held back or not fetched may be longer.
    """
    fold, lag = owner.fold, {}
    decider = fold.decider
    for topic in owner.inputs:
        end = max(owner.ends_at_start.get(topic, 0), ports.log_end(topic, owner.partition))
        lag[topic] = max(0, end - fold.positions[topic])
    due = decider.agenda.next_at
    return Standing(
        None if decider.T == BEFORE_TIME else decider.T,
        None if due == FOREVER else due,
        decider.open_duties,
        lag,
    )


def watched_at_work(owner: Owner) -> Iterator[Watched]:
    """Yield an owner while it recovers or works, and not while it waits for something to come."""
    if not owner.is_idle:
        performer, positions = owner.performer, owner.fold.positions if owner.is_recovered else {}
        moves = (performer.moves, *positions.values())
        waits_for = WAITS_FOR.get(type(performer.effect), "its own work")
        yield Watched(f"partition {owner.partition}", moves, waits_for, owner.partition)


def watched_inputs(owner: Owner, ports: Ports) -> Iterator[Watched]:
    """Yield the inputs on their way to an owner that takes records."""
    partition = owner.partition
    for topic in owner.inputs if owner.is_recovered else ():
        delivered = owner.books_to if topic == topics.BOOKS else ports.delivered(topic, partition)
        if delivered is not None:
            name = f"{topic} of partition {partition}"
            yield Watched(name, delivered, "the transport to deliver it", partition, (topic, delivered))
