"""Columns, compiled and not: lists of texts, but for what they cost."""

import struct

import pytest
from forms import compiled, forms_of
from hypothesis import given, settings
from hypothesis import strategies as st

FORMS = [form.Column for form in forms_of("schemas.columns")]
COMPILED = [form.Column for form in compiled("schemas.columns")]

TEXTS = st.none() | st.binary(max_size=12) | st.integers(0, 200).map(bytes)
PLACES = st.none() | st.integers(-12, 12)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), TEXTS),
        st.tuples(st.just("extend"), st.lists(TEXTS, max_size=9)),
        st.tuples(st.just("extend with itself"), st.none()),
        st.tuples(st.just("extend with a part"), st.builds(slice, PLACES, PLACES)),
        st.tuples(st.just("truncate"), st.integers(0, 12)),
        st.tuples(st.just("cut"), st.builds(slice, PLACES, PLACES)),
    ),
    max_size=12,
)


def fed(column):
    pieces = []
    column.feed(lambda piece: pieces.append(bytes(piece)))
    return b"".join(pieces)


def holds(column, items):
    sizes = [-1 if item is None else len(item) for item in items]
    assert list(column) == items
    assert [column[place] for place in range(-len(items), len(items))] == items * 2
    assert len(column) == len(items)
    assert column.size == sum(max(size, 0) for size in sizes)
    assert column.lengths == struct.pack(f"<{len(sizes)}i", *sizes)
    assert fed(column) == b"".join(item or b"" for item in items)
    for place in (-len(items) - 1, len(items)):
        with pytest.raises(IndexError):
            column[place]


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, max_size=9), STEPS)
@pytest.mark.parametrize("form", FORMS)
def test_a_column_is_a_list_of_its_texts(form, items, steps):
    column, items = form(items), list(items)
    holds(column, items)
    for what, said in steps:
        if what == "append":
            column.append(said)
            items.append(said)
        elif what == "extend":
            column.extend(form(said))
            items.extend(said)
        elif what == "extend with itself":
            column.extend(column)
            items.extend(items)
        elif what == "extend with a part":
            column.extend(column[said])
            items.extend(items[said])
        elif what == "truncate":
            column.truncate(said)
            del items[said:]
        else:
            column, items = column[said], items[said]
        holds(column, items)


@pytest.mark.parametrize("form", FORMS)
def test_a_part_has_nothing_in_common_with_the_whole(form):
    whole = form([b"a", None, b"", b"bc"])
    part = whole[1:]
    whole.truncate(0)
    whole.append(b"xyz")
    part.append(b"d")
    holds(whole, [b"xyz"])
    holds(part, [None, b"", b"bc", b"d"])


@pytest.mark.parametrize("form", FORMS)
def test_a_column_is_equal_to_whatever_has_the_same_texts(form):
    column = form([b"a", None, b""])
    assert column == form([b"a", None, b""])
    assert column == [b"a", None, b""]
    for other in (form([b"a", None]), [b"a", b"", None], [], None, 5, b"a"):
        assert column != other
    with pytest.raises(TypeError):
        hash(column)


@pytest.mark.parametrize("form", FORMS)
def test_what_a_column_cannot_give_is_an_error(form):
    column = form([b"a", b"b", b"c"])
    for step in (2, -1):
        with pytest.raises(ValueError, match="consecutive"):
            column[::step]
    with pytest.raises(TypeError):
        column["a"]
    with pytest.raises((AttributeError, TypeError)):
        column.extend([b"d"])
    with pytest.raises((AttributeError, TypeError)):
        column.extend(None)
    with pytest.raises(TypeError):
        form(5)
    holds(column, [b"a", b"b", b"c"])


@pytest.mark.parametrize("form", FORMS)
def test_a_length_that_does_not_fit_is_not_another_one(form):
    def lengths_of(*texts):
        return form(texts).lengths

    assert lengths_of(b"a") == b"\1\0\0\0"
    with pytest.raises((OverflowError, struct.error)):
        lengths_of(b"a", bytes(2**31))  # zeros that nobody touches take no memory


@pytest.mark.parametrize("form", COMPILED)
def test_nothing_but_bytes_goes_into_a_compiled_column(form):
    column = form([b"a"])
    for other in ("b", bytearray(b"b"), memoryview(b"b"), 5):
        with pytest.raises(TypeError):
            column.append(other)
    with pytest.raises(TypeError):
        form([b"a", "b"])
    holds(column, [b"a"])


@pytest.mark.parametrize("form", COMPILED)
def test_what_is_fed_cannot_be_kept(form):
    column, kept = form([b"abc"]), []
    column.feed(kept.append)
    with pytest.raises(ValueError, match="released"):
        bytes(kept[0])
    with pytest.raises(TypeError):
        column.feed(lambda piece: piece.__setitem__(0, 0))
    holds(column, [b"abc"])
