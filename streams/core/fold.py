"""Records in, decisions out, for one partition: the step that live, replay and verify share.

Theory of operation. A shell gives runs of raw records of one topic to `take`, which yields a `Work`
whenever something has to be journaled before it may go on: an entry is full, or (in a replay) a
record woke. What is left is taken with `cut`. The shell journals a Work, writes its rows into the
view from which this fold reads, and says `settled`; until then the fold keeps the changed rows by
itself. Nothing here depends on how a stream was cut into runs.

Laws of this file:
- What is due at or before T is decided before the next record is.
- A record that wakes nobody leaves no trace but its place in a run.
- Of a record whose decisions do not fit one entry nothing is passed until the last of them (rule 10).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import Raw

from schemas import topics
from schemas.digest import digest_of
from schemas.errors import InputError, InvariantBroken
from schemas.inputs import PolicyBookPublished
from schemas.instant import DAY, FOREVER
from schemas.journal import Cursor, Run
from schemas.outputs import time_text
from schemas.policy import PolicyBook, book_from_tables
from schemas.reasons import reason
from schemas.records import Records
from schemas.wire import canonical, dead_letter, decode, in_order
from streams.core.decider import BEFORE_TIME, Decider, Time, View
from streams.core.quiet import pass_quiet
from streams.core.sealing import Published

FULL_BYTES = 256 * 1024
"""An entry is cut once its decisions pass this. One decision can be as large as 145 KiB (a profile of
64 KiB of subjects stands in its cause and in its row), so an entry stays within its 512 KiB."""

LOG_APPEND_TIME = 1


class Work(NamedTuple):
    """What one step took and decided, to be journaled whole before anything of it is done."""

    runs: tuple[Run, ...]
    positions: dict[str, int]
    T: str | None
    book: str | None
    decisions: tuple[bytes, ...]
    next_seq: dict[str, int]
    state_root: str
    after: Cursor | None
    rows: tuple[tuple[bytes, bytes | None], ...]
    publish: dict[str, tuple[Published, ...]]
    book_bytes: int
    tally: "Tally"


class Tally(NamedTuple):
    """What is counted of a Work."""

    taken: int
    """Counts that decided something."""
    said: tuple[str, ...]
    """The types of what was said; a word in place of it for a decision that says nothing."""
    dead: tuple[tuple[str, str], ...]
    """(topic, code) of the dead letters."""


class Fold:
    """One partition: what is decided of the records that come, in entries.

    Args:
        partition: Its number.
        view: The rows as the shell keeps them.
        time: What moves T: ticks, or the records' own instants.
        each_wake: Cut after every record that woke (a replay) instead of when an entry is full.
    """

    def __init__(self, partition: int, view: View, time: Time, *, each_wake: bool = False) -> None:
        self.partition = partition
        self.time = time
        self.positions = dict.fromkeys(topics.INPUTS, 0)
        self.decider = Decider(partition, view, time)
        self._each_wake = each_wake
        self._unfinished: Cursor | None = None
        self._runs: list[Run] = []
        self._passed = Records.of((), with_time=False)
        """What the next run begins with."""
        self._book_bytes = 0

    # Where it stands -----------------------------------------------------------------------------

    def restore(
        self,
        *,
        T: int | None,
        positions: dict[str, int],
        next_seq: dict[str, int],
        root: int,
        next_entry: int,
        after: Cursor | None,
    ) -> None:
        """Stand where the last accepted entry left the partition, with the view as its rows; its book is for `using`.

        Args:
            T: The time of the partition in µs, None before any.
            positions: The next offset of each input topic.
            next_seq: The next sequence number of each output topic.
            root: The state root of the view.
            next_entry: The number of the entry that will be written next.
            after: How far an unfinished record came; it has to be taken next.
        """
        decider = self.decider
        decider.T = BEFORE_TIME if T is None else T
        decider.sealer.next_seq = {**decider.sealer.next_seq, **next_seq}
        decider.root = root
        self.positions = {**self.positions, **positions}
        decider.entry = next_entry
        self._unfinished = after

    def using(self, book: PolicyBook, after: Cursor | None) -> Iterator[None]:
        """Take the adopted book into use row by row, after a `restore`; nothing comes before its end."""
        return self.decider.using(book, after)

    @property
    def T(self) -> int:
        """The time of the partition, BEFORE_TIME before any."""
        return self.decider.T

    @property
    def next_entry(self) -> int:
        """The number of the entry that the next cut is journaled in."""
        return self.decider.entry

    @property
    def book(self) -> PolicyBook | None:
        """The adopted book."""
        return self.decider.book

    @property
    def unfinished(self) -> Cursor | None:
        """The record that has to be taken next, whatever else there is (rule 10)."""
        return self._unfinished

    @property
    def _is_before_time(self) -> bool:
        """Whether no tick has come yet: as before the first book, nothing is decided of counts and facts."""
        return self.time == "clock" and self.T == BEFORE_TIME

    @property
    def _adopted_upto(self) -> str | None:
        """The last key that was looked at where a book is adopted already, and unfinished; else None."""
        return self._unfinished.key if self._unfinished is not None and self._unfinished.due is None else None

    @property
    def has_decisions(self) -> bool:
        """Whether something was decided since the last cut."""
        return bool(self.decider.decisions)

    @property
    def has_work(self) -> bool:
        """Whether anything was taken since the last cut."""
        return bool(self._runs) or self.has_decisions

    def would_fire(self, tick: Any) -> bool:
        """Return whether a raw tick would decide something that is due (rule 21)."""
        return self.decider.agenda.next_at <= max(self.T, _time_of_tick(tick))

    # Runs ----------------------------------------------------------------------------------------

    def take(self, topic: str, records: Records, end: int) -> Iterator[Work]:
        """Take consecutive raw records of one topic, and yield what must be journaled before going on.

        Args:
            topic: Its short name.
            records: From the position of the topic on.
            end: The next offset after them; offsets that hold no record may lie between.

        Raises:
            InvariantBroken: the records do not start at the position, or another one is unfinished.
        """
        if records and records[0].offset < self.positions[topic]:
            raise InvariantBroken(f"records of {topic} from before its position {self.positions[topic]}")
        self._refuse_another(topic, records)
        if topic == topics.BOOKS and self.has_decisions:
            yield self._cut(None)  # an entry's decisions are under one book
        first = index = 0
        while (index := self._next_awake(topic, records, index)) < len(records):
            for cursor in self._decide_record(topic, records, index):
                if self.decider.bytes > FULL_BYTES:
                    self._close_run(topic, records[first:index], records[index].offset)
                    first = index
                    yield self._cut(cursor)
            self._unfinished = None
            index += 1
            woke = self._each_wake and self.has_decisions
            if woke or self.decider.bytes > FULL_BYTES or self._book_bytes:
                self._close_run(
                    topic, records[first:index], end if index == len(records) else records[index].offset
                )
                first = index
                yield self._cut(None)
        self._close_run(topic, records[first:] if first else records, end)

    def pass_quiet(self, counts: Records) -> int:
        """Pass counts up to the first that may decide something, and return how many; the next run begins with them.

        What follows is taken as always, be it nothing. Whoever has many partitions need not keep what the counts
        say until a run is full.
        """
        end = self._next_awake(topics.COUNTS, counts, 0)
        self._passed.extend(counts[:end])
        return end

    def _refuse_another(self, topic: str, records: Records) -> None:
        """Until an unfinished record is finished no other one is taken (rule 10)."""
        unfinished = self._unfinished
        if unfinished is None:
            return
        if unfinished.topic != topic or not records or records[0].offset != unfinished.offset:
            raise InvariantBroken(
                f"the record at {unfinished.topic} {unfinished.offset} is unfinished, and {topic} is taken"
            )

    def finish(self, until: int) -> Iterator[Work]:
        """Move T to an instant without a record, deciding what is due on the way: the end of a history."""
        for cursor in self.decider.advance(until, None, None):
            if self.decider.bytes > FULL_BYTES:
                yield self._cut(cursor)
        self._unfinished = None

    def cut(self) -> Work | None:
        """Take what was taken and decided since the last cut, None where there is nothing."""
        return self._cut(None) if self.has_work else None

    def last_cut(self) -> Work:
        """Take what is left, be it nothing: the entry at the end of a history."""
        return self._cut(None)

    def settled(self) -> None:
        """Hear that the last Work is journaled and its rows are in the view."""
        self.decider.settled()

    def _close_run(self, topic: str, records: Records, end: int) -> None:
        start = self.positions[topic]
        if self._passed:
            passed, self._passed = self._passed, Records.of((), with_time=False)
            passed.extend(records)
            records = passed
        if end > start:
            self._runs.append(Run(topic, start, end, digest_of(records, with_time=topic == topics.CLOCK)))
            self.positions[topic] = end

    def _cut(self, after: Cursor | None) -> Work:
        decider = self.decider
        publish = {topic: tuple(records) for topic, records in decider.publish.items()}
        work = Work(
            tuple(self._runs),
            dict(self.positions),
            time_text(None if decider.T == BEFORE_TIME else decider.T),
            decider.book.hash if decider.book is not None else None,
            tuple(decider.decisions),
            dict(decider.sealer.next_seq),
            f"{decider.root:064x}",
            after,
            tuple(decider.rows.items()),
            publish,
            self._book_bytes,
            Tally(decider.taken, tuple(decider.said), tuple(decider.dead)),
        )
        decider.entry += 1
        self._runs = []
        self._book_bytes = 0
        decider.begin()
        return work

    # The fast path -------------------------------------------------------------------------------

    def _next_awake(self, topic: str, records: Records, index: int) -> int:
        """Return the index of the next record that may decide something; what lies before it is quiet."""
        decider = self.decider
        if topic != topics.COUNTS or self._unfinished is not None:
            return index
        if decider.book is None or self._is_before_time:
            return len(records)
        if decider.is_due:
            return index
        by_clock = self.time == "clock"
        before = decider.T + DAY + 1 if by_clock else decider.agenda.next_at
        index, decider.T = pass_quiet(
            records.keys,
            records.values,
            index,
            decider.bands,
            decider.asleep,
            decider.T,
            before,
            not by_clock,
        )
        return index

    # One record ----------------------------------------------------------------------------------

    def _decide_record(self, topic: str, records: Records, index: int) -> Iterator[Cursor]:
        """Decide one record whole; yield after each of its decisions how far it came."""
        decider, offset = self.decider, records.offsets[index]
        if decider.is_due and self._adopted_upto is None:
            yield from decider.advance(decider.T, topic, offset)
        try:
            value = self._decode(topic, records.keys[index], records.values[index])
        except InputError as error:
            self._refuse(topic, records[index], error.code)
            return
        if topic == topics.BOOKS:
            yield from self._adopt(records[index], value)
        elif topic == topics.CLOCK:
            yield from decider.advance(_time_of_tick(records[index]), topic, offset)
        elif value is not None:
            if self.time == "records":
                yield from decider.advance(value.at, topic, offset)
            encoded = in_order(value.as_value()) if topic == topics.COUNTS else canonical(value.as_value())
            decider.decide(value.key, value, {"topic": topic, "offset": offset, "value": Raw(encoded)})
        # What a decision has planned for this very T (a deadline without least days) is due, too: an entry
        # leaves nothing undone. Taken up again after it, the record itself is a repetition and decides nothing.
        if decider.is_due:
            yield from decider.advance(decider.T, topic, offset)

    def _decode(self, topic: str, key: bytes | None, value: bytes | None) -> Any:
        """Return what a raw record says, None where nothing is decided of it yet."""
        if topic in (topics.CLOCK, topics.BOOKS):
            return decode(topic, key, value, ())
        if self.book is None or self._is_before_time:
            return None
        latest = FOREVER if self.time == "records" else self.T + DAY
        return decode(topic, key, value, self.book.policies, latest)

    def _refuse(self, topic: str, record: Any, code: str) -> None:
        """Journal a dead letter: never the payload."""
        at = None if self.T == BEFORE_TIME else self.T
        letter = dead_letter(topic, self.partition, record.offset, record.value, code=code, at=at)
        self.decider.publish.setdefault(topics.DEAD_LETTERS, []).append((None, canonical(letter), ()))
        self.decider.dead.append((topic, code))
        because = [reason("unreadable", dead_letter=code)]
        self.decider.note(None, {"topic": topic, "offset": record.offset}, because, dead=letter)

    def _adopt(self, record: Any, published: PolicyBookPublished) -> Iterator[Cursor]:
        """Decide by a new book: first that, then again for every row."""
        cause = {"topic": topics.BOOKS, "offset": record.offset, "book": published.hash}
        done = self._adopted_upto
        if done is None:
            if self.book is not None and self.book.hash == published.hash:
                return
            self.decider.adopt(book_from_tables(published.book), cause)
            # The book stands in the entry whole, and an entry may be larger by its one book.
            self._book_bytes = len(self.decider.decisions[-1])
            self.decider.bytes -= self._book_bytes
        yield from self.decider.look_again(cause, done)


def _time_of_tick(tick: Any) -> int:
    """Return the T that a raw tick asks for: the earlier of the two clocks; a file has only one.

    Source:
        Rule 20: a tick that the broker did not stamp moves nothing.
    """
    try:
        at: int = decode(topics.CLOCK, tick.key, tick.value, ()).at  # type: ignore[assignment]
    except InputError:
        return BEFORE_TIME
    if tick.timestamp < 0:
        return at
    return min(at, tick.timestamp * 1000) if tick.timestamp_type == LOG_APPEND_TIME else BEFORE_TIME
