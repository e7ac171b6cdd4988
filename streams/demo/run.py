"""The course of the demo, and that nothing stays behind, however it ends."""

import asyncio
import contextlib
import fcntl
import logging
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from schemas import topics
from schemas.errors import OperatorError
from schemas.policy import PolicyBook
from schemas.wire import canonical
from streams.broker.jars import fetch_jars, find_java
from streams.demo import in_process
from streams.demo.history import PARTITIONS, History, read_history, write_population
from streams.demo.stage import WORKERS, Stage
from streams.demo.summary import next_commands, print_summary
from streams.demo.view import View, follow
from streams.live.access import Where
from streams.live.journal import read_journals
from streams.live.publish import publish
from streams.policies.load import load_book, shipped_book_dir
from streams.replay.files import Line

SLOWEST = 0.001
"""Days of history a second; a history of one record has no days at all."""

_LEFT_BEHIND = ("*.jsonl", "worker-*.log", "replayed/*.jsonl")


@dataclass(frozen=True)
class Settings:
    """How the demo is called."""

    data: tuple[Path, ...]
    """Replay files; none: a synthetic population."""
    directory: Path
    """Of what is left behind."""
    bootstrap: Where | None
    """Somebody's broker; None: one of the demo's own."""
    in_process: bool
    keep: bool
    """Leave the broker up and the topics there."""
    play_s: float
    """In how many seconds the history passes."""


def demo(settings: Settings, out: Console) -> int:
    """Run the demo to its end, or until a signal; return the exit code.

    Raises:
        OperatorError: the call or the environment is wrong.
        AuditError: the outputs have a gap.
    """
    came = [signal.SIGINT]

    def end(number: int, _: FrameType | None) -> None:
        came.append(signal.Signals(number))
        signal.raise_signal(signal.SIGINT)

    # A new topic is retried until it has its leader; what does not come right is said by an error.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    course = Course(settings, out)
    # Set also where the shell had SIGINT ignored, as it does for what runs in the background.
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: end, signal.SIGHUP: end}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        try:
            course.run()
        finally:
            for number in handlers:
                signal.signal(number, signal.SIG_IGN)  # nothing interrupts the cleaning up
    except KeyboardInterrupt:
        out.print("\nStopping.", style="yellow")
        return 128 + came[-1]
    finally:
        course.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


class Course:
    """One run of the demo.

    Args:
        settings: How it was called.
        out: Where it is told.
    """

    def __init__(self, settings: Settings, out: Console) -> None:
        self._settings = settings
        self._out = out
        self._began = time.monotonic()
        self._stage: Stage | None = None

    def run(self) -> None:
        """Run it to its end."""
        settings, directory = self._settings, self._settings.directory
        if settings.in_process and settings.bootstrap is not None:
            raise OperatorError(
                "--in-process needs no broker, and --bootstrap names one. Leave one of them out, as in "
                "`nameplate demo --in-process`."
            )
        self._introduce()
        with _alone_in(directory):
            data = {file.resolve() for file in settings.data}  # what was left behind may be played again
            for file in [file for pattern in _LEFT_BEHIND for file in directory.glob(pattern)]:
                if file.resolve() not in data:
                    file.unlink()
            self._run()

    def close(self) -> None:
        """End whatever was started."""
        if self._stage is not None:
            stage, self._stage = self._stage, None
            stage.close()

    def _run(self) -> None:
        settings, directory = self._settings, self._settings.directory
        book = load_book(shipped_book_dir())
        inputs = directory / "inputs.jsonl"
        data = settings.data or write_population(inputs, book)
        history = read_history(data, inputs, book.policies)
        view = View(self._out)
        days_a_second = max(history.days / settings.play_s, SLOWEST)
        why_not = self._why_in_process()
        if why_not is None:
            self._play_on_stage(history, book, view, days_a_second)
        else:
            self._say(why_not)
            self._say("So the same fold decides in this process, without topics and workers.")
            in_process.play(history, book, view, directory / "journal.jsonl", days_a_second)
        view.write(directory)
        self._conclude(history, view)

    def _why_in_process(self) -> str | None:
        """Return why there is no broker, None where there is one to be had."""
        if self._settings.in_process:
            return "No broker is asked for."
        if self._settings.bootstrap is None:
            try:
                fetch_jars(find_java(), self._say)
            except OperatorError as error:
                return str(error)
        return None

    def _play_on_stage(self, history: History, book: PolicyBook, view: View, days_a_second: float) -> None:
        settings = self._settings
        stage = self._stage = Stage(settings.directory, settings.bootstrap, self._say)
        stage.open()
        asyncio.run(self._play(stage, history, book, view, days_a_second))
        stage.check()
        entries = asyncio.run(read_journals(stage.bootstrap, stage.prefix)).entries
        (settings.directory / "journal.jsonl").write_bytes(b"".join(entry + b"\n" for entry in entries))
        if settings.keep:
            self._stage = None
            self._say("The history is decided. What stays up:")
            self._out.print(stage.what_stays())
        else:
            self.close()
            self._say("The history is decided, and nothing is left running.")

    async def _play(
        self, stage: Stage, history: History, book: PolicyBook, view: View, days_a_second: float
    ) -> None:
        value = canonical({"book": book.tables, "hash": book.hash})
        published = Line(file="the shipped book", number=1, topic=topics.BOOKS, value=value, key=None)
        # Topic by topic, which is faster: a worker merges them by their instants.
        lines = [published, *sorted(history.lines, key=lambda line: line.topic)]
        await publish(stage.bootstrap, stage.prefix, lines, rate=None, done=lambda _: None)
        self._say(
            f"Published: the policies, {history.count(topics.FACTS):,} facts and"
            f" {history.count(topics.COUNTS):,} counts of {history.accounts:,} accounts"
        )
        stage.start_workers(history.until, days_a_second)
        self._say(f"{WORKERS} workers start; {days_a_second:.1f} days of history pass a second")
        await follow(stage.bootstrap, stage.prefix, PARTITIONS, view, stage.has_ended)

    # The screen ----------------------------------------------------------------------------------

    def _introduce(self) -> None:
        what = "the histories of --data go" if self._settings.data else "a synthetic population goes"
        self._wrapped(
            f"Nameplate decides who has to display a name, from follower counts. Here {what} through it;"
            " each line below is a decision: an account is told to display its name, reminded, restricted"
            " where it does not, or its duty ends. It takes less than a minute and ends by itself; Ctrl-C"
            f" ends it at once. What it leaves behind replaces that of the last run in {self._settings.directory}."
        )
        self._out.print()

    def _say(self, said: str) -> None:
        self._wrapped(f"{time.monotonic() - self._began:2.0f} s  {said}", style="dim")

    def _wrapped(self, said: str, style: str = "") -> None:
        self._out.print(Text(said, style), soft_wrap=False)

    def _conclude(self, history: History, view: View) -> None:
        directory = self._settings.directory
        print_summary(self._out, directory, history, view, time.monotonic() - self._began)
        self._out.print("\nWhat to type next, to check what was just seen:")
        for does, command in next_commands(directory, history, view.restricted or view.told):
            self._out.print(Text(f"\n# {does}", "dim"))
            self._out.print(Text(command, "bold"))


@contextlib.contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Hold the directory against another demo, which would end this one's broker."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / "lock").open("a")
    except OSError as error:
        raise OperatorError(
            f"{directory} cannot be written ({error.strerror}). Name another one with `nameplate demo --out DIR`."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError(
                f"Another demo runs in {directory}. Wait for its end, or name another directory with "
                "`nameplate demo --out DIR`."
            ) from None
        yield
