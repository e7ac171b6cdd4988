"""A broker that is away for a minute: a worker waits for it and goes on, and nothing is said twice or left out."""

import time
from datetime import UTC, datetime

import pytest
from harness import Cluster, eventually

from schemas import topics
from schemas.wire import canonical
from streams.broker import local
from streams.policies.load import shipped_book_dir
from streams.replay.files import Line

pytestmark = pytest.mark.broker

AWAY_S = 65
"""Longer than a session (6 s), than a request may take (30 s), and than a minute."""
PATIENCE_S = 120


def count(number):
    """Return a count that is a decision: the first of its account, and over the line."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    said = {"event_id": f"e{number}", "platform": "bilibili", "account_id": f"acct-{number:03}"}
    value = canonical({**said, "followers": 2_000_000, "observed_at": now})
    return Line("a test", 1, topics.COUNTS, value, f"bilibili:acct-{number:03}".encode())


def told(cluster):
    return {value for values in cluster.outputs()[topics.DISCLOSURE].values() for value in values}


def test_a_worker_outlives_a_broker_that_is_away_for_a_minute(broker, tmp_path):
    del broker  # another one, that nobody else needs; this one only says whether there can be any
    data = tmp_path / "broker"
    own = local.up(data)
    try:
        cluster = Cluster(own.bootstrap, "outage.", tmp_path, partitions=2)
        try:
            _lose_the_broker(cluster, data)
        finally:
            cluster.close()
    finally:
        local.down(data)


def _lose_the_broker(cluster, data):
    cluster.publish_book(shipped_book_dir())
    worker = cluster.worker()
    worker.wait_owned(0, 1)
    cluster.publish_lines([count(number) for number in range(20)])
    eventually(lambda: len(told(cluster)) == 20, f"all are told:\n{worker.log[-3000:]}")
    local.kill(data)
    time.sleep(AWAY_S)
    assert worker.process.poll() is None, worker.log[-5000:]
    local.up(data)
    cluster.publish_lines([count(number) for number in range(20, 40)])
    eventually(lambda: len(told(cluster)) == 40, "those of after it are told, too", PATIENCE_S)
    assert worker.process.poll() is None, worker.log[-5000:]
