"""What a poll brings of one partition: a run of raw record batches, not yet parsed.

Parsing waits until the records are wanted, and skips aiokafka's `ConsumerRecord`, which costs five times as
much as the record itself.
"""

from typing import Any, Protocol, cast

from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import CorruptRecordException


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

    __slots__ = ("_batches", "_records", "end", "gate", "partition", "start", "topic")

    def __init__(
        self, topic: str, partition: int, start: int, end: int, batches: list[Any], gate: Any
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.start = start
        self.end = end
        self.gate = gate
        self._batches = batches
        self._records: list[Record] | None = None

    def records(self) -> list[Record]:
        """Return all records in order of offset; parsed and decompressed by the first call, then kept.

        The first call costs about 0.1 µs a record, more if compressed; it holds the GIL for the whole run (at
        most one fetch of one partition, 1 MiB unless compressed). Later calls are free. The records live as
        long as the run does.
        """
        if self._records is None:
            self._records = [record for batch in self._batches for record in batch]
            if self._records and self._records[0].offset < self.start:
                # Kafka sends whole batches: the first may begin before the offset that was asked for.
                self._records = [record for record in self._records if record.offset >= self.start]
            self._batches.clear()
        return self._records

    def __repr__(self) -> str:
        return f"Run({self.topic}[{self.partition}] {self.start}..{self.end})"


def drain(result: Any, tp: Any, gate: Any) -> Run | None:
    """Take all batches out of an aiokafka `FetchResult`, as its `getall` would, without parsing records.

    Control batches and batches of aborted transactions are dropped, their offsets passed. None if the result
    is stale: its position is not the consumer's any more.

    Raises:
        CorruptRecordException: a batch's checksum is wrong; nothing of the result is passed.
    """
    if not result.check_assignment(result._topic_partition) or not result.has_more():
        return None
    rest = result._partition_records
    start, batches = rest.next_fetch_offset, []
    while rest._records.has_next():
        batch = rest._records.next_batch()
        if rest._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"wrong checksum of the batch at offset {batch.base_offset}")
        if not _is_dropped(rest, batch):
            batches.append(batch)
        rest.next_fetch_offset = batch.next_offset
    result._update_position()
    result._partition_records = rest._records_iterator = (
        None  # the two hold each other, and the fetched bytes
    )
    end = cast(int, rest.next_fetch_offset)
    return Run(tp.topic, tp.partition, start, end, batches, gate) if end > start else None


def _is_dropped(rest: Any, batch: Any) -> bool:
    """Return whether consumers never see a batch, following aborted transactions as `_unpack_records` does."""
    aborted = False
    if rest._isolation_level == READ_COMMITTED and batch.producer_id is not None:
        rest._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and rest._contains_abort_marker(batch):
            rest._aborted_producers.discard(batch.producer_id)
        aborted = batch.is_transactional and batch.producer_id in rest._aborted_producers
    return bool(aborted or batch.is_control_batch)
