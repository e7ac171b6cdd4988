"""What one record means for one account: small decisions, each whole."""

from collections.abc import Iterable
from typing import Any

import pytest
from builders import (
    ACCOUNT,
    MEASURES,
    PLATFORM,
    START,
    THRESHOLD,
    answered,
    book_of,
    count_of,
    day,
    display_said,
    fact_of,
    obligation_of,
    phase_tables,
    policy_tables,
    profile_of,
    profile_said,
    row_of,
    ruled,
    stopped,
)

from schemas.instant import DAY, text
from schemas.reasons import REASONS
from streams.core.deadlines import KINDS, Due
from streams.core.decide import BookAdopted, decide

BOOK = book_of()
AT = day(5)
GRACE = row_of(obligation=obligation_of())
HELD = row_of(obligation=stopped("held"))
AGREED = row_of(obligation=stopped("agreed", answer="agree"))
RESTRICTED = row_of(obligation=obligation_of(stage="restricted", measures=tuple(MEASURES)))
MET = row_of(displayed=True, met=True)


def due_of(kind, at=AT):
    return Due(at, PLATFORM, ACCOUNT, KINDS.index(kind))


def adopted(book=BOOK):
    return BookAdopted(PLATFORM, ACCOUNT, book.hash)


def types(decision) -> list[str]:
    return [said.type for said in decision.said]


def codes(reasons: Iterable[dict[str, Any]]) -> list[str]:
    return [reason["code"] for reason in reasons]


def whys(decision) -> list[str]:
    return [said.fields["why"] for said in decision.said if "why" in said.fields]


# Each record, for an account in each stage -------------------------------------------------------

NOTICE = ["disclosure-required", "grace-started"]
IMPOSED = ["grace-ended", "restriction-imposed"]
WAIVED = row_of(waived=True)
BELOW = row_of(followers=THRESHOLD - 1)
SUSPENDED = profile_of(status="suspended")

SAID = [
    # row, record, what is said outside, stage afterwards
    (None, count_of(1000, AT), NOTICE, "grace"),
    (None, count_of(999, AT), [], None),
    (BELOW, count_of(1000, AT), NOTICE, "grace"),
    (GRACE, count_of(1500, AT), [], "grace"),
    (GRACE, count_of(999, AT), ["grace-ended", "disclosure-cancelled"], None),
    (HELD, count_of(999, AT), ["grace-ended", "disclosure-cancelled"], None),
    (RESTRICTED, count_of(999, AT), ["disclosure-cancelled", "restriction-lifted"], None),
    (MET, count_of(1500, AT), [], None),
    (WAIVED, count_of(1500, AT), [], None),
    (GRACE, answered("agree", AT), ["grace-suspended"], "stopped"),
    (GRACE, answered("decline", AT), [], "grace"),
    (AGREED, answered("decline", AT), ["grace-resumed"], "grace"),
    (AGREED, answered("agree", AT), [], "stopped"),
    (HELD, answered("agree", AT), [], "stopped"),
    (HELD, answered("decline", AT), [], "stopped"),
    (RESTRICTED, answered("agree", AT), [], "restricted"),
    (BELOW, answered("agree", AT), [], None),
    (GRACE, display_said(True, AT), ["grace-ended", "disclosure-met"], None),
    (AGREED, display_said(True, AT), ["grace-ended", "disclosure-met"], None),
    (RESTRICTED, display_said(True, AT), ["disclosure-met", "restriction-lifted"], None),
    (BELOW, display_said(True, AT), [], None),
    (GRACE, display_said(False, AT), [], "grace"),
    (MET, display_said(False, AT), NOTICE, "grace"),
    (row_of(followers=999, displayed=True), display_said(False, AT), [], None),
    (GRACE, ruled("waive", AT), ["grace-ended", "disclosure-cancelled"], None),
    (RESTRICTED, ruled("waive", AT, until=day(9)), ["disclosure-cancelled", "restriction-lifted"], None),
    (GRACE, ruled("waive", AT, until=AT), ["grace-ended", "disclosure-cancelled", *NOTICE], "grace"),
    (WAIVED, ruled("revoke", AT), NOTICE, "grace"),
    (GRACE, ruled("revoke", AT), [], "grace"),
    (GRACE, ruled("hold", AT), ["grace-suspended"], "stopped"),
    (HELD, ruled("release", AT), ["grace-resumed"], "grace"),
    (AGREED, ruled("release", AT), [], "stopped"),
    (RESTRICTED, ruled("hold", AT), [], "restricted"),
    (GRACE, ruled("extend", AT, until=day(12)), ["grace-extended"], "grace"),
    (GRACE, ruled("extend", AT, until=day(10)), [], "grace"),
    (HELD, ruled("extend", AT, until=day(12)), ["grace-extended"], "stopped"),
    (BELOW, ruled("extend", AT, until=day(12)), [], None),
    (GRACE, profile_said(AT, status="suspended"), ["grace-suspended"], "stopped"),
    (RESTRICTED, profile_said(AT, status="suspended"), [], "restricted"),
    (GRACE, profile_said(AT, status="deleted"), ["grace-ended", "disclosure-cancelled"], None),
    (RESTRICTED, profile_said(AT, owner="government"), ["disclosure-cancelled", "restriction-lifted"], None),
    (GRACE, profile_said(AT, verified=True), [], "grace"),
    (row_of(profile=profile_of(status="deleted")), profile_said(AT, status="active"), NOTICE, "grace"),
    (row_of(profile=SUSPENDED), profile_said(AT, status="active"), NOTICE, "grace"),
    (
        row_of(profile=SUSPENDED, obligation=stopped("account-suspended")),
        profile_said(AT, status="active"),
        ["grace-resumed"],
        "grace",
    ),
    (row_of(obligation=obligation_of(reminders=((AT, 5),))), due_of("reminder"), ["grace-reminder"], "grace"),
    (GRACE, due_of("deadline"), IMPOSED, "restricted"),
    (row_of(waived=True, waived_until=AT), due_of("waiver-end"), NOTICE, "grace"),
    (row_of(), due_of("phase-begin"), NOTICE, "grace"),
    (GRACE, due_of("phase-begin"), [], "grace"),
    (row_of(), due_of("dwell-end"), NOTICE, "grace"),
    (GRACE, adopted(), [], "grace"),
    (row_of(), adopted(), NOTICE, "grace"),
    (
        row_of(followers=999, obligation=obligation_of()),
        adopted(),
        ["grace-ended", "disclosure-cancelled"],
        None,
    ),
]


@pytest.mark.parametrize(("row", "record", "said", "stage"), SAID)
def test_a_record_says_and_leaves(row, record, said, stage):
    decision = decide(row, record, BOOK, AT)
    assert types(decision) == said
    assert (decision.row.obligation.stage if decision.row.obligation else None) == stage
    assert all(said.reasons for said in decision.said)
    assert all(reason["code"] in REASONS for reason in decision.reasons)


def test_to_decide_twice_is_to_decide_the_same():
    for row, record, _, _ in SAID:
        assert decide(row, record, BOOK, AT) == decide(row, record, BOOK, AT)


# Counts ------------------------------------------------------------------------------------------

AT_799 = row_of(followers=799, observed_at=day(4.5), profile=profile_of())
AT_900 = row_of(followers=900, observed_at=day(4.5))


@pytest.mark.parametrize(
    ("row", "count", "code"),
    [
        (None, count_of(799, AT), "quiet"),
        (None, count_of(800, AT), "count-recorded"),
        (row_of(followers=-1, observed_at=0), count_of(0, AT), "count-recorded"),
        (AT_900, count_of(899, day(4.5)), "quiet"),
        (AT_900, count_of(901, day(4.9)), "quiet"),
        (AT_900, count_of(901, day(5)), "count-recorded"),  # the daily sample
        (AT_900, count_of(799, day(4.5)), "count-recorded"),
        (AT_900, count_of(1000, day(4.5)), "count-recorded"),
        (AT_900, count_of(1000, day(4.5) - 1), "older-observation"),
        (AT_799, count_of(700, day(5)), "quiet"),  # below the watch floor there are no samples
        (AT_799, count_of(800, day(4.5)), "count-recorded"),
        (None, count_of(2000, AT - 30 * DAY), "count-recorded"),
        (None, count_of(2000, AT - 30 * DAY - 1), "too-old"),
        (row_of(observed_at=AT - 40 * DAY), count_of(2000, AT - 31 * DAY), "too-old"),
        (None, count_of(2000, AT + DAY), "count-recorded"),
    ],
)
def test_a_count_is_taken_or_not_and_says_why(row, count, code):
    decision = decide(row, count, BOOK, AT)
    assert codes(decision.reasons)[0] == code
    taken = code == "count-recorded"
    assert decision.changed is taken
    if not taken:
        assert decision.row == row
        assert not decision.said


def test_a_count_keeps_since_when_each_threshold_is_reached():
    book = book_of(policy_tables(phase=[phase_tables(), phase_tables(id="p2", threshold=1500, op=">")]))
    row = None
    history = [(1500, 1), (1501, 2), (1600, 3), (1500, 4), (1501, 5), (999, 6)]
    seen = []
    for followers, number in history:
        row = decide(row, count_of(followers, day(number)), book, day(9)).row
        seen.append([(threshold, (since - START) // DAY) for threshold, _, since in row.sides])
    assert seen == [
        [(1000, 1)],
        [(1000, 1), (1500, 2)],
        [(1000, 1), (1500, 2)],
        [(1000, 1)],
        [(1000, 1), (1500, 5)],
        [],
    ]


# Facts -------------------------------------------------------------------------------------------


def test_a_fact_gives_a_row_to_an_account_that_had_none():
    decision = decide(None, profile_said(AT), BOOK, AT)
    assert decision.row.followers == -1
    assert decision.row.facts == (("profile-changed", AT, f"profile-changed-{AT}"),)


@pytest.mark.parametrize(
    ("at", "event_id", "code"),
    [
        (AT, "e2", "display-recorded"),
        (AT - 1, "e2", "older-fact"),
        (AT, "e1", "repeated-fact"),
        (AT + 1, "e1", "repeated-fact"),
        (AT - 1, "e1", "older-fact"),
        (AT + 1, "e2", "display-recorded"),
    ],
)
def test_a_fact_is_taken_unless_a_later_one_or_the_same_was(at, event_id, code):
    row = row_of(facts=(("answer-given", AT + 9, "e2"), ("name-display-changed", AT, "e1")))
    decision = decide(row, display_said(True, at, event_id=event_id), BOOK, AT)
    assert codes(decision.reasons)[0] == code
    assert decision.changed is (code == "display-recorded")


def test_the_last_fact_of_each_type_is_kept_by_type():
    row = None
    for fact in (ruled("revoke", AT), answered("agree", AT), profile_said(AT), display_said(False, AT)):
        row = decide(row, fact, BOOK, AT).row
    assert [kind for kind, _, _ in row.facts] == sorted(kind for kind, _, _ in row.facts)
    assert len(row.facts) == 4


def test_a_profile_keeps_what_is_left_out_and_replaces_subjects_whole():
    row = row_of(profile=profile_of(owner="organisation", subjects=(("law", 9000),)))
    decision = decide(row, profile_said(AT, subjects={"finance": 0.5, "art": 0.1234}), BOOK, AT)
    assert decision.row.profile == profile_of(
        owner="organisation", subjects=(("art", 1234), ("finance", 5000))
    )


def test_a_display_is_met_only_where_a_duty_was_open():
    assert decide(GRACE, display_said(True, AT), BOOK, AT).row.met
    assert not decide(row_of(followers=5), display_said(True, AT), BOOK, AT).row.met
    assert not decide(MET, display_said(False, AT, event_id="e2"), BOOK, AT).row.met


def test_an_answer_outside_a_grace_is_not_remembered():
    again = decide(decide(BELOW, answered("decline", AT), BOOK, AT).row, count_of(1000, AT), BOOK, AT)
    assert again.row.obligation.answer is None


@pytest.mark.parametrize(
    ("row", "fact", "said"),
    [
        (GRACE, answered("decline", AT), IMPOSED),
        (AGREED, answered("decline", AT), IMPOSED),
        (row_of(obligation=stopped("account-suspended")), answered("decline", AT), IMPOSED),
        (HELD, answered("decline", AT), []),
        (row_of(obligation=stopped("held", answer="decline")), ruled("release", AT), IMPOSED),
        (
            row_of(obligation=stopped("held", "account-suspended", answer="decline")),
            ruled("release", AT),
            IMPOSED,
        ),
        (row_of(obligation=stopped("held", "agreed", answer="agree")), ruled("release", AT), []),
        (row_of(obligation=obligation_of(answer="decline")), ruled("release", AT), []),
    ],
)
def test_a_decline_at_once_ends_the_grace_and_while_held_only_with_the_hold(row, fact, said):
    book = book_of(policy_tables(measures={"on_decline": "at-once"}))
    decision = decide(row, fact, book, AT)
    assert types(decision) == said
    if said:
        assert decision.said[0].fields["outcome"] == "declined"
        assert whys(decision) == ["declined"]


# Falling below -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pending", "measures", "row", "said"),
    [
        ("cancel", "lift", GRACE, ["grace-ended", "disclosure-cancelled"]),
        ("keep", "lift", GRACE, []),
        ("cancel", "lift", RESTRICTED, ["disclosure-cancelled", "restriction-lifted"]),
        ("cancel", "keep", RESTRICTED, []),
        ("keep", "lift", RESTRICTED, ["disclosure-cancelled", "restriction-lifted"]),
    ],
)
def test_a_fall_below_ends_what_the_policy_says(pending, measures, row, said):
    book = book_of(policy_tables(below={"pending": pending, "measures": measures}))
    assert types(decide(row, count_of(999, AT), book, AT)) == said


@pytest.mark.parametrize(
    ("measures", "followers", "said"),
    [
        ("lift", 999, ["grace-ended", "disclosure-cancelled"]),
        ("lift", 1000, IMPOSED),
        ("keep", 999, IMPOSED),
    ],
)
def test_who_is_below_at_the_deadline_is_restricted_only_where_measures_are_kept(measures, followers, said):
    book = book_of(policy_tables(below={"pending": "keep", "measures": measures}))
    row = row_of(followers=followers, obligation=obligation_of(deadline_at=AT))
    assert types(decide(row, due_of("deadline"), book, AT)) == said


@pytest.mark.parametrize(("followers", "stands"), [(499, False), (500, True), (700, True)])
def test_an_obligation_stands_while_any_phase_in_force_is_reached_and_keeps_its_phase(followers, stands):
    book = book_of(policy_tables(phase=[phase_tables(), phase_tables(id="p2", threshold=500)]))
    decision = decide(GRACE, count_of(followers, AT), book, AT)
    assert bool(decision.row.obligation) is stands
    assert {said.phase for said in decision.said} <= {"p1"}
    if stands:
        assert decision.row.obligation.phase == "p1"


@pytest.mark.parametrize(("followers", "stands"), [(899, False), (900, True)])
def test_a_hysteresis_ends_duties_later_and_opens_none(followers, stands):
    book = book_of(policy_tables(confirm={"hysteresis_pct": 10}))
    assert bool(decide(GRACE, count_of(followers, AT), book, AT).row.obligation) is stands
    assert not decide(BELOW, count_of(followers, AT), book, AT).said


@pytest.mark.parametrize(
    ("highest", "followers", "purge"), [(1248, 999, None), (1249, 999, (1249, 999)), (1250, 1000, "open")]
)
def test_a_fall_by_exactly_the_share_is_named_as_a_suspected_purge(highest, followers, purge):
    book = book_of(policy_tables(purge={"drop_share": 0.2, "within_days": 7}))
    row = row_of(days=((START // DAY, highest),), obligation=obligation_of())
    decision = decide(row, count_of(followers, AT), book, AT)
    if purge == "open":
        assert not decision.said
        return
    for said in decision.said:
        named = [reason for reason in said.reasons if reason["code"] == "suspected-purge"]
        assert [(reason["highest"], reason["followers"]) for reason in named] == ([purge] if purge else [])


def test_exactly_the_share_is_enough():
    book = book_of(policy_tables(purge={"drop_share": 0.2, "within_days": 7}))
    row = row_of(days=((START // DAY, 1000),), obligation=obligation_of())
    for followers, named in ((801, False), (800, True), (799, True)):
        reasons = decide(row, count_of(followers, AT), book, AT).said[0].reasons
        assert ("suspected-purge" in codes(reasons)) is named


# Why: the first of the contract's order ----------------------------------------------------------

DELETED = profile_said(AT, status="deleted", owner="government")
GONE = book_of(policy_tables(phase=[phase_tables(**{"from": text(day(90))})]))
HIGHER = book_of(policy_tables(phase=[phase_tables(threshold=5000)]))
LAWYERS = book_of(policy_tables(scope={"subjects": ["law"]}, phase=[phase_tables(threshold=5000)]))
OTHER = book_of(policy_tables(platform="bilibili"))
LOW = row_of(followers=5, obligation=obligation_of())


@pytest.mark.parametrize(
    ("row", "record", "book", "why"),
    [
        (GRACE, DELETED, BOOK, "account-deleted"),
        (LOW, DELETED, HIGHER, "account-deleted"),
        (
            row_of(profile=profile_of(status="deleted"), obligation=obligation_of()),
            adopted(),
            GONE,
            "account-deleted",
        ),
        (LOW, ruled("waive", AT), LAWYERS, "waived"),
        (GRACE, profile_said(AT, owner="government"), BOOK, "out-of-scope"),
        (LOW, profile_said(AT, owner="government"), BOOK, "out-of-scope"),
        (GRACE, adopted(), LAWYERS, "out-of-scope"),
        (GRACE, adopted(), GONE, "policy-changed"),
        (GRACE, adopted(), HIGHER, "policy-changed"),
        (GRACE, adopted(), OTHER, "policy-changed"),
        (LOW, adopted(), BOOK, "policy-changed"),
        (GRACE, due_of("phase-end"), GONE, "policy-changed"),
        (LOW, due_of("phase-end"), BOOK, "policy-changed"),
        (GRACE, count_of(5, AT), BOOK, "fell-below"),
        (LOW, profile_said(AT, verified=True), BOOK, "fell-below"),
    ],
)
def test_of_several_reasons_the_first_of_the_order_is_said(row, record, book, why):
    decision = decide(row, record, book, AT)
    assert whys(decision) == [why]
    assert decision.row.obligation is None


def test_a_kept_fall_ends_with_a_new_book_or_a_phase_that_ends_but_with_no_other_due():
    book = book_of(policy_tables(below={"pending": "keep"}))
    assert types(decide(LOW, due_of("phase-begin"), book, AT)) == []
    for record in (adopted(book), due_of("phase-end")):
        assert whys(decide(LOW, record, book, AT)) == ["policy-changed"]


# A duty begins -----------------------------------------------------------------------------------


def test_a_notice_says_all_that_the_account_has_to_know():
    tables = policy_tables(notice={"channel": "direct_message"}, display={"individual": "name_on_paper"})
    required, started = decide(None, count_of(1200, AT), book_of(tables), AT).said
    assert required.fields == {
        "followers": 1200,
        "observed_at": text(AT),
        "threshold": 1000,
        "op": ">=",
        "display": "name_on_paper",
        "deadline_at": text(day(15)),
        "notice_channel": "direct_message",
    }
    assert started.fields == {"notified_at": text(AT), "deadline_at": text(day(15))}
    assert required.obligation_id == started.obligation_id
    assert (required.phase, codes(required.reasons)) == ("p1", ["threshold-reached"])


def test_an_obligation_is_named_by_account_phase_instant_and_cause():
    def opened(count, at=AT):
        return decide(None, count, BOOK, at).row.obligation.id

    one = opened(count_of(1200, AT))
    assert one == opened(count_of(1300, AT, event_id=count_of(1200, AT).event_id))
    assert len({one, opened(count_of(1200, AT), AT + 1), opened(count_of(1300, AT))}) == 3


def test_a_second_phase_reached_opens_no_second_obligation():
    book = book_of(policy_tables(phase=[phase_tables(), phase_tables(id="p2", threshold=1500)]))
    assert not decide(GRACE, count_of(1500, AT), book, AT).said


def test_a_due_in_a_jump_asks_for_a_phase_in_force_then_and_now_and_tells_now():
    phases = [phase_tables(**{"from": text(day(1)), "until": text(day(4))})]
    for at, begins in ((day(4) - 1, True), (day(4), False)):
        decision = decide(row_of(), due_of("phase-begin", day(1)), book_of(policy_tables(phase=phases)), at)
        assert bool(decision.said) is begins
        if begins:
            assert decision.row.obligation.notified_at == at


def test_a_dwell_delays_the_duty_and_is_named():
    book = book_of(policy_tables(confirm={"dwell_days": 2}))
    row = decide(None, count_of(1000, day(3)), book, day(3)).row
    assert row.obligation is None
    assert not decide(row, due_of("dwell-end", day(5) - 1), book, day(5) - 1).said
    decision = decide(row, due_of("dwell-end", day(5)), book, day(5))
    assert codes(decision.said[0].reasons) == ["threshold-reached", "dwell-over"]


def test_a_count_that_is_old_enough_to_have_dwelt_begins_the_duty_at_once():
    book = book_of(policy_tables(confirm={"dwell_days": 2}))
    assert decide(None, count_of(1000, AT - 2 * DAY), book, AT).said
    assert not decide(None, count_of(1000, AT - 2 * DAY + 1), book, AT).said


def test_a_platform_that_the_book_has_no_more_decides_only_what_its_rows_keep():
    row = row_of(waived=True, waived_until=AT)
    decision = decide(row, due_of("waiver-end"), OTHER, AT)
    assert (types(decision), decision.row.waived) == ([], False)


def test_a_disabled_policy_cancels_and_begins_nothing():
    disabled = book_of(policy_tables(enabled=False))
    assert whys(decide(GRACE, adopted(disabled), disabled, AT)) == ["policy-changed"]
    assert not decide(None, count_of(2000, AT), disabled, AT).said


# Within one decision -----------------------------------------------------------------------------


def test_what_ends_is_said_before_what_begins():
    for row, ended in (
        (GRACE, ["grace-ended", "disclosure-cancelled"]),
        (RESTRICTED, ["disclosure-cancelled", "restriction-lifted"]),
    ):
        decision = decide(row, ruled("waive", AT, until=day(1)), BOOK, AT)
        assert types(decision) == [*ended, *NOTICE]
        assert decision.said[0].obligation_id != decision.said[-1].obligation_id
        assert codes(decision.reasons) == ["waived-until", "waiver-ended", "threshold-reached"]


def test_every_output_names_reasons_that_the_decision_names():
    for row, record, _, _ in SAID:
        decision = decide(row, record, BOOK, AT)
        for said in decision.said:
            assert all(reason in decision.reasons for reason in said.reasons)


def test_a_forgotten_row_is_looked_at_as_if_it_had_never_been():
    row = row_of(followers=799, observed_at=AT - 30 * DAY)
    kept, gone = (decide(row, count_of(700, AT), BOOK, at) for at in (AT, AT + 1))
    assert (kept.row, codes(kept.reasons)) == (row, ["quiet"])
    assert (gone.row, codes(gone.reasons)) == (None, ["row-forgotten", "quiet"])
    assert decide(row, count_of(2000, AT + 1), BOOK, AT + 1).row.days == ((AT // DAY, 2000),)
    assert decide(row, adopted(), BOOK, AT + 1).row == row


def test_a_fact_of_a_forgotten_account_begins_a_new_row():
    row = row_of(followers=799, observed_at=START)
    decision = decide(row, fact_of("answer-given", day(40), answer="agree"), BOOK, day(40))
    assert decision.row.followers == -1
    assert codes(decision.reasons)[0] == "row-forgotten"


def test_reasons_are_never_left_out_of_what_changes():
    for row, record, _, _ in SAID:
        decision = decide(row, record, BOOK, AT)
        assert decision.reasons or not decision.changed
