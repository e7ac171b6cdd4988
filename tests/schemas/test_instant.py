"""Instants: what RFC 3339 says with an offset goes in, one text comes out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instant import DAY, SECOND, day_number, parse, text

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
