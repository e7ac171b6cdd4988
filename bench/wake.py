"""Decisions per second when every count wakes its account: `python -m bench.wake`.

Live: as many accounts as counts, each count on the far side of its first line. So every record is one decision,
with a notice, a grace period, a status, a row and its line in the journal. One worker takes the whole backlog; its
CPU is that of the process, all threads together, and the broker works on the same cores.
In process: the same records through the fold, the draft and the entry, without a broker, stage by stage.
"""

import argparse
import cProfile
import pstats
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench.rig import LOOK_S, Rig, broker, load
from schemas import topics
from schemas.account import apply_rows
from schemas.columns import Column
from schemas.instant import DAY, text
from schemas.journal import MAX_ENTRY_BYTES, encode_content
from schemas.partitioner import partition_of
from schemas.records import Raw, Records
from schemas.wire import canonical
from streams.core.fold import Fold, Work
from streams.journaling import draft_of
from streams.ledger import effects
from streams.ledger.chain import GENESIS
from streams.ledger.effects import Ready
from streams.ledger.step import Step
from streams.ledger.takeover import genesis
from streams.live.counts import Counts
from streams.memory import calm_memory
from streams.policies.load import load_book, shipped_book_dir

RUN = 2000
"""Records of one run in process: what a poll brings."""


def count(number: int, at: int) -> tuple[bytes, bytes]:
    """Return key and value of a count that is the first of its account and on the far side of a line."""
    account = f"acct-{number:08}"
    said = {"event_id": f"e{number:09}", "platform": "bilibili", "account_id": account}
    value = canonical({**said, "followers": 1_000_000 + number, "observed_at": text(at + number * 1000)})
    return f"bilibili:{account}".encode(), value


# In process --------------------------------------------------------------------------------------


class Stages:
    """Seconds of CPU per stage."""

    def __init__(self) -> None:
        self.s: dict[str, float] = {}

    def timed(self, stage: str, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Call something and add what it took to a stage."""
        began = time.process_time()
        try:
            return call(*arguments, **more)
        finally:
            self.s[stage] = self.s.get(stage, 0.0) + time.process_time() - began


def in_process(counts: int) -> Stages:
    """Take counts through everything but the broker, and tell what each stage cost."""
    stages, at = Stages(), 20_000 * DAY
    rows: dict[bytes, bytes] = {}
    fold = Fold(0, rows, "clock")
    empty = genesis(0, topics.INPUTS, topics.OUTPUTS, "clock")
    step = Step(Ready(GENESIS, encode_content(empty), effects.offsets(empty.next_seq), False, 0), "bench")
    told = Counts()

    def settle(work: Work | None) -> None:
        if work is None:
            return
        draft = stages.timed("draft", draft_of, fold, work, writer="bench")
        append = stages.timed("entry", step.begin, draft)
        if len(append.raw) > MAX_ENTRY_BYTES + draft.book_bytes:
            raise SystemExit("an entry is too large")
        effect = stages.timed("entry", step.appended, step.head.next_offset)
        answers = {
            effects.Publish: step.published,
            effects.WriteRows: step.rows_written,
            effects.WriteHead: step.head_written,
            effects.Commit: step.committed,
        }
        while effect is not None:
            effect = answers[type(effect)]()
        apply_rows(rows, work.rows)
        fold.settled()
        stages.timed("counting", told.journaled, 0, work, 0.0)

    book = load_book(shipped_book_dir())
    published = canonical({"book": book.tables, "hash": book.hash})
    for topic, raw in (
        (topics.BOOKS, Raw(0, None, published)),
        (topics.CLOCK, Raw(0, None, canonical({"at": text(at)}), at // 1000, 1)),
    ):
        for work in fold.take(topic, Records.of([raw]), 1):
            settle(work)
    settle(fold.last_cut())
    stages.s.clear()
    sent = [count(number, at) for number in range(counts)]
    for start in range(0, counts, RUN):
        keys, values = zip(*sent[start : start + RUN], strict=True)
        taking = fold.take(
            topics.COUNTS, Records.plain(start, Column(keys), Column(values)), start + len(keys)
        )
        while (work := stages.timed("fold", next, taking, None)) is not None:
            settle(work)
        settle(stages.timed("fold", fold.cut))
    if fold.decider.sealer.next_seq[topics.DISCLOSURE] != counts:
        raise SystemExit("not every count was a decision")
    return stages


def tell_in_process(counts: int, rounds: int, *, profile: bool) -> None:
    """Print the median of each stage, in µs per decision."""
    calm_memory()
    if profile:
        profiler = cProfile.Profile()
        profiler.runcall(in_process, counts)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(40)
        return
    found = [in_process(counts).s for _ in range(rounds)]
    median = {stage: statistics.median(one[stage] for one in found) / counts * 1e6 for stage in found[0]}
    each = ", ".join(f"{stage} {us:.1f}" for stage, us in median.items())
    print(f"in process: {sum(median.values()):.1f} µs a decision ({each}); {load()}")


# Live --------------------------------------------------------------------------------------------


def live(bootstrap: str, counts: int, partitions: int) -> tuple[float, float, float]:
    """Let one worker take all counts; return decisions per wall second, per CPU second, and its peak in MB."""
    rig = Rig(bootstrap, partitions)
    rig.publish_book()
    at = time.time_ns() // 1000 - counts * 1000
    messages: dict[int, list[Any]] = {number: [] for number in range(partitions)}
    for number in range(counts):
        key, value = count(number, at)
        messages[partition_of(key, partitions)].append((key, value, []))
    rig.send(topics.COUNTS, messages)
    with rig.worker() as worker:
        worker.wait(" is ours from entry ", partitions)
        began, cpu = time.monotonic(), worker.cpu_s()
        while (done := rig.end(topics.DISCLOSURE)) < counts:
            if not done:
                began, cpu = time.monotonic(), worker.cpu_s()
            time.sleep(LOOK_S)
        wall_s, cpu_s = time.monotonic() - began, worker.cpu_s() - cpu
        return counts / wall_s, counts / cpu_s, worker.peak_mb()


def tell_live(bootstrap: str | None, counts: int, partitions: int, rounds: int) -> None:
    """Print each round and the medians."""
    with broker(bootstrap) as found:
        rates = []
        for _ in range(rounds):
            rates.append(live(found, counts, partitions))
            wall, cpu, peak = rates[-1]
            print(
                f"live: {wall:,.0f} decisions a wall second, {cpu:,.0f} a CPU second, {peak:.0f} MB; {load()}"
            )
    wall, cpu, peak = (statistics.median(column) for column in zip(*rates, strict=True))
    print(f"live, median of {rounds}: {wall:,.0f} a wall second, {cpu:,.0f} a CPU second, peak {peak:.0f} MB")


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, default=60_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bootstrap", help="a broker that is up; otherwise one is started and ended")
    parser.add_argument("--only", choices=("live", "process"))
    parser.add_argument("--profile", action="store_true", help="of what runs in process")
    said = parser.parse_args()
    if said.only != "live":
        tell_in_process(said.counts, said.rounds, profile=said.profile)
    if said.only != "process" and not said.profile:
        tell_live(said.bootstrap, said.counts, said.partitions, said.rounds)


if __name__ == "__main__":
    main()
