"""The broker: logs that may be cut, the table as compaction leaves it, a clock, and requests that go astray."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from schemas import topics
from schemas.errors import TransportError
from schemas.instant import text

from .chance import Chance
from .loop import Future, Home, Loop

LOG_APPEND_TIME = 1
CREATE_TIME = 0
TIMEOUT_MS = 3_000
"""After so long a worker gives a request up that was not answered; in life 30 s."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record in a log."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    timestamp_type: int
    headers: tuple[tuple[str, bytes], ...]
    landed: int
    """Number of its landing, over all logs: what came before what."""
    by: str
    """Who sent it."""


class Log:
    """One partition of one topic."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        """From `start` on."""
        self.start = 0
        self.gone: list[Record] = []
        """What retention has passed."""
        self.followers: list[Callable[[], None]] = []
        """Told when something landed."""

    @property
    def end(self) -> int:
        return self.start + len(self.records)

    def between(self, start: int, end: int) -> list[Record]:
        return self.records[max(0, start - self.start) : max(0, end - self.start)]

    def cut_start(self, start: int) -> None:
        """Let retention pass."""
        passed = max(0, start - self.start)
        self.gone += self.records[:passed]
        self.records = self.records[passed:]
        self.start += passed

    def archive(self) -> list[Record]:
        """Return all records that there ever were; their offsets are their places."""
        return self.gone + self.records

    def cut_end(self, end: int) -> list[Record]:
        """Lose the end; return what was lost."""
        kept = max(0, end - self.start)
        lost, self.records = self.records[kept:], self.records[:kept]
        return lost


class Broker:
    """One broker.

    Args:
        loop: Virtual time.
        chance: Says what goes wrong.
        partitions: Of each topic but the policy book's.
        calendar: The true time in µs.
    """

    def __init__(self, loop: Loop, chance: Chance, partitions: int, calendar: Callable[[], int]) -> None:
        self.loop, self.chance, self.calendar = loop, chance, calendar
        self.partitions = partitions
        self.clock_error = 0
        """In µs; how far its clock is ahead."""
        self.logs = {
            (topic, number): Log()
            for topic in topics.ALL
            for number in range(1 if topic == topics.BOOKS else partitions)
        }
        self.tables: list[dict[bytes, bytes]] = [{} for _ in range(partitions)]
        """Of each partition the last value of each key of the changelog."""
        self.landed = self.requests = 0
        self.restarts = 0
        """With a restart everything under way is lost."""

    def log(self, topic: str, partition: int) -> Log:
        return self.logs[topic, 0 if topic == topics.BOOKS else partition]

    # What lands ----------------------------------------------------------------------------------

    def append(
        self, topic: str, partition: int, records: Iterable[tuple[Any, Any, Any]], by: str = "producer"
    ) -> int:
        """Append records at once; return the offset of the first."""
        log = self.log(topic, partition)
        first = offset = log.end
        stamped = topic == topics.CLOCK
        now = (self.calendar() + self.clock_error) // 1000
        for key, value, headers in records:
            self.landed += 1
            kind = LOG_APPEND_TIME if stamped else CREATE_TIME
            log.records.append(Record(offset, key, value, now, kind, tuple(headers), self.landed, by))
            offset += 1
        for follower in log.followers:
            follower()
        return first

    def write(self, partition: int, rows: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Write rows into the table's changelog."""
        table = self.tables[partition]
        for key, value in rows:
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value

    # Requests ------------------------------------------------------------------------------------

    async def request(self, home: "Sender", what: str, land: Callable[[], Any]) -> Any:
        """Send a request that changes something.

        Args:
            home: Who sends it.
            what: For the trace.
            land: Does it; may be called at any time, more than once, or never.

        Raises:
            TransportError: there was no answer.
        """
        self.requests += 1
        loop, chance = self.loop, self.chance
        fate, drawn = chance.of_request(_drawn) or ("ok", ())
        answer = Future()
        there, back = chance.ms(1, 20), chance.ms(1, 20)
        restarts = self.restarts

        def arrive(answers: bool = True) -> None:
            if restarts != self.restarts:
                return
            found = land()
            if answers:
                loop.after(back, answer.answer, found)

        if fate == "ok":
            loop.after(there, arrive)
        else:
            home.note(f"{what}: {fate} {drawn}")
        if fate in ("killed", "stopped"):
            when, ms = drawn
            if when == "before":
                await home.strike(fate, ms)
                loop.after(there, arrive)
            else:
                loop.after(there, arrive)
                loop.after(there + back, home.struck, fate, ms)
                back += 1  # before the answer is heard
        elif fate == "unacked":
            loop.after(there, arrive, False)
        elif fate == "late":
            loop.after(TIMEOUT_MS + drawn[0], arrive, False)
        elif fate == "doubled":
            loop.after(there, arrive)
            loop.after(there + drawn[0], arrive, False)
        if fate in ("lost", "unacked", "late"):
            error = TransportError(f"{what} was not acknowledged")
            loop.after(TIMEOUT_MS, lambda: answer.answer(error=error))
        return await answer

    async def ask(self, home: "Sender", what: str, look: Callable[[], Any]) -> Any:
        """Ask something that changes nothing; the answer is of the instant at which the question arrives.

        Raises:
            TransportError: there was no answer.
        """
        self.requests += 1
        fate, drawn = self.chance.of_request(_drawn) or ("ok", ())
        answer = Future()
        if fate != "ok":
            home.note(f"{what}: {fate} {drawn}")
        if fate in ("killed", "stopped"):
            await home.strike(fate, drawn[1])
        if fate in ("lost", "unacked", "late"):
            error = TransportError(f"{what} was not answered")
            self.loop.after(TIMEOUT_MS, lambda: answer.answer(error=error))
            return await answer
        back = self.chance.ms(1, 10)
        self.loop.after(self.chance.ms(1, 10), lambda: self.loop.after(back, answer.answer, look()))
        return await answer

    def said_now(self) -> str:
        """Return the true time in words, for the trace."""
        return text(self.calendar())


class Sender(Home):
    """Who sends requests."""

    def note(self, what: str) -> None:
        raise NotImplementedError

    def struck(self, how: str, ms: int) -> None:
        """Be killed, or stand still for so long."""
        raise NotImplementedError

    async def strike(self, how: str, ms: int) -> None:
        """Be struck while at work; who was killed does not return."""
        raise NotImplementedError


def _drawn(fate: str, stream: Any) -> tuple[Any, ...]:
    if fate in ("killed", "stopped"):
        return stream.choice(("before", "after")), pause_ms(stream)
    if fate in ("late", "doubled"):
        return (long_ms(stream),)
    return ()


def long_ms(stream: Any) -> int:
    """How late a late request is: 1 ms to some minutes."""
    return int(10 ** stream.uniform(0, 4.8))


def pause_ms(stream: Any) -> int:
    """How long a worker stands still: often past its session, of 6 s."""
    return int(10 ** stream.uniform(2, 4.8))
