"""Which records a partition takes next: in wall time as they arrive, in records time merged by instant.

Both hold what has arrived and is not taken yet. Neither decides anything; each says what may go on.
"""

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from schemas import topics
from schemas.errors import InputError
from schemas.instant import DAY, FOREVER
from schemas.records import Raw, Records
from schemas.wire import decode
from streams.core.decider import BEFORE_TIME
from streams.core.fold import Fold

HOLD_RECORDS = 200_000
"""With more than this waiting a topic is held back in the fetch buffer."""
HOLD_BYTES = 64 << 20
"""The same for the bytes of their values, of which 200,000 usual ones have half as many."""


class Piece(NamedTuple):
    """Consecutive records of one topic that may be taken now."""

    topic: str
    records: Records
    end: int


class AskEnds(NamedTuple):
    """A tick that would decide something waits until every input is read up to its end as it is now (rule 21)."""

    tick: int


class Waiting:
    """How many records of each topic wait, and the bytes of their values."""

    def __init__(self) -> None:
        self._records: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def add(self, topic: str, records: Records, sign: int = 1) -> None:
        """Count records that wait from now on; with -1 those that wait no more."""
        self._records[topic] += sign * len(records)
        self._bytes[topic] += sign * records.size

    def is_full(self, topic: str) -> bool:
        """Return whether a topic is to be held back."""
        return self._records[topic] > HOLD_RECORDS or self.overflows(topic)

    def overflows(self, topic: str) -> bool:
        """Return whether no more of a topic may come in at all."""
        return self._bytes[topic] > HOLD_BYTES


class Clocked(Waiting):
    """Wall time: records as they arrive, but no tick overtakes what was there before it."""

    def __init__(self, fold: Fold) -> None:
        super().__init__()
        self._fold = fold
        self._arrived: deque[Piece] = deque()
        self._ends: dict[str, int] = {}
        self._asked_for = -1

    def offer(self, piece: Piece) -> None:
        """Take in a run that arrived."""
        self._arrived.append(piece)
        self.add(piece.topic, piece.records)

    def ends_are(self, tick: int, ends: dict[str, int]) -> None:
        """Hear the ends of the inputs, asked after a tick was fetched."""
        self._asked_for, self._ends = tick, ends

    def next(self) -> Piece | AskEnds | None:
        """Return what to take now, what to ask, or None: something has to arrive first."""
        chosen = self._next()
        if isinstance(chosen, Piece):
            self.add(chosen.topic, chosen.records, -1)
        return chosen

    def _next(self) -> Piece | AskEnds | None:
        fold = self._fold
        blocked: set[str] = set()
        for place, piece in enumerate(self._arrived):
            if piece.topic in blocked or not self._may_come(piece.topic):
                blocked.add(piece.topic)
                continue
            if piece.topic != topics.CLOCK:
                del self._arrived[place]
                return piece
            if fold.unfinished is not None:
                return self._first(place)  # and no more: the ticks after it may fire, too
            quiet = _quiet_ticks(fold, piece.records)
            if quiet == len(piece.records):
                del self._arrived[place]
                return piece
            tick = piece.records[quiet]
            if quiet:
                return self._split(place, quiet, tick.offset)
            if self._asked_for != tick.offset:
                return AskEnds(tick.offset)
            if all(fold.positions[topic] >= end for topic, end in self._ends.items()):
                return self._first(place)
            blocked.add(piece.topic)
        return None

    def _may_come(self, topic: str) -> bool:
        fold = self._fold
        if fold.unfinished is not None:
            return topic == fold.unfinished.topic
        if topic in (topics.COUNTS, topics.FACTS):
            return fold.book is not None and fold.T != BEFORE_TIME
        return True

    def _first(self, place: int) -> Piece:
        records = self._arrived[place].records
        return self._split(place, 1, records[1].offset if len(records) > 1 else self._arrived[place].end)

    def _split(self, place: int, count: int, at: int) -> Piece:
        piece = self._arrived[place]
        self._arrived[place] = Piece(piece.topic, piece.records[count:], piece.end)
        if at == piece.end:
            del self._arrived[place]
        return Piece(piece.topic, piece.records[:count], at)


def _quiet_ticks(fold: Fold, ticks: Records) -> int:
    """Return how many ticks may be taken without a look at the other inputs.

    Before any time nothing else can be taken, so there is no row for which anything could be due: a tick that
    waited for the others would wait for ever.
    """
    if fold.T == BEFORE_TIME:
        return min(1, len(ticks))
    for index, tick in enumerate(ticks):
        if fold.would_fire(tick):
            return index
    return len(ticks)


_ORDER = (topics.BOOKS, topics.FACTS, topics.COUNTS)
"""At one instant the earlier one comes first (contract, section 6)."""


class Pace:
    """Lets a history pass no faster than one can watch: it says when a record is taken, never what comes of it.

    Args:
        days_a_second: Days of the history per second; None for no bound.
        clock: Seconds from any origin.
    """

    LOOK_S = 0.05
    """How often one who is held back looks again: twenty times a second looks steady."""

    def __init__(self, days_a_second: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_bounded = days_a_second is not None
        self._per_second = (days_a_second or 0.0) * DAY
        self._clock = clock
        self._began: tuple[float, int] | None = None

    def limit(self, following: int) -> int:
        """Return the instant up to which records may be taken now; the earliest one asked for begins it.

        Args:
            following: The instant of the record that would be taken next.
        """
        if not self.is_bounded or following == BEFORE_TIME:
            return FOREVER
        now = self._clock()
        if self._began is None or following < self._began[1]:
            self._began = now, following
        seconds, instant = self._began
        return instant + int((now - seconds) * self._per_second)


class Merged(Waiting):
    """Records time: complete histories, merged by the records' own instants up to the ends seen at the start."""

    def __init__(self, fold: Fold, ends: dict[str, int], pace: Pace) -> None:
        super().__init__()
        self._fold = fold
        self._pace = pace
        self._ends = {topic: max(ends[topic], fold.positions[topic]) for topic in _ORDER}
        self._waiting: dict[str, deque[tuple[Raw, int]]] = {topic: deque() for topic in _ORDER}
        self._read_to = {topic: fold.positions[topic] for topic in _ORDER}
        self._last = dict.fromkeys(_ORDER, BEFORE_TIME)

    def offer(self, piece: Piece) -> None:
        """Take in a run that arrived; what lies beyond the end seen at the start is left alone."""
        topic = piece.topic
        if topic not in self._waiting:
            return
        end = min(piece.end, self._ends[topic])
        records = [record for record in piece.records if record.offset < end]
        following = [*(record.offset for record in records[1:]), end]
        self._waiting[topic].extend(zip(records, following, strict=True) if records else ())
        self._read_to[topic] = max(self._read_to[topic], end)
        self.add(topic, Records.of(records))

    @property
    def at_end(self) -> bool:
        """Whether everything up to the ends was taken."""
        return all(self._read_to[topic] >= self._ends[topic] for topic in _ORDER) and not any(
            self._waiting.values()
        )

    def next(self) -> Piece | None:
        """Return the longest piece of one topic that comes before the others.

        None while a topic's next record is not there yet, or is not to be taken yet.
        """
        unfinished = self._fold.unfinished
        if unfinished is not None and unfinished.topic is not None:
            return self._take(unfinished.topic, None) if self._waiting[unfinished.topic] else None
        for topic in _ORDER:
            if not self._waiting[topic] and self._read_to[topic] < self._ends[topic]:
                return None
        heads = sorted(
            (self._instant(topic, self._waiting[topic][0][0]), place, topic)
            for place, topic in enumerate(_ORDER)
            if self._waiting[topic]
        )
        if not heads:
            return None
        limit = self._pace.limit(heads[0][0])
        if heads[0][0] > limit:
            return None
        before = heads[1][:2] if len(heads) > 1 else (FOREVER, 0)
        return self._take(heads[0][2], min(before, (limit + 1, 0)))

    def _take(self, topic: str, before: tuple[int, int] | None) -> Piece:
        """Take records of a topic while they come before a place; with None one record."""
        waiting, place = self._waiting[topic], _ORDER.index(topic)
        records: list[Raw] = []
        end = 0
        while waiting:
            at = self._instant(topic, waiting[0][0])
            if records and (before is None or (at, place) >= before):
                break
            self._last[topic] = at
            record, end = waiting.popleft()
            records.append(record)
            if topic == topics.BOOKS:
                break  # who can be read after it, the book says
        piece = Piece(topic, Records.of(records), end)
        self.add(topic, piece.records, -1)
        return piece

    def _instant(self, topic: str, record: Raw) -> int:
        """Return a record's own instant; one that cannot be read keeps its place behind the one before it."""
        book = self._fold.book
        if topic == topics.BOOKS or book is None:
            return self._last[topic]
        try:
            at: int = decode(topic, record.key, record.value, book.policies).at  # type: ignore[assignment]
        except InputError:
            return self._last[topic]
        return at
