"""Says how far a long piece of work is, from time to time; of a short one it says nothing."""

import logging
import time
from collections.abc import Callable

EVERY_S = 5.0
"""Somebody who waits for a recovery wants to know whether to go on waiting, not to read along."""

log = logging.getLogger(__name__)


class Progress:
    """One piece of work whose size is known.

    Args:
        what: It, as the line begins: `the table's changelog`.
        total: Its size in records.
        now: Tells seconds.
    """

    def __init__(self, what: str, total: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._now = now
        self._began = self._told = now()

    def passed(self, count: int) -> None:
        """Hear that so many more are done; log a line where the last one is some seconds old."""
        self._done += count
        now = self._now()
        if now - self._told < EVERY_S or self._done >= self._total:
            return
        self._told = now
        rate = self._done / (now - self._began)
        left = f"{(self._total - self._done) / rate:.0f}" if rate else "?"
        log.info(
            "%s: %s of %s records read, %.0f a second, %s s left",
            self._what, self._done, self._total, rate, left,
        )  # fmt: skip
