"""How a duty ends: below, out of scope, waived, by a policy; and what is named as the reason."""

import pytest
from builders import (
    START,
    book_of,
    count_of,
    day,
    obligation_of,
    phase_tables,
    policy_tables,
    profile_of,
    profile_said,
    row_of,
    ruled,
)
from deciding import AT, BELOW, BOOK, GRACE, IMPOSED, RESTRICTED, adopted, codes, due_of, types, whys

from schemas.instant import DAY, text
from streams.core.decide import decide

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


def test_a_deadline_at_the_very_instant_at_which_its_phase_ends_comes_first():
    book = book_of(policy_tables(phase=[phase_tables(until=text(AT))]))
    row = row_of(obligation=obligation_of(deadline_at=AT))
    imposed = decide(row, due_of("deadline"), book, AT)
    assert types(imposed) == IMPOSED
    assert whys(decide(imposed.row, due_of("phase-end"), book, AT)) == ["policy-changed"] * 2


@pytest.mark.parametrize(
    ("pending", "said"), [("cancel", IMPOSED), ("keep", ["grace-ended", "disclosure-cancelled"])]
)
def test_a_deadline_at_the_instant_of_a_hand_over_asks_who_is_below_only_where_that_was_kept(pending, said):
    phases = [phase_tables(until=text(AT)), phase_tables(id="p2", threshold=5000, **{"from": text(AT)})]
    book = book_of(policy_tables(phase=phases, below={"pending": pending}))
    assert (
        types(decide(row_of(obligation=obligation_of(deadline_at=AT)), due_of("deadline"), book, AT)) == said
    )


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
