"""The fold: time, forgetting, dead letters, books, and what a shell may not ask."""

import msgspec
import pytest
from builders import (
    PLATFORM,
    Stream,
    answered,
    book_of,
    count_of,
    day,
    display_said,
    key_of,
    phase_tables,
    policy_tables,
    profile_said,
)
from driving import TINY, Partition, begun, entries_of

from schemas import topics
from schemas.account import unpack
from schemas.errors import InvariantBroken
from schemas.instant import text
from schemas.journal import Cursor
from schemas.records import Records
from schemas.wire import Raw, canonical

# Forgetting ---------------------------------------------------------------------------------------


def test_a_row_of_low_counts_alone_is_forgotten_at_its_next_record_with_a_tombstone():
    stream = begun("records")
    stream.add(count_of(900, day(0)), count_of(100, day(1)))
    kept, gone = count_of(100, day(31)), count_of(100, day(31) + 1)
    stream.add(kept)
    partition = Partition("records").take(stream.records).cut()
    assert list(partition.rows) == [key_of().encode()]
    stream.add(gone)
    partition.take(stream.records).cut()
    assert partition.rows == {}
    assert partition.works[-1].publish[topics.STATUS] == ((key_of().encode(), None, ()),)
    assert partition.works[-1].state_root == "0" * 64
    assert partition.read[-1]["after"] is None
    assert [reason["code"] for reason in partition.read[-1]["reasons"]] == ["row-forgotten", "quiet"]


def test_a_forgotten_account_that_is_over_the_floor_again_starts_from_nothing():
    stream = begun("records")
    stream.add(count_of(900, day(0)), count_of(100, day(1)), count_of(900, day(40)))
    partition = Partition("records").take(stream.records).cut()
    row = unpack(partition.rows[key_of().encode()])
    assert row.days == ((day(40) // (day(1) - day(0)), 900),)
    assert [reason["code"] for reason in partition.read[-1]["reasons"]] == ["row-forgotten", "count-recorded"]


# Time --------------------------------------------------------------------------------------------


def test_records_move_time_and_it_stops_at_every_due_instant_on_its_way():
    stream = begun("records", policy_tables(phase=[phase_tables(grace={"reminders_days_before": [3]})]))
    stream.add(count_of(at=day(0)), count_of(0, day(20), account_id="acc-z"))
    partition = Partition("records").take(stream.records)
    assert day(20) == partition.fold.T
    partition.cut()
    decided = [(out["type"], out["decided_at"]) for one in partition.read for out in one["outputs"]][2:]
    assert decided == [
        ("grace-reminder", text(day(7))),
        ("grace-ended", text(day(10))),
        ("restriction-imposed", text(day(10))),
    ]


def test_a_tick_decides_what_fell_due_before_it_at_its_own_instant():
    stream = begun()
    stream.add(count_of(at=day(0)))
    stream.tick(day(20))
    partition = Partition("clock").take(stream.records).cut()
    last = partition.read[-1]["outputs"][-1]
    assert (last["effective_at"], last["decided_at"]) == (text(day(10)), text(day(20)))


@pytest.mark.parametrize(
    ("written", "appended", "kind", "T"),
    [
        (day(5), day(6), 1, day(5)),
        (day(6), day(5), 1, day(5)),
        (day(5), day(5), 0, day(1)),
        (day(5), None, 0, day(5)),
        (day(0), day(0), 1, day(1)),
        (day(5), 0, 1, day(1)),
    ],
)
def test_a_tick_moves_time_to_the_earlier_of_its_two_clocks_and_only_if_the_broker_stamped_it(
    written, appended, kind, T
):
    stream = begun()
    stream.tick(day(1))
    stamp = -1 if appended is None else appended // 1000
    stream.records.append((topics.CLOCK, Raw(2, None, canonical({"at": text(written)}), stamp, kind)))
    assert Partition("clock").take(stream.records).fold.T == T


def test_would_fire_says_whether_a_tick_decides_anything():
    stream = begun()
    stream.add(count_of(at=day(0)))
    fold = Partition("clock").take(stream.records).fold
    before, at = (Raw(9, None, canonical({"at": text(instant)})) for instant in (day(10) - 1, day(10)))
    assert (fold.would_fire(before), fold.would_fire(at)) == (False, True)
    assert not fold.would_fire(Raw(9, None, b"nonsense"))


def test_only_by_the_clock_an_instant_can_be_too_far_ahead():
    ahead = count_of(at=day(1) + 1)
    for time, letters in (("records", 0), ("clock", 1)):
        stream = begun(time)
        stream.add(count_of(at=day(0), account_id="acc-b"), count_of(at=day(1)), ahead)
        stream.add(answered("agree", day(1) + 1)) if time == "clock" else None
        partition = Partition(time).take(stream.records).cut()
        codes = [one["dead"]["code"] for one in partition.read if "dead" in one]
        assert codes == ["out-of-range"] * (2 * letters)


def test_before_the_first_book_counts_and_facts_decide_nothing_and_move_no_time():
    stream = Stream()
    stream.add(count_of(at=day(5)), profile_said(day(6)))
    stream.raw(topics.COUNTS, b"nonsense")
    partition = Partition("records").take(stream.records)
    stream.book()
    stream.add(count_of(at=day(3)))
    partition.take(stream.records).cut()
    assert day(3) == partition.fold.T
    assert [one["cause"]["topic"] for one in partition.read] == [topics.BOOKS, topics.COUNTS]


def test_a_dwell_that_ends_in_vain_does_not_hide_the_next_one():
    phases = [phase_tables(), phase_tables(id="later", threshold=500, **{"from": text(day(20))})]
    stream = begun("records", policy_tables(phase=phases, confirm={"dwell_days": 2}))
    stream.add(count_of(500, day(0)), count_of(1000, day(1)))
    partition = Partition("records").take(stream.records).finish(day(9))
    required = next(out for one in partition.read for out in one["outputs"])
    assert (required["phase"], required["decided_at"]) == ("p1", text(day(3)))


def test_the_end_of_a_history_can_be_gone_on_with():
    stream = begun("records")
    stream.add(*(count_of(account_id=f"acc-{letter}") for letter in "abc"))
    with entries_of(TINY):
        stopped = Partition("records").take(stream.records).finish(day(10))
    stand = next(stand for stand in stopped.stands if stand.work.after)
    assert stand.work.after == Cursor(None, None, text(day(10)), "weibo:acc-a", "deadline")
    resumed = Partition.resumed(stand, "records", {stand.work.book: book_of()})
    assert resumed.fold.unfinished
    resumed.finish(day(10))
    assert [account for account, kind in resumed.said if kind == "grace-ended"] == ["acc-b", "acc-c"]
    assert resumed.fold.unfinished is None


# Dead letters ------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_journaled_and_published_in_order_and_never_shown():
    stream = begun()
    stream.raw(topics.COUNTS, b'{"name": "secret"}', key_of())
    stream.raw(topics.FACTS, None, key_of())
    stream.add(count_of())
    stream.raw(topics.CLOCK, b"\xff")
    stream.raw(topics.BOOKS, b"[]")
    partition = Partition("clock").take(stream.records).cut()
    dead = [one["dead"] for one in partition.read if "dead" in one]
    assert [(one["topic"], one["offset"], one["code"]) for one in dead] == [
        (topics.COUNTS, 0, "unknown-field"),
        (topics.FACTS, 0, "null-value"),
        (topics.CLOCK, 1, "not-utf8"),
        (topics.BOOKS, 1, "wrong-type"),
    ]
    assert {one["at"] for one in dead} == {text(day(0))}
    assert partition.published[topics.DEAD_LETTERS] == [(None, canonical(one)) for one in dead]
    assert b"secret" not in b"".join(partition.decisions)


def test_a_record_that_cannot_be_read_moves_no_time():
    stream = begun("records")
    stream.add(count_of(at=day(0)))
    stream.raw(topics.COUNTS, canonical(count_of(at=day(9)).as_value()), "weibo:acc-other")
    partition = Partition("records").take(stream.records)
    assert day(0) == partition.fold.T


# Books -------------------------------------------------------------------------------------------


def test_a_new_book_is_decided_for_every_row_by_platform_and_account():
    stream = begun("clock", policy_tables(), policy_tables(platform="weibo2"))
    for account, platform in (("b", PLATFORM), ("a-a", PLATFORM), ("a", "weibo2"), ("a_a", PLATFORM)):
        stream.add(count_of(account_id=f"acc-{account}", platform=platform))
    stream.book(policy_tables(version="2", phase=[phase_tables(threshold=5000)]))
    partition = Partition("clock").take(stream.records).cut()
    last = [one["key"] for one in partition.read[-4:]]
    # Not the order of the keys: ":" is greater than "2".
    assert last == ["weibo:acc-a-a", "weibo:acc-a_a", "weibo:acc-b", "weibo2:acc-a"]
    whys = [out["why"] for one in partition.read for out in one["outputs"] if "why" in out]
    assert whys == ["policy-changed"] * 4


def test_the_same_book_again_leaves_no_trace():
    stream = begun()
    stream.add(count_of())
    before = len(Partition("clock").take(stream.records).cut().decisions)
    stream.book()
    assert len(Partition("clock").take(stream.records).cut().decisions) == before


def test_a_new_book_changes_who_sleeps():
    stream = begun()
    stream.add(count_of(300))
    stream.book(policy_tables(version="2", phase=[phase_tables(threshold=300)]))
    stream.add(count_of(300, event_id="again"))
    assert Partition("clock").take(stream.records).cut().said == [
        ("acc-a", "disclosure-required"),
        ("acc-a", "grace-started"),
    ]


# What a shell may not do -------------------------------------------------------------------------


def test_records_from_before_the_position_are_refused():
    stream = begun()
    partition = Partition("clock").take(stream.records)
    with pytest.raises(InvariantBroken, match="before its position"):
        list(partition.fold.take(topics.CLOCK, Records.of([stream.records[1][1]]), 1))


def test_while_a_record_is_unfinished_no_other_topic_is_taken():
    stream = begun()
    for letter in "abc":
        stream.add(count_of(account_id=f"acc-{letter}"))
    partition = Partition("clock").take(stream.records).cut()
    stream.tick(day(10))
    with entries_of(TINY):
        stand = next(stand for stand in partition.take(stream.records).stands if stand.work.after)
    assert stand.work.after == Cursor(topics.CLOCK, 1, text(day(10)), "weibo:acc-a", "deadline")
    resumed = Partition.resumed(stand, "clock", {stand.work.book: book_of()})
    with pytest.raises(InvariantBroken, match="unfinished"):
        list(resumed.fold.take(topics.COUNTS, Records.of([]), 9))
    assert [who for who, kind in resumed.take(stream.records).cut().said if kind == "grace-ended"] == [
        "acc-b",
        "acc-c",
    ]


def test_an_unfinished_tick_an_adoption_and_dues_before_a_record_are_gone_on_with():
    """The three kinds of unfinished record, each shown to occur (the worlds above draw them, too)."""
    dues = Stream()
    dues.book()
    dues.add(
        *(count_of(account_id=f"acc-{letter}") for letter in "abc"), count_of(0, day(15), account_id="acc-z")
    )
    adoption = begun("clock")
    adoption.add(*(count_of(account_id=f"acc-{letter}") for letter in "abc"))
    adoption.book(policy_tables(version="2", phase=[phase_tables(threshold=5000)]))
    for time, stream, topic in (("records", dues, topics.COUNTS), ("clock", adoption, topics.BOOKS)):
        with entries_of(TINY):
            works = Partition(time).take(stream.records).works
        cursors = [work.after for work in works if work.after is not None]
        assert [cursor.key for cursor in cursors] == ["weibo:acc-a", "weibo:acc-b", "weibo:acc-c"]
        assert {cursor.topic for cursor in cursors} == {topic}


def test_what_one_account_says_on_one_record_is_never_parted():
    stream = begun()
    stream.add(count_of(), display_said(True, day(0)))
    with entries_of(TINY):
        works = Partition("clock").take(stream.records).works
    assert [len(work.decisions) for work in works] == [1, 1, 1]
    seqs = [
        out["seq"] for work in works for one in work.decisions for out in msgspec.json.decode(one)["outputs"]
    ]
    assert seqs == [0, 0, 1, 1]
