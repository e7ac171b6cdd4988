"""Why: every decision names its reasons in their order, and every output those of its own."""

import pytest
from builders import (
    PLATFORM,
    answered,
    book_of,
    count_of,
    day,
    display_said,
    obligation_of,
    phase_tables,
    policy_tables,
    profile_of,
    profile_said,
    row_of,
    ruled,
    stopped,
)
from deciding import (
    AGREED,
    AT,
    BELOW,
    BOOK,
    GRACE,
    HELD,
    NOTICE,
    RESTRICTED,
    SUSPENDED,
    adopted,
    codes,
    due_of,
    types,
)

from schemas.instant import text
from schemas.reasons import reason
from streams.core.decide import cause_of, decide

HIGHER = book_of(policy_tables(phase=[phase_tables(threshold=5000)]))
AT_ONCE = book_of(policy_tables(measures={"on_decline": "at-once"}))
KEPT = book_of(policy_tables(below={"pending": "keep"}))
LOW = row_of(followers=999, obligation=obligation_of())
DECLINED = row_of(obligation=obligation_of(answer="decline"))


BACK = row_of(profile=SUSPENDED, obligation=stopped("account-suspended"))
WAIVER_ENDS = row_of(waived=True, waived_until=AT)
PHASE_ENDS = book_of(policy_tables(phase=[phase_tables(until=text(AT))]))

REASONS = [
    # row, record, book, what the decision names; what its first output names, where that is not all of it
    (None, count_of(1000, AT), BOOK, "count-recorded threshold-reached", "threshold-reached"),
    (GRACE, count_of(999, AT), BOOK, "count-recorded below-every-phase", "below-every-phase"),
    (GRACE, profile_said(AT, verified=True), BOOK, "profile-recorded", ""),
    (GRACE, profile_said(AT, owner="government"), BOOK, "profile-recorded out-of-scope", "out-of-scope"),
    (GRACE, profile_said(AT, status="deleted"), BOOK, "profile-recorded account-deleted", "account-deleted"),
    (
        GRACE,
        profile_said(AT, status="suspended"),
        BOOK,
        "profile-recorded account-suspended",
        "account-suspended",
    ),
    (BACK, profile_said(AT, verified=True), BOOK, "profile-recorded", ""),
    (
        BACK,
        profile_said(AT, status="active"),
        BOOK,
        "profile-recorded account-active time-left",
        "account-active time-left",
    ),
    (GRACE, display_said(True, AT), BOOK, "display-recorded displayed", "displayed"),
    (GRACE, answered("agree", AT), BOOK, "answered", None),
    (GRACE, answered("decline", AT), BOOK, "answered", ""),
    (RESTRICTED, answered("agree", AT), BOOK, "no-open-grace", ""),
    (AGREED, answered("decline", AT), BOOK, "answered time-left", None),
    (GRACE, answered("decline", AT), AT_ONCE, "answered last-answer", None),
    (HELD, answered("agree", AT), BOOK, "answered clock-stopped", ""),
    (GRACE, ruled("hold", AT), BOOK, "held", None),
    (HELD, ruled("release", AT), BOOK, "released time-left", None),
    (GRACE, ruled("waive", AT), BOOK, "waived", None),
    (GRACE, ruled("waive", AT, until=day(9)), BOOK, "waived-until", None),
    (BELOW, ruled("revoke", AT), BOOK, "waiver-revoked", ""),
    (BELOW, ruled("hold", AT), BOOK, "no-open-grace", ""),
    (GRACE, ruled("extend", AT, until=day(12)), BOOK, "extended", None),
    (GRACE, ruled("extend", AT, until=day(9)), BOOK, "not-extended", ""),
    (GRACE, due_of("deadline"), BOOK, "deadline-passed no-answer", None),
    (DECLINED, due_of("deadline"), BOOK, "deadline-passed last-answer", None),
    (LOW, due_of("deadline"), KEPT, "deadline-passed below-every-phase", None),
    (WAIVER_ENDS, due_of("waiver-end"), BOOK, "waiver-ended threshold-reached", "threshold-reached"),
    (row_of(), due_of("phase-begin"), BOOK, "phase-began threshold-reached", "threshold-reached"),
    (GRACE, due_of("phase-end"), PHASE_ENDS, "phase-ended policy-changed", "policy-changed phase-ended"),
    (GRACE, adopted(), HIGHER, "book-adopted policy-changed", "policy-changed book-adopted"),
    (row_of(), adopted(), BOOK, "book-adopted threshold-reached", "threshold-reached"),
]


@pytest.mark.parametrize(("row", "record", "book", "decision", "output"), REASONS)
def test_a_decision_and_its_outputs_name_why(row, record, book, decision, output):
    found = decide(row, record, book, AT)
    assert codes(found.reasons) == decision.split()
    said = codes(found.said[0].reasons) if found.said else []
    assert said == (decision if output is None else output).split()


def test_a_fall_names_the_lowest_line_that_it_is_below():
    book = book_of(policy_tables(phase=[phase_tables(), phase_tables(id="p2", threshold=500)]))
    below = decide(GRACE, count_of(499, AT), book, AT).said[0].reasons
    assert below == (reason("below-every-phase", followers=499, below=500),)


def test_an_output_names_what_caused_its_decision():
    count, fact = count_of(event_id="e1"), ruled("hold", event_id="e2")
    assert [cause_of(record) for record in (count, fact, due_of("deadline"), adopted())] == [
        {"topic": "follower-counts", "event_id": "e1"},
        {"topic": "account-facts", "event_id": "e2"},
        {"due": text(AT)},
        {"book": BOOK.hash},
    ]


# What is due is judged at its own instant --------------------------------------------------------------


def test_a_reminder_at_the_very_instant_at_which_its_phase_ends_is_said_and_ends_nothing():
    book = book_of(policy_tables(phase=[phase_tables(until=text(AT))]))
    decision = decide(row_of(obligation=obligation_of(reminders=((AT, 5),))), due_of("reminder"), book, AT)
    assert types(decision) == ["grace-reminder"]
    assert decision.row.obligation.stage == "grace"


def test_a_deadline_in_a_jump_asks_who_was_below_a_phase_in_force_then():
    tables = policy_tables(phase=[phase_tables(until=text(day(12)))], below={"pending": "keep"})
    decision = decide(LOW, due_of("deadline", day(10)), book_of(tables), day(20))
    assert types(decision) == ["grace-ended", "disclosure-cancelled"]


def test_a_profile_that_says_active_again_begins_what_it_had_kept_from_beginning():
    row = row_of(profile=profile_of(status="deleted"), followers=1000)
    assert types(decide(row, profile_said(AT, status="active"), BOOK, AT)) == NOTICE
    assert decide(row, adopted(), BOOK, AT).row.obligation is None
    assert BOOK.policies.keys() == {PLATFORM}
