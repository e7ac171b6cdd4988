"""What was to be reached, and whether it was: ratios of medians of one run."""

from typing import NamedTuple

from bench.results import Race, ratio, spread


class Target(NamedTuple):
    """One contestant against another."""

    says: str
    dividend: str
    divisor: str
    cpu: float
    """The least ratio of counts per CPU second."""
    wall: float
    """And per wall second."""


TARGETS = (
    Target("as fast as bare aiokafka", "ours", "bare", 1.0, 0.9),
    Target("against Kafka Streams, one thread, at_least_once", "ours", "streams", 4, 2),
    Target("against Quix Streams", "ours", "quix", 10, 10),
    Target("against plain Faust with a table and a send", "ours", "faust", 150, 150),
    Target("against plain Faust where every count wakes", "ours-wakes", "faust-wakes", 3, 3),
    Target("small record batches cost less than 30 %", "ours-small", "ours", 0.7, 0.7),
)
FIRST_S = 3.0
"""From the start of a worker with an empty table to its first decision."""


class Verdict(NamedTuple):
    """A target and what became of it."""

    says: str
    asked: str
    reached: str
    word: str
    """`reached`, `missed` or `not measured`."""


def verdicts(race: Race) -> list[Verdict]:
    """Return what became of each target."""
    found = [_verdict(race, target) for target in TARGETS]
    firsts = [one.first_s for one in race.rounds if one.contestant == "ours"]
    says, asked = "the first decision of a worker with an empty table", f"within {FIRST_S:g} s"
    if not firsts:
        return [*found, Verdict(says, asked, "-", "not measured")]
    first = spread(firsts)
    reached = f"{first.median:.1f} s ({first.least:.1f}-{first.most:.1f})"
    return [*found, Verdict(says, asked, reached, "reached" if first.median <= FIRST_S else "missed")]


def _verdict(race: Race, target: Target) -> Verdict:
    asked = f"≥ {target.cpu:g} CPU, ≥ {target.wall:g} wall"
    ratios = ratio(race, target.dividend, target.divisor)
    if ratios is None:
        return Verdict(target.says, asked, "-", "not measured")
    cpu, wall = ratios
    word = "reached" if cpu >= target.cpu and wall >= target.wall else "missed"
    return Verdict(target.says, asked, f"{times(cpu)} CPU, {times(wall)} wall", word)


def times(ratio: float) -> str:
    """Return a ratio in as many digits as it is worth, rounded down so that none is shown as reached that is not."""
    digits = 2 if ratio < 10 else 1 if ratio < 100 else 0
    return f"{int(ratio * 10**digits) / 10**digits:,.{digits}f}"
