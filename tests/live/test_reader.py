"""A reader of partitions that we name ourselves stops at whatever moment it is told to."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from harness import PATIENCE_S

from streams.live.reader import Reader

pytestmark = pytest.mark.broker

TURNS = 12
"""Of the event loop, after which the end of a fetcher has gone through."""


@pytest.fixture
def places(broker, prefix):
    """Two empty partitions: a fetch from them is answered late."""
    name = f"{prefix}read"
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(name, 2, 1)])[name].result()
    return [TopicPartition(name, number) for number in range(2)]


async def is_asking(reader, place):
    """Wait until a fetch from a partition is under way."""
    async with asyncio.timeout(PATIENCE_S):
        await reader.position(place)
        while not reader._fetcher._in_flight:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(TURNS))
async def test_it_stops_while_its_partitions_change(broker, places, turns):
    reader = Reader(broker.bootstrap)
    await reader.start()
    reader.assign(places[:1])
    await is_asking(reader, places[0])
    stopping = asyncio.create_task(reader.stop())
    for _ in range(turns):
        await asyncio.sleep(0)
    reader.assign(places[1:])
    stopped, _ = await asyncio.wait({stopping}, timeout=PATIENCE_S)
    assert stopped


async def test_one_that_could_not_connect_stops():
    reader = Reader("127.0.0.1:9")
    with pytest.raises(KafkaConnectionError, match="9"):
        await reader.start()
    await reader.stop()
