"""How deep an entry is nested, told without recursion and without reading it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.journal import MAX_DEPTH, read_envelope

TEXTS = st.text(alphabet='[]{}"\\\\a,:', max_size=6)
VALUES = st.recursive(
    TEXTS | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=20,
)


def entry(content: bytes) -> bytes:
    return b'{"content":%b,"epoch":0,"n":0,"prev":"","v":1,"writer":""}' % content


@given(VALUES, st.integers(MAX_DEPTH - 8, MAX_DEPTH + 8), st.sampled_from(["[]", "]]]]", '"', "x"]))
def test_what_stands_in_a_text_is_no_depth(value, around, text):
    wrapped = [value, text] * 40  # so many brackets that they have to be looked at
    for _ in range(around):
        wrapped = [wrapped]
    raw = entry(json.dumps(wrapped).encode())
    assert (read_envelope(raw) is not None) == (depth_of(wrapped) + 1 <= MAX_DEPTH)


def depth_of(value):
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH])
def test_brackets_in_texts_hide_no_depth(depth):
    for text in (b'"]"', b'"\\"]"', b'"]]]]]]"'):
        raw = entry((b"[" + text + b",") * depth + b"0" + b"]" * depth)
        assert (read_envelope(raw) is not None) == (depth + 1 <= MAX_DEPTH)
