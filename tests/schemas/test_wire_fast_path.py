"""The quick reader of counts: nobody can tell it from the full one."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import counts, instant, topics, wire
from schemas.dead_letters import CODES
from schemas.errors import InputError
from schemas.inputs import FollowerCountChanged
from schemas.wire import decode_count

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

FORMS = st.tuples(st.sampled_from([None, 1]), st.booleans())


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
def test_nobody_can_tell_the_fast_path_from_the_full_one(count, order, edits, form, right_key):
    indent, escaped = form
    members = {name: count[name] for name in order}
    text = json.dumps(members, indent=indent, ensure_ascii=escaped)
    raw = edited(text.encode(errors="surrogatepass"), edits)
    key = f"{count['platform']}:{count['account_id']}".encode() if right_key else KEY
    latest = instant.parse("2025-01-01T00:00:00Z")
    for _ in range(2):  # the second time the instant is a remembered one
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


def test_what_is_remembered_of_instants_is_bounded(monkeypatch):
    monkeypatch.setattr(counts, "_MOST_TEXTS", 3)
    tables = counts._minutes, counts._seconds, counts._rests
    for table in tables:
        table.clear()
    for minute in range(10):
        for second in range(10):
            for fraction in ("", f".{second}", f".{minute:03}{second:03}"):
                text = f"2001-02-03T04:{minute:02}:{second:02}{fraction}Z"
                value = json.dumps({**COUNT, "observed_at": text}).encode()
                assert decode_count(KEY, value, PLATFORMS).observed_at == instant.parse(text)
                assert max(map(len, tables)) <= 3


@settings(max_examples=300)
@given(st.lists(st.tuples(COUNTS, EDITS, st.booleans()), min_size=1, max_size=6))
def test_a_chunk_is_read_only_where_each_of_its_counts_is_sound(drawn):
    raws = [edited(json.dumps(count).encode(errors="surrogatepass"), edits) for count, edits, _ in drawn]
    keys = [
        f"{count['platform']}:{count['account_id']}".encode(errors="surrogatepass") if right else KEY
        for count, _, right in drawn
    ]
    everywhere = {"weibo", "douyin", "nowhere", "", "we\u00efbo"}
    full = [
        verdict(
            lambda raw=raw, key=key: wire._decode_fully(topics.COUNTS, key, raw, everywhere, instant.FOREVER)
        )
        for raw, key in zip(raws, keys, strict=True)
    ]
    for _ in range(2):
        chunk = counts.decode_counts(keys, raws)
        if chunk is not None:
            read = [
                FollowerCountChanged(one.event_id, one.platform, one.account_id, one.followers, at)
                for one, at in zip(chunk.said, chunk.at, strict=True)
            ]
            assert read == full


SOUND = {**COUNT, "event_id": "e-1"}


def test_plain_counts_are_read_as_a_chunk_and_one_odd_one_refuses_it():
    plain = [json.dumps({**SOUND, "followers": number}).encode() for number in range(5)]
    assert counts.decode_counts([KEY] * 5, plain) is not None
    for odd in (
        b"{}",
        None,
        json.dumps({**SOUND, "event_id": "a b"}).encode(),
        json.dumps(SOUND).replace('"e-1"', '"e-1", "event_id": "e-1"').encode(),
        json.dumps(SOUND).encode() + b" " * counts.MOST_BYTES,
    ):
        assert counts.decode_counts([KEY] * 6, [*plain, odd]) is None
    assert counts.decode_counts([KEY] * 4 + [b"weibo:acc-b"], plain) is None
    assert counts.decode_counts([KEY] * 4 + [None], plain) is None


def test_the_longest_of_many_is_measured_to_the_byte_however_short_the_others_are():
    least = b'{"event_id":"e","platform":"p","account_id":"abc","followers":0,"observed_at":"2000-01-01T00:00:00Z"}'
    assert len(least) == counts._LEAST_BYTES + len("p")  # no platform is nameless; the full path says so
    for more, is_read in ((0, True), (1, False)):
        long = least + b" " * (counts.MOST_BYTES - len(least) + more)
        assert (counts.decode_counts([b"p:abc"] * 600, [long, *[least] * 599]) is not None) is is_read


@pytest.mark.parametrize("spaced", [False, True])
@pytest.mark.parametrize("event_id", ["a b", "\u6731", "\x7f", "\x1f"])
def test_an_event_id_is_visible_however_it_is_written(spaced, event_id):
    separators = (", ", ": ") if spaced else (",", ":")
    for escaped in (True, False):
        odd = json.dumps(
            {**SOUND, "event_id": event_id}, separators=separators, ensure_ascii=escaped
        ).encode()
        plain = json.dumps(SOUND, separators=separators).encode()
        assert counts.decode_counts([KEY] * 2, [plain, plain]) is not None
        assert counts.decode_counts([KEY] * 2, [plain, odd]) is None


def test_keys_that_are_alike_only_when_joined_are_refused():
    def said(account_id):
        return json.dumps({**SOUND, "account_id": account_id}).encode()

    # Joined by a line break, the keys of both sides are the same bytes.
    assert (
        counts.decode_counts([b"weibo:aaa", b"weibo:bbb\nweibo:ccc"], [said("aaa\nweibo:bbb"), said("ccc")])
        is None
    )
