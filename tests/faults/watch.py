"""Follows the journals while faults happen: who writes, how far the inputs are taken, and when it goes on."""

import threading
import time
from typing import NamedTuple

from confluent_kafka import Message, TopicPartition

from .checker_dump import Record
from .checker_journal import Chain
from .dump import consumer, name_of


class Seen(NamedTuple):
    """An accepted entry, and when it was seen (monotonic seconds)."""

    at: float
    partition: int
    n: int
    epoch: int
    writer: str
    has_runs: bool
    written: float
    """When its writer sent it, in seconds since 1970 by this machine's clock."""


class Watch(threading.Thread):
    """Reads the journals as they grow.

    Args:
        bootstrap: Of the broker, without a proxy.
        prefix: Of the topics.
        partitions: How many journals.
    """

    def __init__(self, bootstrap: str, prefix: str, partitions: int) -> None:
        super().__init__(daemon=True)
        self.entries: list[Seen] = []
        self.voids = 0
        self.positions: dict[int, dict[str, int]] = {number: {} for number in range(partitions)}
        self._next_seq: dict[int, dict[str, int]] = {number: {} for number in range(partitions)}
        self._chains = {number: Chain() for number in range(partitions)}
        self._reader = consumer(bootstrap)
        name = name_of("journal", prefix)
        self._reader.assign([TopicPartition(name, number, 0) for number in range(partitions)])
        self._stopping = threading.Event()
        self._news = threading.Condition()

    def run(self) -> None:
        while not self._stopping.is_set():
            messages = [one for one in self._reader.consume(500, timeout=0.05) if one.error() is None]
            if messages:
                with self._news:
                    for message in messages:
                        self._take(message)
                    self._news.notify_all()
        self._reader.close()

    def _take(self, message: Message) -> None:
        partition = message.partition()
        record = Record(message.offset(), None, message.value(), message.timestamp()[1], 0)
        one = self._chains[partition].judge(record)
        if not one.is_accepted:
            self.voids += 1
            return
        content, said = one.content, one.said
        assert said is not None
        self.positions[partition], self._next_seq[partition] = content["positions"], content["next_seq"]
        numbers = partition, said["n"], said["epoch"], said["writer"]
        self.entries.append(Seen(time.monotonic(), *numbers, bool(content["runs"]), record.timestamp / 1000))

    def next_seq(self, topic: str) -> int:
        """Return how many outputs of a topic the journals have."""
        return sum(said.get(topic, 0) for said in self._next_seq.values())

    def stop(self) -> None:
        self._stopping.set()
        self.join(10)

    def goes_on(self, partitions: set[int], fault: "Moment", patience_s: float) -> dict[int, float]:
        """Wait until each partition has taken input again; return how long each needed, only of those that did.

        Args:
            partitions: Of which an accepted entry with records, written after the fault, is waited for.
            fault: When it happened.
            patience_s: How long to wait from then on.
        """
        until = time.monotonic() + patience_s
        came: dict[int, float] = {}
        looked = self._first_after(fault.at)
        with self._news:
            while True:
                for seen in self.entries[looked:]:
                    if seen.written > fault.wall and seen.has_runs and seen.partition in partitions:
                        came.setdefault(seen.partition, seen.at - fault.at)
                looked = len(self.entries)
                if len(came) == len(partitions) or time.monotonic() >= until:
                    return came
                self._news.wait(0.2)

    def _first_after(self, at: float) -> int:
        place = len(self.entries)
        while place and self.entries[place - 1].at > at:
            place -= 1
        return place


class Moment(NamedTuple):
    """An instant by both clocks of this machine."""

    at: float
    wall: float

    @classmethod
    def now(cls) -> "Moment":
        return cls(time.monotonic(), time.time())
