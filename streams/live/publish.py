"""Puts replay files into the topics, in order: the lines of one topic are acknowledged before the next topic's."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import groupby

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas import topics
from schemas.errors import OperatorError
from schemas.partitioner import partition_of
from streams.replay_files import Line

IN_FLIGHT = 500
"""Lines of one topic that are sent before their acknowledgements are awaited."""


async def publish(
    bootstrap: str, prefix: str, lines: Iterable[Line], *, rate: float | None, done: Callable[[int], None]
) -> int:
    """Send lines to their topics and return how many were acknowledged.

    Args:
        bootstrap: `host:port`, more separated by commas.
        prefix: Before each topic's short name.
        lines: In the order in which they shall be read.
        rate: At most so many lines a second; None for no bound.
        done: Told of every number of lines that was acknowledged.

    Raises:
        OperatorError: the topics are not there, or the broker does not take a line.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=0, max_request_size=2**21)
    try:
        await producer.start()
        partitions = await _partitions(producer, prefix)
        started, sent = asyncio.get_running_loop().time(), 0
        for topic, chunk in _chunks(lines):
            await _send(producer, topics.full_name(topic, prefix), topic, chunk, partitions)
            sent += len(chunk)
            done(len(chunk))
            if rate is not None:
                await asyncio.sleep(max(0.0, started + sent / rate - asyncio.get_running_loop().time()))
    except KafkaError as error:
        raise OperatorError(
            f"The broker at {bootstrap} did not take the lines ({error!r}). Look at it with `nameplate broker status`."
        ) from error
    finally:
        await producer.stop()
    return sent


def _chunks(lines: Iterable[Line]) -> Iterable[tuple[str, list[Line]]]:
    for topic, group in groupby(lines, key=lambda line: line.topic):
        chunk: list[Line] = []
        for line in group:
            chunk.append(line)
            if len(chunk) == IN_FLIGHT:
                yield topic, chunk
                chunk = []
        if chunk:
            yield topic, chunk


async def _partitions(producer: AIOKafkaProducer, prefix: str) -> int:
    name = topics.full_name(topics.COUNTS, prefix)
    try:
        async with asyncio.timeout(10):
            return len(await producer.partitions_for(name))
    except (TimeoutError, KafkaError) as error:
        raise OperatorError(
            f"{name} is not there. Make the topics with `nameplate topics apply`, then publish again."
        ) from error


async def _send(
    producer: AIOKafkaProducer, name: str, topic: str, chunk: list[Line], partitions: int
) -> None:
    acks = [
        await producer.send(name, value=line.value, key=line.key, partition=partition)
        for line in chunk
        for partition in _where(topic, line, partitions)
    ]
    await asyncio.gather(*acks)


def _where(topic: str, line: Line, partitions: int) -> Iterable[int]:
    """Return the partitions of a line: a tick without one goes to all."""
    if topic == topics.BOOKS:
        return (0,)
    if line.partition is not None:
        return (line.partition,)
    if topic == topics.CLOCK:
        return range(partitions)
    return (partition_of(line.key, partitions) if line.key is not None else 0,)
