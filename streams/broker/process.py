"""Processes that outlive the command that starts them, and ports: what a local broker asks of the system."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import OperatorError

STOP_S = 20
"""A clean stop takes less than 1 s; one that hangs is killed, which Kafka's log survives as well."""

# Below the ephemeral range (32768 and up on Linux): a client that keeps trying a port of that range while
# the broker is down may be given the very port as its own, connect to itself, and keep the broker out.
_PORTS = range(20_000, 32_000)

_children: set[int] = set()
"""Pids that this process started and nobody has waited for: these cannot be anybody else's by now."""


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let Ctrl-C wait to the end of a few lines: between the start of a process and its being written down."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where Ctrl-C never comes
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def detach(call: list[str], log: Path) -> int:
    """Start a program in a session of its own, its output at the end of a file, and return its pid.

    Not subprocess.Popen: nobody keeps the object, which would want to wait for a process that outlives us.
    """
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(call[0], call, os.environ, file_actions=actions, setsid=True)
    _children.add(pid)
    return pid


def is_alive(pid: int, mark: str) -> bool:
    """Tell whether a process runs and has `mark` in its call; a pid alone may be somebody else's by now."""
    if pid in _children:
        # Its call is not asked for: for an instant after its start it has none to show.
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                return True
        _children.discard(pid)
        return False
    if Path("/proc/self").exists():
        try:
            call = Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
        except OSError:
            return False
    else:  # macOS
        ps = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
        call = subprocess.run(ps, capture_output=True, text=True, check=False).stdout
    return mark in call


def end(pid: int, mark: str, sign: signal.Signals) -> None:
    """Send a signal to the process of `is_alive` and wait; if it stays, kill it."""
    for now in (sign, signal.SIGKILL):
        if not is_alive(pid, mark):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, now)
        until = time.monotonic() + STOP_S
        while is_alive(pid, mark) and time.monotonic() < until:
            time.sleep(0.02)


def is_open(host: str, port: int) -> bool:
    """Tell whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there."""
    with socket.socket() as probe:
        # As Kafka does: a port that only waits for its last connections to die is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError):
            return False
    return True


def free_port(host: str, wanted: int | None, taken: int | None = None) -> int:
    """Return the wanted port if it can be had, else any other that is free and not `taken`.

    Raises:
        OperatorError: a hundred ports tried in vain: the address is hardly one of this machine.
    """
    tries = [port for port in (wanted, *random.sample(_PORTS, 100)) if port and port != taken]
    found = next((port for port in tries if is_free(host, port)), None)
    if found is None:
        raise OperatorError(
            f"Nothing can listen on {host}: it is no address of this machine, or all its ports are taken."
            " See what is wrong with `nameplate doctor`."
        )
    return found
