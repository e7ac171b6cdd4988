"""The batch transport (`batch://`): hands an agent whole runs of raw records instead of single messages.

Laws of this file:

* Nothing of a batch topic is delivered before `Consumer.open_at` was called for the partition in this
  assignment; the first run starts exactly there and each later one where the one before ended.
* Only positions told by `Consumer.accepted` are committed. Faust's own acks do not exist for these topics.
* An offset that the log does not have is a `TransportError`: no position is ever reset by itself.

Two threads meet here. The consumer thread owns aiokafka's fetcher and opens gates; the main thread hands runs
over and shuts gates. A run carries the gate that it came through, so that one fetched before a revocation or
a seek is known as stale wherever it is found.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from typing import Any, cast

from faust.tables.recovery import RebalanceAgain, ServiceStopped
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import Service
from mode.services import WaitResults

from schemas.errors import InvariantBroken, TransportError
from streams.live.consumer_thread import Listener, Thread
from streams.live.eager import Ended, begin
from streams.live.fetched import Record, Run
from streams.live.gates import Gate, Gates, Revoked
from streams.live.producer import Producer

# The three bounds of an end of an assignment; together below the rebalance timeout, after which the group
# goes on without a worker that has not come back.
CANCEL_S = 2.0  # for after_recovery, if it is still at work, to end its cancellation
REVOKE_S = 5.0  # for before_revoke
HOLE_S = 2.0  # what is fetched is handed over within milliseconds, unless it was dropped
COMMIT_S = 3.0  # for the last commit, which is advisory: it may fail, it may not block the group

log = logging.getLogger(__name__)


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer, with gates, runs and a ledger of accepted positions for the batch topics."""

    RebalanceListener = Listener
    _thread: Thread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.gates = Gates()
        self._held: set[TP] = set()
        self._full: set[TP] = set()
        self._delivering = False
        self._reopening: asyncio.Task[None] | None = None
        self._resting = asyncio.Lock()
        self._mending: set[asyncio.Future[None]] = set()
        super().__init__(*args, **kwargs)
        self.batch_topics: frozenset[str] = self.app.batch_topics

    def _new_consumer_thread(self) -> Thread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    # What the app says: where to begin, what waits, what is accepted.

    async def open_at(self, positions: Mapping[TP, int]) -> None:
        """Deliver each partition from its offset on, seeking there; also again, which starts it anew.

        Nothing is handed over before `after_recovery` has returned. Where the log does not have the offset,
        the worker stops with a `TransportError`.

        Raises:
            Revoked: a partition is not assigned any more; those before it in the mapping may be open.
        """
        strangers = [tp for tp in positions if tp[0] not in self.batch_topics]
        if strangers:
            raise InvariantBroken(f"open_at is for batch topics only, not {strangers}")
        if not self.gates.assignment:
            raise Revoked(next(iter(positions), None))
        await self._thread.open_at(
            {TP(*tp): offset for tp, offset in positions.items()}, self.gates.assignment
        )

    def shut(self, tps: Iterable[TP]) -> None:
        """Deliver nothing more of these partitions until `open_at`; what was accepted stays committable."""
        for tp in tps:
            self.gates.shut(TP(*tp))

    def hold(self, tp: TP, *, drop: bool = False) -> None:
        """Leave the partition's records in the fetch buffer, which then fetches no more; others go on.

        What was already on its way (a few runs) still arrives, or with `drop` is fetched again later.
        """
        self._held.add(TP(*tp))
        if drop:
            self._full.add(TP(*tp))

    def release(self, tp: TP) -> None:
        """Deliver a held partition again, at once."""
        self._held.discard(TP(*tp))
        self._full.discard(TP(*tp))
        self._thread.wake()

    def accepted(self, tp: TP, offset: int) -> bool:
        """Let `offset` (the next to read) be committed; false if the partition is not ours any more.

        Raises:
            InvariantBroken: it goes back, or beyond what was handed over.
        """
        return self.gates.accepted(TP(*tp), offset)

    def take(self, run: Run) -> bool:
        """Return whether a run is still to be handed over; called once for each, just before.

        Raises:
            InvariantBroken: it was handed over before.
        """
        tp = TP(run.topic, run.partition)
        gate = self.gates.open.get(tp)
        if self._delivering and gate is not None and gate is run.gate:
            if run.start > gate.handed:
                log.warning(
                    "%s: Faust dropped what came after offset %s; it is fetched again", tp, gate.handed
                )
            if run.start > gate.handed or tp in self._full:
                self._mend(tp, gate)
                return False
        return self._delivering and self.gates.take(run)

    # Holes: Faust drops what is on its way whenever its flow stops, and its flow may go on again without an
    # assignment in between (the end of one recovery overlaps the next rebalance). It tells nobody.

    def _mend(self, tp: TP, gate: Gate) -> None:
        """Deliver a partition again from where it was last handed over; what is on its way is stale then."""
        self.gates.shut(tp)
        mending = asyncio.ensure_future(self._open_again(tp, gate.handed))
        self._mending.add(mending)
        mending.add_done_callback(self._mending.discard)

    async def _open_again(self, tp: TP, offset: int) -> None:
        with contextlib.suppress(Revoked):
            await self._thread.open_at({tp: offset}, self.gates.assignment, mended=True)
            self._thread.wake()

    @Service.task  # type: ignore[untyped-decorator]
    async def _look_for_holes(self) -> None:
        """Mend partitions of which something was fetched and not handed over for a whole interval."""
        before: dict[TP, tuple[Gate, int, int]] = {}
        while not self.should_stop:
            await self.sleep(HOLE_S)
            now = {
                tp: (gate, gate.handed, gate.fetched)
                for tp, gate in list(self.gates.open.items())
                if gate.fetched > gate.handed
            }
            for tp, state in now.items():
                if self._delivering and before.get(tp) == state:
                    log.warning("%s: nothing came after offset %s; it is fetched again", tp, state[1])
                    self._mend(tp, state[0])
            before = now

    # From the fetch buffer to the agent.

    def may_deliver(self, tp: TP) -> tuple[bool, Gate | None]:
        """Return whether a partition may be drained now, and its gate (none: a table's changelog)."""
        if tp.topic in self.batch_topics:
            gate = self.gates.open.get(tp)
            stopped = not self._delivering or tp in self._held or tp in self._buffered_partitions
            return gate is not None and not stopped, gate
        return self.app.in_recovery and tp in self._active_partitions, None

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109
        """Yield one message per poll, of all its runs; changelog runs are applied to their table right here."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        try:
            inputs: list[Run] = []
            for run in cast(list[Run], await self._getmany(None, timeout)):
                tp = TP(run.topic, run.partition)
                if run.gate is None:
                    # Of whatever generation: a poll of the old one may have drained the new assignment, and
                    # what is dropped here never comes again. The recovery knows what it waits for.
                    self.app.tables.recovery.apply(tp, run)
                elif self.flow_active and not self.should_stop and self.gates.open.get(tp) is run.gate:
                    # Of whatever generation, too, as long as its gate is open: a hole would stop the worker.
                    inputs.append(run)
            if inputs:
                message = _message(inputs, self.app.consumer_generation_id)
                # Faust drops what ends before the highest offset it has read, and a gate may be opened
                # further back: then every poll would be dropped, and mended, until it is as long as it was.
                self._read_offset[message.tp] = None
                yield message.tp, message
        except (TransportError, InvariantBroken) as error:
            await self.app.halt(error)
            raise

    async def wait_first(self, *waited: Any, timeout: Any = None) -> WaitResults:  # noqa: ASYNC109
        """Wait as mode does, in one task for each; but not for what comes to its end at once.

        Faust waits so for each message to be in the agent's queue, as the flow may stop while that is full.
        """
        first, *others = waited
        if not asyncio.iscoroutine(first) or timeout is not None:
            return cast(WaitResults, await super().wait_first(*waited, timeout=timeout))
        begun = begin(first)
        if isinstance(begun, Ended):
            for other in others:
                other.close()
            return WaitResults([first], [begun.result], stopped=False)
        return cast(WaitResults, await super().wait_first(begun, *others))

    def resume_flow(self) -> None:
        """Let the flow go on, looking at once for what waits in the fetch buffer."""
        super().resume_flow()
        self._thread.wake()

    def on_buffer_drop(self, tp: TP) -> None:
        """Deliver a partition again for which the agent's queue was too full, at once."""
        super().on_buffer_drop(tp)
        self._thread.wake()

    # Commits: accepted positions, nothing else.

    def _filter_tps_with_pending_acks(self, topics: Collection[Any] | None = None) -> Iterator[TP]:
        if self.app.halted:
            return  # whoever reads on goes by the journal; a commit now may wait for a thread that crashed
        yield from (tp for tp in self.gates.uncommitted() if not topics or tp in topics or tp[0] in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self.gates.uncommitted().get(tp)

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return self.gates.uncommitted().get(tp) == offset

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        done = bool(await super()._commit_offsets(offsets, start_new_transaction))
        if done:
            self.gates.committed(offsets)
        return done

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Runs are contiguous by construction, whatever offsets their records have."""

    # Rebalances.

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek changelogs for recovery, but not below the log's start, as Faust does by one offset."""
        starts = await self.earliest_offsets(*partitions) if partitions else {}
        await super().seek_wait({tp: max(offset, starts.get(tp, 0)) for tp, offset in partitions.items()})

    async def perform_seek(self) -> None:
        """Do nothing: batch topics begin where `open_at` says, never at the group's offsets (rule 17)."""

    async def reopen(self) -> None:
        """Begin an assignment, after the tables were recovered: let the app say where each partition begins.

        Raises:
            RebalanceAgain: another rebalance began meanwhile; the app's hook was cancelled.
            ServiceStopped: the worker stops.
        """
        if self.app.should_stop or self.app.halted:
            raise ServiceStopped
        self.gates.begin()
        begun = self.gates.assignment
        await self.app._fetcher.maybe_start()  # polls while the hook works, or the group takes us for idle
        try:
            whole = whole_partitions(self.assignment(), self.batch_topics, self.app.tables.changelog_topics)
            self._reopening = asyncio.ensure_future(self.app.after_recovery(whole))
            await self._reopening
        except (asyncio.CancelledError, Revoked) as error:
            if self.gates.assignment != begun:
                raise RebalanceAgain from None
            if isinstance(error, Revoked):
                await self.app.halt(error)
            raise
        except Exception as error:
            await self.app.halt(error)
            raise
        finally:
            self._reopening = None
        if self.gates.assignment != begun:
            raise RebalanceAgain
        self._delivering = True
        self._thread.wake()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Hand nothing more over, let the app come to rest, commit what it accepted, then go Faust's way."""
        await self.rest({tp.partition for tp in revoked if tp.topic in self.batch_topics})
        await super().on_partitions_revoked(revoked)

    async def rest(self, partitions: set[int]) -> None:
        """End an assignment: shut all gates, call `before_revoke`, commit what is accepted, forget it."""
        async with self._resting:
            await self._rest(partitions)

    async def _rest(self, partitions: set[int]) -> None:
        self._delivering = False
        for tp in list(self.gates.open):
            self.gates.shut(tp)
        begun = self.gates.end()
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.wait({self._reopening}, timeout=CANCEL_S)
        if partitions and begun:
            await self._before_revoke(partitions)
            try:
                await asyncio.wait_for(self._last_commit(), COMMIT_S)
            except TimeoutError:
                log.warning("the last commit took over %s s and was left; positions are advisory", COMMIT_S)
        self.gates.forget()
        self._held.clear()
        self._full.clear()
        self._buffered_partitions.clear()

    async def _before_revoke(self, partitions: set[int]) -> None:
        hook = asyncio.ensure_future(self.app.before_revoke(partitions))
        done, _ = await asyncio.wait({hook}, timeout=REVOKE_S)
        if not done:
            hook.cancel()
            log.error("before_revoke took over %s s and was cancelled: the journal fences the rest", REVOKE_S)
        elif not hook.cancelled() and (error := hook.exception()):
            await self.app.halt(error)  # raised here it would only be logged, by aiokafka

    async def _last_commit(self) -> None:
        while (under_way := self._commit_fut) is not None:
            await asyncio.wait({under_way})  # Faust's own wait goes on if it is cancelled, and here for ever
        await self.commit()

    async def commit_and_end_transactions(self) -> None:
        """Do nothing as the consumer stops: `rest` has committed, and a commit under way may not hold up the end."""


class Transport(driver.Transport):  # type: ignore[misc]
    """The transport `batch://`: Faust's aiokafka transport with the consumer of this module."""

    Consumer = Consumer
    Producer = Producer
    driver_version = f"batch+{driver.Transport.driver_version}"


def whole_partitions(assigned: Iterable[TP], *topics: Collection[str]) -> set[int]:
    """Return the partition numbers assigned, checking that each is assigned in every topic.

    Raises:
        InvariantBroken: a topic has another partition count, or the assignor split a partition's topics.
    """
    held = {name: {tp.partition for tp in assigned if tp.topic == name} for group in topics for name in group}
    if len({frozenset(numbers) for numbers in held.values()}) != 1:
        raise InvariantBroken(f"the inputs and the changelog of a partition must go to one worker: {held}")
    return next(iter(held.values()))


def _message(runs: list[Run], generation: int) -> ConsumerMessage:
    """Return what Faust takes a poll for: one message, of its first partition; each costs it some tens of counts."""
    tp, last = TP(runs[0].topic, runs[0].partition), runs[0].end - 1
    when, kind, headers, key, checksum, sizes = 0.0, 0, None, None, None, (0, 0)  # a poll has none of these
    return ConsumerMessage(
        *tp, last, when, kind, headers, key, runs, checksum, *sizes, tp, generation_id=generation
    )


__all__ = ["Consumer", "Record", "Revoked", "Run", "Thread", "Transport", "whole_partitions"]
