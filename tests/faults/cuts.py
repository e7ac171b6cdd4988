"""T5: the network between a worker and the broker: cut, silent, deaf one way, or bad to a single kind of request."""

import time

from .kafka import Door
from .outcome import Fault
from .proxy import FETCH, HEARTBEAT, JOIN_GROUP, NAMES, OFFSET_COMMIT, PRODUCE, Proxy, Rule
from .watch import Moment
from .world import World

WORKERS = 3
KINDS = (
    *((action, None) for action in ("refuse", "silence", "deaf", "mute")),
    *((action, PRODUCE) for action in ("drop", "delay", "cut", "cut-after", "cut-after")),
    *((action, FETCH) for action in ("drop", "delay", "cut")),
    *((action, OFFSET_COMMIT) for action in ("drop", "delay", "cut-after")),
    *((action, HEARTBEAT) for action in ("drop", "delay", "cut")),
    *((action, JOIN_GROUP) for action in ("drop", "delay", "cut-after")),
)
LASTS_S = (0.5, 5.0)
PATIENCE_S = 90
HITS_S = 8
"""A rule that has met no request by then is no fault, and is not counted as one."""


def cuts(world: World, count: int) -> None:
    """Cut so many times, each kind in turn in an order of chance."""
    doors = world.node.doors[:WORKERS]
    proxy = Proxy(doors).begin()
    try:
        for door in doors:
            world.start(bootstrap=f"127.0.0.1:{door.told}")
        kinds: list[tuple[str, int | None]] = []
        while len(world.result.faults) < count:
            world.wait_owned()
            if world.is_stuck:
                return
            if not kinds:
                kinds = list(KINDS)
                world.random.shuffle(kinds)
            cut(world, proxy, *kinds.pop())
        world.finish()  # while the proxy is there: who ends says so to the broker
    finally:
        proxy.end()


def cut(world: World, proxy: Proxy, action: str, api: int | None) -> None:
    """Put one rule before one worker for a while; wait until what the worker owned goes on."""
    owner = world.random.choice(world.owners() or world.workers)
    door = door_of(world, owner.bootstrap)
    rule = Rule(action, api, seconds=world.random.uniform(0.3, 3))
    hit, unread, since = owner.owned(), world.unread(), Moment.now()
    if api == JOIN_GROUP:  # somebody has to join
        other = next((one for one in world.workers if one is not owner), None)
        if other is not None:
            world.lose(other)
            world.start(bootstrap=other.bootstrap)
    proxy.set(door, rule)
    time.sleep(world.random.uniform(*LASTS_S))
    if api is not None:
        world.wait(lambda: rule.hits, HITS_S)
    proxy.set(door, None)
    if api is not None and not rule.hits:
        world.result.notes["met no request"] = world.result.notes.get("met no request", 0) + 1
        return
    place = NAMES[api] if api is not None else "everything"
    world.recovers(Fault(f"{action} of the network", place, unread), hit, since, PATIENCE_S)


def door_of(world: World, bootstrap: str) -> Door:
    return next(door for door in world.node.doors if bootstrap.endswith(f":{door.told}"))
