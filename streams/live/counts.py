"""What a worker counts: plain integers, moved once per journal entry and never per record.

Everything here is derived from entries that were accepted and done with: while no worker dies, the numbers of all
of them together are the journal's. Only the main thread writes; who reads in another thread copies a dict first.
"""

from bisect import bisect_left
from collections import Counter

import msgspec
from msgspec import UNSET, UnsetType

from schemas import topics
from streams.core.fold import Work

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the classes of journal times; an entry takes some 10 ms on a healthy broker."""

SILENT = "silent"
"""The type of a decision that changes a row and tells nobody: a daily sample, a fact that is noted."""
BOOK_ADOPTED = "book-adopted"


class _Output(msgspec.Struct):
    type: str


class _DeadLetter(msgspec.Struct):
    code: str
    topic: str


class _Cause(msgspec.Struct):
    topic: str | None = None
    value: msgspec.Raw | UnsetType = UNSET
    tables: msgspec.Raw | UnsetType = UNSET


class _Decision(msgspec.Struct):
    """What is counted of a journaled decision; the rest of it is skipped."""

    cause: _Cause
    outputs: tuple[_Output, ...] = ()
    dead: _DeadLetter | None = None


_decisions = msgspec.json.Decoder(_Decision)


class Counts:
    """The counters of one worker, from its start on."""

    def __init__(self) -> None:
        self.records: Counter[tuple[str, int]] = Counter()
        """By topic and partition: offsets that accepted entries passed."""
        self.quiet: Counter[int] = Counter()
        """By partition: counts that decided nothing."""
        self.taken: Counter[int] = Counter()
        """By partition: counts that decided something."""
        self.dead_letters: Counter[str] = Counter()
        """By code."""
        self.decisions: Counter[str] = Counter()
        """By type of what was said; a decision that says two things is one of each type."""
        self.void_entries = 0
        self.rebuilds = 0
        self.rounds = [0] * (len(BOUNDS_S) + 1)
        """Journal rounds by class; the last class has no upper bound."""
        self.rounds_s = 0.0
        self.recovery_s = 0.0
        """How long the last recovery took, from the beginning of the table to the last partition."""
        self.recovered_rows = 0
        """Rows of the table after it."""
        self._unreadable: Counter[int] = Counter()

    def journaled(self, partition: int, work: Work, seconds: float) -> None:
        """Count what an entry took and decided, once all that follows from it is done.

        Args:
            partition: Its partition.
            work: What is journaled in it.
            seconds: From the append to the last acknowledgement.
        """
        self.rounds[bisect_left(BOUNDS_S, seconds)] += 1
        self.rounds_s += seconds
        for run in work.runs:
            self.records[run.topic, partition] += run.end - run.start
        for encoded in work.decisions:
            self._count(partition, _decisions.decode(encoded))
        # A record that is split may be decided one entry before it is passed: a counter never goes back.
        quiet = self.records[topics.COUNTS, partition] - self.taken[partition] - self._unreadable[partition]
        self.quiet[partition] = max(self.quiet[partition], quiet)

    def recovered(self, seconds: float, rows: int) -> None:
        """Hear of the end of a recovery."""
        self.recovery_s, self.recovered_rows = seconds, rows

    def _count(self, partition: int, decision: _Decision) -> None:
        cause = decision.cause
        if decision.dead is not None:
            self.dead_letters[decision.dead.code] += 1
            self._unreadable[partition] += decision.dead.topic == topics.COUNTS
            return
        self.taken[partition] += cause.topic == topics.COUNTS and cause.value is not UNSET
        if decision.outputs:
            self.decisions.update(said.type for said in decision.outputs)
        else:
            self.decisions[SILENT if cause.tables is UNSET else BOOK_ADOPTED] += 1
