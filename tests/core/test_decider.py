"""Rows, bands and statuses of one partition: what it keeps, and what it leaves without a trace."""

import msgspec
import pytest
from builders import (
    OTHER_PLATFORM,
    Stream,
    book_of,
    count_of,
    day,
    display_said,
    fact_of,
    key_of,
    obligation_of,
    phase_tables,
    policy_tables,
    profile_said,
    row_of,
    ruled,
)
from driving import Partition, begun

from schemas import topics
from schemas.account import pack, row_hash, row_of_json
from schemas.errors import InvariantBroken
from schemas.instant import text
from schemas.reasons import reason
from schemas.wire import canonical
from streams.core.decider import Decider

DWELL = {"confirm": {"dwell_days": 2}}


def test_before_any_book_nothing_can_be_decided_and_nobody_is_watched():
    decider = Decider(0, {}, "clock")
    with pytest.raises(InvariantBroken, match="before any policy book"):
        decider.decide(key_of(), count_of(), {})
    assert decider.status_now(key_of().encode(), 5) == (key_of().encode(), None)
    assert decider.open_duties == 0


def test_a_status_can_be_written_again_as_the_row_is_now():
    stream = begun("clock", policy_tables(**DWELL))
    stream.add(count_of(at=day(0)))
    partition = Partition("clock").take(stream.records).cut()
    key, value = partition.fold.decider.status_now(key_of().encode(), 7)
    (said,) = [said for of, said, _ in partition.works[-1].publish[topics.STATUS] if of == key]
    assert msgspec.json.decode(value) == {**msgspec.json.decode(said), "entry": 7}
    assert msgspec.json.decode(value)["stage"] == "confirming"
    for stranger in (b"weibo:acc-z", b"no key", b"\x80", b""):  # anybody can write one into the topic
        assert partition.fold.decider.status_now(stranger, 7) == (stranger, None)


def test_the_size_of_an_entry_is_that_of_its_decisions_without_a_book():
    stream = Stream()
    stream.book()
    stream.add(count_of(), count_of(account_id="acc-b"))
    partition = Partition("records").take(stream.records)
    assert partition.fold.decider.bytes == sum(map(len, partition.fold.decider.decisions))
    partition.cut()
    assert [work.book_bytes for work in partition.works] == [len(partition.works[0].decisions[0]), 0]


# The rows --------------------------------------------------------------------------------------------


def test_a_band_is_kept_of_each_row_and_of_nothing_else():
    stream = begun("records", policy_tables(), policy_tables(platform=OTHER_PLATFORM))
    stream.add(
        count_of(900),
        count_of(799, account_id="acc-b"),
        fact_of("answer-given", answer="agree", account_id="acc-c", platform=OTHER_PLATFORM),
        count_of(799, account_id="acc-c"),
    )
    partition = Partition("records").take(stream.records)
    assert set(partition.fold.decider.bands) == {b"weibo:acc-a", b"bilibili:acc-c"}
    stream.add(count_of(10, day(0.5)), count_of(0, day(60)))  # below, then forgotten
    partition.take(stream.records)
    assert set(partition.fold.decider.bands) == {b"bilibili:acc-c"}
    stream.book()
    partition.take(stream.records)
    assert partition.fold.decider.bands == {}


def test_a_row_that_changed_since_the_last_entry_is_there_once_and_a_forgotten_one_is_not():
    stream = begun("records")
    stream.add(count_of(900), count_of(900, account_id="acc-b"))
    partition = Partition("records").take(stream.records).cut()
    stream.add(count_of(901, day(1)), count_of(10, day(1), account_id="acc-b"))
    partition.take(stream.records)
    assert sorted(partition.fold.decider.keys()) == [b"weibo:acc-a", b"weibo:acc-b"]
    stream.add(count_of(9, day(60), account_id="acc-b"))
    partition.take(stream.records)
    assert partition.fold.decider.keys() == [b"weibo:acc-a"]


def test_the_duties_that_are_open_are_counted():
    stream = begun()
    stream.add(*(count_of(account_id=f"acc-{letter}") for letter in "abc"), count_of(900, account_id="acc-d"))
    partition = Partition("clock").take(stream.records)
    assert partition.fold.decider.open_duties == 3
    stream.add(display_said(True, account_id="acc-a"), count_of(0, account_id="acc-b"))
    assert partition.take(stream.records).cut().fold.decider.open_duties == 1
    resumed = Partition.resumed(partition.stands[-1], "clock", {book_of().hash: book_of()})
    assert resumed.fold.decider.open_duties == 1


def test_the_root_is_the_sum_of_the_rows_to_the_256th_power_of_two():
    roots = []
    for number in range(1, 6):
        stream = begun()
        stream.add(*(count_of(account_id=f"acc-{letter}") for letter in "abcde"[:number]))
        partition = Partition("clock").take(stream.records).cut()
        leaves = [int.from_bytes(row_hash(key, packed)) for key, packed in partition.rows.items()]
        assert partition.fold.decider.root == sum(leaves) % 2**256
        roots.append(partition.fold.decider.root)
    assert max(roots) >= 2**255


def test_a_decision_names_the_row_before_it():
    stream = begun()
    stream.add(count_of(900), count_of(1000, event_id="e2"))
    first, second = Partition("clock").take(stream.records).cut().read[-2:]
    assert first["before"] is None
    before = pack(row_of_json(first["after"]))
    assert second["before"] == row_hash(key_of().encode(), before).hex()


def test_what_is_settled_is_kept_in_the_view_alone():
    stream = begun()
    stream.add(count_of())
    partition = Partition("clock").take(stream.records)
    assert partition.fold.decider.keys() == [b"weibo:acc-a"]
    partition.cut().rows.clear()
    assert partition.fold.decider.keys() == []


# What leaves no trace ----------------------------------------------------------------------------------


def last_decided(partition):
    """Return what was decided of which account in the last entry."""
    found = [msgspec.json.decode(one) for one in partition.works[-1].decisions]
    return [(one["key"].removeprefix("weibo:"), one["cause"].get("kind", "")) for one in found if one["key"]]


def test_a_book_that_changes_nothing_leaves_a_trace_only_where_a_row_may_be_confirming():
    stream = begun("records", policy_tables(**DWELL))
    names = ("confirming", "grace", "displayed", "waived", "low")
    ids = {name: {"account_id": f"acc-{name}"} for name in names}
    stream.add(
        count_of(1000, day(0), **ids["confirming"]),
        count_of(1000, day(-9), **ids["grace"]),
        display_said(True, day(-1), **ids["displayed"]),
        count_of(1000, day(0), **ids["displayed"]),
        ruled("waive", day(-1), **ids["waived"]),
        count_of(1000, day(0), **ids["waived"]),
        count_of(900, day(0), **ids["low"]),
    )
    partition = Partition("records").take(stream.records).cut()
    stream.book(policy_tables(**DWELL, version="2"))
    assert last_decided(partition.take(stream.records)) == [("acc-confirming", "")]


def test_a_phase_that_changes_nothing_leaves_no_trace():
    later = phase_tables(id="later", threshold=5000, **{"from": text(day(1)), "until": text(day(3))})
    stream = begun("records", policy_tables(phase=[phase_tables(), later], **DWELL))
    stream.add(profile_said(day(0), status="suspended"), count_of(1000, day(0)))
    stream.add(count_of(1000, day(0), account_id="acc-b"))
    partition = Partition("records").take(stream.records).cut()
    assert last_decided(partition.finish(day(4))) == [("acc-b", "dwell-end")]


@pytest.mark.parametrize("microseconds", [1, 2])
def test_a_stage_is_shown_also_where_it_lasts_a_microsecond(microseconds):
    until = text(day(3) + microseconds)
    stream = begun(
        "records", policy_tables(phase=[phase_tables(**{"from": text(day(3)), "until": until})], **DWELL)
    )
    stream.add(count_of(at=day(2)))
    partition = Partition("records").take(stream.records).finish(day(9))
    statuses = [msgspec.json.decode(value) for _, value in partition.published[topics.STATUS]]
    assert [(one["stage"], one["as_of"]) for one in statuses][-2:] == [
        ("confirming", text(day(3))),
        ("clear", until),
    ]


def test_an_unreadable_record_is_decided_without_an_account():
    stream = begun()
    stream.raw(topics.COUNTS, b"{", key_of())
    partition = Partition("clock").take(stream.records).cut()
    assert partition.read[-1]["key"] is None
    assert partition.read[-1]["reasons"] == [reason("unreadable", dead_letter="not-json")]
    assert canonical(partition.read[-1]) == partition.decisions[-1]


def test_a_book_may_be_taken_into_use_row_by_row():
    rows = {
        b"weibo:a-1": pack(row_of(followers=999)),
        b"weibo:b-2": pack(row_of(followers=1500, obligation=obligation_of())),
    }
    whole, slow = (Decider(0, rows, "clock") for _ in range(2))
    book = book_of()
    whole.use(book)
    for _ in range(2):  # of another book later nothing is counted twice
        assert len(list(slow.using(book, None))) == len(rows)
    assert slow.open_duties == 1
    assert (slow.bands, slow.open_duties, slow.agenda.next_at) == (
        whole.bands,
        whole.open_duties,
        whole.agenda.next_at,
    )


def test_who_only_compares_decides_the_same_and_keeps_neither_bands_nor_what_is_published():
    rows = {key_of("acc-b").encode(): pack(row_of(followers=900))}
    takes, compares = Decider(0, rows, "records"), Decider(0, rows, "records", takes=False)
    for decider in (takes, compares):
        decider.use(book_of())
        decider.T = day(0)
        decider.decide(key_of(), count_of(at=day(0)), {})
    assert takes.decisions == compares.decisions != []
    assert takes.rows == compares.rows != {}
    assert set(takes.bands) == {key_of().encode(), *rows}
    assert set(takes.publish) == {topics.DISCLOSURE, topics.GRACE, topics.STATUS}
    assert compares.bands == compares.publish == {}
