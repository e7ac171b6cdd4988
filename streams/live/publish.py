"""Puts replay files into the topics, in order: the lines of one topic are acknowledged before the next topic's."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError

from schemas import topics
from schemas.errors import OperatorError, TransportError
from schemas.partitioner import partition_of
from streams.live.access import Where, access_of
from streams.live.remedies import LOOK, REFUSED, missing, no_answer, not_allowed, said
from streams.replay.files import Line

IN_FLIGHT = 500
"""Lines of one topic that are sent before their acknowledgements are awaited."""


async def publish(
    bootstrap: Where, prefix: str, lines: Sequence[Line], *, rate: float | None, done: Callable[[int], None]
) -> int:
    """Send lines to their topics and return how many were acknowledged.

    Args:
        bootstrap: The broker.
        prefix: Before each topic's short name.
        lines: In the order in which they shall be read.
        rate: At most so many lines a second; None for no bound.
        done: Told of every number of lines that was acknowledged.

    Raises:
        OperatorError: the topics are not there, or a line names a partition that its topic does not have.
        TransportError: the broker does not answer, or does not take a line.
    """
    producer = AIOKafkaProducer(
        **access_of(bootstrap).aiokafka(), acks="all", linger_ms=0, max_request_size=2**21
    )
    sent = 0
    try:
        await producer.start()
        partitions = await _partitions(producer, bootstrap, prefix, lines)
        _check(lines, partitions)
        started = asyncio.get_running_loop().time()
        for topic, chunk in _chunks(lines):
            await _send(producer, topics.full_name(topic, prefix), topic, chunk, partitions)
            sent += len(chunk)
            done(len(chunk))
            if rate is not None:
                await asyncio.sleep(max(0.0, started + sent / rate - asyncio.get_running_loop().time()))
    except KafkaConnectionError as error:
        raise TransportError(no_answer(bootstrap, said(error))) from error
    except REFUSED as error:
        raise OperatorError(not_allowed(said(error), bootstrap)) from error
    except KafkaError as error:
        raise TransportError(
            f"The broker at {bootstrap} acknowledged {sent} lines and then took no more ({said(error)}). {LOOK}"
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


async def _partitions(
    producer: AIOKafkaProducer, bootstrap: Where, prefix: str, lines: Sequence[Line]
) -> int:
    """Return how many partitions the topics have; of the policy book alone, who publishes it may see no other."""
    only_books = all(line.topic == topics.BOOKS for line in lines)
    name = topics.full_name(topics.BOOKS if only_books else topics.COUNTS, prefix)
    try:
        async with asyncio.timeout(10):
            return len(await producer.partitions_for(name))
    except (TimeoutError, KafkaError) as error:
        if name in producer.client.cluster.unauthorized_topics:
            raise OperatorError(not_allowed(f"nobody allowed us {name}", bootstrap)) from error
        raise OperatorError(missing([name], bootstrap, prefix)) from error


async def _send(
    producer: AIOKafkaProducer, name: str, topic: str, chunk: list[Line], partitions: int
) -> None:
    acks = [
        await _sent(producer, name, line, partition)
        for line in chunk
        for partition in _where(topic, line, partitions)
    ]
    await asyncio.gather(*acks)


async def _sent(producer: AIOKafkaProducer, name: str, line: Line, partition: int) -> Any:
    """Send a line and return what its acknowledgement is awaited with."""
    if line.key is None and line.value is None:  # `send` refuses such a record, and Kafka does not
        batch = producer.create_batch()
        batch.append(key=None, value=None, timestamp=None)
        return await producer.send_batch(batch, name, partition=partition)
    return await producer.send(name, value=line.value, key=line.key, partition=partition)


def _check(lines: Sequence[Line], partitions: int) -> None:
    for line in lines:
        if line.partition is not None and line.partition >= partitions and line.topic != topics.BOOKS:
            raise OperatorError(
                f"{line.file}, line {line.number}: names partition {line.partition}, and the topic has {partitions}, "
                "counted from 0. Nothing was published. Correct the line or leave its partition out, then run the "
                "command again."
            )


def _where(topic: str, line: Line, partitions: int) -> Iterable[int]:
    """Return the partitions of a line: a tick without one goes to all."""
    if topic == topics.BOOKS:
        return (0,)
    if line.partition is not None:
        return (line.partition,)
    if topic == topics.CLOCK:
        return range(partitions)
    return (partition_of(line.key, partitions) if line.key is not None else 0,)
