"""Keeps `account-status` true: a former owner's late write must not be the last of its key (rule 24).

The topic is compacted and has no chain, so a row that a paused worker writes after its successor would stay
for ever. Every status names its writer and its entry in headers. What stood in the partition before this owner is
compared once with the rows; what a stranger writes later, or lands late of our own, is compared when it comes. What
differs is written again, but for what tells of a later entry than our last one: then we are the one who was paused,
and our rows are stale.
"""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from schemas import topics
from schemas.errors import TransportError
from schemas.wire import assembled
from streams.journaling import ENTRY_HEADER, WRITER_HEADER
from streams.live.access import Where
from streams.live.fetched import poll
from streams.live.reader import Reader
from streams.live.remedies import LOOK, said

POLL_S = 0.5
REST_S = 0.2
"""Between two polls of partitions whose past is compared. Nearly all that comes is what this worker has just written:
read as it comes it would cost as many fetches again as the inputs, to see a stranger's status so much sooner."""

NOT_STATE = ("as_of", "entry")
"""What a status says of its own writing; the rest is the state of the account."""

ENTRY_DIGITS = 16
"""As many as the largest number of an entry has."""


class Told(NamedTuple):
    """What a status in the topic tells."""

    state: bytes
    """Its fingerprint."""
    entry: int
    """After which it was true; -1 where it does not say: then it is older than anything of ours."""


Seen = dict[bytes, Told]
"""Per key what stands in the topic."""


Compare = Callable[[int, Seen, bool], None]


def fingerprint(value: bytes | None) -> bytes:
    """Return a short hash of the state that a status tells, of nothing for a tombstone or what is no status."""
    try:
        status = msgspec.json.decode(value) if value is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b"unreadable"
    if not isinstance(status, dict):
        return b""
    state = {name: said for name, said in status.items() if name not in NOT_STATE}
    return hashlib.blake2b(assembled(state), digest_size=8).digest()


def told(record: Any) -> Told:
    """Return what a raw status tells."""
    return Told(fingerprint(record.value), entry_of(record))


def entry_of(record: Any) -> int:
    """Return the entry after which a raw status was true, -1 where it does not say."""
    return _entry(dict(record.headers))


def _entry(headers: dict[str, bytes]) -> int:
    entry = headers.get(ENTRY_HEADER) or b""
    return int(entry) if entry.isdigit() and len(entry) <= ENTRY_DIGITS else -1


class Tail:
    """What one owner has seen of its status partition. Pure.

    Args:
        end: Where the partition ended when the owner took over.
        writer: The nonce of this process.
    """

    def __init__(self, end: int, writer: str) -> None:
        self._end = end
        self._writer = writer.encode()
        self._before: Seen | None = {}
        self._newest = -1
        """The entry of our own last status; we write them in the order of entries."""
        self._last: object = None
        """Its headers."""

    def see(self, record: Any) -> Seen:
        """Take the next record; return the keys that have to be compared with the rows now."""
        if record.key is None:
            return {}
        if self._before is not None and record.offset < self._end:
            self._before[record.key] = told(record)
            return {}
        if record.headers == self._last:
            return {}  # most are ours, and of an entry of which we have seen one
        headers = dict(record.headers)
        if headers.get(WRITER_HEADER) == self._writer and (entry := _entry(headers)) >= self._newest:
            self._newest, self._last = entry, record.headers
            return {}
        return {record.key: told(record)}  # a stranger's, or a late copy of ours

    @property
    def is_new(self) -> bool:
        """Whether what stood there before is still to be read."""
        return self._before is not None

    def reach(self, position: int) -> Seen:
        """Hear how far the partition is read; return all that stood there before, once, at its end."""
        if self._before is None or position < self._end:
            return {}
        before, self._before = self._before, None
        return before


class StatusTails:
    """Reads the status partitions of all owners of a worker, without a group.

    Args:
        bootstrap: The broker.
        prefix: Before each topic's short name.
        writer: The nonce of this process.
        compare: Told the partition, what has to be compared with its rows, and whether a stranger wrote it late.
    """

    def __init__(self, bootstrap: Where, prefix: str, writer: str, compare: Compare) -> None:
        self._name = topics.full_name(topics.STATUS, prefix)
        self._writer = writer
        self._compare = compare
        self._tails: dict[int, Tail] = {}
        self._next: dict[int, int] = {}
        self._moved = False
        self._bootstrap = bootstrap

    def follow(self, partition: int, start: int, end: int) -> None:
        """Read a partition from its start on."""
        self._tails[partition] = Tail(end, self._writer)
        self._next[partition] = start
        self._moved = True

    def leave(self, partition: int) -> None:
        """Read a partition no more."""
        self._tails.pop(partition, None)
        self._next.pop(partition, None)
        self._moved = True

    async def run(self) -> None:
        """Read for ever.

        Raises:
            TransportError: the broker does not answer.
        """
        consumer = Reader(self._bootstrap)
        try:
            await consumer.start()
            while True:
                await self._poll(consumer)
        except KafkaError as error:
            raise TransportError(f"{self._name} cannot be read ({said(error)}). {LOOK}") from error
        finally:
            await consumer.stop()

    async def _poll(self, consumer: Any) -> None:
        if self._moved:
            self._moved = False
            consumer.assign([TopicPartition(self._name, number) for number in self._tails])
            for number, offset in self._next.items():
                consumer.seek(TopicPartition(self._name, number), offset)
        if not self._tails:
            await asyncio.sleep(POLL_S)
            return
        for run in await poll(consumer, POLL_S):
            number = run.partition
            for record in run if number in self._tails and not self._moved else ():
                self._report(number, self._tails[number].see(record), late=True)
                self._next[number] = record.offset + 1
        for number in [] if self._moved else list(self._tails):
            position = await consumer.position(TopicPartition(self._name, number))
            if number in self._tails:
                self._report(number, self._tails[number].reach(position), late=False)
        if not any(tail.is_new for tail in self._tails.values()):
            await asyncio.sleep(REST_S)

    def _report(self, partition: int, seen: Seen, *, late: bool) -> None:
        if seen:
            self._compare(partition, seen, late)
