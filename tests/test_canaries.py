"""No name can enter: canaries in every place of every input reach nothing that leaves, by no command.

What may hold free text by contract is exempt, and each exemption is held here: policy files (their texts are
citations, published by whoever answers for them, and a book is journaled whole), and the `event_id`, which
may be any visible ASCII of its sender's choice and is the name of the record in every output.
"""

import ast
import json
import logging
import sys
import traceback
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from builders import book_tables, count_of, day, policy_tables, profile_said
from worlds import policy, toml

from schemas import topics
from schemas.dead_letters import CODES
from schemas.errors import InputError, OperatorError, PolicyError, StreamsError
from schemas.instant import text
from schemas.outputs import TOPIC_OF_TYPE
from schemas.records import Records
from schemas.wire import Raw, canonical, decode, sha256_hex
from streams import cli
from streams.core.decider import BOOK_ADOPTED, SILENT
from streams.core.fold import Fold
from streams.journaling import Chain, draft_of
from streams.live.counts import BOUNDS_S, Counts
from streams.live.fetched import Record
from streams.live.metrics import Numbers
from streams.live.standing import Standing
from streams.policies.load import load_book
from streams.replay.files import rare_topics, read_lines
from streams.replay.run import replay
from streams.verify import read_line

ROOT = Path(__file__).parent.parent
CANARIES = {
    "CJK": "王小明",
    "Latin": "Johnathan Appleseed",
    "mail": "j.appleseed@example.org",
    "phone": "+8613912345678",
}
PARTS = ("Johnathan", "Appleseed", "appleseed", "13912345678")
"""What a message that shortens or cuts would still show."""
of_each = pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)

PLATFORM, ACCOUNT = "weibo", "acc-canary"
WHO = {"event_id": "e-canary", "platform": PLATFORM, "account_id": ACCOUNT}
FACT = {**WHO, "occurred_at": text(day(1))}
PROFILE = {
    "owner": "individual",
    "self_media": True,
    "subjects": {"law": 0.5},
    "daily_life": False,
    "verified": True,
    "status": "active",
}
BOOK = book_tables(policy_tables())
VALUES: list[tuple[str, dict[str, Any]]] = [
    (topics.COUNTS, {**WHO, "followers": 600_000, "observed_at": text(day(1))}),
    (topics.FACTS, {**FACT, "type": "profile-changed", **PROFILE}),
    (topics.FACTS, {**FACT, "type": "answer-given", "answer": "agree"}),
    (topics.FACTS, {**FACT, "type": "name-display-changed", "displayed": False}),
    (
        topics.FACTS,
        {
            **FACT,
            "type": "adjudication-made",
            "ruling": "extend",
            "until": text(day(9)),
            "reason_code": "case-7",
        },
    ),
    (topics.CLOCK, {"at": text(day(1))}),
    (topics.BOOKS, {"book": BOOK, "hash": sha256_hex(canonical(BOOK))}),
]
"""One good value of every kind of input."""


# Where a canary is looked for --------------------------------------------------------------------


def forms(canary: str) -> set[bytes]:
    """Return a name as text, in other encodings, as JSON escapes it, and as Python shows it."""
    raw = canary.encode()
    shown = (ascii(canary)[1:-1], json.dumps(canary)[1:-1], repr(raw)[2:-1], raw.hex())
    encoded = {raw, b64encode(raw).rstrip(b"="), canary.encode("utf-16-le"), canary.encode("gb18030")}
    return encoded | {one.encode() for one in shown}


ALL_FORMS = {form for one in (*CANARIES.values(), *PARTS) for form in forms(one)}


def traces(*left: bytes | str) -> list[bytes]:
    everything = b"\n".join(one.encode(errors="replace") if isinstance(one, str) else one for one in left)
    return sorted(form for form in ALL_FORMS if form in everything)


def told(error: BaseException) -> str:
    """Return all that anybody may log of an exception, and of those that it hides."""
    seen: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is not None and one not in seen:
            seen.append(one)
            pending += [one.__cause__, one.__context__]
    ours = [one for one in seen if isinstance(one, StreamsError)]
    return "\n".join((*traceback.format_exception(error), *(f"{one!r} {one.__dict__}" for one in ours)))


# Where a canary is put ---------------------------------------------------------------------------


class Poison(NamedTuple):
    topic: str
    value: bytes
    key: str | None
    where: str = ""
    """The field in which the canary stands as its whole value or a part of it; empty: somewhere else."""

    @property
    def line(self) -> dict[str, Any]:
        return {"topic": self.topic, "key": self.key, "raw_base64": b64encode(self.value).decode()}


def mutants(value: Any, canary: str, where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a JSON value with a canary in each of its places: (field, value)."""
    yield from ((where, other) for other in (canary, [canary], {canary: 1}, {"name": canary}))
    if isinstance(value, str):
        yield from ((where, other) for other in (value + canary, canary + value, f"{value} {canary}"))
    if isinstance(value, list):
        yield where, [*value, canary]
        for place, inner in enumerate(value):
            for name, other in mutants(inner, canary, where):
                yield name, [*value[:place], other, *value[place + 1 :]]
    if isinstance(value, dict):
        yield where, {**value, canary: 1}
        yield where, {**value, "name": canary}
        for name, inner in value.items():
            yield where, {canary if other == name else other: kept for other, kept in value.items()}
            for field, other in mutants(inner, canary, f"{where}.{name}".lstrip(".")):
                yield field, {**value, name: other}


def texts(value: Any) -> list[bytes]:
    """Return the JSON of a value: as it is, and with escapes where that differs."""
    plain = json.dumps(value, ensure_ascii=False)
    return [plain.encode()] + ([] if plain.isascii() else [json.dumps(value).encode()])


def broken(value: dict[str, Any], canary: str) -> Iterator[bytes]:
    """Yield bytes that are no value at all, each with a canary in it."""
    good = json.dumps(value)
    yield canary.encode()
    yield canary.encode("gb18030") + b"\xff"
    yield canary.encode("utf-16")
    yield f"{good}{canary}".encode()
    yield f'{{"name":"{canary}"'.encode()
    yield f'{{"name":"{canary}","name":1,{good[1:]}'.encode()
    yield f'{{"name":"{canary}\\ud800",{good[1:]}'.encode()
    yield f'{{"name":NaN,"{canary}":{good}}}'.encode()
    yield f'{"[" * 200}"{canary}"{"]" * 200}'.encode()
    yield json.dumps({**value, "name": canary * 200_000}).encode()


def poisons(canary: str) -> Iterator[Poison]:
    """Yield records with a canary in every place of every kind of input."""
    for topic, value in VALUES:
        key = f"{PLATFORM}:{ACCOUNT}" if topic in (topics.COUNTS, topics.FACTS) else None
        for where, mutant in mutants(value, canary):
            yield from (Poison(topic, raw, key, where) for raw in texts(mutant))
            if where.startswith("book") and isinstance(mutant, dict) and mutant.keys() == value.keys():
                sealed = {**mutant, "hash": sha256_hex(canonical(mutant["book"]))}
                yield from (Poison(topic, raw, key, where) for raw in texts(sealed))
        yield from (Poison(topic, raw, key) for raw in broken(value, canary))
        if key is not None:
            for other in (canary, f"{PLATFORM}:{canary}", f"{canary}:{ACCOUNT}", f"{key}{canary}"):
                yield Poison(topic, texts(value)[0], other)


def refusal(poison: Poison) -> InputError | None:
    """Return the error of a record that is refused, None where it is taken."""
    key = poison.key.encode() if poison.key is not None else None
    try:
        decode(poison.topic, key, poison.value, {PLATFORM})
    except InputError as error:
        return error
    return None


# By the wire -------------------------------------------------------------------------------------


@of_each
def test_a_record_with_a_name_is_refused_but_for_what_is_free_by_contract(canary):
    taken = {poison.where for poison in poisons(canary) if refusal(poison) is None}
    free = {"event_id"} if canary.isascii() and " " not in canary else set()
    in_a_book = {where for where in taken if where.startswith("book.")}
    assert taken - in_a_book == free
    assert in_a_book <= {"book.policies.weibo.version"}


@of_each
def test_a_refusal_says_a_code_and_nothing_else(canary):
    errors = [error for error in map(refusal, poisons(canary)) if error is not None]
    assert len(errors) > 500
    assert traces(*map(told, errors)) == []


# By the replay, verify and explain ---------------------------------------------------------------


class Room:
    """Runs commands, and keeps all that they say, log and write."""

    def __init__(self, directory, monkeypatch, capsys, caplog):
        self.directory, self.out = directory, directory / "out"
        self._monkeypatch, self._capsys, self._caplog = monkeypatch, capsys, caplog
        caplog.set_level(logging.DEBUG)

    def run(self, *arguments):
        """Run a command; return its exit status and all that it said."""
        self._monkeypatch.setattr(sys, "argv", ["nameplate", *map(str, arguments)])
        self._monkeypatch.setenv("COLUMNS", "400")
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        else:
            code = 0
        said = self._capsys.readouterr()
        return code, said.out + said.err + self._caplog.text

    def file(self, lines, name="input.jsonl"):
        path = self.directory / name
        path.write_bytes(b"".join(one if isinstance(one, bytes) else canonical(one) + b"\n" for one in lines))
        return path

    def written(self):
        return [path.read_bytes() for path in self.out.iterdir()]


@pytest.fixture
def room(tmp_path, monkeypatch, capsys, caplog):
    return Room(tmp_path, monkeypatch, capsys, caplog)


def good(number, at):
    """Return the lines of an account in order, to stand beside those with names."""
    account = f"acc-{number}"
    records = (count_of(5000, at, account_id=account), profile_said(at, account_id=account))
    for topic, record in zip((topics.COUNTS, topics.FACTS), records, strict=True):
        yield {"topic": topic, "value": record.as_value()}


def history(canary, time):
    """Return the lines of a whole history: a book, an account before and one behind all that is refused."""
    if time == "clock":
        yield {"topic": topics.CLOCK, "value": {"at": text(day(0))}}
    yield {"topic": topics.BOOKS, "value": VALUES[-1][1]}
    yield from good(1, day(0))
    for poison in poisons(canary):
        if refusal(poison) is not None and (time == "clock" or poison.topic != topics.CLOCK):
            yield poison.line
    yield from good(2, day(1))
    if time == "clock":
        yield {"topic": topics.CLOCK, "value": {"at": text(day(20))}}


@pytest.mark.parametrize(("name", "time"), [*((name, "clock") for name in CANARIES), ("CJK", "records")])
def test_no_name_leaves_a_replay_nor_what_is_made_of_its_journal(name, time, room):
    canary = CANARIES[name]
    lines = list(history(canary, time))
    file = room.file(lines)
    code, said = room.run("replay", file, "--out", room.out, "--until", text(day(30)))
    assert code == 0, said
    journal = room.out / "journal.jsonl"
    said += room.run("verify", journal)[1] + room.run("verify", journal, "--inputs", file)[1]
    for account, listing in (("acc-1", "table"), ("acc-1", "json"), (ACCOUNT, "table")):
        asked = (f"{PLATFORM}:{account}", "--journal", journal, "--format", listing)
        code, explained = room.run("explain", *asked)
        assert code == 0, explained
        said += explained
    assert b'"account_id":"acc-1"' in b"".join(room.written())
    assert traces(said, *room.written()) == []
    letters = [json.loads(line) for line in (room.out / "dead-letters.jsonl").read_bytes().splitlines()]
    refused = Counter(line["topic"] for line in lines if "raw_base64" in line)
    assert Counter(letter["topic"] for letter in letters) == refused
    assert ACCOUNT not in (room.out / "account-status.jsonl").read_text()


@of_each
def test_an_audit_against_inputs_with_names_names_none(canary, room):
    lines = list(good(1, day(0)))
    book = {"topic": topics.BOOKS, "value": VALUES[-1][1]}
    assert room.run("replay", room.file([book, *lines]), "--out", room.out)[0] == 0
    others = [poison.line for poison in poisons(canary) if refusal(poison) is not None]
    for other in (*others[::37], {**lines[0], "key": canary}):
        file = room.file([book, *lines, other], "other.jsonl")
        code, said = room.run("verify", room.out / "journal.jsonl", "--inputs", file)
        assert code == 1, said
        assert traces(said) == []


def entries(canary):
    """Yield lines that a journal file may hold by mistake."""
    whole = b'{"content":%b,"epoch":0,"n":0,"prev":"0","seal":"0","v":1,"writer":"replay"}'
    yield from (raw for _, value in VALUES for _, mutant in mutants(value, canary) for raw in texts(mutant))
    yield from (whole % raw for raw in texts(canary))
    yield from broken({}, canary)


@of_each
def test_a_line_that_is_no_journal_entry_is_not_quoted(canary):
    for raw in entries(canary):
        if b"\n" not in raw:
            with pytest.raises(StreamsError) as refused:
                read_line(raw, "a journal, line 1")
            assert traces(told(refused.value)) == []


# By the lines of a file --------------------------------------------------------------------------


def lines_of_another_form(canary):
    """Yield lines of every kind of input with a canary around the value, where replay files have their own words."""
    for topic, value in VALUES:
        whole = {
            "topic": topic,
            "value": value,
            "key": "k",
            "partition": 0,
            "offset": 0,
            "timestamp": 0,
            "timestamp_type": 0,
        }
        plain = {"topic": topic, "value": value}
        for name in whole:
            for other in (canary, [canary], {canary: 1}, f"{topic}{canary}"):
                if name != "value":
                    yield from texts({**whole, name: other})
                    yield from texts({**plain, name: other})
            yield texts({canary if key == name else key: kept for key, kept in whole.items()})[0]
        yield from texts({**plain, "headers": {"name": canary}})
        yield from texts({**plain, "headers": [["name", canary]]})
        yield from texts({**plain, canary: canary})
        yield from texts({"topic": topic, "raw_base64": canary})
        yield from texts({**plain, "raw_base64": canary})
        yield from broken(plain, canary)
        yield texts(plain)[0][:-1] + f',"key":"{canary}","key":"{canary}"}}'.encode()
        yield texts({**plain, "key": canary})[0].replace(canary.encode(), canary.encode("gb18030") + b"\xff")


def operators_mistake(read, file):
    try:
        list(read([file]))
    except OperatorError as error:
        return error
    return None


@of_each
def test_a_line_that_is_refused_is_named_by_its_number_alone(canary, tmp_path):
    file, refused = tmp_path / "input.jsonl", 0
    for line in lines_of_another_form(canary):
        file.write_bytes(line)
        for read in (read_lines, rare_topics):
            error = operators_mistake(read, file)
            refused += error is not None
            assert error is None or traces(told(error)) == [], line
    assert refused > 200


@of_each
def test_a_replay_that_stops_at_a_line_does_not_say_what_stood_there(canary, room):
    before = [{"topic": topics.CLOCK, "value": {"at": text(day(0))}}, *good(1, day(0))]
    for line in (
        b'{"topic":"follower-counts","value":{"name":"%b"},"partition":7}' % canary.encode(),
        b'{"topic":"follower-counts","value":{},"key":"%b","offset":0}' % canary.encode(),
        b'{"topic":"%b","value":{}}' % canary.encode(),
        canary.encode(),
    ):
        code, said = room.run("replay", room.file([*before, line + b"\n"]), "--out", room.out)
        assert code == 2, said
        assert "input.jsonl" in said
        assert traces(said, *room.written()) == [], line


# By headers --------------------------------------------------------------------------------------


class WithHeaders(Raw, frozen=True):
    """A record with what Kafka would let its sender put beside the value."""

    headers: tuple[tuple[str, bytes], ...] = ()


def test_headers_of_inputs_go_nowhere():
    rows: dict[bytes, bytes] = {}
    fold = Fold(0, rows, "records")
    chain, left = Chain(0, "w"), []
    headers = tuple((canary, canary.encode()) for canary in CANARIES.values())
    book = Raw(0, None, canonical(VALUES[-1][1]))
    counts = [
        WithHeaders(0, b"weibo:acc-1", canonical(count_of(5000, day(0), account_id="acc-1").as_value())),
        WithHeaders(1, None, b"{"),
    ]
    counts = [WithHeaders(one.offset, one.key, one.value, headers=headers) for one in counts]
    for topic, run in ((topics.BOOKS, [book]), (topics.COUNTS, counts)):
        for work in (*fold.take(topic, Records.of(run), len(run)), fold.cut()):
            if work is not None:
                draft = draft_of(fold, work, writer="w")
                left += [chain.append(draft), repr(draft)]
                fold.settled()
    assert "ce_subject" in "".join(map(str, left))
    assert traces(*left) == []


READS_OWN_STATUSES = "streams/live/statuses.py"
"""Whose records these are says a header that workers write themselves."""


def test_nothing_in_the_product_looks_at_a_record_s_headers():
    """What is never read is never copied; only what we publish ourselves has headers."""
    readers = {
        path.relative_to(ROOT).as_posix()
        for room in ("schemas", "streams")
        for path in (ROOT / room).rglob("*.py")
        if path.parent.name != "interface"  # describes them
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr == "headers")
        or (isinstance(node, ast.Constant) and node.value == "headers")
    }
    assert readers == {READS_OWN_STATUSES}
    assert "headers" not in {*Raw.__struct_fields__, *vars(Record)}


# By metrics --------------------------------------------------------------------------------------


@of_each
def test_no_metric_tells_a_name_nor_an_account(canary):
    """Its labels are topics, partitions, and words of our own schemas; whatever came with a record is not there."""
    rows: dict[bytes, bytes] = {}
    fold, counts, offsets = Fold(0, rows, "records"), Counts(), Counter[str]()
    for line in history(canary, "records"):
        topic, offset = line["topic"], offsets[line["topic"]]
        value = b64decode(line["raw_base64"]) if "raw_base64" in line else canonical(line["value"])
        key = line["key"].encode() if line.get("key") else None
        offsets[topic] += 1
        for work in (*fold.take(topic, Records.of([Raw(offset, key, value)]), offset + 1), fold.cut()):
            if work is not None:
                rows |= {key: packed for key, packed in work.rows if packed is not None}
                counts.journaled(0, work, 0.0)
                fold.settled()
    assert sum(counts.dead_letters.values()) > 500
    lag = dict.fromkeys(topics.INPUTS, 1)
    numbers = Numbers(counts, lambda: {0: Standing(fold.T, None, fold.decider.open_duties, lag)})
    labels = {
        (name, value)
        for family in numbers.collect()
        for sample in family.samples
        for name, value in sample.labels.items()
    }
    words = {*CODES, *TOPIC_OF_TYPE, SILENT, BOOK_ADOPTED, *topics.INPUTS, "0", *map(str, BOUNDS_S), "+Inf"}
    assert {value for _, value in labels} <= words
    assert {name for name, _ in labels} == {"code", "type", "topic", "partition", "le"}
    assert traces(repr(list(numbers.collect()))) == []


# By policy files ---------------------------------------------------------------------------------


@of_each
@pytest.mark.parametrize("place", ["platform", "owners", "subjects", "impose", "untouched", "id", "op"])
def test_a_policy_with_a_name_where_no_citation_stands_is_no_policy(place, canary, tmp_path):
    """What is refused is quoted to its author, who wrote it; but no book comes of it."""
    tables = policy(Random(0), PLATFORM)
    for table in (tables, tables["scope"], tables["measures"], tables["phase"][0]):
        if place in table:
            table[place] = [canary] if isinstance(table[place], list) else canary
    assert canary in repr(tables)
    (tmp_path / f"{PLATFORM}.toml").write_text(toml(tables), "utf-8")
    with pytest.raises(PolicyError):
        load_book(tmp_path)


# Free by contract --------------------------------------------------------------------------------


def test_an_event_id_is_its_senders_own_words(tmp_path):
    """The one free text of a record: this test is here so that nobody thinks otherwise."""
    lines = [{"topic": topics.BOOKS, "value": VALUES[-1][1]}, *good(1, day(0))]
    lines[1]["value"]["event_id"] = CANARIES["mail"]
    file = tmp_path / "input.jsonl"
    file.write_bytes(b"\n".join(map(canonical, lines)))
    replay([file], None, out=tmp_path / "out")
    assert traces((tmp_path / "out" / "disclosure-required.jsonl").read_bytes()) != []
