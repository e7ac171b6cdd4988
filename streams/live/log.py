"""The broker as the ledger and the auditor see it: journal records, ends, tails, raw inputs.

Reads go through a consumer without a group; ends are asked on a connection of their own, because
one that waits in a long poll answers late (rule 21).
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from schemas import topics
from schemas.errors import OperatorError, TransportError
from streams.live.access import Where
from streams.live.reader import Reader
from streams.live.remedies import LOOK, missing, no_answer, not_allowed, said

READ_S = 30.0
"""A read that has not come to its end by then is a broker that does not do its part."""
WAIT_MS = 200
TAIL_RECORDS = 200
"""How far back the newest sequence number is looked for: a former owner's late copies may lie behind it."""
FETCH_BYTES = 4 * 1024 * 1024


class Slice(NamedTuple):
    """Records of one partition, and what the broker says of its log."""

    records: list[Any]
    """Objects with offset, key, value, timestamp and timestamp_type."""
    upto: int
    log_start: int
    log_end: int


class Log:
    """Reads topics by their short names.

    Args:
        bootstrap: The broker.
        prefix: Before each topic's short name.
    """

    def __init__(self, bootstrap: Where, prefix: str) -> None:
        self._prefix = prefix
        self._bootstrap = bootstrap
        self._reader = self._consumer()
        self._asker = self._consumer()
        self._lock = asyncio.Lock()

    def _consumer(self) -> Any:
        return Reader(
            self._bootstrap,
            isolation_level="read_committed",  # as the worker reads: an end is where its records end
            fetch_max_wait_ms=WAIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
        )

    async def start(self) -> None:
        """Connect.

        Raises:
            TransportError: the broker does not answer.
        """
        try:
            await asyncio.gather(self._reader.start(), self._asker.start())
        except KafkaError as error:
            await self.stop()
            raise TransportError(no_answer(self._bootstrap, said(error))) from error

    async def stop(self) -> None:
        """Disconnect."""
        await asyncio.gather(self._reader.stop(), self._asker.stop())

    async def partitions(self, topic: str) -> set[int]:
        """Return the partition numbers of a topic.

        Raises:
            OperatorError: there is no such topic.
        """
        name = topics.full_name(topic, self._prefix)
        await self._asker._client.force_metadata_update()
        found = self._asker._client.cluster.partitions_for_topic(name)
        if not found:
            await self._asker._client.set_topics([name])  # of those not asked for by name nobody says why
            if name in self._asker._client.cluster.unauthorized_topics:
                raise OperatorError(not_allowed(f"nobody allowed us {name}", self._bootstrap))
            raise OperatorError(missing([name], self._bootstrap, self._prefix))
        return set(found)

    def place(self, topic: str, partition: int) -> TopicPartition:
        """Return the place of a topic's partition on the broker; the policy book has only one."""
        return TopicPartition(
            topics.full_name(topic, self._prefix), 0 if topic == topics.BOOKS else partition
        )

    async def bounds(self, wanted: Iterable[str], partition: int) -> dict[str, tuple[int, int]]:
        """Return the log's start and end of each topic, as they are now."""
        places = {topic: self.place(topic, partition) for topic in wanted}
        try:
            async with asyncio.timeout(READ_S):
                ends = await self._asker.end_offsets(list(places.values()))
                starts = await self._asker.beginning_offsets(list(places.values()))
        except (KafkaError, TimeoutError) as error:
            raise TransportError(
                f"The broker does not say where {', '.join(places)} of partition {partition} begin and end "
                f"({said(error)}). {LOOK}"
            ) from error
        return {topic: (starts[place], ends[place]) for topic, place in places.items()}

    async def read(self, topic: str, partition: int, start: int, end: int | None) -> Slice:
        """Read records from an offset on, up to an end or to the end as it is now.

        Raises:
            TransportError: the broker did not give them in time.
        """
        log_start, log_end = (await self.bounds([topic], partition))[topic]
        upto = log_end if end is None else min(end, log_end)
        if start >= upto or start < log_start:
            return Slice([], max(start, upto) if end is None else upto, log_start, log_end)
        records: list[Any] = []

        def keep(record: Any) -> bool:
            if record.offset < upto:
                records.append(record)
            return False

        await self._scan(self.place(topic, partition), start, upto, keep)
        return Slice(records, upto, log_start, log_end)

    async def _scan(self, place: TopicPartition, start: int, upto: int, visit: Callable[[Any], bool]) -> None:
        async with self._lock:
            try:
                async with asyncio.timeout(READ_S):
                    self._reader.assign([place])
                    self._reader.seek(place, start)
                    while await self._reader.position(place) < upto:
                        for batch in (await self._reader.getmany(timeout_ms=WAIT_MS)).values():
                            for record in batch:
                                if visit(record):
                                    return
            except (KafkaError, TimeoutError) as error:
                raise TransportError(
                    f"The broker did not give {place.topic}, partition {place.partition}, from offset {start} to "
                    f"{upto} within {READ_S:.0f} s ({said(error)}). {LOOK}"
                ) from error

    async def newest_seq(self, topic: str, partition: int) -> int | None:
        """Return the highest sequence number visible in an output partition, None where it is empty."""
        log_start, log_end = (await self.bounds([topic], partition))[topic]
        found = await self.read(topic, partition, max(log_start, log_end - TAIL_RECORDS), log_end)
        return max(
            (seq for record in found.records if (seq := _seq_of(record.value)) is not None), default=None
        )


def _seq_of(value: bytes | None) -> int | None:
    """Return the sequence number of an output; None of what somebody else has put into its topic."""
    try:
        return msgspec.json.decode(value or b"", type=_Output).seq
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class _Output(msgspec.Struct):
    seq: int
