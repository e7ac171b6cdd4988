"""What one record means for one account: each kind of record in each stage, counts and facts."""

import pytest
from builders import (
    START,
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
from deciding import AGREED, AT, BELOW, BOOK, GRACE, HELD, IMPOSED, SAID, codes, types, whys

from schemas.instant import DAY
from schemas.reasons import REASONS
from streams.core.decide import Decision, decide


@pytest.mark.parametrize(("row", "record", "said", "stage"), SAID)
def test_a_record_says_and_leaves(row, record, said, stage):
    decision = decide(row, record, BOOK, AT)
    assert types(decision) == said
    assert (decision.row.obligation.stage if decision.row.obligation else None) == stage
    assert all(said.reasons for said in decision.said)
    assert all(reason["code"] in REASONS for reason in decision.reasons)


def test_whatever_says_something_changes_the_row():
    for row, record, _, _ in SAID:
        decision = decide(row, record, BOOK, AT)
        assert decision.changed or not decision.said


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
        (AT_900, count_of(800, day(4.9)), "quiet"),
        (AT_900, count_of(999, day(4.9)), "quiet"),
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


def test_a_count_of_a_platform_that_the_book_does_not_know_changes_nothing():
    book = book_of(policy_tables(platform="bilibili"))
    for row in (None, row_of(), row_of(followers=10, observed_at=AT - 40 * DAY)):
        assert decide(row, count_of(2000, AT), book, AT) == Decision(row, False, (), ())


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
    low = row_of(followers=5, displayed=True, met=True)
    assert not decide(low, display_said(False, AT), BOOK, AT).row.met


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
