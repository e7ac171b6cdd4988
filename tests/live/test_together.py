"""What has gathered while an append was under way goes into one entry: who is slow must not fall back for ever."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from stories import count, displayed, lines_of, write_book

from schemas import topics
from schemas.records import Raw, Records
from schemas.wire import canonical
from streams.core.fold import Fold
from streams.live.intake import Clocked, Pace, Piece
from streams.live.owner import TOGETHER, Owner
from streams.policies.load import load_book

AT = "2026-05-01T00:00:00Z"
MS = 1_777_593_600_000
PIECES = 60


class Counting(Owner):
    """An owner whose entries need no broker: they are counted, and their rows applied."""

    def __init__(self) -> None:
        ports = SimpleNamespace(release=lambda *_: None, counts=None, turn=asyncio.Lock(), has_to_send=False)
        how = {"time": "clock", "writer": "w", "until": None, "pace": Pace(None), "lost_allowed": {}}
        super().__init__(0, ports, **how)
        self.view, self.entries = {}, []
        self._fold = Fold(0, self.view, "clock")
        self._intake = Clocked(self._fold)
        self.next_offsets = dict.fromkeys(topics.INPUTS, 0)

    async def _journal(self, work):
        if work is not None:
            self.entries.append(work)
            for key, row in work.rows:
                self.view.pop(key, None) if row is None else self.view.update({key: row})
            self._fold.settled()

    def arrive(self, topic, *records):
        """Let records arrive as a piece of their own."""
        start = self.next_offsets[topic]
        self.next_offsets[topic] = end = start + len(records)
        raw = [Raw(start + n, key, value, MS, 1) for n, (key, value) in enumerate(records)]
        self._intake.offer(Piece(topic, Records.of(raw), end))

    async def take_all(self):
        while isinstance(chosen := self._choose(), Piece):
            await self._take(chosen)


def crossing(number):
    (line,) = lines_of([count(f"acc-{number:03}", 2_000_000, AT, f"e{number}")])
    return line.key, line.value


@pytest.fixture
async def owner(tmp_path):
    it = Counting()
    book = load_book(write_book(tmp_path / "book"))
    it.arrive(topics.BOOKS, (None, canonical({"book": book.tables, "hash": book.hash})))
    it.arrive(topics.CLOCK, (None, canonical({"at": AT})))
    await it.take_all()
    await it._journal(it._fold.cut())
    it.entries.clear()
    return it


def decided(owner):
    return [json.loads(decision) for work in owner.entries for decision in work.decisions]


async def test_small_pieces_that_wait_share_an_entry(owner):
    for number in range(PIECES):
        owner.arrive(topics.COUNTS, crossing(number))
        (line,) = lines_of([displayed(f"acc-{number:03}", AT, event=f"f{number}")])
        owner.arrive(topics.FACTS, (line.key, line.value))
    await owner.take_all()
    assert len(owner.entries) == 1
    runs = owner.entries[0].runs
    assert [run.topic for run in runs] == [topics.COUNTS, topics.FACTS] * PIECES  # in the order of arrival
    kinds = [output["type"] for one in decided(owner) for output in one["outputs"]]
    assert kinds == ["disclosure-required", "grace-started", "grace-ended", "disclosure-met"] * PIECES


async def test_a_book_that_waits_begins_an_entry_and_ends_it(owner, tmp_path):
    other = load_book(write_book(tmp_path / "other", version="2026-01-01.2", threshold=1_500_000))
    owner.arrive(topics.COUNTS, crossing(1))
    owner.arrive(topics.BOOKS, (None, canonical({"book": other.tables, "hash": other.hash})))
    owner.arrive(topics.COUNTS, crossing(2))
    owner.arrive(topics.COUNTS, crossing(3))
    await owner.take_all()
    topics_of = [[run.topic for run in work.runs] for work in owner.entries]
    assert topics_of == [[topics.COUNTS], [topics.BOOKS], [topics.COUNTS, topics.COUNTS]]
    assert [work.book for work in owner.entries] == [owner.entries[0].book, other.hash, other.hash]


async def test_others_have_their_turn_after_many_records(owner):
    quiet = [(key, value.replace(b"2000000", b"1000")) for key, value in map(crossing, range(100))]
    owner.arrive(topics.COUNTS, crossing(1))
    for _ in range(TOGETHER // 100 + 10):
        owner.arrive(topics.COUNTS, *quiet)
    await owner._take(owner._choose())
    assert len(owner.entries) == 1
    assert owner._intake.next() is not None
