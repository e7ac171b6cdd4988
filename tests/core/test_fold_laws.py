"""Laws of the fold over drawn histories: any cut, any split, any owner and any shell decide the same."""

import pytest
from builders import Stream, count_of, day, phase_tables, policy_tables, profile_said
from drawn import worlds
from driving import TINY, Partition, begun, entries_of
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.account import pack, row_hash, row_of_json, unpack
from schemas.instant import text
from schemas.records import Records
from streams.core.decider import ROOT_MODULUS
from streams.core.fold import Fold
from streams.journaling import Chain, draft_of

both_times = pytest.mark.parametrize("time", ["records", "clock"])


def whole(world, time, most=10**9, **how):
    records, _, until = world
    return Partition(time, **how).take(records, most).finish(until)


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


def edges():
    """Yield what a fast path could pass over: name, time, stream and the instant at which its history ends."""
    for time in ("records", "clock"):
        stream = begun(time)
        stream.add(count_of(900, day(0.5)))
        stream.tick(day(1)) if time == "clock" else None
        stream.add(count_of(900, day(1)))
        yield "the daily sample at midnight itself", time, stream
        stream = begun(time)
        stream.add(count_of(900, day(0)), count_of(100, day(0)))
        stream.tick(day(30) + 1) if time == "clock" else stream.add(
            profile_said(day(30) + 1, account_id="acc-z")
        )
        stream.add(count_of(100, day(1)))
        yield "a row that is old enough to be forgotten", time, stream
    stream = begun("records")
    stream.add(
        count_of(at=day(0)),
        count_of(0, day(10), account_id="acc-z"),
        count_of(0, day(11), account_id="acc-z"),
    )
    yield "a quiet count at the instant of a deadline", "records", stream
    stream = begun(
        "records", policy_tables(phase=[phase_tables(grace={"deadline": text(day(0)), "min_days": 0})])
    )
    stream.add(
        count_of(at=day(0)), count_of(0, day(0), account_id="acc-z"), count_of(0, day(1), account_id="acc-z")
    )
    yield "a quiet count while something is due already", "records", stream


@pytest.mark.parametrize(
    ("time", "stream"), [pytest.param(*edge[1:], id=" ".join(edge[:2])) for edge in edges()]
)
def test_the_fast_path_stops_at_the_very_edge(time, stream):
    fast, slow = (
        Partition(time, kind, each_wake=True).take(stream.records).finish(None) for kind in (Fold, Wakeful)
    )
    assert fast.works == slow.works
    assert len(fast.works) > 2  # the book, the first count, and what stands at the edge


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


@both_times
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_the_open_duties_are_those_of_the_rows_for_whoever_comes_to_own_them(time, data):
    records, books, _ = data.draw(worlds(time))
    partition = Partition(time)
    for record in records:
        partition.take([record]).cut()
        open_duties = sum(unpack(packed).obligation is not None for packed in partition.rows.values())
        assert partition.fold.decider.open_duties == open_duties
    owner = Partition.resumed(partition.stands[-1], time, books)
    assert owner.fold.decider.open_duties == open_duties


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
            alone.settle(alone.fold.take(topic, Records.of([raw] if mine else []), raw.offset + 1))
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
