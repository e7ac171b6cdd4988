"""The table of stages: every pair works or is our bug, and a bug changes nothing."""

from itertools import product
from typing import get_args

import pytest
from builders import START, day, obligation_of, phase_tables, policy_of, profile_of, row_of, stopped

from schemas.errors import InvariantBroken
from schemas.reasons import reason
from streams.core import obligations
from streams.core.obligations import NEXT, Case, Change, Stage, advance, stage_of

POLICY = policy_of(phase=[phase_tables(grace={"reminders_days_before": [1], "min_days": 3})])
BECAUSE = reason("profile-recorded")
# Reminders stand in every stage, also where none can be: it is the table that has to refuse them.
IN_STAGE = {
    "none": None,
    "grace": obligation_of(reminders=((day(9), 1),)),
    "stopped": stopped("agreed", reminders=((day(9), 1),)),
    "restricted": obligation_of(stage="restricted", measures=("tipping",), reminders=((day(9), 1),)),
}
CHANGES = {
    "notify": lambda case: obligations.notify(case, POLICY, POLICY.phases[0], "1" * 32, (BECAUSE,)),
    "remind": obligations.remind,
    "extend": lambda case: obligations.extend(case, day(20), "case-7"),
    "stop": lambda case: obligations.stop(case, "held", BECAUSE),
    "go-on": lambda case: obligations.answer(case, "decline"),
    "resume": lambda case: obligations.release(case, "agreed", BECAUSE),
    "impose": lambda case: obligations.impose(case, "expired", (BECAUSE,)),
    "meet": lambda case: obligations.meet(case, BECAUSE),
    "cancel": lambda case: obligations.cancel(case, "fell-below", (BECAUSE,)),
}
PAIRS = sorted(product(get_args(Stage), get_args(Change)))
SAYS = {
    ("none", "notify"): ["disclosure-required", "grace-started"],
    ("grace", "remind"): ["grace-reminder"],
    ("grace", "extend"): ["grace-extended"],
    ("grace", "stop"): ["grace-suspended"],
    ("grace", "go-on"): [],
    ("grace", "impose"): ["grace-ended", "restriction-imposed"],
    ("grace", "meet"): ["grace-ended", "disclosure-met"],
    ("grace", "cancel"): ["grace-ended", "disclosure-cancelled"],
    ("stopped", "extend"): ["grace-extended"],
    ("stopped", "go-on"): [],
    ("stopped", "resume"): ["grace-resumed"],
    ("stopped", "impose"): ["grace-ended", "restriction-imposed"],
    ("stopped", "meet"): ["grace-ended", "disclosure-met"],
    ("stopped", "cancel"): ["grace-ended", "disclosure-cancelled"],
    ("restricted", "meet"): ["disclosure-met", "restriction-lifted"],
    ("restricted", "cancel"): ["disclosure-cancelled", "restriction-lifted"],
}


def case_in(stage):
    return Case(row_of(obligation=IN_STAGE[stage]), POLICY, day(5), day(5))


def test_the_table_names_only_stages_and_changes_that_exist():
    assert set(NEXT) <= set(PAIRS)
    assert set(NEXT.values()) <= set(get_args(Stage))
    assert set(SAYS) == set(NEXT)


@pytest.mark.parametrize(("stage", "change"), sorted(NEXT))
def test_a_pair_of_the_table_leads_to_its_stage_and_says_what_it_must(stage, change):
    case = case_in(stage)
    CHANGES[change](case)
    assert stage_of(case.row) == NEXT[stage, change] == advance(stage, change)
    assert [said.type for said in case.said] == SAYS[stage, change]


@pytest.mark.parametrize(("stage", "change"), [pair for pair in PAIRS if pair not in NEXT])
def test_a_pair_that_is_absent_is_our_bug_and_the_table_says_so(stage, change):
    with pytest.raises(InvariantBroken, match=f"{stage}.*{change}"):
        advance(stage, change)


NOT_ASKED = {("grace", "resume"), ("restricted", "resume"), ("restricted", "stop"), ("stopped", "stop")}
"""Pairs that the verbs do not reach: a release without a hold changes nothing, a second stop adds a hold."""


@pytest.mark.parametrize(("stage", "change"), [pair for pair in PAIRS if pair not in {*NEXT, *NOT_ASKED}])
def test_an_absent_pair_raises_and_nothing_changed(stage, change):
    case = case_in(stage)
    row = case.row
    with pytest.raises(InvariantBroken):
        CHANGES[change](case)
    assert case.row is row
    assert case.said == []


@pytest.mark.parametrize(("stage", "change"), sorted(NEXT))
def test_a_change_that_the_table_did_not_have_would_not_be_made(stage, change, monkeypatch):
    case = case_in(stage)
    row = case.row
    monkeypatch.delitem(NEXT, (stage, change))
    with pytest.raises(InvariantBroken):
        CHANGES[change](case)
    assert case.row is row


def test_a_reminder_where_none_is_to_come_is_our_bug():
    case = case_in("grace")
    case.set(obligation=obligation_of())
    with pytest.raises(InvariantBroken, match="reminder"):
        obligations.remind(case)


@pytest.mark.parametrize(("stage", "change"), [("grace", "resume"), ("restricted", "resume")])
def test_a_release_without_that_hold_changes_nothing(stage, change):
    case = case_in(stage)
    row = case.row
    CHANGES[change](case)
    assert case.row == row
    assert case.said == []


def test_the_clock_of_a_restriction_cannot_be_stopped():
    case = case_in("restricted")
    row = case.row
    with pytest.raises(InvariantBroken):
        obligations.stop(case, "held", BECAUSE)
    assert case.row is row


def test_a_second_reason_is_added_silently_and_the_last_one_to_go_resumes():
    case = case_in("stopped")
    obligations.stop(case, "held", BECAUSE)
    obligations.release(case, "agreed", BECAUSE)
    assert case.said == []
    assert case.open.holds == ("held",)
    obligations.release(case, "held", BECAUSE)
    assert [said.type for said in case.said] == ["grace-resumed"]
    assert case.open.holds == ()


@pytest.mark.parametrize(
    ("hold", "left", "resumed_with"),
    [("held", 2, 3), ("held", 3, 3), ("held", 4, 4), ("agreed", 2, 2), ("account-suspended", 0.5, 0.5)],
)
def test_a_hold_leaves_at_least_the_policys_days_and_other_reasons_what_was_left(hold, left, resumed_with):
    case = case_in("grace")
    case.set(obligation=stopped(hold, deadline_at=day(4 + left)))
    obligations.release(case, hold, BECAUSE)
    assert case.open.deadline_at == day(5 + resumed_with)
    assert case.open.stopped_at is None
    assert not case.open.was_held


def test_a_hold_that_ended_before_another_reason_still_leaves_the_policys_days():
    case = case_in("grace")
    case.set(obligation=obligation_of(deadline_at=day(6)))
    for verb, why in (("stop", "held"), ("stop", "agreed"), ("release", "held"), ("release", "agreed")):
        getattr(obligations, verb)(case, why, BECAUSE)
    assert case.open.deadline_at == day(5 + 3)


def test_a_clock_that_stops_plans_no_reminder_and_keeps_its_deadline():
    case = case_in("grace")
    obligations.stop(case, "agreed", BECAUSE)
    assert (case.open.reminders, case.open.deadline_at) == ((), day(10))


def test_reminders_are_planned_anew_strictly_after_the_resume():
    for left, reminders in [(1, ()), (1.5, ((day(5.5), 1),))]:
        case = case_in("grace")
        case.set(obligation=stopped("agreed", deadline_at=day(4 + left)))
        obligations.release(case, "agreed", BECAUSE)
        assert case.open.reminders == reminders


def test_an_extension_never_moves_a_deadline_earlier_and_one_to_the_same_instant_says_nothing():
    for until in (day(9), day(10)):
        case = case_in("grace")
        row = case.row
        obligations.extend(case, until, "case-7")
        assert case.row == row
        assert case.said == []
    case = case_in("grace")
    obligations.extend(case, day(10) + 1, "case-7")
    assert case.open.deadline_at == day(10) + 1


def test_an_extension_of_a_stopped_clock_adds_to_what_is_left_and_plans_no_reminder():
    case = case_in("stopped")
    obligations.extend(case, day(12), "case-7")
    assert case.open.reminders == ()
    obligations.release(case, "agreed", BECAUSE)
    assert case.open.deadline_at == day(5 + 8)


def test_what_a_clock_that_goes_on_says_names_what_was_left_and_what_was_added():
    for deadline_at, codes in (
        (day(4) + 1_500_000, [("time-left", 1), ("at-least-min-days", 3)]),
        (day(7), [("time-left", 3 * 86_400)]),
    ):
        case = case_in("grace")
        case.set(obligation=stopped("held", deadline_at=deadline_at))
        obligations.release(case, "held", BECAUSE)
        (said,) = case.said
        assert said.reasons[0] == BECAUSE
        named = [(one["code"], one.get("left_s", one.get("min_days"))) for one in said.reasons[1:]]
        assert named == codes


def test_a_clock_goes_on_by_the_rules_of_its_own_phase_and_of_none_where_a_book_dropped_it():
    phases = [phase_tables(grace={"min_days": 9}), phase_tables(id="p2", threshold=5, grace={"min_days": 5})]
    for phase, left in (("p1", 9), ("p2", 5), ("gone", 2)):
        policy = policy_of(phase=phases)
        case = Case(
            row_of(obligation=stopped("held", phase=phase, deadline_at=day(6))), policy, day(5), day(5)
        )
        obligations.release(case, "held", BECAUSE)
        assert case.open.deadline_at == day(5 + left)
        obligations.extend(case, day(30), "case-7")
        assert (case.open.deadline_at, case.open.reminders) == (day(30), ())


def test_a_reason_for_which_the_clock_stands_already_is_only_named():
    case = case_in("stopped")
    row = case.row
    obligations.stop(case, "agreed", BECAUSE)
    assert (case.row, case.said) == (row, [])
    assert case.reasons == [BECAUSE, reason("clock-stopped", by="agreed")]


def test_one_of_several_reasons_that_comes_or_goes_names_the_first_that_stays():
    case = case_in("stopped")
    obligations.stop(case, "held", BECAUSE)
    assert case.reasons == [BECAUSE, reason("clock-stopped", by="agreed")]
    obligations.release(case, "agreed", BECAUSE)
    assert case.reasons[2:] == [reason("clock-stopped", by="held")]


def test_a_stopped_clock_without_its_instant_is_our_bug():
    case = case_in("stopped")
    case.set(obligation=stopped("agreed", stopped_at=None))
    with pytest.raises(InvariantBroken, match="instant"):
        obligations.release(case, "agreed", BECAUSE)


def test_a_restriction_remembers_nothing_of_the_clock():
    case = case_in("grace")
    case.set(obligation=stopped("held", reminders=((day(9), 1),)))
    obligations.impose(case, "declined", (BECAUSE,))
    assert case.open == obligation_of(stage="restricted", measures=POLICY.measures.impose)


@pytest.mark.parametrize(("answer", "why"), [(None, "no-reply"), ("decline", "declined")])
def test_silence_and_refusal_are_told_apart(answer, why):
    case = case_in("grace")
    case.set(obligation=obligation_of(answer=answer))
    obligations.impose(case, "expired", (BECAUSE,))
    assert case.said[-1].fields["why"] == why
    assert case.open.measures == tuple(case.said[-1].fields["measures"]) == POLICY.measures.impose


def test_what_is_lifted_is_what_was_imposed_whatever_the_policy_says_by_now():
    case = case_in("restricted")
    obligations.cancel(case, "fell-below", (BECAUSE,))
    assert case.said[-1].fields == {"measures": ["tipping"], "why": "fell-below"}


@pytest.mark.parametrize(("end", "met"), [("meet", True), ("cancel", False)])
def test_a_display_is_remembered_as_met_and_a_cancellation_is_not(end, met):
    case = case_in("grace")
    CHANGES[end](case)
    assert case.row.met is met
    CHANGES["notify"](case)
    assert case.row.met is False


@pytest.mark.parametrize(
    ("owner", "display"), [("individual", "real_name"), ("organisation", "organisation_name")]
)
def test_what_has_to_be_displayed_follows_the_owner(owner, display):
    case = Case(row_of(profile=profile_of(owner=owner)), POLICY, START, START)
    CHANGES["notify"](case)
    assert case.said[0].fields["display"] == display


def test_measures_without_a_policy_are_our_bug():
    case = case_in("grace")
    case.policy = None
    row = case.row
    with pytest.raises(InvariantBroken):
        obligations.impose(case, "expired", (BECAUSE,))
    assert case.row is row
