"""An owner that stood still past its session wakes up after a takeover: nothing of it is accepted any more."""

import signal
from pathlib import Path

import pytest
from evidence import Told, accepted, judged, unread
from harness import Cluster, eventually
from stories import UNTIL

pytestmark = pytest.mark.broker

PARTITIONS = 3
HISTORY = ("--time", "records", "--until", UNTIL)
SESSION_S = 2
JOINED = "the group gives us the partitions"


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield it
    it.close()


def stands_still(worker):
    return Path(f"/proc/{worker.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "T"


def writers(cluster):
    return {one.envelope.writer for entries in accepted(cluster).values() for one in entries}


def is_at_end(cluster):
    return all(entries[-1].content.T == UNTIL for entries in accepted(cluster).values())


def intrusions(log):
    """Return the takeovers after a void entry for which the group had not given the partition anew."""
    found, is_void = [], False
    for line in log.splitlines():
        if " is void: " in line:
            is_void = True
        elif JOINED in line:
            is_void = False
        elif is_void and " is ours from entry " in line:
            found.append(line)
    return found


@pytest.mark.parametrize(
    ("place", "waits_for_the_end"),
    [("append.before:40:stop", False), ("append.before:20:stop", True), ("append.after:40:stop", False)],
)
def test_an_owner_that_wakes_up_after_a_takeover_gets_no_entry_accepted(cluster, place, waits_for_the_end):
    told = Told(cluster, UNTIL)
    told.publish(cluster)
    sleeper = cluster.worker(*HISTORY, failpoint=place, session=SESSION_S)
    eventually(lambda: stands_still(sleeper), "the owner stands still")
    (asleep,) = writers(cluster)
    left = unread(cluster)
    print(f"{place}: unread by partition: {left}")
    assert any(left.values())
    other = cluster.worker(*HISTORY, session=SESSION_S)
    other.wait_owned(*range(PARTITIONS))
    if waits_for_the_end:  # then nobody else appends, and a takeover of the sleeper would be accepted
        eventually(lambda: is_at_end(cluster), "the end")
    sleeper.send(signal.SIGCONT)
    eventually(lambda: " is void: " in sleeper.log, "the sleeper learns that its entry is void")
    eventually(lambda: sleeper.log.count(JOINED) > 1, "the sleeper joins the group again")
    eventually(lambda: is_at_end(cluster), "the end")
    void = [one for entries in judged(cluster).values() for one in entries if not one.is_accepted]
    assert void
    assert {one.envelope.writer for one in void} == {asleep}
    assert {one.envelope.epoch for one in void} == {1}  # it asks the group before it tries to take over
    assert not intrusions(sleeper.log)
    for worker in (other, sleeper):
        worker.send(signal.SIGTERM)
        worker.wait_exit()
    assert told.is_decided_by(cluster)
