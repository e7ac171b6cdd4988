"""What was measured, as it is kept in `results.json`, and on what."""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.race import Round
from bench.rig import files
from streams.broker.jars import KAFKA_VERSION

HERE = Path(__file__).parent
FILE = HERE / "results.json"


class Made(msgspec.Struct, frozen=True):
    """How something was measured."""

    command: str
    at: str
    commit: str
    machine: str
    versions: dict[str, str]


class Race(msgspec.Struct):
    """All rounds of all contestants."""

    made: Made
    rounds: list[Round]
    missing: dict[str, str]
    """By name of a contestant why it could not take part."""


class Measure(msgspec.Struct):
    """What another measurement said."""

    made: Made
    said: str


class Results(msgspec.Struct):
    """The last of each that was measured."""

    race: Race | None = None
    measures: dict[str, Measure] = {}


class Spread(NamedTuple):
    """A median between the least and the most."""

    median: float
    least: float
    most: float


def spread(values: Iterable[float]) -> Spread:
    """Return the median of some values, and their ends."""
    found = list(values)
    return Spread(statistics.median(found), min(found), max(found))


def rates(race: Race, contestant: str) -> tuple[Spread, Spread] | None:
    """Return counts per CPU second and per wall second of a contestant; none where it has no round."""
    rounds = [one for one in race.rounds if one.contestant == contestant]
    if not rounds:
        return None
    cpu = spread(one.counts / max(one.cpu_s, 0.01) for one in rounds)
    return cpu, spread(one.counts / one.wall_s for one in rounds)


def ratio(race: Race, dividend: str, divisor: str) -> tuple[float, float] | None:
    """Return the ratios of two contestants' medians, of CPU and of wall seconds; none where one has no round."""
    above, below = rates(race, dividend), rates(race, divisor)
    if above is None or below is None:
        return None
    return above[0].median / below[0].median, above[1].median / below[1].median


def read() -> Results:
    """Return what was measured before."""
    return msgspec.json.decode(FILE.read_bytes(), type=Results) if FILE.is_file() else Results()


def write(results: Results) -> None:
    """Keep what was measured."""
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def made(command: str, versions: dict[str, str]) -> Made:
    """Return how something is measured now, on this machine.

    Args:
        command: What was typed.
        versions: Of what is not ours.
    """
    git = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(git, cwd=HERE, capture_output=True, text=True, check=False).stdout.strip()
    ours = {name: version(name) for name in ("faust-streaming", "aiokafka", "msgspec")}
    known = {"Python": platform.python_version(), "Apache Kafka": KAFKA_VERSION, **ours, **versions}
    return Made(command, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), commit, machine(), known)


def machine() -> str:
    """Return what this machine is."""
    cpu = _after("model name", Path("/proc/cpuinfo").read_text()) or platform.processor()
    memory_kb = int(_after("MemTotal", Path("/proc/meminfo").read_text()).split()[0])
    return (
        f"{os.cpu_count()} cores of {cpu}, {memory_kb / 2**20:.0f} GiB of memory, "
        f"{sys.platform} {platform.release()}; the broker and the program share them, "
        f"the broker's log lies {files()}"
    )


def _after(name: str, listed: str) -> str:
    line = next((line for line in listed.splitlines() if line.startswith(name)), "")
    return line.partition(":")[2].strip()
