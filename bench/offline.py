"""What replay and verify cost without a broker: `python -m bench.offline`.

Replay: counts that change nothing, of many accounts, in the order of their instants; with one partition, and with
several on one process and on as many as there are cores. Verify: a journal in which every entry is decisions (each
count woke its account, and what fell due of it), and one of nothing but runs, as a worker writes it in quiet times.
Each is the command itself, as a process of its own. A second of a core is one of CPU, of all its processes together,
without what the command takes to start (that of an empty input); the peak is that of its largest process.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from bench.rig import ROOT, load
from bench.wake import count
from schemas import topics
from schemas.columns import Column
from schemas.instant import DAY, text
from schemas.records import Raw, Records
from schemas.wire import canonical
from streams.core.fold import Fold, Work
from streams.journaling import Chain, draft_of
from streams.policies.load import load_book, shipped_book_dir

PLATFORMS = ("bilibili", "douyin", "kuaishou", "weibo")
ACCOUNTS = 100_000
AT = 20_000 * DAY
STEP_MS = 37
RUN = 50
"""Records of one run of the quiet journal."""
RUNS = 40
"""Runs of one of its entries."""


class Cost(NamedTuple):
    """What a command took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measured(*arguments: object) -> Cost:
    """Run a command of ours and return what it took, all its processes together."""
    call = [sys.executable, "-m", "streams.cli", *map(str, arguments)]
    began = time.monotonic()
    quiet = os.open(os.devnull, os.O_WRONLY)
    pid = os.posix_spawn(
        sys.executable,
        call,
        {**os.environ, "PYTHONPATH": str(ROOT)},
        file_actions=[(os.POSIX_SPAWN_DUP2, quiet, 1)],
    )
    os.close(quiet)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(call)} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3)


def write_quiet(file: Path, counts: int) -> None:
    """Write counts below the watch floor, as a replay file."""
    form = (
        '{"topic":"follower-counts","value":{"event_id":"e%09d","platform":"%s","account_id":"acct-%07d",'
        '"followers":%d,"observed_at":"%s.%03dZ"}}\n'
    )
    start = datetime(2024, 10, 4, tzinfo=UTC)
    with file.open("w", encoding="utf-8") as lines:
        for number in range(counts):
            account = number * 7_919 % ACCOUNTS
            at = start + timedelta(milliseconds=number * STEP_MS)
            platform, followers = PLATFORMS[account % len(PLATFORMS)], (account * 31 + number) % 90_000
            shown = at.strftime("%Y-%m-%dT%H:%M:%S")
            lines.write(form % (number, platform, account, followers, shown, at.microsecond // 1000))


def write_waking(file: Path, counts: int) -> None:
    """Write counts of which each wakes its account, as a replay file."""
    with file.open("wb") as lines:
        for number in range(counts):
            lines.write(b'{"topic":"follower-counts","value":%b}\n' % count(number, AT)[1])


def write_quiet_journal(file: Path, entries: int) -> None:
    """Write a journal of runs without a decision, but for the first entry, which adopts the book."""
    book = load_book(shipped_book_dir())
    published = canonical({"book": book.tables, "hash": book.hash})
    rows: dict[bytes, bytes] = {}
    fold, chain = Fold(0, rows, "clock"), Chain(0, "bench")

    def written(work: Work | None) -> bytes:
        if work is None:
            return b""
        entry = chain.append(draft_of(fold, work))
        fold.settled()
        return entry + b"\n"

    def tick(number: int) -> Raw:
        return Raw(number, None, canonical({"at": text(AT + number * 1_000_000)}))

    with file.open("wb") as lines:
        for work in fold.take(topics.BOOKS, Records.of([Raw(0, None, published)]), 1):
            lines.write(written(work))
        taken = 0
        for number in range(entries * RUNS // 2):
            keys, values = zip(*(count(taken + place, AT - 40 * DAY) for place in range(RUN)), strict=True)
            counts = Records.plain(taken, Column(keys), Column(values))
            taken += RUN
            for topic, records, end in (
                (topics.CLOCK, Records.of([tick(number)]), number + 1),
                (topics.COUNTS, counts, taken),
            ):
                for work in fold.take(topic, records, end):
                    lines.write(written(work))
            if (number + 1) % (RUNS // 2) == 0:
                lines.write(written(fold.cut()))


def tell(what: str, unit: str, amount: float, starts: list[Cost], costs: list[Cost]) -> None:
    """Print the median rate of some runs, without what the command takes to start."""
    start_s = statistics.median(one.cpu_s for one in starts)
    cores = statistics.median(amount / (one.cpu_s - start_s) for one in costs)
    wall = statistics.median(amount / one.wall_s for one in costs)
    peak = max(one.peak_mb for one in costs)
    print(
        f"{what}: {cores:,.{0 if cores > 1000 else 1}f} {unit} a second and core, "
        f"{wall:,.{0 if wall > 1000 else 1}f} a wall second, peak {peak:.0f} MB; {load()}"
    )


def tell_replay(directory: Path, counts: int, partitions: int, rounds: int) -> None:
    """Measure replay, and what it holds of the memory for a part of the file and for the whole."""
    whole, part, empty = (directory / f"{name}.jsonl" for name in ("whole", "part", "empty"))
    write_quiet(whole, counts)
    write_quiet(part, counts // 4)
    empty.touch()
    cores = len(os.sched_getaffinity(0))
    print(f"{counts:,} quiet counts, {whole.stat().st_size / 1e6:,.0f} MB")
    for many, processes in ((1, 1), (partitions, 1), (partitions, min(cores, partitions))):
        more = ("--partitions", many, "--processes", processes, "--out", directory / "out")
        starts = [measured("replay", empty, *more) for _ in range(rounds)]
        costs = [measured("replay", whole, *more) for _ in range(rounds)]
        tell(f"replay, {many} partitions, {processes} processes", "counts", counts, starts, costs)
    small, large = (measured("replay", file).peak_mb for file in (part, whole))
    print(f"memory of a replay: {small:.0f} MB for a quarter of the file, {large:.0f} MB for all of it")


def tell_verify(directory: Path, decisions: int, entries: int, rounds: int) -> None:
    """Measure verify on both kinds of journal."""
    inputs, out = directory / "waking.jsonl", directory / "decided"
    write_waking(inputs, decisions // 4)
    measured("replay", inputs, "--until", text(AT + 30 * DAY), "--out", out)
    quiet, least = directory / "quiet-journal.jsonl", directory / "least.jsonl"
    write_quiet_journal(quiet, entries)
    write_quiet_journal(least, 1)
    starts = [measured("verify", least) for _ in range(rounds)]
    journals: tuple[tuple[str, Path], ...] = (("decisions", out / "journal.jsonl"), ("quiet runs", quiet))
    for kind, journal in journals:
        size = journal.stat().st_size / 1e6
        tell(
            f"verify, {size:,.0f} MB of {kind}",
            "MB",
            size,
            starts,
            [measured("verify", journal) for _ in range(rounds)],
        )


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, default=2_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--decisions", type=int, default=40_000)
    parser.add_argument("--entries", type=int, default=12_000, help="of the quiet journal")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("replay", "verify"))
    said = parser.parse_args()
    tasks: dict[str, Callable[[Path], None]] = {
        "replay": lambda directory: tell_replay(directory, said.counts, said.partitions, said.rounds),
        "verify": lambda directory: tell_verify(directory, said.decisions, said.entries, said.rounds),
    }
    for name, task in tasks.items():
        if said.only in (None, name):
            with tempfile.TemporaryDirectory() as directory:
                task(Path(directory))


if __name__ == "__main__":
    main()
