"""Policy books on the wire: the hash, the outermost table, and whatever the policies refuse."""

import json
from decimal import Decimal

import pytest

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
