import json
from decimal import Decimal

import msgspec
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.errors import InputError
from schemas.strict_json import DEEPEST, canonical, is_too_deep, parse, sha256_hex

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
LEAF = st.none() | st.booleans() | WHOLE | TEXT
FLOAT_FREE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=5), max_leaves=20
)


@given(FLOAT_FREE)
@example({"\ue000": 1, "\U0001f600": 2, "\uffff": 3, "a": 4})  # by code point the second would come last
@example("".join(map(chr, range(256))) + "\u2028\u2029\u7231\U0001f600")
@example({"at": ":1.5,", "E": "1.0]", "b": {"\U0001f600": "\ud7ff"}})
def test_canonical_bytes_are_those_of_the_reference_library(value):
    assert canonical(value) == rfc8785.dumps(value)


@given(st.integers(-(10**12), 10**12), st.integers(0, 4), st.integers(0, 3), TEXT)
@example(1, 4, 0, "")
@example(-5, 0, 3, "")
def test_a_decimal_is_written_as_the_reference_library_writes_its_number(units, digits, zeros, text):
    number = Decimal(units).scaleb(-digits)
    padded = Decimal(f"{number:f}" + ("" if digits else ".") + "0" * zeros) if zeros else number
    for one in (number, padded, number.normalize()):
        value = [{text: one}, one, {"a": text}]
        assert canonical(value) == rfc8785.dumps([{text: float(one)}, float(one), {"a": text}])
        assert canonical(one) == rfc8785.dumps(float(one))


def test_structs_and_tuples_are_written_like_objects_and_arrays():
    class Point(msgspec.Struct):
        y: int
        x: tuple[Decimal, ...]

    assert canonical(Point(1, (Decimal("0.50"),))) == b'{"x":[0.5],"y":1}'
    assert canonical(Point(1, ())) == b'{"x":[],"y":1}'


@pytest.mark.parametrize("number", ["1E+400", "1E-7", "0.1234567890123456", "1" * 16 + ".5", "1E+999999"])
def test_a_decimal_that_no_double_names_exactly_is_refused(number):
    with pytest.raises(ValueError, match="canonical"):
        canonical([Decimal(number)])


@given(st.integers(-(10**9), 10**9), st.integers(0, 4))
def test_a_float_stands_for_the_decimal_it_was_read_from(units, digits):
    number = units / 10**digits
    assert canonical([number]) == rfc8785.dumps([number]) == canonical([Decimal(units).scaleb(-digits)])


def test_half_a_surrogate_has_no_canonical_form():
    with pytest.raises(ValueError, match="surrogates"):
        canonical("\ud800")


@given(FLOAT_FREE)
def test_what_is_written_canonically_is_read_back_the_same(value):
    assert parse(canonical(value)) == value


@given(FLOAT_FREE, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_any_form_of_the_same_json_is_read_alike(value, indent, escaped):
    assert parse(json.dumps(value, indent=indent, ensure_ascii=escaped).encode()) == value


def code(raw: bytes) -> str:
    with pytest.raises(InputError) as refused:
        parse(raw)
    assert refused.value.args == (refused.value.code,)
    assert refused.value.__context__ is None
    return refused.value.code


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"tru",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"-",
        b"1 2",
        b"[1,]",
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b'"\t"',
        b'"\\x"',
        b'"\\u12"',
        b'"a',
        b"\xef\xbb\xbf1",
        b"\x00",
        b"// a\n1",
        "\u00a01".encode(),
        "\u0661".encode(),
        b"[" * 10_000,
        b"[" * 1_000_000 + b"]" * 1_000_000,
        b'{"a":' * 1_000_000,
        b'["' + b"\\" * 100_001,
        b'"' + b'\\"' * 200_000,
    ],
)
def test_what_is_no_json_is_refused(raw):
    assert code(raw) == "not-json"


@pytest.mark.parametrize("raw", [b"\xff", b'"\xed\xa0\x80"', b'"\xc0\xaf"', b"[" * 1000 + b"\x80"])
def test_what_is_no_utf8_is_refused_before_it_is_looked_at(raw):
    assert code(raw) == "not-utf8"


@pytest.mark.parametrize(
    "raw",
    [b'{"a":1,"a":1}', b'[{"b":{"a":1,"\\u0061":2}}]', b'{"a":{},"b":[],"a":null}', b'{"":1,"":1}'],
)
def test_a_key_that_stands_twice_is_refused_at_any_depth(raw):
    assert code(raw) == "duplicate-key"


def test_a_key_that_stands_twice_in_what_is_no_json_is_no_json():
    assert code(b'[{"a":1,"a":2},]') == "not-json"
    assert code(b'[{"a":1,"a":2},NaN]') == "not-json"
    assert code(b'[{"a":1,"a":2}') == "not-json"


def test_the_deepest_that_is_read_is_read_and_one_more_is_not():
    assert parse(b"[" * DEEPEST + b"]" * DEEPEST)
    assert code(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1)) == "not-json"
    assert parse(b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST)


def test_brackets_in_strings_and_side_by_side_are_not_deep():
    assert parse(json.dumps(["[{" * 10_000, '"' + "[" * 1000, "\\", "[" * 1000]).encode())
    assert parse(b"[" + b"[]," * 10_000 + b"{}]")
    assert not is_too_deep(b"}" * 1000 + b"[" * 128)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"0.60000", Decimal("0.6")),
        (b"1000000.0", Decimal(1_000_000)),
        (b"1e6", Decimal(1_000_000)),
        (b"-0", 0),
        (b"0e9999999999999999999", Decimal(0)),
        (b"-0.0E-9999999999999999999", Decimal(0)),
        (b"1e0000000000000000000002", Decimal(100)),
        (b"18446744073709551616", 2**64),
    ],
)
def test_a_number_keeps_its_value_and_whether_it_is_an_integer(raw, number):
    read = parse(raw)
    assert read == number
    assert type(read) is type(number)


@pytest.mark.parametrize(
    ("raw", "kind", "low", "high"),
    [
        (b"1" + b"0" * 5000, int, 2**64, None),
        (b"-" + b"9" * 400, int, None, -(2**64)),
        (b"1e400", Decimal, 10**300, None),
        (b"9e9999999999999999999", Decimal, 10**300, None),
        (b"-1.5E+9999999999999999999", Decimal, None, -(10**300)),
        (b"1e-9999999999999999999", Decimal, 0, Decimal("1e-300")),
        (b"1" * 5000 + b".5", Decimal, 10**300, None),
    ],
)
def test_a_number_of_any_length_is_read_as_one_just_as_far_away(raw, kind, low, high):
    read = parse(raw)
    assert type(read) is kind
    assert low is None or read > low
    assert high is None or read < high


def test_a_hash_is_lower_case_hex():
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
