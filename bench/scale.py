"""What it costs to be many: `python -m bench.scale`, and what a large platform would take: `--plan`.

One, two, four workers share twelve partitions and take the same backlog of quiet counts. The backlog lies in an open
transaction until the partitions are divided, so all of them begin at once. After the last quiet count of each partition
there is one that begins a duty: its notice says that everything before it was taken. Rounds alternate. Beside the rate,
the bytes that a count, an entry of quiet runs, a sample and a duty leave in each topic are read off the topics.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from bench import feed, plan
from bench.rig import LOOK_S, Process, Rig, broker, load
from schemas import topics
from schemas.instant import DAY

WORKERS = (1, 2, 4)
PATIENCE_S = 900_000
"""Milliseconds for which the backlog may lie in its transaction."""
SETTLE_S = 120
"""Some rebalances of the group, on a busy machine."""
WRITTEN = (topics.JOURNAL, topics.DISCLOSURE, topics.GRACE, topics.STATUS, "rows")
WEIGHED = 12_000
"""Accounts by which bytes are measured."""
RECORD_BYTES = 8
"""What a log adds to key, value and headers of a record, roughly; a batch adds 61 more."""


class Round(NamedTuple):
    """What so many workers did."""

    workers: int
    wall_rate: float
    """Counts per second."""
    cpu_rate: float
    """Counts per second of CPU, of all workers together."""
    count_bytes: float
    """Of a count in the log."""


# Workers -----------------------------------------------------------------------------------------


def is_settled(logs: Sequence[str], partitions: int) -> bool:
    """Return whether the logs of all workers say that the partitions are divided among them and taken over."""
    owned: list[str] = []
    for log in logs:
        _, _, since = log.rpartition("the group gives us the partitions [")
        given, _, since = since.partition("]")
        if not given or "recovered " not in since:
            return False
        owned += given.split(", ")
    return sorted(map(int, owned)) == list(range(partitions))


def share(bootstrap: str, counts: int, partitions: int, workers: int) -> Round:
    """Let so many workers take a backlog; print what they did, and return it."""
    rig = Rig(bootstrap, partitions)
    rig.publish_book()
    with contextlib.ExitStack() as stack:
        start = lambda: stack.enter_context(rig.worker())  # noqa: E731
        one = asyncio.run(_share(rig, counts, [start] * workers))
    print(
        f"{one.workers} workers: {one.wall_rate:,.0f} counts a second, {one.cpu_rate:,.0f} a CPU second "
        f"({1e6 / one.cpu_rate:.2f} µs of CPU each); {load()}"
    )
    return one


async def _share(rig: Rig, counts: int, starts: Sequence[Any]) -> Round:
    sender = feed.producer(rig.bootstrap, transactional_id=rig.prefix, transaction_timeout_ms=PATIENCE_S)
    async with sender, sender.transaction():
        size = await feed.send(sender, rig.name(topics.COUNTS), range(counts), rig.partitions, last=True)
        processes: list[Process] = [start() for start in starts]
        until = time.monotonic() + SETTLE_S
        while not is_settled(logs := [process.log for process in processes], rig.partitions):
            for process in processes:
                process.check()
            if time.monotonic() > until:
                raise SystemExit("the workers never divided the partitions:\n" + "\n".join(logs))
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(1)
        began, cpu_s = time.monotonic(), sum(process.cpu_s() for process in processes)
    while await asyncio.to_thread(rig.end, topics.DISCLOSURE) < rig.partitions:
        for process in processes:
            process.check()
        await asyncio.sleep(LOOK_S)
    wall_s = time.monotonic() - began
    cpu_s = sum(process.cpu_s() for process in processes) - cpu_s
    return Round(len(starts), counts / wall_s, counts / cpu_s, size / counts)


# Bytes -------------------------------------------------------------------------------------------


class Bytes(NamedTuple):
    """What is written, in bytes of records."""

    entry: float
    """Of a journal entry without decisions."""
    sample: float
    """Of a daily sample in the journal, its entry not counted."""
    duty: float
    """Of a duty that begins, in the journal, its entry not counted."""
    outputs: float
    """Of a duty's outputs and status."""
    row: float
    """Of a row in the changelog."""


def weigh(bootstrap: str, accounts: int, partitions: int) -> Bytes:
    """Let accounts begin a duty yesterday and be sampled today, then quiet counts pass; print what was written."""
    rig = Rig(bootstrap, partitions)
    rig.publish_book()
    now = time.time_ns() // 1000
    with rig.worker("--metrics-port", "0") as worker:
        worker.wait(" is ours from entry ", partitions)
        marks = [_written(rig)]
        for at, metric, until in (
            (now - DAY, "nameplate_taken_records_total", accounts),
            (now, "nameplate_taken_records_total", 2 * accounts),
            (None, "nameplate_quiet_records_total", accounts),
        ):
            form = feed.Form(at or now)
            records = {
                number: [
                    (*(form.waking(n) if at else form.quiet(n)), [])
                    for n in range(number, accounts, partitions)
                ]
                for number in range(partitions)
            }
            rig.send(topics.COUNTS, records)
            while worker.metric(metric) < until:
                worker.check()
                time.sleep(LOOK_S)
            marks.append(_written(rig))
    duty, sample, quiet = (
        {topic: (after[topic][0] - before[topic][0], after[topic][1] - before[topic][1]) for topic in after}
        for before, after in pairwise(marks)
    )
    entry = quiet[topics.JOURNAL][1] / quiet[topics.JOURNAL][0]

    def journaled(step: dict[str, tuple[int, int]]) -> float:
        return (step[topics.JOURNAL][1] - step[topics.JOURNAL][0] * entry) / accounts

    said = (topics.DISCLOSURE, topics.GRACE, topics.STATUS)
    found = Bytes(
        entry,
        journaled(sample),
        journaled(duty),
        sum(duty[topic][1] for topic in said) / accounts,
        duty["rows"][1] / accounts,
    )
    print(
        f"bytes: an entry without decisions {found.entry:.0f}; a sample in the journal {found.sample:.0f}, a duty "
        f"{found.duty:.0f}, its outputs and status {found.outputs:.0f}; a row {found.row:.0f}"
    )
    return found


def _written(rig: Rig) -> dict[str, tuple[int, int]]:
    """Return of each topic how many records it has, and their bytes."""
    return {
        topic: (sum(map(len, found)), sum(_size(record) for own in found for record in own))
        for topic in WRITTEN
        for found in (list(rig.read(topic).values()),)
    }


def _size(record: Any) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return RECORD_BYTES + len(record.key or b"") + len(record.value or b"") + headers


# What a platform takes ---------------------------------------------------------------------------


def figures(rounds: Sequence[Round], written: Bytes, known: plan.Measured) -> plan.Measured:
    """Return what is known with what was measured in its place."""
    cpu = {
        workers: statistics.median(one.cpu_rate for one in rounds if one.workers == workers)
        for workers in {one.workers for one in rounds}
    }
    return known._replace(
        cpu_rate=cpu[min(cpu)],
        many=cpu[min(cpu)] / cpu[max(cpu)],
        count_bytes=rounds[0].count_bytes,
        entry_bytes=written.entry,
        sample_bytes=written.sample,
        duty_bytes=written.duty,
        output_bytes=written.outputs,
    )


def main() -> None:
    """Measure, or plan, as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, default=2_000_000, help="of each round")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bootstrap", help="a broker that is up; otherwise one is started and ended")
    parser.add_argument("--plan", action="store_true", help="measure nothing: print what a platform takes")
    parser.add_argument(
        "--figures", type=Path, help="a JSON object with figures for the plan, by their names"
    )
    for kind in (plan.Measured, plan.Platform):
        for name, default in kind._field_defaults.items():
            parser.add_argument(f"--{name.replace('_', '-')}", type=float, help=f"of the plan; {default:g}")
    said = parser.parse_args()
    given = json.loads(said.figures.read_text()) if said.figures else {}
    given |= {name: value for name, value in vars(said).items() if value is not None}
    measured = plan.Measured(**{k: v for k, v in given.items() if k in plan.Measured._fields})
    platform = plan.Platform(**{k: v for k, v in given.items() if k in plan.Platform._fields})
    if not said.plan:
        with broker(said.bootstrap) as at:
            rounds = [
                share(at, said.counts, said.partitions, workers)
                for _ in range(said.rounds)
                for workers in said.workers
            ]
            measured = figures(rounds, weigh(at, WEIGHED, said.partitions), measured)
        for workers in said.workers:
            own = [one for one in rounds if one.workers == workers]
            wall, cpu = (statistics.median(one[place] for one in own) for place in (1, 2))
            print(
                f"{workers} workers, median of {said.rounds}: {wall:,.0f} a second, {cpu:,.0f} a CPU second"
            )
    print(plan.table(plan.plan(measured, platform)))


if __name__ == "__main__":
    main()
