"""Old records are read for ever: tests/frozen/<n>/<topic>.jsonl, as they stood on a broker once.

A line is a Kafka record: `key`, the text of its `value` (or `value_base64`), perhaps `headers`; of an input `read`
is the canonical form of what was read where that differs, of a row `json` is its form in the journal. They were
written by a worker on a broker, by replays of the scenarios and of random worlds (of those, every one that showed
a field, a type or a code for the first time), and a few by hand for the forms that JSON and instants can take.

A file here never changes: what it holds stands in somebody's topic. What is new goes into a directory of its own.
"""

import hashlib
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from schemas import journal, topics
from schemas.account import pack, row_of_json, unpack
from schemas.inputs import FACTS, Ruling
from schemas.instant import FOREVER
from schemas.outputs import OF_TYPE, AccountStatus, DeadLetter, check
from schemas.reasons import REASONS
from schemas.strict_json import parse
from schemas.wire import CODES, canonical, decode
from streams.core.deadlines import KINDS
from streams.core.sealing import headers_of, output_key
from streams.interface.examples import examples
from streams.interface.topics import TOPICS, schema_of
from streams.ledger.chain import GENESIS, judge

HERE = Path(__file__).parents[1] / "frozen"
ROWS = "rows-changelog"
HASHES: dict[str, str] = {
    "1/account-facts.jsonl": "f98f4e6fa985f62725b426fb078f60906c6b33e65dcf6af1bc93d13ada01046c",
    "1/account-status.jsonl": "2a36ab0038a42d76db1cf0f6e5b7291f6ca010ad3e97a1dc9298d6739c25cd34",
    "1/asyncapi.json": "f243816b68a5abc9119b1ec6cc064603a8334a53b25beb956daad463403db7cb",
    "1/clock.jsonl": "86803a0e05e847fabe6acd07df80b1828f09024a8727965fb06e348cdb4a2c41",
    "1/dead-letters.jsonl": "fce5d726792c2533b8c6a20f86cf531bed574e309d4737ac72358adcd5431941",
    "1/disclosure-required.jsonl": "0f74d3eee69c3899c7e8a1f754f357f9cdc6635b25099182e25bc775fb073ebe",
    "1/follower-counts.jsonl": "326f90e97af58779aa2b3495e202b9320b2393a0e68720513c21eea88df689c0",
    "1/grace-periods.jsonl": "f3c8bc1f9509cc933b2c4df0f5dd3a380afabdc243b5e47ae73806c36e4ef17e",
    "1/journal.jsonl": "e11273473b94b841e95dc59d842a5df284267b8a75060fa62fae00c5e37968a5",
    "1/policy-book.jsonl": "63ea65cc8d4d5f3ef5c31689f9c37e95e4eefc69a3bc3063ffa45442fb40c078",
    "1/restrictions.jsonl": "bf634d0b5ed1a62bf89fa3bb4fa30f94a4059b544857f950696e70c0f73216b7",
    "1/rows-changelog.jsonl": "15272642861e88017f4c209605178bbf8f34f0ecb1c28f0974e3e64c0a742c2e",
}
"""SHA-256 of every file. A line is added with its file, and none is ever changed."""


NEVER_WRITTEN = {"older-observation", "older-fact", "repeated-fact", "too-old"}
"""Reasons for deciding nothing, which leaves no trace."""


class Everything:
    """A book that knows every platform."""

    def __contains__(self, platform: object) -> bool:
        return True


def records(topic: str) -> list[dict[str, Any]]:
    files = sorted(HERE.glob(f"*/{topic}.jsonl"))
    assert files, f"no frozen records of {topic}"
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def values(topic: str) -> list[Any]:
    return [json.loads(one["value"]) for one in records(topic) if one["value"] is not None]


def test_what_is_frozen_does_not_change():
    found = {
        path.relative_to(HERE).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(HERE.rglob("*"))
        if path.is_file()
    }
    assert found == HASHES


@pytest.mark.parametrize("topic", topics.INPUTS)
def test_an_old_input_is_read_as_it_always_was(topic):
    for one in records(topic):
        key = None if one["key"] is None else one["key"].encode()
        read = decode(topic, key, one["value"].encode(), Everything(), FOREVER)
        assert canonical(read.as_value()).decode() == one.get("read", one["value"])


@pytest.mark.parametrize("topic", topics.OUTPUTS)
def test_an_old_output_is_of_its_schema_and_has_the_same_bytes(topic):
    for one in records(topic):
        output = parse(one["value"].encode())
        check(output)
        assert canonical(output).decode() == one["value"]
        assert output_key(output).decode() == one["key"]
        told = {name: value.decode() for name, value in headers_of(output)}
        assert one.get("headers", told) == told


@pytest.mark.parametrize(
    ("topic", "model"), [(topics.STATUS, AccountStatus), (topics.DEAD_LETTERS, DeadLetter)]
)
def test_old_statuses_and_dead_letters_have_the_same_bytes(topic, model):
    for one in records(topic):
        if one["value"] is not None:
            read = model.model_validate(parse(one["value"].encode()))
            assert canonical(read.model_dump(exclude_unset=True)).decode() == one["value"]


def test_an_old_entry_is_read_and_has_the_same_bytes():
    for one in records(topics.JOURNAL):
        raw = one["value"].encode()
        envelope = journal.read_envelope(raw)
        content = journal.encode_content(journal.read_content(envelope))
        assert content == bytes(envelope.content)
        again = journal.encode_entry(envelope.n, envelope.epoch, envelope.prev, envelope.writer, content)
        assert again == raw


def test_an_old_journal_is_accepted_whole():
    """That of the worker: takeovers and all, one partition after the other."""
    head, accepted = GENESIS, 0
    for one in records(topics.JOURNAL):
        raw = one["value"].encode()
        if journal.read_envelope(raw).n == 0:
            head = GENESIS
        head, verdict = judge(head, head.next_offset, raw)
        accepted += verdict is not None
    assert accepted >= 10


def test_an_old_row_is_read_and_has_the_same_bytes():
    for one in records(ROWS):
        raw = b64decode(one["value_base64"])
        if one["key"] == "head":
            assert journal.HeadPointer.decode(raw).encode() == raw
        else:
            row = unpack(raw)
            assert pack(row) == raw
            assert row_of_json(json.loads(one["json"])) == row
            assert canonical(row).decode() == one["json"]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.short)
def test_an_old_record_is_of_the_published_schema(topic):
    validator = Draft202012Validator(schema_of(topic, examples()))
    for value in values(topic.short):
        validator.validate(value)


def test_there_is_one_of_every_kind():
    facts = values(topics.FACTS)
    assert {fact["type"] for fact in facts} == set(FACTS)
    assert {fact.get("ruling") for fact in facts} == {None, *Ruling.__args__}
    assert {output["type"] for topic in topics.OUTPUTS for output in values(topic)} == set(OF_TYPE)
    stages = AccountStatus.model_fields["stage"].annotation.__args__
    assert {status["stage"] for status in values(topics.STATUS)} == set(stages)
    assert None in [status["value"] for status in records(topics.STATUS)]
    assert {letter["code"] for letter in values(topics.DEAD_LETTERS)} == set(CODES)
    decisions = [one for entry in values(topics.JOURNAL) for one in entry["content"]["decisions"]]
    assert {one["cause"].get("kind") for one in decisions} == {None, *KINDS}
    told = {reason["code"] for one in decisions for reason in one["reasons"]}
    assert set(REASONS) - told == NEVER_WRITTEN
