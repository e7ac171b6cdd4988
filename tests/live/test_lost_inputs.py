"""Inputs that are not what the journal was written from: the worker stops, and says what to do."""

import re

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from evidence import Told, accepted, ends, positions
from harness import Cluster, eventually, nameplate
from stories import UNTIL

from schemas import topics
from streams.live import topics as admin

pytestmark = pytest.mark.broker

PARTITIONS = 2
TO_THE_END = ("--time", "records", "--until", UNTIL, "--stop-at-end")
SESSION_S = 2


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield it
    it.close()


@pytest.fixture
def told(cluster):
    """A history of which one worker has decided a part before it was killed."""
    it = Told(cluster, UNTIL, records=400)
    it.publish(cluster)
    cluster.worker(*TO_THE_END, failpoint="append.before:30", session=SESSION_S).wait_exit(-9)
    return it


@pytest.fixture
def client(cluster):
    return AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})


def entries(cluster):
    return {number: len(found) for number, found in accepted(cluster).items()}


def test_an_input_topic_that_was_deleted_and_made_anew_stops_the_worker(cluster, told, client):
    """Its offsets mean other records, also where there are as many of them again."""
    before, name = entries(cluster), topics.full_name(topics.FACTS, cluster.prefix)
    client.delete_topics([name])[name].result()
    eventually(lambda: name not in client.list_topics(timeout=10).topics, "the topic is gone")
    admin.apply(cluster.bootstrap, admin.wanted(cluster.prefix, PARTITIONS))
    cluster.publish_file(told.file)
    worker = cluster.worker(*TO_THE_END, session=SESSION_S)
    worker.wait_exit(1)
    assert re.search(r"Topic account-facts has id \S+, and the journal was written from \S+:", worker.log)
    assert (
        "Nothing was read. Restore the old topic, or begin a new journal under another prefix: " in worker.log
    )
    assert "[input-recreated]" in worker.log
    assert entries(cluster) == before


def test_retention_past_the_accepted_position_stops_the_worker_until_an_operator_journals_the_loss(
    cluster, told, client
):
    before, name = entries(cluster), topics.full_name(topics.COUNTS, cluster.prefix)
    position = positions(cluster)[1][topics.COUNTS]
    cut = TopicPartition(name, 1, position + 3)
    client.delete_records([cut])[cut].result()
    worker = cluster.worker(*TO_THE_END, session=SESSION_S)
    worker.wait_exit(1)
    assert (
        f"Topic follower-counts begins at offset {position + 3}, and records from {position} on" in worker.log
    )
    assert f"--lost follower-counts:1:{position}" in worker.log
    assert "[input-lost]" in worker.log
    assert entries(cluster)[1] == before[1]
    lost = ("--lost", f"follower-counts:1:{position}")
    cluster.worker(*TO_THE_END, *lost, session=SESSION_S).wait_exit()
    assert positions(cluster) == ends(cluster)
    runs = [run for entry in accepted(cluster)[1] for run in entry.content.runs if run.digest is None]
    assert [(run.topic, run.start, run.end) for run in runs] == [(topics.COUNTS, position, position + 3)]
    nameplate("verify", cluster.export())
