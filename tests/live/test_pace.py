"""A history may pass at a pace: records are taken later, and in the same order."""

import json

import pytest
from harness import nameplate

from schemas import topics
from schemas.instant import DAY, SECOND, parse, text
from schemas.records import Raw, Records
from schemas.wire import canonical
from streams.core.decider import BEFORE_TIME
from streams.core.fold import Fold
from streams.live.intake import Merged, Pace, Piece
from streams.policies.load import load_book, shipped_book_dir

BEGAN = parse("2023-11-01T00:00:00Z")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_pace_begins_with_the_earliest_record_and_lets_days_pass(clock):
    pace = Pace(2.0, clock)
    assert pace.limit(BEGAN) == BEGAN
    clock.now += 0.5
    assert pace.limit(BEGAN + 5 * DAY) == BEGAN + DAY
    assert pace.limit(BEGAN - DAY) == BEGAN - DAY, "another partition begins earlier: it is waited for"


def test_what_has_no_instant_yet_does_not_begin_a_pace(clock):
    pace = Pace(1.0, clock)
    assert pace.limit(BEFORE_TIME) > BEFORE_TIME
    assert pace.limit(SECOND) == SECOND


def count(offset, day):
    value = {"event_id": f"c{offset}", "platform": "weibo", "account_id": "acc-a", "followers": offset}
    value["observed_at"] = text(BEGAN + day * DAY)
    return Raw(offset, b"weibo:acc-a", json.dumps(value).encode())


def merged(pace):
    """Return an intake with a book, and with counts of the days 0, 1, 1, 2 and 9."""
    fold = Fold(0, {}, "records")
    book = load_book(shipped_book_dir())
    value = canonical({"book": book.tables, "hash": book.hash})
    for _ in fold.take(topics.BOOKS, Records.of([Raw(0, None, value)]), 1):
        fold.settled()
    intake = Merged(fold, {topics.BOOKS: 1, topics.FACTS: 0, topics.COUNTS: 5}, pace)
    records = [count(offset, day) for offset, day in enumerate((0, 1, 1, 2, 9))]
    intake.offer(Piece(topics.COUNTS, Records.of(records), 5))
    return intake


def taken(intake):
    """Return the offsets that may be taken now."""
    found = []
    while (piece := intake.next()) is not None:
        found += [record.offset for record in piece.records]
    return found


def test_records_wait_for_their_instant_and_no_longer(clock):
    intake = merged(Pace(1.0, clock))
    assert taken(intake) == [0]
    clock.now += 0.999
    assert taken(intake) == []
    clock.now += 0.001
    assert taken(intake) == [1, 2]
    clock.now += 7.5
    assert taken(intake) == [3]
    assert not intake.at_end
    clock.now += 0.5
    assert taken(intake) == [4]
    assert intake.at_end


def test_without_a_pace_nothing_waits():
    assert taken(merged(Pace(None))) == [0, 1, 2, 3, 4]


def test_wall_time_has_its_own_pace():
    said = nameplate("worker", "--pace", "2", expect=2)
    assert "--pace is for histories" in said
