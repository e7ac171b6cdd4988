"""Which runs a campaign has: of each test so many worlds, each with its number, its seed and its faults."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from . import brokers, clocks, cuts, damage, disks, flood, kills, refusals, storms, zombies
from .bench import Bench
from .outcome import Result

Run = Callable[[Bench, Result], None]


@dataclass(frozen=True)
class Planned:
    """One run."""

    test: str
    number: int
    seed: int
    what: str
    run: Run


def in_world(faults: Callable[..., None], amount: float, **how: Any) -> Run:
    """Return a run: a world as `how` says, the faults, and the account."""

    def run(bench: Bench, result: Result) -> None:
        world = bench.world(result, **how)
        faults(world, amount)
        if not world.is_finished:
            world.finish()

    return run


HISTORY = {"history": 9000, "platforms": 36, "pace": 1.5, "accounts": 8}
"""Some four minutes of a history of 480 days, if nobody dies."""

FULL: list[tuple[str, str, Run, int]] = [
    ("T1", "every place, in wall time", in_world(kills.place_kills, 3, rate=60), 1),
    ("T1", "40 at random, in wall time", in_world(kills.random_kills, 40, rate=60), 6),
    ("T1", "every place, in a history", in_world(kills.place_kills, 3, **HISTORY), 1),
    ("T1", "20 at random, in a history", in_world(kills.random_kills, 20, **HISTORY), 3),
    ("T2", "15 kills of the broker, in wall time", in_world(brokers.broker_kills, 15, rate=60), 3),
    ("T2", "15 kills of the broker, in a history", in_world(brokers.broker_kills, 15, **HISTORY), 1),
    ("T3", "40 zombies, in wall time", in_world(zombies.zombies, 40, rate=60, partitions=6), 3),
    ("T3", "30 zombies, in a history", in_world(zombies.zombies, 30, partitions=6, **HISTORY), 1),
    ("T4", "a storm of 10 minutes, in wall time", in_world(storms.storm, 600, rate=60, platforms=60), 1),
    ("T5", "30 cuts, in wall time", in_world(cuts.cuts, 30, rate=60), 3),
    ("T5", "30 cuts, in a history", in_world(cuts.cuts, 30, **HISTORY), 1),
    ("T6", "20 full disks", lambda bench, result: disks.full_disks(bench, result, 20), 1),
    ("T7", "50 jumps of clocks", in_world(clocks.jumps, 50, rate=60), 1),
    ("T8", "a round of damaged logs", lambda bench, result: damage.damaged(bench, result, 1), 2),
    ("T9", "100,000 poisoned records", in_world(flood.poison, 100_000, rate=60), 1),
    ("T10", "late, doubled, and both topics again", in_world(flood.doubled, 6, rate=500, odd=6), 1),
    ("T12", "ten times the load", in_world(flood.ten_times, 60, rate=150), 1),
    ("T12", "a slow topic", in_world(flood.slow_topic, 40, rate=60), 1),
    ("T12", "100,000 deadlines at once", in_world(flood.at_once, 100_000, unit_s=20, platforms=1), 1),
    ("T13", "other topics", refusals.refusals, 1),
]
"""(test, what, run, how many worlds)"""

SHORT: list[tuple[str, str, Run, int]] = [
    ("T1", "every place, in wall time", in_world(kills.place_kills, 1, rate=60), 1),
    ("T1", "10 at random, in wall time", in_world(kills.random_kills, 10, rate=60), 1),
    ("T1", "5 at random, in a history", in_world(kills.random_kills, 5, **HISTORY), 1),
    ("T2", "4 kills of the broker, in wall time", in_world(brokers.broker_kills, 4, rate=60), 1),
    ("T3", "8 zombies, in wall time", in_world(zombies.zombies, 8, rate=60, partitions=6), 1),
    ("T4", "a storm of a minute, in wall time", in_world(storms.storm, 60, rate=60), 1),
    ("T5", "8 cuts, in wall time", in_world(cuts.cuts, 8, rate=60), 1),
    ("T6", "2 full disks", lambda bench, result: disks.full_disks(bench, result, 2), 1),
    ("T8", "every fourth damage to logs", lambda bench, result: damage.damaged(bench, result, 1, 4), 1),
    ("T7", "6 jumps of clocks", in_world(clocks.jumps, 6, rate=60), 1),
    ("T9", "2,000 poisoned records", in_world(flood.poison, 2000, rate=60), 1),
    ("T10", "late, doubled, and both topics again", in_world(flood.doubled, 1, rate=200, odd=6), 1),
    ("T13", "every fourth of other topics", lambda bench, result: refusals.refusals(bench, result, 4), 1),
]
CAMPAIGNS = {"full": FULL, "short": SHORT}


def planned(campaign: str, seed: int) -> Iterator[Planned]:
    """Yield the runs of a campaign; the number of a run is its place among those of its test."""
    numbers: dict[str, int] = {}
    for test, what, run, worlds in CAMPAIGNS[campaign]:
        for _ in range(worlds):
            numbers[test] = numbers.get(test, 0) + 1
            one = Planned(test, numbers[test], 0, what, run)
            yield replace(one, seed=seed * 1000 + int(test[1:]) * 100 + one.number)
