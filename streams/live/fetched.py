"""What a poll brings of one partition: a run of raw record batches, not yet parsed.

Parsing waits until the records are wanted, and skips aiokafka's `ConsumerRecord`, which costs five times as
much as the record itself.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Protocol, cast

from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import CorruptRecordException, KafkaError

from schemas.columns import numbers
from schemas.errors import InvariantBroken, TransportError
from schemas.records import Records
from streams.live.remedies import LOOK, said

MOST_FOLDED = 16
"""Compressed batches of one run: it is parsed whole, and they may unfold to 8 MiB each."""


class Record(Protocol):
    """One raw record, as aiokafka's parser makes it."""

    @property
    def offset(self) -> int:
        """The record's offset in its partition."""

    @property
    def key(self) -> bytes | None:
        """The key's bytes, none if it has no key."""

    @property
    def value(self) -> bytes | None:
        """The value's bytes, none for a tombstone."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970."""

    @property
    def timestamp_type(self) -> int:
        """0: the sender's clock, 1: the broker's at append."""


class Run:
    """Consecutive offsets of one partition, `start` to `end` (exclusive), and the records among them.

    Offsets without a record (transaction markers, aborted records, compacted ones) belong to the run too.
    `gate` is the transport's own.
    """

    __slots__ = ("_batches", "_passed", "end", "gate", "partition", "round", "start", "topic")

    def __init__(
        self, topic: str, partition: int, start: int, end: int, *, batches: list[Any], gate: Any
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.start = start
        self.end = end
        self.gate = gate
        self.round = 0
        self._batches = batches
        self._passed = False

    def __iter__(self) -> Iterator[Record]:
        """Parse the records one by one, in order of offset, and only once.

        Each record is freed before the next is made and leaves nothing for the garbage collector.

        Raises:
            InvariantBroken: the run was iterated or read before.
            TransportError: a record cannot be parsed or decompressed.
        """
        self._begin()
        return self._parse()

    def _parse(self) -> Iterator[Record]:
        with self._saying_which():
            for batch in self._taken_out():
                yield from self._of(batch)

    def read(self) -> Records:
        """Parse the records into columns, without their times, and only once: the way for the many.

        Raises:
            InvariantBroken: the run was iterated or read before.
            TransportError: a record cannot be parsed or decompressed.
        """
        self._begin()
        found = Records.of((), with_time=False)
        with self._saying_which():
            for batch in self._taken_out():
                if self._is_whole(batch) and batch.read(found.keys, found.values):
                    found.offsets.extend(numbers(batch.base_offset, batch.next_offset))
                else:
                    found.extend(Records.of(self._of(batch), with_time=False))
        return found

    def _begin(self) -> None:
        if self._passed:
            raise InvariantBroken(f"{self} can be read once")
        self._passed = True

    def _taken_out(self) -> Iterator[Any]:
        self._batches.reverse()
        while self._batches:
            yield self._batches.pop()  # what it unfolds to goes with it

    def _of(self, batch: Any) -> Iterator[Record]:
        if self._is_whole(batch):
            return iter(batch)
        return (record for record in batch if record.offset >= self.start)

    def _is_whole(self, batch: Any) -> bool:
        """Kafka sends whole batches: the first may begin before what was asked for, and the oldest format hides it."""
        return bool(getattr(batch, "base_offset", -1) >= self.start)

    @contextlib.contextmanager
    def _saying_which(self) -> Iterator[None]:
        try:
            yield
        except KafkaError as error:
            raise TransportError(f"A record of {self} cannot be parsed ({said(error)}). {LOOK}") from error

    def __repr__(self) -> str:
        return f"Run({self.topic}[{self.partition}] {self.start}..{self.end})"


def drain(result: Any, tp: Any, gate: Any) -> Run | None:
    """Take the batches out of an aiokafka `FetchResult`, as its `getall` would, without parsing records.

    Of very many compressed ones some are left there, so that a run has an end also where its bytes have none.

    Control batches and batches of aborted transactions are dropped, their offsets passed. None if the result
    is stale: its position is not the consumer's any more.

    Raises:
        CorruptRecordException: a batch's checksum is wrong; nothing of the result is passed.
    """
    if not result.check_assignment(result._topic_partition) or not result.has_more():
        return None
    rest = result._partition_records
    start, batches, folded = rest.next_fetch_offset, [], 0
    while rest._records.has_next() and folded < MOST_FOLDED:
        batch = rest._records.next_batch()
        if rest._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"wrong checksum of the batch at offset {batch.base_offset}")
        if not _is_dropped(rest, batch):
            batches.append(batch)
        rest.next_fetch_offset = batch.next_offset
        folded += batch.is_folded
    result._update_position()
    if not rest._records.has_next():
        result._partition_records = rest._records_iterator = (
            None  # the two hold each other, and the fetched bytes
        )
    end = cast(int, rest.next_fetch_offset)
    return Run(tp.topic, tp.partition, start, end, batches=batches, gate=gate) if end > start else None


def drain_next(fetcher: Any, tp: Any, gate: Any) -> Run | None:
    """Drain what was fetched of a partition, and forget it once nothing is left: then `fetch_on` has to follow.

    Raises:
        CorruptRecordException: as `drain`.
    """
    found = fetcher._records[tp]
    run = drain(found, tp, gate)
    if run is None or not found.has_more():
        del fetcher._records[tp]
    return run


def fetch_on(fetcher: Any) -> None:
    """Let aiokafka fetch of the partitions of which nothing is left."""
    fetcher._notify(fetcher._wait_consume_future)


async def poll(consumer: Any, timeout_s: float) -> list[Run]:
    """Return what was fetched for a consumer without a group, unparsed; wait for it if there is nothing.

    As its `getmany`, which makes a `ConsumerRecord` of each.

    Raises:
        KafkaError: a partition cannot be read.
        CorruptRecordException: a batch's checksum is wrong.
    """
    fetcher = consumer._fetcher
    if not fetcher._records:
        waiter = fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=timeout_s)
        if done:
            waiter.result()
        else:
            waiter.cancel()
    runs = []
    for tp in list(fetcher._records):
        found = fetcher._records[tp]
        if hasattr(found, "check_raise"):
            del fetcher._records[tp]
            found.check_raise()
        run = drain_next(fetcher, tp, None)
        if run is not None:
            runs.append(run)
    fetch_on(fetcher)
    return runs


def log_end(result: Any) -> int:
    """Return where the partition's log ended, for readers of committed records, when it was fetched last."""
    state = result._assignment.state_value(result._topic_partition)
    return cast(int, state.highwater if state.lso is None else state.lso)


def _is_dropped(rest: Any, batch: Any) -> bool:
    """Return whether consumers never see a batch; aborted transactions as in `_unpack_records`."""
    aborted = False
    if rest._isolation_level == READ_COMMITTED and batch.producer_id is not None:
        rest._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and rest._contains_abort_marker(batch):
            rest._aborted_producers.discard(batch.producer_id)
        aborted = batch.is_transactional and batch.producer_id in rest._aborted_producers
    return bool(aborted or batch.is_control_batch)
