"""Many deadlines at one instant: `python -m bench.deadlines`.

A worker owns so many open duties; a part of them, all of partition 0, ends with one tick. Meanwhile counts of the
other partitions, each of which is a decision, are sent one after the other; how long each takes until its notice is
read says how long anybody had to wait.
"""

import argparse
import asyncio
import statistics
import time
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from bench.rig import Process, Rig, broker, load
from bench.wake import count
from bench.watched import rows_of, write_table
from schemas import topics
from schemas.instant import SECOND
from schemas.partitioner import partition_of

EVERY_S = 0.1
FIRST = 5_000_000
"""Numbers of the accounts that are counted meanwhile: none of the table's."""


class Probe:
    """Sends a count every now and then and hears its notice."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.sent: dict[str, float] = {}
        self.took: list[tuple[float, float]] = []
        """When each was sent, and how long it took, in seconds."""

    async def run(self, until: Any) -> None:
        """Send and listen until it is told to end and everything was heard."""
        rig = self.rig
        producer = AIOKafkaProducer(bootstrap_servers=rig.bootstrap, linger_ms=0)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=rig.bootstrap, group_id=None, auto_offset_reset="latest"
        )
        await asyncio.gather(producer.start(), consumer.start())
        consumer.assign([TopicPartition(rig.name(topics.DISCLOSURE), n) for n in range(rig.partitions)])
        await consumer.seek_to_end()
        listening = asyncio.create_task(self._listen(consumer))
        number = FIRST
        try:
            while not await asyncio.to_thread(until):
                at = time.time_ns() // 1000
                key, value = count(number, at - number * 1000)
                partition = partition_of(key, rig.partitions)
                number += 1
                if partition:
                    self.sent[key.decode().partition(":")[2]] = time.monotonic()
                    await producer.send(rig.name(topics.COUNTS), key=key, value=value, partition=partition)
                    await asyncio.sleep(EVERY_S)
            async with asyncio.timeout(60):
                while self.sent:  # noqa: ASYNC110 - nothing is to be woken by the last of them
                    await asyncio.sleep(EVERY_S)
        finally:
            listening.cancel()
            await asyncio.gather(producer.stop(), consumer.stop())

    async def _listen(self, consumer: Any) -> None:
        async for record in consumer:
            sent = self.sent.pop(msgspec.json.decode(record.value)["account_id"], None)
            if sent is not None:
                self.took.append((sent, time.monotonic() - sent))


def measure(bootstrap: str, accounts: int, due: int, partitions: int, ready_s: int) -> None:
    """Let deadlines come and print who waited how long."""
    rig = Rig(bootstrap, partitions)
    at = time.time_ns() // 1000
    ours = (n for n, (key, _) in enumerate(rows_of(accounts, at, {})) if partition_of(key, partitions) == 0)
    ends_at = at + ready_s * SECOND
    write_table(rig, accounts, at, {number: ends_at for number, _ in zip(ours, range(due), strict=False)})
    with rig.worker() as worker:
        worker.wait("recovered ")
        if time.time_ns() // 1000 > ends_at:
            raise SystemExit(
                "the worker was not at work when the deadlines came: fewer accounts, or less load"
            )
        before_mb = worker.rss_mb()
        probe = Probe(rig)
        times: list[float] = []

        def is_over() -> bool:
            done = rig.end(topics.RESTRICTIONS)
            if done and not times:
                times.append(time.monotonic())
            if done >= due:
                times.append(time.monotonic())
            return done >= due

        asyncio.run(probe.run(is_over))
        _tell(worker, probe, times, due, before_mb)


def _tell(worker: Process, probe: Probe, times: list[float], due: int, before_mb: float) -> None:
    began, ended = times[0], times[-1]
    quiet = sorted(took for sent, took in probe.took if sent < began - 1)
    burst = sorted(took for sent, took in probe.took if began - 1 <= sent <= ended)
    print(
        f"{due:,} deadlines in {ended - began:.1f} s ({due / max(ended - began, 0.1):,.0f} a second). Counts of other "
        f"partitions: before, median {statistics.median(quiet):.3f} s, longest {quiet[-1]:.3f} of {len(quiet)}; "
        f"meanwhile median {statistics.median(burst):.3f} s, longest {burst[-1]:.3f} of {len(burst)}. "
        f"Memory {before_mb:.0f} MB before, peak {worker.peak_mb():.0f}. "
        f"Takeovers: {worker.log.count(' is ours from entry ')}; {load()}"
    )


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=100_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument(
        "--ready", type=int, default=120, help="seconds until the deadlines, to write and read the table"
    )
    parser.add_argument("--bootstrap", help="a broker that is up; otherwise one is started and ended")
    said = parser.parse_args()
    with broker(said.bootstrap) as found:
        measure(found, said.accounts, said.due, said.partitions, said.ready)


if __name__ == "__main__":
    main()
