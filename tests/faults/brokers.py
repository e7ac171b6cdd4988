"""T2: the broker killed and started again, at random moments, now and then together with a worker."""

import time

from .outcome import Fault
from .watch import Moment
from .world import World

WORKERS = 3
DOWN_S = 3
WITH_WORKER = 0.25
PATIENCE_S = 90


def broker_kills(world: World, kills: int) -> None:
    """Kill the broker so many times."""
    for _ in range(WORKERS):
        world.start()
    for _ in range(kills):
        world.wait_owned()
        if world.is_stuck:
            return
        time.sleep(world.random.random() * 1.5)
        unread, kind = world.unread(), "kill of the broker"
        world.node.kill()
        if world.random.random() < WITH_WORKER:
            kind = "kill of the broker and a worker"
            world.lose(world.random.choice(world.workers))
            world.start()
        time.sleep(world.random.random() * DOWN_S)
        since = Moment.now()
        world.node.up()
        everything = set(range(world.partitions))
        world.recovers(Fault(kind, unread=unread), everything, since, PATIENCE_S)
