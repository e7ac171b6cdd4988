"""Whom a phase covers, which phases are reached, and which counts have fallen below."""

import pytest
from builders import START, THRESHOLD, day, phase_tables, policy_of, profile_of, row_of

from schemas.instant import text
from streams.core.scope import (
    covering,
    covers,
    dwell_end,
    is_below,
    is_below_all,
    is_confirming,
    named_phase,
    phases_in_force,
    reached_since,
)

FINANCE = policy_of(
    scope={"subjects": ["finance", "law"], "min_subject_share": 0.3, "exempt_daily_life": True}
)


@pytest.mark.parametrize(
    ("profile", "covered"),
    [
        ({"owner": "individual"}, True),
        ({"owner": "organisation"}, True),
        ({"owner": "government"}, False),
        ({"owner": "news_media"}, False),
        ({"self_media": False}, False),
        ({"status": "suspended"}, True),
        ({"status": "deleted"}, False),
        ({"daily_life": True}, True),  # the policy does not exempt it
        ({"verified": True}, True),
    ],
)
def test_an_account_is_covered_by_owner_kind_and_status(profile, covered):
    policy = policy_of()
    assert covers(policy, policy.phases[0], row_of(profile=profile_of(**profile))) is covered


def test_daily_life_is_exempt_where_the_policy_says_so():
    policy = policy_of(scope={"exempt_daily_life": True})
    assert not covers(policy, policy.phases[0], row_of(profile=profile_of(daily_life=True)))


@pytest.mark.parametrize(
    ("subjects", "covered"),
    [
        ((), False),
        ((("finance", 2999),), False),
        ((("finance", 3000),), True),
        ((("finance", 3001),), True),
        ((("finance", 1000), ("law", 1999)), False),
        ((("finance", 1000), ("law", 2000)), True),
        ((("finance", 2999), ("sports", 7001)), False),
    ],
)
def test_the_shares_of_listed_subjects_add_up_exactly(subjects, covered):
    assert covers(FINANCE, FINANCE.phases[0], row_of(profile=profile_of(subjects=subjects))) is covered


def test_an_account_of_which_nothing_is_known_is_covered_only_without_a_list():
    policy = policy_of()
    assert covers(policy, policy.phases[0], row_of())
    assert not covers(FINANCE, FINANCE.phases[0], row_of())


def test_the_subjects_of_a_phase_replace_those_of_the_scope():
    policy = policy_of(scope={"subjects": ["finance"]}, phase=[phase_tables(subjects=["law"])])
    phase = policy.phases[0]
    assert covers(policy, phase, row_of(profile=profile_of(subjects=(("law", 3000),))))
    assert not covers(policy, phase, row_of(profile=profile_of(subjects=(("finance", 9000),))))


def test_a_phase_is_in_force_from_its_first_instant_to_before_its_until():
    policy = policy_of(phase=[phase_tables(**{"from": text(day(1)), "until": text(day(2))})])
    in_force = [bool(phases_in_force(policy, at)) for at in (day(1) - 1, day(1), day(2) - 1, day(2))]
    assert in_force == [False, True, True, False]


def test_a_jump_asks_for_phases_in_force_at_both_of_its_ends():
    policy = policy_of(phase=[phase_tables(**{"from": text(day(1)), "until": text(day(2))})])
    assert covering(policy, row_of(), day(1), day(1.5))
    assert not covering(policy, row_of(), day(1), day(3))
    assert not covering(policy, row_of(), day(0.5), day(1))


def test_a_disabled_policy_has_no_phase_in_force():
    assert phases_in_force(policy_of(enabled=False), START) == ()


@pytest.mark.parametrize(
    ("op", "hysteresis", "last_below"),
    [(">=", 0, 999), (">", 0, 1000), (">=", 10, 899), (">", 10, 899), (">=", 0.05, 999), (">=", 99.99, 0)],
)
def test_fallen_below_is_the_negation_of_op_or_strictly_below_the_hysteresis(op, hysteresis, last_below):
    policy = policy_of(phase=[phase_tables(op=op)], confirm={"hysteresis_pct": hysteresis})
    phase = policy.phases[0]
    assert is_below(policy, phase, last_below)
    assert not is_below(policy, phase, last_below + 1)


def test_an_account_without_a_count_is_below_everything_and_below_all_of_no_phases():
    policy = policy_of()
    assert is_below_all(policy, policy.phases, row_of(followers=-1))
    assert is_below_all(policy, (), row_of())


@pytest.mark.parametrize(("followers", "named"), [(499, None), (500, "low"), (999, "low"), (1000, "high")])
def test_the_phase_with_the_highest_threshold_reached_is_the_one_named(followers, named):
    policy = policy_of(phase=[phase_tables(id="high"), phase_tables(id="low", threshold=500)])
    phase = named_phase(policy, row_of(followers=followers), START, START)
    assert (phase.id if phase else None) == named


@pytest.mark.parametrize(
    "changes",
    [
        {"displayed": True},
        {"waived": True},
        {"followers": -1},
        {"profile": profile_of(status="suspended")},
        {"profile": profile_of(status="deleted")},
        {"followers": THRESHOLD - 1},
    ],
)
def test_no_duty_begins_for_who_displays_is_waived_inactive_or_below(changes):
    assert named_phase(policy_of(), row_of(), START, START)
    assert named_phase(policy_of(), row_of(**changes), START, START) is None


def test_a_dwell_counts_from_the_first_count_that_reached_the_phase_to_its_very_instant():
    policy = policy_of(confirm={"dwell_days": 2})
    row = row_of(sides=((THRESHOLD, ">=", day(-1)),))
    assert reached_since(row, policy.phases[0]) == day(-1)
    assert dwell_end(policy, row, policy.phases[0]) == day(1)
    assert named_phase(policy, row, day(1) - 1, day(1) - 1) is None
    assert named_phase(policy, row, day(1), day(1))
    assert is_confirming(policy, row, day(1) - 1)
    assert not is_confirming(policy, row, day(1))


def test_a_line_without_a_history_is_reached_since_the_last_count():
    policy = policy_of(confirm={"dwell_days": 2})
    sides = ((500, ">=", day(-9)), (THRESHOLD, ">", day(-8)))
    assert reached_since(row_of(sides=sides), policy.phases[0]) == START


def test_with_a_dwell_a_lower_phase_may_be_named_while_a_higher_one_is_confirming():
    policy = policy_of(
        confirm={"dwell_days": 2}, phase=[phase_tables(), phase_tables(id="low", threshold=500)]
    )
    row = row_of(sides=((500, ">=", day(-2)), (1000, ">=", START)))
    assert named_phase(policy, row, START, START).id == "low"
