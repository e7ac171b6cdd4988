"""Where the demo plays: a Kafka of its own or somebody else's, and two real workers."""

import contextlib
import json
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from schemas import topics
from schemas.errors import OperatorError
from schemas.instant import text
from streams.broker import local
from streams.broker.process import end, undisturbed
from streams.demo.history import PARTITIONS
from streams.live.access import Where, access_of
from streams.live.topics import apply, delete, plan, wanted

WORKERS = 2
STOP_S = 5.0
"""A worker comes to rest in less than 2 s; one that does not is killed, which the journal survives."""
_LOG_LINES = 8
_GROUP = "nameplate"
"""That of a worker by default, behind the prefix."""


class Stage:
    """Topics on a broker, and the workers on them.

    Args:
        directory: Of the demo.
        bootstrap: Somebody's broker, where the demo has a prefix of its own; None for one of the demo's own.
        say: Told in one sentence what happens.
    """

    def __init__(self, directory: Path, bootstrap: Where | None, say: Callable[[str], None]) -> None:
        self.is_own = bootstrap is None
        self.bootstrap: Where = bootstrap or ""
        self.prefix = topics.DEFAULT_PREFIX if self.is_own else f"demo-{secrets.token_hex(4)}."
        self.broker_dir = directory / "broker"
        self._topics = wanted(self.prefix, PARTITIONS)
        self._has_topics = False
        self._directory = directory
        self._workers_file = directory / "workers.json"
        """Pids of workers, and a word of their calls: so that whoever is killed leaves them to be found."""
        self._say = say
        self._running: list[subprocess.Popen[bytes]] = []
        self._started = 0
        self._codes: list[int] = []
        """Of those that have ended."""
        self._call: list[str] = []

    def open(self) -> None:
        """Bring up the broker and make the topics.

        Raises:
            OperatorError: the broker does not come up, or does not answer.
        """
        self._end_workers_of_before()
        if self.is_own:
            local.kill(self.broker_dir)  # of a demo that was kept, or killed
            self.bootstrap = local.up(self.broker_dir, ephemeral=True, say=self._say).bootstrap
        plan(self.bootstrap, self._topics)  # where nobody answers, nothing is to be deleted
        self._has_topics = True
        apply(self.bootstrap, self._topics)

    def start_workers(self, until: int, days_a_second: float) -> None:
        """Start the workers on a history that is published; they end by themselves when it is decided."""
        call = [sys.executable, "-m", "streams.cli", "worker", "--bootstrap", str(self.bootstrap)]
        call += access_of(self.bootstrap).words
        call += ["--prefix", self.prefix, "--group", _GROUP, "--time", "records", "--until", text(until)]
        call += ["--pace", f"{days_a_second:.6f}", "--stop-at-end"]
        self._call = call
        for _ in range(WORKERS):
            self._start_worker()

    def _start_worker(self) -> None:
        self._started += 1
        with (self._directory / f"worker-{self._started}.log").open("wb") as log, undisturbed():
            # In a session of its own: a Ctrl-C at the terminal is for the demo, which ends the worker.
            worker = subprocess.Popen(self._call, stdout=log, stderr=log, start_new_session=True)
            self._running.append(worker)
            written = {"bootstrap": str(self.bootstrap), "pids": [one.pid for one in self._running]}
            self._workers_file.write_text(json.dumps(written), "utf-8")

    def _end_workers_of_before(self) -> None:
        """End the workers of a demo that was killed: they would take part in this one, on the same port."""
        with contextlib.suppress(FileNotFoundError):
            before = json.loads(self._workers_file.read_text("utf-8"))
            for pid in before["pids"]:
                end(pid, before["bootstrap"], signal.SIGKILL)

    def has_ended(self) -> bool:
        """Return whether no worker runs any more, and none is needed.

        Where one dies the others take over what it had; but one that came to the end of its own before the
        group knew of that death has not. So one more sees to it.
        """
        for worker in [one for one in self._running if one.poll() is not None]:
            self._running.remove(worker)
            self._codes.append(worker.returncode)
            if worker.returncode:
                self._say(f"A worker ended with {worker.returncode}; what it had is for the others.")
        if not self._running and any(self._codes) and 0 in self._codes:
            self._codes.clear()
            self._start_worker()
        return not self._running

    def check(self) -> None:
        """Make sure that the workers came to the end of the history.

        Raises:
            OperatorError: it did not; the message holds the end of its log.
        """
        if any(self._codes):
            log = self._directory / f"worker-{self._started}.log"
            last = "\n".join(log.read_text("utf-8", "replace").splitlines()[-_LOG_LINES:])
            raise OperatorError(
                f"All workers ended before the history did. The end of {log}:\n{last}\n"
                "Without a broker, `nameplate demo --in-process`."
            )

    def stop_workers(self) -> None:
        """End the workers, by force after a bound."""
        for worker in self._running:
            worker.terminate()
        until = time.monotonic() + STOP_S
        for worker in self._running:
            try:
                worker.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self._running.clear()

    def what_stays(self) -> str:
        """Return what is kept where nothing is closed, and how it is looked at and ended."""
        look = " ".join(
            ["nameplate explain ACCOUNT --bootstrap", str(self.bootstrap), *access_of(self.bootstrap).words]
        )
        if self.is_own:
            return (
                f"  a Kafka at {self.bootstrap}\n  {look}\n  nameplate broker down --data {self.broker_dir}"
            )
        return f"  the topics {self.prefix}* at {self.bootstrap}\n  {look} --prefix {self.prefix}"

    def close(self) -> None:
        """End the workers; take down the own broker and its data, or delete the topics on somebody else's."""
        self.stop_workers()
        if self.is_own:
            local.kill(self.broker_dir)
            shutil.rmtree(self.broker_dir, ignore_errors=True)
        elif self._has_topics:
            self._delete()

    def _delete(self) -> None:
        try:
            delete(self.bootstrap, self._topics, f"{self.prefix}{_GROUP}")
        except OperatorError as error:
            self._say(f"The topics {self.prefix}* may still be on {self.bootstrap}: {error}")
