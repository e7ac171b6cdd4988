"""What a fold worked out, as a draft for the journal: the one place where the two meet."""

from collections.abc import Mapping
from dataclasses import replace

from schemas import topics
from schemas.account import pack, row_of_json
from schemas.instant import parse
from schemas.journal import EntryContent, encode_content
from schemas.outputs import TOPIC_OF_TYPE
from schemas.policy import PolicyBook
from schemas.wire import canonical
from streams.core.fold import Fold, Work
from streams.core.sealing import headers_of, output_key, status_of
from streams.ledger.chain import GENESIS, Head, after_own, next_entry
from streams.ledger.draft import Draft, Standing, content_of
from streams.ledger.effects import Headers, Record, Rows, offsets

WRITER_HEADER = "nameplate-writer"
"""On a status: who wrote it, so that its owner knows a stranger's (rule 24)."""
ENTRY_HEADER = "nameplate-entry"
"""On a status: the entry after which it was true. A tombstone has no other place for it."""


def draft_of(fold: Fold, work: Work, *, writer: str | None = None) -> Draft:
    """Return the draft of the next entry.

    Args:
        fold: Whose work it is.
        work: What it took and decided.
        writer: The nonce of a worker: then statuses name it, and the group is told the positions.
            None for files.
    """
    entry = fold.next_entry - 1  # the fold is past this work
    publish: dict[str, tuple[Record, ...]] = dict(work.publish)
    if writer is not None and topics.STATUS in publish:
        headers = status_headers(writer, entry)
        publish[topics.STATUS] = tuple([(key, value, headers) for key, value, _ in publish[topics.STATUS]])
    return Draft(
        partition=fold.partition,
        time=fold.time,
        runs=work.runs,
        positions=work.positions,
        T=work.T,
        book=work.book,
        decisions=work.decisions,
        next_seq=work.next_seq,
        state_root=work.state_root,
        more=work.after is not None,
        after=work.after,
        rows=work.rows,
        publish=publish,
        commit=work.positions if writer is not None else {},
        book_bytes=work.book_bytes,
    )


def follows_from(
    content: EntryContent, entry: int, book: PolicyBook | None, writer: str
) -> tuple[Rows, Mapping[str, tuple[Record, ...]]]:
    """Return the rows and the records that follow from an accepted entry: what `draft_of` had put beside it.

    Args:
        content: The entry's content.
        entry: Its number.
        book: The book that the content names.
        writer: The nonce of the worker that publishes them.
    """
    rows: list[tuple[bytes, bytes | None]] = []
    publish: dict[str, list[Record]] = {}
    for decision in content.decisions:
        for output in decision["outputs"]:
            record = (output_key(output), canonical(output), headers_of(output))
            publish.setdefault(TOPIC_OF_TYPE[output["type"]], []).append(record)
        if "dead" in decision:
            publish.setdefault(topics.DEAD_LETTERS, []).append((None, canonical(decision["dead"]), ()))
        if "after" in decision and book is not None:
            key, after = decision["key"], decision["after"]
            row = row_of_json(after) if after is not None else None
            rows.append((key.encode(), pack(row) if row is not None else None))
            policy = book.policies.get(key.partition(":")[0])
            status = status_of(key, policy, row, parse(decision["T"]), entry)
            publish.setdefault(topics.STATUS, []).append((*status, status_headers(writer, entry)))
    return tuple(rows), {topic: tuple(records) for topic, records in publish.items()}


def status_headers(writer: str, entry: int) -> Headers:
    """Return the headers of an `account-status` record."""
    return ((WRITER_HEADER, writer.encode()), (ENTRY_HEADER, b"%d" % entry))


class Chain:
    """A journal partition that only one process writes: every entry is accepted as it is made.

    Args:
        partition: Its number.
        writer: What the entries name as their writer.
    """

    def __init__(self, partition: int, writer: str) -> None:
        zero = offsets(dict.fromkeys(topics.OUTPUTS, 0))
        self.head: Head = GENESIS
        self._writer = writer
        self._standing = Standing(partition, offsets(dict.fromkeys(topics.INPUTS, 0)), zero, zero, (), None)

    def append(self, draft: Draft) -> bytes:
        """Return the bytes of the next entry, and stand behind it.

        Raises:
            InvariantBroken: the draft does not follow from the entry before.
        """
        entry = next_entry(self.head, self._writer, encode_content(content_of(draft, self._standing)))
        self.head = after_own(self.head, entry)
        self._standing = replace(
            self._standing,
            positions=offsets(draft.positions),
            next_seq=offsets(draft.next_seq),
            published_upto=offsets(draft.next_seq),
            after=draft.after,
        )
        return entry
