"""Workers killed at every place of the step and of the recovery; whoever takes over, the outputs are the replay's."""

import signal
import time

import pytest
from evidence import Told, accepted, unread
from harness import Cluster, eventually
from stories import UNTIL

pytestmark = pytest.mark.broker

PARTITIONS = 3
HISTORY = ("--time", "records", "--until", UNTIL)
SESSION_S = 2

IN_TURN = (
    "append.before:15",
    "append.after:15",
    "publish.after:1",  # in the recovery: what the one before had journaled and not published
    "append.before:1",  # in the recovery: the takeover
    "append.after:1",
    "publish.after:15",
    "rows.after:1",  # in the recovery
    "rows.after:15",
    "head.after:1",  # in the recovery
    "head.after:15",
)

AT_ONCE = ("append.before:10", "append.after:20", "publish.after:30", "rows.after:40", "head.after:50")


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield it
    it.close()


def died(worker, place, cluster):
    """Wait for the death of a worker, and say what it left unread."""
    worker.wait_exit(-9)
    left = unread(cluster)
    print(f"{place}: died after entry {worker.owned()}, unread by partition: {left}")
    return left


def test_a_worker_killed_at_every_place_and_started_again_decides_as_the_replay_does(cluster):
    told = Told(cluster, UNTIL)
    told.publish(cluster)
    for place in IN_TURN:
        worker = cluster.worker(*HISTORY, "--stop-at-end", failpoint=place, session=SESSION_S)
        assert any(died(worker, place, cluster).values())
    cluster.worker(*HISTORY, "--stop-at-end", session=SESSION_S).wait_exit()
    assert not any(unread(cluster).values())
    assert told.is_decided_by(cluster)


def test_workers_already_in_the_group_take_over_from_those_that_are_killed(cluster):
    """They are in the group before the history is there; one more that joins then makes all of them look at it."""
    told = Told(cluster, UNTIL)
    t = time.monotonic()
    workers = [cluster.worker("--time", "records", failpoint=place, session=SESSION_S) for place in AT_ONCE]
    eventually(lambda: sum(len(worker.owned()) for worker in workers) >= PARTITIONS, "all are owned")
    print(time.monotonic() - t)
    told.publish(cluster)
    last = cluster.worker(*HISTORY, session=SESSION_S)
    for place, worker in zip(AT_ONCE, workers, strict=True):
        assert any(died(worker, place, cluster).values())
        print(time.monotonic() - t)
    eventually(lambda: all(entries[-1].content.T == UNTIL for entries in accepted(cluster).values()), "the end")
    print(time.monotonic() - t)
    last.send(signal.SIGTERM)
    last.wait_exit()
    print(time.monotonic() - t)
    assert told.is_decided_by(cluster)
    print(time.monotonic() - t)
