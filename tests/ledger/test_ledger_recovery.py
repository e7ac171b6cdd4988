"""A new owner: each rule of the takeover, and each reason to stop."""

from itertools import pairwise

import pytest
from ledger_cases import (
    COUNTS,
    DIGEST,
    DISCLOSURE,
    FACTS,
    Journal,
    a_step,
    content,
    draft,
    finish,
    found,
    outputs,
    quiet,
    record,
    recovery,
    rows,
    split,
)

from schemas.errors import AuditError, InvariantBroken
from schemas.journal import HeadPointer, Run, encode_content, entry_hash, read_content, read_envelope
from schemas.topics import DEAD_LETTERS, STATUS
from streams.ledger import root
from streams.ledger.chain import next_entry
from streams.ledger.effects import (
    Append,
    ApplyRows,
    BackOff,
    CheckInputs,
    ComputeRoot,
    InputFound,
    Leave,
    Publish,
    ReadJournal,
    ReadTails,
    Ready,
    Rebuild,
    Seek,
    Stop,
    WriteApplied,
    WriteHead,
)
from streams.ledger.step import Step

ROW = (b"k", b"{}")
ROW_ROOT = root.of_rows([ROW])
OWED = ((STATUS, b"s1"), (DEAD_LETTERS, b"d1"), (DISCLOSURE, b"o1"))


def takes(number, **changes):
    """The content of the step that takes count `number` and has one output."""
    body = {
        "runs": (Run(COUNTS, number, number + 1, DIGEST),),
        "positions": {COUNTS: number + 1, FACTS: 0},
        "T": f"1970-01-01T00:00:0{number}Z",
        "next_seq": {DISCLOSURE: number + 1},
        "published_upto": {DISCLOSURE: number},
        "topic_ids": {COUNTS: "id", FACTS: "id"},
    }
    if changes.get("runs") == ():
        body["next_seq"] = {DISCLOSURE: number}
    return content(**{**body, **changes})


def journal_of(*bodies):
    """A takeover by the first owner, and its steps."""
    journal = Journal()
    journal.add(content(topic_ids={COUNTS: "id", FACTS: "id"}), takeover=True)
    for body in bodies:
        journal.add(body)
    return journal


def pointer(journal, offset):
    return HeadPointer(entry_hash(journal.records[offset]), offset + 1)


def read(machine, journal, tails=None):
    """Answer tails and journal; returns what comes then."""
    machine.tails_are(tails or {})
    while isinstance(machine.effect, ReadJournal | ApplyRows):
        if isinstance(machine.effect, ApplyRows):
            machine.rows_applied()
        else:
            journal.answer(machine)
    return machine.effect


def to_append(machine, journal, value=0, tails=None):
    read(machine, journal, tails)
    machine.inputs_are(found(machine))
    return machine.root_is(value)


def appended(machine, journal, offset=None):
    """Let the takeover land, at once accepted."""
    journal.add_raw(machine.effect.raw)
    return machine.appended(len(journal.records) - 1 if offset is None else offset)


def written(machine):
    return read_content(read_envelope(machine.effect.raw))


def test_the_first_owner_of_an_empty_partition_goes_all_the_way():
    machine, journal = recovery(), Journal()
    assert machine.effect == ReadTails((DISCLOSURE,))
    assert machine.tails_are({DISCLOSURE: None}) == ReadJournal(0, None)
    assert isinstance(journal.answer(machine), CheckInputs)
    assert machine.inputs_are(found(machine)) == ComputeRoot()
    assert isinstance(machine.root_is(0), Append)
    assert written(machine).topic_ids == {COUNTS: "id", FACTS: "id"}
    assert appended(machine, journal) == WriteApplied()
    assert machine.rows_written() == WriteHead(pointer(journal, 0))
    assert machine.head_written() == Seek(tuple(sorted({COUNTS: 0, FACTS: 0}.items())))
    ready = machine.sought()
    assert isinstance(ready, Ready)
    assert (ready.head.n, ready.head.epoch, ready.rebuilt, ready.voids) == (0, 1, False, 0)
    assert Step(ready, "w2").effect is None


def test_rule_15_the_takeover_repeats_everything_and_raises_the_epoch():
    cursor = split("a")
    body = takes(0, book=DIGEST, more=True, after=cursor)
    journal = journal_of(body)
    machine = recovery()
    to_append(machine, journal)
    envelope, taken = read_envelope(machine.effect.raw), written(machine)
    assert (envelope.n, envelope.epoch, envelope.prev) == (2, 2, entry_hash(journal.records[1]))
    assert (taken.runs, taken.decisions) == ((), ())
    for name in ("positions", "T", "book", "next_seq", "state_root", "more", "after", "topic_ids"):
        assert getattr(taken, name) == getattr(body, name), name


def test_rule_10_a_takeover_of_a_takeover_still_carries_the_unfinished_record():
    journal = journal_of(takes(0, more=True, after=split("a")))
    for _ in range(2):
        machine = recovery()
        to_append(machine, journal)
        appended(machine, journal)
    machine.published()
    machine.rows_written()
    machine.head_written()
    assert machine.sought().content.after == split("a")


def test_rule_15_the_journal_is_read_from_the_heads_own_entry():
    journal = journal_of(takes(0), takes(1))
    machine = recovery(pointer(journal, 1), outputs)
    assert machine.tails_are({}) == ReadJournal(1, 2)
    assert journal.answer(machine) == ReadJournal(2, None)
    assert isinstance(journal.answer(machine), CheckInputs)
    assert (machine.head.n, machine.head.next_offset) == (2, 3)


@pytest.mark.parametrize("wrong", [HeadPointer(DIGEST, 1), HeadPointer(DIGEST, 9)])
def test_rule_15_a_head_that_is_not_in_the_journal_stops_the_worker(wrong):
    machine = recovery(wrong)
    machine.tails_are({})
    assert machine.journal_read(
        [(0, b"noise")][: wrong.offset == 1], upto=1, log_start=0, log_end=1
    ).code == ("head-not-in-journal")


def test_rule_15_a_journal_without_its_beginning_is_not_an_empty_one():
    machine = recovery()
    machine.tails_are({})
    assert machine.journal_read([], upto=5, log_start=5, log_end=5).code == "journal-cut"


def test_rule_15_an_output_that_no_entry_holds_stops_the_worker():
    journal = journal_of(takes(0))
    assert read(recovery(), journal, {DISCLOSURE: 1}).code == "output-ahead"
    assert isinstance(read(recovery(), journal, {DISCLOSURE: 0}), CheckInputs)


def test_rule_3_an_accepted_entry_that_cannot_be_handled_stops_the_worker():
    journal = journal_of()
    journal.add_raw(next_entry(journal.head, "w1", b'{"from":"a later release"}'))
    assert read(recovery(), journal).code == "entry-unreadable"


def test_rule_3_so_does_a_core_that_cannot_handle_it():
    def refuses(body, n):
        raise AuditError("a reason code that this release does not know")

    stop = read(recovery(effects_of=refuses), journal_of())
    assert isinstance(stop, Stop)
    assert "reason code" in stop.message


def test_a_journal_of_another_partition_stops_the_worker():
    assert read(recovery(), journal_of(takes(0, partition=1))).code == "entry-unreadable"


def test_the_journal_may_come_in_pieces():
    journal = journal_of(takes(0), takes(1), takes(2))
    journal.records.insert(2, b"noise")
    machine = recovery(effects_of=rows)
    machine.tails_are({})
    assert journal.answer(machine, upto=2) == ApplyRows(((b"k", b"{}"),))
    assert machine.rows_applied() == ReadJournal(2, None)
    assert journal.answer(machine, upto=2) == ReadJournal(2, None)
    assert journal.answer(machine, upto=3) == ReadJournal(3, None)
    assert journal.answer(machine) == ApplyRows(((b"k", None), (b"k", b"{}")))
    assert isinstance(machine.rows_applied(), CheckInputs)


def checked(**changes):
    """The answer to a partition that has taken counts 0 and 1, with a topic that is not as it should be."""
    journal = journal_of(takes(0), takes(1))
    machine = recovery(lost_allowed=changes.pop("lost_allowed", ()))
    read(machine, journal)
    answer = {"topic": COUNTS, "topic_id": "id", "log_start": 0, "log_end": 9, "digest": DIGEST}
    return machine, machine.inputs_are(found(machine, by_topic={COUNTS: InputFound(**{**answer, **changes})}))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"topic_id": "another"}, "input-recreated"), ({"topic_id": None}, "input-recreated"),
        ({"log_end": 1}, "input-behind"), ({"digest": "e" * 64}, "input-changed"),
        ({"digest": None}, "input-changed"),
        ({"log_start": 3, "digest": None}, "input-lost"),
        ({"log_start": 3, "digest": None, "lost_allowed": ((COUNTS, 1),)}, "input-lost"),
    ],
)  # fmt: skip
def test_rules_18_and_19_an_input_that_is_not_the_journaled_one_stops_the_worker(changes, code):
    machine, stop = checked(**changes)
    assert isinstance(stop, Stop)
    assert stop.code == code
    with pytest.raises(InvariantBroken):
        machine.unacked()


@pytest.mark.parametrize("changes", [{"log_end": 2}, {"log_start": 2, "digest": None}])
def test_rule_18_what_is_just_enough_is_enough(changes):
    assert checked(**changes)[1] == ComputeRoot()


def test_rule_19_an_operator_may_journal_a_lost_run():
    machine, effect = checked(log_start=5, digest=None, lost_allowed=((COUNTS, 2),))
    assert effect == ComputeRoot()
    machine.root_is(0)
    taken = written(machine)
    assert taken.runs == (Run(COUNTS, 2, 5, None),)
    assert taken.positions == {COUNTS: 5, FACTS: 0}


def test_rule_19_an_unfinished_record_cannot_be_given_up():
    journal = journal_of(takes(0, runs=(), positions={COUNTS: 0, FACTS: 0}, more=True, after=split("a")))
    machine = recovery(lost_allowed=((COUNTS, 0),))
    read(machine, journal)
    lost = {COUNTS: InputFound(COUNTS, "id", 1, 5, None)}
    assert machine.inputs_are(found(machine, by_topic=lost)).code == "unfinished-lost"


def test_rule_18_the_last_run_survives_takeovers_without_runs():
    journal = journal_of(takes(0))
    for _ in range(2):
        machine = recovery(pointer(journal, len(journal.records) - 1))
        read(machine, journal)
        asked = {one.topic: one.last_run for one in machine.effect.inputs}
        assert asked == {COUNTS: Run(COUNTS, 0, 1, DIGEST), FACTS: None}
        machine.inputs_are(found(machine))
        machine.root_is(0)
        appended(machine, journal)


def test_rule_18_an_input_that_lost_its_end_and_grew_again_is_noticed_by_who_reads_one_entry_without_it():
    journal, step = journal_of(), a_step()
    step.head = journal.head
    fact = Run(FACTS, 0, 1, DIGEST)
    after = {"positions": {COUNTS: 1, FACTS: 1}, "next_seq": {DISCLOSURE: 1}, "publish": {}}
    for taken in (draft(), quiet(1, **after, runs=(fact,)), quiet(1, **after, runs=())):
        journal.add_raw(step.begin(taken).raw)
        step.appended(len(journal.records) - 1)
        finish(step)
    assert [read_content(read_envelope(raw)).last_runs for raw in journal.records[1:]] == [
        (),
        (Run(COUNTS, 0, 1, DIGEST),),
        (fact, Run(COUNTS, 0, 1, DIGEST)),
    ]
    machine = recovery(pointer(journal, 3))
    read(machine, journal)
    grown = {COUNTS: InputFound(COUNTS, "id", 0, 9, "e" * 64)}
    assert machine.inputs_are(found(machine, by_topic=grown)).code == "input-changed"


def test_other_topics_than_asked_for_are_our_bug():
    machine = recovery()
    read(machine, Journal())
    before = machine.state()
    with pytest.raises(InvariantBroken):
        machine.inputs_are(found(machine)[:1])
    assert machine.state() == before


def test_rule_15_a_wrong_root_leads_to_a_rebuild_from_the_start_loudly():
    journal = journal_of(takes(0), takes(1), takes(2, state_root=root.text(ROW_ROOT)))
    machine = recovery(pointer(journal, 2), rows)
    read(machine, journal)
    machine.inputs_are(found(machine))
    rebuild = machine.root_is(7)
    assert isinstance(rebuild, Rebuild)
    assert "lost, late or changed" in rebuild.reason
    assert machine.cleared() == ReadJournal(0, 4)
    assert journal.answer(machine, upto=1) == ReadJournal(1, 4)
    assert journal.answer(machine) == ApplyRows(((b"k", b"{}"), (b"k", None), (b"k", b"{}")))
    assert machine.rows_applied() == ComputeRoot()
    assert isinstance(machine.root_is(ROW_ROOT), Append)
    assert machine.rebuilt


def test_rule_15_a_journal_that_does_not_agree_with_itself_stops_the_worker():
    journal = journal_of(takes(0, state_root=root.text(5)))
    machine = recovery()
    assert isinstance(to_append(machine, journal), Rebuild)
    machine.cleared()
    journal.answer(machine)
    assert machine.root_is(0).code == "root-differs"


def test_rule_14_a_head_that_the_chain_from_the_start_does_not_know_stops_the_worker():
    journal = journal_of(takes(0))
    stray = next_entry(journal.head, "w9", encode_content(takes(1, state_root=root.text(5))))
    journal.add(takes(1))
    journal.records.append(stray)
    machine = recovery(HeadPointer(entry_hash(stray), 4))
    assert isinstance(to_append(machine, journal), Rebuild)
    machine.cleared()
    assert journal.answer(machine).code == "head-not-accepted"


def owed(journal, head=None):
    machine = recovery(head, outputs)
    to_append(machine, journal)
    effect = appended(machine, journal)
    names = dict(effect.batches) if isinstance(effect, Publish) else {}
    return {topic: [value.decode() for _, value, _ in records] for topic, records in names.items()}


def test_rule_15_everything_after_the_head_from_published_upto_is_published_again():
    journal = journal_of(takes(0), takes(1))
    last = {DISCLOSURE: ["o2"], STATUS: ["s2"], DEAD_LETTERS: ["d2"]}
    assert owed(journal) == last, "without a head pointer: what the last step may not have published"
    assert owed(journal, pointer(journal, 1)) == last, "also after a takeover that published nothing"
    assert owed(journal, pointer(journal, 2)) == {}, "nothing after the head"


def test_rule_13_what_the_head_pointer_proves_is_said_by_the_takeover():
    journal = journal_of(takes(0))
    machine = recovery(pointer(journal, 1), outputs)
    to_append(machine, journal)
    assert written(machine).published_upto == {DISCLOSURE: 1}
    machine = recovery(None, outputs)
    to_append(machine, journal)
    assert written(machine).published_upto == {DISCLOSURE: 0}


def test_outputs_that_are_owed_and_out_of_reach_stop_the_worker():
    journal = journal_of(takes(0), takes(1, next_seq={DISCLOSURE: 3}))
    assert "are owed" in read(recovery(pointer(journal, 1), outputs), journal).message


def test_rule_5_a_takeover_without_an_ack_is_appended_again():
    machine, journal = recovery(), Journal()
    append = to_append(machine, journal)
    assert machine.unacked() == append
    journal.add_raw(append.raw)
    journal.add_raw(append.raw)
    assert machine.appended(1) == ReadJournal(0, 2)
    assert journal.answer(machine) == WriteApplied()
    assert machine.rows_written() == WriteHead(HeadPointer(entry_hash(append.raw), 2))


def test_rule_16_a_void_takeover_backs_off_judges_on_and_tries_again():
    journal = journal_of()
    machine = recovery(effects_of=rows)
    first = to_append(machine, journal)
    journal.add(takes(0, state_root=root.text(ROW_ROOT)))
    journal.add_raw(first.raw)
    assert machine.appended(2) == ReadJournal(1, 3)
    assert journal.answer(machine) == ApplyRows((ROW,))
    assert machine.rows_applied() == BackOff(1)
    assert machine.still_mine(True) == ReadJournal(3, None)
    assert isinstance(journal.answer(machine), CheckInputs)
    machine.inputs_are(found(machine))
    second = machine.root_is(ROW_ROOT)
    assert read_envelope(second.raw).n == 2
    assert written(machine).positions == {COUNTS: 1, FACTS: 0}
    assert appended(machine, journal) == Publish(tuple((topic, (record(name),)) for topic, name in OWED))


def test_rule_16_a_partition_that_was_given_away_is_left():
    journal = journal_of()
    machine = recovery()
    first = to_append(machine, journal)
    journal.add(takes(0))
    journal.add_raw(first.raw)
    machine.appended(2)
    journal.answer(machine)
    assert isinstance(machine.still_mine(False), Leave)


def test_a_takeover_followed_by_another_owners_is_not_the_last_word():
    journal = journal_of()
    machine = recovery()
    mine = to_append(machine, journal)
    journal.add_raw(mine.raw)
    journal.add(content(), writer="w3", takeover=True)
    journal.add_raw(mine.raw)
    machine.appended(3)
    assert journal.answer(machine) == BackOff(1)


def test_the_tails_are_read_before_the_journal():
    """A former owner may publish what it has journaled after the journal was read: that is no loss."""
    journal = journal_of(takes(0))
    machine = recovery()
    machine.tails_are({DISCLOSURE: 0})
    journal.add(takes(1))  # and its output becomes visible now
    assert isinstance(journal.answer(machine), CheckInputs)


def test_a_topic_that_no_entry_knows_yet_starts_at_0():
    machine = recovery()
    journal = Journal()
    journal.add(content(positions={COUNTS: 4}, next_seq={}, published_upto={}), takeover=True)
    to_append(machine, journal)
    assert written(machine).positions == {COUNTS: 4, FACTS: 0}
    assert written(machine).next_seq == {DISCLOSURE: 0}


EVENTS = [
    ("tails_are", ({},), {}), ("journal_read", ([],), {"upto": 0, "log_start": 0, "log_end": 0}),
    ("rows_applied", (), {}), ("inputs_are", ([],), {}), ("root_is", (0,), {}), ("cleared", (), {}),
    ("appended", (0,), {}), ("still_mine", (True,), {}), ("published", (), {}), ("rows_written", (), {}),
    ("head_written", (), {}), ("sought", (), {}),
]  # fmt: skip


def test_an_event_that_cannot_come_changes_nothing():
    """At each place of a whole recovery every event but its own is refused."""
    machine, journal = recovery(None, outputs), journal_of(takes(0))
    own = {
        ReadTails: lambda: machine.tails_are({}), ReadJournal: lambda: journal.answer(machine),
        CheckInputs: lambda: machine.inputs_are(found(machine)), ComputeRoot: lambda: machine.root_is(0),
        Append: lambda: appended(machine, journal), Publish: machine.published,
        WriteApplied: machine.rows_written, WriteHead: machine.head_written, Seek: machine.sought,
    }  # fmt: skip
    states = [machine.state()]
    while not isinstance(machine.effect, Ready):
        answered = 0
        for name, arguments, keywords in EVENTS:
            before = machine.state()
            fits = {"ReadTails": "tails_are", "ReadJournal": "journal_read", "CheckInputs": "inputs_are",
                    "ComputeRoot": "root_is", "Append": "appended", "Publish": "published", "Seek": "sought",
                    "WriteApplied": "rows_written", "WriteHead": "head_written"}  # fmt: skip
            if fits[type(machine.effect).__name__] == name:
                answered += 1
                continue
            with pytest.raises(InvariantBroken):
                getattr(machine, name)(*arguments, **keywords)
            assert machine.state() == before
        assert answered == 1
        assert machine.unacked() == machine.effect
        own[type(machine.effect)]()
        states.append(machine.state())
    assert all(before != after for before, after in pairwise(states))
