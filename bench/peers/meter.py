"""The arguments of a peer and the two words that it says."""

import json
import sys
from typing import NamedTuple

LINE = 500_000
"""Followers from which on an account is on the far side."""
PARTITIONS = 4


class Called(NamedTuple):
    """What a peer is called with."""

    bootstrap: str
    counts: str
    """The topic that is read."""
    out: str
    """The topic that crossings are sent to; it is there already, and new for every run."""
    warm: int
    """Counts that are there before the clock starts."""
    total: int
    """All counts, those included."""


def called() -> Called:
    """Return the arguments of this process."""
    bootstrap, counts, out, warm, total = sys.argv[1:6]
    return Called(bootstrap, counts, out, int(warm), int(total))


class Meter:
    """Counts what was handled and says when it was enough."""

    def __init__(self, arguments: Called) -> None:
        self._warm, self._total = arguments.warm, arguments.total
        self._next = arguments.warm
        self._handled = 0
        self.crossings = 0

    def handled(self, counts: int = 1) -> bool:
        """Add counts that were handled; return whether they were the last."""
        self._handled += counts
        if self._handled < self._next:
            return False
        if self._next == self._warm:
            print("warm", flush=True)
            self._next = self._total
        if self._handled < self._total:
            return False
        print("done", json.dumps({"handled": self._handled, "crossings": self.crossings}), flush=True)
        return True
