"""One owned partition at work: performs what the ledger's machines name, and feeds the fold in between.

The way of a record: `offer` → intake → fold → draft → step (append, publish, rows, head, commit). One
task per partition; it is cancelled only between two effects or when time is up, and whatever it leaves
undone the next owner finishes.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Any

from schemas import topics
from schemas.instant import parse
from schemas.journal import EntryContent, HeadPointer
from schemas.records import Records
from streams.core.decider import BEFORE_TIME, Time
from streams.core.fold import Fold, Work
from streams.journaling import draft_of, follows_from, status_headers
from streams.ledger import effects, root
from streams.ledger.recovery import Assignment, Recovery
from streams.ledger.step import Step
from streams.live.intake import AskEnds, Clocked, Merged, Pace, Piece
from streams.live.performer import HEAD_KEY, Performer, View
from streams.live.ports import Ports
from streams.live.statuses import Seen, fingerprint

QUIET_S = 5.0
"""How long quiet records wait for a decision before they are journaled by themselves (rule 8): bounds
what a takeover reads again, at one small entry of an idle partition per so many seconds."""

TOGETHER = 50_000
"""Records after which others have their turn, however many pieces wait: some hundred milliseconds. An entry and all
that follows from it cost as much as a thousand quiet counts."""

LOOPS_TO_SEND = 2
"""Rounds of the loop after which a producer has written what it was given to its connection."""

HEARTBEATS_S = 1.5
"""One heartbeat of the group (1 s) and its answer: who stood still and lost the partition knows it by then."""

_OF_HISTORIES = (topics.BOOKS, topics.FACTS, topics.COUNTS)
"""All inputs but the clock's."""

log = logging.getLogger(__name__)


class Owner:
    """One partition of this worker.

    Args:
        partition: Its number.
        ports: The broker, the table and the policy books.
        time: What moves T.
        writer: The nonce of this process.
        until: Where T goes at the end of a history, in µs.
        pace: How fast a history passes.
        lost_allowed: By topic the position from which on an operator takes a loss of records upon himself.
    """

    def __init__(
        self,
        partition: int,
        ports: Ports,
        *,
        time: Time,
        writer: str,
        until: int | None,
        pace: Pace,
        lost_allowed: Mapping[str, int],
    ) -> None:
        self.partition = partition
        self.at_end = asyncio.Event()
        """Everything up to the ends seen at the start is taken and journaled."""
        self._ports = ports
        self._time: Time = time
        self._writer = writer
        self._until = until
        self._pace = pace
        self._lost_allowed = effects.offsets(lost_allowed)
        self._woken = asyncio.Event()
        self._resting = asyncio.Event()
        self._intake: Clocked | Merged | None = None
        self._early: list[Piece] = []
        """Runs that arrived between the seek and the end of a recovery."""
        self._doubted: Seen = {}
        """Statuses in the topic that have to be compared with the rows."""
        self._told: set[bytes] | None = set()
        """Keys of which we wrote a status ourselves, until what was there before us is compared."""
        self.is_idle = True
        """Something has to come before it can go on: records, or the beginning of its work."""
        self.books_to = 0
        """Up to where the books were offered."""
        self.ends_at_start: dict[str, int] = {}
        """Where the books, the facts and the counts ended at the takeover."""
        self.performer = Performer(partition, ports, time, is_ours=self._is_ours, pause=self._pause)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The topics that it takes records of."""
        return topics.INPUTS if self._time == "clock" else _OF_HISTORIES

    @property
    def is_recovered(self) -> bool:
        """Whether it takes records now."""
        return self._intake is not None

    @property
    def fold(self) -> Fold:
        """What it decides with; there is none before the end of the first recovery."""
        return self._fold

    # Recovery ------------------------------------------------------------------------------------

    async def recover(self) -> bool:
        """Take the partition over; False where it was given to somebody else meanwhile.

        Raises:
            AuditError: the journal, the outputs, the inputs and the table do not agree.
        """
        # what still comes of an earlier ownership does not follow from where this one will begin
        self._ports.shut(self.partition)
        self._intake, self._early, self.is_idle = None, [], False
        rows = self._ports.rows.partition(self.partition)
        raw = rows.get(HEAD_KEY)
        pointer = HeadPointer.decode(raw) if raw is not None else None
        assignment = Assignment(
            self.partition,
            self._writer,
            effects_of=self._effects_of,
            time=self._time,
            lost_allowed=self._lost_allowed,
        )
        recovery = Recovery(pointer, assignment)
        ending = await self.performer.perform(recovery)
        if not isinstance(ending, effects.Ready):
            return False
        was_lost = (
            pointer is None and ending.head.n > 0
        )  # then no root differed: all rows come from the journal
        if ending.rebuilt or was_lost:
            log.warning("partition %s: the table was rebuilt from the journal", self.partition)
        self._ports.counts.rebuilds += ending.rebuilt or was_lost
        self._ports.counts.void_entries += ending.voids
        self._step = Step(ending, self._writer)
        content = ending.content
        self._fold = Fold(self.partition, View(rows), self._time)
        self._fold.restore(
            T=parse(content.T) if content.T is not None else None,
            positions=content.positions,
            next_seq=content.next_seq,
            root=root.parse(content.state_root),
            next_entry=ending.head.n + 1,
            after=content.after,
        )
        if content.book is not None:
            using = self._fold.using(self._ports.books.find(content.book), content.after)
            await self.performer.breathing("bands and dues", using, len(View(rows)))
        bounds = await self._bounds()
        self.ends_at_start = {topic: end for topic, (_, end) in bounds.items()}
        by_clock = self._time == "clock"
        self._intake = Clocked(self._fold) if by_clock else Merged(self._fold, self.ends_at_start, self._pace)
        self.books_to = content.positions.get(topics.BOOKS, 0)
        early, self._early = self._early, []
        for piece in early:
            self._intake.offer(piece)
        log.info(
            "partition %s is ours from entry %s on, epoch %s",
            self.partition,
            ending.head.n,
            ending.head.epoch,
        )
        self.is_idle = True
        return True

    def _effects_of(self, content: EntryContent, entry: int) -> tuple[effects.Rows, Mapping[str, Any]]:
        book = self._ports.books.find(content.book) if content.book is not None else None
        return follows_from(content, entry, book, self._writer)

    # Work ----------------------------------------------------------------------------------------

    def offer(self, piece: Piece) -> None:
        """Take in a run that arrived; hold the topic back while too much waits."""
        if self._intake is None:
            self._early.append(piece)
            return
        self._intake.offer(piece)
        if self._intake.is_full(piece.topic):
            self._ports.hold(piece.topic, self.partition, drop=self._intake.overflows(piece.topic))
        self._woken.set()

    def wake(self) -> None:
        """Look again: a book was published."""
        self._woken.set()

    def doubt(self, seen: Seen, *, late: bool) -> None:
        """Compare these statuses of the topic with the rows, between two steps (rule 24).

        Args:
            seen: Per key what stands in the topic.
            late: A stranger wrote it after us. Otherwise it was there before us, and is of no matter
                where we have written a newer one.
        """
        if not late:
            told, self._told = self._told or set(), None
            seen = {key: found for key, found in seen.items() if key not in told}
        self._doubted.update(seen)
        self._woken.set()

    async def rest(self) -> None:
        """Finish the step under way and take no other."""
        self._resting.set()
        self._woken.set()

    async def is_kept(self) -> bool:
        """Return whether the group still gives the partition to this worker, after an entry of ours was void.

        What we remember of the group is worth nothing then: a process that stood still past its session
        remembers an assignment that is somebody else's by now, and a takeover of it would oust the rightful
        owner. So a heartbeat is waited for, whose answer leads to `rest`.
        """
        await self._pause(HEARTBEATS_S)
        return self._is_ours()

    def _is_ours(self) -> bool:
        return not self._resting.is_set() and self._ports.is_assigned(self.partition)

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until `rest` is called."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._resting.wait()

    async def work(self) -> None:
        """Take what arrives, for ever; or until somebody else owns the partition or `rest` was called."""
        loop = asyncio.get_running_loop()
        flushed_at = loop.time()
        self.is_idle = False
        await self._finish_time()
        while not self._resting.is_set():
            self._take_books()
            await self._correct_statuses()
            chosen = self._choose()
            if isinstance(chosen, Piece):
                await self._take(chosen)
            elif isinstance(chosen, AskEnds):
                await self._ask_ends(chosen)
            elif self._fold.has_work and loop.time() - flushed_at >= QUIET_S:
                await self._journal(self._fold.cut())
            else:
                await self._finish_history()
                flush_s = QUIET_S - (loop.time() - flushed_at) if self._fold.has_work else QUIET_S
                await self._wait(min(flush_s, Pace.LOOK_S) if self._is_held_back() else flush_s)
            if not self._fold.has_work:
                flushed_at = loop.time()

    async def _finish_time(self) -> None:
        """Finish what the last owner left unfinished at the end of a history, where no record waits for it."""
        unfinished = self._fold.unfinished
        if unfinished is not None and unfinished.topic is None:
            for work in self._fold.finish(self._fold.T):
                await self._journal(work)
            await self._journal(self._fold.last_cut())

    def _choose(self) -> Piece | AskEnds | None:
        assert self._intake is not None  # noqa: S101 - recover came first
        chosen = self._intake.next()
        if isinstance(chosen, Piece) and not self._intake.is_full(chosen.topic):
            self._ports.release(chosen.topic, self.partition)
        return chosen

    def _take_books(self) -> None:
        """Offer every book that is not offered yet."""
        assert self._intake is not None  # noqa: S101 - recover came first
        for record in self._ports.books.after(self.books_to):
            self.books_to = record.offset + 1
            self._intake.offer(Piece(topics.BOOKS, Records.of([record]), record.offset + 1))

    async def _correct_statuses(self) -> None:
        """Write those statuses again that do not tell what the rows tell; each names the last accepted entry.

        One that tells of a later entry is a successor's: then our rows are the stale ones, which our next entry
        will tell us.
        """
        doubted, self._doubted = self._doubted, {}
        fold, entry = self._fold, self._step.head.n
        if fold.T == BEFORE_TIME:
            return
        wrong: list[effects.Record] = []
        for key, seen in doubted.items():
            status = fold.decider.status_now(key, entry)
            if seen.entry <= entry and fingerprint(status[1]) != seen.state:
                wrong.append((*status, status_headers(self._writer, entry)))
        if wrong:
            log.warning("partition %s: %s statuses in the topic were stale", self.partition, len(wrong))
            again = ((topics.STATUS, tuple(wrong)),)
            await self.performer.patiently(partial(self._ports.publish, self.partition, again))

    async def _take(self, piece: Piece) -> None:
        """Take a piece and, if it decides something in wall time, those that wait behind it: they share its entry.

        While appends are slow, pieces of one or two records gather; with an entry for each of them the
        backlog would grow for ever. A history is all there, and nothing grows.
        """
        chosen: Piece | AskEnds | None = piece
        taken = 0
        while isinstance(chosen, Piece):
            is_book = chosen.topic == topics.BOOKS
            if is_book and self._fold.has_decisions:
                await self._journal(self._fold.cut())  # an entry names one book for all its statuses
            async for work in self._in_turn(self._fold.take(chosen.topic, chosen.records, chosen.end)):
                await self._journal(work)
            taken += len(chosen.records)
            is_enough = is_book or taken >= TOGETHER or self._time == "records" or self._resting.is_set()
            chosen = self._choose() if self._fold.has_decisions and not is_enough else None
        if self._fold.has_decisions:
            await self._journal(self._fold.cut())
        await asyncio.sleep(0)  # others have their turn

    async def _in_turn(self, works: Iterator[Work]) -> AsyncIterator[Work]:
        """Decide for one entry after the other while no other partition of this worker decides.

        Between two partitions' deciding the loop sends what the first one has to say. Otherwise all would
        decide first, in one round of the loop, and then wait for the broker together.
        """
        while True:
            async with self._ports.turn:
                if self._ports.has_to_send:
                    self._ports.has_to_send = False
                    for _ in range(LOOPS_TO_SEND):
                        await asyncio.sleep(0)
                work = next(works, None)
            if work is None:
                return
            yield work

    async def _ask_ends(self, asked: AskEnds) -> None:
        bounds = await self._bounds()
        if isinstance(self._intake, Clocked):
            self._intake.ends_are(asked.tick, {topic: end for topic, (_, end) in bounds.items()})

    async def _bounds(self) -> dict[str, tuple[int, int]]:
        """Return where the books, the facts and the counts begin and end now."""
        return await self.performer.patiently(partial(self._ports.log.bounds, _OF_HISTORIES, self.partition))

    async def _finish_history(self) -> None:
        """Once everything up to the ends is taken: let T go to the end of a history, and journal all of it."""
        if self.at_end.is_set() or not self._has_reached_ends():
            return
        if self._time == "records" and self._until is not None and self._until > self._fold.T:
            for work in self._fold.finish(self._until):
                await self._journal(work)
            await self._journal(self._fold.last_cut())
        elif self._fold.has_work:
            await self._journal(self._fold.cut())
        self.at_end.set()

    def _has_reached_ends(self) -> bool:
        if isinstance(self._intake, Merged):
            return self._intake.at_end
        return all(self._fold.positions[topic] >= end for topic, end in self.ends_at_start.items())

    def _is_held_back(self) -> bool:
        return self._time == "records" and self._pace.is_bounded and not self.at_end.is_set()

    async def _wait(self, seconds: float) -> None:
        self.is_idle = True
        try:
            async with asyncio.timeout(max(seconds, 0.01)):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self.is_idle = False
        self._woken.clear()

    async def _journal(self, work: Work | None) -> None:
        """Journal one piece of work and do all that follows from it."""
        if work is None:
            return
        now = asyncio.get_running_loop().time
        began = now()
        self._ports.has_to_send = True
        self._step.begin(draft_of(self._fold, work, writer=self._writer))
        ending = await self.performer.perform(self._step)
        if ending is not None:
            self._ports.counts.void_entries += 1
            raise Superseded(str(ending))
        self._fold.settled()
        if self._told is not None:
            self._told.update(key for key, _, _ in work.publish.get(topics.STATUS, ()) if key is not None)
        self._ports.counts.journaled(self.partition, work, now() - began)
        log.debug("partition %s: %s decisions journaled", self.partition, len(work.decisions))


class Superseded(Exception):
    """An entry of ours was void: another owner works on this partition, and this state is worth nothing."""
