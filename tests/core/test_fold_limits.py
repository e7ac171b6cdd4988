"""What once went wrong at the edges: the last instant, the largest entry, a resume in an odd place."""

from itertools import islice, product
from string import ascii_lowercase, digits

import msgspec
import pytest
from builders import (
    Stream,
    count_of,
    day,
    phase_tables,
    policy_tables,
    profile_said,
    ruled,
)
from driving import TINY, Partition, begun, entries_of

from schemas import topics
from schemas.instant import parse, text
from schemas.journal import MAX_ENTRY_BYTES
from streams.core.fold import FULL_BYTES
from streams.journaling import Chain, draft_of


def test_resumed_in_the_dues_that_an_adoption_planned_at_once_it_goes_on_with_them():
    stream = Stream()
    books = {book.hash: book for book in [stream.book(policy_tables(phase=[phase_tables(threshold=1200)]))]}
    stream.add(count_of(), count_of(account_id="acc-b"))
    at_once = phase_tables(grace={"deadline": text(day(0)), "min_days": 0})
    second = stream.book(policy_tables(version="2", phase=[at_once]))
    books[second.hash] = second
    with entries_of(TINY):
        stopped = Partition("records").take(stream.records).finish(day(1))
        place = next(
            n for n, work in enumerate(stopped.works) if work.after and work.after.kind == "deadline"
        )
        assert stopped.works[place].after.topic == topics.BOOKS
        resumed = (
            Partition.resumed(stopped.stands[place], "records", books).take(stream.records).finish(day(1))
        )
    rest = [decision for work in stopped.works[place + 1 :] for decision in work.decisions]
    assert resumed.decisions == rest
    assert [kind for _, kind in resumed.said if kind == "restriction-imposed"]


def test_resumed_in_an_adoption_nothing_that_it_made_due_comes_before_its_end():
    stream = begun("clock", policy_tables(phase=[phase_tables(threshold=5000)]))
    stream.add(count_of(4500), count_of(4500, account_id="acc-b"))
    at_once = phase_tables(grace={"deadline": text(day(0)), "min_days": 0})
    second = stream.book(policy_tables(phase=[at_once]))
    stream.tick(day(1))
    with entries_of(TINY):
        stopped = Partition("clock").take(stream.records).cut()
    place = next(n for n, work in enumerate(stopped.works) if work.after and work.after.topic == topics.BOOKS)
    resumed = (
        Partition.resumed(stopped.stands[place], "clock", {second.hash: second}).take(stream.records).cut()
    )
    assert resumed.decisions == [one for work in stopped.works[place + 1 :] for one in work.decisions]
    assert resumed.said[0] == ("acc-b", "disclosure-required")


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


def test_no_decision_is_so_large_that_an_entry_could_not_hold_it():
    names = islice(product(ascii_lowercase + digits, repeat=3), 8000)
    stream = begun()
    stream.add(count_of(), profile_said(subjects=dict.fromkeys(map("".join, names), 0)))
    assert 63_000 < len(stream.records[-1][1].value) <= 64 * 1024
    largest = max(len(decision) for decision in Partition("clock").take(stream.records).cut().decisions)
    envelope = 8 * 1024
    assert FULL_BYTES + largest + envelope <= MAX_ENTRY_BYTES


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


@pytest.mark.parametrize(
    ("way", "stage"), [("begins", "confirming"), ("ends", "clear"), ("jumped over", "clear")]
)
def test_a_status_follows_when_a_phase_alone_changes_the_stage(way, stage):
    time = "clock" if way == "jumped over" else "records"
    bounds = {"begins": {"from": text(day(3))}, "ends": {"until": text(day(3))}}
    phase = phase_tables(**bounds.get(way, {"from": text(day(1)), "until": text(day(3))}))
    stream = begun(time, policy_tables(confirm={"dwell_days": 5}, phase=[phase]))
    stream.add(count_of(at=day(0)))
    partition = Partition(time).take(stream.records).finish(day(4))
    assert msgspec.json.decode(partition.published[topics.STATUS][-1][1])["stage"] == stage


def test_a_status_follows_when_a_book_alone_changes_the_stage():
    stream = begun("records", policy_tables(confirm={"dwell_days": 5}))
    stream.add(count_of(at=day(0)))
    stream.book(
        policy_tables(phase=[phase_tables(threshold=900, subjects=["law"])], confirm={"dwell_days": 5})
    )
    partition = Partition("records").take(stream.records).cut()
    stages = [msgspec.json.decode(value)["stage"] for _, value in partition.published[topics.STATUS]]
    assert stages == ["confirming", "clear"]


def test_resumed_in_an_adoption_it_writes_the_same_statuses():
    first = policy_tables(confirm={"dwell_days": 5})
    second = policy_tables(confirm={"dwell_days": 5}, phase=[phase_tables(subjects=["law"])])
    stream = begun("clock", first)
    stream.add(count_of(at=day(-6)), count_of(account_id="acc-b"))  # in grace, and confirming
    book = stream.book(second)
    with entries_of(TINY):
        stopped = Partition("clock").take(stream.records).cut()
    place = next(n for n, work in enumerate(stopped.works) if work.after)
    resumed = Partition.resumed(stopped.stands[place], "clock", {book.hash: book}).take(stream.records).cut()
    rest = [record for work in stopped.works[place + 1 :] for record in work.publish.get(topics.STATUS, ())]
    assert [key for key, _, _ in rest] == [b"weibo:acc-b"]
    assert [key for key, _ in resumed.published.get(topics.STATUS, [])] == [key for key, _, _ in rest]
