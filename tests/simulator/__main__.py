"""`python -m tests.simulator`: live seed after seed, and say what was reached.

Exit status: 0 everything held; 1 something did not, or a planted flaw was not found; 2 the call is wrong.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from . import flaws
from .chance import KINDS, PER_RECORD
from .outcome import Outcome, outcome_of
from .run import Spec
from .shrink import read, shrunk, write

SPECS = Path(".nameplate/simulator")
FIGURES = (
    *(
        "events",
        "ticks",
        "decisions",
        "outputs",
        "copies",
        "entries",
        "void",
        "takeovers",
        "rebuilds",
        "stops",
    ),
    *("dead", "requests", "workers", "faults"),
)
SETTINGS = ("accounts", "days", "partitions", "workers", "pace", "fetch_ms", "platforms", "hold", "hours")


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.simulator", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        default="run",
        choices=("run", "tell", "flaws"),
        help="live seeds and check them; tell one run (a seed, or a file that a failing run left); or plant the flaws",
    )
    parser.add_argument("file", nargs="?", type=Path, help="of a failing run, to be told")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--runs", type=int, help="so many seeds; 10 where no minutes are given")
    parser.add_argument("--minutes", type=float, help="as many seeds as fit into so much CPU time")
    parser.add_argument(
        "--kinds", help=f"faults that are switched on, with commas, or nothing: {', '.join(KINDS)}"
    )
    parser.add_argument("--flaw", default="", help="only flaws whose name contains this")
    parser.add_argument("--lines", type=int, default=60, help="how much of a trace is shown")
    for name in SETTINGS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help="instead of the drawn one")
    called = parser.parse_args()
    given = tuple((name, getattr(called, name)) for name in SETTINGS if getattr(called, name) is not None)
    kinds = None if called.kinds is None else tuple(one for one in called.kinds.split(",") if one)
    if called.what == "flaws":
        return flaws.plant(called.flaw)
    if called.what == "tell":
        spec = read(called.file) if called.file else Spec(called.seed, given, kinds)
        return tell(outcome_of(spec, is_told=True), called.lines)
    return run(Spec(called.seed, given, kinds), called.runs, called.minutes, called.lines)


def run(first: Spec, runs: int | None, minutes: float | None, lines: int) -> int:
    """Live seeds from one on, until there were enough or one fails."""
    began, figures, faults = time.process_time(), Counter[str](), Counter[str]()
    years = checked = 0.0
    count = 0
    while count < (runs or (10 if minutes is None else sys.maxsize)):
        if minutes is not None and time.process_time() - began > minutes * 60:
            break
        outcome = outcome_of(first.but(seed=first.seed + count))
        print(outcome.line(), flush=True)
        if outcome.violation is not None:
            return explain(outcome, lines)
        figures.update(outcome.figures)
        faults.update(outcome.world.chance.tally())
        years, checked, count = years + outcome.years, checked + outcome.checked_seconds, count + 1
    seconds = time.process_time() - began
    print(
        f"\n{count} seeds from {first.seed} on, no violation. {years:.1f} pool-years of 50 accounts in {seconds:.0f} s "
        f"of CPU time: {years / seconds * 60:.1f} a minute ({checked / seconds:.0%} of it for oracle and checks)"
    )
    print(", ".join(f"{figures[name]:,} {name}" for name in FIGURES))
    of_outside = sum(faults[kind] for kind in KINDS if kind not in PER_RECORD)
    each = {
        "events": figures["events"],
        "takeovers": figures["takeovers"],
        "faults but those of records": of_outside,
    }
    print("a pool-year: " + ", ".join(f"{found / years:,.0f} {what}" for what, found in each.items()))
    print("faults: " + ", ".join(f"{faults[kind]:,} {kind}" for kind in KINDS))
    return 0


def explain(found: Outcome, lines: int) -> int:
    """Shrink a failing run, tell it, and say how to see it again."""
    print(f"{found.violation}\nmaking it smaller …", flush=True)
    small = shrunk(found)
    file = SPECS / f"seed-{found.spec.seed}.json"
    write(small.spec, file)
    told = outcome_of(small.spec, is_told=True)
    tell(told, lines)
    print(f"python -m tests.simulator tell {file}")
    return 1


def tell(told: Outcome, lines: int) -> int:
    print("\n".join(told.world.trace[-lines:]))
    print(told.line())
    print(f"sha256 of all that happened: {told.digest}")
    inputs = told.world.inputs
    if len(inputs) <= lines:
        for one in inputs:
            print(f"sent {one.number}: {one.topic} {(one.value or b'').decode(errors='replace')}")
    if told.violation is not None:
        print(told.violation)
    return int(told.violation is not None)


if __name__ == "__main__":
    sys.exit(main())
