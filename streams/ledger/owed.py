"""What a new owner must publish again: everything after the head pointer from `published_upto` (rule 15).

Outputs are counted by their seq. Statuses and dead letters have none; of them the rest is known by rule 11:
an entry that is no takeover was begun only after everything before it was acknowledged, so it settles what
was owed. A takeover settles nothing: it stands before its owner has published anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.errors import AuditError
from schemas.journal import EntryContent
from streams.ledger.effects import Batches, Offsets, Record, batches, offsets


@dataclass(frozen=True, slots=True)
class Owed:
    """Records that may not be published yet, after the last accepted entry."""

    published_upto: Offsets = ()
    """Per output topic the dense prefix that is known to be acknowledged."""
    outputs: Batches = ()
    others: Batches = ()

    def after(
        self, content: EntryContent, publish: Mapping[str, tuple[Record, ...]], *, takeover: bool
    ) -> "Owed":
        """Return what is owed after one more accepted entry.

        Raises:
            AuditError: the entry has not as many outputs as its `next_seq` says.
        """
        upto = {**content.published_upto, **dict(self.published_upto)}
        upto = {topic: max(seq, content.published_upto.get(topic, 0)) for topic, seq in upto.items()}
        before = dict(self.outputs)
        outputs = {}
        for topic, next_seq in content.next_seq.items():
            count = next_seq - upto.get(topic, 0)
            records = before.get(topic, ()) + tuple(publish.get(topic, ()))
            if not 0 <= count <= len(records):
                raise AuditError(
                    f"Of {topic} the outputs from seq {upto.get(topic, 0)} to {next_seq - 1} are owed, and "
                    f"only {len(records)} are in the entries after the head pointer. Nothing was published. Delete the "
                    "table (the topic rows-changelog), make it anew with `nameplate topics apply`, and the next worker "
                    "reads the journal from its start."
                )
            outputs[topic] = records[len(records) - count :]
        others = {topic: records for topic, records in publish.items() if topic not in content.next_seq}
        for topic, records in self.others if takeover else ():
            others[topic] = records + tuple(others.get(topic, ()))
        return Owed(offsets(upto), batches(outputs), batches(others))

    @property
    def all(self) -> Batches:
        """Everything to publish, by topic."""
        return tuple(sorted((*self.outputs, *self.others)))


def settled(content: EntryContent) -> Owed:
    """Return what is owed after an entry that a head pointer names: nothing (rule 14)."""
    return Owed(offsets(content.next_seq))
