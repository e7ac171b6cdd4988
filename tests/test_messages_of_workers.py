"""Why a worker stops, word for word as its operator reads it: `tests/messages/worker-stops.txt`."""

import asyncio
from collections.abc import Callable
from typing import Any

import golden
import pytest
from msgspec.structs import replace as evolve

from schemas.errors import StreamsError
from schemas.journal import (
    Cursor,
    EntryContent,
    HeadPointer,
    Run,
    decode_content,
    encode_content,
    encode_entry,
    read_envelope,
)
from schemas.topics import INPUTS, OUTPUTS
from streams.ledger import inputs, stops, takeover
from streams.ledger.chain import GENESIS, Head
from streams.ledger.effects import InputExpected, InputFound
from streams.ledger.known import Assignment, unknown
from streams.ledger.owed import Owed
from streams.live.books import Books
from streams.live.journal import accepted_entries, only
from streams.live.topic_specs import Found, compare, wanted

CONTENT = evolve(takeover.genesis(1, INPUTS, OUTPUTS, "clock"))
HALF = evolve(CONTENT, more=True, after=Cursor("follower-counts", 20, ""))
RUN = Run("follower-counts", 10, 20, "d" * 64)
EXPECTED = InputExpected("follower-counts", "id-1", 20, RUN)


def found(**other: Any) -> InputFound:
    seen = {"topic": "follower-counts", "topic_id": "id-1", "log_start": 0, "log_end": 30, "digest": "d" * 64}
    return InputFound(**seen | other)


STOPS = [
    stops.journal_went_back(3, 9),
    stops.journal_cut(0, 500),
    stops.head_missing(HeadPointer("1" * 64, 9), 5),
    stops.head_not_accepted(Head(3, 1, "1" * 64, 9), Head(2, 1, "2" * 64, 8)),
    stops.output_ahead("restrictions", 7, 5),
    stops.root_differs("1" * 64, "2" * 64, 4),
    inputs.check_input(EXPECTED, found(topic_id="id-2")),
    inputs.check_input(EXPECTED, found(log_end=15)),
    inputs.check_input(EXPECTED, found(digest="e" * 64)),
    inputs.lost_run(EXPECTED, found(log_start=25), CONTENT, {}),
    inputs.lost_run(EXPECTED, found(log_start=25), HALF, {}),
]


def refused(act: Callable[[], object]) -> StreamsError:
    with pytest.raises(StreamsError) as caught:
        act()
    return caught.value


OWED = Owed()
UNREADABLE = [
    lambda: HeadPointer.decode(b"no pointer"),
    lambda: decode_content(b"{}"),
    lambda: unknown(Assignment(0, "w1", lambda _: None))._content(read_envelope(entry_of(CONTENT))),
    lambda: OWED.after(evolve(CONTENT, next_seq={"restrictions": 9}), {}, takeover=False),
    lambda: Books(None, lambda: None).find("b" * 64),
    lambda: only(9)(4),
    lambda: asyncio.run(anext(accepted_entries(None, 1, (5, 9), lambda _: None))),
    lambda: wanted("nameplate.", 0),
    lambda: wanted("name plate.", 1),
    lambda: compare(
        wanted("nameplate.", 3), {spec.name: Found(4, spec.config) for spec in wanted("nameplate.", 4)}
    ),
]


def entry_of(content: EntryContent) -> bytes:
    return encode_entry(0, 1, GENESIS.hash, "w1", encode_content(content))


def test_why_a_worker_stops_is_the_golden_text() -> None:
    said = [f"[{stop.code}] {stop.message}" for stop in STOPS]
    said += [f"[{error.code}] {error}" for error in map(refused, UNREADABLE)]
    golden.hold("worker-stops", "\n\n".join(said) + "\n")
