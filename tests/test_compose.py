"""docker-compose.yml and Dockerfile, read: no engine is needed, and none would show what a slip in them costs."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from ruamel.yaml import YAML

from streams.broker.jars import KAFKA_VERSION
from streams.cli import app as cli
from streams.live.app import STOP_S

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
COMPOSE = YAML(typ="safe").load(FILE)
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("nameplate:")}
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPLETED, HEALTHY = "service_completed_successfully", "service_healthy"


def check_against_the_specification(path):
    call = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", path]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_the_file_keeps_to_the_compose_specification():
    done = check_against_the_specification(FILE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_slip_in_the_file_would_be_seen(tmp_path):
    slip = tmp_path / "docker-compose.yml"
    slip.write_text(FILE.read_text("utf-8").replace("depends_on:", "depend_on:"), "utf-8")
    done = check_against_the_specification(slip)
    assert done.returncode == 1
    assert "services.ui: 'depend_on' does not match" in done.stdout


def test_every_image_is_pinned_by_its_version_and_names_no_host():
    for service in SERVICES.values():
        name, _, tag = service["image"].partition(":")
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), service["image"]
        assert not {".", ":"} & set(name.split("/")[0])
    for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE):
        assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", base)


def test_the_versions_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert {service["image"] for service in OURS.values()} == {f"nameplate:{project['version']}"}


def test_the_broker_is_set_as_the_one_that_the_tests_run_on():
    text = (ROOT / "streams/broker/broker.properties").read_text("utf-8")
    tested = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    said = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in SERVICES["kafka"]["environment"].items()
    }
    for name in ("auto.create.topics.enable", "message.max.bytes", "offsets.topic.replication.factor"):
        assert said[name] == tested[name]


def test_clients_are_sent_where_the_broker_can_be_found():
    said = SERVICES["kafka"]["environment"]
    inside, outside = (at.partition("://")[2] for at in said["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert {service["environment"]["NAMEPLATE_BOOTSTRAP"] for service in OURS.values()} == {inside}
    assert SERVICES["ui"]["environment"]["KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS"] == inside
    assert SERVICES["kafka"]["healthcheck"]["test"][-1] == inside
    assert inside.partition(":")[0] in SERVICES
    assert outside.partition(":")[2] == SERVICES["kafka"]["ports"][0].split(":")[-1]


def test_nothing_is_published_beyond_this_machine():
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name in OURS:
        (user,) = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
        assert service["user"] == user
        assert "0" not in user.split(":")
        assert service["read_only"] is True


def test_a_worker_is_given_the_time_to_finish_its_step():
    worker = SERVICES["worker"]
    assert worker["deploy"]["replicas"] == 2
    assert float(worker["stop_grace_period"].removesuffix("s")) > STOP_S


def test_each_service_waits_for_what_it_needs():
    waits = {
        name: {on: how["condition"] for on, how in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    assert waits == {
        "kafka": {},
        "topics": {"kafka": HEALTHY},
        "policy": {"topics": COMPLETED},
        "worker": {"policy": COMPLETED},
        "population": {"policy": COMPLETED},
        "ui": {"kafka": HEALTHY},
    }
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "population": ["demo"],
        "ui": ["ui"],
    }


def calls():
    """Yield the words of each call of our program: as the commands of services, in a shell's script, in comments."""
    for service in OURS.values():
        if "entrypoint" not in service:
            yield service["command"]
            continue
        (script,) = service["command"]
        for line in script.replace("$$", "$").splitlines():
            if line.startswith("nameplate "):
                yield shlex.split(line)[1:]
    for words in re.findall(
        r"^# .* compose run --rm --no-deps worker (.*)$", FILE.read_text("utf-8"), re.MULTILINE
    ):
        yield shlex.split(words)


@pytest.mark.parametrize("words", list(calls()), ids=" ".join)
def test_the_program_understands_how_it_is_called(words):
    command = typer.main.get_command(cli.app)
    while hasattr(command, "commands"):
        name, *words = words
        command = command.commands[name]
    command.make_context(name, words)


def test_the_image_is_built_of_what_its_context_lets_through():
    copied = {
        source
        for words in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for source in words.split()
    }
    passes = {
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
    }
    assert copied == passes
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_installs_by_hash_and_asks_no_index_afterwards():
    installs = re.findall(
        r"pip (?:--python \S+ )?(?:download|wheel|install) (?:.|\\\n)*?(?=&&|\n[A-Z]|\n\n)", DOCKERFILE
    )
    assert len(installs) == 3
    assert "--require-hashes" in installs[0]
    assert all("--no-index" in install for install in installs[1:])
