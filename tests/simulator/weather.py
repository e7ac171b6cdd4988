"""What goes wrong at its own time: workers, clocks, the group, and the broker's data."""

from random import Random
from typing import TYPE_CHECKING, Any

from schemas.instant import DAY
from streams.live.performer import HEAD_KEY

from .broker import pause_ms
from .operator import cut_inputs, cut_journal, let_retention_pass

if TYPE_CHECKING:
    from .process import Process
    from .run import World

LOOK_MS = 7_000
HOUR = DAY // 24
MOST_WORKERS = 4


class Weather:
    """The faults that come by the hour.

    Args:
        world: Where they come.
    """

    def __init__(self, world: "World") -> None:
        self.world = world
        self._dark_until = 0
        """No worker starts before."""

    def begin(self) -> None:
        """Begin to look now and then."""
        self.world.loop.after(LOOK_MS, self._look)

    def _look(self) -> None:
        chance = self.world.chance
        if chance.is_over:
            return
        for kind, happens in HAPPENS.items():
            drawn = chance.fault(kind, DRAWN[kind])
            if drawn is not None:
                self.world.note(f"{kind} {drawn}")
                self.world.loop.after(drawn[0], happens, self.world, *drawn[1:])
        self.world.loop.after(LOOK_MS, self._look)

    def restart(self) -> None:
        """Start a worker again, some time after one has died."""
        loop = self.world.loop
        loop.at(max(loop.now, self._dark_until) + self.world.chance.ms(100, 8_000), self._restart)

    def _restart(self) -> None:
        if len(self.world.processes) < self.world.settings.workers:
            if self.world.loop.now < self._dark_until:
                self.restart()
            else:
                self.world.start()

    def darken(self, ms: int) -> None:
        """Let no worker start for so long."""
        self._dark_until = max(self._dark_until, self.world.loop.now + ms)

    def clear_up(self) -> None:
        """Mend what is left, once there are no more faults."""
        self.world.broker.clock_error = 0
        self._dark_until = 0
        self.world.clock_errors = [0] * len(self.world.clock_errors)
        for _ in range(self.world.settings.workers - len(self.world.processes)):
            self.world.start()


# Drawn: first how many ms from now ---------------------------------------------------------------


def _soon(random: Random) -> tuple[Any, ...]:
    return (random.randrange(LOOK_MS),)


def _of_worker(random: Random) -> tuple[Any, ...]:
    return random.randrange(LOOK_MS), random.randrange(12), pause_ms(random)


def _of_clock(random: Random) -> tuple[Any, ...]:
    """Minutes, hours or days, ahead or behind; or right again."""
    error = int(10 ** random.uniform(-2, 1.3) * HOUR) * random.choice((-1, 0, 1))
    if random.random() < 0.1:
        error *= (
            5  # more than a day behind everything is refused as from the future; ahead, time stands still
        )
    return random.randrange(LOOK_MS), random.randrange(12), error


def _of_outage(random: Random) -> tuple[Any, ...]:
    return random.randrange(LOOK_MS), int(10 ** random.uniform(3, 5))


def _of_data(random: Random) -> tuple[Any, ...]:
    return random.randrange(LOOK_MS), random.randrange(12), random.randrange(1 << 16)


# What they do ------------------------------------------------------------------------------------


def _worker(world: "World", which: int) -> "Process | None":
    return world.processes[which % len(world.processes)] if world.processes else None


def _kill(world: "World", which: int, _: int) -> None:
    if (process := _worker(world, which)) is not None:
        process.struck("killed", 0)


def _pause(world: "World", which: int, ms: int) -> None:
    if (process := _worker(world, which)) is not None:
        process.pause(ms)


def _deafen(world: "World", which: int, ms: int) -> None:
    if (process := _worker(world, which)) is not None:
        process.deafen(ms)


def _join(world: "World") -> None:
    if len(world.processes) < MOST_WORKERS:
        world.start()


def _leave(world: "World", which: int, _: int) -> None:
    if (process := _worker(world, which)) is not None and not process.is_paused:
        process.leave()


def _worker_clock(world: "World", which: int, error: int) -> None:
    world.clock_errors[which % len(world.clock_errors)] = error


def _broker_clock(world: "World", _: int, error: int) -> None:
    world.broker.clock_error = error


def _outage(world: "World", ms: int) -> None:
    world.weather.darken(ms)
    for process in list(world.processes):
        process.struck("killed", 0)


def _lose_table(world: "World", which: int, how: int) -> None:
    if world.operator.expects is None:
        world.broker.tables[which % world.settings.partitions].clear()
        _perhaps_kill_all(world, how)


def _damage_rows(world: "World", which: int, how: int) -> None:
    """Lose a row, change it, or put another one's in its place."""
    table = world.broker.tables[which % world.settings.partitions]
    keys = sorted(key for key in table if key != HEAD_KEY)
    if not keys:
        return
    key, other = keys[how % len(keys)], keys[how // 7 % len(keys)]
    if how % 3 == 0:
        del table[key]
    elif how % 3 == 1:
        table[key] = table[key][:-1] + bytes([table[key][-1] ^ 1])
    else:
        table[key] = table[other]
    _perhaps_kill_all(world, how)


def _perhaps_kill_all(world: "World", how: int) -> None:
    """Let somebody read the damage before it is written over."""
    for process in list(world.processes) if how & 512 else ():
        process.struck("killed", 0)


HAPPENS: dict[str, Any] = {
    "kill": _kill,
    "pause": _pause,
    "deaf": _deafen,
    "join": _join,
    "leave": _leave,
    "worker clock": _worker_clock,
    "broker clock": _broker_clock,
    "outage": _outage,
    "table lost": _lose_table,
    "rows damaged": _damage_rows,
    "inputs cut": cut_inputs,
    "journal cut": cut_journal,
    "retention": let_retention_pass,
}

DRAWN: dict[str, Any] = {
    **dict.fromkeys(("kill", "pause", "deaf", "leave"), _of_worker),
    "join": _soon,
    **dict.fromkeys(("worker clock", "broker clock"), _of_clock),
    "outage": _of_outage,
    **dict.fromkeys(("table lost", "rows damaged", "inputs cut", "journal cut", "retention"), _of_data),
}
