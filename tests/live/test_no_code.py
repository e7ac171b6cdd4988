"""What a sender writes is never run, and nobody can come in from outside: no pickle, no web server, no port at all."""

import base64
import pickle
import signal
from pathlib import Path

import pytest
from faust.serializers import codecs
from harness import Cluster, eventually

from schemas import topics
from streams.live import app
from streams.policies.load import shipped_book_dir
from streams.replay.files import Line

LISTENS = "0A"
"""The state of a TCP socket that takes connections, as /proc/net/tcp writes it."""


class Runs:
    """Makes a file as soon as it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_the_payload_would_run(tmp_path):
    pickle.loads(pickle.dumps(Runs(tmp_path / "ran")))  # noqa: S301 - our own
    assert (tmp_path / "ran").exists()


def test_faust_has_no_codec_that_runs_what_it_reads(tmp_path):
    assert set(codecs.codecs) == {"raw", "binary", "json"}
    payload = base64.b64encode(pickle.dumps(Runs(tmp_path / "ran")))
    for name in ("pickle", "pickle_restricted", "pickle_fickling", "yaml"):
        with pytest.raises(KeyError):
            codecs.loads(name, payload)
    assert not (tmp_path / "ran").exists()
    assert app.create_app("g", "127.0.0.1:1").conf.web_enabled is False


def ports(pid):
    """Return the TCP ports on which a process listens."""
    sockets = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(handle.readlink()))
        except FileNotFoundError:
            continue  # closed since
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/{pid}/net/{table}").read_text("ascii").splitlines()[1:]
    ]
    return {
        int(row[1].rpartition(":")[2], 16)
        for row in rows
        if row[3] == LISTENS and f"socket:[{row[9]}]" in sockets
    }


@pytest.mark.broker
def test_a_pickle_in_any_topic_does_nothing_and_nothing_listens(broker, prefix, tmp_path):
    cluster = Cluster(broker.bootstrap, prefix, tmp_path, partitions=1)
    ran = tmp_path / "ran"
    raw = pickle.dumps(Runs(ran))
    forms = (raw, base64.b64encode(raw), pickle.dumps(Runs(ran), protocol=0))
    cluster.publish_book(shipped_book_dir())
    cluster.publish_lines(
        [
            Line("a test", 1, topic, form, key, 0)
            for topic in (*topics.INPUTS, topics.STATUS, topics.JOURNAL)
            for form in forms
            for key in ((form,) if topic == topics.STATUS else (form, None))
        ]
    )
    try:
        worker = cluster.worker()
        worker.wait_owned(0)
        eventually(cluster.has_journaled_all, f"all is journaled:\n{worker.log[-2000:]}")
        assert ports(worker.process.pid) == set()
        worker.send(signal.SIGTERM)
        worker.wait_exit()
        with_metrics = cluster.worker("--metrics-port", "0")
        with_metrics.wait_owned(0)
        assert len(ports(with_metrics.process.pid)) == 1  # so one that listens is seen
    finally:
        cluster.close()
    letters = cluster.records(topics.DEAD_LETTERS)
    assert len(letters) >= len((topics.COUNTS, topics.FACTS)) * len(forms) * 2
    assert not ran.exists()
