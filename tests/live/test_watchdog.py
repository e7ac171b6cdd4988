"""A worker that stands still says what it waits for and ends; one that has nothing to do, or had to wait, lives on."""

import signal
import subprocess
import sys
import time

import pytest
from evidence import Told, unread
from harness import ROOT, Cluster, eventually
from stories import UNTIL

from schemas import topics
from streams.live.watchdog import Patience

PARTITIONS = 3
HISTORY = ("--time", "records", "--until", UNTIL)
SESSION_S = 2
PERIOD_S = 4
AT_ONCE = ("--watchdog", PERIOD_S)
broker_needed = pytest.mark.broker


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield it
    it.close()


# Patience ----------------------------------------------------------------------------------------


def looks(patience, *states):
    """Return what is overdue after the last of several looks."""
    return [patience.look(state) for state in states][-1]


def test_what_does_not_move_is_overdue_after_all_looks_and_no_earlier():
    patience = Patience(3)
    assert looks(patience, *[{"a": 1}] * 3) == []
    assert patience.look({"a": 1}) == ["a"]
    assert looks(patience, *[{"a": 1}] * 3) == []  # then it begins anew


def test_what_moves_or_goes_away_in_between_is_not_overdue():
    patience = Patience(3)
    assert looks(patience, *[{"a": 1, "b": 1, "c": None}] * 3) == []
    assert looks(patience, {"a": 2, "c": None}) == ["c"]
    assert looks(patience, *[{"a": 2, "b": 1}] * 2) == []
    assert patience.look({"a": 2, "b": 1}) == ["a"]


# Workers that cannot go on -----------------------------------------------------------------------


@broker_needed
@pytest.mark.parametrize(
    ("place", "what", "waits_for"),
    [
        ("append.before:20:hang", "partition ", "it waits for the acknowledgement of a journal entry"),
        ("append.after:1:hang", "partition ", "it waits for the acknowledgement of a journal entry"),
        ("rows.after:10:hang", "partition ", "it waits for the acknowledgement of rows of the table"),
        ("deliver.before:2:hang", " of partition ", "it waits for the transport to deliver it, and "),
    ],
)
def test_a_worker_that_hangs_says_where_and_ends_and_another_one_goes_on(cluster, place, what, waits_for):
    told = Told(cluster, UNTIL)
    told.publish(cluster)
    worker = cluster.worker(*HISTORY, *AT_ONCE, failpoint=place, session=SESSION_S)
    worker.wait_exit(2)
    assert any(unread(cluster).values())
    said, *_ = (line for line in worker.log.splitlines() if " CRITICAL streams.live.watchdog " in line)
    assert what in said
    assert f" made no progress for {PERIOD_S} s: {waits_for}" in said
    assert "whoever owns the partitions next goes on from the journal. Look at it with" in worker.log
    cluster.worker(*HISTORY, "--stop-at-end", session=SESSION_S).wait_exit()
    assert told.is_decided_by(cluster)


BLOCKED = """
import asyncio, sys, time
from streams.live.watchdog import Watchdog

async def main():
    watching = asyncio.create_task(Watchdog(lambda: (), lambda: None, 0.4).run())
    await asyncio.sleep(0.1)
    time.sleep(60)

asyncio.run(main())
"""


def test_an_event_loop_that_stands_still_ends_the_process_and_shows_where():
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert "the event loop has stood still for 2 s" in done.stderr
    assert 'File "<string>", line 8 in main' in done.stderr


# Workers that have to wait -----------------------------------------------------------------------


def ticks(cluster):
    return min(map(len, cluster.read(topics.CLOCK).values()))


def lives_on(cluster, worker, seconds=3):
    """Wait until so many seconds have gone, by the ticks."""
    before = ticks(cluster)
    eventually(lambda: ticks(cluster) >= before + seconds, "it goes on")
    return worker.process.poll() is None


@broker_needed
def test_a_worker_lives_on_while_it_is_idle_while_there_is_no_book_and_after_it_stood_still(cluster):
    worker = cluster.worker("--watchdog", 1, session=10)
    worker.wait_owned(*range(PARTITIONS))
    assert lives_on(cluster, worker)
    told = Told(cluster, UNTIL, records=300)
    cluster.publish_file(told.file)
    assert lives_on(cluster, worker)
    assert any(unread(cluster).values())  # nothing is taken without a book
    worker.send(signal.SIGSTOP)
    time.sleep(2)  # longer than its patience: standing still is what is tried here
    worker.send(signal.SIGCONT)
    assert lives_on(cluster, worker)
    cluster.publish_book(told.book)
    eventually(lambda: not any(unread(cluster).values()), "all is taken")
    worker.send(signal.SIGTERM)
    worker.wait_exit()
    assert "watchdog" not in worker.log


@broker_needed
def test_a_worker_lives_on_at_the_end_of_a_history(cluster):
    """What comes later is delivered to it and never taken: it has no ticks, and nothing of it moves."""
    told = Told(cluster, UNTIL, records=100)
    told.publish(cluster)
    worker = cluster.worker(*HISTORY, "--watchdog", 1, session=SESSION_S)
    eventually(lambda: not any(unread(cluster).values()), "all is taken")
    time.sleep(2)  # that nothing happens is what is tried here
    cluster.publish_file(told.file)
    time.sleep(2)
    worker.send(signal.SIGTERM)
    worker.wait_exit()
    assert "watchdog" not in worker.log


@broker_needed
def test_a_worker_lives_on_while_another_one_owns_everything(cluster):
    """More workers than partitions: one of them has nothing to do, and waits for others to go."""
    workers = [cluster.worker("--watchdog", 6, session=SESSION_S) for _ in range(PARTITIONS + 1)]
    eventually(
        lambda: set.union(*(one.owned() for one in workers)) == set(range(PARTITIONS)), "all are owned"
    )
    assert lives_on(cluster, workers[0], 15)
    assert not any(one.process.poll() for one in workers)
    assert not any("watchdog" in one.log for one in workers)
