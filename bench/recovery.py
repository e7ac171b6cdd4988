"""From the start of a worker to its service, with a table of so many watched accounts: `python -m bench.recovery`."""

import argparse
import statistics
import time

from bench.rig import LOOK_S, Process, Rig, broker, load
from bench.wake import count
from bench.watched import write_table
from schemas import topics
from schemas.partitioner import partition_of

PHASES = {
    "changelog read": "the group gives us the partitions",
    "root compared, taken over": " is ours from entry ",
    "working": "recovered ",
}


def recover(bootstrap: str, accounts: int, partitions: int) -> float:
    """Write a table, start a worker, print its phases; return the seconds from its start to its service."""
    rig = Rig(bootstrap, partitions)
    at = time.time_ns() // 1000
    size = write_table(rig, accounts, at, {})
    waiting = {}
    for number in range(1000 * partitions):
        key, value = count(number, at)
        waiting.setdefault(partition_of(key, partitions), [(key, value, [])])
    rig.send(topics.COUNTS, waiting)
    with rig.worker() as worker:
        said = {
            phase: worker.wait(text, partitions if "ours" in text else 1) for phase, text in PHASES.items()
        }
        while rig.end(topics.DISCLOSURE) < partitions:
            time.sleep(LOOK_S)
        serving = time.monotonic() - worker.began
        _tell(worker, said, serving, accounts, size)
    return serving


def _tell(worker: Process, said: dict[str, float], serving: float, accounts: int, size: int) -> None:
    phases = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in said.items())
    each = (worker.rss_mb() - EMPTY_MB) * 1e6 / accounts
    print(
        f"{accounts:,} accounts: {phases}, first decision {serving:.1f} s after the start; CPU {worker.cpu_s():.1f} s; "
        f"{worker.rss_mb():.0f} MB now, peak {worker.peak_mb():.0f}; {each:.0f} bytes an account above an empty worker "
        f"({size / accounts:.0f} of key and row); {load()}"
    )
    for line in worker.log.splitlines():
        if "records read" in line or "rows compared" in line:
            print("   ", line)


EMPTY_MB = 95
"""What a worker without rows holds."""


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--bootstrap", help="a broker that is up; otherwise one is started and ended")
    said = parser.parse_args()
    with broker(said.bootstrap) as found:
        rounds = [recover(found, said.accounts, said.partitions) for _ in range(said.rounds)]
    print(f"median of {said.rounds}: {statistics.median(rounds):.1f} s")


if __name__ == "__main__":
    main()
