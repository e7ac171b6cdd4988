"""Runs commands as a user types them: in this process, with what they print, and their exit status."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from streams.cli import main


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


def run(*arguments: object) -> Ended:
    """Run `nameplate` with arguments, where nobody looks: nothing is folded or coloured."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    before = sys.argv
    sys.argv = ["nameplate", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        sys.argv = before
    return Ended(status, *(stream.buffer.getvalue().decode() for stream in (out, err)))


def transcript(*arguments: object) -> str:
    """Return a command, what it printed and its exit status, as in `messages/cli-*.txt`."""
    ended = run(*arguments)
    said = (ended.out + ended.err).replace(str(Path.cwd()), "DIR")
    return f"$ nameplate {' '.join(map(str, arguments))}\n{said}=> {ended.status}\n"
