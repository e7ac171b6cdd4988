"""T3: owners that stand still past their session, are replaced, and wake up; also between two places of a step."""

import time

from .outcome import Fault
from .watch import Moment
from .workers import Worker
from .world import World

WORKERS = 4
STANDS_S = 45
PLACES = ("append.before", "append.after", "publish.after", "rows.after", "head.after", "deliver.before")


def zombies(world: World, count: int) -> None:
    """Make so many zombies: one to three at a time by a signal, every third round one at a place of a step."""
    for _ in range(WORKERS):
        world.start()
    made, turn = 0, 0
    while made < count and not world.is_stuck:
        world.wait_owned()
        turn += 1
        if turn % 3 == 0:
            made += stop_at(world, PLACES[turn // 3 % len(PLACES)])
            continue
        time.sleep(world.random.random())
        owners = world.owners()
        world.random.shuffle(owners)
        sleepers = [one for one in owners[: world.random.randrange(1, max(2, len(owners)))] if one.owned()]
        for sleeper in sleepers:
            sleeper.pause()
        made += replaced(world, sleepers, "stop", "random")


def stop_at(world: World, place: str) -> int:
    """Start one more worker that stands still at a place by itself; return how many zombies it made."""
    failpoint = f"{place}:{world.random.randrange(1, 12)}:stop"
    sleeper = world.start(failpoint)
    if not world.wait(sleeper.stands_still, STANDS_S, supervised=False) or not sleeper.owned():
        sleeper.go_on()
        world.result.notes.setdefault("did not stand still", []).append(failpoint)
        world.leave(sleeper)
        return 0
    sleeper.is_still = True
    made = replaced(world, [sleeper], "stop", place)
    world.leave(world.random.choice(world.workers))
    return made


def replaced(world: World, sleepers: list[Worker], kind: str, place: str) -> int:
    """Wait until others work on what the sleepers had, and let them wake up; return how many they were."""
    if not sleepers:
        return 0
    hit, since = set().union(*(one.owned() for one in sleepers)), Moment.now()
    unread = world.unread(hit)
    for _ in sleepers[1:]:
        world.result.faults.append(Fault(kind, f"{place}, with another one", unread))
    world.recovers(Fault(kind, place, unread), hit, since)
    time.sleep(world.random.random())
    marks = [(one, len(one.log)) for one in sleepers]
    for sleeper in sleepers:
        sleeper.go_on()
    world.wait(lambda: all(len(one.log) > mark or not one.is_running for one, mark in marks), 20)
    return len(sleepers)
