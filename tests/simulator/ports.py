"""What the worker's owners are given in place of the broker, the table and the books: the surface of `live.ports`."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from schemas import topics
from schemas.account import apply_rows
from schemas.errors import InvariantBroken
from schemas.records import Records
from streams.ledger.effects import Batches
from streams.live.books import Books
from streams.live.gates import Revoked
from streams.live.intake import Piece
from streams.live.log import TAIL_RECORDS, Slice

from .broker import Broker, Sender
from .loop import Call

FETCH_RECORDS = 500


class SimLog:
    """The surface of `live.log.Log`: reads outside of the group."""

    def __init__(self, broker: Broker, home: Sender) -> None:
        self._broker, self._home = broker, home

    async def bounds(self, wanted: Iterable[str], partition: int) -> dict[str, tuple[int, int]]:
        def look() -> dict[str, tuple[int, int]]:
            logs = {topic: self._broker.log(topic, partition) for topic in wanted}
            return {topic: (log.start, log.end) for topic, log in logs.items()}

        return await self._broker.ask(self._home, "ends", look)

    async def read(self, topic: str, partition: int, start: int, end: int | None) -> Slice:
        def look() -> Slice:
            log = self._broker.log(topic, partition)
            upto = log.end if end is None else min(end, log.end)
            if start >= upto or start < log.start:
                return Slice([], max(start, upto) if end is None else upto, log.start, log.end)
            return Slice(log.between(start, upto), upto, log.start, log.end)

        return await self._broker.ask(self._home, f"read {topic}[{partition}] {start}..{end}", look)

    async def newest_seq(self, topic: str, partition: int) -> int | None:
        def look() -> int | None:
            log = self._broker.log(topic, partition)
            found = log.between(log.end - TAIL_RECORDS, log.end)
            return max((msgspec.json.decode(record.value)["seq"] for record in found), default=None)

        return await self._broker.ask(self._home, f"tail of {topic}[{partition}]", look)


class SimRows:
    """The surface of `live.rows.Rows`: the view of each owned partition, and its changelog."""

    def __init__(self, broker: Broker, home: Sender) -> None:
        self._broker, self._home = broker, home
        self.partitions: dict[int, dict[bytes, bytes]] = {}

    def _mine(self, number: int) -> dict[bytes, bytes]:
        if number not in self.partitions:
            raise Revoked(("rows", number))
        return self.partitions[number]

    def partition(self, number: int) -> Mapping[bytes, bytes]:
        return MappingProxyType(self._mine(number))

    def apply(self, number: int, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        apply_rows(self._mine(number), changes)

    def clear(self, number: int) -> None:
        self._mine(number).clear()

    async def write(
        self,
        number: int,
        changes: Sequence[tuple[bytes, bytes | None]],
        last: tuple[bytes, bytes] | None = None,
    ) -> None:
        changes = (*changes, last) if last is not None else tuple(changes)
        self.apply(number, changes)
        if changes:
            what = f"{'rows' if last is None else 'rows and head'}[{number}]"
            await self._broker.request(self._home, what, lambda: self._broker.write(number, changes))


class Tallies:
    """The part of `live.counts.Counts` that a run asks about."""

    def __init__(self) -> None:
        self.void_entries = self.rebuilds = self.entries = self.decisions = 0

    def journaled(self, _: int, work: Any, __: float) -> None:
        self.entries += 1
        self.decisions += len(work.decisions)


class Fetched:
    """One input of an owned partition on its way in."""

    def __init__(self, ports: "SimPorts", topic: str, partition: int, position: int) -> None:
        self._ports, self.topic, self.partition = ports, topic, partition
        self.position = self.accepted = position
        self.is_open, self.is_held = True, False
        self._is_looking = False
        self._fetched = Call(ports.home, self._fetch)
        self._log = ports.broker.log(topic, partition)
        self._log.followers.append(self.look)
        self.look()

    def look(self) -> None:
        """Fetch, some time from now."""
        if self.is_open and not (self.is_held or self._is_looking) and self._log.end > self.position:
            self._is_looking = True
            ports = self._ports
            ports.home.loop.after(ports.fetch_ms(), self._fetched.go_on)

    def _fetch(self) -> None:
        ports, log = self._ports, self._log
        self._is_looking = False
        if not self.is_open or self.is_held or not ports.delivers:
            return
        if self.position < log.start or self.position > log.end:
            home, gone = ports.home, f"{self.topic}[{self.partition}] has no {self.position}"
            home.loop.spawn(home, home.halt(OffsetOutOfRange(gone)))
            return
        records = log.between(self.position, self.position + FETCH_RECORDS)
        if records:
            self.position += len(records)
            ports.arrived(
                Piece(self.topic, Records.of(records, with_time=self.topic == topics.CLOCK), self.position),
                self.partition,
            )
        self.look()

    def close(self) -> None:
        self.is_open = False
        self._log.followers.remove(self.look)


class OffsetOutOfRange(Exception):
    """What the consumer says without an automatic reset."""


class SimPorts:
    """The surface of `live.ports.Ports`."""

    def __init__(self, broker: Broker, home: Any) -> None:
        self.broker, self.home = broker, home
        self.log = SimLog(broker, home)
        self.books = Books(self.log, home._wake)  # type: ignore[arg-type]
        self.rows = SimRows(broker, home)
        self.counts = Tallies()
        self.turn = contextlib.nullcontext()  # whose turn it is to decide is a matter of speed alone
        self.has_to_send = False
        self.assigned: set[int] = set()
        self.delivers = False
        self.fetching: dict[tuple[str, int], Fetched] = {}

    def fetch_ms(self) -> int:
        return self.broker.chance.ms(1, self.home.fetch_ms)

    async def append(self, partition: int, raw: bytes) -> int:
        land = lambda: self.broker.append(topics.JOURNAL, partition, [(None, raw, ())], self.home.name)  # noqa: E731
        return await self.broker.request(self.home, f"append[{partition}]", land)

    async def publish(self, partition: int, batches: Batches) -> None:
        for topic, records in batches:  # in life at the same time: here one order of many
            land = lambda topic=topic, records=records: self.broker.append(  # noqa: E731
                topic, partition, records, self.home.name
            )
            await self.broker.request(self.home, f"publish {topic}[{partition}]", land)

    def accept(self, partition: int, positions: Mapping[str, int]) -> None:
        for topic in (topics.COUNTS, topics.FACTS, topics.CLOCK):
            fetched = self.fetching.get((topic, partition))
            if fetched is None:
                continue
            if not fetched.accepted <= positions[topic] <= fetched.position:
                between = f"{fetched.accepted} and {fetched.position}, handed over"
                raise InvariantBroken(
                    f"{topic}[{partition}]: accepted is {positions[topic]}, not between {between}"
                )
            fetched.accepted = positions[topic]

    async def seek(self, partition: int, positions: Mapping[str, int], _: str) -> None:
        if partition not in self.assigned:
            raise Revoked(("partition", partition))
        for topic in (topics.COUNTS, topics.FACTS, topics.CLOCK):
            if (before := self.fetching.pop((topic, partition), None)) is not None:
                before.close()
            self.fetching[topic, partition] = Fetched(self, topic, partition, positions[topic])

    def begin(self) -> None:
        """Begin to deliver: all owners are recovered."""
        self.delivers = True
        for fetched in self.fetching.values():
            fetched.look()

    def shut(self, partition: int) -> None:
        """Deliver nothing more of a partition, until it is sought."""
        for topic in (topics.COUNTS, topics.FACTS, topics.CLOCK):
            if (fetched := self.fetching.pop((topic, partition), None)) is not None:
                fetched.close()

    def shut_all(self) -> None:
        """Deliver nothing more."""
        self.delivers = False
        for fetched in self.fetching.values():
            fetched.close()
        self.fetching = {}

    def arrived(self, piece: Piece, partition: int) -> None:
        owner = self.home.owners.get(partition)
        if owner is not None:
            owner.offer(piece)

    def hold(self, topic: str, partition: int, *, drop: bool) -> None:  # noqa: ARG002
        if (fetched := self.fetching.get((topic, partition))) is not None:
            fetched.is_held = True

    def release(self, topic: str, partition: int) -> None:
        fetched = self.fetching.get((topic, partition))
        if fetched is not None and fetched.is_held:
            fetched.is_held = False
            fetched.look()

    def is_assigned(self, partition: int) -> bool:
        return partition in self.assigned

    async def topic_id(self, topic: str) -> str | None:
        return f"id of {topic}"
