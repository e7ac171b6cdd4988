"""A broker of its own, topics of its own, one real worker as a process, and what that worker costs."""

import asyncio
import contextlib
import logging
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition as Place
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, OffsetSpec

from schemas import topics
from schemas.wire import canonical
from streams.broker import local
from streams.live import topics as admin
from streams.live.rows import Message, send_in_order
from streams.policies.load import load_book, shipped_book_dir

ROOT = Path(__file__).parents[1]
LOOK_S = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

logging.getLogger("aiokafka").setLevel(logging.ERROR)  # of new topics it warns that nobody leads them yet


def load() -> str:
    """Return the load of the machine, to stand beside each figure."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


class Rig:
    """Topics of one prefix on one broker.

    Args:
        bootstrap: Of the broker.
        partitions: Of each topic.
    """

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.bootstrap, self.partitions = bootstrap, partitions
        self.prefix = f"bench{secrets.token_hex(3)}."
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        admin.apply(bootstrap, admin.wanted(self.prefix, partitions))

    def name(self, topic: str) -> str:
        """Return the full name of a topic."""
        return f"{self.prefix}rows-changelog" if topic == "rows" else topics.full_name(topic, self.prefix)

    def configure(self, topic: str, settings: Mapping[str, str]) -> None:
        """Change settings of a topic."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in settings.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, self.name(topic), incremental_configs=entries)
        for future in self._admin.incremental_alter_configs([resource]).values():
            future.result()

    def publish_book(self) -> None:
        """Publish the shipped policy book."""
        book = load_book(shipped_book_dir())
        value = canonical({"book": book.tables, "hash": book.hash})
        self.send(topics.BOOKS, {0: [(None, value, [])]})

    def send(self, topic: str, messages: dict[int, Iterable[Message]]) -> None:
        """Send messages to the partitions of a topic, each in order, and wait for the acknowledgements."""
        asyncio.run(self._send(self.name(topic), messages))

    async def _send(self, name: str, messages: dict[int, Iterable[Message]]) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", linger_ms=0, max_batch_size=512 * 1024
        )
        await producer.start()
        try:
            for number, own in messages.items():
                await send_in_order(producer, name, number, own)
        finally:
            await producer.stop()

    def end(self, topic: str) -> int:
        """Return how many offsets a topic has, all partitions together."""
        places = {TopicPartition(self.name(topic), n): OffsetSpec.latest() for n in range(self.partitions)}
        found = self._admin.list_offsets(places, request_timeout=10)
        return sum(one.result().offset for one in found.values())

    def read(self, topic: str) -> dict[int, list[Any]]:
        """Return all records of a topic, by partition."""
        return asyncio.run(self._read(self.name(topic)))

    async def _read(self, name: str) -> dict[int, list[Any]]:
        places = [Place(name, number) for number in range(self.partitions)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=None, auto_offset_reset="earliest"
        )
        consumer.assign(places)
        await consumer.start()
        try:
            found: dict[int, list[Any]] = {place.partition: [] for place in places}
            for place, end in (await consumer.end_offsets(places)).items():
                while await consumer.position(place) < end:
                    for records in (await consumer.getmany(timeout_ms=1000)).values():
                        found[records[0].partition] += records
            return found
        finally:
            await consumer.stop()

    @contextlib.contextmanager
    def worker(self, *arguments: str) -> Iterator["Process"]:
        """Run one worker, which is ended in good order."""
        with tempfile.TemporaryDirectory() as directory:
            process = Process(self, Path(directory) / "worker.log", *arguments)
            try:
                yield process
            finally:
                process.stop()


class Process:
    """One worker process, and what it costs."""

    def __init__(self, rig: Rig, log: Path, *arguments: str) -> None:
        self._log = log
        command = [sys.executable, "-m", "streams.cli", "worker", "--bootstrap", rig.bootstrap]
        command += ["--prefix", rig.prefix, *arguments]
        self.began = time.monotonic()
        with log.open("w") as file:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
        self.pid = self._process.pid

    @property
    def log(self) -> str:
        """All that it said."""
        return self._log.read_text()

    def cpu_s(self) -> float:
        """Return the CPU time that it has used, all threads together."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_mb(self) -> float:
        """Return what it holds of the memory now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE / 1e6

    def peak_mb(self) -> float:
        """Return the most that it has held."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels; the worker was started with `--metrics-port 0`."""
        (page,) = re.findall(r"metrics at (http://\S+)", self.log)
        with urllib.request.urlopen(page, timeout=10) as answer:  # noqa: S310 - the log's own address
            lines = answer.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{"))
        )

    def check(self) -> None:
        """End the measurement if the worker has ended."""
        if self._process.poll() is not None:
            raise SystemExit(f"the worker ended by itself:\n{self.log[-3000:]}")

    def wait(self, text: str, times: int = 1, patience_s: float = 300) -> float:
        """Wait until it has said a text so often; return how long after its start that was."""
        while self.log.count(text) < times:
            self.check()
            if time.monotonic() - self.began > patience_s:
                raise SystemExit(f"the worker never said {text!r}:\n{self.log[-3000:]}")
            time.sleep(LOOK_S)
        return time.monotonic() - self.began

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def broker(bootstrap: str | None) -> Iterator[str]:
    """Give the bootstrap of a broker: the one that is named, or an empty one that is gone afterwards."""
    if bootstrap is not None:
        yield bootstrap
        return
    with tempfile.TemporaryDirectory() as directory:
        try:
            yield local.up(Path(directory), ephemeral=True).bootstrap
        finally:
            local.down(Path(directory))
