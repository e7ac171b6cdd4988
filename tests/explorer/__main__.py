"""`python -m tests.explorer`: search worlds longer than the tests do, and say what was reached.

Exit status: 0 nothing was found, be the search complete or cut off; 1 a property is violated, or a planted flaw is not
found; 2 the call is wrong.
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterable

from .flaws import FLAWS, HARMLESS
from .moves import Moves
from .search import Found, Search, alike
from .worlds import ALIKE_IN_FAULTS, ALIKE_IN_TESTS, IN_FAULTS, IN_TESTS, World

WHAT = {
    "list": (*IN_TESTS, *IN_FAULTS),
    "tests": IN_TESTS,
    "faults": IN_FAULTS,
    "alike": (*ALIKE_IN_TESTS, *ALIKE_IN_FAULTS),
}
"""Which worlds each command is about."""


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.explorer", description=__doc__)
    parser.add_argument(
        "what",
        choices=[*WHAT, "flaws"],
        help="list the worlds; search those of `make test`, or the larger ones of `make faults`; hold the likeness of "
        "states against searches that tell every state; or plant the flaws",
    )
    parser.add_argument("--world", default="", help="only worlds (or flaws) whose name contains this")
    parser.add_argument("--faults", type=int, help="at most so many faults, whatever the world says")
    parser.add_argument(
        "--minutes", type=float, default=10, help="CPU time for each world; then it is cut off"
    )
    parser.add_argument("--exactly", action="store_true", help="tell every state from every other one")
    called = parser.parse_args()
    if called.what == "flaws":
        return plant(called.world, called.minutes)
    worlds = [
        world.but(
            faults=world.faults if called.faults is None else called.faults,
            exactly=world.exactly or called.exactly,
        )
        for world in WHAT[called.what]
        if called.world in world.name
    ]
    if not worlds:
        parser.error(f"no world has {called.world!r} in its name: see `python -m tests.explorer list`")
    return {"list": show, "alike": compare}.get(called.what, lambda them: search(them, called.minutes))(
        worlds
    )


def show(worlds: Iterable[World]) -> int:
    for world in worlds:
        print(f"{world.name}: counts {world.counts or '-'}; facts {world.facts or '-'}; clock {world.clock or '-'}; "
              f"books {world.books or '-'}; faults {world.faults}")  # fmt: skip
    return 0


def search(worlds: Iterable[World], minutes: float) -> int:
    for world in worlds:
        moves = Moves(world)
        found = Search(moves).run(
            minutes * 60, tell=lambda found, world=world: print("  …", line(world, found), flush=True)
        )
        print(line(world, found))
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"    {moves.sizes()}; at most {megabytes} MB", flush=True)
        if found.violation is not None:
            print(told(found))
            return 1
    return 0


def line(world: World, found: Found) -> str:
    """Return one line on what a search came to, or how far it is."""
    reach = (
        f"all with at most {world.faults} faults"
        if found.is_complete
        else f"cut off among those with {found.layer} faults"
    )
    states = f"{found.states:,} states{' (each told)' if world.exactly else ''}"
    return (
        f"{world.name}: {states}, {found.transitions:,} transitions, "
        f"depth {found.depth}, {found.at_rest:,} at rest; {reach}; {found.seconds:.1f} s, "
        f"{found.states / max(found.seconds, 0.001):,.0f} states a second; "
        f"{'VIOLATED ' + found.violation.which if found.violation else 'no violation'}"
    )


def told(found: Found) -> str:
    """Return the trace to a violation in words."""
    assert found.violation is not None
    moves = "\n".join(f"{place:4} {move.told()}" for place, move in enumerate(found.trace, 1))
    return f"{moves}\n     {'; '.join(getattr(found.violation, '__notes__', ()))}\n{found.violation}"


def plant(name: str, minutes: float) -> int:
    missed = 0
    for flaw in (*FLAWS, *HARMLESS):
        if name not in flaw.name:
            continue
        with flaw.planted() as hands:
            found = Search(Moves(flaw.world, hands)).run(minutes * 60)
        wanted = flaw not in HARMLESS
        missed += (found.violation is not None) != wanted
        what = f"{found.violation.which}, {len(found.trace) + 1} moves" if found.violation else "no violation"
        print(
            f"{flaw.name} [{flaw.world.name}]: {what}; {found.states:,} states, {found.seconds:.2f} s",
            flush=True,
        )
        if name and found.violation:
            print(told(found))
    print(f"{missed} of {len(FLAWS)} flaws missed, or of {len(HARMLESS)} harmless ones found")
    return int(missed > 0)


def compare(worlds: Iterable[World]) -> int:
    for world in worlds:
        moves, began = Moves(world), time.process_time()
        found = alike(moves, world.faults)
        print(
            f"{world.name}, {world.faults} faults: {found}; {time.process_time() - began:.1f} s", flush=True
        )
        if found.differs is not None:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
