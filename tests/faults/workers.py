"""Worker processes of a world: started, watched by their own logs, stopped still, killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIFTED = Path(__file__).with_name("shifted")
"""A directory whose `sitecustomize` moves a process's wall clock by what a file says."""
JOINED = "the group gives us the partitions "


class Worker:
    """One worker process; its log is kept in a file.

    Args:
        directory: Where its log is written.
        name: Of the log; tells the workers of a world apart.
        arguments: Of `nameplate worker`.
        failpoint: Where it dies or stands still by itself, as `streams.live.failpoints` reads it.
        clock: A file with the seconds by which its wall clock is wrong.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        arguments: list[str],
        *,
        failpoint: str | None = None,
        clock: Path | None = None,
    ) -> None:
        self.name, self.failpoint = name, failpoint
        self.bootstrap = arguments[arguments.index("--bootstrap") + 1]
        self.log_file = directory / f"{name}.log"
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        environment.pop("NAMEPLATE_FAILPOINT", None)
        if failpoint:
            environment["NAMEPLATE_FAILPOINT"] = failpoint
        if clock:
            environment |= {"PYTHONPATH": f"{SHIFTED}{os.pathsep}{ROOT}", "SHIFTED_BY": str(clock)}
        self._log = self.log_file.open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", "worker", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=self._log,
            stderr=self._log,
        )
        self.started = time.monotonic()
        self.is_still = False
        """Stopped by a signal of ours, or at a place that stops."""
        self.rss_kb = 0
        self._was_asked = False

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def owned(self) -> set[int]:
        """Return the partitions that it works on since its last assignment, as its log says."""
        last = self.log.rpartition(JOINED)[2].splitlines()
        return {
            int(line.split("partition ")[1].split()[0]) for line in last if " is ours from entry " in line
        }

    def stands_still(self) -> bool:
        """Whether the whole process is stopped."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text("ascii")
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] == "T"

    def look(self) -> None:
        """Remember how much memory it has had at most."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        except OSError:
            return
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self.rss_kb = max(self.rss_kb, int(line.split()[1]))

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        self.is_still = True

    def go_on(self) -> None:
        if self.is_running:
            self.process.send_signal(signal.SIGCONT)
        self.is_still = False

    def ask_to_end(self) -> None:
        """Ask it to end by itself, and do not wait."""
        self.look()
        if self.is_running and not self._was_asked:
            self._was_asked = True  # a second time it would end at once
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it; fine if it has ended."""
        self.look()
        if self.is_running:
            self.process.kill()
        self.process.wait(20)
        self._log.close()

    def finish(self, patience_s: float = 40) -> int:
        """Ask it to end, and return its exit code; by force after a while, then -9."""
        self.ask_to_end()
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(20)
        finally:
            self._log.close()
