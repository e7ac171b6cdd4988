"""Counts read many at once and dealt: they are those that each line says by itself, where Kafka would send them."""

import json
from itertools import accumulate

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.counts import IS_COMPILED
from schemas.fields import MOST_BYTES
from schemas.instant import text
from schemas.partitioner import partition_of
from schemas.wire import decode_count
from streams.policies.load import load_book, shipped_book_dir
from streams.replay import files
from streams.replay.files import Block, read_blocks, read_lines
from streams.replay.run import replay

compiled = pytest.mark.skipif(not IS_COMPILED, reason="without a C compiler no lines are read many at once")

PLATFORMS = ("weibo", "bilibili", "a" * 40)


def written(platform="weibo", account="acc-a", at=0, spaced=(",", ":"), **more):
    count = {"event_id": "e-1", "platform": platform, "account_id": account, "followers": 5} | {
        "observed_at": text(at * 1000)
    }
    line = {"topic": "follower-counts", "value": count, **more}
    return json.dumps(line, separators=spaced).encode()


COUNTS = st.builds(
    written,
    st.sampled_from(PLATFORMS),
    st.sampled_from([f"acc-{letter}" for letter in "abcdefghij"] + ["a" * 64]),
    st.integers(0, 10**13),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]),
)
ODD = st.sampled_from(
    [
        b"",
        b" \r",
        written(key="other"),
        written(offset=99),
        written(platform="p" * 41),
        written().replace(b"5", b"5.0"),
        written().replace(b'"e-1"', b'"e-1","event_id":"e-1"'),
        written().replace(b"follower-counts", b"account-facts"),
        b'{"topic":"clock","value":{}}',
        b'{"value":' + written()[len(b'{"topic":"follower-counts","value":') : -1] + b',"topic":"follower-counts"}',
    ]
)  # fmt: skip


def read_both(path, partitions, own):
    """Return the lines of a file, and its blocks with the lines that stand between them."""
    return list(read_lines([path])), list(read_blocks([path], partitions=partitions, own=own))


@compiled
@settings(max_examples=200, deadline=None)
@given(
    st.lists(COUNTS | ODD, max_size=30),
    st.sampled_from([b"\n", b"\r\n", b" \n"]),
    st.booleans(),
    st.integers(1, 5),
    st.sets(st.integers(0, 4)),
)
@example([written(at=5), written(at=4), written(at=6), written(at=1)], b"\n", False, 1, {0})
def test_what_is_dealt_is_what_the_lines_say(tmp_path_factory, texts, end, is_ended, partitions, own):
    path = tmp_path_factory.mktemp("dealt") / "lines.jsonl"
    path.write_bytes(end.join(texts) + (end if is_ended else b""))
    lines, blocks = read_both(path, partitions, own)
    flat = [line for block in blocks for line in (block.lines() if isinstance(block, Block) else (block,))]
    assert flat == lines
    for block in blocks:
        if isinstance(block, Block):
            assert_dealt(block, partitions, own)


def assert_dealt(block, partitions, own):
    lines = list(block.lines())
    counts = [decode_count(line.key, line.value, PLATFORMS) for line in lines]
    before = [counts[0].at, *accumulate((count.at for count in counts[:-1]), max)]
    dealt = block.dealt
    assert (dealt.lines, dealt.latest) == (len(lines), max(count.at for count in counts))
    assert dealt.platforms == {count.platform for count in counts}
    for number in range(partitions):
        places = [place for place, line in enumerate(lines) if partition_of(line.key, partitions) == number]
        share = dealt.shares.get(number)
        if number not in own or not places:
            assert share is None
            continue
        assert list(share.places) == places
        assert share.keys == [lines[place].key for place in places]
        assert share.values == [lines[place].value for place in places]
        assert list(share.at) == [counts[place].at for place in places]
        if any(count.at < latest for count, latest in zip(counts, before, strict=True)):
            assert list(share.latest_before) == [before[place] for place in places]
        else:
            assert share.latest_before is None


@compiled
@given(st.integers(3, 64).flatmap(lambda size: st.text("abc0_-", min_size=size - 1, max_size=size - 1)))
def test_a_count_goes_where_its_key_goes(tmp_path_factory, rest):
    path = tmp_path_factory.mktemp("dealt") / "lines.jsonl"
    path.write_bytes(written(account=f"x{rest}") + b"\n")
    (line,), (block,) = read_both(path, 7, range(7))
    assert list(block.dealt.shares) == [partition_of(line.key, 7)]


@compiled
def test_a_value_that_is_too_long_is_left_to_the_full_path(tmp_path):
    path = tmp_path / "lines.jsonl"
    size = len(written()) - len(b'{"topic":"follower-counts","value":}')
    for more, is_dealt in ((0, True), (1, False)):
        path.write_bytes(
            written().replace(b',"followers"', b" " * (MOST_BYTES - size + more) + b',"followers"')
        )
        (block,) = read_blocks([path])
        assert isinstance(block, Block) is is_dealt


@pytest.mark.parametrize("partitions", [1, 3])
def test_lines_that_are_read_one_by_one_decide_the_same(tmp_path, monkeypatch, partitions):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(
        b"\n".join(
            written("weibo", f"acc-{place % 7}", 86_400_000 * place + (7 if place % 5 else -90_000_000))
            .replace(b'"followers":5', b'"followers":%d' % (400_000 + 90_000 * (place % 11)))
            for place in range(1, 300)
        )
    )  # fmt: skip
    book = load_book(shipped_book_dir())
    replay([path], book, partitions=partitions, out=tmp_path / "many")
    monkeypatch.setattr(files, "deal", lambda *_: None)
    replay([path], book, partitions=partitions, out=tmp_path / "one")
    for file in sorted((tmp_path / "many").iterdir()):
        assert file.read_bytes() == (tmp_path / "one" / file.name).read_bytes()
    assert (tmp_path / "many" / "journal.jsonl").stat().st_size > 10_000
