"""No framework: aiokafka's consumer, a decoder, a look at the account's band, and nothing else.

It keeps for each account the counts between which nothing happens, and counts crossings; it sends nothing, commits
nothing and would remember nothing. So it does less than everybody else here: it is the bound.

Tuned: records are taken by `getmany`, thousands at a time, and fetched 8 MiB of a partition at once.

Source:
    aiokafka.readthedocs.io, "Consumer client" (`getmany` for batches) and its API reference
    (`max_partition_fetch_bytes`, `max_records`).
"""

import asyncio

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.peers.count import Count
from bench.peers.meter import LINE, PARTITIONS, Meter, called

FOREVER = 2**62


async def main() -> None:
    """Take all counts."""
    arguments = called()
    meter = Meter(arguments)
    decode = msgspec.json.Decoder(Count).decode
    below, above = (0, LINE - 1), (LINE, FOREVER)
    bands: dict[bytes, tuple[int, int]] = {}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=arguments.bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=8 << 20
    )
    await consumer.start()
    partitions = [TopicPartition(arguments.counts, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    while True:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=20_000)).values():
            for record in records:
                low, high = bands.get(record.key, below)
                if not low <= decode(record.value).followers <= high:
                    bands[record.key] = above if low == 0 else below
                    meter.crossings += 1
            meter.handled(len(records))


if __name__ == "__main__":
    asyncio.run(main())
