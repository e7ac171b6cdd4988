"""What stands in an entry, when one is cut, and how a new owner goes on from it."""

import pytest
from builders import Stream, book_of, count_of, day, display_said, key_of, phase_tables, policy_tables
from driving import TINY, Partition, begun, entries_of

from schemas import topics
from schemas.digest import digest_of
from schemas.errors import InvariantBroken
from schemas.instant import text
from schemas.records import Records
from streams.core.decider import BEFORE_TIME, BOOK_ADOPTED, SILENT
from streams.core.fold import Fold, Tally

NAMES = [{"account_id": f"acc-{letter}"} for letter in "abc"]


def three(time="clock"):
    """Return a stream in which three accounts are told on one day, and the decisions of it."""
    stream = begun(time)
    stream.add(*(count_of(**name) for name in NAMES))
    return stream


def sizes(works):
    return [len(work.decisions) for work in works]


# When an entry is cut --------------------------------------------------------------------------------


def test_a_fold_cuts_no_entry_by_itself_while_it_is_not_full():
    fold, stream = Fold(0, {}, "clock"), three()
    taken = {topic: [raw for of, raw in stream.records if of == topic] for topic in topics.INPUTS}
    assert list(fold.take(topics.CLOCK, Records.of(taken[topics.CLOCK]), 1)) == []
    assert (fold.next_entry, fold.has_decisions, fold.has_work) == (0, False, True)
    works = list(
        fold.take(topics.BOOKS, Records.of(taken[topics.BOOKS]), 1)
    )  # a book stands in an entry of its own
    assert sizes(works) == [1]
    for start, end in ((0, 2), (2, 3)):
        assert list(fold.take(topics.COUNTS, Records.of(taken[topics.COUNTS][start:end]), end)) == []
    assert sizes([fold.cut()]) == [3]


def test_a_fold_that_cuts_after_each_wake_cuts_for_no_quiet_record():
    stream = begun("records")
    stream.add(count_of(900), count_of(10, account_id="acc-z"), count_of(1000, day(0.5)))
    partition = Partition("records", each_wake=True).take(stream.records)
    assert sizes(partition.works) == [1, 1, 1]
    assert [[(run.start, run.end) for run in work.runs] for work in partition.works] == [
        [(0, 1)],
        [(0, 1)],
        [(1, 3)],
    ]


def test_an_entry_that_is_just_full_is_not_cut_and_one_byte_more_cuts_it():
    by_record = Partition("clock").take(three().records).cut().works[-1].decisions
    assert len({len(one) for one in by_record}) == 1
    size = len(by_record[0])
    for full, cuts in ((2 * size, [3]), (2 * size - 1, [2, 1])):
        with entries_of(full):
            assert sizes(Partition("clock").take(three().records).cut().works[1:]) == cuts


@pytest.mark.parametrize("ends", ["by a tick", "by the end of a history"])
def test_what_falls_due_at_one_instant_is_cut_where_an_entry_is_full(ends):
    def partition():
        stream = three("clock" if ends == "by a tick" else "records")
        found = Partition("clock" if ends == "by a tick" else "records").take(stream.records).cut()
        before = len(found.works)
        if ends == "by a tick":
            stream.tick(day(10))
            found.take(stream.records).cut()
        else:
            found.finish(day(10))
        return found.works[before:]

    whole = partition()
    assert sizes(whole) == [3]
    size = len(whole[0].decisions[0])
    for full, cuts in ((size - 1, [1, 1, 1]), (size, [2, 1]), (2 * size, [3])):
        with entries_of(full):
            parts = partition()
        assert [count for count in sizes(parts) if count] == cuts
        assert [one for work in parts for one in work.decisions] == list(whole[0].decisions)


def test_what_was_decided_under_a_book_stands_in_no_entry_of_the_next_one():
    stream = three()
    first = book_of()
    second = stream.book(policy_tables(version="2", phase=[phase_tables(threshold=5000)]))
    works = Partition("clock").take(stream.records).cut().works
    assert [(work.book, len(work.decisions)) for work in works] == [
        (first.hash, 1),
        (first.hash, 3),
        (second.hash, 4),
    ]


def test_the_size_of_a_book_does_not_make_an_entry_full():
    stream = three()
    stream.book(policy_tables(version="2", phase=[phase_tables(threshold=5000)]))
    whole = Partition("clock").take(stream.records).cut().works[-1].decisions
    of_rows = sum(map(len, whole[1:]))
    for full, cuts in ((of_rows, [1, 4]), (of_rows - len(whole[-1]) - 1, [1, 3, 1])):
        with entries_of(full):
            found = Partition("clock").take(stream.records).cut()
        assert [len(work.decisions) for work in found.works if work.book != book_of().hash] == cuts[1:]


def test_nothing_taken_makes_no_entry_and_a_quiet_run_one_without_decisions():
    stream = three()
    partition = Partition("clock").take(stream.records).cut()
    fold = partition.fold
    assert fold.cut() is None
    stream.add(count_of(10, account_id="acc-z"))
    partition.take(stream.records)
    assert (fold.has_work, fold.has_decisions) == (True, False)
    work = partition.cut().works[-1]
    assert (work.decisions, work.rows, work.publish, len(work.runs)) == ((), (), {}, 1)
    list(fold.finish(day(10)))  # decisions without a record
    assert (fold.has_work, fold.has_decisions) == (True, True)


# What stands in it -----------------------------------------------------------------------------------


def test_the_runs_of_an_entry_name_every_record_and_only_ticks_with_their_time():
    stream = three()
    for at in (day(1), day(10), day(11)):
        stream.tick(at)
    with entries_of(TINY):
        works = Partition("clock").take(stream.records).cut().works
    found = {topic: [raw for of, raw in stream.records if of == topic] for topic in topics.INPUTS}
    for topic in (topics.CLOCK, topics.BOOKS, topics.COUNTS):
        runs = [run for work in works for run in work.runs if run.topic == topic]
        for run in runs:
            records = found[topic][run.start : run.end]
            assert run.digest == digest_of(records, with_time=topic == topics.CLOCK)
        assert [run.start for run in runs] + [len(found[topic])] == [0] + [run.end for run in runs]


def test_an_entry_before_any_time_and_any_book_names_none():
    stream = Stream()
    stream.raw(topics.CLOCK, b"nonsense")
    work = Partition("clock").take(stream.records).cut().works[0]
    assert (work.T, work.book, len(work.decisions)) == (None, None, 1)


def test_a_status_names_the_number_of_its_entry():
    stream = three()
    with entries_of(TINY):
        partition = Partition("clock").take(stream.records).cut()
    numbers = [
        int(value.partition(b'"entry":')[2].partition(b",")[0])
        for work in partition.works
        for _, value, _ in work.publish.get(topics.STATUS, ())
    ]
    assert numbers == [1, 2, 3]
    assert partition.fold.next_entry == len(partition.works) == 4


def test_an_entry_counts_what_it_took_said_and_could_not_read():
    stream = begun("clock")
    stream.add(count_of(), count_of(400, account_id="acc-q"), display_said(True, account_id="acc-z"))
    stream.raw(topics.COUNTS, b"{}")
    tallies = [work.tally for work in Partition("clock").take(stream.records).cut().works]
    assert tallies == [
        Tally(taken=0, said=(BOOK_ADOPTED,), dead=()),
        Tally(
            taken=1,  # the second is of nobody who is watched
            said=("disclosure-required", "grace-started", SILENT),
            dead=((topics.COUNTS, "missing-field"),),
        ),
    ]


# A new owner -----------------------------------------------------------------------------------------


def test_a_new_owner_of_a_partition_without_entries_begins_as_the_first_one():
    fold = Fold(0, {}, "clock")
    fold.restore(T=None, positions={}, next_seq={}, root=0, next_entry=0, after=None)
    assert (fold.T, fold.book, fold.unfinished) == (BEFORE_TIME, None, None)
    assert fold.positions == dict.fromkeys(topics.INPUTS, 0)


def test_a_new_owner_writes_the_entries_that_the_old_one_would_have_written():
    stream = three()
    old = Partition("clock").take(stream.records).cut()
    new = Partition.resumed(old.stands[-1], "clock", {book_of().hash: book_of()})
    stream.add(count_of(0, day(0.5)), count_of(1500, day(0.5), account_id="acc-d"))
    stream.tick(day(10))
    before = len(old.works)
    assert new.take(stream.records).cut().works == old.take(stream.records).cut().works[before:]


@pytest.mark.parametrize("T", [day(10), day(20)])
@pytest.mark.parametrize("record", ["a quiet count", "a display", "a book"])
def test_what_an_entry_left_due_fires_before_any_record(T, record):
    partition = Partition("clock").take(three().records).cut()
    stand = partition.stands[-1]
    late = stand._replace(work=stand.work._replace(T=text(T)))
    stream = three()
    match record:
        case "a quiet count":
            stream.add(count_of(10, day(9), account_id="acc-z"))
        case "a display":
            stream.add(display_said(True, day(9), **NAMES[0]))
        case "a book":
            stream.book(policy_tables(version="2"))
    resumed = Partition.resumed(late, "clock", {book_of().hash: book_of()}).take(stream.records).cut()
    imposed = [(name["account_id"], "restriction-imposed") for name in NAMES]
    assert [out for out in resumed.said if out[1] == "restriction-imposed"] == imposed
    book_bytes = [len(one) for one in resumed.decisions if b'"tables"' in one]
    assert [work.book_bytes for work in resumed.works] == (book_bytes or [0])


def test_resumed_after_the_last_due_of_a_quiet_record_it_is_finished():
    stream = three("records")
    stream.add(count_of(10, day(15), account_id="acc-z"))
    with entries_of(TINY):
        stopped = Partition("records").take(stream.records)
    stand = stopped.stands[-1]
    assert stand.work.after.key == key_of("acc-c")
    resumed = Partition.resumed(stand, "records", {book_of().hash: book_of()}).take(stream.records).cut()
    assert resumed.fold.unfinished is None
    assert resumed.said == []
    assert day(15) == resumed.fold.T


def test_resumed_at_the_begin_of_a_phase_it_begins_for_the_accounts_that_are_left():
    stream = begun("clock", policy_tables(phase=[phase_tables(**{"from": text(day(3))})]))
    stream.add(*(count_of(**name) for name in NAMES))
    stream.tick(day(3))
    with entries_of(TINY):
        stopped = Partition("clock").take(stream.records).cut()
    stand = next(stand for stand in stopped.stands if stand.work.after)
    assert (stand.work.after.key, stand.work.after.kind) == (key_of("acc-a"), "phase-begin")
    book = stream.book(policy_tables(phase=[phase_tables(**{"from": text(day(3))})]))
    resumed = Partition.resumed(stand, "clock", {book.hash: book}).take(stream.records).cut()
    assert [who for who, kind in resumed.said if kind == "grace-started"] == ["acc-b", "acc-c"]


def test_resumed_in_the_dues_after_an_adoption_nobody_is_looked_at_again():
    stream = begun("clock", policy_tables(phase=[phase_tables(subjects=["law"])]))
    stream.add(count_of(1000, day(-9)), count_of(1000, **NAMES[1]))  # long enough ago, and just now
    at_once = phase_tables(grace={"deadline": text(day(0)), "min_days": 0})
    book = stream.book(policy_tables(phase=[at_once], confirm={"dwell_days": 2}))
    with entries_of(TINY):
        stopped = Partition("clock").take(stream.records).cut()
    last = next(stand for stand in stopped.stands if stand.work.after and stand.work.after.kind == "deadline")
    resumed = Partition.resumed(last, "clock", {book.hash: book}).take(stream.records).cut()
    assert (resumed.decisions, resumed.fold.unfinished) == ([], None)


@pytest.mark.parametrize("way", ["another topic", "no record", "a later record", "no record of another"])
def test_while_a_record_is_unfinished_nothing_else_is_taken(way):
    stream = three()
    partition = Partition("clock").take(stream.records).cut()
    stream.tick(day(10))
    stream.tick(day(11))
    with entries_of(TINY):
        stand = next(stand for stand in partition.take(stream.records).stands if stand.work.after)
    fold = Partition.resumed(stand, "clock", {book_of().hash: book_of()}).fold
    ticks = [raw for topic, raw in stream.records if topic == topics.CLOCK]
    asked = {
        "another topic": (topics.FACTS, ticks[1:2]),
        "no record": (topics.CLOCK, []),
        "a later record": (topics.CLOCK, ticks[2:]),
        "no record of another": (topics.FACTS, []),
    }
    with pytest.raises(InvariantBroken, match="unfinished"):
        list(fold.take(asked[way][0], Records.of(asked[way][1]), 9))
    list(fold.take(topics.CLOCK, Records.of(ticks[1:]), 3))
