"""Does a journal agree with the raw inputs? Digests first, then every record decided again, the quiet ones too.

Theory of operation. A journal names its inputs by topic, partition and offset, and in which order they
were taken. The lines of replay files are dealt to places as they were published, each run is digested,
and a fold takes the runs in the journal's order: what it decides must be what is journaled, and nothing
else. A replay's own journal is made again whole, since its partitions share one time.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from schemas import topics
from schemas.account import apply_rows
from schemas.digest import digest_of
from schemas.errors import OperatorError
from schemas.instant import parse
from schemas.journal import EntryContent, Run, read_envelope
from schemas.partitioner import partition_of
from schemas.policy import PolicyBook, book_from_tables
from schemas.records import Raw, Records
from schemas.wire import canonical
from streams.core.decider import BEFORE_TIME, Time
from streams.core.fold import Fold, Work
from streams.replay.files import Line, Opened, read_lines
from streams.replay.run import WRITER, Outputs, Replay
from streams.verify import Diverged, first_difference

GIVE_ALL = (
    "The journal agrees with itself. Give every file that was published, in its order, with --inputs; if these are "
    "all, look for who changed them, as `nameplate verify JOURNAL` alone holds."
)

Entry = tuple[bytes, EntryContent]
ByOffset = dict[str, dict[int, Raw]]
"""Per input topic the raw records of one partition, by offset."""


Watched = Callable[[Sequence[Any]], Iterable[Any]]
"""Gives work back item by item, and so knows how far it is."""


def check_inputs(
    entries: Sequence[Entry],
    files: Sequence[Path],
    *,
    opened: Opened = lambda _: None,
    watched: Watched = iter,
) -> dict[int, int]:
    """Hold a verified journal against the raw inputs.

    Args:
        entries: All its entries, of all partitions, each partition's in order.
        files: Replay files with everything that was published.
        opened: Told of each file when it is opened.
        watched: Given what is then decided again: the lines, or the entries of one partition after the other.

    Returns:
        How many input records were decided again, by partition.

    Raises:
        Diverged: a run is of other records, or they lead to other decisions.
    """
    partitions = 1 + max(content.partition for _, content in entries)
    envelope = read_envelope(entries[0][0])
    lines = list(read_lines(files, opened))
    if envelope is not None and envelope.writer == WRITER:
        return _check_replay(entries, lines, partitions, watched)
    checked = {}
    for partition in sorted({content.partition for _, content in entries}):
        contents = [content for _, content in entries if content.partition == partition]
        records = _dealt(lines, partition, partitions)
        if not records[topics.BOOKS]:
            records[topics.BOOKS] = _books_of(contents)
        checked[partition] = _check_partition(partition, contents, records, watched)
    return checked


# A replay's journal ----------------------------------------------------------------------------------


class _Journal(Outputs):
    """Keeps the journal of a replay instead of writing files: of each partition its entries.

    In which order those of different partitions stand in a file says nothing.
    """

    def __init__(self) -> None:
        super().__init__(None)
        self.entries: defaultdict[int, deque[bytes]] = defaultdict(deque)

    def put(self, step: int, partition: int, topic: str, line: bytes) -> None:  # noqa: ARG002 - in any order
        if topic == topics.JOURNAL:
            self.entries[partition].append(line)


def _check_replay(
    entries: Sequence[Entry], lines: list[Line], partitions: int, watched: Watched
) -> dict[int, int]:
    """Make a replay's journal again from its inputs, its first book and its last T."""
    time: Time = "records" if entries[0][1].time == "records" else "clock"
    again = _Journal()
    replay = Replay(time, partitions, _first_book(entries, lines), again)
    for line in watched(lines):
        replay.take(line)
    ends = {content.partition: content.T for _, content in entries}  # of each partition the last one
    replay.finish_at([_instant(ends.get(number)) for number in range(partitions)])
    for number, (raw, content) in enumerate(entries):
        left = again.entries[content.partition]
        made = left.popleft() if left else b"null"
        if made != raw:
            _raise_entry(content, f"line {number + 1} of the journal", made, raw)
    more = sum(map(len, again.entries.values()))
    if more:
        raise Diverged(
            f"The inputs lead to {len(entries) + more} entries, and the journal has {len(entries)}.\n{GIVE_ALL}"
        )
    return {
        one.fold.partition: sum(one.next_offset(topic) for topic in topics.INPUTS)
        for one in replay.partitions
    }


def _instant(said: str | None) -> int:
    return BEFORE_TIME if said is None else parse(said)


def _first_book(entries: Sequence[Entry], lines: Iterable[Line]) -> PolicyBook | None:
    """Return the book that the replay was given beside its files."""
    journaled = max(content.positions.get(topics.BOOKS, 0) for _, content in entries)
    if journaled <= sum(line.topic == topics.BOOKS for line in lines):
        return None
    for _, content in entries:
        for decision in content.decisions:
            if "tables" in decision["cause"]:
                return book_from_tables(decision["cause"]["tables"])
    return None


# A worker's journal ----------------------------------------------------------------------------------


def _dealt(lines: Iterable[Line], partition: int, partitions: int) -> ByOffset:
    """Return the records of one partition as they were published."""
    dealt: ByOffset = {topic: {} for topic in topics.INPUTS}
    next_offset = dict.fromkeys(topics.INPUTS, 0)
    for line in lines:
        where = line.partition
        if where is None and line.topic in (topics.COUNTS, topics.FACTS):
            where = partition_of(line.key, partitions) if line.key is not None else 0
        if where not in (None, partition) and line.topic != topics.BOOKS:
            continue
        offset = next_offset[line.topic] if line.offset is None else line.offset
        dealt[line.topic][offset] = Raw(offset, line.key, line.value, line.timestamp, line.timestamp_type)
        next_offset[line.topic] = offset + 1
    return dealt


def _books_of(contents: Iterable[EntryContent]) -> dict[int, Raw]:
    """Return the book records as `policy publish` writes them, from the books that the journal holds whole."""
    found = {}
    for content in contents:
        for decision in content.decisions:
            cause = decision["cause"]
            if "tables" in cause:
                value = canonical({"book": cause["tables"], "hash": cause["book"]})
                found[cause["offset"]] = Raw(cause["offset"], None, value)
    return found


def _check_partition(
    partition: int, contents: Sequence[EntryContent], records: ByOffset, watched: Watched
) -> int:
    missing = {run.topic for content in contents for run in content.runs if not records[run.topic]}
    if missing:
        raise OperatorError(
            f"The journal of partition {partition} was made from records of {', '.join(sorted(missing))} too, and no "
            "file holds any. Give every input topic's records, as in "
            "`nameplate verify JOURNAL --inputs FILE --inputs FILE`."
        )
    checker = _Checker(partition, "records" if contents[0].time == "records" else "clock", records)
    for number, content in enumerate(watched(contents)):
        checker.follow(number, content)
    return checker.records


class _Checker:
    """Takes the runs of one partition in the journal's order and compares what is decided."""

    def __init__(self, partition: int, time: Time, inputs: ByOffset) -> None:
        self.records = 0
        self._rows: dict[bytes, bytes] = {}
        self._fold = Fold(partition, self._rows, time)
        self._inputs = inputs
        self._partition = partition
        self._derived: list[bytes] = []
        self._journaled: list[bytes] = []

    def follow(self, number: int, content: EntryContent) -> None:
        """Take the runs of one entry; an unfinished record's decisions wait for its run, in a later entry."""
        self._fold.time = self._fold.decider.time = "records" if content.time == "records" else "clock"
        self._journaled += [canonical(decision) for decision in content.decisions]
        for run in content.runs:
            if run.digest is None:
                self._fold.positions[run.topic] = run.end  # an operator journaled it as lost
                continue
            taken = self._digested(number, run)
            for work in self._fold.take(run.topic, taken, run.end):
                self._settle(work)
        if content.more:
            return
        if self._fold.time == "records" and content.T is not None and parse(content.T) > self._fold.T:
            for work in self._fold.finish(parse(content.T)):
                self._settle(work)
        last = self._fold.cut()
        if last is not None:
            self._settle(last)
        self._compare(number, content)

    def _digested(self, number: int, run: Run) -> Records:
        by_offset = self._inputs[run.topic]
        taken = Records.of(by_offset[offset] for offset in range(run.start, run.end) if offset in by_offset)
        self.records += len(taken)
        digest = digest_of(taken, with_time=run.topic == topics.CLOCK)
        if digest != run.digest:
            raise Diverged(
                f"partition {self._partition}, entry {number}: the inputs {run.topic} from offset {run.start} to "
                f"{run.end - 1} are not those that were journaled.\n"
                f"  derived:   {digest}\n  journaled: {run.digest}\n{GIVE_ALL}"
            )
        return taken

    def _settle(self, work: Work) -> None:
        apply_rows(self._rows, work.rows)
        self._derived += work.decisions
        self._fold.settled()

    def _compare(self, number: int, content: EntryContent) -> None:
        for derived, journaled in zip(self._derived, self._journaled, strict=False):
            if derived != journaled:
                _raise_entry(content, f"a decision of entry {number}", derived, journaled)
        if len(self._derived) != len(self._journaled):
            raise Diverged(
                f"partition {self._partition}, entry {number}: the inputs lead to {len(self._derived)} decisions, "
                f"and {len(self._journaled)} are journaled.\n{GIVE_ALL}"
            )
        self._derived, self._journaled = [], []


def _raise_entry(content: EntryContent, what: str, derived: bytes, journaled: bytes) -> None:
    one, other = first_difference(derived, journaled)
    raise Diverged(
        f"partition {content.partition}: {what} differs from what the inputs lead to.\n"
        f"  derived:   {one}\n  journaled: {other}\n{GIVE_ALL}"
    )
