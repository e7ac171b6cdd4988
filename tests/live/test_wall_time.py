"""Real ticks: a deadline fires without traffic, never early, and never against somebody who complied in time."""

import json
import signal
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from evidence import accepted, check_journal, dump_inputs, positions
from harness import Cluster, eventually, nameplate
from stories import count, displayed, instant, lines_of, write_book

from schemas import topics
from schemas.instant import parse

pytestmark = pytest.mark.broker

PARTITIONS = 2
SESSION_S = 3


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield it
    it.close()


def now():
    return datetime.now(UTC)


def publish(cluster, *records):
    cluster.publish_lines(lines_of(records))


def said(cluster, topic, kind):
    """Return by account the first output of a type."""
    found = {}
    for records in cluster.outputs()[topic].values():
        for value in map(json.loads, records):
            if value["type"] == kind:
                found.setdefault(value["account_id"], value)
    return found


def told(cluster):
    return said(cluster, topics.DISCLOSURE, "disclosure-required")


def restricted(cluster):
    return said(cluster, topics.RESTRICTIONS, "restriction-imposed")


def publish_book(cluster, name, deadline, **how):
    grace = {"deadline": instant(deadline), "min_days": 0, "reminders_days_before": []}
    return cluster.publish_book(write_book(cluster.directory / name, **grace, **how))


def ticks_of_deadlines(cluster):
    """Return for each deadline that fired its due instant, T, and both clocks of the tick that fired it."""
    clocks = cluster.read(topics.CLOCK)
    found = []
    for number, entries in accepted(cluster).items():
        for decision in (one for entry in entries for one in entry.content.decisions):
            cause = decision["cause"]
            if cause.get("kind") != "deadline":
                continue
            assert cause["topic"] == topics.CLOCK
            (tick,) = (record for record in clocks[number] if record.offset == cause["offset"])
            written, appended = parse(json.loads(tick.value)["at"]), tick.timestamp * 1000
            found.append((parse(cause["due"]), parse(decision["T"]), written, appended))
    return found


def stop(cluster, worker):
    worker.send(signal.SIGTERM)
    worker.wait_exit()
    check_journal(cluster, dump_inputs(cluster))


def test_a_deadline_fires_without_any_traffic_and_never_early(cluster):
    worker = cluster.worker(session=SESSION_S)
    worker.wait_owned(*range(PARTITIONS))
    deadline = now() + timedelta(seconds=5)
    publish_book(cluster, "book", deadline)
    publish(cluster, *(count(f"acc-{name}", 2_000_000, instant(now())) for name in "abcd"))
    eventually(lambda: len(told(cluster)) == 4, "all are told")
    assert {value["deadline_at"] for value in told(cluster).values()} == {instant(deadline)}
    publish(cluster, displayed("acc-b", instant(now())))
    assert now() < deadline, "this machine is too slow for this test"
    eventually(lambda: len(restricted(cluster)) == 3, "the deadline fires")
    assert set(restricted(cluster)) == {"acc-a", "acc-c", "acc-d"}
    assert set(said(cluster, topics.DISCLOSURE, "disclosure-met")) == {"acc-b"}
    for value in restricted(cluster).values():
        assert parse(value["decided_at"]) >= parse(instant(deadline))
        assert value["effective_at"] == instant(deadline)
    fired = ticks_of_deadlines(cluster)
    assert len(fired) == 3
    for due, T, written, appended in fired:
        assert due == parse(instant(deadline))
        assert min(T, written, appended) >= due
    stop(cluster, worker)


def test_nobody_who_complied_in_time_is_restricted_after_an_outage(cluster):
    """The fact waits unread while the deadline passes and no worker runs; ticks come before it is read (rule 21)."""
    worker = cluster.worker(session=SESSION_S)
    worker.wait_owned(*range(PARTITIONS))
    deadline = now() + timedelta(seconds=4)
    publish_book(cluster, "book", deadline)
    accounts = [f"acc-{number:02}" for number in range(20)]
    publish(cluster, *(count(account, 2_000_000, instant(now())) for account in accounts))
    eventually(lambda: len(told(cluster)) == len(accounts), "all are told")
    worker.kill()
    before = positions(cluster)
    noise = [count(f"quiet-{number % 500:03}", number % 700_000, instant(now())) for number in range(20_000)]
    complied = [displayed(account, instant(now())) for account in accounts[::2]]
    assert now() < deadline, "this machine is too slow for this test"
    publish(cluster, *noise, *complied)
    assert positions(cluster) == before
    eventually(lambda: now() > deadline, "the deadline passes")
    worker = cluster.worker(session=SESSION_S)
    eventually(lambda: len(restricted(cluster)) == len(accounts) // 2, "the deadline fires")
    assert set(restricted(cluster)) == set(accounts[1::2])
    assert set(said(cluster, topics.DISCLOSURE, "disclosure-met")) == set(accounts[::2])
    stop(cluster, worker)


def test_a_worker_waits_for_the_first_book_and_adopts_a_new_one_at_a_recorded_point(cluster):
    worker = cluster.worker(session=SESSION_S)
    worker.wait_owned(*range(PARTITIONS))
    publish(cluster, count("acc-a", 2_000_000, instant(now())), count("acc-b", 900_000, instant(now())))
    ticks = {number: len(records) for number, records in cluster.read(topics.CLOCK).items()}
    later = lambda: all(len(cluster.read(topics.CLOCK)[number]) > ticks[number] + 1 for number in ticks)  # noqa: E731
    eventually(later, "ticks go on")
    assert not any(position[topics.COUNTS] for position in positions(cluster).values())
    assert not told(cluster)
    first = publish_book(cluster, "first", now() + timedelta(days=20))
    eventually(lambda: told(cluster).keys() == {"acc-a"}, "decided once a book is there")
    second = publish_book(cluster, "second", now() + timedelta(days=20), version="2", threshold=500_000)
    eventually(lambda: told(cluster).keys() == {"acc-a", "acc-b"}, "the new book reaches further")
    assert told(cluster)["acc-b"]["cause"] == {"book": second.hash}
    stop(cluster, worker)
    for entries in accepted(cluster).values():
        adopted = [
            (decision["cause"]["offset"], decision["cause"]["book"])
            for entry in entries
            for decision in entry.content.decisions
            if "tables" in decision["cause"]
        ]
        assert adopted == [(0, first.hash), (1, second.hash)]


def test_a_worker_refuses_a_clock_topic_that_the_broker_does_not_stamp(cluster):
    name = topics.full_name(topics.CLOCK, cluster.prefix)
    create = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[create])
    client = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
    for altered in client.incremental_alter_configs([resource]).values():
        altered.result()
    where = ("--bootstrap", cluster.bootstrap, "--prefix", cluster.prefix)
    said = nameplate("worker", *where, expect=2)
    assert f"{name} is a topic of CreateTime" in said
    assert "Set it with `nameplate topics apply --partitions " in said
    nameplate("topics", "apply", "--partitions", PARTITIONS, *where)
    cluster.worker(session=SESSION_S).wait_owned(*range(PARTITIONS))
