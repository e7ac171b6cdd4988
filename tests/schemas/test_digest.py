"""Digests: of a run and of a row.

Of a run everything that it covers changes its digest, and nothing can move between two fields.
"""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.account import row_hash
from schemas.digest import digest_of
from schemas.wire import Raw
from streams.ledger import root

RUN = [Raw(3, b"key", b"value", 5, 1), Raw(4, None, b"", 6, 0), Raw(9, b"", None, 7, 1)]
parts = st.none() | st.binary(max_size=3)
raws = st.builds(Raw, st.integers(0, 3), parts, parts, st.integers(-1, 2), st.integers(0, 1))
runs = st.lists(raws, max_size=4)


def changed(place, **fields):
    """Return the run with one record changed."""
    old = RUN[place]
    new = {name: getattr(old, name) for name in old.__struct_fields__} | fields
    return [*RUN[:place], Raw(**new), *RUN[place + 1 :]]


def test_its_layout_is_the_documented_one():
    """Worked out by hand from the module's words, so that another language can do it, too."""

    def numbers(size, *values):
        return b"".join(value.to_bytes(size, "little", signed=True) for value in values)

    content = b"nameplate-run-1" + numbers(8, 3, 3, 4, 9) + numbers(4, 3, -1, 0) + numbers(4, 5, 0, -1)
    times = numbers(8, 5, 6, 7) + numbers(4, 1, 0, 1)
    data = b"key" + b"value"
    assert digest_of(RUN, with_time=False) == hashlib.sha256(content + data).hexdigest()
    assert digest_of(RUN, with_time=True) == hashlib.sha256(content + times + data).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        changed(0, offset=2),
        changed(0, key=b"kez"),
        changed(0, key=None),
        changed(0, value=b"valuf"),
        changed(0, key=b"keyv", value=b"alue"),
        changed(1, key=b""),
        changed(1, value=None),
        changed(2, key=None),
        changed(2, value=b""),
        RUN[:2],
        RUN[1:],
        [RUN[1], RUN[0], RUN[2]],
        [],
    ],
)
def test_what_a_record_says_and_where_it_stands_changes_it(other):
    assert digest_of(other, with_time=False) != digest_of(RUN, with_time=False)


@pytest.mark.parametrize("other", [changed(0, timestamp=4), changed(1, timestamp_type=1)])
def test_a_time_of_appending_counts_only_where_it_decides(other):
    assert digest_of(other, with_time=True) != digest_of(RUN, with_time=True)
    assert digest_of(other, with_time=False) == digest_of(RUN, with_time=False)


@given(runs, runs)
def test_two_runs_have_one_digest_only_if_they_are_the_same(one, other):
    same = digest_of(one, with_time=True) == digest_of(other, with_time=True)
    assert same == (one == other)


def test_the_hash_of_a_row_parts_its_key_from_it_and_is_one_for_core_and_ledger():
    assert row_hash(b"ab", b"c") != row_hash(b"a", b"bc")
    assert row_hash(b"ab", b"c") == hashlib.sha256(b"\0\0\0\2abc").digest()
    assert root.of_rows([(b"ab", b"c")]) == int.from_bytes(row_hash(b"ab", b"c"))
