"""The same decisions offline: replay files in, output files out.

Theory of operation. Lines are dealt to partitions as Kafka would deal them. Where no file has a
clock line, the records' own instants move one T for all partitions; as every partition stops at each
of its due instants anyway, it is enough to bring a partition up to the common T before it takes a
record that is older. Where there are clock lines, only they move T.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from schemas import topics
from schemas.account import apply_rows
from schemas.errors import InputError, OperatorError
from schemas.instant import of_option
from schemas.partitioner import partition_of
from schemas.policy import PolicyBook
from schemas.records import Raw, Records
from schemas.wire import canonical, decode
from streams.core.decider import BEFORE_TIME, Time
from streams.core.fold import Fold, Work
from streams.journaling import Chain, draft_of
from streams.replay.files import Block, Line, Opened, rare_topics, read_blocks
from streams.replay.shares import Share

WRITER = "replay"
RUN_RECORDS = 4096
"""How many records of one topic go to a partition at once: enough that the work per run does not
count, few enough that they fit in the processor's cache."""

OUT_TOPICS = (*topics.OUTPUTS, topics.JOURNAL, topics.STATUS, topics.DEAD_LETTERS)


class Outputs:
    """One JSON Lines file for each topic that leaves.

    Args:
        directory: Where to write; None to count only.

    Raises:
        OperatorError: it cannot be written.
    """

    def __init__(self, directory: Path | None) -> None:
        self.counts = dict.fromkeys(OUT_TOPICS, 0)
        self.step = 0
        """Which line the replay is at, the end included; at one line the partitions come one after the other."""
        self._held: list[tuple[int, int, str, bytes]] | None = None
        self._files: dict[str, BinaryIO] = {}
        if directory is not None:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                self._files = {topic: (directory / f"{topic}.jsonl").open("wb") for topic in OUT_TOPICS}
            except OSError as error:
                raise OperatorError(
                    f"{directory}: nothing can be written there ({error.strerror}). Name another directory, as in "
                    "`nameplate replay FILE --out DIR`."
                ) from None

    def write(self, partition: int, topic: str, line: bytes) -> None:
        """Take one line of a partition for the file of a topic."""
        if self._held is None:
            self.put(self.step, partition, topic, line)
        else:
            self._held.append((self.step, partition, topic, line))

    def put(self, step: int, partition: int, topic: str, line: bytes) -> None:  # noqa: ARG002 - for others
        """Append one line to the file of a topic; they come in the order of steps, and in a step of partitions."""
        self.counts[topic] += 1
        if self._files:
            self._files[topic].write(line + b"\n")

    def hold(self) -> None:
        """Keep what is written until `release`: it does not come in order."""
        self._held = []

    def release(self) -> None:
        """Put what was kept, in order."""
        held, self._held = self._held or [], None
        for item in sorted(held, key=itemgetter(0, 1)):
            self.put(*item)

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


class Partition:
    """One partition of a replay: its rows, its fold, its chain, and the run that is being gathered."""

    def __init__(self, number: int, time: Time, outputs: Outputs) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.fold = Fold(number, self.rows, time, each_wake=True)
        self.T = self.fold.T
        """Where T was when the last run ended; what was passed since may have moved it."""
        self._chain = Chain(number, WRITER)
        self._outputs = outputs
        self._topic = ""
        self._run = Records.of(())
        """What was gathered, but for the counts at its beginning that the fold has passed already."""
        self._gathered = self._end = 0
        self._next = dict.fromkeys(topics.INPUTS, 0)

    def next_offset(self, topic: str) -> int:
        """Return the offset of the next line of a topic that names none."""
        return self._next[topic]

    def take(self, topic: str, records: Records, places: Sequence[int] = (), first: int = 0) -> None:
        """Gather records; runs are taken when the topic changes, or when they are long enough.

        Where a run ends stands in the journal, so it must not depend on how many come at once.

        Args:
            topic: Their topic.
            records: The records.
            places: Of each how many steps after the first it came, where they are many.
            first: The step of the first: that of whatever is written because it came.
        """
        if places:
            self._outputs.step = first + places[0]
        if topic != self._topic:
            self.flush()
        self._topic = topic
        self._next[topic] = records.offsets[-1] + 1
        while self._gathered + len(records) > RUN_RECORDS:
            room = RUN_RECORDS - self._gathered
            self._gather(records[:room])
            records = records[room:]
            if places:
                places = places[room:]
                self._outputs.step = first + places[0]
            self.flush()
        self._gather(records)

    def _gather(self, records: Records) -> None:
        if not records:
            return
        self._gathered += len(records)
        self._end = records.offsets[-1] + 1
        if self._run:
            self._run.extend(records)
        else:
            passed = self.fold.pass_quiet(records) if self._topic == topics.COUNTS else 0
            self._run = records[passed:]

    def take_share(self, share: Share, first: int) -> None:
        """Gather counts that name no offsets; `first` is the step of the first of all partitions."""
        start = self._next[topics.COUNTS]
        self.take(topics.COUNTS, Records.plain(start, share.keys, share.values), share.places, first)

    def take_among(self, share: Share, first: int, T: int) -> None:
        """Gather counts while those of other partitions move a T that all have in common.

        Args:
            share: This partition's.
            first: The step of the first of all.
            T: The common time before the first of all.
        """
        done, reached = 0, self.T
        if share.latest_before is not None or share.at[0] < T:
            befores = share.latest_before or [T] * len(share.at)
            for place, (at, before) in enumerate(zip(share.at, befores, strict=True)):
                latest = max(T, before)
                if at >= latest or reached >= latest:
                    continue
                if place > done:  # it is decided at the T to which others have come
                    self.take_share(share.part(done, place), first)
                done = place
                if latest > self.T:
                    self._outputs.step = first + share.places[place]
                    self.advance(latest)
                reached = latest
        self.take_share(share.part(done, len(share.at)) if done else share, first)

    def flush(self) -> None:
        """Decide what was gathered."""
        if self._gathered:
            run, self._run, self._gathered = self._run, Records.of(()), 0
            self._journal(self.fold.take(self._topic, run, self._end))

    def advance(self, until: int) -> None:
        """Move T to an instant, deciding what is due on the way."""
        self.flush()
        self._journal(self.fold.finish(until))

    def close(self) -> None:
        """Journal what is left: the entry at the end."""
        self.flush()
        self._append(self.fold.last_cut())

    def _journal(self, works: Iterator[Work]) -> None:
        for work in works:
            self._append(work)
        self.T = self.fold.T

    def _append(self, work: Work) -> None:
        draft = draft_of(self.fold, work)
        self._outputs.write(self.fold.partition, topics.JOURNAL, self._chain.append(draft))
        apply_rows(self.rows, work.rows)
        for topic, records in work.publish.items():
            for record_key, value, _ in records:
                if value is None:
                    value = canonical({"key": (record_key or b"").decode(), "value": None})  # noqa: PLW2901
                self._outputs.write(self.fold.partition, topic, value)
        self.fold.settled()


class Replay:
    """A replay of files into output files.

    Args:
        time: What moves T.
        partitions: How many.
        book: The book that is adopted before the first line; None where the files hold the books.
        outputs: Where the outputs go.
        own: Which of the partitions are decided here; None for all. The others' lines move the common T only.
    """

    def __init__(
        self,
        time: Time,
        partitions: int,
        book: PolicyBook | None,
        outputs: Outputs,
        own: Iterable[int] | None = None,
    ) -> None:
        self.T = BEFORE_TIME
        self.time = time
        self.records = 0
        self.count = partitions
        numbers = range(partitions) if own is None else own
        self.partitions = [Partition(number, time, outputs) for number in numbers]
        self._own = {partition.fold.partition: partition for partition in self.partitions}
        self._outputs = outputs
        self._shares_time = time == "records" and partitions > 1
        self._platforms: Collection[str] = ()
        if book is not None:
            self._publish(canonical({"book": book.tables, "hash": book.hash}))

    def take_any(self, block: Line | Block) -> None:
        """Take a line, or many counts at once.

        Raises:
            OperatorError: as `take`.
        """
        if isinstance(block, Block):
            self.take_block(block)
        else:
            self.take(block)

    def take(self, line: Line) -> None:
        """Take one line.

        Raises:
            OperatorError: it names a partition or an offset that cannot be.
        """
        self.records += 1
        self._outputs.step += 1
        if line.topic == topics.BOOKS:
            self._publish(line.value)
        elif line.topic == topics.CLOCK:
            for partition in self.partitions if line.partition is None else self._chosen(line):
                partition.flush()
                partition.take(topics.CLOCK, self._record(line, partition))
        else:
            chosen = self._chosen(line)
            if self._shares_time:
                self._share_time(chosen, line)
            for partition in chosen:
                partition.take(line.topic, self._record(line, partition))

    def take_block(self, block: Block) -> None:
        """Take many counts at once.

        Args:
            block: Dealt to as many partitions as there are; the shares of our own are enough.

        Raises:
            OperatorError: as `take`.
        """
        dealt = block.dealt
        if self._shares_time and not all(platform in self._platforms for platform in dealt.platforms):
            for line in block.lines():  # of an unknown platform: it has no instant that moves T
                self.take(line)
            return
        self.records += dealt.lines
        first = self._outputs.step + 1
        if self.count == 1:
            self.partitions[0].take_share(dealt.shares[0], first)
        else:
            self._outputs.hold()
            for partition in self.partitions:
                self._take_share(partition, dealt.shares.get(partition.fold.partition), first)
            self._outputs.release()
        self._outputs.step = first + dealt.lines - 1
        self.T = max(self.T, dealt.latest)

    def _take_share(self, partition: Partition, share: Share | None, first: int) -> None:
        if share is None:
            return
        if self._shares_time:
            partition.take_among(share, first, self.T)
        else:
            partition.take_share(share, first)

    def finish(self, until: int | None) -> None:
        """Bring all partitions to the common T, and to `until`; then journal what is left."""
        self._flush()
        ends = [partition.T for partition in self.partitions]
        if self.time == "records":
            ends = [max(self.T, *ends) if self._shares_time else ends[0]] * len(ends)
        self.finish_at([max(end, until) if until is not None else end for end in ends])

    def finish_at(self, ends: Sequence[int]) -> None:
        """Bring each partition to its own last T, then journal what is left."""
        self._flush()
        self._outputs.step += 1
        for partition, end in zip(self.partitions, ends, strict=True):
            partition.advance(end)
            partition.close()

    def _flush(self) -> None:
        self._outputs.step += 1
        for partition in self.partitions:
            partition.flush()

    def _publish(self, value: bytes | None) -> None:
        for partition in self.partitions:
            if self.time == "records" and self.T > partition.T:
                partition.advance(self.T)
            partition.flush()
            record = Raw(partition.next_offset(topics.BOOKS), None, value)
            partition.take(topics.BOOKS, Records.of([record]))
            partition.flush()
        book = self.partitions[0].fold.book
        self._platforms = book.policies if book is not None else ()

    def _share_time(self, chosen: Iterable[Partition], line: Line) -> None:
        """Bring a partition up to the T that the records of the others have moved."""
        try:
            at = decode(line.topic, line.key, line.value, self._platforms).at
        except InputError:
            at = None  # it has no instant, but its dead letter names T
        if at is not None and at >= self.T:
            self.T = at
            return
        for partition in chosen:
            if partition.T < self.T:
                partition.advance(self.T)

    def _chosen(self, line: Line) -> Sequence[Partition]:
        """Return the partition that a line goes to, nothing where it is not ours."""
        number = line.partition
        if number is None:
            dealt = self.count > 1 and line.key is not None
            number = partition_of(line.key, self.count) if dealt and line.key is not None else 0
        if number >= self.count:
            raise OperatorError(
                f"{line.file}, line {line.number}: names partition {number}, and the replay has "
                f"{self.count}, counted from 0. Give it enough, as in "
                f"`nameplate replay {line.file} --partitions {number + 1}`."
            )
        return (self._own[number],) if number in self._own else ()

    def _record(self, line: Line, partition: Partition) -> Records:
        offset = partition.next_offset(line.topic)
        if line.offset is not None:
            if line.offset < offset:
                raise OperatorError(
                    f"{line.file}, line {line.number}: offset {line.offset} of {line.topic} in partition "
                    f"{partition.fold.partition} comes after offset {offset - 1}. Put the lines in the order of their "
                    "offsets or leave the offsets out, then run the command again."
                )
            offset = line.offset
        return Records.of([Raw(offset, line.key, line.value, line.timestamp, line.timestamp_type)])


def replay(
    files: Sequence[Path],
    book: PolicyBook | None,
    *,
    until: int | None = None,
    partitions: int = 1,
    out: Path | None = None,
    rare: set[str] | None = None,
    opened: Opened = lambda _: None,
) -> dict[str, int]:
    """Replay files and return how many records each output file got.

    Args:
        files: JSON Lines, plain or `.gz`, one after the other.
        book: Adopted before the first line; None where policy-book lines are to be the only ones.
        until: Where T goes at the end, in µs; None: where the records leave it.
        partitions: How many.
        out: Directory of the output files; None to write none.
        rare: What `rare_topics` says of the files, where it is known.
        opened: Told of each file when it is opened.

    Raises:
        OperatorError: a file or a line is not of the form of replay files.
    """
    time: Time = "clock" if topics.CLOCK in (rare_topics(files) if rare is None else rare) else "records"
    outputs = Outputs(out)
    try:
        run = Replay(time, partitions, book, outputs)
        for block in read_blocks(files, opened, partitions, range(partitions)):
            if run.records == 0 and time == "clock":
                check_first(block)
            run.take_any(block)
        run.finish(until)
    finally:
        outputs.close()
    return outputs.counts


def check_first(block: Line | Block) -> None:
    """Refuse a first line that is no clock line, where there are any."""
    if isinstance(block, Block):
        block = next(block.lines())
    if block.topic != topics.CLOCK:
        raise OperatorError(
            f"{block.file}, line {block.number}: where a file holds clock lines the first line must be one, "
            "because nothing else moves the time. Put a clock line before it, then run the command again."
        )


def parse_until(said: str | None) -> int | None:
    """Return the instant of `--until`; `OperatorError` where it is none."""
    return of_option("--until", said)
