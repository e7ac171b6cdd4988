"""Commands on a terminal, in a pipe and interrupted: progress, colour, width, names of JSON, the log."""

import json
import logging
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import golden
import pytest
import typer
from command import run

from schemas.errors import AuditError, InvariantBroken, StreamsError
from streams.cli import logs
from streams.cli.app import app
from streams.cli.screen import wrapped

ROOT = Path(__file__).parents[1]
NAMEPLATE = [sys.executable, "-m", "streams.cli"]
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """Counts of one account, a day each."""
    path = tmp_path / "counts.jsonl"
    value = {"platform": "bilibili", "account_id": "acct-7f3a"}
    with path.open("w") as lines:
        for day in range(1, 29):
            more = {
                "event_id": f"c{day}",
                "followers": 1_200_000 + day,
                "observed_at": f"2023-11-{day:02}T00:00:00Z",
            }
            lines.write(json.dumps({"topic": "follower-counts", "value": value | more}) + "\n")
    return path


@pytest.fixture
def journal(counts: Path, tmp_path: Path) -> Path:
    assert run("replay", counts, "--out", tmp_path / "out").status == 0
    return tmp_path / "out" / "journal.jsonl"


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NAMEPLATE_")}
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        kept.pop(name, None)
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **more}


def on_a_terminal(*arguments: object, columns: int = 80, **variables: str) -> str:
    """Run a command on a terminal and return all that was drawn there."""
    ours, theirs = pty.openpty()
    call = [*NAMEPLATE, *map(str, arguments)]
    more = environment(COLUMNS=str(columns), **variables)
    with subprocess.Popen(call, stdin=theirs, stdout=theirs, stderr=theirs, env=more) as process:
        os.close(theirs)
        drawn = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says so when nobody has the terminal open any more
                break
            if not part:
                break
            drawn += part
    os.close(ours)
    assert process.returncode == 0, drawn.decode()
    return drawn.decode().replace("\r\n", "\n")


# Progress --------------------------------------------------------------------------------------------


def test_long_work_shows_how_far_how_fast_and_how_long_and_leaves_only_the_result(counts: Path) -> None:
    drawn = on_a_terminal("replay", counts)
    assert "deciding" in drawn
    assert re.search(r"deciding.* \d+%.*(B/s)?.* left", drawn)
    words = ANSI.sub("", drawn.rpartition("left")[2])
    assert words.split()[:2] == ["topic", "records"]


def test_the_same_work_shows_nothing_in_a_pipe(counts: Path, journal: Path) -> None:
    for arguments in (("replay", counts), ("verify", journal, "--inputs", counts)):
        assert run(*arguments).err == ""


# Width and colour ------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [80, 200])
def test_no_list_is_wider_than_the_terminal_and_colour_says_nothing(columns: int, journal: Path) -> None:
    calls = [
        ("verify", journal),
        ("explain", "bilibili:acct-7f3a", "--journal", journal),
        ("policy", "show", "weibo", "--at", "2024-01-01T00:00:00Z"),
    ]
    for call in calls:
        coloured = on_a_terminal(*call, columns=columns)
        plain = on_a_terminal(*call, columns=columns, NO_COLOR="1")
        result = ANSI.sub("", coloured.rpartition("\x1b[?25h")[2])
        assert max(map(len, result.splitlines())) <= columns, call
        assert not re.search(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7])m", plain), call
        assert ANSI.sub("", plain.rpartition("\x1b[?25h")[2]) == result


def test_a_hash_is_never_folded(journal: Path) -> None:
    for drawn in (on_a_terminal("verify", journal), run("verify", journal).out):
        assert re.search(r"\b[0-9a-f]{64}\b", ANSI.sub("", drawn))


def test_a_pipe_gets_a_row_in_a_line(journal: Path) -> None:
    lines = run("verify", journal).out.splitlines()
    assert len(lines) == 2, lines
    names, row = lines
    assert names.split() == ["partition", "entries", "decisions", "input", "records", "last", "hash"]
    assert len(row) > 80


def test_a_command_in_an_error_is_never_broken() -> None:
    said = "Too long for one line of this width, so mend it with `nameplate topics apply --prefix own.` and go on."
    for width in range(10, 120):
        lines = wrapped(said, width)
        assert " ".join(lines) == said
        assert any("`nameplate topics apply --prefix own.`" in line for line in lines)


def test_an_account_is_no_emoji(journal: Path) -> None:
    said = run("explain", "myspace:cat", "--journal", journal).err
    assert said.startswith("myspace:cat: the policy book has no platform")


# Help ------------------------------------------------------------------------------------------------


def commands(group: Any, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *names, name)


@pytest.mark.parametrize("names", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_the_help_of_every_command_fits_and_is_whole(names: tuple[str, ...]) -> None:
    said = run(*names, "--help")
    assert said.status == 0
    assert max(map(len, said.out.splitlines())) <= 80
    # a sentence that was too long for its line in a list of commands would end in points
    assert "...\n" not in said.out.partition("Commands:")[2]
    options = said.out.partition("Options:")[2]
    for raw in ("<str>", "<int>", "<path>", "<float>", "range>"):
        assert raw not in options, f"{raw} says nothing: give it a metavar"


# JSON ------------------------------------------------------------------------------------------------


def names_of(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every name in a document."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}.{name}".lstrip(".")
            yield from names_of(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from names_of(inner, f"{path}[]")


def test_the_names_of_json_are_stable(counts: Path, journal: Path) -> None:
    calls = {
        "replay FILE": ("replay", counts),
        "verify JOURNAL": ("verify", journal),
        "verify JOURNAL --inputs FILE": ("verify", journal, "--inputs", counts),
        "explain ACCOUNT --journal JOURNAL": ("explain", "bilibili:acct-7f3a", "--journal", journal),
        "policy show PLATFORM": ("policy", "show", "weibo", "--at", "2024-01-01T00:00:00Z"),
        "broker status": ("broker", "status", "--data", journal.parent),
        "doctor": ("doctor", "--bootstrap", "127.0.0.1:1"),
    }
    said = []
    for name, call in calls.items():
        found = names_of(json.loads(run(*call, "--format", "json").out))
        said.append("\n".join([f"$ nameplate {name} --format json", *dict.fromkeys(found)]))
    golden.hold("json-names", "\n\n".join(said) + "\n")


def test_json_says_null_for_nothing(journal: Path, tmp_path: Path) -> None:
    (row,) = json.loads(run("verify", journal, "--format", "json").out)
    assert row["input_records"] is None
    (row,) = json.loads(run("broker", "status", "--data", tmp_path, "--format", "json").out)
    assert row == {"status": "down", "bootstrap": None, "pid": None}


# Ends ------------------------------------------------------------------------------------------------


def test_a_closed_pipe_is_the_end_and_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*NAMEPLATE, "policy", "show", "weibo"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=environment(),
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_ctrl_c_ends_a_command_without_a_traceback(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.jsonl")
    call = [*NAMEPLATE, "replay", str(tmp_path / "endless.jsonl")]
    with (
        subprocess.Popen(call, stderr=subprocess.PIPE, env=environment(), text=True) as process,
        (tmp_path / "endless.jsonl").open("w") as lines,  # it is open once the command reads
    ):
        lines.write("\n")
        lines.flush()
        process.send_signal(signal.SIGINT)
        lines.close()  # a read that began just after the signal came would wait for more
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "Interrupted.\n")


def test_a_mistake_of_our_own_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, counts: Path) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("streams.replay.crew.replay", broken)
    ended = run("replay", counts)
    assert ended.status == 70
    assert "Traceback" in ended.err
    assert "ZeroDivisionError: planted" in ended.err
    assert ended.err.endswith(
        "This is a mistake of Nameplate's own. Please report it with the lines above.\n"
    )


def test_a_full_disk_is_said_and_no_traceback(monkeypatch: pytest.MonkeyPatch, counts: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("streams.replay.crew.replay", full)
    ended = run("replay", counts)
    assert ended.status == 2
    assert ended.err.startswith("No space left on device. The system refused it:")


# The log ---------------------------------------------------------------------------------------------


@pytest.fixture
def worker_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[], str]]:
    monkeypatch.delenv("NAMEPLATE_LOG", raising=False)
    loggers = [logging.getLogger(name) for name in ("", "aiokafka", "faust", "mode")]
    before = [logger.level for logger in loggers]
    logs.begin_worker()
    yield lambda: capsys.readouterr().err
    logs.begin("CRITICAL")
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def test_a_stop_is_said_at_the_end_and_a_crash_of_our_own_keeps_its_traceback(
    worker_log: Callable[[], str],
) -> None:
    log = logging.getLogger("mode.services")
    for error in (AuditError("stopped"), InvariantBroken("broken")):
        try:
            raise error
        except StreamsError:
            log.exception("Crashed reason=%r", error)
    said = worker_log()
    assert "stopped" not in said
    assert "Traceback" in said
    assert "InvariantBroken: broken" in said


def test_what_a_library_repeats_is_said_once_in_a_while(worker_log: Callable[[], str]) -> None:
    log = logging.getLogger("aiokafka")
    for seconds in (0, 1, 2, 11):
        record = log.makeRecord("aiokafka", logging.ERROR, "", 0, "no node %s", (1,), None)
        record.created = 1_000_000_000.0 + seconds
        log.handle(record)
    said = worker_log()
    assert [line.partition("aiokafka ")[2] for line in said.splitlines()] == [
        "no node 1",
        "no node 1 (and 2 times more since)",
    ]
