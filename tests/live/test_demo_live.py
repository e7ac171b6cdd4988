"""The demo on a real broker: to its end, its silence without workers, and that nothing stays behind."""

import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from harness import ROOT, eventually

from schemas import topics
from streams.demo.history import PARTITIONS
from streams.generate import Settings, generate
from streams.live.topics import delete, wanted

pytestmark = pytest.mark.broker

SMALL = Settings(accounts=40, days=25, near=0.8)
MARK = "NAMEPLATE_DEMO_UNDER_TEST"
"""In the environment of a demo, and so of every process that it starts."""
DECISION = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d  \w+:\S+ +\S")
SILENT_POLLS_S = 2.0
"""Twenty times as long as the view waits in a poll."""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return the file of a small population."""
    file = tmp_path_factory.mktemp("small") / "small.jsonl"
    file.write_bytes(b"".join(generate(SMALL)))
    return file


class Demo:
    """A demo as a user starts it at a terminal: in a process group of its own, its screen read as it comes."""

    def __init__(self, *arguments):
        self.out = arguments[arguments.index("--out") + 1]
        self.mark = secrets.token_hex(8)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "80", MARK: self.mark}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", "demo", *map(str, arguments)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        with self.process.stdout as screen:
            for line in screen:
                self.lines.append(line)

    @property
    def screen(self):
        return "".join(self.lines)

    @property
    def decisions(self):
        return [line for line in list(self.lines) if DECISION.match(line)]

    def wait_for(self, words):
        eventually(lambda: words in self.screen or self.process.poll() is not None, words)
        assert words in self.screen, self.screen

    def wait_exit(self, code=0):
        found = self.process.wait(90)
        self._reader.join()
        assert found == code, f"exit {found}, expected {code}:\n{self.screen}"

    def processes(self):
        """Return the calls of everything that this demo started and that is alive, itself included, by pid."""
        found = {}
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (directory / "environ").read_bytes().split(b"\0"):
                    found[int(directory.name)] = (
                        (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    )
            except OSError:
                continue  # it ended meanwhile, or is not ours
        return found

    def workers(self):
        return [pid for pid, call in self.processes().items() if "streams.cli worker" in call]

    def end(self):
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        self._reader.join()


@pytest.fixture
def started():
    """Start demos, and see that each leaves no process, however its test ended."""
    demos = []

    def start(*arguments):
        demos.append(Demo(*arguments))
        return demos[-1]

    yield start
    for demo in demos:
        left = demo.processes()
        demo.end()
        assert not left, f"left behind: {left}"


def seen(directory):
    return {topic: (directory / f"{topic}.jsonl").read_bytes() for topic in topics.OUTPUTS}


@pytest.fixture(scope="module")
def in_process(small, tmp_path_factory):
    """Return what a demo in process sees of the same population."""
    directory = tmp_path_factory.mktemp("in-process")
    demo = Demo("--in-process", "--data", small, "--out", directory, "--seconds", "0.1")
    demo.wait_exit()
    return seen(directory)


def test_it_runs_to_its_end_with_a_kafka_of_its_own_and_sees_what_the_fold_decides(
    started, small, in_process, tmp_path
):
    demo = started("--data", small, "--out", tmp_path, "--seconds", "3")
    demo.wait_exit()
    assert "Starting Apache Kafka" in demo.screen
    assert "2 workers start" in demo.screen
    assert not demo.processes()
    assert not (tmp_path / "broker").exists()
    assert all(" is ours from entry " in log.read_text() for log in tmp_path.glob("worker-*.log"))
    assert seen(tmp_path) == in_process
    for command in commands_of(demo.screen):
        done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def commands_of(screen):
    told = re.sub(r"\\\n *|(?<=\|)\n *", " ", screen.partition("What to type next")[2])
    found = [line for line in told.splitlines()[1:] if line and not line.startswith("#")]
    assert len(found) == 4
    return found


def test_without_workers_it_is_silent_and_with_them_it_goes_on(started, broker, small, in_process, tmp_path):
    demo = started("--data", small, "--out", tmp_path, "--seconds", "8", "--bootstrap", broker.bootstrap)
    eventually(lambda: len(demo.decisions) >= 3, "some decisions")
    for worker in demo.workers():
        os.kill(worker, signal.SIGSTOP)
    eventually(lambda: is_steady(demo), "silence")
    before = len(demo.decisions)
    for worker in demo.workers():
        os.kill(worker, signal.SIGCONT)
    demo.wait_exit()
    assert len(demo.decisions) > before
    assert seen(tmp_path) == in_process


def is_steady(demo):
    """Whether nothing is shown for as long as many polls take; what was on its way may come before that."""
    before = len(demo.decisions)
    time.sleep(SILENT_POLLS_S)
    return len(demo.decisions) == before


def test_where_one_worker_is_killed_the_other_one_takes_over_and_nothing_differs(
    started, broker, small, in_process, tmp_path
):
    demo = started("--data", small, "--out", tmp_path, "--seconds", "8", "--bootstrap", broker.bootstrap)
    eventually(lambda: demo.decisions, "a decision")
    os.kill(demo.workers()[0], signal.SIGKILL)
    demo.wait_exit()
    assert "A worker ended with -9" in demo.screen
    assert seen(tmp_path) == in_process


def test_where_all_workers_are_killed_it_says_so(started, broker, small, tmp_path):
    demo = started("--data", small, "--out", tmp_path, "--bootstrap", broker.bootstrap)
    eventually(lambda: demo.decisions, "a decision")
    for worker in demo.workers():
        os.kill(worker, signal.SIGKILL)
    demo.wait_exit(2)
    assert "All workers ended before the history did" in demo.screen
    assert "nameplate demo --in-process" in demo.screen


def of_demos(admin):
    names = {name for name in admin.list_topics(timeout=10).topics if name.startswith("demo-")}
    groups = admin.list_consumer_groups().result().valid
    return names | {group.group_id for group in groups if group.group_id.startswith("demo-")}


@pytest.fixture
def others(broker):
    """Return a function that says what demos have made on the broker since the test began."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    before = of_demos(admin)
    return lambda: of_demos(admin) - before


def test_on_somebody_elses_broker_it_deletes_what_it_made_unless_it_is_told_to_keep_it(
    started, broker, others, small, tmp_path
):
    how = ("--data", small, "--out", tmp_path, "--seconds", "0.1", "--bootstrap", broker.bootstrap)
    started(*how).wait_exit()
    eventually(lambda: not others(), "the topics and the group are gone")
    kept = started(*how, "--keep")
    kept.wait_exit()
    prefix = re.search(r"the topics (demo-\w+\.)\*", kept.screen)[1]
    assert {f"{prefix}{topic}.v1" for topic in topics.ALL} <= others()
    delete(broker.bootstrap, wanted(prefix, PARTITIONS), f"{prefix}nameplate")


# However it ends -------------------------------------------------------------------------------------

MOMENTS = {
    "the first words": lambda demo: "Nameplate decides" in demo.screen,
    "a broker that starts": lambda demo: "Starting Apache Kafka" in demo.screen,
    "its port": lambda demo: (demo.out / "broker" / "broker.json").exists(),
    "its topics": lambda demo: list((demo.out / "broker").glob("*/nameplate.journal.v1-0")),
}
LATER_MOMENTS = {
    "published": lambda demo: "Published" in demo.screen,
    "two at work": lambda demo: len(demo.workers()) == 2,
    "a decision": lambda demo: demo.decisions,
}


def ends_at_once(demo, number):
    """Send a signal as a terminal does, to the whole group, and see that all of it ends."""
    os.killpg(demo.process.pid, number)
    demo.wait_exit(128 + number)
    assert not demo.processes()
    assert "Stopping.\n" in demo.lines[-2:]


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_ends_it_at_any_moment_and_leaves_nothing(started, small, tmp_path, moment):
    demo = started("--data", small, "--out", tmp_path)
    eventually(lambda: MOMENTS[moment](demo), moment)
    ends_at_once(demo, signal.SIGINT)
    assert not (tmp_path / "broker").exists()


@pytest.mark.parametrize("moment", LATER_MOMENTS)
def test_ctrl_c_leaves_nothing_on_somebody_elses_broker(started, broker, others, small, tmp_path, moment):
    demo = started("--data", small, "--out", tmp_path, "--bootstrap", broker.bootstrap)
    eventually(lambda: LATER_MOMENTS[moment](demo), moment)
    ends_at_once(demo, signal.SIGINT)
    eventually(lambda: not [name for name in others() if name.endswith(".v1")], "the topics are gone")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_and_sigterm_end_it_as_well(started, broker, small, tmp_path, number):
    demo = started("--data", small, "--out", tmp_path, "--bootstrap", broker.bootstrap)
    eventually(lambda: demo.decisions, "a decision")
    ends_at_once(demo, number)


def test_at_the_summary_everything_has_ended_and_what_a_killed_demo_left_too(started, small, tmp_path):
    killed = started("--data", small, "--out", tmp_path, "--seconds", "5")
    eventually(lambda: killed.decisions, "a decision")
    killed.process.kill()
    killed.process.wait()
    broker = next(pid for pid, call in killed.processes().items() if "kafka.Kafka" in call)
    demo = started("--data", small, "--out", tmp_path, "--seconds", "0.1")
    demo.wait_for("Published")
    assert broker not in killed.processes()
    assert not killed.workers()
    demo.wait_for("is left running")
    os.killpg(demo.process.pid, signal.SIGINT)
    # Late enough, Python is gone already, and the signal itself ends it: 130 as well to a shell.
    assert demo.process.wait(30) in (0, 130, -signal.SIGINT)
    assert not demo.processes()
    assert not killed.processes()
