"""What happens to the workers: drawn from a seed, at times of its own, and the same whatever the system does."""

import random
import signal
import time
from collections.abc import Callable

from .systems import System, Worker

ZOMBIE_S = 9.0
"""Half as long again as the session of 6 s."""
MOST = 4


class Stage:
    """The workers of one run."""

    def __init__(self, system: System, seed: int) -> None:
        self.system = system
        self.draw = random.Random(seed)
        self.workers = [system.start(), system.start()]
        self.faults = 0
        self.ended = 0
        """Workers that ended by themselves, and were started again as a supervisor would."""

    def wait(self, low: float, high: float) -> None:
        """Let some time pass; who ended by itself is started again."""
        end = time.monotonic() + self.draw.uniform(low, high)
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))
            self.supervise()

    def supervise(self) -> None:
        for place, worker in enumerate(self.workers):
            if not worker.is_alive():
                self.ended += 1
                self.workers[place] = self.system.start()

    def one(self) -> Worker:
        return self.draw.choice(self.workers)

    def close(self) -> None:
        for worker in self.workers:
            worker.end()


def nothing(stage: Stage, count: int) -> None:
    """Let two workers work in peace."""
    stage.wait(5 * count, 5 * count)


def kills(stage: Stage, count: int) -> None:
    """T1: kill -9 one of two workers and start another at once, 7 to 12 s after the last."""
    for _ in range(count):
        stage.wait(7, 12)
        victim = stage.one()
        victim.kill()
        stage.workers.remove(victim)
        stage.workers.append(stage.system.start())
        stage.faults += 1


def zombies(stage: Stage, count: int) -> None:
    """T3: stop one of two workers for longer than its session, and let it go on."""
    for _ in range(count):
        stage.wait(6, 9)
        sleeper = stage.one()
        sleeper.send(signal.SIGSTOP)
        stage.wait(ZOMBIE_S, ZOMBIE_S + 2)
        sleeper.send(signal.SIGCONT)
        stage.faults += 1


def storm(stage: Stage, count: int) -> None:
    """T4: one worker comes or goes every 2 to 6 s; there are one to four of them."""
    for _ in range(count):
        stage.wait(2, 6)
        is_few, is_many = len(stage.workers) == 1, len(stage.workers) == MOST
        if is_few or (not is_many and stage.draw.random() < 0.5):
            stage.workers.append(stage.system.start())
        else:
            leaver = stage.one()
            stage.workers.remove(leaver)
            leaver.end()
        stage.faults += 1


SCRIPTS: dict[str, tuple[Callable[[Stage, int], None], int]] = {
    "none": (nothing, 6),
    "T1 kill -9": (kills, 20),
    "T3 zombie": (zombies, 10),
    "T4 rebalance storm": (storm, 25),
}
"""By name, with how many faults a whole run has."""
