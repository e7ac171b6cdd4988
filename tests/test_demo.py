"""The demo without a broker: the same fold in process, what it leaves behind, and what it refuses."""

import base64
import fcntl
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from schemas import topics
from schemas.errors import AuditError
from schemas.instant import parse
from schemas.policy import PolicyBook
from streams.demo.history import read_history
from streams.demo.view import View
from streams.generate import Settings, generate
from streams.policies.load import load_book, shipped_book_dir
from streams.replay.files import read_lines

ROOT = Path(__file__).parents[1]
SMALL = Settings(accounts=40, days=25, near=0.8)
"""Past the deadlines of those who are told when the first phases begin."""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return the file of a small population."""
    file = tmp_path_factory.mktemp("small") / "small.jsonl"
    file.write_bytes(b"".join(generate(SMALL)))
    return file


def demo(*arguments, expect=0, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "demo", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


DECISION = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d  (\w+:\S+) +(\S.*)$", re.MULTILINE)


def commands_of(screen):
    """Return the commands that a screen ends with, as one would paste them."""
    _, _, told = screen.partition("What to type next")
    told = re.sub(r"\\\n *|(?<=\|)\n *", " ", told)
    return [line for line in told.splitlines()[1:] if line and not line.startswith("#")]


def run_in_a_shell(command):
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


# The screen, and what is left behind ------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_process(small, tmp_path_factory):
    """Return the directory that a demo in process left behind, and its screen."""
    directory = tmp_path_factory.mktemp("demo")
    (directory / "inputs.jsonl").write_text("of the last run")
    return directory, demo("--in-process", "--data", small, "--out", directory, "--seconds", "0.1")


def test_in_process_it_says_so_and_shows_the_decisions_of_the_fold(in_process):
    directory, screen = in_process
    assert "the same fold decides in this process" in screen
    shown = DECISION.findall(screen)
    restricted = [account for account, what in shown if what.startswith("RESTRICTED")]
    written = [json.loads(line) for line in (directory / "restrictions.jsonl").read_bytes().splitlines()]
    imposed = [one for one in written if one["type"] == "restriction-imposed"]
    assert restricted
    assert sorted(restricted) == sorted(f"{one['platform']}:{one['account_id']}" for one in imposed)


def test_every_line_fits_80_columns_and_has_no_colour_where_nobody_looks(in_process):
    _, screen = in_process
    assert "\x1b" not in screen
    for line in screen.partition("What to type next")[0].splitlines():
        assert len(line.rstrip()) <= 80, line


def test_what_it_says_to_type_next_works_and_agrees(in_process):
    directory, screen = in_process
    verify, explain, replay, compare = commands_of(screen)
    assert "not checked" not in run_in_a_shell(verify)
    assert "Restricted" in run_in_a_shell(explain)
    run_in_a_shell(replay)
    assert "identical" in run_in_a_shell(compare)
    for topic in topics.OUTPUTS:
        again = sorted((directory / "replayed" / f"{topic}.jsonl").read_bytes().splitlines())
        assert again == (directory / f"{topic}.jsonl").read_bytes().splitlines()


def test_what_was_left_behind_can_be_played_again(in_process):
    directory, _ = in_process
    before = (directory / "restrictions.jsonl").read_bytes()
    inputs = directory / "inputs.jsonl"
    demo("--in-process", "--data", inputs, "--out", directory, "--seconds", "0.1")
    assert (directory / "restrictions.jsonl").read_bytes() == before


def test_the_summary_counts_what_was_left_behind(in_process):
    directory, screen = in_process
    lines = list(read_lines([directory / "inputs.jsonl"]))
    rows = dict(re.findall(r"^([a-z -]+[a-z]) +([\d,]+)\b", screen, re.MULTILINE))
    assert rows["counts"] == f"{sum(line.topic == topics.COUNTS for line in lines):,}"
    assert rows["facts"] == f"{sum(line.topic == topics.FACTS for line in lines):,}"
    for topic in topics.OUTPUTS:
        for line in (directory / f"{topic}.jsonl").read_bytes().splitlines():
            assert json.loads(line)["type"] in rows


def test_without_java_and_maven_it_runs_in_process_and_says_what_is_missing(small, tmp_path):
    nothing = {"PATH": str(tmp_path), "JAVA_HOME": "", "NAMEPLATE_CACHE": str(tmp_path / "cache")}
    screen = demo("--data", small, "--out", tmp_path / "out", "--seconds", "0.1", **nothing)
    assert re.search(r"A local Kafka needs Java 17|Maven \(mvn\) is not on PATH", screen)
    assert "the same fold decides in this process" in screen
    assert DECISION.search(screen)


# What is published -----------------------------------------------------------------------------------


def count(event_id, at, account="acc-a"):
    value = {"event_id": event_id, "platform": "weibo", "account_id": account, "followers": 1}
    return {"topic": topics.COUNTS, "value": {**value, "observed_at": at}}


def fact(event_id, at, account="acc-a"):
    value = {"event_id": event_id, "platform": "weibo", "account_id": account}
    value |= {"type": "name-display-changed", "displayed": True, "occurred_at": at}
    return {"topic": topics.FACTS, "value": value}


def history_of(tmp_path, *files):
    paths = []
    for number, lines in enumerate(files):
        path = tmp_path / f"{number}.jsonl.gz"
        path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
        paths.append(path)
    return read_history(paths, tmp_path / "inputs.jsonl", book().policies)


def book() -> PolicyBook:
    return load_book(shipped_book_dir())


def test_lines_of_several_files_are_put_into_the_order_in_which_a_worker_merges_them(tmp_path):
    first = [count("c1", "2023-11-01T00:00:00Z"), count("c2", "2023-11-03T00:00:00Z")]
    second = [fact("f1", "2023-11-03T00:00:00Z"), count("c3", "2023-11-02T00:00:00Z", "acc-b")]
    history = history_of(tmp_path, first, second)
    assert [json.loads(line.value)["event_id"] for line in history.lines] == ["c1", "c3", "f1", "c2"]
    assert (history.begins, history.until) == (parse("2023-11-01T00:00:00Z"), parse("2023-11-03T00:00:00Z"))
    assert (history.accounts, history.platforms) == (2, 1)


def test_what_cannot_be_read_stays_behind_what_was_before_it_and_keeps_its_bytes(tmp_path):
    raw = base64.b64encode(b'{"followers":\nNaN}').decode()
    unreadable = [
        {"topic": topics.COUNTS, "key": "weibo:acc-a", "raw_base64": raw},
        {"topic": topics.COUNTS, "key": "weibo:acc-a", "value": None},
        {"topic": topics.COUNTS, "key": None, "value": {"followers": 1000000.0}},
    ]
    lines = [
        count("c1", "2023-11-02T00:00:00Z"), *unreadable[:2], count("c2", "2023-11-01T00:00:00Z"), unreadable[2]
    ]  # fmt: skip
    history = history_of(tmp_path, lines)
    again = list(read_lines([tmp_path / "inputs.jsonl"]))
    assert [(one.topic, one.key, one.value) for one in again] == [
        (one.topic, one.key, one.value) for one in history.lines
    ]
    values = [one.value for one in again]
    at = next(place for place, value in enumerate(values) if value and b'"c1"' in value)
    assert values[at + 1 : at + 3] == [b'{"followers":\nNaN}', None]
    assert b'{"followers": 1000000.0}' in values


# What is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rare", ["clock", "policy-book"])
def test_files_that_move_the_time_or_the_book_themselves_are_refused(tmp_path, rare):
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps({"topic": rare, "value": {}}) + "\n")
    said = demo("--data", file, "--in-process", "--out", tmp_path / "out", expect=2)
    assert f"lines of {rare}" in said
    assert "nameplate replay" in said


def test_files_without_anything_to_decide_are_refused(tmp_path):
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps({"topic": topics.COUNTS, "value": {}}) + "\n")
    said = demo("--data", file, "--in-process", "--out", tmp_path / "out", expect=2)
    assert "No line of --data can be read" in said


def test_one_record_is_a_history_too(tmp_path):
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps(count("c1", "2023-11-01T00:00:00Z")) + "\n")
    screen = demo("--data", file, "--in-process", "--out", tmp_path / "out")
    assert len(commands_of(screen)) == 3, "there is no account to explain"


def test_a_missing_file_a_broker_that_is_not_there_and_a_contradiction_are_refused(tmp_path, small):
    out = ("--out", tmp_path / "out")
    assert "cannot be read" in demo("--data", tmp_path / "none", "--in-process", *out, expect=2)
    said = demo("--bootstrap", "127.0.0.1:1", "--data", small, *out, expect=2)
    assert "No Kafka broker answers at 127.0.0.1:1" in said
    assert "may still be" not in said
    assert "Leave one of them out" in demo("--bootstrap", "127.0.0.1:1", "--in-process", *out, expect=2)


def test_two_demos_do_not_meet_in_one_directory(tmp_path, small):
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = demo("--in-process", "--data", small, "--out", tmp_path, expect=2)
    assert "Another demo runs" in said
    (tmp_path / "file").touch()
    assert "cannot be written" in demo("--in-process", "--out", tmp_path / "file" / "out", expect=2)


# The view --------------------------------------------------------------------------------------------


def output(seq, at="2023-11-01T00:00:00Z", partition=0):
    said = {"seq": seq, "partition": partition, "type": "grace-reminder", "days_left": 1, "decided_at": at}
    said |= {"platform": "weibo", "account_id": f"acc-{partition}-{seq}", "deadline_at": at}
    return topics.GRACE, json.dumps(said).encode()


@pytest.fixture
def view():
    return View(Console(quiet=True))


def test_the_view_sees_each_output_once(view):
    view.take([output(0), output(1)])
    view.take([output(0), output(1), output(2)])
    assert view.seen[topics.GRACE] == [output(seq)[1] for seq in range(3)]
    assert view.types["grace-reminder"] == 3


def test_the_view_shows_partitions_by_their_time_and_each_in_its_order(view):
    early, late = "2023-11-01T00:00:00Z", "2023-11-01T00:00:00.5Z"  # as texts the other way round
    view.take(
        [output(0, early), output(1, late), output(0, early, partition=1), output(1, early, partition=1)]
    )
    assert view.seen[topics.GRACE][-1] == output(1, late)[1]


def test_the_view_does_not_pass_over_a_gap(view):
    view.take([output(0)])
    with pytest.raises(AuditError, match="grace-periods, partition 0: 1 is missing before 2"):
        view.take([output(2)])
