"""The band: two counts share one exactly where every line of the policy has them on one side."""

from fractions import Fraction

import pytest
from builders import START, day, obligation_of, phase_tables, policy_of, profile_of, row_of
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.instant import DAY
from streams.core.band import AWAKE, FOREVER, HIGHEST, band_of, bounds, forgotten_after, holds_only_counts


def sides_of(tables, followers):
    """Return on which side of each line a count stands: the contract's words, in exact fractions."""
    lowest = min(phase["threshold"] for phase in tables["phase"])
    percent = Fraction(str(tables["confirm"]["hysteresis_pct"]))
    yield followers >= Fraction(str(tables["watch"]["floor_share"])) * lowest
    for phase in tables["phase"]:
        threshold = phase["threshold"]
        yield followers >= threshold if phase["op"] == ">=" else followers > threshold
        if percent:
            yield followers < threshold * (1 - percent / 100)


@st.composite
def policies(draw):
    ops = st.sampled_from([">=", ">"])
    thresholds = draw(
        st.lists(st.integers(1, 60) | st.integers(1, 2**53 - 1), min_size=1, max_size=4, unique=True)
    )
    return {
        "phase": [
            phase_tables(id=f"p{place}", threshold=threshold, op=draw(ops))
            for place, threshold in enumerate(thresholds)
        ],
        "confirm": {"hysteresis_pct": draw(st.sampled_from([0, 0.01, 1, 12.5, 33.33, 50, 100]))},
        "watch": {"floor_share": draw(st.sampled_from([0, 0.0001, 0.3333, 0.8, 0.9999, 1]))},
    }


@given(tables=policies(), data=st.data())
@settings(max_examples=400, deadline=None)
def test_two_counts_share_a_band_exactly_where_they_share_the_side_of_every_line(tables, data):
    policy = policy_of(**tables)
    near = [line + step for line in policy.lines for step in (-1, 0, 1) if 0 <= line + step <= HIGHEST]
    counts = st.sampled_from(near) | st.integers(0, 70) | st.integers(0, HIGHEST)
    one, other = data.draw(counts), data.draw(counts)
    lo, hi = bounds(policy, one)
    assert lo <= one <= hi
    assert (lo <= other <= hi) == (list(sides_of(tables, one)) == list(sides_of(tables, other)))
    assert (lo <= other <= hi) == (bounds(policy, other) == (lo, hi))


@pytest.mark.parametrize(
    ("followers", "band"),
    [(0, (0, 799)), (799, (0, 799)), (800, (800, 999)), (999, (800, 999)), (1000, (1000, HIGHEST))],
)
def test_at_least_parts_the_threshold_from_the_count_below_it(followers, band):
    assert bounds(policy_of(), followers) == band


@pytest.mark.parametrize(("followers", "lo"), [(999, 800), (1000, 800), (1001, 1001)])
def test_more_than_parts_the_threshold_from_the_count_above_it(followers, lo):
    assert bounds(policy_of(phase=[phase_tables(op=">")]), followers)[0] == lo


@pytest.mark.parametrize(
    ("threshold", "hysteresis", "line"),
    [(1000, 10, 900), (1001, 10, 901), (1000, 0.01, 1000), (999, 33.33, 667)],
)
def test_a_hysteresis_adds_the_lowest_count_that_has_not_fallen_below(threshold, hysteresis, line):
    policy = policy_of(
        phase=[phase_tables(threshold=threshold)],
        confirm={"hysteresis_pct": hysteresis},
        watch={"floor_share": 0},
    )
    assert bounds(policy, 1) == (0, line - 1)


@pytest.mark.parametrize(
    ("share", "threshold", "floor"), [(0.8, 1000, 800), (0.8, 1001, 801), (0.3333, 10, 4), (0, 5, 0)]
)
def test_the_watch_floor_is_the_lowest_count_of_at_least_its_share(share, threshold, floor):
    policy = policy_of(phase=[phase_tables(threshold=threshold)], watch={"floor_share": share})
    assert policy.watch_from == floor


def test_phases_of_any_time_draw_lines():
    policy = policy_of(
        phase=[
            phase_tables(id="gone", threshold=2000, until="2023-12-01T00:00:00Z"),
            phase_tables(id="to-come", threshold=500, **{"from": "2031-01-01T00:00:00Z"}),
        ]
    )
    assert policy.lines == (400, 500, 2000)


def test_an_account_that_nobody_watches_sleeps_below_the_watch_floor_for_good():
    assert band_of(policy_of(), None) == (0, 799, FOREVER, FOREVER)


def test_an_account_of_which_only_facts_are_known_wakes_at_any_count():
    band = band_of(policy_of(), row_of(followers=-1))
    assert band is AWAKE
    assert not any(band.lo <= followers <= band.hi for followers in (0, 1, HIGHEST))


def test_a_watched_account_gives_one_sample_for_each_utc_day():
    for observed_at in (START, START + DAY - 1):
        assert band_of(policy_of(), row_of(followers=800, observed_at=observed_at)).sample_at == START + DAY
    assert band_of(policy_of(), row_of(followers=799)).sample_at == FOREVER


@pytest.mark.parametrize(
    ("changes", "kept_until"),
    [
        ({"followers": 799}, day(30)),
        ({"followers": 800}, FOREVER),
        ({"followers": 799, "profile": profile_of()}, FOREVER),
        ({"followers": 799, "displayed": True}, FOREVER),
        ({"followers": 799, "waived": True}, FOREVER),
        ({"followers": -1}, FOREVER),
    ],
)
def test_a_row_of_low_counts_alone_is_kept_for_thirty_days(changes, kept_until):
    row = row_of(**changes)
    assert forgotten_after(policy_of(), row) == kept_until
    if row.followers != -1:
        assert band_of(policy_of(), row).until == kept_until


def test_an_open_obligation_is_more_than_counts():
    assert holds_only_counts(row_of())
    assert not holds_only_counts(row_of(obligation=obligation_of()))
