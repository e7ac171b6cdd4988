"""A partition in memory: drives a fold as every shell does, and keeps what came of it."""

from collections.abc import Iterable
from contextlib import contextmanager
from itertools import groupby
from typing import NamedTuple

import msgspec
import pytest
from builders import Stream, day

from schemas import records as raw_records
from schemas import topics
from schemas.instant import parse
from schemas.policy import PolicyBook
from schemas.wire import Raw, canonical
from streams.core import fold as folding
from streams.core.decider import Time
from streams.core.fold import Fold, Work

TINY = 1
"""Bytes of an entry: a cut after every decision."""

Records = Iterable[tuple[str, Raw]]


class Stand(NamedTuple):
    """Where a partition stood after an entry: what a new owner has."""

    work: Work
    rows: dict[bytes, bytes]
    next_entry: int


class Partition:
    """Rows in a dict, one fold, and every Work, settled at once.

    Args:
        time: What moves T.
        kind: The fold's class.
        each_wake: As the fold takes it.
    """

    def __init__(self, time: Time, kind: type[Fold] = Fold, *, each_wake: bool = False) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.fold = kind(0, self.rows, time, each_wake=each_wake)
        self.works: list[Work] = []
        self.stands: list[Stand] = []

    @classmethod
    def resumed(cls, stand: Stand, time: Time, books: dict[str, PolicyBook]) -> "Partition":
        """Return a new owner of a partition: all it knows is the last entry and its rows."""
        partition, work = cls(time), stand.work
        partition.rows.update(stand.rows)
        partition.fold.restore(
            T=parse(work.T) if work.T is not None else None,
            positions=work.positions,
            next_seq=work.next_seq,
            root=int(work.state_root, 16),
            next_entry=stand.next_entry,
            after=work.after,
        )
        if work.book is not None:
            for _ in partition.fold.using(books[work.book], work.after):
                pass
        return partition

    def take(self, records: Records, most: int = 10**9) -> "Partition":
        """Take records in their order, in runs of at most so many; those before its positions are passed over."""
        ahead = [(topic, raw) for topic, raw in records if raw.offset >= self.fold.positions[topic]]
        for topic, group in groupby(ahead, key=lambda pair: pair[0]):
            raws = [raw for _, raw in group]
            for start in range(0, len(raws), most):
                run = raws[start : start + most]
                self.settle(self.fold.take(topic, raw_records.Records.of(run), run[-1].offset + 1))
        return self

    def finish(self, until: int | None) -> "Partition":
        """Move T to the end of the history, and make the last entry."""
        if until is not None:
            self.settle(self.fold.finish(until))
        self.settle([self.fold.last_cut()])
        return self

    def cut(self) -> "Partition":
        """Make an entry of what is there."""
        work = self.fold.cut()
        if work is not None:
            self.settle([work])
        return self

    def settle(self, works: Iterable[Work]) -> None:
        """Take every Work as journaled, its rows written."""
        for work in works:
            for key, packed in work.rows:
                if packed is None:
                    self.rows.pop(key, None)
                else:
                    self.rows[key] = packed
            self.fold.settled()
            self.works.append(work)
            self.stands.append(Stand(work, dict(self.rows), self.fold.next_entry))

    @property
    def decisions(self) -> list[bytes]:
        """All decisions, in order."""
        return [decision for work in self.works for decision in work.decisions]

    @property
    def read(self) -> list[dict]:
        """All decisions, decoded."""
        return [msgspec.json.decode(decision) for decision in self.decisions]

    @property
    def published(self) -> dict[str, list[tuple[bytes | None, bytes | None]]]:
        """What was published by topic; of a status not the entry that holds it, which cuts may change."""
        out: dict[str, list[tuple[bytes | None, bytes | None]]] = {}
        for work in self.works:
            for topic, records in work.publish.items():
                for key, value, _ in records:
                    kept = _without_entry(value) if topic == topics.STATUS else value
                    out.setdefault(topic, []).append((key, kept))
        return out

    @property
    def said(self) -> list[tuple[str, str]]:
        """Account and type of every output, in the order of the decisions."""
        return [(out["account_id"], out["type"]) for one in self.read for out in one["outputs"]]


def _without_entry(value: bytes | None) -> bytes | None:
    if value is None:
        return None
    status = msgspec.json.decode(value)
    del status["entry"]
    return canonical(status)


@contextmanager
def entries_of(size: int):
    """Cut every entry as soon as its decisions are larger than so many bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folding, "FULL_BYTES", size)
        yield


def begun(time: Time = "clock", *policies: dict) -> Stream:
    """Return a stream that has a book and, by the clock, its first tick."""
    stream = Stream()
    stream.book(*policies)
    if time == "clock":
        stream.tick(day(0))
    return stream
