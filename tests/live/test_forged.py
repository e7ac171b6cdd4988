"""Entries that somebody else wrote into the journal, on a broker that let him: void, or the worker stops and says so.

Where rights are set (tests/live/test_guarded.py) nobody but workers can write there at all.
"""

import json
import signal

import pytest
from evidence import Told, accepted, judged
from harness import Cluster, eventually, nameplate
from stories import UNTIL

from schemas import topics
from schemas.journal import encode_entry
from schemas.wire import canonical
from streams.ledger.chain import GENESIS, judge, next_entry
from streams.replay.files import Line

pytestmark = pytest.mark.broker

HISTORY = ("--time", "records", "--until", UNTIL)
FORGER = "f0rger00f0rger00"


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, partitions=1)
    yield it
    it.close()


@pytest.fixture
def told(cluster):
    it = Told(cluster, UNTIL, records=200)
    it.publish(cluster)
    return it


def head_of(cluster):
    head = GENESIS
    for record in cluster.records(topics.JOURNAL):
        head, _ = judge(head, record.offset, record.value)
    return head


def forge(cluster, *entries):
    cluster.publish_lines([Line("a test", 1, topics.JOURNAL, entry, None, 0) for entry in entries])


def content_of(cluster):
    return json.loads(cluster.records(topics.JOURNAL)[-1].value)["content"]


def unchained(head, content):
    """Entries of every form that do not follow the last accepted one."""
    yield from (b"", b"no entry", b"\xff" * 100, b"{}", b"[" * 5000, bytes(600_000), None)
    yield encode_entry(head.n + 1, head.epoch, "0" * 64, FORGER, content)
    yield encode_entry(head.n + 2, head.epoch, head.hash, FORGER, content)
    yield encode_entry(head.n, head.epoch, head.hash, FORGER, content)
    yield encode_entry(head.n + 1, head.epoch + 2, head.hash, FORGER, content)
    yield encode_entry(head.n + 1, head.epoch - 1, head.hash, FORGER, content)


def test_what_does_not_follow_the_last_entry_is_void_under_a_worker_and_between_two(cluster, told):
    first = cluster.worker(*HISTORY, failpoint="append.before:10:stop")
    eventually(lambda: len(cluster.records(topics.JOURNAL)) >= 5, "some entries are there")
    forge(cluster, *unchained(head_of(cluster), canonical(content_of(cluster))))
    first.send(signal.SIGCONT)
    first.kill()
    forge(cluster, *unchained(head_of(cluster), b"{}"))
    cluster.worker(*HISTORY, "--stop-at-end").wait_exit()
    void = [one for one in judged(cluster)[0] if not one.is_accepted]
    assert len(void) >= 24
    assert FORGER not in {one.envelope.writer for one in accepted(cluster)[0]}
    assert told.is_decided_by(cluster)


def test_a_chained_entry_without_a_content_of_ours_stops_the_worker_and_the_auditor(cluster, told):
    cluster.worker(*HISTORY, "--stop-at-end").wait_exit()
    forge(cluster, next_entry(head_of(cluster), FORGER, b"{}"))
    after = cluster.worker(*HISTORY, "--stop-at-end")
    after.wait_exit(1)
    *_, last = after.log.splitlines()
    assert "[entry-unreadable]" in last
    assert FORGER not in accepted(cluster)[0][-2].envelope.writer
    said = nameplate("verify", "--bootstrap", cluster.bootstrap, "--prefix", cluster.prefix, expect=1)
    assert "entry" in said


def test_a_chained_entry_that_restricts_somebody_is_found_by_the_auditor(cluster, told):
    """Who may write the journal may write what a worker could; what no worker would have decided, the audit shows."""
    cluster.worker(*HISTORY, "--stop-at-end").wait_exit()
    entries = [json.loads(record.value) for record in cluster.records(topics.JOURNAL)]
    decided = next(one["content"] for one in entries if one["content"]["decisions"])
    forged = {**content_of(cluster), "runs": [], "decisions": decided["decisions"]}
    in_his_name = entries[-1]["writer"]
    forge(cluster, next_entry(head_of(cluster), in_his_name, canonical(forged)))
    said = nameplate("verify", "--bootstrap", cluster.bootstrap, "--prefix", cluster.prefix, expect=1)
    assert f"partition 0, entry n={entries[-1]['n'] + 1}: " in said
