"""T9, T10, T12: poison, everything late and doubled, ten times the load, a slow topic, many deadlines at once."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from .dump import dump_topics, name_of
from .kills import kill
from .outcome import Fault
from .poison import KINDS, poisoned
from .population import MILLION, Sent, said
from .proxy import PRODUCE, Proxy, Rule
from .publisher import producer, publish_all
from .watch import Moment
from .world import READ, World

LARGE = ("large", "deep", "huge-int")
"""Kinds of poison of which a few are enough: each may have 100 kB."""
BOMBS_MB = (1, 5, 20, 20, 40)
"""Sizes of values that arrive a thousand times smaller, compressed."""


def poison(world: World, count: float) -> None:
    """Publish so many unreadable records, some of them compressed a thousandfold, between good ones."""
    start(world, 2)
    random, now = world.random, datetime.now(UTC)
    small = [kind for kind in KINDS if kind not in LARGE]

    def drawn() -> Any:
        for number in range(int(count)):
            kind = random.choice(KINDS if number % 100 == 0 else small)
            account = f"acc-{random.randrange(12):03}"
            value = {"event_id": f"p{number}", "platform": "w001", "account_id": account}
            if number % 2:
                topic, more = READ[0], {"followers": MILLION, "observed_at": said(now)}
            else:
                topic, more = READ[1], {"occurred_at": said(now), "type": "answer-given", "answer": "agree"}
            key, text = poisoned(random, topic, f"w001:{account}".encode(), {**value, **more}, now, kind)
            yield Sent(topic, key, text)

    since, unread = Moment.now(), world.unread()
    publish_all(world.node.bootstrap, world.prefix, drawn())
    bombs(world)
    world.recovers(Fault("poison", f"{int(count)} records", unread), set(range(world.partitions)), since)
    world.result.notes["poison"] = int(count)


def bombs(world: World) -> None:
    """Publish values that are large only once they are decompressed."""
    sender = producer(
        world.node.bootstrap, **{"compression.type": "gzip", "message.max.bytes": 10**9, "linger.ms": 0}
    )
    for number, size in enumerate(BOMBS_MB):
        value = b'{"event_id": "' + b"0" * (size << 20) + b'"}'
        sender.produce(name_of(READ[number % 2], world.prefix), value, b"w001:acc-001")
        if sender.flush(60):
            raise RuntimeError("a compressed record was not acknowledged")


def doubled(world: World, kills: float) -> None:
    """Let much be late, doubled and dead; send both topics once more as a whole; kill a worker now and then."""
    start(world, 3)
    for _ in range(int(kills)):
        time.sleep(8)
        world.wait_owned()
        kill(world, [world.random.choice(world.owners())])
    before = dump_topics(world.node.bootstrap, world.prefix, world.partitions, READ)
    again = [
        Sent(topic, record.key, record.value)
        for topic, partitions in before.topics.items()
        for records in partitions.values()
        for record in records
    ]
    since = Moment.now()
    publish_all(world.node.bootstrap, world.prefix, again, world.publisher.hear)
    world.recovers(Fault("whole topics again", f"{len(again)} records"), set(range(world.partitions)), since)
    world.result.notes["sent again"] = len(again)


def ten_times(world: World, seconds: float) -> None:
    """Ten times the load for a while; how long until what has gathered is taken."""
    start(world, 2)
    time.sleep(5)
    world.publisher.rate *= 10
    most = 0
    for _ in range(int(seconds)):
        time.sleep(1)
        world.supervise()
        most = max(most, world.unread())
    world.publisher.rate /= 10
    drained(world, "ten times the load", most)


def slow_topic(world: World, seconds: float) -> None:
    """An output topic that takes half a second for every append; how long until what has gathered is taken."""
    doors = world.node.doors[:2]
    proxy = Proxy(doors).begin()
    try:
        for door in doors:
            world.start(bootstrap=f"127.0.0.1:{door.told}")
        world.wait_owned()
        for door in doors:
            proxy.set(door, Rule("delay", PRODUCE, 0.5, b"grace-periods"))
        most = 0
        for _ in range(int(seconds)):
            time.sleep(1)
            world.supervise()
            most = max(most, world.unread())
        for door in doors:
            proxy.set(door, None)
        drained(world, "a slow output topic", most)
        world.finish()
    finally:
        proxy.end()


def at_once(world: World, accounts: float) -> None:
    """Let so many deadlines be due at one instant; how long until all are told. The world's only deadline is meant."""
    world.publisher.rate = 0
    start(world, 2)
    now, many = datetime.now(UTC), int(accounts)

    def drawn() -> Any:
        for number in range(many):
            account = f"big-{number:06}"
            value = {"event_id": f"b{number}", "platform": "w000", "account_id": account}
            value |= {"followers": 2 * MILLION, "observed_at": said(now)}
            yield Sent(READ[0], f"w000:{account}".encode(), json.dumps(value).encode())

    publish_all(world.node.bootstrap, world.prefix, drawn(), world.publisher.hear)
    due = world.begins + world.unit * 12
    told = world.wait(lambda: world.watch.next_seq("disclosure-required") >= many, 240)
    early = due - datetime.now(UTC)
    world.result.notes["told before the deadline, s"] = round(early.total_seconds(), 1)
    if not told or early < timedelta(0):
        world.stuck("not everybody was told before the deadline")
        return
    if not world.wait(lambda: world.watch.next_seq("restrictions") >= many, early.total_seconds() + 300):
        world.stuck("not everybody was restricted after the deadline")
    late = (datetime.now(UTC) - due).total_seconds()
    world.result.faults.append(
        Fault("deadlines at once", f"{many}", recovery_s=round(late, 1), partitions=world.partitions)
    )
    world.has_oracle = False  # it looks at all accounts for each of them
    world.finish(patience_s=240)
    if world.result.counts.get("restrictions") != many:
        text = f"{world.result.counts.get('restrictions')} restrictions, and {many} accounts"
        world.result.violations["I1"].append(text)


def start(world: World, workers: int) -> None:
    for _ in range(workers):
        world.start()
    world.wait_owned()


def drained(world: World, kind: str, most: int) -> None:
    """Wait until hardly anything is unread, and write down how long it took."""
    began, normal = time.monotonic(), 2 * world.publisher.rate
    if not world.wait(lambda: world.unread() <= normal, 180):
        world.stuck(f"after {kind} the backlog stays at {world.unread()}")
    taken = round(time.monotonic() - began, 1)
    world.result.faults.append(Fault(kind, f"backlog of {most}", most, world.partitions, taken))
