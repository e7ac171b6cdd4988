"""Seeded draws, the swarm of faults of one seed, and the tape of those that happened.

Every question "does it go wrong here?" has a kind and a number; the answer is drawn from the kind's own stream, or,
when a tape is played, read from it. So a run can be told again without any one of its faults.
"""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

Drawn = tuple[Any, ...]


class Kind(NamedTuple):
    """One kind of fault: how often it comes where it is switched on, per question."""

    least: float
    most: float


PER_REQUEST = {
    "lost": Kind(0.0005, 0.01),
    "unacked": Kind(0.0005, 0.01),
    "late": Kind(0.0005, 0.01),
    "doubled": Kind(0.0005, 0.01),
    "killed": Kind(0.0003, 0.006),
    "stopped": Kind(0.0003, 0.006),
}
"""Asked at each request of a worker. A request is lost; applied and not acknowledged; not acknowledged and applied long
after; applied twice. Or the worker is killed, or stands still, just before it is sent or just before its answer."""

PER_HOUR = {
    "kill": Kind(0.02, 0.2),
    "pause": Kind(0.02, 0.2),
    "deaf": Kind(0.01, 0.1),
    "join": Kind(0.02, 0.2),
    "leave": Kind(0.02, 0.1),
    "worker clock": Kind(0.02, 0.2),
    "broker clock": Kind(0.02, 0.1),
    "outage": Kind(0.005, 0.12),
    "table lost": Kind(0.005, 0.12),
    "rows damaged": Kind(0.02, 0.1),
    "inputs cut": Kind(0.005, 0.12),
    "journal cut": Kind(0.005, 0.12),
    "retention": Kind(0.005, 0.12),
}
"""Asked every seven seconds of a worker's time."""

PER_RECORD = {
    "repeated": Kind(0.003, 0.03),
    "delayed": Kind(0.003, 0.03),
    "unreadable": Kind(0.001, 0.01),
}
"""Asked of each input record: it comes again; it comes days late; it cannot be read."""

KINDS = {**PER_REQUEST, **PER_HOUR, **PER_RECORD}


class Tape(NamedTuple):
    """What went wrong in a run: by kind and number of the question."""

    faults: tuple[tuple[str, int, Drawn], ...]


class Chance:
    """All draws of one run.

    Args:
        seed: Of the run.
        tape: Play these faults and no others.
        calm: Every latency is the same, and ties are broken by order.
        kinds: These kinds are switched on, at their highest rates; None for some at random ones.
    """

    def __init__(
        self,
        seed: int,
        *,
        tape: Tape | None = None,
        calm: bool = False,
        kinds: tuple[str, ...] | None = None,
    ) -> None:
        self.seed = seed
        self.calm = calm
        self.is_over = False
        """No more faults: the world comes to rest."""
        swarm = self.stream("swarm")
        storm = 1.0 if swarm.random() < 0.15 else 0.6
        self.rates: dict[str, float] = {}
        for name, kind in KINDS.items():
            on, where = swarm.random() < 0.4, swarm.random() * storm
            if kinds is not None:
                on, where = name in kinds, 1.0
            if on:
                self.rates[name] = kind.least * (kind.most / kind.least) ** where
        self._played = {(kind, number): drawn for kind, number, drawn in tape.faults} if tape else None
        self._asked: Counter[str] = Counter()
        self._streams = {name: self.stream(name) for name in KINDS}
        self._latencies = self.stream("latencies").random
        self._per_request = [(name, self.rates[name]) for name in PER_REQUEST if name in self.rates]
        self._any_request = sum(rate for _, rate in self._per_request)
        self._requests = self.stream("requests").random
        self.happened: list[tuple[str, int, Drawn]] = []

    def stream(self, name: str) -> Random:
        """Return a stream of its own for one purpose."""
        return Random(f"{self.seed}/{name}")

    def ms(self, least: int, most: int) -> int:
        """Return how long something takes."""
        return least if self.calm else least + int(self._latencies() * (most - least))

    def fault(self, kind: str, draw: Callable[[Random], Drawn]) -> Drawn | None:
        """Ask whether something goes wrong here; return what exactly."""
        rate = self.rates.get(kind)
        if self._played is None and rate is None:
            return None
        number = self._asked[kind]
        self._asked[kind] = number + 1
        if self.is_over:
            return None
        if self._played is not None:
            drawn = self._played.get((kind, number))
        else:
            stream = self._streams[kind]
            drawn = draw(stream) if stream.random() < rate else None
        if drawn is not None:
            self.happened.append((kind, number, drawn))
        return drawn

    def of_request(self, draw: Callable[[str, Random], Drawn]) -> tuple[str, Drawn] | None:
        """Ask which of the faults of requests happens to this one."""
        number = self._asked["request"]
        self._asked["request"] = number + 1
        if self.is_over:
            return None
        if self._played is not None:
            drawn = self._played.get(("request", number))
        elif not self._per_request or (left := self._requests()) >= self._any_request:
            return None
        else:
            fate = self._per_request[-1][0]
            for name, rate in self._per_request:
                left -= rate
                if left < 0:
                    fate = name
                    break
            drawn = (fate, *draw(fate, self._streams[fate]))
        if drawn is None:
            return None
        self.happened.append(("request", number, drawn))
        return drawn[0], drawn[1:]

    @property
    def tape(self) -> Tape:
        """What went wrong so far."""
        return Tape(tuple(self.happened))

    def tally(self) -> Counter[str]:
        """Return how often each kind of fault happened."""
        return Counter(drawn[0] if kind == "request" else kind for kind, _, drawn in self.happened)
