"""T4: workers join and leave all the time, politely and by kill, so that there are between one and four."""

import time
from itertools import pairwise

from .outcome import Fault
from .watch import Moment
from .world import World

FEWEST, MOST = 1, 4
EVERY_S = (2, 10)


def storm(world: World, seconds: float) -> None:
    """Let workers join and leave for so long; afterwards say how long each partition stood still at most."""
    began = time.monotonic()
    world.start()
    world.wait_owned()
    since = Moment.now()
    while time.monotonic() < began + seconds and not world.is_stuck:
        joins = len(world.workers) <= FEWEST or (len(world.workers) < MOST and world.random.random() < 0.5)
        if joins:
            world.start()
            kind = "join"
        else:
            worker = world.random.choice(world.workers)
            kind = world.random.choice(("leave", "leave", "kill"))
            if kind == "kill":
                world.lose(worker)
            else:
                world.leave(worker)
        world.result.faults.append(Fault(kind, unread=world.unread()))
        until = time.monotonic() + world.random.uniform(*EVERY_S)
        world.wait(lambda until=until: time.monotonic() > until)
        _is_anybody_stuck(world, since)
    world.result.notes["stood still at most, s"] = round(max(_pauses(world, since)), 1)


def _pauses(world: World, since: Moment) -> list[float]:
    """Return per partition the longest time between two entries that took input."""
    found = []
    for partition in range(world.partitions):
        times = [
            since.at,
            *(one.at for one in world.watch.entries if one.partition == partition and one.has_runs),
        ]
        times = [at for at in times if at >= since.at] + [time.monotonic()]
        found.append(max(after - before for before, after in pairwise(times)))
    return found


def _is_anybody_stuck(world: World, since: Moment) -> None:
    now = time.monotonic()
    for partition in range(world.partitions):
        last = max((one.at for one in world.watch.entries if one.partition == partition), default=since.at)
        if now - last > 60:
            world.stuck(f"partition {partition} stands still for {now - last:.0f} s in a storm")
