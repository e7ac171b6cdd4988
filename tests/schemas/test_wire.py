"""Bytes to records: one code for each refusal, the first in the contract's order."""

import json
import tomllib
from itertools import pairwise

import pytest
from beside import of_shared
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import instant, topics
from schemas.dead_letters import CODE_OF_KIND, CODES
from schemas.errors import InputError
from schemas.inputs import FACTS, ClockTicked, FactOfNoType, FollowerCount, FollowerCountChanged, PolicyBook
from schemas.wire import dead_letter, decode, sha256_hex

PLATFORMS = {"weibo", "douyin"}
KEY = b"weibo:acc-a"
AT = "2024-01-03T00:00:00Z"
COUNT = {"event_id": "e", "platform": "weibo", "account_id": "acc-a", "followers": 5, "observed_at": AT}
FACT = {"event_id": "e", "platform": "weibo", "account_id": "acc-a", "occurred_at": AT}
PROFILE = {**FACT, "type": "profile-changed"}
RULING = {**FACT, "type": "adjudication-made", "reason_code": "r"}


def code(topic, value, key=KEY, platforms=PLATFORMS, latest=instant.FOREVER):
    """Return why a value is refused, "read" if it is not; nothing of it may be in the error."""
    raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    error = None
    try:
        decode(topic, key, raw, platforms, latest)
    except InputError as refused:
        error = refused
    if error is None:
        return "read"
    assert error.args == (error.code,)
    assert error.__context__ is None
    assert error.__cause__ is None
    return error.code


def count_with(old, new):
    return json.dumps(COUNT).replace(old, new, 1).encode()


def test_a_count_is_read():
    assert decode(topics.COUNTS, KEY, json.dumps(COUNT).encode(), PLATFORMS) == FollowerCountChanged(
        "e", "weibo", "acc-a", 5, instant.parse(AT)
    )


def test_a_tick_and_its_key_is_nobodys():
    value = json.dumps({"at": AT}).encode()
    for key in (None, b"", b"anything"):
        assert decode(topics.CLOCK, key, value, ()) == ClockTicked(at=AT)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("5,", "0,", "read"),
        ("5,", "-0,", "read"),
        ("5,", "9007199254740991,", "read"),
        ("5,", "9007199254740992,", "out-of-range"),
        ("5,", "18446744073709551616,", "out-of-range"),
        ("5,", "-1,", "out-of-range"),
        ("5,", "9" * 5000 + ",", "out-of-range"),
        ("5,", "1" + "0" * 400 + ",", "out-of-range"),
        ("5,", "1000000.0,", "wrong-type"),
        ("5,", "1e6,", "wrong-type"),
        ("5,", "1e400,", "wrong-type"),
        ("5,", "true,", "wrong-type"),
        ("5,", "null,", "wrong-type"),
        ("5,", '"5",', "wrong-type"),
        ("5,", "[5],", "wrong-type"),
        ("5,", "{},", "wrong-type"),
        ("5,", "[" * 100 + "]" * 100 + ",", "wrong-type"),
        ("5,", "[" * 10_000 + "]" * 10_000 + ",", "not-json"),
        ("5,", "NaN,", "not-json"),
        ("5,", "05,", "not-json"),
        ('"e"', '""', "ill-formed"),
        ('"e"', '"' + "x" * 128 + '"', "read"),
        ('"e"', '"' + "x" * 129 + '"', "ill-formed"),
        ('"e"', '"a b"', "ill-formed"),
        ('"e"', '"a\\n"', "ill-formed"),
        ('"e"', '"\\u007f"', "ill-formed"),
        ('"e"', '"\\u0065\\u0022\\\\"', "read"),
        ('"e"', '"\\""', "read"),
        ('"e"', '"\u00e9"', "ill-formed"),
        ('"e"', '"\\ud800"', "ill-formed"),
        ('"e"', "7", "wrong-type"),
        ('"acc-a"', '"ac"', "ill-formed"),
        ('"acc-a"', '"Acc-a"', "ill-formed"),
        ('"acc-a"', '"-acc"', "ill-formed"),
        ('"acc-a"', '"acc-a\\n"', "ill-formed"),
        ('"acc-a"', '"' + "a" * 65 + '"', "ill-formed"),
        ('"acc-a"', '"acc-b"', "key-mismatch"),
        ('"weibo"', '"douyin"', "key-mismatch"),
        ('"weibo"', '"nowhere"', "unknown-platform"),
        ('"weibo"', '""', "unknown-platform"),
        ('"weibo"', '"\\ud800"', "unknown-platform"),
        ('"weibo"', "null", "wrong-type"),
        (AT, "2024-01-03T00:00:00.123456Z", "read"),
        (AT, "2024-01-03T00:00:00.1234567Z", "ill-formed"),
        (AT, "2024-01-03T00:00:00", "ill-formed"),
        (AT, "2024-01-03T00:00:60Z", "ill-formed"),
        (AT, "2024-02-30T00:00:00Z", "ill-formed"),
        (AT, "2024-01-03T00:00:00.Z", "ill-formed"),
        (AT, "2024-01-03t08:00:00+08:00", "read"),
        (AT, "0001-01-01T00:00:00+00:01", "ill-formed"),
        (AT, "", "ill-formed"),
        (f'"{AT}"', "1704240000", "wrong-type"),
        ('"event_id"', '"\\u0065vent_id"', "read"),
        ('"event_id"', '"\\ud800"', "unknown-field"),
        ('"event_id"', '"eventid"', "unknown-field"),
        ('"event_id": "e", ', "", "missing-field"),
        ("}", ', "name": "Somebody"}', "unknown-field"),
        ("}", ', "event_id": "e"}', "duplicate-key"),
        ("}", ', "\\u0065vent_id": "e"}', "duplicate-key"),
        ("}", ', "x": [{"a": 1, "a": 2}]}', "duplicate-key"),
        ("}", "} ", "read"),
        ("}", "}" + " " * 65_536, "too-large"),
        ("}", "} x", "not-json"),
        ("}", ",}", "not-json"),
        ("{", "\ufeff{", "not-json"),
        ("{", "\n\t {", "read"),
        ("{", "[{", "not-json"),
    ],
)
def test_a_count_that_differs_in_one_place(old, new, expected):
    assert code(topics.COUNTS, count_with(old, new)) == expected


@pytest.mark.parametrize("topic", topics.INPUTS)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null-value"),
        (b"null", "null-value"),
        (b" null\r\n", "null-value"),
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"nul", "not-json"),
        (b"\xff", "not-utf8"),
        (b'"\xed\xa0\x80"', "not-utf8"),
        (b"[" * 60_000, "not-json"),
        (b"5", "wrong-type"),
        (b"[]", "wrong-type"),
        (b'"a"', "wrong-type"),
        (b"false", "wrong-type"),
        (b"{}", "missing-field"),
        (b'{"x":1}', "unknown-field"),
        (b'{"x":1,"x":1}', "duplicate-key"),
        (b'{"\\ud800":1}', "unknown-field"),
    ],
)
def test_what_is_refused_in_every_topic(topic, value, expected):
    assert code(topic, value) == expected


def test_a_value_of_the_largest_size_is_read_and_one_byte_more_is_not():
    raw = json.dumps(COUNT).encode()
    assert code(topics.COUNTS, raw.ljust(65_536)) == "read"
    assert code(topics.COUNTS, raw.ljust(65_537)) == "too-large"
    assert code(topics.CLOCK, b" " * 65_537) == "too-large"
    assert code(topics.BOOKS, b" " * 65_537) == "not-json"
    assert code(topics.BOOKS, b" " * 1_048_577) == "too-large"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (PROFILE, "read"),
        ({**FACT, "type": "renamed"}, "unknown-type"),
        ({"type": "renamed", "x": None}, "unknown-type"),
        ({**FACT, "type": ""}, "unknown-type"),
        (FACT, "missing-field"),
        ({**FACT, "answer": "agree"}, "missing-field"),
        ({**FACT, "x": 1}, "unknown-field"),
        ({**FACT, "type": 5}, "wrong-type"),
        ({**FACT, "type": None}, "wrong-type"),
        ({**FACT, "type": None, "x": 1}, "unknown-field"),
        ({"type": []}, "missing-field"),
        ({**PROFILE, "owner": "company"}, "out-of-range"),
        ({**PROFILE, "owner": 5}, "wrong-type"),
        ({**PROFILE, "owner": None}, "wrong-type"),
        ({**PROFILE, "status": ["active"]}, "wrong-type"),
        ({**PROFILE, "daily_life": "yes"}, "wrong-type"),
        ({**PROFILE, "verified": 1}, "wrong-type"),
        ({**PROFILE, "answer": "agree"}, "unknown-field"),
        ({**PROFILE, "subjects": ["law"]}, "wrong-type"),
        ({**PROFILE, "subjects": {"law": "0.6"}}, "wrong-type"),
        ({**PROFILE, "subjects": {"law": None}}, "wrong-type"),
        ({**PROFILE, "subjects": {"law": 1.01}}, "out-of-range"),
        ({**PROFILE, "subjects": {"law": -0.1}}, "out-of-range"),
        ({**PROFILE, "subjects": {"law": 0.00001}}, "ill-formed"),
        ({**PROFILE, "subjects": {"Law!": 0.5}}, "ill-formed"),
        ({**PROFILE, "subjects": {"": 0.5}}, "ill-formed"),
        ({**PROFILE, "subjects": {"\ud800": 0.5}}, "ill-formed"),
        ({**PROFILE, "subjects": {"a" * 41: 0.5}}, "ill-formed"),
        ({**PROFILE, "subjects": {"a" * 41: 2}}, "ill-formed"),
        ({**PROFILE, "subjects": {"a" * 41: None}}, "wrong-type"),
        ({**FACT, "type": "answer-given"}, "missing-field"),
        ({**FACT, "type": "answer-given", "answer": "maybe"}, "out-of-range"),
        ({**FACT, "type": "name-display-changed", "displayed": 1}, "wrong-type"),
        ({**RULING, "ruling": "pardon"}, "out-of-range"),
        ({**RULING, "ruling": "pardon", "until": "x"}, "ill-formed"),
        ({**RULING, "ruling": "extend"}, "missing-field"),
        ({**RULING, "ruling": "extend", "until": None}, "wrong-type"),
        ({**RULING, "ruling": "waive", "until": "tomorrow"}, "ill-formed"),
        ({**RULING, "ruling": "hold", "until": AT}, "unknown-field"),
        ({**RULING, "ruling": "hold", "until": None, "reason_code": "Not This"}, "unknown-field"),
        ({**RULING, "ruling": "hold", "reason_code": "Why Not"}, "ill-formed"),
        ({**RULING, "ruling": "hold", "reason_code": ""}, "ill-formed"),
        ({**PROFILE, "platform": "nowhere"}, "unknown-platform"),
        ({**PROFILE, "account_id": "acc-b"}, "key-mismatch"),
    ],
)
def test_a_fact_and_its_code(value, expected):
    assert code(topics.FACTS, value) == expected


@pytest.mark.parametrize("key", [None, b"", b"weibo:acc-a ", b"acc-a", b"WEIBO:acc-a", b"\xff"])
def test_a_key_that_is_not_that_of_the_value_is_refused(key):
    assert code(topics.COUNTS, COUNT, key=key) == "key-mismatch"
    assert code(topics.FACTS, PROFILE, key=key) == "key-mismatch"


def test_an_instant_too_far_ahead_is_out_of_range_before_the_platform_is_looked_at():
    at = instant.parse(AT)
    for topic, value in ((topics.COUNTS, COUNT), (topics.FACTS, PROFILE)):
        assert code(topic, value, latest=at) == "read"
        assert code(topic, value, latest=at - 1) == "out-of-range"
        assert code(topic, value, latest=at - 1, platforms=()) == "out-of-range"
        assert code(topic, {**value, "event_id": ""}, latest=at - 1) == "ill-formed"
    assert code(topics.CLOCK, {"at": AT}, latest=at - 1) == "read"


FLAWS = {
    "null-value": None,
    "too-large": lambda raw: raw + b" " * 65_536,
    "not-utf8": lambda raw: raw + b"\xff",
    "not-json": lambda raw: raw + b"]",
    "duplicate-key": lambda raw: raw.replace(b"{", b'{"type": "", ', 1),
    "unknown-type": lambda raw: raw.replace(b'"adjudication-made"', b'"renamed"'),
    "unknown-field": lambda raw: raw.replace(b"{", b'{"colour": 1, ', 1),
    "missing-field": lambda raw: raw.replace(b'"event_id": "e", ', b""),
    "wrong-type": lambda raw: raw.replace(b'"reason_code": "r"', b'"reason_code": null'),
    "ill-formed": lambda raw: raw.replace(AT.encode(), b"yesterday"),
    "out-of-range": lambda raw: raw.replace(b'"waive"', b'"pardon"'),
    "unknown-platform": lambda raw: raw.replace(b'"weibo"', b'"nowhere"'),
    "key-mismatch": lambda raw: raw.replace(b'"acc-a"', b'"acc-b"'),
}


def test_the_codes_stand_in_the_order_of_the_contract():
    assert tuple(FLAWS) == CODES


@pytest.mark.parametrize(("first", "second"), list(pairwise(CODES[1:])))
def test_of_two_flaws_the_first_is_named(first, second):
    raw = json.dumps({**RULING, "ruling": "waive"}).encode()
    assert code(topics.FACTS, FLAWS[first](raw)) == first
    assert code(topics.FACTS, FLAWS[second](FLAWS[first](raw))) == first


@given(st.sets(st.sampled_from(CODES[1:]), min_size=1))
def test_of_any_flaws_the_first_is_named(flaws):
    raw = json.dumps({**RULING, "ruling": "waive"}).encode()
    for flaw in sorted(flaws, key=CODES.index, reverse=True):
        raw = FLAWS[flaw](raw)
    assert code(topics.FACTS, raw) == min(flaws, key=CODES.index)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
MODELS = (FollowerCount, FactOfNoType, ClockTicked, PolicyBook, *FACTS.values())


@settings(deadline=None)
@given(st.sampled_from(MODELS), st.data())
def test_every_kind_of_error_has_its_code(model, data):
    names = st.sampled_from([*model.model_fields, "colour"])
    value = data.draw(st.dictionaries(names, ANYTHING) | ANYTHING)
    met = set()
    try:
        model.model_validate(value)
    except ValidationError as refused:
        met = {error["type"] for error in refused.errors()}
    assert met <= set(CODE_OF_KIND)


def test_every_code_of_the_table_is_one_of_the_contract():
    assert set(CODE_OF_KIND.values()) <= set(CODES)


def test_a_dead_letter_says_where_and_why_and_never_what():
    assert dead_letter("clock", 2, 7, b"{", code="not-json", at=instant.parse(AT)) == {
        "topic": "clock",
        "partition": 2,
        "offset": 7,
        "sha256": "021fb596db81e6d02bf3d2586ee3981fe519f275c0ac9ca76bbcf2ebb4097d96",
        "bytes": 1,
        "code": "not-json",
        "at": AT,
    }


def test_a_dead_letter_of_a_null_is_one_of_no_bytes():
    letter = dead_letter("clock", 0, 0, None, code="null-value", at=None)
    assert (letter["sha256"], letter["bytes"], letter["at"]) == (sha256_hex(b""), 0, None)


@pytest.mark.shared
@pytest.mark.parametrize("case", ["096-dead-facts", "099-dead-letters-do-not-move-time"])
def test_the_dead_letters_of_the_acceptance_cases(case):
    folder = of_shared("acceptance", "cases", case)
    expected = tomllib.loads((folder / "case.toml").read_text())["dead"]
    found = []
    for text in (folder / "input.jsonl").read_text().splitlines():
        line = json.loads(text)
        value = line["value"]
        key = line.get("key", f"{value['platform']}:{value['account_id']}").encode()
        found.append(code(line["topic"], value, key=key))
    dead = [one for one in found if one != "read"]
    assert len(dead) == len(expected)
    assert all(one in allowed.split("|") for one, allowed in zip(dead, expected, strict=True))
