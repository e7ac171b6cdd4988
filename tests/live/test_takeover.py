"""Workers killed at every place of the step and of the recovery; whoever takes over, the outputs are the replay's."""

import signal
from datetime import UTC, datetime, timedelta

import pytest
from evidence import Told, accepted, check_journal, dump_inputs, unread
from harness import Cluster, eventually
from stories import UNTIL, history, lines_of, write_book

pytestmark = pytest.mark.broker

PARTITIONS = 3
HISTORY = ("--time", "records", "--until", UNTIL)
SESSION_S = 2

IN_TURN = (
    "append.before:15",
    "append.after:15",
    "publish.after:1",  # in the recovery: what the one before had journaled and not published
    "append.after:1",  # in the recovery: the takeover itself
    "append.before:1",
    "publish.after:15",
    "rows.after:15",
    "head.after:1",  # in the recovery
    "head.after:15",
)
AT_ONCE = ("append.before:10", "append.after:10", "publish.after:8", "rows.after:8", "head.after:8")
"""Early, so that each leaves input unread to the one after it."""


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield it
    it.close()


def died(worker, place, cluster):
    """Wait for the death of a worker, and return what was unread then of the partitions that it had owned."""
    worker.wait_exit(-9)
    left, owned = unread(cluster), worker.owned()
    print(f"{place}: owned {sorted(owned)}, unread by partition: {left}")
    return sum(left[number] for number in owned) if owned else sum(left.values())


def test_a_worker_killed_at_every_place_and_started_again_decides_as_the_replay_does(cluster):
    told = Told(cluster, UNTIL)
    told.publish(cluster)
    for place in IN_TURN:
        worker = cluster.worker(*HISTORY, "--stop-at-end", failpoint=place, session=SESSION_S)
        assert died(worker, place, cluster)
    cluster.worker(*HISTORY, "--stop-at-end", session=SESSION_S).wait_exit()
    assert not any(unread(cluster).values())
    assert told.is_decided_by(cluster)


def test_workers_already_in_the_group_take_over_from_those_that_are_killed(cluster):
    """They are in the group before the history is there; one more that joins then makes all of them look at it."""
    told = Told(cluster, UNTIL)
    workers = [cluster.worker("--time", "records", failpoint=place, session=SESSION_S) for place in AT_ONCE]
    eventually(
        lambda: set.union(*(worker.owned() for worker in workers)) == set(range(PARTITIONS)), "all are owned"
    )
    told.publish(cluster)
    last = cluster.worker(*HISTORY, session=SESSION_S)
    left = [died(worker, place, cluster) for place, worker in zip(AT_ONCE, workers, strict=True)]
    assert sum(map(bool, left)) > len(left) / 2  # one that waits long for its turn may die at the very end
    eventually(
        lambda: all(entries[-1].content.T == UNTIL for entries in accepted(cluster).values()), "the end"
    )
    last.send(signal.SIGTERM)
    last.wait_exit()
    assert told.is_decided_by(cluster)


def test_in_wall_time_another_worker_takes_over_and_publishes_what_was_journaled(cluster):
    """The records go on arriving while nobody owns the partitions of the one who was killed."""
    cluster.publish_book(write_book(cluster.directory / "book"))
    one = cluster.worker(failpoint="append.after:12", session=SESSION_S)
    other = cluster.worker(session=SESSION_S)
    eventually(lambda: one.owned() and other.owned(), "both own something")
    lines = lines_of(history(records=400, days=20, start=datetime.now(UTC) - timedelta(days=20)))
    while one.process.poll() is None:
        assert lines, "it survived everything"
        cluster.publish_lines(lines[:20])
        lines = lines[20:]
        eventually(lambda: one.process.poll() is not None or not any(unread(cluster).values()), "it is read")
    cluster.publish_lines(lines)
    assert died(one, "append.after:12", cluster)
    eventually(lambda: not any(unread(cluster).values()), "everything is read")
    other.send(signal.SIGTERM)
    other.wait_exit()
    assert all(map(len, cluster.outputs()["disclosure-required"].values()))
    check_journal(cluster, dump_inputs(cluster))
