"""What the naive oracle says to the records of one partition, in the order in which its journal accepted them.

The oracle scans everything at every instant, so each account has a world of its own, and the ticks at which nothing
of it is due are passed at once: the oracle itself says when the next due is.
"""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import oracle
from oracle_book import FOR_GOOD, Phase, Policy
from oracle_inputs import read
from oracle_rows import Obligation, Row

Book = dict[str, Policy]


class Lawful(oracle.World):
    """The oracle's world of one account, with books that change."""

    def adopt(self, book: Book) -> None:
        """Look at everything again under a new book.

        Source:
            Contract, section 3: a new book ends what no phase in force stands for, also where the count was below
            before and kept. README, Decisions: a line that it brings has no history.
        """
        self.book = book
        if self.T is not None:
            self._arrive(self.T)
        for row in self.rows.values():
            row.policy = book[row.platform]
            lines = {(phase.threshold, phase.op) for phase in row.policy.phases}
            for line in lines - row.known_from.keys():
                row.known_from[line] = max(0, len(row.counts) - 1)
            self._look_at_the_end_of_a_phase(row, self.T)
            self._look_whether_a_duty_begins(row, self.T)

    def _take_count(self, key: tuple[str, str], record: dict[str, Any]) -> None:
        row = self.rows.get(key)
        before = len(row.counts) if row is not None else 0
        super()._take_count(key, record)
        row = self.rows.get(key)
        if row is not None and len(row.counts) > before:
            lines = {(phase.threshold, phase.op) for phase in row.policy.phases}
            row.known_from = {line: row.known_from.get(line, 0) for line in lines}

    def _plan_reminders(self, obligation: Obligation) -> None:
        (row,) = self.rows.values()
        obligation.phase = _now(row, obligation.phase)
        super()._plan_reminders(obligation)

    def _go_on(self, row: Row, reason: str) -> None:
        if row.obligation.stopped_by == [reason]:
            row.obligation.phase = _now(row, row.obligation.phase)
        super()._go_on(row, reason)


def _now(row: Row, phase: Phase) -> Phase:
    """Return a phase as the book of now has it: its name stays, its grace is that of today."""
    for one in row.policy.phases:
        if one.id == phase.id:
            return one
    return Phase(phase.id, phase.threshold, phase.op, 0, FOR_GOOD, None, 0, None, 0, [])


class Partition:
    """All accounts of one partition."""

    def __init__(self) -> None:
        self.T: int | None = None
        self.ticks: list[int] = []
        """All values of T, rising."""
        self.book: Book | None = None
        self.worlds: dict[tuple[str, str], Lawful] = {}
        self.dead: list[tuple[str, int, str]] = []
        """Topic, offset and code of what could not be read."""

    def tick(self, T: int) -> None:
        if self.T is None or T > self.T:
            self.T = T
            self.ticks.append(T)

    def adopt(self, book: Book) -> None:
        self.book = book
        for one in self.worlds.values():
            self._go_to_now(one)
            one.adopt(book)

    def take(self, topic: str, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Take a count or a fact."""
        assert self.book is not None
        parsed, code = _parsed(value)
        if not code:
            line = {"topic": topic, "value": parsed, "key": (key or b"").decode()}
            record, code, _ = read(line, self.book, self.T)
        if code:
            self.dead.append((topic, offset, code))
            return
        one = self.worlds.setdefault(
            (record["platform"], record["account_id"]), Lawful(self.book, clock=True)
        )
        self._go_to_now(one)
        one.take(record)

    def finish(self) -> None:
        for one in self.worlds.values():
            self._go_to_now(one)

    def _go_to_now(self, one: Lawful) -> None:
        """Let an account live to T, stopping at each tick at which something of it is due."""
        T = self.T
        if T is None:
            return
        if not one.rows:
            one.T = T  # nothing is known of it, so nothing of it is due
            return
        if one.T is not None:
            one._arrive(one.T)  # what a decision planned for its own T
            while (stop := one._next_stop(T)) is not None and stop <= T:
                reached = self.ticks[bisect_left(self.ticks, stop)]
                if reached <= one.T:
                    break
                one.go_to(reached)
            else:
                one.T = T  # nothing else is due
        if one.T != T:
            one.go_to(T)

    @property
    def outputs(self) -> Mapping[tuple[str, str, str], list[dict[str, Any]]]:
        """By topic and account, in order."""
        found: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
        for one in self.worlds.values():
            for output in one.outputs:
                found[output["topic"], output["platform"], output["account_id"]].append(output)
        return found


_json = json.JSONDecoder(parse_float=Decimal)


def _parsed(value: bytes | None) -> tuple[Any, str | None]:
    if value is None:
        return None, "null-value"
    try:
        return _json.decode(value.decode("utf-8")), None
    except UnicodeDecodeError:
        return None, "not-utf8"
    except ValueError:
        return None, "not-json"
