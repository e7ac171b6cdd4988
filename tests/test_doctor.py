"""What the doctor finds where no broker is, or something else; with a broker: tests/live/test_commands.py."""

import socket
from pathlib import Path

import pytest

from streams import doctor
from streams.doctor import Asked, Check, examine
from streams.live import topics


def found(bootstrap: str, data_dir: Path) -> dict[str, Check]:
    return {check.check: check for check in examine(Asked(bootstrap, "nameplate.", data_dir))}


def test_a_port_that_another_program_has_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "REQUEST_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        checks = found(f"127.0.0.1:{port}", tmp_path)
    assert checks["port"].status == "wrong"
    assert checks["port"].found == f"{port} is taken by another program"
    assert "`nameplate broker up --port N`" in str(checks["port"].remedy)
    assert checks["broker"].found == "no answer: who listens there does not speak like a Kafka"


def test_of_another_machine_nothing_is_asked_that_only_a_local_broker_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("NAMEPLATE_CACHE", str(tmp_path))
    checks = found("broker.invalid:9092", tmp_path)
    assert {name for name, check in checks.items() if check.status == "wrong"} == {"broker"}
    assert {checks[name].status for name in ("java", "maven", "disk", "port")} == {"note"}
    assert "can be reached from here" in str(checks["broker"].remedy)


def test_a_full_disk_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE_BYTES", 1 << 60)
    checks = found("127.0.0.1:1", tmp_path / "not" / "there" / "yet")
    assert checks["disk"].status == "wrong"
    assert checks["disk"].found.endswith(f" GiB free at {tmp_path}")


def test_only_what_can_be_mended_has_a_remedy(tmp_path: Path) -> None:
    for check in examine(Asked("127.0.0.1:1", "nameplate.", tmp_path)):
        assert (check.remedy is not None) == (check.status == "wrong"), check
