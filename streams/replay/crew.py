"""A replay on several cores: each process decides some of the partitions, and one writes what all of them say.

Theory of operation. Every process reads all lines, as that costs little: it takes the counts of its own partitions, and
the instants of all, which move the common T. What it decides goes to the process that was called, which puts it
into the order in which one process alone would have written it: by the step, and in a step by the partition.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from heapq import merge
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from schemas import topics
from schemas.errors import OperatorError, StreamsError
from schemas.instant import FOREVER
from schemas.policy import PolicyBook, book_from_tables
from streams.core.decider import Time
from streams.replay.files import Opened, rare_topics, read_blocks
from streams.replay.run import Outputs, Replay, check_first
from streams.replay.run import replay as replay_alone

WORTH_BYTES = 32 * 1024 * 1024
"""Of less input further processes would take longer to start than they save."""
SENT_BYTES = 1024 * 1024
"""How much is kept before it goes to the writer."""

Item = tuple[int, int, str, Any]
"""Step, partition, topic and line; with LAST as the partition news of the process itself."""
LAST = FOREVER
READ, FAILED, ENDED = "read", "failed", "ended"


class Job(NamedTuple):
    """What a replay is to do."""

    files: Sequence[Path]
    tables: Mapping[str, Any] | None
    """Of the book that is adopted before the first line."""
    until: int | None
    partitions: int
    processes: int
    time: Time


def processes_for(files: Sequence[Path], partitions: int) -> int:
    """Return how many processes are worth it: one a core, and one alone for one partition or little input."""
    size = sum(path.stat().st_size for path in files if path.is_file())
    return len(os.sched_getaffinity(0)) if partitions > 1 and size >= WORTH_BYTES else 1


def replay(
    files: Sequence[Path],
    book: PolicyBook | None,
    *,
    until: int | None = None,
    partitions: int = 1,
    out: Path | None = None,
    rare: set[str] | None = None,
    opened: Opened = lambda _: None,
    processes: int | None = None,
) -> dict[str, int]:
    """Replay files, as `streams.replay.run.replay` does and with the same bytes, on several cores where it pays.

    Args:
        files: As there, and so is all but the last.
        book: As there.
        until: As there.
        partitions: As there.
        out: As there.
        rare: As there.
        opened: As there.
        processes: How many; at most one a partition. None: as many as are worth it.

    Raises:
        OperatorError: as there; or a process was ended by somebody else.
    """
    count = min(processes_for(files, partitions) if processes is None else processes, partitions)
    if not all(path.is_file() for path in files):
        count = 1  # a pipe can be read only once
    rare = rare_topics(files) if rare is None else rare
    if count < 2:
        return replay_alone(
            files, book, until=until, partitions=partitions, out=out, rare=rare, opened=opened
        )
    time: Time = "clock" if topics.CLOCK in rare else "records"
    first = next(read_blocks(files), None) if time == "clock" else None
    if first is not None:
        check_first(first)
    outputs = Outputs(out)
    try:
        job = Job(files, book.tables if book is not None else None, until, partitions, count, time)
        _write(job, outputs, opened)
    finally:
        outputs.close()
    return outputs.counts


# The one who writes ----------------------------------------------------------------------------------


def _write(job: Job, outputs: Outputs, opened: Opened) -> None:
    """Start the processes, and write what they say in the order of the steps."""
    context = get_context("spawn")  # not a fork: a thread that draws may be running
    numbers = range(job.processes)
    results = [context.Pipe(duplex=False) for _ in numbers]
    processes = []
    try:
        with _uninterrupted():
            for number in numbers:
                arguments = (job, number, results[number][1])
                process = context.Process(target=work, args=arguments, daemon=True)
                process.start()
                processes.append(process)
        for _, end in results:  # so that we hear of one that is gone
            end.close()
        _merge([end for end, _ in results], outputs, opened)
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put an interrupt off; processes that are started meanwhile never hear of any, as it is we who end them."""
    resource_tracker.ensure_running()  # it would let interrupts in again
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _merge(results: Sequence[Connection], outputs: Outputs, opened: Opened) -> None:
    files = 0
    position = [0]
    for step, partition, topic, said in merge(*map(_items, results), key=itemgetter(0, 1)):
        if partition != LAST:
            outputs.put(step, partition, topic, said)
        elif topic == FAILED:
            raise said
        else:
            number, position[0] = said
            while files < number:
                files += 1
                opened(partial(position.__getitem__, 0))


def _items(results: Connection) -> Iterator[Item]:
    while True:
        try:
            items = results.recv()
        except EOFError:
            raise OperatorError(
                "A process of the replay was ended by somebody else, perhaps because the memory was full. Run the "
                "command again, with less beside it or with `--processes 1`."
            ) from None
        for item in items:
            if item[2] == ENDED:
                return
            yield item


# Those who decide ------------------------------------------------------------------------------------


class _Sent(Outputs):
    """Sends what is written to the one who writes."""

    def __init__(self, results: Connection) -> None:
        super().__init__(None)
        self._results = results
        self._items: list[Item] = []
        self._bytes = 0

    def put(self, step: int, partition: int, topic: str, line: bytes) -> None:
        self._items.append((step, partition, topic, line))
        self._bytes += len(line)
        if self._bytes > SENT_BYTES:
            self._send()

    def tell(self, news: str, what: Any = None) -> None:
        self._items.append((self.step, LAST, news, what))
        self._send()

    def _send(self) -> None:
        self._results.send(self._items)
        self._items = []
        self._bytes = 0


def work(job: Job, number: int, results: Connection) -> None:
    """Decide some of the partitions, in a process of its own.

    Args:
        job: What is replayed.
        number: Of this process.
        results: To the one who writes.
    """
    sent = _Sent(results)
    try:
        _decide(job, number, sent)
        sent.tell(ENDED)
    except BrokenPipeError:
        return  # the one who writes is gone
    except Exception as error:  # noqa: BLE001 - said by the one who writes
        if not isinstance(error, StreamsError):
            error.add_note(f"in process {number} of the replay")
        sent.tell(FAILED, error)


def _decide(job: Job, number: int, sent: _Sent) -> None:
    own = range(number, job.partitions, job.processes)
    book = book_from_tables(job.tables) if job.tables is not None else None
    replay = Replay(job.time, job.partitions, book, sent, own)
    positions: list[Callable[[], int]] = []
    told = None
    for block in read_blocks(job.files, positions.append, job.partitions, own):
        replay.take_any(block)
        read = len(positions), _asked(positions[-1], job.files[len(positions) - 1])
        if read != told:
            sent.tell(READ, read)
            told = read
    replay.finish(job.until)


def _asked(position: Callable[[], int], file: Path) -> int:
    try:
        return position()
    except ValueError:  # it was read to its end, and is closed
        return file.stat().st_size
