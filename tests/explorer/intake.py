"""How an owner takes what arrives: the real intake of the live worker says what may come next (rules 21 and 22)."""

from collections import deque
from typing import Any, NamedTuple

from schemas.topics import CLOCK
from streams.core.decider import BEFORE_TIME
from streams.live.intake import AskEnds, Clocked, Piece

from . import tiny
from .worlds import World

__all__ = ["EMPTY", "Clocked", "Intake", "choose", "ends_are", "fetch"]


class Intake(NamedTuple):
    """What has arrived and is not journaled yet."""

    pieces: tuple[tuple[str, int, int], ...] = ()
    """Topic, first offset, next offset; in the order of arrival."""
    ends: tuple[tuple[str, int], ...] = ()
    asked_for: int = -1
    """The tick for which the ends were asked."""
    asks: int | None = None
    """The tick for which they have to be asked next."""
    step: tiny.Step | None = None
    """Quiet records that are taken and not journaled."""


EMPTY = Intake()


class Fold:
    """What the real intake asks of a fold."""

    def __init__(self, state: tiny.State, world: World) -> None:
        self._state = state
        self.T = state.T or BEFORE_TIME
        self.book: Any = state.book or (None if world.books else "always")
        self.positions = dict(state.positions)
        self.unfinished = state.after

    def would_fire(self, tick: tiny.Rec) -> bool:
        return bool(tiny.due_at(self._state.rows, tiny.time_after(self._state.T, tick)))


class Records(tuple[tiny.Rec, ...]):
    """Records whose bytes nobody has to count: there are never many."""

    __slots__ = ()
    size = 0

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return Records(found) if isinstance(place, slice) else found


def choose(
    clocked: type[Clocked], intake: Intake, core: tiny.State, world: World
) -> tuple[Intake, tiny.Step | None]:
    """Take what may come now; return the step that has to be journaled, if something was decided."""
    records, pieces = world.records, intake.pieces
    step = intake.step or tiny.Step(core, core)
    while True:
        real = clocked(Fold(step.state, world))
        real._arrived = deque(
            Piece(topic, Records(records[topic][start:end]), end) for topic, start, end in pieces
        )
        if intake.asked_for >= 0:
            real.ends_are(intake.asked_for, dict(intake.ends))
        found = real.next()
        pieces = tuple((piece.topic, piece.records[0].offset, piece.end) for piece in real._arrived)
        if not isinstance(found, Piece):
            asks = found.tick if isinstance(found, AskEnds) else None
            return intake._replace(pieces=pieces, asks=asks, step=step if step.runs else None), None
        for record in found.records:
            step = step.take(found.topic, record, world.per_part)
            at = record.offset + (not step.is_cut)
            if (step.is_cut or step.woke >= world.wakes) and at < found.end:
                pieces = ((found.topic, at, found.end), *pieces)
                break
        if step.decisions:
            return intake._replace(pieces=pieces, asks=None, step=None), step


def fetch(
    intake: Intake, core: tiny.State, visible: dict[str, tuple[tiny.Rec, ...]]
) -> list[tuple[str, int, Intake]]:
    """Return what may be fetched next: of each topic any number of the records that are there."""
    at = dict((intake.step.state if intake.step else core).positions)
    for topic, _, end in intake.pieces:
        at[topic] = max(at[topic], end)
    return [
        (topic, end, intake._replace(pieces=(*intake.pieces, (topic, start, end))))
        for topic, start in at.items()
        for end in range(start + 1, len(visible[topic]) + 1)
    ]


def ends_are(intake: Intake, visible: dict[str, tuple[tiny.Rec, ...]]) -> Intake:
    """Hear where the inputs end, asked after a tick was fetched."""
    ends = tuple((topic, len(records)) for topic, records in visible.items() if topic != CLOCK)
    return intake._replace(ends=ends, asked_for=intake.asks if intake.asks is not None else -1, asks=None)
