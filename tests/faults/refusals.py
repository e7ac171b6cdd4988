"""T13: topics deleted and made anew, retention past the position, other partition counts: refused, in clear words."""

import re
import time
from collections.abc import Callable

from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from streams.live import topics as admin

from .bench import Bench
from .dump import name_of
from .outcome import Fault, Result
from .world import World

WORKS_S = 8
REFUSES_S = 60
NEXT = re.compile(r"`nameplate [^`]+`|[Rr]estore|--lost")
"""What a message has in it that says what to do."""


def refusals(bench: Bench, result: Result, every: int = 1) -> None:
    """Do each thing to a world whose workers have ended; the next worker refuses, or goes on where that is right.

    Args:
        bench: Where worlds are made.
        result: What is filled in.
        every: Only every so manieth thing, to be quick.
    """
    outcomes = {}
    for number, (what, (do, wanted)) in list(enumerate(DONE.items()))[::every]:
        own = Result(result.test, result.number, result.seed * 100 + number, "")
        world = bench.world(own, rate=60, platforms=6, partitions=2)
        said = outcome(world, do)
        outcomes[what] = said
        result.faults.append(Fault("refusal", what))
        if not re.search(wanted, said):
            result.violations.setdefault("refusal", []).append(f"{what}: {said}")
        bench.clear()
    result.time, result.notes["outcomes"] = "clock", outcomes


def outcome(world: World, do: Callable[[World, AdminClient], None]) -> str:
    """Let a worker work and end, do something to its topics, and say what the next worker does."""
    world.start()
    world.wait_owned()
    time.sleep(WORKS_S)
    world.publisher.stop()
    world.wait(world.is_done, 30)
    before = len(world.watch.entries)
    world.leave(world.workers[0])
    world.leaving[0].finish()
    time.sleep(0.5)
    before = len(world.watch.entries)
    world.watch.stop()
    do(world, AdminClient({"bootstrap.servers": world.node.bootstrap, "log_level": 0}))
    worker = world.start()
    end = time.monotonic() + REFUSES_S
    while time.monotonic() < end and worker.is_running and worker.owned() != {0, 1}:
        time.sleep(0.05)
    if worker.is_running:
        is_at_work = worker.owned() == {0, 1}
        world.lose(worker)
        return "goes on" if is_at_work else f"waits: {worker.log[-300:]}"
    said = [line for line in worker.log.splitlines() if line.strip()]
    text = " ".join(said[-3:])
    remedy = "with a remedy" if NEXT.search(text) else "WITHOUT A REMEDY"
    return f"refuses {remedy}, exit {worker.process.returncode}, {before} entries: {text[-700:]}"


def recreate(topic: str) -> Callable[[World, AdminClient], None]:
    """Return what deletes a topic and makes it anew."""

    def do(world: World, client: AdminClient) -> None:
        name = name_of(topic, world.prefix)
        client.delete_topics([name])[name].result()
        end = time.monotonic() + 30
        while name in client.list_topics(timeout=10).topics and time.monotonic() < end:
            time.sleep(0.05)
        admin.apply(world.node.bootstrap, admin.wanted(world.prefix, world.partitions))

    return do


def past(topic: str, *, by: int) -> Callable[[World, AdminClient], None]:
    """Return what lets a topic begin so many records behind (or, negative, before) its end."""

    def do(world: World, client: AdminClient) -> None:
        from .publisher import publish_all

        if by > 0:  # some more that nobody has read, and half of them gone
            drawn = (world.population.draw(world.begins) for _ in range(by * 20))
            publish_all(world.node.bootstrap, world.prefix, drawn)
        for number in range(world.partitions):
            place = TopicPartition(name_of(topic, world.prefix), number)
            position = world.watch.positions[number].get(topic, 0)
            place.offset = position + by if by > 0 else max(1, -by)
            client.delete_records([place])[place].result()

    return do


def more_partitions(topic: str) -> Callable[[World, AdminClient], None]:
    """Return what adds partitions to a topic."""

    def do(world: World, client: AdminClient) -> None:
        name = name_of(topic, world.prefix)
        client.create_partitions([NewPartitions(name, 4)])[name].result()
        time.sleep(1)

    return do


def sender_dates(world: World, client: AdminClient) -> None:
    """Let the senders date the ticks."""
    entry = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    name = name_of("clock", world.prefix)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    client.incremental_alter_configs([resource])[resource].result()


def missing(topic: str) -> Callable[[World, AdminClient], None]:
    def do(world: World, client: AdminClient) -> None:
        name = name_of(topic, world.prefix)
        client.delete_topics([name])[name].result()
        time.sleep(1)

    return do


REFUSES = r"refuses with a remedy, exit [12],"
DONE: dict[str, tuple[Callable[[World, AdminClient], None], str]] = {
    "counts deleted and made anew": (recreate("follower-counts"), REFUSES + ".*input-recreated"),
    "facts deleted and made anew": (recreate("account-facts"), REFUSES + ".*input-recreated"),
    "the clock deleted and made anew": (recreate("clock"), REFUSES + ".*input-recreated"),
    "the journal deleted and made anew": (recreate("journal"), REFUSES),
    "the table deleted and made anew": (recreate("rows-changelog"), "goes on"),
    "retention past the position of the counts": (past("follower-counts", by=3), REFUSES + ".*input-lost"),
    "retention past the position of the facts": (past("account-facts", by=2), REFUSES + ".*input-lost"),
    "retention short of the position": (past("follower-counts", by=-20), "goes on"),
    "more partitions of the counts": (more_partitions("follower-counts"), REFUSES),
    "more partitions of the journal": (more_partitions("journal"), REFUSES),
    "ticks dated by their senders": (sender_dates, REFUSES),
    "no topic of restrictions": (missing("restrictions"), REFUSES),
    "no topic of facts": (missing("account-facts"), REFUSES),
}
