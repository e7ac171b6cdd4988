"""Follower counts in bulk: record batches that are built whole, for one partition after the other.

The values differ only by the number of the account and the instant, so that building costs less than reading. Which
partition a key would go to by its hash is of no matter to a worker, and is not asked: a producer's own routing would
be a third of the cost of a count.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas.instant import text

BATCH_BYTES = 512 * 1024
Record = tuple[bytes, bytes]


class Form:
    """Counts that are observed at one instant.

    Args:
        at: The instant, in µs.
    """

    _FORM = b'{"account_id":"%%s-%%010d","event_id":"e%%010d","followers":%%d,"observed_at":"%s","platform":"bilibili"}'

    def __init__(self, at: int) -> None:
        self._form = self._FORM % text(at).encode()

    def quiet(self, number: int) -> Record:
        """Return key and value of a count that wakes nobody: the account has some thousand followers."""
        value = self._form % (b"quiet", number, number, 1000 + number % 1000)
        return b"bilibili:quiet-%010d" % number, value

    def waking(self, number: int) -> Record:
        """Return key and value of a count beyond the first line: the first of its account begins a duty."""
        value = self._form % (b"waking", number, number, 1_000_000 + number % 100_000)
        return b"bilibili:waking-%010d" % number, value


def account(number: int) -> str:
    """Return the id of the account of a waking count."""
    return f"waking-{number:010}"


def producer(bootstrap: str, **more: Any) -> AIOKafkaProducer:
    """Return a producer of prepared batches, not yet started."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", linger_ms=0, max_batch_size=BATCH_BYTES, **more
    )


def batches(sender: AIOKafkaProducer, records: Iterable[Record]) -> Iterator[Any]:
    """Yield full batches, and a last one that may not be."""
    batch = sender.create_batch()
    for key, value in records:
        if batch.append(key=key, value=value, timestamp=None) is None:
            yield batch
            batch = sender.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    if batch.record_count():
        yield batch


async def send(sender: AIOKafkaProducer, topic: str, numbers: range, partitions: int, *, last: bool) -> int:
    """Send quiet counts, each partition an equal share of the accounts, all partitions side by side.

    Args:
        sender: A producer that is started.
        topic: The full name.
        numbers: Of the accounts.
        partitions: Of the topic.
        last: After them one count for each partition that wakes its account: its notice says that all is taken.

    Returns:
        The bytes of the batches.
    """
    form = Form(time.time_ns() // 1000)

    async def one(partition: int) -> int:
        def records() -> Iterator[Record]:
            yield from map(form.quiet, numbers[partition::partitions])
            if last:
                yield form.waking(numbers.start + partition)

        size, sent = 0, []
        for batch in batches(sender, records()):
            size += batch.size()
            sent.append(
                await sender.send_batch(batch, topic, partition=partition)
            )  # waits for the one before
        await asyncio.gather(*sent)
        return size

    return sum(await asyncio.gather(*map(one, range(partitions))))


def fill(bootstrap: str, topic: str, numbers: range, partitions: int) -> int:
    """Send quiet counts, as `send` does, in an event loop of its own; return the bytes of the batches."""

    async def run() -> int:
        async with producer(bootstrap) as sender:
            return await send(sender, topic, numbers, partitions, last=False)

    return asyncio.run(run())
