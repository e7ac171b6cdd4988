"""What an auditor finds in a journal that somebody touched, and how it is named."""

import gzip
import json
import re
import sys
from contextlib import closing
from itertools import pairwise
from random import Random

import pytest
from builders import MEASURES, book_of, day, key_of, phase_tables, policy_tables

from schemas.account import pack, row_of_json
from schemas.errors import AuditError, OperatorError
from schemas.instant import parse, text
from schemas.journal import GENESIS_HASH, encode_entry, entry_hash
from schemas.wire import canonical
from streams import cli
from streams.ledger import root
from streams.replay.run import replay
from streams.verify import read_journal, verify
from streams.verify_inputs import check_inputs

ACCOUNTS = ("acc-a", "acc-b", "acc-c", "acc-d", "acc-e")
PARTITIONS = pytest.mark.parametrize("partitions", [1, 3])
UNTIL = text(day(30))
SEED = 20240101


def book(days=10):
    grace = {"days": days, "reminders_days_before": [3, 1]}
    return book_of(policy_tables(phase=[phase_tables(grace=grace)]))


def counted(account, followers, at):
    value = {"event_id": f"{account}-{at}", "platform": "weibo", "account_id": account}
    return {
        "topic": "follower-counts",
        "value": value | {"followers": followers, "observed_at": text(day(at))},
    }


def stated(account, kind, at, **said):
    value = {"event_id": f"{kind}-{at}", "platform": "weibo", "account_id": account}
    return {"topic": "account-facts", "value": value | {"occurred_at": text(day(at)), "type": kind, **said}}


def lines():
    """Return a month of six accounts: told, reminded, met, restricted, lifted, and one letter nobody could read."""
    return [
        *(counted(account, 900 + 10 * number, 0) for number, account in enumerate(ACCOUNTS)),
        *(counted(account, 1100 + number, 1 + number / 10) for number, account in enumerate(ACCOUNTS)),
        stated("acc-a", "name-display-changed", 4, displayed=True),
        stated("acc-b", "answer-given", 5, answer="agree"),
        {"topic": "follower-counts", "value": {"event_id": "no count"}},
        stated("acc-b", "answer-given", 6, answer="decline"),
        counted("acc-c", 700, 14),
        counted("acc-d", 1200, 15),
        counted("acc-f", 1500, 18),
    ]


class Case:
    """Inputs and the journal that a replay makes of them."""

    def __init__(self, directory, partitions, said=None, until=UNTIL, under=None):
        self.directory = directory
        self.input, out = directory / "input.jsonl", directory / "out"
        self.input.write_text("".join(json.dumps(line) + "\n" for line in said or lines()), "utf-8")
        replay([self.input], under or book(), until=until and parse(until), partitions=partitions, out=out)
        self.journal = (out / "journal.jsonl").read_bytes()
        self.entries = self.journal.splitlines()

    def verify(self, journal, *inputs):
        """Verify bytes as a journal, with input files or without; return the number of decisions."""
        path = self.directory / "journal.jsonl"
        path.write_bytes(journal)
        entries = list(read_journal(path))
        with closing(read_journal(path, outlines=True)) as outlines:
            try:
                auditors = verify(entries)
            except AuditError as error:  # whoever leaves the decisions as they stand finds the same
                with pytest.raises(type(error), match=f"^{re.escape(str(error))}$"):
                    verify(outlines)
                raise
            assert [one.head for one in verify(outlines).values()] == [one.head for one in auditors.values()]
        if inputs:
            check_inputs(entries, inputs)
        return sum(auditor.decisions for auditor in auditors.values())

    def finds(self, journal, *inputs):
        """Return the message of the first difference."""
        with pytest.raises(AuditError) as found:
            self.verify(journal, *inputs)
        return str(found.value)


@pytest.fixture
def case(tmp_path):
    return lambda partitions, **more: Case(tmp_path, partitions, **more)


def joined(entries):
    return b"".join(entry + b"\n" for entry in entries)


def contents(entries):
    return [json.loads(entry)["content"] for entry in entries]


def rechained(entries, changed):
    """Return a journal of other contents, all hashes, seals and links made anew as its writer would make them."""
    return chained(entries, map(canonical, changed))


def chained(entries, written):
    """The same of contents as they are written, in whatever form."""
    prev, made = {}, []
    for entry, content in zip(map(json.loads, entries), written, strict=True):
        partition = entry["content"]["partition"]
        before = prev.get(partition, GENESIS_HASH)
        made.append(encode_entry(entry["n"], entry["epoch"], before, entry["writer"], content))
        prev[partition] = entry_hash(made[-1])
    return joined(made)


def decisions(changed):
    """Yield each decision with the content that holds it and its place there."""
    for content in changed:
        for place, decision in enumerate(content["decisions"]):
            yield content, place, decision


def find(changed, key, is_it):
    """Return the first decision of an account that is the one sought, as `decisions` gives it."""
    return next(found for found in decisions(changed) if found[2]["key"] == key_of(key) and is_it(found[2]))


def puts_out(kind):
    return lambda decision: any(output["type"] == kind for output in decision["outputs"])


def names(message, content, place, decision):
    """Hold a message to the partition and the decision that it has to name."""
    assert f"partition {content['partition']}, entry n=" in message
    assert f"decision {place} (" in message
    cause = decision["cause"]
    assert (cause.get("due") or f"{cause['topic']}[{cause['offset']}]") in message
    assert (decision["key"] or "nobody") in message
    return True


# An untouched journal --------------------------------------------------------------------------------


@PARTITIONS
def test_an_untouched_journal_is_derived_again_whole(case, partitions):
    untouched = case(partitions)
    total = sum(len(content["decisions"]) for content in contents(untouched.entries))
    assert untouched.verify(untouched.journal) == total
    assert untouched.verify(untouched.journal, untouched.input) == total
    kinds = {
        output["type"] for _, _, one in decisions(contents(untouched.entries)) for output in one["outputs"]
    }
    assert {"grace-reminder", "disclosure-met", "restriction-lifted", "grace-resumed"} <= kinds, (
        "worth an audit"
    )


@PARTITIONS
def test_a_rechained_journal_of_the_same_contents_is_the_same(case, partitions):
    untouched = case(partitions)
    assert rechained(untouched.entries, contents(untouched.entries)) == untouched.journal


# Accidents -------------------------------------------------------------------------------------------


def classes_of(entries):
    """Return positions of every class: each envelope field's name and value, first and last bytes, line ends."""
    found, start = [], 0
    for entry in entries:
        marks = [b'"content":', b'"epoch":', b'"n":', b'"prev":"', b'"seal":"', b'"v":', b'"writer":"']
        for mark in marks:
            place = start + (entry.find(mark) if mark == b'"content":' else entry.rfind(mark))
            found += [place, place + 1, place + len(mark) - 1, place + len(mark)]
        found += [start, start + len(entry) - 1, start + len(entry)]
        start += len(entry) + 1
    return found


@PARTITIONS
def test_a_changed_byte_is_found_wherever_it_stands(case, partitions):
    touched, random = case(partitions), Random(SEED)
    whole, last = touched.journal, len(touched.journal) - len(touched.entries[-1]) - 1
    places = classes_of(touched.entries)
    places += random.sample(range(len(whole)), 200) + random.sample(range(last, len(whole)), 100)
    missed = []
    for place in places:
        other = random.choice([byte for byte in range(256) if byte != whole[place]])
        for byte in {other, whole[place] ^ 1}:
            changed = whole[:place] + bytes([byte]) + whole[place + 1 :]
            try:
                touched.verify(changed)
            except AuditError:
                continue
            missed.append((place, whole[max(0, place - 30) : place + 10], byte))
    assert missed == []


FORMS = [
    (b'"decisions":[{', b'"decisions":[ {'),
    (b'},{"T":', b'}, {"T":'),
    (b'},{"T":', b'} ,{"T":'),
    (b'}],"more":', b'} ],"more":'),
    (b'}],"more":', b'}]],"more":'),
    (b'}],"more":', b'}],"decisions":[],"more":'),
    (b'"decisions":[{', b'"decisions":[],"decisions":[{'),
    (b'{"T":', b'{"T":null,"T":'),
    (b'"cause":{', b'"cause":null,"cause":{'),
    (b'"cause":{', b'"cause":{"offset":7,'),
    (b'"cause":{', b'"cause":{ '),
    (b'"cause":{', b'"cause":[],"outputs":{'),
    (b'"before":', b'"befor\\u0065":'),
    (b'"outputs":[{', b'"outputs":[{"extra":"\xff",'),
    (b'"reasons":[{', b'"reasons":[{"extra":1e400,'),
]


@pytest.mark.parametrize(("was", "now"), FORMS)
@pytest.mark.parametrize("count", [1, -1])
def test_decisions_written_in_another_form_are_found_though_every_hash_fits(case, was, now, count):
    touched, written, changed = case(1), [], 0
    for entry in touched.entries:
        content = entry[len(b'{"content":') : entry.rindex(b'},"epoch":') + 1]
        if json.loads(entry)["content"]["decisions"]:
            changed += was in content
            content = content.replace(was, now, count)
        written.append(content)
    assert changed
    assert touched.finds(chained(touched.entries, written))


@PARTITIONS
def test_a_dropped_doubled_or_moved_entry_is_found(case, partitions):
    touched = case(partitions)
    entries = touched.entries
    numbers = [content["partition"] for content in contents(entries)]
    for place, number in enumerate(numbers):
        later = [at for at in range(place + 1, len(entries)) if numbers[at] == number]
        rest = [*entries[:place], *entries[place + 1 :]]
        if later:
            moved = [*rest[: later[0]], entries[place], *rest[later[0] :]]
            for journal in (rest, moved):
                assert f"partition {number}, entry n=" in touched.finds(joined(journal))
        else:
            assert touched.finds(joined(rest), touched.input), "a journal cut short, only its inputs tell"
        for doubled in (entries[: place + 1] + entries[place:], [*entries, entries[place]]):
            assert f"partition {number}, entry n=" in touched.finds(joined(doubled))


@PARTITIONS
def test_a_missing_partition_is_found_by_the_inputs(case, partitions):
    touched = case(partitions)
    for number in range(partitions):
        rest = [
            entry
            for entry, content in zip(touched.entries, contents(touched.entries), strict=True)
            if content["partition"] != number
        ]
        assert touched.finds(joined(rest), touched.input)


def test_an_empty_journal_is_no_evidence(case):
    touched = case(1)
    for journal in (b"", b"\n", b"{}\n", b"no entry\n", b"\xff\n"):
        assert touched.finds(journal)


# Somebody with all the tools -------------------------------------------------------------------------


CHANGES = {
    "the measures": (
        "acc-d",
        puts_out("restriction-imposed"),
        lambda one: one["outputs"][1].update(measures=MEASURES[:1]),
    ),
    "the deadline": (
        "acc-e",
        puts_out("grace-started"),
        lambda one: one["outputs"][1].update(deadline_at=text(day(12))),
    ),
    "the followers": (
        "acc-c",
        puts_out("disclosure-required"),
        lambda one: one["outputs"][0].update(followers=1500),
    ),
    "an output left out": ("acc-a", puts_out("disclosure-met"), lambda one: one["outputs"].pop()),
    "an output put in": (
        "acc-a",
        puts_out("grace-ended"),
        lambda one: one["outputs"].append(one["outputs"][0]),
    ),
    "the reasons": ("acc-e", puts_out("grace-started"), lambda one: one["reasons"].pop()),
    "a reason's number": (
        "acc-c",
        puts_out("restriction-lifted"),
        lambda one: one["reasons"][0].update(followers=699),
    ),
    "the row after": ("acc-b", puts_out("grace-suspended"), lambda one: one["after"].update(followers=1)),
    "the row before": ("acc-b", puts_out("grace-suspended"), lambda one: one.update(before="0" * 64)),
    "the instant": (
        "acc-d",
        puts_out("grace-reminder"),
        lambda one: one["outputs"][0].update(effective_at=text(day(9))),
    ),
}


@PARTITIONS
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_decision_is_named_though_all_after_it_was_chained_anew(case, partitions, change):
    touched = case(partitions)
    account, is_it, alter = CHANGES[change]
    changed = contents(touched.entries)
    content, place, decision = find(changed, account, is_it)
    alter(decision)
    message = touched.finds(rechained(touched.entries, changed))
    assert names(message, content, place, decision)


@PARTITIONS
@pytest.mark.parametrize("change", [{"book": "0" * 64}, {"more": 1}])
def test_an_adoption_says_the_hash_of_the_book_that_it_holds_and_nothing_more(case, partitions, change):
    touched = case(partitions)
    changed = contents(touched.entries)
    adoption = changed[0]["decisions"][0]
    adoption["cause"].update(change)
    message = touched.finds(rechained(touched.entries, changed))
    assert f"cause.{next(iter(change))}" in message


@PARTITIONS
def test_a_journal_decided_by_another_law_than_it_names_is_found_at_its_first_duty(
    case, partitions, tmp_path
):
    touched = case(partitions)
    (tmp_path / "forged").mkdir()
    forged = Case(tmp_path / "forged", partitions, under=book(days=12))
    true, false = book(), book(days=12)
    said = canonical(contents(forged.entries))
    said = said.replace(canonical(false.tables), canonical(true.tables)).replace(
        false.hash.encode(), true.hash.encode()
    )
    changed = json.loads(said)
    message = touched.finds(rechained(forged.entries, changed))
    first = next(found for found in decisions(changed) if found[2]["outputs"])
    assert "decision" in message
    assert first[2]["key"].partition(":")[2] in message or partitions > 1
    assert "differs" in message


def seen_before(changed, entry, place, key):
    """Return the row of an account before a decision."""
    row = None
    for content, at, decision in decisions(changed):
        if content is entry and at == place:
            return row
        if decision["key"] == key and "after" in decision:
            row = decision["after"]
    raise AssertionError(key)


def packed(row):
    return pack(row_of_json(row)) if row is not None else None


@PARTITIONS
def test_a_due_that_was_left_out_is_found_though_its_traces_are_gone(case, partitions):
    """The last thing of all is left out, with its sequence numbers and its part of the state root."""
    touched = case(partitions)
    changed = contents(touched.entries)
    *_, (content, place, decision) = (
        found
        for found in decisions(changed)
        if "due" in found[2]["cause"] and found[0]["decisions"][-1] is found[2]
    )
    assert decision["outputs"], "a due that says something"
    before = seen_before(changed, content, place, decision["key"])
    content["decisions"].pop()
    now = root.parse(content["state_root"])
    key = decision["key"].encode()
    content["state_root"] = root.text(root.replace(now, key, packed(decision["after"]), packed(before)))
    topic_of = {
        "grace-reminder": "grace-periods",
        "grace-ended": "grace-periods",
        "restriction-imposed": "restrictions",
    }
    for output in decision["outputs"]:
        content["next_seq"][topic_of[output["type"]]] -= 1
    message = touched.finds(rechained(touched.entries, changed))
    assert f"partition {content['partition']}" in message
    assert decision["cause"]["due"] in message
    assert decision["key"] in message


@PARTITIONS
def test_each_decision_that_was_left_out_is_found(case, partitions):
    touched = case(partitions)
    total = len(list(decisions(contents(touched.entries))))
    for number in range(total):
        changed = contents(touched.entries)
        content, place, decision = list(decisions(changed))[number]
        del content["decisions"][place]
        journal = rechained(touched.entries, changed)
        # A letter that nobody could read changes nothing, so that only the inputs know of it.
        message = touched.finds(journal, touched.input) if "dead" in decision else touched.finds(journal)
        assert f"partition {content['partition']}" in message


ENDS = {
    "book": lambda _: "1" * 64,
    "next_seq": lambda was: {**was, "grace-periods": was["grace-periods"] + 1},
    "published_upto": lambda was: {**was, "grace-periods": 1000},
    "positions": lambda was: {**was, "follower-counts": was["follower-counts"] + 1},
    "state_root": lambda _: "2" * 64,
    "runs": lambda was: [*was, ["account-facts", 90, 91, "3" * 64]],
    "time": lambda _: "clock",
}


@PARTITIONS
@pytest.mark.parametrize("name", ENDS)
def test_a_changed_end_of_an_entry_is_found(case, partitions, name):
    touched = case(partitions)
    for number in range(len(touched.entries)):
        changed = contents(touched.entries)
        changed[number][name] = ENDS[name](changed[number][name])
        assert touched.finds(rechained(touched.entries, changed))


@PARTITIONS
@pytest.mark.parametrize("to", [-200, 3.5])
def test_an_entry_of_another_instant_is_found(case, partitions, to):
    touched = case(partitions)
    for number, content in enumerate(contents(touched.entries)[:-1]):
        changed = contents(touched.entries)
        changed[number]["T"] = text(day(to))
        message = touched.finds(rechained(touched.entries, changed), touched.input)
        assert f"partition {content['partition']}" in message


# The raw inputs --------------------------------------------------------------------------------------


@PARTITIONS
def test_a_changed_digest_is_found_by_the_inputs_alone(case, partitions):
    touched = case(partitions)
    for number, content in enumerate(contents(touched.entries)):
        for place in range(len(content["runs"])):
            changed = contents(touched.entries)
            changed[number]["runs"][place][3] = "0" * 64
            journal = rechained(touched.entries, changed)
            touched.verify(journal)
            message = touched.finds(journal, touched.input)
            assert f"partition {content['partition']}" in message
            assert "0" * 64 in message


def differing(said, path):
    path.write_text("".join(json.dumps(line) + "\n" for line in said), "utf-8")
    return path


@PARTITIONS
def test_input_files_that_are_not_those_of_the_journal_are_found(case, partitions, tmp_path):
    touched, other = case(partitions), tmp_path / "other.jsonl"
    whole = lines()
    for number in range(len(whole)):
        rest = [*whole[:number], *whole[number + 1 :]]
        assert touched.finds(touched.journal, differing(rest, other)), "one line is missing"
        assert touched.finds(touched.journal, differing([*whole[: number + 1], *whole[number:]], other))
    for one, following in pairwise(range(len(whole))):
        swapped = [*whole[:one], whole[following], whole[one], *whole[following + 1 :]]
        keys = {json.dumps(whole[at]["value"].get("account_id")) for at in (one, following)}
        if partitions == 1 or len(keys) == 1:
            assert touched.finds(touched.journal, differing(swapped, other))
    quiet = [*whole[:5], counted("acc-z", 5, 0.5), *whole[5:]]
    assert touched.finds(touched.journal, differing(quiet, other)), "a quiet line too many"


@PARTITIONS
def test_a_quiet_count_that_was_changed_is_found_by_its_digest(case, partitions, tmp_path):
    said = [*lines()[:5], counted("acc-z", 5, 0.5), *lines()[5:]]
    touched = case(partitions, said=said)
    said[5] = counted("acc-z", 6, 0.5)
    assert touched.finds(touched.journal, differing(said, tmp_path / "other.jsonl"))


def test_a_file_that_is_cut_short_cannot_be_read(case):
    touched = case(1)
    cut = touched.directory / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(touched.input.read_bytes())[:-20])
    with pytest.raises(OperatorError, match=r"cut\.jsonl\.gz"):
        touched.verify(touched.journal, cut)


def test_several_input_files_count_as_one(case):
    touched = case(1)
    one, other = touched.directory / "one.jsonl", touched.directory / "other.jsonl"
    whole = touched.input.read_bytes().splitlines(keepends=True)
    one.write_bytes(b"".join(whole[:7]))
    other.write_bytes(b"".join(whole[7:]))
    touched.verify(touched.journal, one, other)
    assert touched.finds(touched.journal, other, one)


# Journals of ticks -----------------------------------------------------------------------------------


def tick(at, **more):
    return {"topic": "clock", "value": {"at": text(day(at))}, **more}


@PARTITIONS
@pytest.mark.parametrize("until", [UNTIL, None])
def test_a_journal_of_ticks_agrees_with_its_inputs(case, partitions, until):
    said = [tick(0.1), *lines()[:5], tick(2), *lines()[5:10], tick(4.5), *lines()[10:], tick(16), tick(25)]
    ticked = case(partitions, said=said, until=until)
    assert ticked.verify(ticked.journal, ticked.input)


@pytest.mark.parametrize("until", [UNTIL, text(day(7)), None])
def test_a_journal_of_ticks_of_single_partitions_agrees_with_its_inputs(case, until):
    said = [
        tick(0.1),
        *lines()[:5],
        tick(2),
        *lines()[5:10],
        tick(4.5),
        tick(9, partition=1),
        tick(25, partition=2),
    ]
    ticked = case(3, said=said, until=until)
    assert ticked.verify(ticked.journal)
    assert ticked.verify(ticked.journal, ticked.input)


# The command -----------------------------------------------------------------------------------------


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["nameplate", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as ended:
        code = ended.code or 0
    else:
        code = 0
    said = capsys.readouterr()
    return code, said.out + said.err


def test_the_command_says_by_its_exit_status_whether_the_evidence_agrees(case, monkeypatch, capsys):
    touched = case(3)
    journal = touched.directory / "given.jsonl"
    journal.write_bytes(touched.journal)
    code, said = run(monkeypatch, capsys, "verify", journal, "--inputs", touched.input, "--format", "json")
    assert code == 0
    assert [row["partition"] for row in json.loads(said)] == [0, 1, 2]
    changed = contents(touched.entries)
    content, place, decision = find(changed, "acc-d", puts_out("restriction-imposed"))
    decision["outputs"][0]["outcome"] = "met"
    journal.write_bytes(rechained(touched.entries, changed))
    code, said = run(monkeypatch, capsys, "verify", journal)
    assert code == 1
    assert names(said, content, place, decision)
    missing = touched.directory / "missing.jsonl"
    for arguments in ((missing,), (), (journal, "--bootstrap", "127.0.0.1:1")):
        code, said = run(monkeypatch, capsys, "verify", *arguments)
        assert code == 2
