"""A policy-book record: the same book as its directory, or refused with every mistake."""

import json
from decimal import Decimal
from hashlib import sha256
from typing import Any

import golden
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import PolicyError
from schemas.policy import book_from_tables
from streams.policies.load import load_book, shipped_book_dir

SHIPPED = rfc8785.dumps(load_book(shipped_book_dir()).tables)


def tables_of(**leaves: Any) -> dict[str, Any]:
    phase = {"id": "p1", "threshold": 5, "op": ">=", "from": "2024-01-01T00:00:00Z", "grace": {"days": 1}}
    return {"policies": {"weibo": {"platform": "weibo", "version": "1", "phase": [phase], **leaves}}}


@pytest.mark.parametrize("number", [float, Decimal])
def test_record_gives_the_book_of_its_directory(number: type) -> None:
    book = load_book(shipped_book_dir())
    record = json.loads(rfc8785.dumps(book.tables), parse_float=number)
    assert book_from_tables(record) == book


@pytest.mark.parametrize("one", [1, 1.0, Decimal(1), Decimal("1.0000")])
def test_whole_share_is_written_as_an_integer(one: float | Decimal) -> None:
    book = book_from_tables(tables_of(watch={"floor_share": one}))
    assert book.policies["weibo"].watch.floor_share == 10_000
    assert rfc8785.dumps(book.tables["policies"]["weibo"]["watch"]) == b'{"floor_share":1}'


def test_record_is_refused_with_every_mistake() -> None:
    zhihu = {**tables_of()["policies"]["weibo"], "purge": None, "watch": {"floor_share": 0.12345}}
    zhihu["phase"] = [{**zhihu["phase"][0], "from": "2024-01-01T08:00:00+08:00", "until": None}]
    books: list[Any] = [
        None,
        [],
        {},
        {"policies": {}},
        {"policies": {}, "hash": ""},
        {"policies": {"weibo": 3, "zhihu": zhihu}},
    ]
    said = []
    for tables in books:
        with pytest.raises(PolicyError) as refused:
            book_from_tables(tables)
        said.append(str(refused.value))
    golden.hold("policy-record", "\n\n".join(said) + "\n")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below a value, so that a test can put something else there."""
    pairs = list(
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [place for key, inner in pairs for place in [(value, key), *places(inner)]]


@settings(max_examples=300)
@given(st.data())
def test_whatever_stands_in_a_record_is_read_or_refused(data: st.DataObject) -> None:
    tables = json.loads(SHIPPED)
    for _ in range(data.draw(st.integers(1, 2))):
        container, key = data.draw(st.sampled_from(places(tables)))
        container[key] = data.draw(JSON)
    try:
        book = book_from_tables(tables)
    except PolicyError as refused:
        assert str(refused)  # noqa: PT017 - either outcome is right, any other error is not
    else:
        assert book.hash == sha256(rfc8785.dumps(book.tables)).hexdigest()
        assert book_from_tables(json.loads(rfc8785.dumps(book.tables))) == book
