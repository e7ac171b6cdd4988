"""What nobody can read is journaled once, by hash and reason, and neither stops a partition nor leaves a name."""

import hashlib
import json
import signal
import time
from collections import Counter
from contextlib import suppress
from typing import NamedTuple

import pytest
from harness import Cluster, eventually, nameplate

from schemas import topics
from schemas.instant import DAY, text
from schemas.wire import canonical
from streams.policies.load import shipped_book_dir
from streams.replay.files import Line

PARTITIONS = 2
COUNTS, FACTS = topics.COUNTS, topics.FACTS

CHINESE, LATIN = "王小明", "Johnathan Appleseed"
MAIL, PHONE = "j.appleseed@example.org", "+8613912345678"
CANARIES = (CHINESE, LATIN, MAIL, PHONE, "Appleseed", "13912345678")

NOW = time.time_ns() // 1000
ACCOUNT = "acc-poison"
COUNT = {
    "event_id": "poison",
    "platform": "bilibili",
    "account_id": ACCOUNT,
    "followers": 600_000,
    "observed_at": text(NOW),
}
FACT = {"event_id": "poison", "platform": "bilibili", "account_id": ACCOUNT, "occurred_at": text(NOW)}
PROFILE = {**FACT, "type": "profile-changed"}
RULING = {**FACT, "type": "adjudication-made", "reason_code": "case-7"}
OWN = object()
"""As a key: that of the value."""


class Poison(NamedTuple):
    topic: str
    value: bytes | dict | None
    code: str
    key: str | None = f"bilibili:{ACCOUNT}"

    @property
    def raw(self):
        return canonical(self.value) if isinstance(self.value, dict) else self.value

    @property
    def line(self):
        return (self.topic, self.raw, self.key.encode() if self.key is not None else None)


def count(code, key=f"bilibili:{ACCOUNT}", **said):
    return Poison(COUNTS, {**COUNT, **said}, code, key)


def text_of(value):
    return canonical(value).decode()


def without(value, name):
    return {other: said for other, said in value.items() if other != name}


def named(name):
    """Return counts with a name in every place where somebody may put one."""
    return [
        count("ill-formed", f"bilibili:{name}", account_id=name),
        count("unknown-platform", f"{name}:{ACCOUNT}", platform=name),
        count("key-mismatch", name),
        count("key-mismatch", f"bilibili:{name}"),
        count("unknown-field", name=name),
        count("unknown-field", **{name: 1}),
        count("wrong-type", followers=name),
        count("ill-formed", observed_at=name),
        Poison(COUNTS, name.encode(), "not-json"),
        Poison(COUNTS, text_of(name).encode(), "wrong-type"),
        Poison(FACTS, {**FACT, "type": name}, "unknown-type"),
        Poison(FACTS, {**PROFILE, "owner": name}, "out-of-range"),
        Poison(FACTS, {**PROFILE, "subjects": {f"{name}!": 1}}, "ill-formed"),
        Poison(FACTS, {**RULING, "ruling": "hold", "reason_code": f"{name} "}, "ill-formed"),
    ]


GOOD_TEXT = text_of(COUNT)
POISON = [
    # bytes
    Poison(COUNTS, GOOD_TEXT.replace("poison", CHINESE).encode("gb18030"), "not-utf8"),
    Poison(COUNTS, b"\xff\xfe" + PHONE.encode(), "not-utf8"),
    Poison(COUNTS, b"", "not-json"),
    Poison(COUNTS, f"\ufeff{GOOD_TEXT}".encode(), "not-json"),
    Poison(COUNTS, f"{{'name': '{LATIN}'}}".encode(), "not-json"),
    Poison(COUNTS, GOOD_TEXT[:-1].encode(), "not-json"),
    Poison(COUNTS, GOOD_TEXT.replace("600000", "NaN").encode(), "not-json"),
    Poison(COUNTS, GOOD_TEXT.replace("600000", "-Infinity").encode(), "not-json"),
    Poison(COUNTS, b"[" * 10_000 + b"]" * 10_000, "not-json"),
    Poison(FACTS, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "not-json"),
    Poison(COUNTS, GOOD_TEXT.replace("600000", "[" * 10_000 + "]" * 10_000).encode(), "not-json"),
    Poison(COUNTS, f'{{"followers":1,{GOOD_TEXT[1:]}'.encode(), "duplicate-key"),
    Poison(FACTS, f'{{"event_id":"{MAIL}",{text_of(PROFILE)[1:]}'.encode(), "duplicate-key"),
    Poison(COUNTS, (GOOD_TEXT + " " * (65_537 - len(GOOD_TEXT))).encode(), "too-large"),
    Poison(COUNTS, (LATIN * 60_000)[:1_000_000].encode(), "too-large"),
    Poison(FACTS, json.dumps({**PROFILE, "name": CHINESE * 50_000}).encode(), "too-large"),
    # no value, no key
    Poison(COUNTS, None, "null-value"),
    Poison(FACTS, None, "null-value", f"bilibili:{CHINESE}"),
    Poison(COUNTS, b" null\n", "null-value"),
    Poison(COUNTS, COUNT, "key-mismatch", None),
    Poison(FACTS, PROFILE, "key-mismatch", None),
    Poison(COUNTS, b"null", "null-value", None),
    # fields
    count("unknown-field", verified=True),
    Poison(COUNTS, without(COUNT, "observed_at"), "missing-field"),
    Poison(COUNTS, b"{}", "missing-field"),
    Poison(COUNTS, b"[]", "wrong-type"),
    Poison(COUNTS, b"17", "wrong-type"),
    count("wrong-type", followers="600000"),
    Poison(COUNTS, GOOD_TEXT.replace("600000", "600000.0").encode(), "wrong-type"),
    count("wrong-type", followers=True),
    count("wrong-type", followers=None),
    count("wrong-type", observed_at=NOW),
    count("wrong-type", account_id=17),
    count("out-of-range", followers=-1),
    count("out-of-range", followers=2**53),
    Poison(COUNTS, GOOD_TEXT.replace("600000", "9" * 5_000).encode(), "out-of-range"),
    count("ill-formed", observed_at="2026-01-01T00:00:00.1234567Z"),
    count("ill-formed", observed_at="2026-01-01T00:00:00"),
    count("ill-formed", event_id=""),
    count("ill-formed", event_id="x" * 129),
    count("ill-formed", event_id=CHINESE),
    count("out-of-range", observed_at=text(NOW + 2 * DAY)),
    Poison(FACTS, {**PROFILE, "occurred_at": text(NOW + 2 * DAY)}, "out-of-range"),
    count("unknown-platform", f"myspace:{ACCOUNT}", platform="myspace"),
    count("key-mismatch", "bilibili:acc-other"),
    Poison(FACTS, FACT, "missing-field"),
    Poison(FACTS, {**FACT, "type": "name-displayed"}, "unknown-type"),
    Poison(FACTS, {**FACT, "type": "name-display-changed", "displayed": 1}, "wrong-type"),
    Poison(FACTS, {**PROFILE, "displayed": True}, "unknown-field"),
    Poison(FACTS, {**RULING, "ruling": "extend"}, "missing-field"),
    Poison(FACTS, {**RULING, "ruling": "hold", "until": text(NOW)}, "unknown-field"),
    Poison(FACTS, text_of(PROFILE)[:-1].encode() + b',"subjects":{"law":1.5}}', "out-of-range"),
    Poison(FACTS, text_of(PROFILE)[:-1].encode() + b',"subjects":{"law":0.12345}}', "ill-formed"),
    *(poison for name in (CHINESE, LATIN, PHONE, MAIL) for poison in named(name)),
]


class Good(NamedTuple):
    """The record behind a poisoned one, in the same partition of the same topic."""

    number: int
    topic: str

    @property
    def line(self):
        who = {
            "event_id": f"good-{self.number}",
            "platform": "bilibili",
            "account_id": f"good-{self.number:03}",
        }
        value = {**COUNT, **who}
        if self.topic == FACTS:
            value = {**PROFILE, **who, "verified": True}
        return (self.topic, canonical(value), f"bilibili:{who['account_id']}".encode())


class Ticked(NamedTuple):
    """Something on a topic that workers read, but that no producer of counts or facts writes to."""

    topic: str
    raw: bytes
    code: str


STRAY = [
    Ticked(topics.CLOCK, f'{{"at":"{CHINESE}"}}'.encode(), "ill-formed"),
    Ticked(topics.CLOCK, f'{{"at":"2026-01-01T00:00:00Z","by":"{LATIN}"}}'.encode(), "unknown-field"),
    Ticked(topics.BOOKS, f'{{"book":{{"policies":{{}}}},"hash":"{MAIL}"}}'.encode(), "ill-formed"),
    Ticked(topics.BOOKS, PHONE.encode() + b"\xff", "not-utf8"),
]


def lines():
    """Return each poison with a good record behind it, both in one partition, whatever their keys say."""
    for number, poison in enumerate(POISON):
        for topic, value, key in (poison.line, Good(number, poison.topic).line):
            yield Line("a test", number, topic, value, key, number % PARTITIONS)
    for number, stray in enumerate(STRAY):
        yield Line("a test", number, stray.topic, stray.raw, None, number % PARTITIONS)


def expected_letters():
    """Return the letters that must be there, as `letter` gives them: a book is read by every partition."""
    places = Counter()
    for number, poison in enumerate(POISON):
        place = (poison.topic, number % PARTITIONS)
        yield letter(
            {"topic": poison.topic, "partition": place[1], "offset": places[place]}, poison.raw, poison.code
        )
        places[place] += 2  # the good one behind it
    for number, stray in enumerate(STRAY):
        for partition in range(PARTITIONS) if stray.topic == topics.BOOKS else (number % PARTITIONS,):
            yield letter(
                {"topic": stray.topic, "partition": partition, "offset": None}, stray.raw, stray.code
            )


def letter(place, raw, code):
    said = hashlib.sha256(raw or b"").hexdigest()
    offset = place["offset"] if place["topic"] in (COUNTS, FACTS) else None  # ticks of the worker lie between
    return (place["topic"], place["partition"], offset, said, len(raw or b""), code)


def letter_of(dead):
    offset = dead["offset"] if dead["topic"] in (COUNTS, FACTS) else None
    return (dead["topic"], dead["partition"], offset, dead["sha256"], dead["bytes"], dead["code"])


def forms(canary):
    """Return a name as text, as JSON escapes it, and as Python shows bytes and texts."""
    raw = canary.encode()
    shown = (ascii(canary)[1:-1], json.dumps(canary)[1:-1], repr(raw)[2:-1], raw.hex())
    return {raw, canary.encode("utf-16-le"), canary.encode("gb18030"), *(one.encode() for one in shown)}


@pytest.fixture
def cluster(broker, prefix, tmp_path, monkeypatch):
    monkeypatch.setenv("NAMEPLATE_LOG", "DEBUG")  # nobody can make a worker say more than this
    made = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    made.publish_book(shipped_book_dir())
    yield made
    made.close()


def test_poison_is_one_dead_letter_each_and_leaves_no_trace_of_its_payload(cluster, tmp_path):
    worker = cluster.worker()
    worker.wait_owned(*range(PARTITIONS))
    cluster.publish_lines(list(lines()))
    wanted = sorted(expected_letters(), key=repr)
    eventually(
        lambda: worker.process.poll() is not None or cluster.has_journaled_all(), "all of it is journaled"
    )
    with suppress(AssertionError):  # what is missing says more than that something is
        eventually(
            lambda: len(cluster.records(topics.DEAD_LETTERS)) >= len(wanted), "all letters are there", 15
        )
    worker.send(signal.SIGTERM)
    worker.wait_exit(0)
    journal = cluster.export()
    letters = [json.loads(record.value) for record in cluster.records(topics.DEAD_LETTERS)]
    assert sorted(map(letter_of, letters), key=repr) == wanted
    assert all(
        set(one) == {"topic", "partition", "offset", "sha256", "bytes", "code", "at"} for one in letters
    )
    assert_each_is_journaled_once(cluster, journal, letters)
    assert_each_next_record_was_decided(cluster, journal)
    assert_no_trace(cluster, worker)
    taken = cluster.write_inputs_as_taken(journal, tmp_path / "taken.jsonl")
    nameplate("verify", journal)
    assert_the_replay_agrees(taken, letters, tmp_path / "replayed")


def assert_each_is_journaled_once(cluster, journal, letters):
    journaled = [decision["dead"] for _, decision in cluster.decisions(journal) if "dead" in decision]
    assert sorted(map(canonical, journaled)) == sorted(map(canonical, letters))
    for _, decision in cluster.decisions(journal):
        if "dead" in decision:
            assert decision["key"] is None
            assert decision["outputs"] == []
            assert decision["T"] == decision["dead"]["at"]
            assert set(decision["cause"]) == {"topic", "offset"}


def assert_each_next_record_was_decided(cluster, journal):
    decided = Counter(
        decision["cause"]["value"]["event_id"]
        for _, decision in cluster.decisions(journal)
        if "value" in decision["cause"]
    )
    assert decided == {f"good-{number}": 1 for number in range(len(POISON))}
    told = Counter(json.loads(record.value)["account_id"] for record in cluster.records(topics.DISCLOSURE))
    assert told == {f"good-{number:03}": 1 for number, poison in enumerate(POISON) if poison.topic == COUNTS}


def assert_no_trace(cluster, worker):
    """No name, in no form, in anything that leaves: values, keys, headers, and the worker's own words."""
    left = [worker.log_file.read_bytes()]
    topic_names = [
        topics.full_name(topic, cluster.prefix) for topic in topics.ALL if topic not in topics.INPUTS
    ]
    for name in (*topic_names, f"{cluster.prefix}rows-changelog"):
        for records in cluster.read_named(name).values():
            for record in records:
                left += [record.key or b"", record.value or b""]
                left += [part or b"" for header, value in record.headers for part in (header.encode(), value)]
    everything = b"\n".join(left)
    assert b"good-001" in everything
    assert [form for canary in CANARIES for form in forms(canary) if form in everything] == []
    assert ACCOUNT.encode() not in everything, "an account of which nothing could be read is nobody"


def assert_the_replay_agrees(taken, letters, out):
    """The replay of the same records has the same letters (the worker's own ticks are in the file, too)."""
    nameplate("replay", taken, "--partitions", PARTITIONS, "--out", out)
    replayed = [json.loads(line) for line in (out / "dead-letters.jsonl").read_bytes().splitlines()]
    here = [one for one in letters if one["topic"] != topics.BOOKS]  # the file is without its books
    assert sorted(map(canonical, replayed)) == sorted(map(canonical, here))
