"""Entries: the envelope is readable for ever, the content is closed."""

import hashlib

import msgspec
import pytest
from ledger_cases import COUNTS, DIGEST, content

from schemas.journal import (
    Cursor,
    EntryUnreadable,
    HeadPointer,
    Run,
    decode_content,
    encode_content,
    encode_entry,
    encode_hashed,
    entry_hash,
    read_content,
    read_envelope,
)

CONTENT = encode_content(content())
ENTRY = encode_entry(0, 1, "0" * 64, "w", CONTENT)


def changed(**fields):
    return msgspec.json.encode({**msgspec.json.decode(ENTRY), **fields}, order="sorted")


def test_an_entry_is_canonical_json_and_its_seal_is_that_of_all_the_rest():
    entry = msgspec.json.decode(ENTRY)
    assert list(entry) == ["content", "epoch", "n", "prev", "seal", "v", "writer"]
    assert msgspec.json.encode(entry, order="sorted") == ENTRY
    seal = entry.pop("seal")
    assert seal == entry_hash(msgspec.json.encode(entry, order="sorted"))


def test_a_content_comes_back_as_it_was_written():
    body = content(
        runs=(Run(COUNTS, 0, 2, DIGEST),),
        positions={COUNTS: 2},
        more=True,
        after=Cursor(COUNTS, 2, "t", "k", "due"),
        decisions=(msgspec.Raw(b'{"T":"t","before":null,"cause":{},"key":null,"outputs":[],"reasons":[]}'),),
        topic_ids={COUNTS: "id"},
    )
    again = read_content(read_envelope(encode_entry(0, 1, "0" * 64, "w", encode_content(body))))
    assert encode_content(again) == encode_content(body)
    assert again.decisions[0]["reasons"] == []


def test_rule_1_an_envelope_with_unknown_fields_and_another_version_is_one():
    envelope = read_envelope(changed(v={"major": 7}, colour="red", content=[1, 2], seal=0))
    assert (envelope.n, envelope.epoch, envelope.writer) == (0, 1, "w")


@pytest.mark.parametrize(
    "raw",
    [
        None, b"", b"null", b"[]", b"{}", b"\xff\xfe", ENTRY[:-1], ENTRY + b"x", changed(n=-1),
        changed(n="0"),
        changed(n=True), changed(epoch=None), changed(prev=3), changed(writer=None), b"\xef\xbb\xbf" + ENTRY,
        ENTRY.replace(b'"n":0', b'"n":0.0'), ENTRY.replace(b'"n":0', b'"n":9007199254740992'),
        ENTRY.replace(b'"writer":"w"', b'"writer":"\xff"'),
    ],
)  # fmt: skip
def test_rule_2_what_is_no_envelope_is_none(raw):
    assert read_envelope(raw) is None


@pytest.mark.parametrize(("depth", "is_one"), [(63, True), (64, False), (100_000, False)])
def test_whether_something_is_an_envelope_does_not_depend_on_the_readers_stack(depth, is_one):
    deep = ENTRY[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"
    assert (read_envelope(deep) is not None) == is_one


def test_brackets_in_strings_are_not_depth():
    assert read_envelope(changed(x="[" * 1000 + '"\\' * 10 + "{" * 1000)) is not None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"v": 2}, "version is 2,"), ({"v": "1"}, "version"), ({"seal": "0" * 64}, "seal"),
        ({"seal": None}, "seal"),
        ({"content": {}}, "seal"),
    ],
)  # fmt: skip
def test_rule_3_a_version_or_a_seal_that_does_not_fit_stops_the_reader(fields, says):
    with pytest.raises(EntryUnreadable, match=says):
        read_content(read_envelope(changed(**fields)))


@pytest.mark.parametrize(
    "fields",
    [
        {"colour": 1}, {"runs": [["t", 0, 1, DIGEST, 0]]}, {"runs": [["t", 1, 1, DIGEST]]},
        {"positions": {"t": -1}},
        {"time": "moon"}, {"more": True}, {"after": ["t", 0, None, None, None]}, {"state_root": "0"},
        {"decisions": [{"T": "t"}]}, {"decisions": [3]}, {"partition": None}, {"T": 3},
    ],
)  # fmt: skip
def test_rule_3_a_content_that_version_1_does_not_know_stops_the_reader(fields):
    raw = msgspec.json.encode({**msgspec.json.decode(CONTENT), **fields}, order="sorted")
    with pytest.raises(EntryUnreadable, match="Run the release that wrote it"):
        decode_content(raw)


def test_a_lost_run_has_no_digest():
    assert msgspec.json.encode(Run(COUNTS, 3, 9, None)) == b'["follower-counts",3,9,null]'


def test_a_head_pointer_survives_the_table():
    pointer = HeadPointer(DIGEST, 7)
    assert HeadPointer.decode(pointer.encode()) == pointer
    with pytest.raises(EntryUnreadable):
        HeadPointer.decode(b"{}")


@pytest.mark.parametrize("content", [b"{}", b'{"a":[1,2,3],"seal":"x"}', b'"' + b"x" * 5000 + b'"'])
def test_an_entry_and_its_hash_made_at_once_are_those_made_one_after_the_other(content):
    raw, hashed = encode_hashed(7, 2, "ab" * 32, 'w"\\1', content)
    body = {"v": 1, "n": 7, "epoch": 2, "prev": "ab" * 32, "writer": 'w"\\1', "content": msgspec.Raw(content)}
    unsealed = msgspec.json.encode(body, order="sorted")
    seal = hashlib.sha256(unsealed).hexdigest()
    assert raw == msgspec.json.encode({**body, "seal": seal}, order="sorted")
    assert hashed == hashlib.sha256(raw).hexdigest()
