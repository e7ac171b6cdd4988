"""T1: workers killed at every place of a step and of a recovery, and at random moments, two at a time now and then."""

import time

from streams.live.failpoints import PLACES

from .outcome import Fault
from .watch import Moment
from .workers import Worker
from .world import World

WORKERS = 3
TWICE = 0.25
"""How often a second worker is killed before anybody has recovered."""
DIES_S = 45


def random_kills(world: World, kills: int) -> None:
    """Kill owners at random moments; each time another worker is started, and the rest take over meanwhile."""
    for _ in range(WORKERS):
        world.start()
    done = 0
    while done < kills and not world.is_stuck:
        world.wait_owned()
        time.sleep(world.random.random())
        victims = [world.random.choice(world.owners() or world.workers)]
        if world.random.random() < TWICE:
            victims += [one for one in world.owners() if one not in victims][:1]
        done += kill(world, victims)


def kill(world: World, victims: list[Worker]) -> int:
    """Kill workers at once and wait until what they had owned goes on; return how many they were."""
    hit = set().union(*(one.owned() for one in victims))
    unread, since = world.unread(hit), Moment.now()
    for victim in victims:
        world.lose(victim)
        world.start()
    for _ in victims[1:]:
        world.result.faults.append(Fault("kill", "random, with another one", unread))
    world.recovers(Fault("kill", "random", unread), hit, since)
    return len(victims)


def place_kills(world: World, times: int) -> None:
    """Let a worker die at every place of a step so many times, early (in its recovery) and late."""
    for _ in range(WORKERS - 1):
        world.start()
    world.wait_owned()
    for place in PLACES:
        for number in range(times):
            if world.is_stuck:
                return
            die_at(world, f"{place}:{1 if number == 0 else world.random.randrange(2, 12)}")


def die_at(world: World, failpoint: str) -> None:
    """Start one more worker that dies at a place by itself."""
    worker = world.start(failpoint)
    if not world.wait(lambda: not worker.is_running, DIES_S, supervised=False):
        world.result.notes.setdefault("did not die", []).append(failpoint)
        world.lose(worker)
        return
    since, hit = Moment.now(), worker.owned() or {*range(world.partitions)}
    unread = world.unread(hit)
    world.lose(worker)
    world.recovers(Fault("kill", failpoint.partition(":")[0], unread), hit, since)
