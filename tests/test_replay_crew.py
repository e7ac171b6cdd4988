"""A replay on several cores: the bytes of one process, its errors, and no process left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.errors import OperatorError
from schemas.instant import parse
from schemas.policy import book_from_tables
from schemas.wire import canonical
from streams.generate import Settings, Tally, generate
from streams.policies.load import load_book, shipped_book_dir
from streams.replay import run as alone
from streams.replay.crew import WORTH_BYTES, processes_for, replay
from streams.replay.files import CHUNK_BYTES

ROOT = Path(__file__).parents[1]
UNTIL = parse("2024-01-10T00:00:00Z")
BOOK = load_book(shipped_book_dir())


def counted(number: int, **more: object) -> bytes:
    value = {"event_id": f"own{number}", "platform": "weibo", "account_id": f"acct-{number % 97}"}
    value |= {"followers": 100 + number % 50, "observed_at": "2023-10-30T00:00:00Z"}
    return json.dumps({"topic": "follower-counts", "value": value | more}).encode() + b"\n"


def population(**more: object) -> list[bytes]:
    """Return lines of some chunks: most are quiet, some come late or twice or cannot be read."""
    settings = Settings(accounts=900, days=14, near=0.06, late=0.01, doubled=0.01, broken=0.002, **more)
    lines = list(generate(settings, BOOK, Tally()))
    place = len(lines) // 2
    tables = json.loads(canonical(BOOK.tables))
    tables["policies"]["weibo"]["version"] = "another"
    another = book_from_tables(tables)
    lines[place:place] = [
        *(counted(number) for number in range(3_000)),  # older than what came before
        counted(1, platform="nowhere"),
        *(counted(number) for number in range(50)),
        counted(2, followers=1.5),
        b"\n",
        b'{"topic":"policy-book","value":'
        + canonical({"book": another.tables, "hash": another.hash})
        + b"}\n",
        b'{"topic":"policy-book","value":{}}\n',
        counted(3)[:-2] + b', "partition": 1}\n',
    ]
    return lines


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    directory = tmp_path_factory.mktemp("inputs")
    found = {}
    for name, more in (("records", {}), ("clock", {"ticks": 7200})):
        lines = population(**more)
        found[name] = [directory / f"{name}-1.jsonl", directory / f"{name}-2.jsonl"]
        cut = len(lines) * 2 // 3
        found[name][0].write_bytes(b"".join(lines[:cut]))
        found[name][1].write_bytes(b"".join(lines[cut:]).removesuffix(b"\n"))
    return found


def written(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize(("partitions", "processes"), [(2, 2), (5, 3)])
@pytest.mark.parametrize("moved_by", ["records", "clock"])
def test_several_processes_write_the_bytes_of_one(
    files: dict[str, list[Path]], tmp_path: Path, moved_by: str, partitions: int, processes: int
) -> None:
    inputs = files[moved_by]
    assert sum(path.stat().st_size for path in inputs) > (processes + 1) * CHUNK_BYTES
    call = {"until": UNTIL, "partitions": partitions}
    expected = alone.replay(inputs, BOOK, out=tmp_path / "one", **call)
    asked = []
    found = replay(inputs, BOOK, out=tmp_path / "several", processes=processes, opened=asked.append, **call)
    assert found == expected
    assert expected["restrictions"] > 20
    assert expected["dead-letters"] > 5
    one, several = written(tmp_path / "one"), written(tmp_path / "several")
    assert [name for name in one if one[name] != several[name]] == []
    assert len(asked) == len(inputs)


@pytest.mark.parametrize(
    "wrong",
    [
        b"nonsense\n",
        counted(1)[:-2] + b', "partition": 9}\n',
        counted(1)[:-2]
        + b', "partition": 1, "offset": 3}\n'
        + counted(1)[:-2]
        + b', "partition": 1, "offset": 3}\n',
    ],
)
def test_a_mistake_is_said_as_one_process_says_it(tmp_path: Path, wrong: bytes) -> None:
    file = tmp_path / "input.jsonl"
    file.write_bytes(b"".join(map(counted, range(12_000))) + wrong + b"".join(map(counted, range(9_000))))
    assert file.stat().st_size > 4 * CHUNK_BYTES
    with pytest.raises(OperatorError) as expected:
        alone.replay([file], BOOK, partitions=3)
    for processes in (2, 3):
        with pytest.raises(OperatorError) as found:
            replay([file], BOOK, partitions=3, processes=processes)
        assert str(found.value) == str(expected.value)


def test_a_first_line_that_must_be_a_clock_line_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "input.jsonl"
    file.write_bytes(counted(1) + b'{"topic":"clock","value":{"at":"2023-11-01T00:00:00Z"}}\n')
    with pytest.raises(OperatorError, match="line 1: where a file holds clock lines"):
        replay([file], BOOK, partitions=2, processes=2)


def test_one_partition_and_little_input_are_decided_by_one_process(tmp_path: Path) -> None:
    small, large = tmp_path / "small.jsonl", tmp_path / "large.jsonl"
    small.write_bytes(counted(1))
    with large.open("wb") as file:
        file.truncate(WORTH_BYTES)
    assert processes_for([small], 8) == 1
    assert processes_for([large], 1) == 1
    assert processes_for([small, large], 8) == len(os.sched_getaffinity(0))


# Ends ------------------------------------------------------------------------------------------------


class Running:
    """The command at work on two processes, in a session of its own."""

    def __init__(self, file: Path) -> None:
        call = [sys.executable, "-m", "streams.cli", "replay", file, "--partitions", "2", "--processes", "2"]
        self.process = subprocess.Popen(
            call, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True
        )
        self.others: list[int] = []
        until(self._has_both)

    def _has_both(self) -> bool:
        assert self.process.poll() is None, "it ended before it was at work"
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("utf-8")
        named = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.split()}
        self.others = [pid for pid, call in named.items() if b"spawn_main" in call]
        return len(self.others) == 2

    def said(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def is_gone(self) -> bool:
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    file = tmp_path / "large.jsonl"
    file.write_bytes(b"".join(map(counted, range(10_000))) * 100)
    found = Running(file)
    yield found
    if not found.is_gone():
        os.killpg(found.process.pid, signal.SIGKILL)
    found.process.communicate()


def test_ctrl_c_ends_all_processes(running: Running) -> None:
    os.killpg(running.process.pid, signal.SIGINT)  # as a terminal sends it: to all of them
    assert running.said() == "Interrupted.\n"
    assert running.process.wait() == 130
    until(running.is_gone)


def test_a_process_that_somebody_ends_is_said(running: Running) -> None:
    os.kill(running.others[0], signal.SIGKILL)
    assert "A process of the replay was ended by somebody else" in running.said()
    assert running.process.wait() == 2
    until(running.is_gone)


def test_whoever_is_left_alone_ends(running: Running) -> None:
    running.process.kill()
    until(running.is_gone)
