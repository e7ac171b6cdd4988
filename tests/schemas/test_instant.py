"""Instants: what RFC 3339 says with an offset goes in, one text comes out."""

from datetime import UTC, datetime, timedelta

import pytest
from forms import forms_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import instant_python
from schemas.instant import DAY, FOREVER, SECOND, day_number, parse, text

FORMS = forms_of("schemas.instant")

FIRST = parse("0001-01-01T00:00:00Z")
LAST = parse("9999-12-31T23:59:59.999999Z")


@pytest.mark.parametrize(
    ("said", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-01T00:00:01.5Z", 1_500_000),
        ("1970-01-01T00:00:01.500000Z", 1_500_000),
        ("1970-01-01t00:00:01z", SECOND),
        ("1970-01-02T00:00:00+00:00", DAY),
        ("1970-01-02T00:00:00-00:00", DAY),
        ("1970-01-01T08:00:00+08:00", 0),
        ("1969-12-31T18:30:00-05:30", 0),
        ("1970-01-01T23:59:00+23:59", 0),
        ("2023-10-31T00:00:00+08:00", 1_698_681_600 * SECOND),
        ("2024-02-29T00:00:00Z", 1_709_164_800 * SECOND),
    ],
)
def test_an_instant_is_read_in_whole_microseconds(said, instant):
    assert parse(said) == instant


@pytest.mark.parametrize(
    "said",
    [
        "",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01 00:00:00Z",
        "2024-01-01T00:00Z",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00,5Z",
        "2024-01-01T00:00:00.0000000Z",
        "2024-01-01T00:00:00+0800",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+08:60",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2016-12-31T23:59:60Z",
        "2023-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "+2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00Z\n",
        " 2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00ZZ",
        "２024-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_what_is_no_instant_with_an_offset_of_the_years_1_to_9999_is_refused(said):
    with pytest.raises(ValueError):  # noqa: PT011 - every caller takes any
        parse(said)


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (100_000, "1970-01-01T00:00:00.1Z"),
        (10 * SECOND, "1970-01-01T00:00:10Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (FIRST, "0001-01-01T00:00:00Z"),
        (LAST, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_an_instant_is_written_in_utc_without_trailing_zero_fractions(instant, said):
    assert text(instant) == said


@given(st.integers(FIRST, LAST))
def test_what_is_written_is_read_as_the_same_instant(instant):
    assert parse(text(instant)) == instant


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_an_offset_moves_an_instant_by_itself(moment, minutes):
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    said = f"{moment.isoformat()}{sign}{hours:02}:{rest:02}"
    expected = moment.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    assert parse(said) == (expected - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@given(st.integers(FIRST, LAST), st.integers(FIRST, LAST))
def test_texts_of_whole_seconds_sort_as_their_instants(one, other):
    one, other = one // SECOND * SECOND, other // SECOND * SECOND
    assert (text(one) < text(other)) == (one < other)


def test_a_day_begins_at_midnight_utc_also_before_1970():
    assert [day_number(at) for at in (-DAY, -1, 0, DAY - 1, DAY)] == [-1, -1, 0, 0, 1]


def said_of(call, value):
    """Return what a call returns, or the kind of what it raises."""
    try:
        return call(value)
    except (ValueError, OverflowError, TypeError) as error:
        return type(error), str(error)


DIGITS = st.text("0123456789", min_size=1, max_size=3)
NEAR_INSTANTS = st.builds(
    lambda at, more, place: text(at)[:place] + more + text(at)[place + len(more) :],
    st.integers(FIRST, LAST),
    DIGITS
    | st.sampled_from(
        ["", "Z", "T", "t", "z", ".", ":", "-", "+08:00", "-23:59Z", " ", "\0", "\u0661", "\ud800"]
    ),
    st.integers(0, 27),
)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=2000)
@given(said=NEAR_INSTANTS | st.text(max_size=30))
@example(said="2024-01-02T03:04:05Z\0")
@example(said="0001-01-01T00:00:00+00:01")
@example(said="9999-12-31T23:59:59.9-00:01")
def test_every_form_reads_and_refuses_a_text_as_python_does(form, said):
    assert said_of(form.parse, said) == said_of(instant_python.parse, said)


@pytest.mark.parametrize("form", FORMS)
@given(instant=st.integers(FIRST, LAST) | st.integers())
@example(instant=FIRST - 1)
@example(instant=LAST + 1)
@example(instant=FOREVER)
def test_every_form_writes_an_instant_as_python_does(form, instant):
    found = said_of(form.text, instant)
    if FIRST <= instant <= LAST:
        assert found == instant_python.text(instant)
    else:
        assert found[0] is OverflowError


@pytest.mark.parametrize("form", FORMS)
def test_every_form_writes_and_reads_the_ends_of_every_month(form):
    for year in (*range(1, 9999, 97), 1900, 2000, 2023, 2024, 2100, 9999):
        for month in range(1, 13):
            at = parse(f"{year:04}-{month:02}-01T00:00:00Z")
            for instant in (at, at - 1, at + DAY - 1):
                if instant >= FIRST:
                    assert form.text(instant) == instant_python.text(instant)
                    assert form.parse(form.text(instant)) == instant
