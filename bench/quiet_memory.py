"""Memory of a worker through which very many quiet accounts pass: `python -m bench.quiet_memory`.

Each account is counted once, below the watch floor, and never again. One worker takes them all, wave by wave; a wave is
filled by a process of its own while the worker reads, and deleted from the topic once the worker has counted it. The
memory is looked at between two waves and while one passes. The first wave warms up: what Python, the fetch buffers and
the libraries keep for themselves they have by then.
"""

import argparse
import multiprocessing
import shutil
import tempfile
import time
from typing import NamedTuple

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from bench import feed
from bench.rig import Process, Rig, broker, keep_in_memory, load
from schemas import topics

WARM_UP = 1_000_000
WAVE = 10_000_000
TARGET_MB = 50
"""The most by which fifty million accounts may change the memory."""
LOOK_S = 0.25
BYTES = 180
"""Of a count in the log, roughly."""
SEGMENT = {"segment.bytes": str(64 << 20)}
"""What is deleted leaves the disk by whole segments."""


class Found(NamedTuple):
    """What a worker held."""

    accounts: int
    warm_mb: float
    """Of its memory after the first wave."""
    end_mb: float
    """After the last one."""
    peak_mb: float
    """The most that it ever held."""
    counts_cpu_s: float
    """Counts per second of its CPU, after the first wave."""

    @property
    def grown_mb(self) -> float:
        """How much more it holds than after the first wave."""
        return self.end_mb - self.warm_mb


def waves(accounts: int, warm_up: int = WARM_UP, wave: int = WAVE) -> list[range]:
    """Return the numbers of the accounts of each wave; the first one warms up.

    Args:
        accounts: How many pass after the warm-up, in all.
        warm_up: How many pass before.
        wave: The most that pass between two looks.
    """
    total = warm_up + accounts
    return [
        range(warm_up),
        *(range(start, min(start + wave, total)) for start in range(warm_up, total, wave)),
    ]


def measure(bootstrap: str, accounts: int, partitions: int) -> Found:
    """Let quiet accounts pass; print what the worker holds after each wave, and return it."""
    rig = Rig(bootstrap, partitions)
    rig.publish_book()
    name = rig.name(topics.COUNTS)
    rig.configure(topics.COUNTS, SEGMENT)
    passed, warm_mb, warm_cpu_s = 0, 0.0, 0.0
    with rig.worker("--metrics-port", "0") as worker:
        worker.wait(" is ours from entry ", partitions)
        print(f"empty: {worker.rss_mb():.0f} MB; {load()}")
        for numbers in waves(accounts):
            began = time.monotonic()
            highest_mb = _pass(worker, rig.bootstrap, name, numbers, partitions)
            passed += len(numbers)
            took_s = time.monotonic() - began
            now_mb = worker.rss_mb()
            if not warm_mb:
                warm_mb, warm_cpu_s = now_mb, worker.cpu_s()
            print(
                f"{passed:,} accounts: {now_mb:.1f} MB ({now_mb - warm_mb:+.1f} since the warm-up), at most "
                f"{highest_mb:.1f} meanwhile; {len(numbers) / took_s:,.0f} a second; {load()}"
            )
            _empty(bootstrap, name, partitions)
        counts_cpu_s = (passed - WARM_UP) / (worker.cpu_s() - warm_cpu_s)
        found = Found(passed - WARM_UP, warm_mb, now_mb, worker.peak_mb(), counts_cpu_s)
    print(
        f"{found.accounts:,} quiet accounts changed the worker's memory by {found.grown_mb:+.1f} MB "
        f"({found.warm_mb:.1f} to {found.end_mb:.1f}, peak {found.peak_mb:.1f}); "
        f"{found.counts_cpu_s:,.0f} counts a CPU second; "
        f"less than {TARGET_MB} MB: {'reached' if found.grown_mb < TARGET_MB else 'missed'}"
    )
    return found


def _pass(worker: Process, bootstrap: str, name: str, numbers: range, partitions: int) -> float:
    """Let a wave pass; return the highest memory that was seen, in MB."""
    until, highest_mb = numbers.stop, 0.0
    filler = multiprocessing.get_context("spawn").Process(
        target=feed.fill, args=(bootstrap, name, numbers, partitions), daemon=True
    )
    filler.start()
    while (told := worker.metric("nameplate_quiet_records_total")) < until:
        highest_mb = max(highest_mb, worker.rss_mb())
        if filler.exitcode:
            raise SystemExit(f"the accounts cannot be filled in: look above; {told:,.0f} have passed")
        time.sleep(LOOK_S)
    filler.join()
    if told > until:
        raise SystemExit(f"the worker counted {told:,.0f} quiet accounts, and {until:,} were sent")
    return highest_mb


def _empty(bootstrap: str, name: str, partitions: int) -> None:
    """Delete what was taken."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    places = [TopicPartition(name, number) for number in range(partitions)]
    ends = admin.list_offsets(dict.fromkeys(places, OffsetSpec.latest()), request_timeout=10)
    admin.delete_records(
        [TopicPartition(place.topic, place.partition, end.result().offset) for place, end in ends.items()]
    )


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=50_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--bootstrap", help="a broker that is up; otherwise one is started and ended")
    said = parser.parse_args()
    keep_in_memory()
    needs, free = min(said.accounts, 2 * WAVE) * BYTES, shutil.disk_usage(tempfile.gettempdir()).free
    if said.bootstrap is None and needs * 1.2 > free:
        raise SystemExit(
            f"{needs / 1e9:.0f} GB may come to lie under {tempfile.gettempdir()}, and {free / 1e9:.0f} are free: set "
            "TMPDIR to a larger disk, or take fewer accounts with --accounts N."
        )
    with broker(said.bootstrap) as found:
        measure(found, said.accounts, said.partitions)


if __name__ == "__main__":
    main()
