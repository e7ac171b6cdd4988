"""What a new owner knows of its partition from the accepted entries that it has read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from msgspec.structs import replace as evolve

from schemas import topics
from schemas.journal import (
    EntryContent,
    EntryUnreadable,
    Envelope,
    Run,
    decode_content,
    encode_content,
    read_content,
)
from streams.ledger import takeover
from streams.ledger.chain import Accepted
from streams.ledger.effects import Offsets, Record, Rows
from streams.ledger.owed import Owed, settled

EffectsOf = Callable[[EntryContent, int], tuple[Rows, Mapping[str, tuple[Record, ...]]]]
"""From a content and its n to row changes, and records by topic (outputs in the order of their seq).

The n is there for the statuses, which carry it (rule 24). Raises `AuditError` for a content that it cannot
handle: then the worker stops (rule 3).
"""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is taken over, and by whom."""

    partition: int
    writer: str
    """The nonce of this process."""
    effects_of: EffectsOf
    """What follows from an entry: the core's, and all that this room knows of it."""
    time: str = "clock"
    """`clock` or `records`, for the takeover entry."""
    inputs: tuple[str, ...] = topics.INPUTS
    outputs: tuple[str, ...] = topics.OUTPUTS
    """Topics whose records have a seq; short names."""
    lost_allowed: Offsets = ()
    """By topic the accepted position at which an operator takes a loss upon himself (rule 19)."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the accepted entries up to the last one say."""

    assignment: Assignment
    carried: bytes
    """What a takeover repeats, encoded: a value that can be compared and hashed."""
    owed: Owed

    @property
    def tip(self) -> EntryContent:
        """What a takeover repeats, with the topics of this release."""
        assignment = self.assignment
        return takeover.with_topics(
            decode_content(self.carried), assignment.inputs, assignment.outputs, assignment.time
        )

    def at_head(self, envelope: Envelope) -> "Known":
        """Return what is known after the entry of the table's head pointer: nothing is owed (rule 14)."""
        content = self._content(envelope)
        carried = takeover.carried(content, decode_content(self.carried))
        return replace(self, carried=encode_content(carried), owed=settled(content))

    def after(self, accepted: Iterable[Accepted]) -> tuple["Known", Rows]:
        """Return what is known after more entries, and the rows that they changed.

        Raises:
            AuditError: an entry cannot be handled; the reader stops.
        """
        carried, owed = decode_content(self.carried), self.owed
        changed: list[tuple[bytes, bytes | None]] = []
        for one in accepted:
            content = self._content(one.envelope)
            rows, publish = self.assignment.effects_of(content, one.envelope.n)
            owed = owed.after(content, publish, takeover=one.is_takeover)
            carried = takeover.carried(content, carried)
            changed.extend(rows)
        return replace(self, carried=encode_content(carried), owed=owed), tuple(changed)

    def rows_of(self, accepted: Iterable[Accepted]) -> Rows:
        """Return the rows that entries changed, without learning anything else from them."""
        effects_of = self.assignment.effects_of
        return tuple(
            row for one in accepted for row in effects_of(self._content(one.envelope), one.envelope.n)[0]
        )

    def takeover(self, ids: Iterable[tuple[str, str]], lost: tuple[Run, ...]) -> EntryContent:
        """Return the content of the takeover: all that is known, and what the broker said of the inputs."""
        tip = self.tip
        content = evolve(
            tip,
            topic_ids={**tip.topic_ids, **dict(ids)},
            published_upto={**tip.published_upto, **dict(self.owed.published_upto)},
        )
        return takeover.after_losses(content, lost)

    def _content(self, envelope: Envelope) -> EntryContent:
        content = read_content(envelope)
        if content.partition != self.assignment.partition:
            raise EntryUnreadable(
                f"journal entry n={envelope.n} of partition {self.assignment.partition} is one of partition "
                f"{content.partition}: the journal was copied wrongly. Nothing was decided. Restore it from a "
                "replica, a backup or a `nameplate journal export FILE`."
            )
        return content


def unknown(assignment: Assignment) -> Known:
    """Return what is known before anything is read: the genesis."""
    genesis = takeover.genesis(assignment.partition, assignment.inputs, assignment.outputs, assignment.time)
    return Known(assignment, encode_content(genesis), Owed())
