"""The quick readers of counts, compiled and not: nobody can tell them from the full path."""

import json
import os

import pytest
from forms import forms_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import counts, instant, topics, wire
from schemas.dead_letters import CODES
from schemas.errors import InputError
from schemas.fields import MOST_BYTES
from schemas.inputs import FollowerCountChanged
from schemas.wire import decode_count

FORMS = forms_of("schemas.counts")
PLATFORMS = {"weibo", "douyin"}
KEY = b"weibo:acc-a"
AT = "2024-01-03T00:00:00Z"
COUNT = {"event_id": "e", "platform": "weibo", "account_id": "acc-a", "followers": 5, "observed_at": AT}

COUNTS = st.fixed_dictionaries(
    {
        "event_id": st.sampled_from(
            ["e", "e-1", 'a"b', "\\", "x" * 128, "x" * 129, "", "a b", "\u00e9", "\ud800"]
        ),
        "platform": st.sampled_from(["weibo", "douyin", "nowhere", "", "we\u00efbo"]),
        "account_id": st.sampled_from(
            ["acc-a", "a-_9", "ac", "Acc-a", "-cc", "a" * 64, "a" * 65, "acc-a\n", "\u0661\u0661\u0661"]
        ),
        "followers": st.sampled_from([0, 5, 2**53 - 1, 2**53, -1, 2**64, 5.0, True, None, "5"]),
        "observed_at": st.sampled_from(
            [
                AT,
                "2024-01-03T00:00:07Z",
                "2024-01-03T00:00:07.5Z",
                "2024-01-03T00:00:07.123456+08:00",
                "2024-01-03T00:00:07.1234567Z",
                "2024-01-03T00:00:07.\u0661Z",
                "2024-01-03T00:00:07.1_0Z",
                "2024-01-03T00:00:07,5Z",
                "2024-01-03T00:00:60Z",
                "2024-01-03T00:00:7Z",
                "2024-01-03T00:00:+08:00",
                "2024-01-03T00:00:07+24:00",
                "2024-01-03T00:00:07-00:00",
                "2024-01-03 00:00:07Z",
                "2024-01-03t00:00:07z",
                "2024-02-30T00:00:07Z",
                "9999-12-31T23:59:59.999999Z",
                "9999-12-31T23:59:59-00:01",
                "0001-01-01T00:00:59+00:01",
                "",
                "Z",
            ]
        ),
    }
)
PIECES = st.sampled_from(
    [
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b",",
        b":",
        b" ",
        b"\n",
        b"0",
        b"-",
        b".0",
        b"e1",
        b"null",
        b"\xff",
        b"\xc3\xa9",
        b"\x00",
        b"\\u0022",
    ]
)
EDITS = st.lists(
    st.tuples(st.sampled_from(["cut", "put", "flip", "double", "tail"]), st.integers(0, 400), PIECES),
    max_size=3,
)


def edited(raw, edits):
    for edit, place, piece in edits:
        at = place % (len(raw) + 1)
        if edit == "cut":
            raw = raw[:at] + raw[at + 1 :]
        elif edit == "put":
            raw = raw[:at] + piece + raw[at:]
        elif edit == "flip" and at < len(raw):
            raw = raw[:at] + bytes([raw[at] ^ (1 << place % 8)]) + raw[at + 1 :]
        elif edit == "double":
            member = raw[1:-1].split(b", ")[place % 5 % (raw.count(b", ") + 1)]
            raw = raw[:-1] + b", " + member + b"}"
        else:
            raw += b" " * (65_530 - len(raw) + place % 12)
    return raw


def verdict(read):
    try:
        return read()
    except InputError as refused:
        return refused.code


@settings(max_examples=1500, deadline=None)
@given(
    COUNTS,
    st.permutations(list(COUNT)),
    EDITS,
    st.tuples(st.sampled_from([None, 1]), st.booleans()),
    st.booleans(),
)
@example(COUNT, list(COUNT), [("double", 3, b"")], (None, True), True)
@example(COUNT, list(COUNT), [("tail", 6, b"")], (None, True), True)
@example(COUNT, list(COUNT), [("tail", 7, b"")], (None, True), True)
@example({**COUNT, "observed_at": "9999-12-31T23:59:59Z"}, list(COUNT), [], (None, True), True)
@example({**COUNT, "observed_at": "2025-01-01T00:00:00.000001Z"}, list(COUNT), [], (None, True), True)
@pytest.mark.parametrize("form", FORMS)
def test_nobody_can_tell_the_fast_path_from_the_full_one(form, count, order, edits, written, right_key):
    indent, escaped = written
    members = {name: count[name] for name in order}
    text = json.dumps(members, indent=indent, ensure_ascii=escaped)
    raw = edited(text.encode(errors="surrogatepass"), edits)
    key = f"{count['platform']}:{count['account_id']}".encode() if right_key else KEY
    full = verdict(lambda: wire._decode_fully(topics.COUNTS, key, raw, PLATFORMS, instant.FOREVER))
    for _ in range(2):  # the second time the instant is a remembered one
        fast = form.read_count(key, raw)
        if fast is not None and fast.platform in PLATFORMS:
            assert fast == full


@settings(max_examples=300, deadline=None)
@given(COUNTS, EDITS, st.booleans())
@example(COUNT, [], True)
@example({**COUNT, "observed_at": "2025-01-01T00:00:00.000001Z"}, [], True)
def test_what_is_decoded_is_what_the_full_path_decodes(count, edits, right_key):
    raw = edited(json.dumps(count).encode(), edits)
    key = f"{count['platform']}:{count['account_id']}".encode() if right_key else KEY
    latest = instant.parse("2025-01-01T00:00:00Z")
    fast = verdict(lambda: decode_count(key, raw, PLATFORMS, latest))
    full = verdict(lambda: wire._decode_fully(topics.COUNTS, key, raw, PLATFORMS, latest))
    assert fast == full
    assert type(fast) is type(full)


@settings(deadline=None)
@given(COUNTS)
def test_the_fast_path_reads_what_the_parts_allow(count):
    right = (
        count["event_id"] in {"e", "e-1", 'a"b', "\\", "x" * 128}
        and count["platform"] in PLATFORMS
        and count["account_id"] in {"acc-a", "a-_9", "a" * 64}
        and type(count["followers"]) is int
        and 0 <= count["followers"] < 2**53
    )
    try:
        at = instant.parse(count["observed_at"])
    except ValueError:
        right = False
    key = f"{count['platform']}:{count['account_id']}".encode()
    read = verdict(lambda: decode_count(key, json.dumps(count).encode(), PLATFORMS))
    if right:
        assert read == FollowerCountChanged(
            count["event_id"], count["platform"], count["account_id"], count["followers"], at
        )
    else:
        assert read in CODES


SOUND = {**COUNT, "event_id": "e-1"}
DAYS = [
    f"{year}-{month}-{day}"
    for year in ("1969", "1970", "2000", "2023", "2024", "2100")
    for month, day in (("01", "01"), ("02", "28"), ("03", "01"), ("04", "30"), ("08", "31"), ("12", "31"))
]
PLAIN = [
    *({"event_id": one} for one in ("e", "x" * 128, "!#~/", "a:b,{}[]")),
    *({"account_id": one} for one in ("abc", "0--", "a" * 64)),
    *({"followers": one} for one in (0, 1, 2**53 - 1)),
    *({"observed_at": f"{one}T23:59:59.999Z"} for one in (*DAYS, "2024-02-29", "2000-02-29")),
    *(
        {"observed_at": f"2024-01-03T00:00:07{one}"}
        for one in ("Z", ".1Z", ".123456Z", "+08:00", ".5-23:59", "-00:00")
    ),
]


@pytest.mark.parametrize("change", PLAIN, ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_plain_counts_are_read_however_they_are_laid_out(form, change):
    count = {**SOUND, **change}
    key = f"weibo:{count['account_id']}".encode()
    at = instant.parse(count["observed_at"])
    for order in (list(count), list(reversed(count))):
        for separators in ((",", ":"), (", ", ": "), (" ,\r\n", "\t : ")):
            raw = b" %b\n" % json.dumps({name: count[name] for name in order}, separators=separators).encode()
            assert form.read_count(key, raw) == FollowerCountChanged(
                count["event_id"], "weibo", count["account_id"], count["followers"], at
            )


def put(old, new):
    return json.dumps(SOUND).replace(old, new).encode()


REFUSED = [
    None,
    b"",
    b"{}",
    b"[" + json.dumps(SOUND).encode() + b"]",
    json.dumps(SOUND).encode() + b"\0",
    json.dumps(SOUND).encode() + b"}",
    json.dumps(SOUND).encode() + b" " * MOST_BYTES,
    *(json.dumps(SOUND).encode()[:size] for size in range(len(json.dumps(SOUND)))),
    *(json.dumps({name: SOUND[name] for name in SOUND if name != one}).encode() for one in SOUND),
    *(put(f'"{one}"', f'"{one}": {json.dumps(SOUND[one])}, "{one}"') for one in SOUND),
    *(put(f'"{one}"', f'"{one}x"') for one in SOUND),
    put('"followers": 5', '"followers": 05'),
    put('"followers": 5', '"followers": -0.0'),
    put('"followers": 5', '"followers": 5.0'),
    put('"followers": 5', '"followers": 5e0'),
    put('"followers": 5', '"followers": 9007199254740992'),
    put('"followers": 5', '"followers": 18446744073709551621'),
    put('"followers": 5', '"followers": true'),
    put('"followers": 5', '"followers": "5"'),
    put('"followers": 5', '"followers": '),
    put('"followers": 5', '"more": 1, "followers": 5'),
    put('"followers": 5, ', '"followers": 5 '),
    put('"followers": 5, ', '"followers": 5,, '),
    put('"platform": ', '"platform" '),
    *(put('"e-1"', one) for one in ('""', '"a b"', f'"{"x" * 129}"', '"\x7f"', '"\u6731"', "null")),
    *(put('"acc-a"', one) for one in ('"-cc"', '"_cc"', '"ac"', f'"{"a" * 65}"', '"Acc"', '"ac\\u0063"')),
    *(
        put(AT, one)
        for one in (
            "2024-00-03T00:00:00Z", "2024-13-03T00:00:00Z", "2024-01-00T00:00:00Z", "2024-01-32T00:00:00Z",
            "2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2024-04-31T00:00:00Z", "2024-01-03T24:00:00Z",
            "2024-01-03T00:60:00Z", "2024-01-03T00:00:60Z", "2024-01-03T00:00:00", "2024-01-03T00:00:00.Z",
            "2024-01-03T00:00:00.1234567Z", "2024-01-03T00:00:00+24:00", "2024-01-03T00:00:00+08:60",
            "2024-01-03T00:00:00+0800", "2024-01-03T00:00:00+8:00", "2024-01-03 00:00:00Z", "2024-01-03T00:00:0\u0661Z",
            "0000-01-03T00:00:00Z", "+024-01-03T00:00:00Z", "2024/01-03T00:00:00Z", "2024-01/03T00:00:00Z",
            "2024-01-03T00.00:00Z", "2024-01-03T00:00.00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_sound_and_plain_is_refused(form):
    sound = json.dumps(SOUND).encode()
    assert form.read_count(KEY, sound) is not None
    for odd in REFUSED:
        assert form.read_count(KEY, odd) is None, odd
    for key in (None, b"", b"weibo:acc-b", b"weibp:acc-a", b"weibo;acc-a", b"weibo:acc-a ", "weibo:acc-a"):
        assert form.read_count(key, sound) is None


@pytest.mark.parametrize("form", FORMS)
def test_the_longest_value_is_measured_to_the_byte(form):
    sound = json.dumps(SOUND).encode()
    assert form.read_count(KEY, sound.ljust(MOST_BYTES)) is not None
    assert form.read_count(KEY, sound.ljust(MOST_BYTES + 1)) is None


def test_the_readers_are_compiled_where_the_tests_must_all_run():
    assert counts.IS_COMPILED or not os.environ.get("CI"), "build them: make setup, with a C compiler"
