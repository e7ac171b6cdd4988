"""Grace arithmetic, reminders, and what is due of a row."""

import pytest
from builders import START, day, obligation_of, phase_tables, policy_of, row_of, stopped

from schemas.instant import text
from streams.core.deadlines import KINDS, Due, deadline_of, dues_of, next_due, phase_bounds, reminders_of


def grace_of(**tables):
    return policy_of(phase=[phase_tables(grace=tables)]).phases[0].grace


def named(dues):
    return [(at, KINDS[rank]) for at, rank in dues]


def test_a_grace_of_days_is_so_many_times_86400_seconds_from_the_notice():
    assert deadline_of(grace_of(days=10), day(0.25)) == day(10.25)


@pytest.mark.parametrize(
    ("notified_at", "deadline_at"),
    [
        (day(0), day(20)),
        (day(17), day(20)),
        (day(17) + 1, day(27) + 1),
        (day(20), day(30)),
        (day(21), day(31)),
    ],
)
def test_an_absolute_deadline_counts_where_it_leaves_the_days_it_must(notified_at, deadline_at):
    grace = grace_of(deadline=text(day(20)), min_days=3)
    assert deadline_of(grace, notified_at) == deadline_at


def test_reminders_lie_strictly_after_the_notice_earliest_first():
    grace = grace_of(reminders_days_before=[1, 10, 3])
    assert reminders_of(grace, day(10), day(0)) == ((day(7), 3), (day(9), 1))
    assert reminders_of(grace, day(10), day(0) - 1) == ((day(0), 10), (day(7), 3), (day(9), 1))
    assert reminders_of(grace, day(10), day(9)) == ()
    assert reminders_of(None, day(10), day(0)) == ()


def test_of_a_grace_the_next_reminder_and_the_deadline_are_due():
    obligation = obligation_of(reminders=((day(7), 3), (day(9), 1)))
    found = dues_of(policy_of(), row_of(obligation=obligation))
    assert named(found) == [(day(7), "reminder"), (day(10), "deadline")]


@pytest.mark.parametrize("obligation", [stopped("agreed"), obligation_of(stage="restricted")])
def test_of_a_stopped_clock_and_of_a_restriction_nothing_is_due(obligation):
    assert next_due(policy_of(), row_of(obligation=obligation), START) is None


def test_a_waiver_ends_where_it_has_an_end():
    row = row_of(waived=True, waived_until=day(2))
    assert named(dues_of(None, row)) == [(day(2), "waiver-end")]
    assert next_due(None, row_of(waived=True), START) is None


def test_what_a_row_keeps_is_due_until_it_was_decided_and_a_dwell_only_after_what_was_looked_at():
    policy = policy_of(confirm={"dwell_days": 2})
    row = row_of(sides=((1000, ">=", day(-1)),))
    assert next_due(policy, row, day(1) - 1) == (day(1), KINDS.index("dwell-end"))
    assert next_due(policy, row, day(1)) is None
    assert next_due(policy, row_of(waived=True, waived_until=day(0)), day(1)) == (
        day(0),
        KINDS.index("waiver-end"),
    )


def test_while_an_obligation_is_open_no_dwell_ends():
    policy = policy_of(confirm={"dwell_days": 2})
    assert named(dues_of(policy, row_of(obligation=obligation_of()))) == [(day(10), "deadline")]


def test_a_dwell_ends_only_under_a_policy_that_asks_for_one_and_of_phases_reached():
    ahead = row_of(observed_at=day(9))
    assert named(dues_of(policy_of(), ahead)) == named(dues_of(None, ahead)) == []
    dwell = policy_of(
        confirm={"dwell_days": 2}, phase=[phase_tables(), phase_tables(id="p2", threshold=1001)]
    )
    assert named(dues_of(dwell, ahead)) == [(day(11), "dwell-end")]


def test_dues_sort_by_instant_platform_account_and_kind():
    dues = [
        Due(2, "a", "a", 0),
        Due(1, "b", "a", 0),
        Due(1, "a", "b", 0),
        Due(1, "a", "a", 5),
        Due(1, "a", "a", 0),
    ]
    assert sorted(dues) == dues[::-1]
    assert [Due(1, "a", "a", rank).kind for rank in range(6)] == list(KINDS)


def test_the_kinds_stand_in_the_contracts_order():
    assert KINDS == ("reminder", "deadline", "waiver-end", "phase-end", "phase-begin", "dwell-end")


def test_phases_begin_and_end_once_for_a_platform_and_not_in_a_disabled_policy():
    until = text(day(2))
    policy = policy_of(phase=[phase_tables(until=until), phase_tables(id="p2", threshold=5, until=until)])
    assert [(at, KINDS[rank]) for at, _, rank in phase_bounds([policy])] == [
        (day(-100), "phase-begin"),
        (day(2), "phase-end"),
    ]
    disabled = policy_of(enabled=False)
    assert phase_bounds([disabled]) == []
    assert phase_bounds([disabled, policy]) == phase_bounds([policy])
