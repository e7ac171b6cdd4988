"""The consumer thread: owns aiokafka's fetcher, drains it in whole batches, and opens gates."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aiokafka.errors import ConsumerStoppedError, CorruptRecordException, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from schemas.errors import TransportError
from streams.live.fetched import Run, drain_next, fetch_on, log_end
from streams.live.gates import Gate, Revoked
from streams.live.remedies import LOOK, said

if TYPE_CHECKING:
    from streams.live.transport import Consumer

FETCH_WAIT_MS = 200  # Faust's 1500 also holds up every question asked on the same connection

ASK_EVERY_S = 0.005
"""Between two questions for more. Where counts trickle in from many senders the broker answers each at once, with some
tens of them, and an answer costs a worker as much as hundreds. With 4 to 6 ms the slowest counts come through soonest;
with 8 they wait for the question, without any pause for the CPU."""


def _unreadable(tp: Any, error: Exception) -> TransportError:
    """Say which partition cannot be read on, and what to do about it."""
    if isinstance(error, OffsetOutOfRangeError):
        (wanted,) = error.args[0].values()
        return TransportError(
            f"{tp.topic} partition {tp.partition}: offset {wanted} is not in the log "
            "(deleted by retention, or the log was replaced). Nothing is skipped by itself: compare the log's"
            f" start and end with the journal's position. {LOOK}"
        )
    return TransportError(f"{tp.topic} partition {tp.partition} cannot be read ({said(error)}). {LOOK}")


class Listener(driver.ConsumerRebalanceListener):  # type: ignore[misc]
    """Stops aiokafka's fetching of batch topics before anything of a new assignment is fetched."""

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Hold the new assignment's batch topics until `open_at`, then go Faust's way."""
        self._thread.hold_back(assigned)
        await super().on_partitions_assigned(assigned)


class Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The consumer thread: drains aiokafka's fetcher in whole record batches."""

    consumer: "Consumer"
    _asked_at = -ASK_EVERY_S
    """When aiokafka was last told to ask for more."""
    _will_ask = False
    """It is going to be told."""

    def _stopped_set(self) -> None:
        """As Faust does, also for a thread that has come to its end by itself, since the app crashed."""
        try:
            super()._stopped_set()
        except RuntimeError:  # its loop is closed
            self._stopped.set()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._isolation_level = "read_committed"  # aborted records of a sender are never inputs
        return consumer

    def hold_back(self, assigned: Iterable[Any]) -> None:
        """Keep aiokafka from fetching batch topics of which nobody said yet where to begin."""
        self._ensure_consumer().pause(*(tp for tp in assigned if tp.topic in self.consumer.batch_topics))

    async def open_at(self, positions: Mapping[TP, int], assignment: int, *, mended: bool = False) -> None:
        """Seek and open gates, in the consumer thread, so that no drain comes between the two."""
        opening = self._open_at(dict(positions), assignment, mended=mended)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(opening, self.thread_loop))

    async def _open_at(self, positions: dict[TP, int], assignment: int, *, mended: bool) -> None:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        # the tables are recovered: what we write into a changelog from now on need not come back to us
        consumer.pause(*(tp for tp in assigned if tp.topic not in self.consumer.batch_topics))
        for tp, offset in positions.items():
            with self.consumer.gates.lock:
                if self.consumer.gates.assignment != assignment or tp not in assigned:
                    raise Revoked(tp)
                consumer.seek(TopicPartition(*tp), offset)  # also throws away what was fetched from elsewhere
                consumer.resume(TopicPartition(*tp))
                self.consumer.gates.put(tp, Gate(tp, offset), mended=mended)

    def wake(self) -> None:
        """Look at once for runs that may be delivered now, instead of at the end of a long poll."""
        if self._consumer is not None and self.thread_loop.is_running():
            self.thread_loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        fetcher = self._ensure_consumer()._fetcher
        for waiter in list(fetcher._fetch_waiters):
            fetcher._notify(waiter)

    async def _fetch_records(
        self,
        consumer: Any,
        active: Any,
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> list[Run]:
        """Return what was fetched of the partitions that may deliver; wait for it at most `timeout` seconds.

        `active` and `max_records` are Faust's and not used: gates change while this waits, and a poll takes
        all that is there. Called again and again even when nothing may deliver, so that the group does not
        take a long recovery for a dead member.
        """
        del active, max_records
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            deadline = self.thread_loop.time() + (timeout or 0)
            while self.consumer.flow_active:
                consumer._coordinator.check_errors()
                if fetcher._fetch_task.done():  # nothing would ever be fetched again
                    fetcher._fetch_task.result()
                    raise ConsumerStoppedError
                waiting = len(fetcher._records)
                runs = self._drain(fetcher)
                if len(fetcher._records) < waiting:
                    self._fetch_on(fetcher)
                left = deadline - self.thread_loop.time()
                if runs or left <= 0:
                    return runs
                waiter = fetcher._create_fetch_waiter()
                done, _ = await asyncio.wait([waiter], timeout=left)
                if done:
                    waiter.result()  # errors of the group's coordination arrive here
                else:
                    waiter.cancel()
            return []

    def _fetch_on(self, fetcher: Any) -> None:
        """Let aiokafka ask for more, but not at once after it has asked."""
        if not self._will_ask:  # else it asks for these partitions, too
            self._will_ask = True
            self.thread_loop.call_at(self._asked_at + ASK_EVERY_S, self._ask, fetcher)

    def _ask(self, fetcher: Any) -> None:
        self._will_ask = False
        self._asked_at = self.thread_loop.time()
        fetch_on(fetcher)

    def _drain(self, fetcher: Any) -> list[Run]:
        runs: list[Run] = []
        if fetcher._subscriptions.reassignment_in_progress:
            return runs
        for tp in list(fetcher._records):
            wanted, gate = self.consumer.may_deliver(TP(*tp))
            if not wanted:
                continue
            found = fetcher._records[tp]
            if hasattr(found, "check_raise"):
                if runs:
                    return runs  # the error is told by the next poll
                del fetcher._records[tp]
                raise _unreadable(tp, found._error)
            try:
                run = drain_next(fetcher, tp, gate)
            except CorruptRecordException as error:
                raise _unreadable(tp, error) from error
            if run is None:
                continue
            if gate is not None:
                gate.fetch(run)
                gate.log_end = log_end(found)
            else:
                run.round = self.consumer.app.tables.recovery.round
            runs.append(run)
        return runs
