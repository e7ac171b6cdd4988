"""Counting by entries: however a stream is cut, the same numbers, and none that goes back."""

import json

import pytest
from builders import Stream, count_of, day, phase_tables, policy_tables, profile_said
from stories import history, lines_of

from schemas import topics
from schemas.instant import text
from schemas.records import Records
from streams.core import fold as folding
from streams.core.decider import BOOK_ADOPTED, SILENT
from streams.core.fold import Fold
from streams.live.counts import BOUNDS_S, Counts

PARTITION = 3


def counted(records, time="records"):
    """Return the counts of a stream, and what they were after each entry."""
    rows, counts, seen = {}, Counts(), []
    fold = Fold(PARTITION, rows, time)
    for topic, record in records:
        for work in (*_settling(fold, rows, fold.take(topic, Records.of([record]), record.offset + 1)),):
            counts.journaled(PARTITION, work, 0.02)
            seen.append((counts.quiet[PARTITION], counts.taken[PARTITION]))
    for work in _settling(fold, rows, [fold.last_cut()]):
        counts.journaled(PARTITION, work, 100)
        seen.append((counts.quiet[PARTITION], counts.taken[PARTITION]))
    return counts, seen


def _settling(fold, rows, works):
    for work in works:
        rows.update((key, packed) for key, packed in work.rows if packed is not None)
        fold.settled()
        yield work


def story():
    """Return a stream with records of every kind: taken, quiet, dead, silent, and several said by one decision."""
    stream = Stream()
    stream.book(policy_tables(phase=[phase_tables(grace={"deadline": text(day(2)), "min_days": 0})]))
    stream.add(profile_said(day(0)), count_of(at=day(0)), count_of(at=day(0)))
    stream.add(count_of(at=day(2), account_id="acc-late"))  # due at once: in small entries it is split
    stream.add(count_of(at=day(3)))
    stream.add(count_of(1, day(3), account_id="acc-quiet"))
    stream.raw(topics.COUNTS, b"{", None)
    stream.raw(topics.FACTS, None, None)
    return stream.records


def never_goes_back(seen):
    return all(list(column) == sorted(column) for column in zip(*seen, strict=True))


@pytest.mark.parametrize("size", [1, 10**6])
def test_every_record_and_decision_is_counted_once_however_entries_are_cut(size, monkeypatch):
    monkeypatch.setattr(folding, "FULL_BYTES", size)
    counts, seen = counted(story())
    assert counts.records == {
        (topics.BOOKS, PARTITION): 1, (topics.FACTS, PARTITION): 2, (topics.COUNTS, PARTITION): 6
    }  # fmt: skip
    assert counts.dead_letters == {"not-json": 1, "null-value": 1}
    assert counts.taken[PARTITION] == 3
    assert counts.quiet[PARTITION] + counts.taken[PARTITION] + 1 == 6
    assert counts.decisions[BOOK_ADOPTED] == 1
    assert counts.decisions[SILENT] >= 1
    assert counts.decisions["disclosure-required"] == counts.decisions["grace-started"] == 2
    assert counts.decisions["grace-ended"] == counts.decisions["restriction-imposed"] == 2
    assert never_goes_back(seen)
    assert sum(counts.rounds) == len(seen)
    assert counts.rounds[BOUNDS_S.index(0.025)] == len(seen) - 1
    assert counts.rounds[-1] == 1


def test_a_long_history_is_counted_the_same_in_small_and_in_large_entries(monkeypatch):
    stream = Stream()
    stream.book()
    for line in lines_of(history(records=300, days=60)):
        stream.raw(line.topic, line.value, line.key.decode())
    large, _ = counted(stream.records)
    monkeypatch.setattr(folding, "FULL_BYTES", 1)
    small, seen = counted(stream.records)
    for name in ("records", "quiet", "taken", "dead_letters", "decisions"):
        assert getattr(small, name) == getattr(large, name), name
    assert never_goes_back(seen)
    assert small.taken[PARTITION]
    assert json.dumps(small.decisions)  # plain numbers by plain names
