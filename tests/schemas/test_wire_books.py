"""Policy books on the wire: the hash, the outermost table, and whatever the policies refuse."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics, wire
from schemas.errors import InputError
from schemas.inputs import PolicyBookPublished
from schemas.wire import canonical, decode, sha256_hex

SOURCE = {
    "status": "assumed",
    "text": "\u6d4b\u8bd5 \U0001f600",
    "publisher": "nobody",
    "date": "2023-10-31",
}
CITED = ("phase.p1.threshold", "phase.p1.from", "phase.p1.op", "scope.subjects")
BOOK = {
    "policies": {
        "weibo": {
            "platform": "weibo",
            "version": "2024-01-01.1",
            "scope": {"subjects": ["law"], "min_subject_share": 0.3},
            "phase": [
                {
                    "id": "p1",
                    "threshold": 1_000_000,
                    "op": ">=",
                    "from": "2023-10-31T00:00:00Z",
                    "grace": {"days": 10},
                }
            ],
            "sources": dict.fromkeys(
                ("phase.p1.threshold", "phase.p1.from", "phase.p1.op", "scope.subjects"), SOURCE
            ),
        }
    }
}


def published(book, digest=None):
    return {"book": book, "hash": digest or sha256_hex(canonical(parsed(book)))}


def parsed(book):
    return wire.parse(json.dumps(book).encode())


def test_a_policy_book_is_read_whatever_its_key_and_however_its_numbers_are_written():
    value = json.dumps(published(BOOK)).encode()
    for raw in (value, value.replace(b"0.3", b"0.300"), value.replace(b"0.3", b"3e-1")):
        record = decode(topics.BOOKS, None, raw, ())
        assert isinstance(record, PolicyBookPublished)
        assert record.hash == published(BOOK)["hash"]
        assert record.book["policies"]["weibo"]["scope"]["min_subject_share"] == Decimal("0.3")
        assert canonical(record.as_value()["book"]) == canonical(parsed(BOOK))
        assert (record.at, record.key) == (None, None)


def altered(**tables):
    return {"policies": {"weibo": {**BOOK["policies"]["weibo"], **tables}}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (published(BOOK, "0" * 64), "ill-formed"),
        (published(BOOK, published(BOOK)["hash"].upper()), "ill-formed"),
        (published(BOOK, 5), "wrong-type"),
        (published(altered(colour="red")), "ill-formed"),
        (published(altered(phase=[])), "ill-formed"),
        (published({"policies": {}}), "ill-formed"),
        (published({}), "missing-field"),
        ({"book": {**BOOK, "x": 1}, "hash": "0" * 64}, "unknown-field"),
        ({"book": {"policies": {}, "\ud800": 1}, "hash": "0" * 64}, "unknown-field"),
        (published({"policies": []}), "wrong-type"),
        (published({"policies": {"weibo": None}}), "wrong-type"),
        (published(altered(rule=[{"id": None}])), "wrong-type"),
        (published([], "0" * 64), "wrong-type"),
        (published(None, "0" * 64), "wrong-type"),
        ({"book": altered(version="\ud800"), "hash": "0" * 64}, "ill-formed"),
        (published(altered(version=2**70)), "ill-formed"),
        ({"book": altered(version=1e300), "hash": "0" * 64}, "ill-formed"),
        ({"book": BOOK}, "missing-field"),
    ],
)
def test_a_policy_book_and_its_code(value, expected):
    with pytest.raises(InputError) as refused:
        decode(topics.BOOKS, None, json.dumps(value).encode(), ())
    assert refused.value.code == expected
    assert refused.value.__context__ is None


LEAF = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(["2023-10-31T00:00:00Z", "weibo", "p1", ">=", 0.5, 1_000_000, 1e300, 5e-324])
)
NAMES = st.sampled_from(
    [
        "scope",
        "phase",
        "confirm",
        "measures",
        "below",
        "purge",
        "display",
        "notice",
        "viewer",
        "floor",
        "watch",
        "rule",
        "sources",
        "subjects",
        "id",
        "text",
        "threshold",
        "from",
        "grace",
        "days",
        "until",
        "phase.p1.op",
        "min_subject_share",
        "drop_share",
        "override",
        "enabled",
        "version",
        "platform",
    ]
)
TABLES = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


@settings(deadline=None, max_examples=400)
@given(st.dictionaries(NAMES, TABLES, max_size=4))
def test_no_table_of_a_book_whose_hash_is_right_is_anything_but_read_or_a_dead_letter(tables):
    book = parsed(altered(**tables))
    try:
        digest = sha256_hex(canonical(book))
    except ValueError:  # no canonical form, so no hash that could be right
        digest = "0" * 64
    try:
        record = decode(
            topics.BOOKS, None, json.dumps({"book": altered(**tables), "hash": digest}).encode(), ()
        )
    except InputError as refused:
        assert refused.code == "ill-formed"  # noqa: PT017 - to be read is as good
    else:
        assert canonical(record.book) == canonical(book)
