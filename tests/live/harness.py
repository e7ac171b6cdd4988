"""Real workers on a real broker: started, watched, killed; and what they left in the topics."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from schemas import topics
from schemas.wire import canonical
from streams.live import topics as admin
from streams.live.publish import publish
from streams.policies.load import load_book
from streams.replay.files import Line, read_lines

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


def nameplate(*arguments, expect=0):
    """Run a command of the program as a user would; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def eventually(condition, what, patience_s=PATIENCE_S):
    """Wait until a condition holds, and return what it returned."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {patience_s} s: {what}")


class Worker:
    """One worker process; its log is kept in a file."""

    def __init__(self, cluster, number, *arguments, failpoint=None, session=6):
        self.log_file = cluster.directory / f"worker-{number}.log"
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if failpoint:
            environment["NAMEPLATE_FAILPOINT"] = failpoint
        command = [sys.executable, "-m", "streams.cli", "worker", "--bootstrap", cluster.bootstrap]
        command += ["--prefix", cluster.prefix, "--session", str(session), *map(str, arguments)]
        self.log_handle = self.log_file.open("w")
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stderr=self.log_handle, stdout=self.log_handle
        )

    @property
    def log(self):
        return self.log_file.read_text()

    def owned(self):
        """Return the partitions of the last assignment, as the worker's own log says."""
        return {
            int(line.split("partition ")[1].split()[0])
            for line in self.log.splitlines()
            if " is ours from entry " in line
        }

    def wait_owned(self, *partitions):
        return eventually(
            lambda: set(partitions) <= self.owned(), f"the worker owns {partitions}:\n{self.log[-3000:]}"
        )

    def wait_exit(self, code=0, patience_s=PATIENCE_S):
        try:
            found = self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker did not end:\n{self.log[-4000:]}") from None
        assert found == code, f"exit {found}, expected {code}:\n{self.log[-4000:]}"

    def send(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.process.kill()
        self.process.wait(10)
        self.log_handle.close()


class Cluster:
    """Topics of one prefix on the broker, and the workers of one test."""

    def __init__(self, bootstrap, prefix, directory, partitions=4):
        self.bootstrap, self.prefix, self.directory, self.partitions = (
            bootstrap,
            prefix,
            directory,
            partitions,
        )
        self.workers = []
        admin.apply(bootstrap, admin.wanted(prefix, partitions))

    def worker(self, *arguments, **options):
        worker = Worker(self, len(self.workers), *arguments, **options)
        self.workers.append(worker)
        return worker

    def close(self):
        for worker in self.workers:
            worker.kill()

    def publish_book(self, directory):
        book = load_book(directory)
        value = canonical({"book": book.tables, "hash": book.hash})
        self.publish_lines([Line("a test", 1, topics.BOOKS, value, None)])
        return book

    def publish_file(self, *files):
        self.publish_lines(list(read_lines(files)))

    def publish_lines(self, lines):
        asyncio.run(publish(self.bootstrap, self.prefix, lines, rate=None, done=lambda _: None))

    def read(self, topic):
        """Return all records of a topic, by partition."""
        return asyncio.run(_read(self.bootstrap, topics.full_name(topic, self.prefix)))

    def records(self, topic):
        return [record for records in self.read(topic).values() for record in records]

    def outputs(self):
        """Return each output topic's values by partition, first copies only; a differing copy or a gap fails."""
        return {
            topic: {p: without_copies(records) for p, records in self.read(topic).items()}
            for topic in topics.OUTPUTS
        }

    def read_named(self, name):
        """Return all records of a topic by its full name, by partition."""
        return asyncio.run(_read(self.bootstrap, name))

    def decisions(self, journal):
        """Yield every decision of an exported journal, in its order, with the number of its partition."""
        for line in journal.read_bytes().splitlines():
            content = json.loads(line)["content"]
            for decision in content["decisions"]:
                yield content["partition"], decision

    def has_journaled_all(self):
        """Whether the journals have passed every record of counts and facts."""
        ends = {topic: self.read(topic) for topic in (topics.COUNTS, topics.FACTS)}
        for number, entries in self.read(topics.JOURNAL).items():
            positions = json.loads(entries[-1].value)["content"]["positions"] if entries else {}
            for topic, records in ends.items():
                if records[number] and positions.get(topic, 0) <= records[number][-1].offset:
                    return False
        return True

    def write_inputs_as_taken(self, journal, path):
        """Write what was taken, in the order in which the journal says it was, as a replay file; return its path.

        The policy book is left out: a replay is given it beforehand.
        """
        raw = {topic: self.read(topic) for topic in (topics.COUNTS, topics.FACTS, topics.CLOCK)}
        by_offset = {
            (topic, number, record.offset): record
            for topic, partitions in raw.items()
            for number, records in partitions.items()
            for record in records
        }
        with path.open("w", encoding="utf-8") as file:
            for line in journal.read_bytes().splitlines():
                content = json.loads(line)["content"]
                for topic, start, end, _ in content["runs"]:
                    for offset in range(start, end) if topic != topics.BOOKS else ():
                        record = by_offset.get((topic, content["partition"], offset))
                        if record is None:  # of a batch that unfolds too far only the last offset has one
                            continue
                        file.write(json.dumps(_line_of(topic, content["partition"], record)) + "\n")
        return path

    def export(self):
        """Return the exported journal's path."""
        path = self.directory / "journal.jsonl"
        nameplate("journal", "export", path, "--bootstrap", self.bootstrap, "--prefix", self.prefix)
        return path


def _line_of(topic, partition, record):
    said = {"topic": topic, "partition": partition, "offset": record.offset}
    said |= {"timestamp": record.timestamp, "timestamp_type": record.timestamp_type}
    said["key"] = record.key.decode() if record.key is not None else None
    if record.value is None:
        return {**said, "value": None}
    return {**said, "raw_base64": base64.b64encode(record.value).decode()}


def without_copies(records):
    values = []
    for record in records:
        seq = json.loads(record.value)["seq"]
        assert seq <= len(values), f"a gap: seq {seq} after {len(values) - 1}"
        if seq == len(values):
            values.append(record.value)
        else:
            assert values[seq] == record.value, f"two payloads under seq {seq}"
    return values


def replayed(directory, partitions):
    """Return the outputs of a replay in the form of `Cluster.outputs`."""
    found = {topic: {p: [] for p in range(partitions)} for topic in topics.OUTPUTS}
    for topic in topics.OUTPUTS:
        for line in (directory / f"{topic}.jsonl").read_bytes().splitlines():
            found[topic][json.loads(line)["partition"]].append(line)
    return found


async def _read(bootstrap, name):
    settings = {"group_id": None, "auto_offset_reset": "earliest", "fetch_max_wait_ms": 10}
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, **settings)
    await consumer.start()
    try:
        found = {}
        await consumer._client.force_metadata_update()
        for number in sorted(consumer._client.cluster.partitions_for_topic(name)):
            place = TopicPartition(name, number)
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            start = (await consumer.beginning_offsets([place]))[place]
            consumer.seek(place, start)
            found[number] = []
            while await consumer.position(place) < end:
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    found[number] += batch
        return found
    finally:
        await consumer.stop()
