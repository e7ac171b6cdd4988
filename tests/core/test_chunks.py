"""Counts read in chunks are those that each record says by itself."""

import pytest
from builders import Stream, count_of, day

from schemas.records import Records
from schemas.wire import Raw, decode
from streams.core.chunks import CHUNK, NOT_PLAIN, chunk_at


def counts(number):
    stream = Stream()
    stream.add(*(count_of(followers, day(0) + followers) for followers in range(number)))
    return [raw for _, raw in stream.records]


def read(chunk):
    return [(said.followers, at - day(0)) for said, at in zip(chunk.said, chunk.at, strict=True)]


@pytest.mark.parametrize("start", [0, 1, 5])
def test_a_chunk_holds_the_counts_from_a_place_on(start):
    records = Records.of(counts(CHUNK + 4))
    chunk = chunk_at(records, start)
    end = min(start + CHUNK, CHUNK + 4)
    assert (chunk.of, chunk.start, chunk.end) == (records, start, end)
    assert read(chunk) == [(place, place) for place in range(start, end)]


@pytest.mark.parametrize("odd", [0, 2, 4])
def test_a_record_that_is_not_plain_stands_by_itself_among_the_others(odd):
    raws = counts(5)
    raws[odd] = Raw(odd, b"weibo:acc-a", b"nonsense")
    chunk = chunk_at(Records.of(raws), 0)
    assert chunk.said[odd] is NOT_PLAIN
    assert [one for place, one in enumerate(read(chunk)) if place != odd] == [
        (place, place) for place in range(5) if place != odd
    ]


def test_a_chunk_says_what_each_record_says():
    raws = counts(3)
    for raw, said in zip(raws, chunk_at(Records.of(raws), 0).said, strict=True):
        whole = decode("follower-counts", raw.key, raw.value, ("weibo",))
        assert (said.platform, said.account_id, said.event_id) == (
            whole.platform,
            whole.account_id,
            whole.event_id,
        )
