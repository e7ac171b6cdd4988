"""Quiet is free: a count that can change nothing is passed over and decides nothing, any other is decided.

What is decided does not show it (that is the law of bands, in test_fold_laws.py), so a spy listens at the
decider's door.
"""

import pytest
from builders import Stream, count_of, day, fact_of, key_of, policy_tables
from driving import Partition, begun

from schemas import topics
from schemas.instant import DAY
from schemas.records import Records
from streams.core import fold, quiet, quiet_python
from streams.core.band import HIGHEST


@pytest.fixture(autouse=True, params=["as it was built", "in Python"])
def _form(request, monkeypatch):
    if request.param == "in Python":
        monkeypatch.setattr(fold, "pass_quiet", quiet_python.pass_quiet)
    assert fold.pass_quiet in (quiet.pass_quiet, quiet_python.pass_quiet)


class Listening:
    """A partition that has seen a book and some records, with a spy at the decider's door."""

    def __init__(self, time, *records):
        self.stream = begun(time)
        self.stream.add(*records)
        self.partition = Partition(time).take(self.stream.records).cut()

    def tick(self, at):
        self.stream.tick(at)
        self.partition.take(self.stream.records)

    def awake(self, *counts):
        """Return which of the counts come before the decider."""
        decider, seen = self.partition.fold.decider, []
        decide = decider.decide
        decider.decide = lambda key, record, cause: (seen.append(record), decide(key, record, cause))
        self.stream.add(*counts)
        self.partition.take(self.stream.records)
        del decider.decide
        return [(record.followers, record.observed_at) for record in seen if record in counts]


@pytest.mark.parametrize("time", ["clock", "records"])
@pytest.mark.parametrize(
    ("first", "followers", "decides"),
    [
        (900, 800, False),
        (900, 999, False),
        (900, 799, True),
        (900, 1000, True),
        (1000, HIGHEST, False),
        (1000, 1000, False),
    ],
)
def test_an_account_sleeps_while_its_count_stays_between_its_lines(time, first, followers, decides):
    count = count_of(followers, day(0.5))
    assert bool(Listening(time, count_of(first, day(0))).awake(count)) is decides


def test_an_account_that_nobody_watches_sleeps_below_the_watch_floor():
    below = [count_of(followers, day(0)) for followers in (0, 799)]
    assert Listening("clock").awake(*below) == []
    assert Listening("clock").awake(count_of(800, day(0))) == [(800, day(0))]


@pytest.mark.parametrize("followers", [0, 1])
def test_an_account_of_which_only_facts_are_known_wakes_at_its_first_count(followers):
    listening = Listening("clock", fact_of("answer-given", answer="agree"))
    assert listening.awake(count_of(followers, day(0))) == [(followers, day(0))]


def test_a_watched_account_wakes_for_the_sample_of_a_new_day():
    listening = Listening("records", count_of(900, day(0)))
    samples = [count_of(900, at) for at in (day(0), day(1) - 1, day(1), day(1) + 1)]
    assert listening.awake(*samples) == [(900, day(1))]


@pytest.mark.parametrize("time", ["clock", "records"])
def test_a_row_of_low_counts_sleeps_until_it_is_forgotten(time):
    for at, wakes in ((day(30), False), (day(30) + 1000, True)):  # ticks are of whole milliseconds
        listening = Listening(time, count_of(900, day(0)), count_of(10, day(0)))
        if time == "clock":
            listening.tick(at)
        assert bool(listening.awake(count_of(10, at))) is wakes


def test_a_count_wakes_everybody_where_its_instant_makes_something_due():
    for at, wakes in ((day(10) - 1, False), (day(10), True)):
        listening = Listening("records", count_of(1000, day(0)))
        assert bool(listening.awake(count_of(10, at, account_id="acc-z"))) is wakes


def test_quiet_counts_move_the_time_of_a_file_forwards_and_that_of_a_clock_not():
    for time, T in (("records", day(0.5)), ("clock", day(0))):
        listening = Listening(time, count_of(900, day(0)))
        assert listening.awake(*(count_of(900, at) for at in (day(0.5), day(0.25)))) == []
        assert T == listening.partition.fold.T


def test_a_count_too_far_ahead_of_the_clock_is_read_and_in_a_file_none_is():
    low = {"account_id": "acc-z"}
    for time, letters in (("clock", 1), ("records", 0)):
        listening = Listening(time, count_of(900, day(0)))
        assert listening.awake(count_of(10, day(1), **low), count_of(10, day(1) + 1, **low)) == []
        assert len(listening.partition.cut().published.get(topics.DEAD_LETTERS, ())) == letters


@pytest.mark.parametrize("time", ["clock", "records"])
def test_who_sleeps_among_others_is_passed_wherever_he_stands(time):
    listening = Listening(time, count_of(900, day(0)), count_of(1000, day(0), account_id="acc-b"))
    followers = [900, 901, 1000, 1000, 900, 899, 10, 11, 12, 1000, 1001]
    counts = [count_of(one, day(0) + place) for place, one in enumerate(followers)]
    others = [count_of(1 + place, day(0), account_id="acc-z") for place in range(5)]
    awake = listening.awake(*counts[:4], *others, *counts[4:], *others)
    assert [one for one, _ in awake] == [1000, 900, 10, 1000]


@pytest.mark.parametrize(("time", "first"), [("records", 1000), ("clock", 10)])
def test_who_wakes_for_the_time_alone_wakes_alone(time, first):
    listening = Listening(time, count_of(900, day(0)), count_of(first, day(0)))
    at = day(10) if time == "records" else day(31)
    if time == "clock":
        listening.tick(at)
    who = {"account_id": "acc-a" if time == "clock" else "acc-y"}
    counts = [count_of(10, at, **who), count_of(11, day(9), account_id="acc-z")]
    assert listening.awake(*counts) == [(10, at)]


@pytest.mark.parametrize("first", [10, 900, 1000])
def test_a_record_that_cannot_be_read_wakes_whoever_it_names(first):
    listening = Listening("clock", count_of(900, day(0)), count_of(first, day(0)))
    listening.stream.raw(topics.COUNTS, b"nonsense", key_of())
    partition = listening.partition.take(listening.stream.records).cut()
    assert len(partition.published[topics.DEAD_LETTERS]) == 1


@pytest.mark.parametrize("awake", [True, False])
def test_counts_that_were_passed_before_their_run_was_full_stand_in_its_digest(awake):
    listening = Listening("clock", count_of(900, day(0)))
    stream, at_once = listening.stream, listening.partition
    one_by_one = Listening("clock", count_of(900, day(0))).partition
    begins = len(stream.records)
    for round_ in range(2):
        said = [
            count_of(900 + round_, day(0)),
            count_of(910, day(0)),
            count_of(1000 if awake else 920, day(0)),
        ]
        stream.add(*said, count_of(930 + round_, day(0)))
        counts = Records.of([raw for _, raw in stream.records[begins:]])
        begins, end = len(stream.records), counts.offsets[-1] + 1
        first = one_by_one.fold.pass_quiet(counts[:1])
        passed = one_by_one.fold.pass_quiet(counts[first:])
        assert (first, passed) == (1, 1 if awake else 3)
        one_by_one.settle(one_by_one.fold.take(topics.COUNTS, counts[first + passed :], end))
        at_once.settle(at_once.fold.take(topics.COUNTS, counts, end))
        assert one_by_one.cut().works[-1].runs == at_once.cut().works[-1].runs
    assert one_by_one.decisions == at_once.decisions


def test_before_the_first_tick_of_a_clock_nothing_is_decided():
    stream = Stream()
    stream.book(policy_tables())
    stream.add(count_of(), fact_of("answer-given", answer="agree"))
    stream.raw(topics.FACTS, b"nonsense")
    partition = Partition("clock").take(stream.records).cut()
    assert [one["cause"]["topic"] for one in partition.read] == [topics.BOOKS]
    stream.tick(day(1))
    stream.add(count_of(at=day(1) - DAY))
    assert Partition("clock").take(stream.records).said == []
    assert len(Partition("clock").take(stream.records).cut().said) == 2
