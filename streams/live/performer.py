"""Performs the effects that the ledger's machines name, one after the other, and tells them what came of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, ItemsView, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from schemas import topics
from schemas.digest import digest_of
from schemas.errors import AuditError, InvariantBroken, TransportError
from streams.core.decider import Time
from streams.ledger import effects, root
from streams.ledger.recovery import Recovery
from streams.ledger.step import Step
from streams.live.failpoints import reach
from streams.live.gates import Revoked
from streams.live.journal import READ_OFFSETS
from streams.live.log import Slice
from streams.live.ports import Ports
from streams.live.progress import Progress

RETRY_S = 0.2
LONGEST_PAUSE_S = 10.0
PATIENCE_S = 300.0
"""What the broker did not do is asked of it again after 0.2, 0.4, … and then every 10 s, for five minutes: as long as
a broker may take to be replaced. Then the worker stops, and says so. Nothing is decided or published meanwhile."""

BREATH_ROWS = 5_000
"""Some 50 ms: a takeover of a million rows is not to keep ticks and other partitions waiting for seconds."""

HEAD_KEY = b"head"
"""Under it the table keeps the head pointer. An account's key has a colon."""

_Found = TypeVar("_Found")

log = logging.getLogger(__name__)


class _Items(ItemsView[bytes, bytes]):
    """The rows as pairs, in one go over the dict: a takeover looks at all of them."""

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        rows: Mapping[bytes, bytes] = self._mapping._rows  # type: ignore[attr-defined]
        return (item for item in rows.items() if item[0] != HEAD_KEY)


class View(Mapping[bytes, bytes]):
    """The rows of a partition without the head pointer that lies beside them."""

    def __init__(self, rows: Mapping[bytes, bytes]) -> None:
        self._rows = rows

    def __getitem__(self, key: bytes) -> bytes:
        return self._rows[key]

    def get(self, key: bytes, default: Any = None) -> Any:
        """Return a packed row."""
        return self._rows.get(key, default)

    def items(self) -> ItemsView[bytes, bytes]:
        """Return every key and packed row."""
        return _Items(self)

    def __iter__(self) -> Iterator[bytes]:
        return (key for key in self._rows if key != HEAD_KEY)

    def __len__(self) -> int:
        return len(self._rows) - (HEAD_KEY in self._rows)


class Performer:
    """The hands of one owner.

    Args:
        partition: Its number.
        ports: The broker, the table and the policy books.
        time: What moves T: which inputs are read.
        is_ours: Whether the group still gives the partition to this worker.
        pause: Waits, but no longer than until the owner has to rest.
    """

    def __init__(
        self,
        partition: int,
        ports: Ports,
        time: Time,
        *,
        is_ours: Callable[[], bool],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._partition = partition
        self._ports = ports
        self._time: Time = time
        self._is_ours = is_ours
        self._pause = pause
        self._unwritten: set[bytes] = set()
        """Rows that a recovery changed in the view and not yet in the changelog."""
        self._before_head: effects.Rows = ()
        """Rows of a step that are in the view and go into the changelog together with its head pointer."""
        self._progress: Progress | None = None
        """Of a journal that is read in several parts."""
        self.effect: effects.Effect | None = None
        """What is being done now."""
        self.moves = 0
        """Counts the tries."""

    async def perform(self, machine: Recovery | Step) -> effects.Effect | None:
        """Do what a machine names until it names nothing or an ending; what failed is done again.

        Raises:
            AuditError: the machine stops: a human has to look.
            Revoked: the partition was given away meanwhile.
            TransportError: the broker did not do its part for too long.
        """
        while (effect := machine.effect) is not None and not isinstance(effect, effects.ENDINGS):
            self.effect = effect
            await self.patiently(partial(self._do, machine, effect), again=machine.unacked)
        self.effect = None
        if isinstance(effect, effects.Stop):
            raise AuditError(f"partition {self._partition}: {effect.message} [{effect.code}]")
        return effect

    async def patiently(
        self, do: Callable[[], Awaitable[_Found]], *, again: Callable[[], Any] = lambda: None
    ) -> _Found:
        """Do something that needs the broker; while the broker does not do its part, do it again.

        Args:
            do: What is done; twice is as good as once.
            again: Told before each further try.

        Raises:
            Revoked: the partition was given away meanwhile.
            TransportError: the broker did not do its part for too long.
        """
        now = asyncio.get_running_loop().time
        began, pause_s = now(), RETRY_S
        while True:
            self.moves += 1
            try:
                return await do()
            except Revoked:
                raise
            except TransportError as error:
                if now() - began + pause_s > PATIENCE_S:
                    raise
                log.warning("partition %s: trying again. %s", self._partition, error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                again()

    async def _do(self, machine: Any, effect: effects.Effect) -> None:
        ports, partition = self._ports, self._partition
        match effect:
            case effects.Append(raw):
                await reach("append.before")
                offset = await ports.append(partition, raw)
                await reach("append.after")
                machine.appended(offset)
            case effects.ReadJournal(start, end):
                found = await self._read_journal(start, end)
                records = [(record.offset, record.value) for record in found.records]
                machine.journal_read(
                    records, upto=found.upto, log_start=found.log_start, log_end=found.log_end
                )
            case effects.Publish(batches):
                await ports.publish(partition, batches)
                await reach("publish.after")
                machine.published()
            case effects.WriteRows(rows):
                # The head pointer is the next effect of a step, and goes out with them: see `Rows.write`.
                ports.rows.apply(partition, rows)
                self._before_head = rows
                await reach("rows.after")
                machine.rows_written()
            case effects.WriteHead(pointer):
                await ports.rows.write(partition, self._before_head, (HEAD_KEY, pointer.encode()))
                self._before_head = ()
                await reach("head.after")
                machine.head_written()
            case effects.Commit(positions):
                ports.accept(partition, dict(positions))
                machine.committed()
            case _:
                await self._do_recovery(machine, effect)

    async def _root(self) -> int:
        """Return the state root of the rows."""
        rows, found = View(self._ports.rows.partition(self._partition)), root.EMPTY

        def hashed() -> Iterator[None]:
            nonlocal found
            for key, packed in rows.items():
                found += root.row_hash(key, packed)
                yield

        await self.breathing("the state root", hashed(), len(rows))
        return root.of_sum(found)

    async def breathing(self, what: str, work: Iterable[None], rows: int) -> None:
        """Do work that takes one step for each row, letting others have their turn in between.

        Args:
            what: It, as its progress is told.
            work: Its steps.
            rows: How many there are.
        """
        progress = Progress(f"partition {self._partition}: {what}", rows)
        steps = iter(work)
        while passed := sum(1 for _ in islice(steps, BREATH_ROWS)):
            progress.passed(passed)
            self.moves += 1
            await asyncio.sleep(0)

    async def _read_journal(self, start: int, end: int | None) -> Slice:
        """Read a part of the journal: as much as is there, but no more than fits the memory and a try."""
        part_end = start + READ_OFFSETS
        found = await self._ports.log.read(
            topics.JOURNAL, self._partition, start, part_end if end is None else min(end, part_end)
        )
        if end is None and found.upto < start:  # it lost its end; the machine asked for all there is
            found = found._replace(upto=start)
        goal = found.log_end if end is None else end
        if self._progress is None and found.upto < goal:
            self._progress = Progress(f"partition {self._partition}: the journal", goal - start)
        if self._progress is not None:
            self._progress.passed(found.upto - start)
        if found.upto >= goal:
            self._progress = None
        return found

    async def _do_recovery(self, recovery: Recovery, effect: effects.Effect) -> None:
        ports, partition = self._ports, self._partition
        match effect:
            case effects.ReadTails(output_topics):
                recovery.tails_are(
                    {topic: await ports.log.newest_seq(topic, partition) for topic in output_topics}
                )
            case effects.CheckInputs(inputs):
                recovery.inputs_are([await self._find_input(expected) for expected in inputs])
            case effects.ApplyRows(rows):
                ports.rows.apply(partition, rows)
                self._unwritten.update(key for key, _ in rows)
                recovery.rows_applied()
            case effects.Rebuild(reason):
                log.error("%s", reason)
                self._unwritten.update(key for key in ports.rows.partition(partition) if key != HEAD_KEY)
                ports.rows.clear(partition)
                recovery.cleared()
            case effects.ComputeRoot():
                recovery.root_is(await self._root())
            case effects.BackOff(voids):
                log.warning("partition %s: the takeover was void for the %s. time", partition, voids)
                await self._pause(RETRY_S * min(voids, 10))
                recovery.still_mine(self._is_ours())
            case effects.WriteApplied():
                rows_now = ports.rows.partition(partition)
                await ports.rows.write(
                    partition, [(key, rows_now.get(key)) for key in sorted(self._unwritten)]
                )
                self._unwritten.clear()
                await reach("rows.after")
                recovery.rows_written()
            case effects.Seek(positions):
                await ports.seek(partition, dict(positions), self._time)
                recovery.sought()
            case _:
                raise InvariantBroken(f"partition {partition}: nobody can do {effect!r:.80}")

    async def _find_input(self, expected: effects.InputExpected) -> effects.InputFound:
        """Ask the broker what it has of one input, and read the last run again."""
        ports, run, digest = self._ports, expected.last_run, None
        if run is not None and run.digest is not None:
            found = await ports.log.read(expected.topic, self._partition, run.start, run.end)
            if found.log_start <= run.start and found.upto >= run.end:
                digest = digest_of(found.records, with_time=expected.topic == topics.CLOCK)
        bounds = await ports.log.bounds([expected.topic], self._partition)
        log_start, log_end = bounds[expected.topic]
        topic_id = await ports.topic_id(expected.topic)
        return effects.InputFound(expected.topic, topic_id, log_start, log_end, digest)
