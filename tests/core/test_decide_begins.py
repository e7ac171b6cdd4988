"""How a duty begins, what stands within one decision, and when a row is forgotten."""

from builders import (
    START,
    book_of,
    count_of,
    day,
    fact_of,
    phase_tables,
    policy_tables,
    row_of,
    ruled,
)
from deciding import AT, BOOK, GRACE, NOTICE, RESTRICTED, SAID, adopted, codes, due_of, types, whys

from schemas.instant import DAY, text
from streams.core.decide import decide

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


def test_of_two_openings_in_jumps_over_one_instant_each_has_its_own_name():
    book = book_of(policy_tables(phase=[phase_tables(**{"from": text(day(1))})]))
    one, other = (decide(row_of(), due_of("phase-begin", day(1)), book, at) for at in (day(2), day(3)))
    assert one.row.obligation.id != other.row.obligation.id


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


def test_without_a_dwell_a_duty_begins_at_once_also_where_a_producers_clock_is_ahead():
    assert types(decide(None, count_of(1000, AT + DAY), BOOK, AT)) == NOTICE
    with_dwell = book_of(policy_tables(confirm={"dwell_days": 1}))
    assert not decide(None, count_of(1000, AT + 1), with_dwell, AT + DAY).said
    assert decide(None, count_of(1000, AT), with_dwell, AT + DAY).said


def test_a_platform_that_the_book_has_no_more_decides_only_what_its_rows_keep():
    row = row_of(waived=True, waived_until=AT)
    decision = decide(row, due_of("waiver-end"), book_of(policy_tables(platform="bilibili")), AT)
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
