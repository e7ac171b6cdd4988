"""The highest counts of the last 31 days, and the purge that is told from them."""

import pytest
from builders import START, day, policy_of, row_of
from hypothesis import given
from hypothesis import strategies as st

from schemas.instant import DAY
from streams.core.rolling import highest_within, purge_from, with_count

TODAY = START // DAY


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 9)), max_size=40))
def test_the_days_kept_are_the_highest_of_each_of_the_last_thirty_one(counts):
    days = ()
    taken = []
    for number, followers in sorted(counts, key=lambda count: count[0]):
        days = with_count(days, day(number), followers)
        taken.append((TODAY + number, followers))
        last = taken[-1][0]
        kept = {one: max(n for d, n in taken if d == one) for one, _ in taken if last - 31 < one}
        assert days == tuple(sorted(kept.items()))
        assert len(days) <= 31


@pytest.mark.parametrize(("within", "highest"), [(1, 20), (2, 30), (3, 40), (4, 40)])
def test_the_highest_is_of_the_day_itself_and_of_so_many_days_before(within, highest):
    days = ((TODAY - 3, 40), (TODAY - 2, 30), (TODAY - 1, 20), (TODAY, 10))
    assert highest_within(days, TODAY, within) == highest
    assert highest_within((), TODAY, within) == 0


@pytest.mark.parametrize(
    ("followers", "highest"), [(801, None), (800, 1000), (799, 1000), (1000, None), (1001, None)]
)
def test_a_purge_is_a_fall_by_at_least_the_share_of_the_highest(followers, highest):
    purge = policy_of(purge={"drop_share": 0.2, "within_days": 7}).purge
    row = row_of(followers=followers, days=with_count(((TODAY - 1, 1000),), START, followers))
    assert purge_from(purge, row) == highest


@pytest.mark.parametrize(
    ("within", "days_before", "is_purge"),
    [(7, 0, True), (7, 7, True), (7, 8, False), (30, 30, True), (30, 31, False)],
)
def test_a_purge_looks_back_over_whole_days_and_the_day_itself(within, days_before, is_purge):
    purge = policy_of(purge={"drop_share": 0.2, "within_days": within}).purge
    days = with_count(((TODAY - days_before, 1000),), START, 10)
    assert bool(purge_from(purge, row_of(followers=10, days=days))) is is_purge


def test_a_share_of_nothing_still_takes_a_fall():
    purge = policy_of(purge={"drop_share": 0, "within_days": 7}).purge
    assert purge_from(purge, row_of(followers=1000, days=((TODAY, 1000),))) is None
    assert purge_from(purge, row_of(followers=999, days=((TODAY, 1000),))) == 1000
