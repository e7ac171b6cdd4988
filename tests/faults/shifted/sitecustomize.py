"""Moves this process's wall clock by the seconds in the file `SHIFTED_BY`, read anew at every look at the clock."""

import os
import time

_file = os.environ["SHIFTED_BY"]
_time, _time_ns = time.time, time.time_ns


def _offset() -> float:
    try:
        with open(_file, encoding="ascii") as said:  # noqa: PTH123 - as little as possible is imported here
            return float(said.read() or 0)
    except (OSError, ValueError):
        return 0.0


time.time = lambda: _time() + _offset()
time.time_ns = lambda: _time_ns() + int(_offset() * 1_000_000_000)
