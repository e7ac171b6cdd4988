"""A worker keeps nothing on disk: containers run it with a file system that is read-only, and no temporary one."""

import os
import resource
import subprocess
import sys

import pytest
from evidence import Told
from harness import PATIENCE_S, ROOT, Cluster
from stories import UNTIL

pytestmark = pytest.mark.broker


def forbid_writing():
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # pipes and sockets are no files


def test_a_worker_writes_no_file(broker, prefix, tmp_path):
    cluster = Cluster(broker.bootstrap, prefix, tmp_path, partitions=2)
    told = Told(cluster, UNTIL)
    told.publish(cluster)
    empty = tmp_path / "empty"
    empty.mkdir()
    places = dict.fromkeys(("HOME", "TMPDIR"), str(empty))
    worker = subprocess.Popen(
        [
            sys.executable,
            "-B",
            "-m",
            "streams.cli",
            "worker",
            "--time",
            "records",
            "--until",
            UNTIL,
            "--stop-at-end",
        ],
        cwd=empty,
        env=os.environ
        | places
        | {"PYTHONPATH": str(ROOT), "NAMEPLATE_BOOTSTRAP": cluster.bootstrap, "NAMEPLATE_PREFIX": prefix},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=forbid_writing,  # noqa: PLW1509 - there are no other threads
    )
    try:
        said, _ = worker.communicate(timeout=PATIENCE_S)
    finally:
        worker.kill()
    assert worker.returncode == 0, said.decode()
    assert list(empty.iterdir()) == []
    assert told.is_decided_by(cluster)
