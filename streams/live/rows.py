"""The rolling table: a Faust table whose store is one plain dict of raw bytes per partition.

Faust keeps what it is good at: the changelog's assignment together with the inputs, and the order of a
recovery. Three things are ours. Writes go out as prepared batches from outside of any agent, because a step
of the ledger decides when rows are written. Recovery is applied in bulk where the records arrive, as Faust's
way takes 30 s for 200,000 rows. And all rows are dropped at every revocation and read again from the
changelog's beginning, those of retained partitions too: another worker may have owned them meanwhile, and a
compacted changelog is shorter than all writes since the last recovery.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.stores.base import Store
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP

from schemas.errors import InvariantBroken, TransportError
from streams.live.fetched import Record, Run
from streams.live.gates import Revoked
from streams.live.progress import Progress
from streams.live.remedies import LOOK, said

Message = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
"""What is sent: key, value (none is a tombstone), headers (aiokafka takes a list: each is made when it is due)."""


async def send_in_order(producer: Any, topic: str, partition: int, messages: Iterable[Message]) -> list[int]:
    """Send messages to one partition in prepared batches; return the batches' offsets when acked.

    Several calls for one partition keep their order if each begins after the one before has returned.

    Args:
        producer: aiokafka's, as Faust holds it (`app.producer._producer`).
        topic: Its full name.
        partition: Its number.
        messages: In the order in which they shall stand in the log.

    Raises:
        TransportError: a batch was not acknowledged; it may or may not be in the log, and so may later ones.
    """
    futures: list[Any] = []
    try:
        batch = producer.create_batch()
        for key, value, headers in messages:
            if batch.append(key=key, value=value, timestamp=None, headers=[*headers]) is None:  # it is full
                futures.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                if batch.append(key=key, value=value, timestamp=None, headers=[*headers]) is None:
                    raise InvariantBroken(
                        f"a message of {len(value or b'')} bytes does not fit an empty batch"
                    )
        if batch.record_count():
            futures.append(await producer.send_batch(batch, topic, partition=partition))
        return [metadata.offset for metadata in await asyncio.gather(*futures)]
    except KafkaError as error:
        await asyncio.gather(*futures, return_exceptions=True)
        raise _not_acknowledged(topic, partition, error) from error


def _not_acknowledged(topic: str, partition: int, error: KafkaError) -> TransportError:
    return TransportError(
        f"{topic} partition {partition}: a send was not acknowledged ({said(error)}). {LOOK}"
    )


async def send_with_last(
    producer: Any, topic: str, partition: int, messages: Sequence[Message], last: Message
) -> None:
    """Send messages and a last one that may never be in the log without them.

    A broker takes a batch whole or not at all, so one that holds them all needs one acknowledgement. Where they do
    not fit, the last one is sent after the acknowledgement of the others.

    Raises:
        TransportError: not acknowledged; it may or may not be in the log.
    """
    batch = producer.create_batch()
    for key, value, headers in messages:
        if batch.append(key=key, value=value, timestamp=None, headers=[*headers]) is None:
            break
    else:
        key, value, headers = last
        if batch.append(key=key, value=value, timestamp=None, headers=[*headers]) is not None:
            try:
                await (await producer.send_batch(batch, topic, partition=partition))
            except KafkaError as error:
                raise _not_acknowledged(topic, partition, error) from error
            return
    await send_in_order(producer, topic, partition, messages)
    await send_in_order(producer, topic, partition, [last])


class PartitionStore(Store):  # type: ignore[misc]
    """Rows in memory, one dict per assigned partition; keys and values as they stand in the changelog."""

    def __post_init__(self) -> None:
        """Begin with no partition: they come with an assignment."""
        self.partitions: dict[int, dict[bytes, bytes]] = {}

    def persisted_offset(self, tp: TP) -> int | None:  # noqa: ARG002
        """Return none: each recovery begins at the changelog's beginning."""
        return None

    async def on_rebalance(self, assigned: set[TP], *_: Any) -> None:
        """Begin an assignment with empty partitions."""
        changelog = self.table.changelog_topic_name
        self.partitions = {tp.partition: {} for tp in assigned if tp.topic == changelog}

    def apply(self, partition: int, records: Iterable[Record]) -> None:
        """Apply changelog records in their order."""
        rows = self.partitions[partition]
        for record in records:
            key, value = record.key, record.value
            if key is None:
                raise InvariantBroken(f"the changelog has a record without key at offset {record.offset}")
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value

    def reset_state(self) -> None:
        """Drop all rows."""
        self.partitions.clear()

    async def backup_partition(self, *_: Any, **__: Any) -> None:
        """Do nothing: the changelog is the backup."""

    def restore_backup(self, *_: Any, **__: Any) -> None:
        """Do nothing: the changelog is the backup."""

    def apply_changelog_batch(self, *_: Any) -> None:
        """Refuse Faust's own recovery path: changelog records never take it here."""
        raise InvariantBroken("a changelog record took Faust's slow path; see Consumer.getmany")


class Rows(faust.Table):  # type: ignore[misc]
    """The rows of the partitions of this worker; read by partition, written only by `write`."""

    def __init__(self, *args: Any, changelog: str, **kwargs: Any) -> None:
        self._changelog = changelog
        super().__init__(*args, key_type=bytes, value_type=bytes, **kwargs)

    def info(self) -> Mapping[str, Any]:
        """Return the arguments that make a clone."""
        return {**super().info(), "changelog": self._changelog}

    def _changelog_topic_name(self) -> str:
        return self._changelog

    def _new_store(self) -> PartitionStore:
        return PartitionStore("memory://", self.app, self, table_name=self.name, loop=self.loop)

    def partition(self, number: int) -> Mapping[bytes, bytes]:
        """Return a live, read-only view of the rows of one partition.

        Raises:
            Revoked: the partition is not assigned now.
        """
        return MappingProxyType(self._mine(number))

    async def write(
        self,
        number: int,
        changes: Sequence[tuple[bytes, bytes | None]],
        last: tuple[bytes, bytes] | None = None,
    ) -> None:
        """Write rows of one partition, none deleting: the local view at once, the changelog in order, acked.

        Args:
            number: Of the partition.
            changes: The rows.
            last: A row that stands for all of them: the changelog never has it without them.

        Raises:
            Revoked: the partition is not assigned now.
            TransportError: not acknowledged. The local view may be ahead of the changelog: recover the
                partition or stop the worker.
        """
        self.apply(number, changes)
        messages: list[Message] = [(key, value, ()) for key, value in changes]
        producer = self.app.producer._producer
        if last is None:
            await send_in_order(producer, self._changelog, number, messages)
            return
        self.apply(number, [last])
        await send_with_last(producer, self._changelog, number, messages, (*last, ()))

    def apply(self, number: int, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Change rows of the local view only: a recovery that reads the journal; `write` has to follow.

        Raises:
            Revoked: the partition is not assigned now.
        """
        rows = self._mine(number)
        for key, value in changes:
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value

    def clear(self, number: int) -> None:
        """Empty the local view of a partition that is built anew from the journal.

        Raises:
            Revoked: the partition is not assigned now.
        """
        self._mine(number).clear()

    def _mine(self, number: int) -> dict[bytes, bytes]:
        rows: dict[bytes, bytes] | None = self.data.partitions.get(number)
        if rows is None:
            raise Revoked((self._changelog, number))
        return rows

    def on_key_set(self, *_: Any) -> None:
        """Refuse: Faust would send it alone, to the partition of whatever event is current."""
        raise InvariantBroken("rows are written by Rows.write")

    def on_key_del(self, *_: Any) -> None:
        """Refuse, as `on_key_set`."""
        raise InvariantBroken("rows are written by Rows.write")


class Ended(asyncio.Event):
    """The end of a recovery, as a state: Faust's other task may not clear it before anybody has seen it."""

    def clear(self) -> None:
        """Do nothing; see `reset`."""

    def reset(self) -> None:
        """Clear, at the beginning of a recovery."""
        super().clear()


class BulkRecovery(Recovery):  # type: ignore[misc]
    """Faust's recovery, told by the transport how far the changelogs were applied."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ended = Ended()
        self._progress: Progress | None = None
        self.began_at = 0.0
        """When the table was last begun to be read, by the monotonic clock."""
        self.round = 0
        """Numbers the recoveries: a run that was fetched for one that is over belongs nowhere."""
        super().__init__(*args, **kwargs)

    @property
    def signal_recovery_end(self) -> Ended:
        """The event on which Faust's recovery waits."""
        return self._ended

    def _set_recovery_started(self) -> None:
        if not self.in_recovery:  # Faust says it twice
            self.began_at = time.monotonic()
        self._progress = None
        super()._set_recovery_started()
        self._ended.reset()

    def _set_recovery_ended(self) -> None:
        super()._set_recovery_ended()
        self._ended.set()

    def apply(self, tp: TP, run: Run) -> None:
        """Apply a run of a changelog and end the recovery if it was the last one needed."""
        if tp not in self.active_tps or not self.in_recovery or run.round != self.round:
            return
        if run.start != self.active_offsets[tp] + 1:
            raise InvariantBroken(f"{run} of a changelog came after offset {self.active_offsets[tp]}")
        if self._progress is None:
            left = sum(self.active_highwaters[each] - self.active_offsets[each] for each in self.active_tps)
            self._progress = Progress("the table's changelog", left)
        self.tp_to_table[tp].data.apply(tp.partition, run)
        self.active_offsets[tp] = run.end - 1  # Faust counts offsets read; markers at the log's end count too
        self._progress.passed(run.end - run.start)
        if not self.need_recovery():
            self._set_recovery_ended()

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget how far anything was recovered: the next assignment begins anew."""
        super().on_partitions_revoked(revoked)
        self.round += 1
        self.active_offsets.clear()

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ASYNC109
        """Wait as Faust does, but say it when time runs out: Faust would end its recovery task silently."""
        result = await self.wait_first(coro, self.signal_recovery_start, timeout=timeout)
        if self.signal_recovery_start.is_set():
            raise RebalanceAgain
        if self.should_stop:
            raise ServiceStopped
        if result.stopped:
            error = TransportError(
                f"The broker did not answer a step of the table's recovery in {timeout} s. {LOOK}"
            )
            await self.app.halt(error)
            raise error

    @property
    def moves(self) -> tuple[int | None, ...]:
        """Differs after any progress."""
        return (self.round, *self.active_offsets.values())

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Let the app say where each partition begins, then resume the streams."""
        await self._wait(self.app.consumer.reopen())
        await super().on_recovery_completed(generation_id)


class Tables(TableManager):  # type: ignore[misc]
    """Faust's table manager with the recovery and the revocation of this module."""

    @property
    def recovery(self) -> BulkRecovery:
        """The recovery service."""
        found = self._recovery or BulkRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        self._recovery: BulkRecovery | None = found
        return found

    async def on_start(self) -> None:
        """Start without Faust's second of sleep: all topics and tables were declared before."""
        await self._update_channels()
        await self.recovery.start()

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drop the rows: whoever owns the partitions next reads them from the changelog."""
        super().on_partitions_revoked(revoked)
        for table in self.values():
            table.reset_state()
