"""What is put to the test: two or more workers of Nameplate, or of plain Faust, on topics of their own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas import topics
from schemas.policy import book_from_tables
from schemas.wire import canonical
from streams.live import topics as admin
from streams.live.publish import publish
from streams.replay.files import Line

from .job import LINE, PARTITIONS, POLICY, Said

ROOT = Path(__file__).parents[2]


class Worker:
    """One process of a system."""

    def __init__(self, call: list[str], log: IO[bytes]) -> None:
        self._process = subprocess.Popen(call, cwd=ROOT, stdout=log, stderr=log)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self.is_alive():
            os.kill(self._process.pid, number)

    def end(self, patience_s: float = 30) -> None:
        """Ask it to end, and kill it where it does not."""
        self.send(signal.SIGTERM)
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self._process.wait()


class System:
    """A way of doing the job.

    Args:
        bootstrap: Of the broker.
        prefix: Of the topics of this run.
        directory: For the logs of the workers.
    """

    name = ""
    isolation = "read_uncommitted"
    """How its outputs are read."""

    def __init__(self, bootstrap: str, prefix: str, directory: Path) -> None:
        self.bootstrap, self.prefix, self.directory = bootstrap, prefix, directory
        self.group = ""
        self._log = (directory / f"{prefix}log").open("ab")
        self.prepare()

    @property
    def counts(self) -> str:
        return topics.full_name(topics.COUNTS, self.prefix)

    def prepare(self) -> None:
        """Make what must be there before the first worker."""
        raise NotImplementedError

    def call(self) -> list[str]:
        """Return how a worker is started."""
        raise NotImplementedError

    def said(self) -> list[Said]:
        """Return everything that was said."""
        raise NotImplementedError

    def start(self) -> Worker:
        return Worker(self.call(), self._log)

    def lag(self) -> int:
        """Return how many counts the group has not committed yet."""
        reader = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.group, "log_level": 0})
        try:
            places = [TopicPartition(self.counts, number) for number in range(PARTITIONS)]
            ends = [reader.get_watermark_offsets(place, timeout=10)[1] for place in places]
            done = [max(0, place.offset) for place in reader.committed(places, timeout=10)]
            return sum(ends) - sum(done)
        finally:
            reader.close()

    def read(self, topic: str) -> list[bytes]:
        """Return the values of a topic as its reader sees them."""
        reader = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.prefix}reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "isolation.level": self.isolation,
                "log_level": 0,
            }
        )
        found: list[bytes] = []
        reader.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        open_ends = PARTITIONS
        while open_ends:
            message = reader.poll(30)
            if message is None:
                raise TimeoutError(f"{topic} cannot be read to its end")
            if message.error():
                open_ends -= 1
            elif value := message.value():
                found.append(value)
        reader.close()
        return found


class Nameplate(System):
    """This project."""

    name = "Nameplate"

    def prepare(self) -> None:
        self.group = f"{self.prefix}nameplate"
        admin.apply(self.bootstrap, admin.wanted(self.prefix, PARTITIONS))
        book = book_from_tables({"policies": {"weibo": POLICY}})
        value = canonical({"book": book.tables, "hash": book.hash})
        line = Line("the job", 1, topics.BOOKS, value, None)
        asyncio.run(publish(self.bootstrap, self.prefix, [line], rate=None, done=lambda _: None))

    def call(self) -> list[str]:
        call = [sys.executable, "-m", "streams.cli", "worker", "--bootstrap", self.bootstrap]
        return [*call, "--prefix", self.prefix]

    def said(self) -> list[Said]:
        found = []
        for value in self.read(topics.full_name(topics.DISCLOSURE, self.prefix)):
            said = json.loads(value)
            found.append(Said(said["cause"]["event_id"], said["type"] == "disclosure-required", value))
        return found


class AtLeastOnce(System):
    """Faust with a table, as it is by default."""

    name = "plain Faust, at_least_once"
    guarantee = "at_least_once"

    def prepare(self) -> None:
        self.group = f"{self.prefix}{self.guarantee}"
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        wanted = [NewTopic(name, PARTITIONS, 1) for name in (self.counts, f"{self.prefix}crossed")]
        changelog = f"{self.group}-{self.prefix}last-changelog"
        wanted.append(NewTopic(changelog, PARTITIONS, 1, config={"cleanup.policy": "compact"}))
        for made in client.create_topics(wanted).values():
            made.result()

    def call(self) -> list[str]:
        call = [sys.executable, "-m", "tests.peers.plain_faust", self.bootstrap, self.prefix]
        return [*call, self.guarantee, str(self.directory / "faust")]

    def said(self) -> list[Said]:
        found = []
        for value in self.read(f"{self.prefix}crossed"):
            said = json.loads(value)
            found.append(Said(said["id"], said["to"] >= LINE, value))
        return found


class ExactlyOnce(AtLeastOnce):
    """Faust with transactions; read by one who waits for their commits."""

    name = "plain Faust, exactly_once"
    guarantee = "exactly_once"
    isolation = "read_committed"


SYSTEMS = (Nameplate, AtLeastOnce, ExactlyOnce)
