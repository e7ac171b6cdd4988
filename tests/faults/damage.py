"""T8: logs cut short and bits flipped while the broker is down. What is damaged is found or harmless, never silent.

Many small worlds share one stop of the broker; each gets one damage of its own, and then a worker.
"""

import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from . import checker, checker_dump, segments
from .bench import Bench
from .checker_dump import OUTPUTS
from .dump import name_of
from .kafka import Node
from .outcome import Fault, Result
from .world import World

NOTHING = "nothing there to damage"
RUNS_S = 12
LOOKS_S = 25
Damage = Callable[[Path, Callable[[str], str], int, Random], bool]


def damages(every: int = 1) -> dict[str, Damage]:
    """Return what can be done to the logs of a world: by name, given logs, names, a partition and chance.

    Args:
        every: Only every so manieth, to be quick.
    """
    found: dict[str, Damage] = {}
    for topic in (
        "journal",
        "rows-changelog",
        "follower-counts",
        "account-facts",
        "restrictions",
        "grace-periods",
    ):
        found[f"{topic} cut by a batch"] = lambda logs, name, p, _, t=topic: segments.cut(logs, name(t), p, 1)
        found[f"{topic} torn in three batches"] = lambda logs, name, p, _, t=topic: segments.cut(
            logs, name(t), p, 3, torn=True
        )
    for topic in ("journal", "rows-changelog", "clock", "follower-counts"):
        for with_crc in (False, True):
            what = "and its CRC too" if with_crc else "and its CRC tells"
            found[f"{topic} with a bit flipped, {what}"] = lambda logs, name, p, r, t=topic, c=with_crc: (
                segments.flip(logs, name(t), p, r, with_crc=c)
            )
    for topic in ("journal", "rows-changelog"):
        found[f"{topic} with a bit flipped in its end"] = lambda logs, name, p, r, t=topic: segments.flip(
            logs, name(t), p, r, with_crc=True, of_last=True
        )
    return dict(list(found.items())[::every])


def damaged(bench: Bench, result: Result, rounds: int, every: int = 1) -> None:
    """Do each damage once per round, each to a world of its own, and see what comes of it."""
    seen: dict[str, list[str]] = {}
    for number in range(rounds):
        node = Node(bench.directory / f"damaged-{number}").up()
        try:
            for one, outcome in round_of(bench, result, node, number, damages(every)):
                seen.setdefault(one, []).append(outcome)
                result.faults.append(Fault("damage", f"{one}: {outcome.partition(':')[0]}"))
                if outcome.startswith("SILENT"):
                    result.violations.setdefault("I7", []).append(f"{one}: {outcome}")
        finally:
            bench.clear()
            node.remove()
    result.time, result.notes["outcomes"] = "clock", seen


def round_of(
    bench: Bench, result: Result, node: Node, number: int, todo: dict[str, Damage]
) -> list[tuple[str, str]]:
    """Run small worlds, damage each while the broker is down, and return what came of each damage."""
    worlds: dict[str, World] = {}
    for place, one in enumerate(todo):
        own = Result(result.test, result.number, result.seed * 100 + number * 40 + place, "")
        world = bench.world(own, node, rate=60, platforms=6, partitions=1)
        world.start()
        worlds[one] = world
        if place % 4 == 3 or place == len(todo) - 1:
            let_run([world for world in worlds.values() if world.workers])
    node.kill() if number % 2 else node.stop()
    done = {}
    for one, world in worlds.items():
        done[one] = todo[one](node.logs, lambda topic, w=world: name_of(topic, w.prefix), 0, world.random)
    node.up()
    return [(one, outcome(one, world) if done[one] else NOTHING) for one, world in worlds.items()]


def let_run(worlds: list[World]) -> None:
    """Let workers decide for a while, then end them."""
    for world in worlds:
        world.wait_owned()
    time.sleep(RUNS_S)
    for world in worlds:
        world.publisher.stop()
        world.wait(world.is_done, 30)
        for worker in world.workers:
            worker.ask_to_end()
    for world in worlds:
        for worker in world.workers:
            worker.finish()
        world.ended += world.workers
        world.workers.clear()
        world.watch.stop()


def outcome(damage: str, world: World) -> str:
    """Start a worker on what is left, and say what it and the checker make of it."""
    worker = world.start()
    end = time.monotonic() + LOOKS_S
    while time.monotonic() < end and worker.is_running and not worker.owned():
        time.sleep(0.05)
    settles = time.monotonic() + 4
    while worker.is_running and worker.owned() and time.monotonic() < settles:
        time.sleep(0.05)
    if not worker.is_running:
        said = [line for line in worker.log.splitlines() if line.strip()]
        return f"the worker stops: exit {worker.process.returncode}: {' '.join(said[-2:])[:300]}"
    if not worker.owned():
        world.lose(worker)
        return f"the worker waits: {worker.log[-300:]}"
    return judged(damage, world, worker.finish())


def judged(damage: str, world: World, code: int) -> str:
    """Hold what is in the topics now against the invariants: found by the program's own means, harmless, or silent."""
    try:
        dump = world.dump(is_at_rest=damage.startswith("rows-changelog"))
    except RuntimeError as unreadable:
        return f"a reader finds it: {unreadable}"
    found: Any = checker.check(dump).violations
    checker_dump.write(dump, world.directory / "dump")
    found["I8"] = checker.audit(dump, world.directory / "dump")
    broken = {name: said[0][:160] for name, said in found.items() if said}
    if not broken:
        rebuilt = ", after the table was built anew" if "was rebuilt" in world.workers[0].log else ""
        return f"harmless{rebuilt}: exit {code}"
    if "I8" in broken:
        return f"the auditor finds it: {broken}"
    if damage.startswith(OUTPUTS) and broken.keys() <= {"I6", "I10"}:
        return f"consumers see the hole: {broken}"
    return f"SILENT: {broken}"
