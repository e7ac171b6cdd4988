"""What is put in the place of the machines, the hands and their functions to plant a flaw: see `flaws`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as evolve

from schemas.digest import digest_of
from schemas.journal import HeadPointer, encode_content
from streams.journaling import WRITER_HEADER
from streams.ledger import owed, takeover
from streams.ledger.chain import Head, judge, next_entry
from streams.ledger.effects import (
    Append,
    Commit,
    Publish,
    ReadJournal,
    ReadTails,
    WriteHead,
    WriteRows,
    batches,
)
from streams.ledger.recovery import Recovery
from streams.ledger.step import Step
from streams.live import statuses

from . import tiny
from .intake import Clocked
from .owner import Hands

# The step ----------------------------------------------------------------------------------------


class AckIsVerdict(Step):
    """Every acknowledged entry is taken for accepted."""

    __slots__ = ()

    def _is_accepted_at_once(self, offset: int) -> bool:
        return offset >= self.head.next_offset


class ReadBackOwn(Step):
    """The read-back looks for its own entry, and takes the returned offset for the last judged."""

    __slots__ = ()

    def _judge(self, records: Any, upto: int) -> Head:
        head = self._judged
        for offset, raw in records:
            if head.hash == self._in_flight().hash:
                break
            head, _ = judge(head, offset, raw)
        return Head(head.n, head.epoch, head.hash, upto)


class HeadFirst(Step):
    """The head pointer is written before the outputs are acknowledged."""

    __slots__ = ()

    def _order(self, draft: Any) -> Any:
        return tuple(sorted(super()._order(draft), key=lambda effect: not isinstance(effect, WriteHead)))


class HeadBeforeRows(Step):
    """The head pointer is written before the rows."""

    __slots__ = ()

    def _order(self, draft: Any) -> Any:
        return tuple(sorted(super()._order(draft), key=lambda effect: isinstance(effect, WriteRows)))


class CommitFirst(Step):
    """Positions are committed before anything is published."""

    __slots__ = ()

    def _order(self, draft: Any) -> Any:
        return tuple(sorted(super()._order(draft), key=lambda effect: not isinstance(effect, Commit)))


class Early(Step):
    """Something happens before the entry is appended; the rest as always, and that again."""

    __slots__ = ("_waiting",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._waiting: Append | None = None

    def first(self, draft: Any) -> Any:
        """Return what happens first."""
        raise NotImplementedError

    def begin(self, draft: Any) -> Any:
        append = super().begin(draft)
        if effect := self.first(draft):
            self._waiting, self.effect = append, effect
        return self.effect

    def _go_on(self) -> Any:
        if self._waiting is None:
            return super()._go_on()
        self.effect, self._waiting = self._waiting, None
        return self.effect


class PublishFirst(Early):
    """Outputs leave before the entry is accepted."""

    __slots__ = ()

    def first(self, draft: Any) -> Any:
        return Publish(batches(draft.publish)) if any(draft.publish.values()) else None


class RowsFirst(Early):
    """Rows are written before the entry is accepted."""

    __slots__ = ()

    def first(self, draft: Any) -> Any:
        return WriteRows(draft.rows) if draft.rows else None


class GiveUpOnSilence(Step):
    """No acknowledgement is taken for a verdict: the entry is thought lost, and the next draft begins."""

    __slots__ = ()

    def unacked(self) -> Any:
        if isinstance(self.effect, Append):
            self._work = ()
            return self._go_on()
        return super().unacked()


class SilenceIsConsent(Step):
    """No acknowledgement is taken for acceptance: the next one would say it."""

    __slots__ = ()

    def unacked(self) -> Any:
        if isinstance(self.effect, Append):
            return self._accept(self._mine_at(self.head.next_offset))
        return super().unacked()


class PublishOnce(Step):
    """An output that was not acknowledged is not sent again."""

    __slots__ = ()

    def unacked(self) -> Any:
        return self.published() if isinstance(self.effect, Publish) else super().unacked()


class PublishedTooSoon(Step):
    """An entry says of its own outputs that they are published."""

    __slots__ = ()

    def begin(self, draft: Any) -> Any:
        self._standing = replace(self._standing, published_upto=tuple(sorted(draft.next_seq.items())))
        return super().begin(draft)


class VoidGoesOn(Step):
    """After a void entry the owner goes on with what it has."""

    __slots__ = ()

    def journal_read(self, *args: Any, **more: Any) -> Any:
        if super().journal_read(*args, **more) is not None and type(self.effect).__name__ == "Recover":
            self.head, self._work = self._judged, ()
            return self._go_on()
        return self.effect


class HeadOneOff(Step):
    """The head pointer has the entry's own offset."""

    __slots__ = ()

    def _go_on(self) -> Any:
        effect = super()._go_on()
        if isinstance(effect, WriteHead) and effect.pointer.offset > 1:
            self.effect = WriteHead(HeadPointer(effect.pointer.hash, effect.pointer.offset - 1))
        return self.effect


# The takeover ------------------------------------------------------------------------------------


class AckIsVerdictOfTakeover(Recovery):
    """Every acknowledged takeover is taken for accepted."""

    __slots__ = ()

    def _is_accepted_at_once(self, offset: int) -> bool:
        return offset >= self.head.next_offset


class VerdictNotAwaited(Recovery):
    """A takeover without acknowledgement is taken for accepted."""

    __slots__ = ()

    def unacked(self) -> Any:
        if isinstance(self.effect, Append):
            return self._accept(self._mine_at(self.head.next_offset))
        return super().unacked()


class NoTakeover(Recovery):
    """A new owner goes on where the last entry stands, and writes no takeover."""

    __slots__ = ()

    def _append(self, raw: bytes) -> Any:
        super()._append(raw)
        return self._established()

    def rows_written(self) -> Any:
        super().rows_written()
        return self.head_written()

    def _own_content(self) -> Any:
        return self._known.tip


class SameEpoch(Recovery):
    """A takeover does not raise the epoch."""

    __slots__ = ()

    def _append(self, _: bytes) -> Any:
        content = encode_content(self._known.takeover(self._ids, self._lost))
        return super()._append(next_entry(self.head, self.assignment.writer, content))

    def _raises_epoch(self) -> bool:
        return False


class NoRoot(Recovery):
    """The rows of the table are believed."""

    __slots__ = ()

    def _root_agrees(self, *_: str) -> bool:
        return True


class NothingAgain(Recovery):
    """A new owner publishes nothing again."""

    __slots__ = ()

    def _established(self) -> Any:
        super()._established()
        self.effect = Publish(())
        return self.published()


class OutputsAgainOnly(Recovery):
    """A new owner publishes outputs again, and forgets dead letters."""

    __slots__ = ()

    def _established(self) -> Any:
        super()._established()
        self.effect = Publish(self._known.owed.outputs)
        return self.effect if self._known.owed.outputs else self.published()


class NothingOfTheJournal(Recovery):
    """A new owner believes the table's head pointer, and does not read on."""

    __slots__ = ()

    def _find_head(self, *args: Any) -> Any:
        if isinstance(super()._find_head(*args), ReadJournal):
            return self._check_tails()
        return self.effect


class TailsLast(Recovery):
    """The output tails are read after the journal."""

    __slots__ = ()

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        super().tails_are({})

    def _check_tails(self) -> Any:
        return self._do(ReadTails(self.assignment.outputs))

    def tails_are(self, tails: Mapping[str, int | None]) -> Any:
        self._tails = tuple(sorted((topic, seq) for topic, seq in tails.items() if seq is not None))
        return super()._check_tails()


class TailsOneOff(Recovery):
    """An output may be one ahead of the journal: `>` for `>=`."""

    __slots__ = ()

    def _check_tails(self) -> Any:
        self._tails = tuple((topic, seq - 1) for topic, seq in self._tails)
        return super()._check_tails()


class AlwaysLeaves(Recovery):
    """A void takeover is the end, whoever has the partition (rule 16)."""

    __slots__ = ()

    def still_mine(self, _: bool) -> Any:
        return super().still_mine(False)


# The hands ---------------------------------------------------------------------------------------


class FromCommit(Hands):
    """Reading begins where the group's commit stands."""

    def start(self, table: Any) -> None:
        self.extra = table.group
        super().start(table)

    def seek(self, positions: Any) -> Any:
        return positions if self.extra is None else self.extra


class SeqFromMemory(Hands):
    """Sequence numbers go on where this process was, also after a void entry."""

    def recover(self) -> None:
        self.extra = self.core and self.core.next_seq
        super().recover()

    def work(self, ready: Any) -> None:
        super().work(ready)
        if self.core is not None and self.extra is not None:
            self.core = self.core._replace(next_seq=self.extra)


class RestForgotten(Hands):
    """A new owner does not finish the unfinished record, but goes on behind it."""

    def work(self, ready: Any) -> None:
        super().work(ready)
        cursor = self.core and self.core.after
        if self.core is not None and cursor is not None:
            positions = tuple((topic, at + (topic == cursor.topic)) for topic, at in self.core.positions)
            self.core = self.core._replace(after=None, positions=positions)


class NoRebuild(Hands):
    """A view that is to be built anew is not emptied."""

    def settle(self) -> None:
        rows = self.rows
        super().settle()
        if not self.rows and rows:
            self.rows = rows


class NeverCorrects(Hands):
    """Nobody looks after the statuses (rule 24)."""

    corrects = False


# The intake --------------------------------------------------------------------------------------


class NeverWaits(Clocked):
    """A tick that fires does not wait for what was there before it (rule 21)."""

    def next(self) -> Any:
        found = super().next()
        while found is not None and type(found).__name__ == "AskEnds":
            self.ends_are(found.tick, {})
            found = super().next()
        return found


class OldEnds(Clocked):
    """The ends are asked once, and not after each tick that fires was fetched."""

    def next(self) -> Any:
        found = super().next()
        if type(found).__name__ == "AskEnds" and self._asked_for >= 0:
            self.ends_are(found.tick, self._ends)
            found = super().next()
        return found


# Functions ---------------------------------------------------------------------------------------


def any_prev(head: Head, envelope: Any) -> bool:
    """An entry counts if it has the next number, whatever it follows."""
    return bool(envelope.n == head.n + 1 and envelope.epoch - head.epoch in (0, 1))


def epoch_alone(head: Head, envelope: Any) -> bool:
    """An entry counts if its epoch is not lower: the highest owner fences the others."""
    return bool(envelope.epoch >= head.epoch)


def carried_without_rest(content: Any, before: Any) -> Any:
    """A takeover does not carry on that a record is unfinished."""
    return evolve(REAL["carried"](content, before), more=False, after=None)


def carried_without_runs(content: Any, before: Any) -> Any:
    """A takeover does not carry on the last runs."""
    return evolve(REAL["carried"](content, before), last_runs=())


def settled_by_takeover(before: Any, content: Any, publish: Any, *, takeover: bool) -> Any:
    """A takeover is taken for an entry whose writer had published everything before it."""
    return REAL["after"](before, content, publish, takeover=False)


def last_record_only(taken: tiny.Step, *args: Any, **more: Any) -> Any:
    """Quiet records before the one that woke are left out of the entry."""
    if taken.decisions:
        topic, records = taken.runs[-1]
        taken = replace(taken, runs=((topic, records[-1:]),))
    return REAL["draft"](taken, *args, **more)


def newest(records: tuple[tiny.Rec, ...], position: int) -> tiny.Rec:
    """Of what is left of a topic the newest record is taken, as if it stood at the position (rule 23)."""
    return records[-1]._replace(offset=position)


def later_clock(T: int, record: tiny.Rec) -> int:
    """The worker's own clock moves T."""
    return max(T, tiny.msgspec.json.decode(record.value))


def unstamped_clock(T: int, record: tiny.Rec) -> int:
    """A tick moves T also where the broker did not stamp it."""
    return max(T, min(tiny.msgspec.json.decode(record.value), record.timestamp))


def nothing_wrong(*_: Any) -> None:
    """Nothing is checked."""


def no_losses(*_: Any) -> tuple[()]:
    """Nothing is checked, nothing is lost."""
    return ()


def no_entry(_: Any) -> int:
    """A status is not asked after which entry it was true."""
    return -1


def strangers_only(tail: Any, record: Any) -> Any:
    """A status with our own nonce is never doubted."""
    found = REAL["see"](tail, record)
    return found if dict(record.headers)[WRITER_HEADER] != tail._writer else {}


def without_time(records: Any, *, with_time: bool) -> str:
    """A digest does not cover the time of appending (rule 9)."""
    return str(REAL["digest"](records, with_time=False))


REAL: dict[str, Callable[..., Any]] = {
    "carried": takeover.carried,
    "after": owed.Owed.after,
    "draft": tiny.Step.draft,
    "digest": digest_of,
    "see": statuses.Tail.see,
}
