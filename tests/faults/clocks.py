"""T7: workers whose wall clocks jump, drift, go back, or stand in another year; the broker's own clock is right."""

import time
from pathlib import Path

from .outcome import Fault
from .watch import Moment
from .world import World

HOUR, DAY = 3600.0, 86_400.0
JUMPS = (HOUR, -HOUR, DAY, -DAY, 30 * DAY, -30 * DAY, 12 * 365 * DAY, -6 * 365 * DAY, 0.9, -0.9, 61.0, -61.0)
WORKERS = 2


def jumps(world: World, count: int) -> None:
    """Let the clock of one worker after the other jump, at times drift; between jumps all clocks are right again."""
    files = []
    for number in range(WORKERS):
        files.append(world.directory / f"clock-{number}")
        files[-1].write_text("0", "ascii")
        world.start(clock=files[-1])
    for turn in range(count):
        world.wait_owned()
        if world.is_stuck:
            return
        file, jump = world.random.choice(files), JUMPS[turn % len(JUMPS)]
        unread, since = world.unread(), Moment(time.monotonic(), 0)
        if turn % 5 == 4:
            drift(file, jump, world)
        else:
            file.write_text(str(jump), "ascii")
        kind = "drift of a clock" if turn % 5 == 4 else "jump of a clock"
        world.recovers(Fault(kind, f"{jump:.0f} s", unread), set(range(world.partitions)), since)
        time.sleep(world.random.random() * 3)
        file.write_text("0", "ascii")


def drift(file: Path, to: float, world: World) -> None:
    """Let a clock go to an offset bit by bit."""
    for step in range(1, 21):
        file.write_text(str(to * step / 20), "ascii")
        world.supervise()
        time.sleep(0.15)
