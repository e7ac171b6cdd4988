"""The step: draft → append → verdict → publish → all acks → rows → head pointer → group offset (rule 11)."""

from collections.abc import Iterable
from dataclasses import replace

from schemas.errors import InvariantBroken
from schemas.journal import MAX_ENTRY_BYTES, HeadPointer, encode_content
from streams.ledger import stops
from streams.ledger.append import Appender
from streams.ledger.chain import Head, judge_slice, next_hashed
from streams.ledger.draft import Draft, Standing, content_of
from streams.ledger.effects import (
    Append,
    Commit,
    Effect,
    Publish,
    ReadJournal,
    Ready,
    Recover,
    WriteHead,
    WriteRows,
    batches,
    offsets,
)
from streams.ledger.takeover import last_runs

__all__ = ["Draft", "Step"]


class Step(Appender):
    """The machine of an owner at work: one draft after the other, each to its end.

    Nothing is published, written, committed or built on before the verdict. `effect` is None when the next
    draft may begin. After `Recover` or `Stop` the machine is of no further use.

    Args:
        ready: What the recovery ended with.
        writer: The nonce of this process.
    """

    __slots__ = ("_judged", "_standing", "_then", "_work", "writer")

    def __init__(self, ready: Ready, writer: str) -> None:
        content = ready.content
        self.writer = writer
        self.head = ready.head
        self.effect = None
        self._flight = None
        self._judged = ready.head
        self._standing = Standing(
            content.partition,
            offsets(content.positions),
            offsets(content.next_seq),
            ready.published_upto,
            tuple(sorted(content.topic_ids.items())),
            content.after,
            content.last_runs,
        )
        self._then = self._standing
        self._work: tuple[Effect, ...] = ()

    @property
    def standing(self) -> Standing:
        """Positions, next seq and published prefix after the last finished step."""
        return self._standing

    def begin(self, draft: Draft) -> Append:
        """Journal a draft.

        Raises:
            InvariantBroken: another step is under way, or the draft does not follow from the last accepted
                entry or is too large; nothing changed.
        """
        if self.effect is not None:
            raise InvariantBroken(f"one step at a time: outstanding is {self.effect!r:.80}")
        content = content_of(draft, self._standing)
        raw, hashed = next_hashed(self.head, self.writer, encode_content(content))
        if len(raw) > MAX_ENTRY_BYTES + draft.book_bytes:
            raise InvariantBroken(
                f"an entry of {len(raw)} bytes: a step must be cut before {MAX_ENTRY_BYTES}"
            )
        self._judged = self.head
        self._then = replace(
            self._standing,
            positions=offsets(draft.positions),
            next_seq=offsets(draft.next_seq),
            topic_ids=tuple(sorted(content.topic_ids.items())),
            after=draft.after,
            last_runs=last_runs(content),
        )
        self._work = self._order(draft)
        return self._append(raw, hashed)

    def journal_read(
        self,
        records: Iterable[tuple[int, bytes | None]],
        *,
        upto: int,
        log_start: int,
        log_end: int,  # noqa: ARG002 - one answer to a read, whoever asked
    ) -> Effect | None:
        """Take journal records that lie before this entry's own offset, and that one.

        Args:
            records: Offset and value, rising, none left out below `upto` but offsets that hold nothing.
            upto: How far this answer goes; may be less than asked: the rest is asked for again.
            log_start: First offset that the journal partition still has.
            log_end: Not needed here; the answer is the same as the recovery's.
        """
        reading = self._expect(ReadJournal)
        if log_start > reading.start:
            self.effect = stops.journal_cut(reading.start, log_start)
            return self.effect
        self._judged = self._judge(records, upto)
        if reading.end is not None and upto < reading.end:
            self.effect = ReadJournal(upto, reading.end)
            return self.effect
        if self._is_mine(self._judged):
            return self._accept(self._judged)
        self.effect = Recover(
            f"entry n={self.head.n + 1} is void: another writer's came first, and the journal is now at "
            f"n={self._judged.n}, epoch {self._judged.epoch}"
        )
        return self.effect

    def published(self) -> Effect | None:
        """Take that every record of the batches is acknowledged: the prefix is dense up to here (rule 13)."""
        self._expect(Publish)
        return self._go_on()

    def rows_written(self) -> Effect | None:
        """Take that the rows are in the changelog."""
        self._expect(WriteRows)
        return self._go_on()

    def head_written(self) -> Effect | None:
        """Take that the head pointer is in the changelog."""
        self._expect(WriteHead)
        return self._go_on()

    def committed(self) -> Effect | None:
        """Take that the group knows the positions."""
        self._expect(Commit)
        return self._go_on()

    def _judge(self, records: Iterable[tuple[int, bytes | None]], upto: int) -> Head:
        head, _ = judge_slice(self._judged, records, upto)
        return head

    def _order(self, draft: Draft) -> tuple[Effect, ...]:
        """Return what follows the verdict. What the head pointer says is known only then: see `_go_on`."""
        work: list[Effect] = []
        if any(draft.publish.values()):
            work.append(Publish(batches(draft.publish)))
        if draft.rows:
            work.append(WriteRows(draft.rows))
        work.append(WriteHead(_UNKNOWN))
        if draft.commit:
            work.append(Commit(offsets(draft.commit)))
        return tuple(work)

    def _accept(self, head: Head) -> Effect | None:
        self.head = head
        return self._go_on()

    def _go_on(self) -> Effect | None:
        if not self._work:
            # every output of the entry is acknowledged, so the next entry may say so
            self._standing = replace(self._then, published_upto=self._then.next_seq)
            self._flight = None
            self.effect = None
            return None
        effect, *rest = self._work
        if isinstance(effect, WriteHead):
            effect = WriteHead(HeadPointer(self.head.hash, self.head.next_offset))
        self._work = tuple(rest)
        self.effect = effect
        return effect


_UNKNOWN = HeadPointer("0" * 64, 1)
