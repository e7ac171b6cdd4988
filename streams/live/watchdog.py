"""Ends a worker that makes no progress: one that stands still in silence is worse than one that ends.

Laws of this file:

* Patience is counted in looks. Whoever was stopped (SIGSTOP, a suspended machine) looked at nothing meanwhile
  and has nearly its whole patience left when it goes on.
* What is idle is never overdue: there has to be something that the broker has and this worker does not take.
* While the broker does not answer nobody is overdue; how long that may last, the effects' own tries say. And it
  has to be found twice, half a period apart, so that whoever comes out of an outage has time to catch up.

It ends a worker whose event loop stands still, too, from a thread of its own.
"""

import asyncio
import faulthandler
import logging
import os
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import NamedTuple

from schemas import topics
from schemas.errors import TransportError
from streams.live.log import Log
from streams.live.remedies import LOOK

PERIOD_S = 120.0
"""Longer than one try of an effect takes (two timeouts of a request, 60 s), than the longest pause between two
tries (10 s), and than the group takes to move a partition (15 s). A worker that is ended for nothing costs a
takeover; one that is not ended costs until somebody looks."""

LOOKS = 8
"""In one period."""

LOOP_PERIODS = 5
"""How many periods the event loop may be busy with one thing: a takeover looks at all rows of a partition in one go,
some 10 µs a row, and ten million of them are not to end a worker again and again."""

log = logging.getLogger(__name__)


class Watched(NamedTuple):
    """Something that should move."""

    name: str
    state: Hashable
    """Differs after any progress."""
    waits_for: str
    partition: int = 0
    input: tuple[str, int] | None = None
    """An input and the offset to which it was delivered: nothing is overdue while its log ends there. None:
    this is no input, and stands still only while it is at work."""


class Patience:
    """Counts for how many looks each of several things has not moved. Pure.

    Args:
        looks: A state has to be seen once more than that before it is overdue.
    """

    def __init__(self, looks: int) -> None:
        self._looks = looks
        self._seen: dict[str, tuple[Hashable, int]] = {}

    def look(self, states: Mapping[str, Hashable]) -> list[str]:
        """Return the names of what did not move for too long, and begin anew with these."""
        seen, overdue = {}, []
        for name, state in states.items():
            before, count = self._seen.get(name, (None, 0))
            count = count + 1 if count and before == state else 1
            if count > self._looks:
                overdue.append(name)
            else:
                seen[name] = (state, count)
        self._seen = seen
        return overdue


class Watchdog:
    """Looks after one worker.

    Args:
        watched: Tells everything that should move now.
        reader: The broker, as soon as the worker is connected to it.
        period_s: After how many seconds without any progress the worker is ended.
    """

    def __init__(
        self,
        watched: Callable[[], Iterable[Watched]],
        reader: Callable[[], Log | None],
        period_s: float = PERIOD_S,
    ) -> None:
        self._watched = watched
        self._reader = reader
        self._period_s = period_s
        self._patience = Patience(LOOKS // 2)
        self._suspected: dict[str, Hashable] = {}
        self._beats = 0
        self._ended = threading.Event()

    async def run(self) -> None:
        """Look for ever.

        Raises:
            TransportError: something does not move; the message says what, and what it waits for.
        """
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._guard, args=(loop,), name="watchdog", daemon=True).start()
        try:
            while True:
                await asyncio.sleep(self._period_s / LOOKS)
                watched = {one.name: one for one in self._watched()}
                names = self._patience.look({name: one.state for name, one in watched.items()})
                await asyncio.gather(*(self._examine(watched[name]) for name in names))
        finally:
            self._ended.set()

    async def _examine(self, one: Watched) -> None:
        why = await self._why(one)
        if why is None:
            self._suspected.pop(one.name, None)
        elif self._suspected.get(one.name) == one.state:
            raise _end(why)
        else:
            self._suspected[one.name] = one.state

    async def _why(self, one: Watched) -> str | None:
        """Return why the worker has to end because of something that did not move; None where it need not."""
        reader = self._reader()
        inputs = (one.input[0],) if one.input is not None else (topics.COUNTS,)
        try:
            ends = await reader.bounds(inputs, one.partition) if reader is not None else {}
        except TransportError as error:
            log.debug("%s does not move, and the broker does not answer: %s", one.name, error)
            return None
        said = f"{one.name} made no progress for {self._period_s:.0f} s: it waits for {one.waits_for}"
        if one.input is None:
            return said
        topic, delivered = one.input
        waiting = ends[topic][1] - delivered if topic in ends else 0
        return f"{said}, and {waiting} records wait in the log" if waiting > 0 else None

    def _guard(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the process if the event loop does not do any more what it is asked to."""
        patience = Patience(LOOKS * LOOP_PERIODS)
        while not self._ended.wait(self._period_s / LOOKS) and not loop.is_closed():
            loop.call_soon_threadsafe(self._beat)
            if patience.look({"": self._beats}):
                log.critical("the event loop has stood still for %.0f s", self._period_s * LOOP_PERIODS)
                faulthandler.dump_traceback()
                os._exit(1)

    def _beat(self) -> None:
        self._beats += 1


def _end(why: str) -> TransportError:
    log.critical("%s", why)  # now: whatever hangs may keep the worker from coming to its end in good order
    return TransportError(
        f"{why}. Nothing is lost: whoever owns the partitions next goes on from the journal. {LOOK}"
    )
