"""A broker of its own, topics of its own, one real worker (or another program) as a process, and what it costs."""

import asyncio
import contextlib
import logging
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition as Place
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, OffsetSpec

from schemas import topics
from schemas.wire import canonical
from streams.broker import local
from streams.live import topics as admin
from streams.live.rows import Message, send_in_order
from streams.policies.load import load_book, shipped_book_dir

ROOT = Path(__file__).parents[1]
LOOK_S = 0.05
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - named for what it is
ROOM = 8 << 30
"""Bytes that a measurement may put into temporary files: the broker's logs, the peers' state."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

logging.getLogger("aiokafka").setLevel(logging.ERROR)  # of new topics it warns that nobody leads them yet


def load() -> str:
    """Return the load of the machine, to stand beside each figure."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def keep_in_memory() -> None:
    """Let temporary files lie in memory, here and in what is started from here, if there is room and no TMPDIR is set.

    A platform's brokers have disks of their own. Here the kernel would write their logs out on the cores of what is
    measured, at its own times: the same measurement came to 28 ms and to 85 ms for that.
    """
    if "TMPDIR" not in os.environ and IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free >= ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


def files() -> str:
    """Return where temporary files lie."""
    return "in memory" if Path(tempfile.gettempdir()).is_relative_to(IN_MEMORY) else "on a disk"


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

    def send(
        self, topic: str, messages: Mapping[int, Iterable[Message]], batch_bytes: int = 512 * 1024
    ) -> None:
        """Send messages to the partitions of a topic, each in order, and wait for the acknowledgements."""
        asyncio.run(self._send(self.name(topic), messages, batch_bytes))

    async def _send(self, name: str, messages: Mapping[int, Iterable[Message]], batch_bytes: int) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", linger_ms=0, max_batch_size=batch_bytes
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
        for _ in range(100):
            found = self._admin.list_offsets(places, request_timeout=10)
            with contextlib.suppress(KafkaException):  # a topic that was made just now may have no leader yet
                return sum(one.result().offset for one in found.values())
            time.sleep(LOOK_S)
        raise SystemExit(f"the broker does not say where {self.name(topic)} ends")

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
        command = [sys.executable, "-m", "streams.cli", "worker", "--bootstrap", self.bootstrap]
        with self.program([*command, "--prefix", self.prefix, *arguments]) as process:
            yield process

    @contextlib.contextmanager
    def program(self, command: Sequence[str]) -> Iterator["Process"]:
        """Run a program, which is ended in good order."""
        with tempfile.TemporaryDirectory() as directory:
            process = Process(Path(directory) / "program.log", command)
            try:
                yield process
            finally:
                process.stop()

    def delete(self) -> None:
        """Delete its topics, and those that a program has made whose names begin as theirs do."""
        named = [name for name in self._admin.list_topics(timeout=10).topics if name.startswith(self.prefix)]
        for deleted in self._admin.delete_topics(named, request_timeout=30).values():
            deleted.result()


class Process:
    """One program, and what it costs.

    Args:
        log: Takes all that it says.
        command: What is run, in the project's directory.
    """

    def __init__(self, log: Path, command: Sequence[str]) -> None:
        self._log = log
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
            raise SystemExit(f"it ended by itself:\n{self.log[-3000:]}")

    def wait(self, text: str, times: int = 1, patience_s: float = 300, look_s: float = LOOK_S) -> float:
        """Wait until it has said a text so often; return how long after its start that was."""
        while self.log.count(text) < times:
            self.must_live(f"said {text!r}", patience_s)
            time.sleep(look_s)
        return time.monotonic() - self.began

    def must_live(self, to: str, patience_s: float = 300) -> None:
        """Give it up if it has ended, or has run for too long."""
        self.check()
        if time.monotonic() - self.began > patience_s:
            raise SystemExit(f"the program never {to}:\n{self.log[-3000:]}")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

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
    keep_in_memory()
    with tempfile.TemporaryDirectory() as directory:
        try:
            yield local.up(Path(directory), ephemeral=True).bootstrap
        finally:
            local.down(Path(directory))
