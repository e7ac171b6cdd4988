"""Reads everything out of a broker's topics, as any reader would see it, uncommitted transactions too."""

import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from .checker_dump import ALL, Dump, Record

PATIENCE_S = 120
MOST_UNFOLDED = 8 << 20
"""A batch that unfolds to more is one unreadable record to every reader of the program (`streams/live/capped.py`). The
bombs of the campaign are batches of one record, so their values say how much that is."""


def name_of(topic: str, prefix: str) -> str:
    return f"{prefix}{topic}" if topic == "rows-changelog" else f"{prefix}{topic}.v1"


def consumer(bootstrap: str, **more: Any) -> Consumer:
    """Return a consumer without a group that looks again at once when a broker comes back."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "nobody",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_uncommitted",
            "reconnect.backoff.max.ms": 300,
            "fetch.wait.max.ms": 50,
            "log_level": 0,
            **more,
        }
    )


def dump_topics(bootstrap: str, prefix: str, partitions: int, topics: tuple[str, ...] = ALL) -> Dump:
    """Return all records of the topics as they are now."""
    reader = consumer(bootstrap, **{"enable.partition.eof": True})
    try:
        short, places, ends = {}, [], {}
        for topic in topics:
            name = name_of(topic, prefix)
            short[name] = topic
            count = 1 if topic == "policy-book" else partitions
            ends[topic] = {
                number: reader.get_watermark_offsets(TopicPartition(name, number), timeout=20)
                for number in range(count)
            }
            places += [
                TopicPartition(name, number, start) for number, (start, _) in sorted(ends[topic].items())
            ]
        found: dict[str, dict[int, list[Record]]] = {
            topic: {number: [] for number in numbers} for topic, numbers in ends.items()
        }
        reader.assign(places)
        _read(reader, short, found, len(places))
    finally:
        reader.close()
    return Dump(found, ends)


def _read(
    reader: Consumer, short: dict[str, str], found: dict[str, dict[int, list[Record]]], wanted: int
) -> None:
    at_end: set[tuple[str, int]] = set()
    until = time.monotonic() + PATIENCE_S
    while len(at_end) < wanted:
        if time.monotonic() > until:
            raise RuntimeError(f"the topics were not read to their ends within {PATIENCE_S} s")
        for message in reader.consume(2000, timeout=1):
            topic, partition = short[message.topic()], message.partition()
            if message.error() is not None:
                if message.error().code() == KafkaError._PARTITION_EOF:
                    at_end.add((topic, partition))
                    continue
                raise RuntimeError(message.error().str())
            kind, timestamp = message.timestamp()
            said = message.offset(), message.key(), message.value(), timestamp, kind - 1
            found[topic][partition].append(standing_in(Record(*said, message.headers() or [])))
            until = time.monotonic() + PATIENCE_S


def standing_in(record: Record) -> Record:
    """Return what counts as a record's bytes: of one that unfolds to over 8 MiB, a value too large and no key."""
    if record.value is None or len(record.value) <= MOST_UNFOLDED:
        return record
    return record._replace(key=None, value=bytes((1 << 20) + 1))
