"""What the README says is typed here, word by word, in its order."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from streams.broker import process
from streams.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
FROM_OUTSIDE = ("make ", "docker ", ". .venv")
"""Lines that set things up, need an engine, or run this very test."""


def typed():
    """Return the README's lines for a shell, without those from outside."""
    return [[line for line in block.splitlines() if not line.startswith(FROM_OUTSIDE)] for block in BLOCKS]


def run(lines, directory):
    """Type lines into a shell that has `nameplate`; return what it printed."""
    binaries = directory / "bin"
    if not binaries.exists():
        binaries.mkdir()
        command = binaries / "nameplate"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m streams.cli "$@"\n')
        command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "100",
    }
    script = "\n".join(["set -euo pipefail", *lines])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


def is_online(lines):
    return any("broker up" in line for line in lines)


def test_the_first_steps_do_what_they_say(directory):
    said = ""
    for lines in typed():
        if not is_online(lines):
            said += run(lines, directory)
    restricted = (directory / "decided" / "restrictions.jsonl").read_text().splitlines()
    assert len(restricted) == 1
    assert "acct-7f3a" in restricted[0]
    assert "restricted" in said
    assert (directory / "population.svg").exists()


@pytest.mark.broker
def test_the_way_through_a_broker_does_what_it_says(broker, directory):
    """On a port of its own: the one that the README names may be taken on a machine with work to do."""
    shutil.copy(directory / "first.jsonl", directory / "again.jsonl")
    (lines,) = (lines for lines in typed() if is_online(lines))
    port = process.free_port("127.0.0.1", None)
    lines = [line.replace("nameplate broker up", f"nameplate broker up --port {port}") for line in lines]
    try:
        said = run([f"export NAMEPLATE_BOOTSTRAP=127.0.0.1:{port}", *lines], directory)
    finally:
        run(["nameplate broker down"], directory)
    assert "4 lines acknowledged" in said
    journal = (directory / "journal.jsonl").read_text()
    assert "restriction-imposed" in journal


def test_every_target_that_is_named_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", README))
    named |= {line.split()[1] for block in BLOCKS for line in block.splitlines() if line.startswith("make ")}
    assert named <= targets


def test_the_table_of_commands_names_every_command_and_option():
    table = README.split("## Commands")[1].split("Exit status")[0]
    rows = {
        row.split("`")[1].split()[1]: row for row in table.splitlines() if row.startswith("| `nameplate ")
    }
    commands = typer.main.get_command(app).commands
    assert set(rows) == {name for name, command in commands.items() if not command.hidden}
    for name, row in rows.items():
        known = {option for one in walk(commands[name]) for param in one.params for option in param.opts}
        assert set(re.findall(r"`(--[a-z-]+)", row)) <= known, name


def walk(command):
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from walk(inner)


def test_files_that_are_named_are_there():
    for path in re.findall(r"`((?:streams|schemas|tests|examples)/[^`*]*)`", README):
        assert (ROOT / path).exists(), path
