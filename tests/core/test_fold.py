"""The fold: any cut, any split, any owner and any shell decide the same."""

from itertools import product
from string import ascii_lowercase, digits

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
    ruled,
)
from drawn import worlds
from driving import Partition, entries_of
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.account import pack, row_hash, row_of_json, unpack
from schemas.errors import InvariantBroken
from schemas.instant import parse, text
from schemas.journal import MAX_ENTRY_BYTES, Cursor
from schemas.wire import Raw, canonical
from streams.core.decider import ROOT_MODULUS
from streams.core.fold import Fold
from streams.journaling import Chain, draft_of

both_times = pytest.mark.parametrize("time", ["records", "clock"])
TINY = 1
"""A cut after every decision."""


def whole(world, time, most=10**9, **how):
    records, _, until = world
    return Partition(time, **how).take(records, most).finish(until)


def begun(time="clock", *policies):
    """Return a stream that has a book and, by the clock, its first tick."""
    stream = Stream()
    stream.book(*policies)
    if time == "clock":
        stream.tick(day(0))
    return stream


# Cuts, splits and owners -------------------------------------------------------------------------


@both_times
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_resumed_after_any_entry_it_decides_as_if_it_had_never_stopped(time, data):
    world = records, books, until = data.draw(worlds(time))
    expected = whole(world, time)
    with entries_of(TINY):
        stopped = whole(world, time)
        assert stopped.decisions == expected.decisions
        assert stopped.published == expected.published
        for place, stand in enumerate(stopped.stands[:-1]):
            resumed = Partition.resumed(stand, time, books).take(records).finish(until)
            rest = stopped.works[place + 1 :]
            assert resumed.decisions == [decision for work in rest for decision in work.decisions]
            assert resumed.rows == stopped.rows
            assert resumed.works[-1].state_root == rest[-1].state_root
            assert resumed.works[-1].next_seq == rest[-1].next_seq


@both_times
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_any_split_into_runs_and_any_size_of_entries_decide_the_same(time, data):
    world = data.draw(worlds(time))
    expected = whole(world, time)
    most = data.draw(st.integers(1, 4))
    with entries_of(data.draw(st.sampled_from([TINY, 700, 2000, 10**6]))):
        split = whole(world, time, most, each_wake=data.draw(st.booleans()))
    assert split.decisions == expected.decisions
    assert split.published == expected.published
    assert split.rows == expected.rows
    assert split.works[-1].positions == expected.works[-1].positions


@both_times
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_entries_cover_the_records_without_gap_and_pass_none_that_is_unfinished(time, data):
    world = records, _, _ = data.draw(worlds(time))
    with entries_of(TINY):
        works = whole(world, time).works
    positions = dict.fromkeys(topics.INPUTS, 0)
    for work in works:
        for run in work.runs:
            assert run.start == positions[run.topic]
            positions[run.topic] = run.end
        assert positions == work.positions
        if work.after is not None and work.after.topic is not None:
            assert work.after.offset == positions[work.after.topic]
    assert positions == {topic: sum(of == topic for of, _ in records) for topic in topics.INPUTS}
    order = [
        (run.topic, offset) for work in works for run in work.runs for offset in range(run.start, run.end)
    ]
    assert order == [(topic, raw.offset) for topic, raw in records]


class Wakeful(Fold):
    """A fold without its fast path: it decides about every record."""

    def _next_awake(self, _topic, _records, index):
        return index


@both_times
@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_bands_change_nothing(time, data):
    world = data.draw(worlds(time))
    with entries_of(data.draw(st.sampled_from([TINY, 10**6]))):
        each_wake = data.draw(st.booleans())
        assert whole(world, time, each_wake=each_wake).works == (
            whole(world, time, kind=Wakeful, each_wake=each_wake).works
        )


@both_times
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_a_journal_of_a_world_is_a_chain_that_every_draft_follows(time, data):
    """The two machines agree: no draft of a fold is refused by the journal's own rules."""
    world = data.draw(worlds(time))
    with entries_of(data.draw(st.sampled_from([TINY, 10**6]))):
        partition = whole(world, time)
    chain = Chain(0, "test")
    for work in partition.works:
        chain.append(draft_of(partition.fold, work, writer="test"))
    assert chain.head.n == len(partition.works) - 1


# Rows and their root -----------------------------------------------------------------------------


@both_times
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_the_root_is_the_sum_over_the_rows_and_the_rows_are_canonical(time, data):
    with entries_of(TINY):
        stands = whole(data.draw(worlds(time)), time).stands
    for stand in stands:
        total = sum(int.from_bytes(row_hash(key, packed)) for key, packed in stand.rows.items())
        assert stand.work.state_root == f"{total % ROOT_MODULUS:064x}"
        for packed in stand.rows.values():
            assert pack(unpack(packed)) == packed


@both_times
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_the_decisions_alone_rebuild_the_rows_and_each_names_the_row_before(time, data):
    partition = whole(data.draw(worlds(time)), time)
    rows = {}
    for decision in partition.read:
        if decision["key"] is None:
            continue
        key = decision["key"].encode()
        before = row_hash(key, rows[key]).hex() if key in rows else None
        assert decision["before"] == before
        if decision.get("after", "same") is None:
            del rows[key]
        elif "after" in decision:
            rows[key] = pack(row_of_json(decision["after"]))
    assert rows == partition.rows


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
    assert partition.works[-1].publish[topics.STATUS] == ((key_of().encode(), None),)
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


# Laws over histories -----------------------------------------------------------------------------


def outputs_of(partition, account=None):
    """Return what was said, without the place in the topic."""
    said = [output for decision in partition.read for output in decision["outputs"]]
    return [
        {name: value for name, value in output.items() if name != "seq"}
        for output in said
        if account is None or output["account_id"] == account
    ]


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_other_accounts_change_nothing_for_an_account(data):
    records, _, until = data.draw(worlds("clock"))
    together = Partition("clock").take(records).finish(until)
    for account in ("acc-a", "acc-b"):
        alone = Partition("clock")
        for topic, raw in records:
            mine = topic in (topics.CLOCK, topics.BOOKS) or (raw.key or b"").endswith(account.encode())
            # What is not of the account keeps its offset as a hole.
            list(alone.fold.take(topic, [raw] if mine else [], raw.offset + 1))
        alone.finish(until)
        assert outputs_of(alone) == outputs_of(together, account)


@both_times
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_record_that_comes_twice_in_a_row_says_nothing_more(time, data):
    records, _, until = data.draw(worlds(time))
    doubled = Stream()
    for topic, raw in records:
        for _ in range(2):
            appended = raw.timestamp * 1000 if raw.timestamp >= 0 else None
            doubled.raw(topic, raw.value, (raw.key or b"").decode() or None, appended=appended)
    once = Partition(time).take(records).finish(until)
    twice = Partition(time).take(doubled.records).finish(until)
    assert outputs_of(twice) == outputs_of(once)


@both_times
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_account_gets_its_outputs_in_a_lawful_order(time, data):
    """No restriction without a notice and a deadline or a refusal; nothing after the end of an obligation."""
    partition = whole(data.draw(worlds(time)), time)
    open_, restricted = {}, set()
    for output in outputs_of(partition):
        who, kind, number = (
            (output["platform"], output["account_id"]),
            output["type"],
            output["obligation_id"],
        )
        if kind == "disclosure-required":
            assert who not in open_
            open_[who] = number
            continue
        assert open_[who] == number
        if kind == "restriction-imposed":
            restricted.add(who)
        if kind == "restriction-lifted":
            restricted.remove(who)
        ended = kind in ("disclosure-met", "disclosure-cancelled") and who not in restricted
        if ended or kind == "restriction-lifted":
            del open_[who]
    assert len({output["id"] for output in outputs_of(partition)}) == len(outputs_of(partition))


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
    stream = begun("clock", policy_tables(), policy_tables(platform="bilibili"))
    for account, platform in (("b", PLATFORM), ("a-a", PLATFORM), ("a", "bilibili"), ("a_a", PLATFORM)):
        stream.add(count_of(account_id=f"acc-{account}", platform=platform))
    stream.book(policy_tables(version="2", phase=[phase_tables(threshold=5000)]))
    partition = Partition("clock").take(stream.records).cut()
    last = [one["key"] for one in partition.read[-4:]]
    assert last == ["bilibili:acc-a", "weibo:acc-a-a", "weibo:acc-a_a", "weibo:acc-b"]
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
        list(partition.fold.take(topics.CLOCK, [stream.records[1][1]], 1))


def test_while_a_record_is_unfinished_no_other_topic_is_taken():
    stream = begun()
    for letter in "abc":
        stream.add(count_of(account_id=f"acc-{letter}"))
    partition = Partition("clock").take(stream.records).cut()
    stream.tick(day(10))
    with entries_of(TINY):
        stand = partition.take(stream.records).stands[1]
    assert stand.work.after == Cursor(topics.CLOCK, 1, text(day(10)), "weibo:acc-a", "deadline")
    resumed = Partition.resumed(stand, "clock", {stand.work.book: book_of()})
    with pytest.raises(InvariantBroken, match="unfinished"):
        list(resumed.fold.take(topics.COUNTS, [], 9))
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
    assert [len(work.decisions) for work in works if work.decisions] == [2, 1]
    seqs = [
        out["seq"] for work in works for one in work.decisions for out in msgspec.json.decode(one)["outputs"]
    ]
    assert seqs == [0, 0, 1, 1]


# What once went wrong ----------------------------------------------------------------------------


def test_resumed_in_the_dues_before_a_book_the_book_is_still_adopted():
    stream = Stream()
    at_once = phase_tables(grace={"deadline": text(day(0)), "min_days": 0})
    books = {book.hash: book for book in [stream.book(policy_tables(phase=[at_once]))]}
    stream.add(count_of(), count_of(account_id="acc-b"))
    second = stream.book(policy_tables(version="2"))
    books[second.hash] = second
    with entries_of(TINY):
        stopped = Partition("records").take(stream.records).finish(day(1))
        place = next(
            n for n, work in enumerate(stopped.works) if work.after and work.after.topic == topics.BOOKS
        )
        resumed = (
            Partition.resumed(stopped.stands[place], "records", books).take(stream.records).finish(day(1))
        )
    rest = [decision for work in stopped.works[place + 1 :] for decision in work.decisions]
    assert resumed.decisions == rest
    assert resumed.fold.book.hash == second.hash


@pytest.mark.parametrize("way", ["count", "hold"])
def test_no_record_can_ask_for_a_deadline_beyond_the_last_instant(way):
    last = parse("9999-12-31T23:59:59Z")
    if way == "count":
        stream = begun("records")
        stream.add(count_of(at=last))
    else:
        stream = begun()
        stream.add(count_of(), ruled("hold"), ruled("extend", until=last, event_id="e2"))
        stream.tick(day(1))
        stream.add(ruled("release", day(1)))
    Partition("records" if way == "count" else "clock").take(stream.records).cut()


def names_of(number):
    """Return so many names of subjects, as short as they can be."""
    return dict.fromkeys(
        ("".join(letters) for letters in list(product(ascii_lowercase + digits, repeat=3))[:number]), 0
    )


def test_no_records_make_an_entry_too_large():
    stream = begun()
    for letter in "abcd":
        stream.add(profile_said(account_id=f"acc-{letter}", subjects=names_of(4500)))
    stream.add(profile_said(account_id="acc-x", subjects=names_of(3100)))
    stream.add(profile_said(account_id="acc-z", subjects=names_of(8000)))
    partition = Partition("clock").take(stream.records).finish(day(0))
    chain = Chain(0, "test")
    sizes = [len(chain.append(draft_of(partition.fold, work))) for work in partition.works]
    assert max(sizes) <= MAX_ENTRY_BYTES


def test_several_books_in_one_entry_may_all_be_larger():
    stream = Stream()
    rules = [{"id": f"r{number}", "from": text(day(0)), "text": "x" * 990} for number in range(300)]
    for version in "123":
        stream.book(policy_tables(version=version, rule=rules))
    partition = Partition("clock").take(stream.records).cut()
    chain = Chain(0, "test")
    for work in partition.works:
        entry = chain.append(draft_of(partition.fold, work))
        assert len(entry) <= MAX_ENTRY_BYTES + work.book_bytes


@pytest.mark.parametrize("way", ["a phase begins", "a phase ends"])
def test_a_status_follows_when_an_account_is_confirming_and_when_no_more(way):
    begins = {"from": text(day(3))} if way == "a phase begins" else {"until": text(day(3))}
    stream = begun("records", policy_tables(confirm={"dwell_days": 5}, phase=[phase_tables(**begins)]))
    stream.add(count_of(at=day(0)))
    partition = Partition("records").take(stream.records).finish(day(4))
    last = msgspec.json.decode(partition.published[topics.STATUS][-1][1])
    assert last["stage"] == ("confirming" if way == "a phase begins" else "clear")
