"""What a worker counts: plain integers, moved once per journal entry and never per record.

Everything here is derived from entries that were accepted and done with: while no worker dies, the numbers of all
of them together are the journal's. Only the main thread writes; who reads in another thread copies a dict first.
"""

from bisect import bisect_left
from collections import Counter

from schemas import topics
from streams.core.fold import Work

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the classes of journal times; an entry takes some 10 ms on a healthy broker."""


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
        taken, told, dead = work.tally
        self.taken[partition] += taken
        self.decisions.update(told)
        self.dead_letters.update(code for _, code in dead)
        self._unreadable[partition] += sum(topic == topics.COUNTS for topic, _ in dead)
        # A record that is split may be decided one entry before it is passed: a counter never goes back.
        quiet = self.records[topics.COUNTS, partition] - self.taken[partition] - self._unreadable[partition]
        self.quiet[partition] = max(self.quiet[partition], quiet)

    def recovered(self, seconds: float, rows: int) -> None:
        """Hear of the end of a recovery."""
        self.recovery_s, self.recovered_rows = seconds, rows
