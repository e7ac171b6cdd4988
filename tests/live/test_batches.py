"""Batches read into columns: what iterating gives, or it is left to that."""

import struct
import tracemalloc

import pytest
from aiokafka import codec
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from forms import compiled
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.columns import Column
from schemas.errors import TransportError
from streams.live import capped
from streams.live.fetched import Run

FORMS = compiled("streams.live.batches")
CODECS = [bytes, codec.gzip_encode, codec.snappy_encode, codec.lz4_encode, codec.zstd_encode]


def number(said):
    """A signed number in as few bytes as it needs."""
    rest, found = ((said << 1) ^ (said >> 63)) & (2**64 - 1), b""
    while rest > 0x7F:
        found, rest = found + bytes([rest & 0x7F | 0x80]), rest >> 7
    return found + bytes([rest])


def text(said):
    return number(-1) if said is None else number(len(said)) + said


def record(place, key=b"k", value=b"v", headers=(), *, attributes=0):
    """A record as it stands in a batch.

    Source:
        Kafka's documentation, Message Format: Record.
    """
    named = b"".join(text(name) + text(said) for name, said in headers)
    body = (
        bytes([attributes])
        + number(7)
        + number(place)
        + text(key)
        + text(value)
        + number(len(headers))
        + named
    )
    return number(len(body)) + body


def batch(records, count, *, folded_by=0, first=0, offsets=None):
    """A batch around the bytes of its records; it says that it has so many offsets."""
    body = CODECS[folded_by](records) if folded_by < len(CODECS) else records
    last = max(-(2**31), (count if offsets is None else offsets) - 1)
    head = struct.pack(
        ">qiibIhiqqqhii", first, 49 + len(body), 0, 2, 0, folded_by, last, 17, 24, -1, -1, -1, count
    )
    return head + body


def batch_of(raw):
    return capped.Batches(raw).next_batch()


def outcome(way, raw):
    """Return what a batch says in one of the two ways."""
    try:
        found = way(Run("t", 0, -(1 << 40), 1 << 40, batches=[batch_of(raw)], gate=None))
        return [(one.offset, one.key, one.value) for one in found]
    except TransportError as error:
        return str(error)


def in_columns(raw):
    """Hold both ways against each other; return what is read in columns, None where it is left to iterating."""
    assert outcome(Run.read, raw) == outcome(iter, raw)
    keys, values = Column([b"before"]), Column([None])
    was_read = batch_of(raw).read(keys, values)
    assert (keys[0], values[0]) == (b"before", None)
    if not was_read:
        assert (keys, values) == ([b"before"], [None])
        return None
    return list(zip(keys[1:], values[1:], strict=True))


TEXTS = st.none() | st.binary(max_size=5) | st.sampled_from([63, 64, 200, 9000]).map(bytes)
NAMES = st.text(max_size=3).map(str.encode) | st.just(b"\xff")
RECORDS = st.lists(
    st.tuples(TEXTS, TEXTS, st.lists(st.tuples(NAMES, TEXTS), max_size=3), st.integers(0, 0x7F)), max_size=5
)


def written(records):
    return b"".join(
        record(place, key, value, headers, attributes=attributes)
        for place, (key, value, headers, attributes) in enumerate(records)
    )


@given(RECORDS, st.integers(0, 2**40))
@example([(None, b"", [(b"h", None), (b"", b"v")], 0), (b"", None, [(b"\xff", b"v")], 0)], 7)
@pytest.mark.parametrize("folded_by", range(len(CODECS)))
def test_sound_records_are_read_in_columns(folded_by, records, first):
    raw = batch(written(records), len(records), folded_by=folded_by, first=first)
    assert in_columns(raw) == ([(key, value) for key, value, _, _ in records] if FORMS else None)


NUMBERS = st.sampled_from([-(2**62), -2, -1, 0, 1, 5, 63, 64, 2**31, 2**62]).map(number)
PIECES = NUMBERS | st.sampled_from([b"", b"\x00", b"\x01", b"\xff"]) | st.integers(1, 11).map(b"\x80".__mul__)
EDITS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), PIECES), min_size=1, max_size=3)


@settings(max_examples=400)
@given(RECORDS, EDITS, st.sampled_from([0, 0, 0, 0, 1, -1, -99, 2**30]), st.sampled_from(range(6)))
@example([(None, None, [], 0)], [(1, 1, b"\x80\x00")], 0, 0)
def test_damaged_records_are_read_as_iterating_reads_them(records, edits, more, folded_by):
    said = written(records)
    for place, instead_of, piece in edits:
        at = place % (len(said) + 1)
        said = said[:at] + piece + said[at + instead_of :]
    in_columns(batch(said, len(records) + more, folded_by=folded_by))


SOUND = [
    *(record(0, key, value) for key in (None, b"", b"k") for value in (None, b"", b"v")),
    record(0, headers=[(b"", None), (b"h", b"")]),
    record(0, attributes=0x7F),
]
ODD = {
    "a record of a byte less": number(7) + record(0)[1:],
    "a record of a byte more": number(9) + record(0)[1:],
    "a byte behind the headers of a record": number(9) + record(0)[1:] + b"\0",
    "a record of nothing": number(0),
    "a record of less than nothing": number(-1),
    "bytes behind the last record": record(0) + b"\0",
    "no record": b"",
    "half a number": b"\x80",
    "a number without an end": b"\x80" * 11,
    "another place": record(1),
    "a place below the first": record(-1),
    "a key that ends behind its record": number(6) + b"\0\0\0" + number(9) + b"\0\0",
    "a value that ends far behind all": number(2**40) + b"\0\0\0" + text(b"k") + number(2**36) + b"v\0",
    "a key that is shorter than null": number(7) + b"\0\0\0" + number(-2) + b"\0\0\0",
    "fewer headers than none": record(0)[:-1] + number(-1),
    "very many headers": record(0)[:-1] + number(60),
    "a header without a name": number(9) + record(0)[1:-1] + number(1) + number(-1) + number(0),
    "attributes of two bytes, to aiokafka": number(7) + b"\x80\x00\x00\x02\x01\x01\x00",
}


@pytest.mark.parametrize("said", SOUND, ids=bytes.hex)
def test_each_form_of_a_record_is_read_in_columns(said):
    assert (in_columns(batch(said, 1)) is not None) == bool(FORMS)


@pytest.mark.parametrize("said", ODD.values(), ids=ODD)
def test_an_odd_record_is_left_to_iterating(said):
    assert in_columns(batch(said, 1)) is None
    assert in_columns(batch(said + record(1), 2)) is None


@pytest.mark.parametrize(
    "raw",
    [
        batch(record(0) + record(2), 2, offsets=3),
        batch(record(0) + record(1), 2, offsets=3),
        batch(record(0) + record(1), 2, offsets=1),
        batch(record(0) + record(2), 2),
        batch(record(1) + record(0), 2),
        batch(record(0) + record(0), 2),
        batch(record(0) + record(1), 1),
        batch(record(0), 2),
        batch(b"", 0, offsets=3),
        batch(b"", -1),
        batch(record(0), 1)[:8] + struct.pack(">i", 20) + bytes(4) + b"\2" + bytes(15),
    ],
    ids=range(11),
)
def test_a_batch_with_gaps_or_another_number_of_records_is_left_to_iterating(raw):
    assert in_columns(raw) is None


@pytest.mark.parametrize(
    ("places", "read"),
    [([-1, 0], []), ([0, 5], [0]), ([0, 0], [0]), ([1, 0], [1]), ([0, 1, -1], [0, 1]), ([3], [])],
)
def test_an_offset_that_is_none_of_its_batch_makes_the_rest_unreadable(places, read):
    """Brokers take them, and whoever takes records by their offsets would stop there for ever."""
    for name in (b"h", b"\xff"):
        raw = batch(b"".join(record(place, headers=[(name, b"")]) for place in places), len(places), first=7)
        unreadable = (
            [] if read[-1:] == [len(places) - 1] else [(7 + len(places) - 1, None, capped.UNREADABLE)]
        )
        assert in_columns(raw) is None
        assert outcome(iter, raw) == [(7 + place, b"k", b"v") for place in read] + unreadable


@pytest.mark.parametrize("folded_by", range(len(CODECS)))
def test_attributes_that_are_no_byte_to_aiokafka_take_no_record_away(folded_by):
    said = record(0) + record(1, b"key", b"value", attributes=0x80) + record(2)
    raw = batch(said, 3, folded_by=folded_by)
    with pytest.raises(CorruptRecordException):
        list(MemoryRecords(raw).next_batch())
    assert in_columns(raw) is None
    assert outcome(iter, raw) == [(0, b"k", b"v"), (1, b"key", b"value"), (2, b"k", b"v")]


@pytest.mark.parametrize("size", [-9, -1, 0, 5, 99])
def test_a_record_of_another_size_is_not_read_for_ever_where_a_header_is_no_text(size):
    said = number(size) + record(0, headers=[(b"\xff", b"v")])[1:]
    assert in_columns(batch(said, 2**30)) is None
    assert "CorruptRecordException" in outcome(iter, batch(said, 2**30))


@pytest.mark.parametrize("unknown", [5, 6, 7])
def test_a_codec_that_nobody_knows_is_an_error_of_a_family(unknown):
    raw = batch(record(0), 1, folded_by=unknown)
    assert in_columns(raw) is None
    assert "UnsupportedCodecError" in outcome(Run.read, raw)


@pytest.mark.parametrize("form", FORMS)
def test_a_forged_number_of_records_takes_no_memory(form):
    """Of a batch that unfolds to 8 MiB a number alone could otherwise ask for 200."""
    body = bytes(1 << 20)
    for said in (2**62, 2**31 - 1, len(body), len(body) // 7 + 1, len(body) // 7, 2, -1):
        keys, values = Column(), Column()
        tracemalloc.start()
        assert not form.read_records(body, 0, len(body), said, keys, values)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 6 * len(body), said


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_read_outside_of_the_bytes(form):
    said = record(0)
    body, size = said + said + said, len(said)
    assert form.read_records(body, size, 2 * size, 1, Column(), Column())
    for start, end in (
        (-1, size - 1),
        (size, 3 * size + 1),
        (2 * size, size),
        (size, 2 * size - 1),
        (size, 2 * size + 1),
    ):
        assert not form.read_records(body, start, end, 1, Column(), Column())
    assert not form.read_records(said[:-1], 0, size, 1, Column(), Column())  # behind bytes there is a zero
    for nothing in (None, bytearray(body), memoryview(body), 5):
        with pytest.raises(TypeError):
            form.read_records(nothing, 0, size, 1, Column(), Column())
