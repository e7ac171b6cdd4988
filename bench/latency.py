"""From a count to the notice that it causes: `python -m bench.latency`.

The worker has the first core for itself and the broker, what sends and reads the last one and the broker: a worker is
two threads and one lock of the interpreter, and where it is on two cores that lock travels between them.

A process of its own sends counts evenly; one in so many is beyond the first line of a new account, so that each of
these is a decision, with a notice and all that belongs to it. Each count is *due* at its own instant, evenly spaced,
and waits in the sender until its batch goes, every few milliseconds: the sender's linger, which is told apart. The time
to the notice is measured by the monotonic clock, which all processes of a machine share; where it was spent, by the
instants that the topics and the journal have of it, which are whole milliseconds.
"""

import argparse
import asyncio
import bisect
import gc
import math
import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from bench import feed
from bench.rig import Process, Rig, broker, load
from schemas import topics

RATES = (20_000, 50_000)
"""Counts per second."""
ONE_IN = 250
"""Of so many counts one decides: the share of the measurements that the target was taken from."""
TARGET_MS = 25
"""Of the 99th percentile, on an idle machine."""
LINGER_S = 0.004
FIRST, LAST = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
"""Cores."""
BEGINS = "begins"
"""What the sender says first."""
WARM_UP_S = 4.0
"""Of what is sent before nothing is told: Python and the broker's compiler have not seen it all yet."""
STAGES = ("sender's linger", "to the log", "to the entry", "to the output", "to its reader")
"""Until sent; until the broker has it; until a worker has decided and writes the entry (its fetch, what was in hand
before it, the decision); until the entry and then the output are acknowledged; until it is read."""


class Sent(NamedTuple):
    """A count that decides: when it was due and sent (monotonic, ns), and arrived (Unix, ms)."""

    account: str
    due: int
    sent: int
    arrived: int


class Heard(NamedTuple):
    """Its notice: when it was read (monotonic, ns) and arrived in its topic (Unix, ms), and its place there."""

    read: int
    arrived: int
    partition: int
    seq: int


class Found(NamedTuple):
    """What one round measured, in ms."""

    rate: int
    outputs: int
    p50: float
    p99: float
    p999: float
    longest: float
    stages: dict[str, tuple[float, float]]
    """Of each stage the median and the 99th percentile."""
    worker_cores: float
    """CPU seconds of the worker per second."""


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that so large a share of all are not above: nothing is interpolated.

    Args:
        ordered: The values, ascending; at least one.
        share: Between 0 and 1.

    Examples:
        >>> quantile([1, 2, 3, 4], 0.5), quantile([1, 2, 3, 4], 0.99)
        (2, 4)
    """
    return ordered[max(0, -(-int(share * 1e9) * len(ordered) // 10**9) - 1)]


# The sender --------------------------------------------------------------------------------------


def spread(one_in: int, partitions: int) -> int:
    """Return the next number that has no divisor with the partitions: then each of them has its share.

    Examples:
        >>> spread(250, 4)
        251
    """
    while math.gcd(one_in, partitions) != 1:
        one_in += 1
    return one_in


def send_evenly(
    bootstrap: str, topic: str, partitions: int, rate: int, waking: int, seconds: float, told: Connection
) -> None:
    """Send counts evenly, one batch per partition and linger; tell when it begins, and in the end of those that decide.

    All batches are built before: to build them meanwhile takes a fifth of a core, on the machine that is measured.
    """
    os.sched_setaffinity(0, {LAST})
    gc.disable()  # a pause of the sender's is not the worker's
    told.send(asyncio.run(_send_evenly(bootstrap, topic, partitions, rate, waking, seconds, told)))


async def _send_evenly(
    bootstrap: str, topic: str, partitions: int, rate: int, waking: int, seconds: float, told: Connection
) -> list[Sent]:
    gap, each = 1e9 / rate, round(rate * LINGER_S)
    waits: list[tuple[str, int, int, Any]] = []
    async with feed.producer(bootstrap) as sender:
        built = [
            (first, partition, own, _batch(sender, own, waking))
            for first in range(0, int(rate * seconds), each)
            for partition in range(partitions)
            if (own := range(first + (partition - first) % partitions, first + each, partitions))
        ]
        told.send(BEGINS)
        began = time.monotonic_ns()
        for first, partition, own, batch in built:
            goes = began + int((first + each) * gap)
            if (early_s := (goes - time.monotonic_ns()) / 1e9) > 0:
                await asyncio.sleep(early_s)
            acked = await sender.send_batch(batch, topic, partition=partition)
            sent = time.monotonic_ns()
            waits += [(feed.account(n), began + int(n * gap), sent, acked) for n in own if n % waking == 0]
        return [Sent(account, due, sent, (await acked).timestamp) for account, due, sent, acked in waits]


def _batch(sender: Any, numbers: range, waking: int) -> Any:
    form = feed.Form(time.time_ns() // 1000)
    (batch,) = feed.batches(sender, (form.quiet(n) if n % waking else form.waking(n) for n in numbers))
    return batch


# The receiver ------------------------------------------------------------------------------------


class _Notice(msgspec.Struct):
    account_id: str
    seq: int


def _listen(rig: Rig, heard: dict[str, Heard], over: threading.Event) -> None:
    """Keep when each notice is first read, from the first one that the topic has; librdkafka is the cheapest reader."""
    os.sched_setaffinity(0, {LAST})  # of this thread, and of those that it begins
    notice = msgspec.json.Decoder(_Notice)
    consumer = Consumer({"bootstrap.servers": rig.bootstrap, "group.id": "none", "enable.auto.commit": False})
    topic = rig.name(topics.DISCLOSURE)
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(rig.partitions)])
    try:
        while not over.is_set():
            record = consumer.poll(0.1)
            if record is None or record.error():
                continue
            at, said = time.monotonic_ns(), notice.decode(record.value())
            heard.setdefault(said.account_id, Heard(at, record.timestamp()[1], record.partition(), said.seq))
    finally:
        consumer.close()


async def _round(rig: Rig, worker: Process, rate: int, waking: int, seconds: float) -> Found:
    heard: dict[str, Heard] = {}
    over = threading.Event()
    listening = threading.Thread(target=_listen, args=(rig, heard, over), daemon=True)
    listening.start()
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    sender = spawn.Process(
        target=send_evenly,
        args=(rig.bootstrap, rig.name(topics.COUNTS), rig.partitions, rate, waking, seconds, theirs),
        daemon=True,
    )
    sender.start()
    theirs.close()
    try:
        await _told(ours)
        await asyncio.sleep(WARM_UP_S)
        began, cpu = time.monotonic(), worker.cpu_s()
        await asyncio.sleep(seconds - WARM_UP_S)
        cores = (worker.cpu_s() - cpu) / (time.monotonic() - began)
        sent: list[Sent] = await _told(ours)
        async with asyncio.timeout(60):
            while any(one.account not in heard for one in sent):  # noqa: ASYNC110 - it is over at once
                await asyncio.sleep(0.1)
    finally:
        sender.kill()
        over.set()
        await asyncio.to_thread(listening.join)
    steady = [one for one in sent if one.due - sent[0].due > WARM_UP_S * 1e9]
    return found(rate, steady, heard, await asyncio.to_thread(entries_of, rig), cores)


async def _told(sender: Connection) -> Any:
    try:
        return await asyncio.to_thread(sender.recv)
    except EOFError:
        raise SystemExit("the sender ended before its time: look above") from None


# What came of it ---------------------------------------------------------------------------------


Entries = dict[int, tuple[list[int], list[int]]]
"""By partition of each entry the first notice that comes after it, and when it was written (Unix, ms)."""


class _Content(msgspec.Struct):
    next_seq: dict[str, int]


class _Entry(msgspec.Struct):
    content: _Content


def entries_of(rig: Rig) -> Entries:
    """Read the journals."""
    entry = msgspec.json.Decoder(_Entry)
    read: Entries = {}
    for number, records in rig.read(topics.JOURNAL).items():
        upto = [entry.decode(record.value).content.next_seq[topics.DISCLOSURE] for record in records]
        read[number] = upto, [record.timestamp for record in records]
    return read


def found(rate: int, sent: Sequence[Sent], heard: dict[str, Heard], entries: Entries, cores: float) -> Found:
    """Put together what was sent, heard and journaled.

    Args:
        rate: Counts per second.
        sent: What was sent after the warm-up, each with its notice.
        heard: The notices, by account.
        entries: The journals.
        cores: CPU seconds of the worker per second.
    """
    wall_ms = time.time_ns() / 1e6 - time.monotonic_ns() / 1e6
    took: list[float] = []
    parts: list[tuple[float, ...]] = []
    for one in sent:
        notice = heard[one.account]
        upto, written = entries[notice.partition]
        # what is said in whole milliseconds is half of one later in the mean
        marks = (
            one.due / 1e6 + wall_ms,
            one.sent / 1e6 + wall_ms,
            one.arrived + 0.5,
            written[bisect.bisect_right(upto, notice.seq)] + 0.5,
            notice.arrived + 0.5,
            notice.read / 1e6 + wall_ms,
        )
        parts.append(tuple(after - before for before, after in pairwise(marks)))
        took.append((notice.read - one.due) / 1e6)
    took.sort()
    columns = {name: sorted(part[place] for part in parts) for place, name in enumerate(STAGES)}
    return Found(
        rate,
        len(took),
        *(quantile(took, share) for share in (0.5, 0.99, 0.999)),
        took[-1],
        {name: (quantile(column, 0.5), quantile(column, 0.99)) for name, column in columns.items()},
        cores,
    )


def measure(bootstrap: str, rate: int, outputs: int, partitions: int, one_in: int = ONE_IN) -> Found:
    """Send counts at a rate until so many outputs were caused; print how late they were, and return it."""
    rig = Rig(bootstrap, partitions)
    rig.publish_book()
    waking = spread(one_in, partitions)
    seconds = WARM_UP_S + outputs * waking / rate * 1.02
    with rig.worker() as worker:
        os.sched_setaffinity(worker.pid, {FIRST})
        worker.wait(" is ours from entry ", partitions)
        one = asyncio.run(_round(rig, worker, rate, waking, seconds))
    stages = ", ".join(f"{name} {half:.1f} / {most:.1f}" for name, (half, most) in one.stages.items())
    print(
        f"{rate:,} counts a second, one in {waking} decides: p50 {one.p50:.1f} ms, p99 {one.p99:.1f}, "
        f"p99.9 {one.p999:.1f}, longest {one.longest:.1f} of {one.outputs:,} notices; "
        f"the worker took {one.worker_cores:.2f} cores; {load()}\n"
        f"    of it, p50 / p99 of each: {stages}"
    )
    return one


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="counts per second")
    parser.add_argument("--one-in", type=int, default=ONE_IN, help="of so many counts one decides")
    parser.add_argument("--outputs", type=int, default=10_000, help="of each round")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--bootstrap", help="a broker that is up; otherwise one is started and ended")
    said = parser.parse_args()
    with broker(said.bootstrap) as at:
        every_round = [
            [measure(at, rate, said.outputs, said.partitions, said.one_in) for rate in said.rates]
            for _ in range(said.rounds)
        ]
    for of_rate in zip(*every_round, strict=True):
        p50, p99, p999 = (
            statistics.median(getattr(one, name) for one in of_rate) for name in ("p50", "p99", "p999")
        )
        print(
            f"{of_rate[0].rate:,} a second, median of {said.rounds}: "
            f"p50 {p50:.1f} ms, p99 {p99:.1f}, p99.9 {p999:.1f}; "
            f"p99 below {TARGET_MS} ms: {'reached' if p99 < TARGET_MS else 'missed'}"
        )


if __name__ == "__main__":
    main()
