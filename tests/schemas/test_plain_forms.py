"""Forms, compiled and as regular expressions: nobody can tell them from each other."""

import pytest
from forms import compiled, forms_of
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import instant, plain_forms_python
from schemas.plain_forms import form_of

BYTES = st.binary(max_size=4).map(lambda drawn: drawn.replace(b"\0", b""))
OF = st.sampled_from([b"a", b"ab", b"0123456789", b"]^-", b"\\", bytes(range(1, 256))])
BOUNDS = st.tuples(st.integers(0, 3), st.integers(0, 4)).map(sorted)
SMALL = (
    st.tuples(st.just("text"), BYTES) | st.tuples(st.just("run"), OF, BOUNDS) | st.tuples(st.just("instant"))
)
TREES = st.recursive(
    SMALL,
    lambda inner: (
        st.tuples(st.sampled_from(["row", "either"]), st.lists(inner, min_size=1, max_size=3))
        | st.tuples(st.just("several"), inner, st.integers(0, 1))
    ),
    max_leaves=6,
)


def made(forms, tree):
    match tree:
        case ("text", said):
            return forms.text(said)
        case ("run", of, (least, most)):
            return forms.run(of, least, most)
        case ("instant",):
            return forms.instant()
        case ("row" | "either" as kind, parts):
            return getattr(forms, kind)([made(forms, part) for part in parts])
        case (_, part, least):
            return forms.several(made(forms, part), least)


@st.composite
def written(draw, tree):
    """Draw bytes that are nearly of a form."""
    match tree:
        case ("text", said):
            return said
        case ("run", of, (least, most)):
            return bytes(draw(st.lists(st.sampled_from(of), min_size=least, max_size=most + 1)))
        case ("instant",):
            said = instant.text(draw(st.integers(0, 10**9)) * draw(st.sampled_from([1, 10, 1000, 10**6])))
            return said.replace("Z", draw(st.sampled_from(["Z", "0Z", ".Z", "1Z", ""]))).encode()
        case ("row", parts):
            return b"".join([draw(written(part)) for part in parts])
        case ("either", parts):
            return draw(written(draw(st.sampled_from(parts))))
        case (_, part, _):
            return b",".join(draw(st.lists(written(part), max_size=3)))


@pytest.mark.parametrize("forms", compiled("schemas.plain_forms"))
@settings(max_examples=1000, deadline=None)
@given(drawn=st.data(), tree=TREES)
def test_compiled_forms_are_of_what_regular_expressions_match(forms, drawn, tree):
    said = drawn.draw(written(tree)) + drawn.draw(st.sampled_from([b"", b"", b",", b"\0", b"\0a"]))
    assert made(forms, tree).is_of(said) == made(plain_forms_python, tree).is_of(said)


AT = b"2024-01-02T03:04:05"


@pytest.mark.parametrize("forms", forms_of("schemas.plain_forms"))
def test_an_instant_has_no_trailing_zeros_and_at_most_six_digits(forms):
    form = forms.instant()
    for good in (b"Z", b".1Z", b".01Z", b".123456Z", b".000001Z"):
        assert form.is_of(AT + good)
    for bad in (b"", b".Z", b".0Z", b".10Z", b".1234567Z", b".1", b"z", b"ZZ", b"Z\0", b"+08:00", b".1.1Z"):
        assert not form.is_of(AT + bad)
    for place in range(len(AT)):
        assert not form.is_of(AT[:place] + b"x" + AT[place + 1 :] + b"Z")
        assert not form.is_of(AT[:place])


@pytest.mark.parametrize("forms", forms_of("schemas.plain_forms"))
def test_what_a_form_takes_it_keeps(forms):
    assert not forms.row([forms.run(b"a", 0, 3), forms.text(b"a")]).is_of(b"aa")
    assert not forms.row([forms.either([forms.text(b"a"), forms.text(b"ab")]), forms.text(b"c")]).is_of(
        b"abc"
    )
    assert forms.row([forms.several(forms.text(b"a"), 1), forms.text(b",b")]).is_of(b"a,a,b")


def test_a_form_is_known_of_nothing_that_no_output_is_made_of():
    for schema in (
        {"type": "number"},
        {"type": "string"},
        {"type": "string", "pattern": "^[a-z]+$"},
        {"type": "string", "pattern": "[a-z]"},
        {"type": "integer", "minimum": 0, "maximum": 9},
    ):
        with pytest.raises(ValueError, match="no form"):
            form_of(schema)
