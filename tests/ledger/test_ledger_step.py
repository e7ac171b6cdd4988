"""An owner at work: each rule of the step, and each order that it must refuse."""

import copy

import pytest
from ledger_cases import (
    COUNTS,
    DIGEST,
    DISCLOSURE,
    FACTS,
    a_step,
    content,
    draft,
    finish,
    quiet,
    record,
    split,
)

from schemas.errors import InvariantBroken
from schemas.journal import (
    MAX_ENTRY_BYTES,
    HeadPointer,
    Run,
    encode_content,
    entry_hash,
    read_content,
    read_envelope,
)
from streams.ledger.chain import next_entry
from streams.ledger.effects import Append, Commit, Publish, ReadJournal, Recover, Stop, WriteHead, WriteRows

LOG = {"log_start": 0, "log_end": 99}


def written(append):
    return read_content(read_envelope(append.raw))


def test_rule_11_work_goes_in_one_order():
    step = a_step()
    append = step.begin(draft())
    assert isinstance(append, Append)
    assert step.appended(10) == Publish(((DISCLOSURE, (record(b"o0"),)),))
    assert step.published() == WriteRows(((b"k", b"{}"),))
    assert step.rows_written() == WriteHead(HeadPointer(entry_hash(append.raw), 11))
    assert step.head_written() == Commit(((FACTS, 0), (COUNTS, 1)))
    assert step.committed() is None


def test_a_quiet_step_writes_the_head_only():
    step = a_step()
    step.begin(quiet(0))
    assert isinstance(step.appended(10), WriteHead)
    assert step.head_written() is None


def test_rule_4_the_own_ack_at_the_first_unjudged_offset_is_the_verdict():
    step = a_step()
    append = step.begin(draft())
    step.appended(10)
    assert (step.head.n, step.head.epoch, step.head.hash, step.head.next_offset) == (
        4,
        1,
        entry_hash(append.raw),
        11,
    )


def test_rule_4_otherwise_all_offsets_up_to_it_are_judged():
    step = a_step()
    append = step.begin(draft())
    assert step.appended(12) == ReadJournal(10, 13)
    assert step.journal_read([(10, b"noise")], upto=11, **LOG) == ReadJournal(11, 13)
    assert isinstance(step.journal_read([(12, append.raw)], upto=13, **LOG), Publish)
    assert step.head.next_offset == 13


def test_rule_4_an_entry_that_came_first_makes_mine_void_and_nothing_is_published():
    step = a_step()
    append = step.begin(draft())
    step.appended(11)
    other = next_entry(step.head, "w2", encode_content(content()), takeover=True)
    assert isinstance(step.journal_read([(10, other), (11, append.raw)], upto=12, **LOG), Recover)


def test_rule_4_my_entry_must_be_the_last_accepted_not_only_among_them():
    """Flaw 4 of the old wording: a takeover after my first copy, and the ack of my second one."""
    step = a_step()
    append = step.begin(draft())
    step.unacked()
    step.appended(12)
    mine = step._mine_at(10)
    other = next_entry(mine, "w2", encode_content(content()), takeover=True)
    effect = step.journal_read([(10, append.raw), (11, other), (12, append.raw)], upto=13, **LOG)
    assert isinstance(effect, Recover)


def test_rule_5_without_an_ack_the_same_bytes_go_out_again():
    step = a_step()
    append = step.begin(draft())
    assert step.unacked() == append
    assert step.unacked() == append
    assert step.appended(12) == ReadJournal(10, 13)
    copies = [(10, append.raw), (11, append.raw), (12, append.raw)]
    assert isinstance(step.journal_read(copies, upto=13, **LOG), Publish)


def test_rule_5_a_duplicate_without_an_offset_is_no_verdict():
    step = a_step()
    append = step.begin(draft())
    assert step.appended(-1) == append


def test_an_ack_below_the_judged_offsets_stops_the_worker():
    step = a_step()
    step.begin(draft())
    stop = step.appended(9)
    assert isinstance(stop, Stop)
    assert stop.code == "journal-went-back"


def test_a_journal_that_is_cut_before_the_verdict_stops_the_worker():
    step = a_step()
    step.begin(draft())
    step.appended(12)
    assert step.journal_read([], upto=13, log_start=11, log_end=13).code == "journal-cut"


def test_rule_12_a_batch_is_retried_whole():
    step = a_step()
    step.begin(draft())
    publish = step.appended(10)
    assert step.unacked() == publish
    assert isinstance(step.published(), WriteRows)


def test_rule_13_the_next_entry_says_what_was_published():
    step = a_step()
    assert written(step.begin(draft())).published_upto == {DISCLOSURE: 0}
    step.appended(10)
    finish(step)
    second = written(step.begin(quiet(1, next_seq={DISCLOSURE: 1})))
    assert second.published_upto == {DISCLOSURE: 1}
    assert second.positions == {COUNTS: 2, FACTS: 0}


def test_rule_6_the_ids_of_the_topics_are_carried_on():
    step = a_step(topic_ids={COUNTS: "id"})
    assert written(step.begin(draft())).topic_ids == {COUNTS: "id"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"runs": (Run(COUNTS, 1, 2, DIGEST),), "positions": {COUNTS: 2, FACTS: 0}},
        {"runs": ()},
        {"runs": (Run(COUNTS, 0, 1, None),)},
        {"runs": (Run("other", 0, 1, DIGEST),)},
        {"positions": {COUNTS: 1}},
        {"positions": {COUNTS: 2, FACTS: 0}},
    ],
)
def test_rule_7_a_writer_refuses_a_gap(wrong):
    """Flaws 2, 3 and 10 of the old wording end here."""
    refused(a_step(), draft(**wrong))


@pytest.mark.parametrize("next_seq", [{DISCLOSURE: 0}, {DISCLOSURE: 2}, {}, {DISCLOSURE: 1, "other": 0}])
def test_rule_6_a_seq_from_memory_is_refused(next_seq):
    """Flaw 8 of the old wording: the seq is that of the accepted entry, and dense."""
    refused(a_step(), draft(next_seq=next_seq))


def part(after, **changes):
    nothing = {"runs": (), "positions": {COUNTS: 0, FACTS: 0}, "more": True, "after": after}
    return draft(**{**nothing, **changes})


def test_rule_10_a_split_step_is_finished_before_anything_else():
    step = a_step()
    step.begin(part(split("a")))
    step.appended(10)
    finish(step)
    refused(
        step,
        quiet(0, runs=(Run(FACTS, 0, 1, DIGEST),), positions={COUNTS: 0, FACTS: 1}, next_seq={DISCLOSURE: 1}),
    )
    refused(step, quiet(0, runs=(), positions={COUNTS: 0, FACTS: 0}, next_seq={DISCLOSURE: 1}))
    step.begin(part(split("b"), next_seq={DISCLOSURE: 2}))
    step.appended(11)
    finish(step)
    last = step.begin(quiet(0, next_seq={DISCLOSURE: 2}))
    assert written(last).positions[COUNTS] == 1


def test_rule_10_a_new_owner_finishes_what_its_takeover_carries():
    step = a_step(more=True, after=split("a"))
    refused(step, quiet(0, runs=(Run(FACTS, 0, 1, DIGEST),), positions={COUNTS: 0, FACTS: 1}))
    step.begin(quiet(0))


def test_rule_10_an_unfinished_record_is_not_passed():
    refused(a_step(), draft(more=True, after=split("a")))
    refused(a_step(), draft(more=True))


def test_an_entry_that_is_too_large_is_refused_but_for_its_policy_book():
    large = (b'{"x":"' + b"x" * MAX_ENTRY_BYTES + b'"}',)
    refused(a_step(), draft(decisions=large))
    assert isinstance(a_step().begin(draft(decisions=large, book_bytes=MAX_ENTRY_BYTES)), Append)


def test_another_partition_is_refused():
    refused(a_step(), draft(partition=1))


def test_one_step_at_a_time():
    step = a_step()
    step.begin(draft())
    refused(step, draft())


@pytest.mark.parametrize("event", ["published", "rows_written", "head_written", "committed", "unacked"])
def test_an_event_that_cannot_come_changes_nothing(event):
    step = a_step()
    before = step.state()
    with pytest.raises(InvariantBroken):
        getattr(step, event)()
    assert step.state() == before


def test_after_a_stop_nothing_can_come():
    step = a_step()
    step.begin(draft())
    step.appended(3)
    with pytest.raises(InvariantBroken):
        step.appended(10)
    with pytest.raises(InvariantBroken):
        step.unacked()


def test_a_fork_goes_its_own_way():
    step = a_step()
    step.begin(draft())
    fork, before = copy.copy(step), step.state()
    step.appended(10)
    assert fork.state() == before
    assert hash(fork.state()) != hash(step.state())
    fork.appended(10)
    assert fork.state() == step.state()


def refused(step, wrong):
    before = step.state()
    with pytest.raises(InvariantBroken):
        step.begin(wrong)
    assert step.state() == before
