"""One program takes one load, and how long that took it: the ruler is the same for everybody.

A program is started and takes the first part of its load, so that its group, its code and its caches are warm. Then
the process is stopped (SIGSTOP), the topic is filled, and it is let go on: that is when both clocks start. The CPU is
that of the whole process, all threads, as the system counts it. The clocks end

- of ours, when the last notice, and after it the last row of its table, stand in their topics: journal entry,
  outputs and rows are acknowledged then;
- of a peer, when its own code has handled the last count. What it still has to send or commit of its last second
  costs it nothing.
"""

import signal
import time
from collections.abc import Callable

import msgspec

from bench.loads import Load
from bench.peers.meter import PARTITIONS
from bench.rig import Process, Rig, load
from schemas import topics

LOOK_S = 0.005
ASK_S = 0.02
"""Between two questions to the broker, which shares the cores with what is measured."""
REST_S = 2.0
"""After the warm-up: for whoever commits each second to have done so."""
SETTLED_S = 0.3
"""Without another row: the last one has been written."""
PATIENCE_S = 600.0
SMALL_BYTES = 15 * 1024
"""Batches of this size hold fewer than 100 counts."""

Command = Callable[[Rig, Load], list[str]]


class Round(msgspec.Struct, frozen=True):
    """One program with one load, once."""

    contestant: str
    counts: int
    wall_s: float
    cpu_s: float
    crossings: int
    rows: int
    """Records in ours' changelog; of a peer 0."""
    first_s: float
    """From the start of the process until it had said something of its first counts."""
    machine: str
    """How loaded it was."""


class _Clock:
    """Wall and CPU of a process since it was let go on."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._cpu_s, self._began = process.cpu_s(), time.monotonic()

    def read(self) -> tuple[float, float]:
        return time.monotonic() - self._began, self._process.cpu_s() - self._cpu_s


def run(bootstrap: str, name: str, command: Command | None, fed: Load, *, small_batches: bool) -> Round:
    """Let a program take a load.

    Args:
        bootstrap: Of the broker.
        name: Of the contestant.
        command: What starts a peer; none: our own worker.
        fed: The load.
        small_batches: Whether the topic is filled with at most 100 counts a batch.

    Raises:
        SystemExit: it ended, came to no end, or found other crossings than there are.
    """
    rig = Rig(bootstrap, PARTITIONS)
    sized = {"batch_bytes": SMALL_BYTES} if small_batches else {}
    try:
        if command is None:
            rig.publish_book()
        rig.send(topics.COUNTS, fed.warm.messages, **sized)
        program = rig.worker("--session", "30") if command is None else rig.program(command(rig, fed))
        with program as process:
            first_s = _warm_up(rig, process, fed) if command is None else process.wait("warm\n")
            time.sleep(REST_S)
            process.signal(signal.SIGSTOP)
            rig.send(topics.COUNTS, fed.measured.messages, **sized)
            clock = _Clock(process)
            process.signal(signal.SIGCONT)
            wall_s, cpu_s = _ours(rig, process, clock, fed) if command is None else _peer(process, clock)
            said = fed.warm.crossings + fed.measured.crossings
            found = rig.end(topics.DISCLOSURE) if command is None else _said(process)["crossings"]
            rows = rig.end("rows") if command is None else 0
        if found != said:
            raise SystemExit(f"{name} found {found} crossings of {said}")
        return Round(name, fed.measured.counts, wall_s, cpu_s, found, rows, first_s, load())
    finally:
        rig.delete()


def _warm_up(rig: Rig, process: Process, fed: Load) -> float:
    """Wait until our worker has told all of the first part; return when it had told the first of it."""
    first_s = 0.0
    while (told := rig.end(topics.DISCLOSURE)) < fed.warm.crossings:
        first_s = first_s or (time.monotonic() - process.began if told else 0.0)
        process.must_live("took the first counts", PATIENCE_S)
        time.sleep(ASK_S)
    return first_s or time.monotonic() - process.began


def _ours(rig: Rig, process: Process, clock: _Clock, fed: Load) -> tuple[float, float]:
    while rig.end(topics.DISCLOSURE) < fed.warm.crossings + fed.measured.crossings:
        process.must_live("told all crossings", PATIENCE_S)
        time.sleep(ASK_S)
    taken, rows, since = clock.read(), rig.end("rows"), time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        time.sleep(ASK_S)
        found = rig.end("rows")
        if found > rows:
            taken, rows, since = clock.read(), found, time.monotonic()
    return taken


def _peer(process: Process, clock: _Clock) -> tuple[float, float]:
    process.wait("done ", patience_s=PATIENCE_S, look_s=LOOK_S)
    return clock.read()


def _said(process: Process) -> dict[str, int]:
    line = next(line for line in process.log.splitlines() if line.startswith("done "))
    return msgspec.json.decode(line.removeprefix("done "), type=dict[str, int])
