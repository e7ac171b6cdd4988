"""Publishes a population without a pause while faults happen; what the broker has not acknowledged is sent again."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Producer

from .dump import name_of
from .population import Population, Sent


def producer(bootstrap: str, **more: Any) -> Producer:
    """Return a producer that keeps the order, loses nothing and finds partitions as Kafka's own do."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "reconnect.backoff.max.ms": 300,
            "retry.backoff.ms": 100,
            "delivery.timeout.ms": 180_000,
            "queue.buffering.max.messages": 500_000,
            "message.max.bytes": 2_000_000,
            "linger.ms": 5,
            "log_level": 0,
            **more,
        }
    )


class Publisher(threading.Thread):
    """Sends records at a rate.

    Args:
        bootstrap: Of the broker, without a proxy.
        prefix: Of the topics.
        population: What is sent.
        rate: Records a second.
    """

    def __init__(self, bootstrap: str, prefix: str, population: Population, rate: float) -> None:
        super().__init__(daemon=True)
        self.rate = rate
        self.sent: dict[tuple[str, int], int] = {}
        """By topic and partition the offset after the last record that was acknowledged."""
        self._prefix, self._population = prefix, population
        self._producer = producer(bootstrap)
        self._stopping = threading.Event()
        self.failed: list[str] = []

    def run(self) -> None:
        began, count = time.monotonic(), 0.0
        while not self._stopping.wait(0.02):
            now = time.monotonic()
            count += (now - began) * self.rate
            began = now
            for _ in range(int(count)):
                self.send(self._population.draw(datetime.now(UTC)))
            count -= int(count)
            self._producer.poll(0)

    def send(self, record: Sent) -> None:
        name = name_of(record.topic, self._prefix)

        def acked(error: Any, message: Any) -> None:
            if error is not None:
                self.failed.append(str(error))
                return
            place = record.topic, message.partition()
            self.sent[place] = max(self.sent.get(place, 0), message.offset() + 1)

        self._producer.produce(name, record.value, record.key, on_delivery=acked)

    def hear(self, sent: dict[tuple[str, int], int]) -> None:
        """Hear what somebody else has published."""
        for place, end in sent.items():
            self.sent[place] = max(self.sent.get(place, 0), end)

    def stop(self) -> None:
        """Stop drawing, and wait until all is acknowledged."""
        self._stopping.set()
        if self.is_alive():
            self.join(10)
        left = self._producer.flush(120)
        if left or self.failed:
            raise RuntimeError(f"{left} records were not acknowledged; {self.failed[:3]}")


def publish_all(
    bootstrap: str, prefix: str, records: Iterable[Sent], done: Callable[[Any], None] | None = None
) -> None:
    """Publish records as fast as the broker takes them."""
    sender = Publisher(bootstrap, prefix, None, 0)  # type: ignore[arg-type]
    for number, record in enumerate(records):
        while True:
            try:
                sender.send(record)
                break
            except BufferError:
                sender._producer.poll(0.1)
        if number % 1000 == 0:
            sender._producer.poll(0)
    sender.stop()
    if done is not None:
        done(sender.sent)
