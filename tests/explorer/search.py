"""The search: breadth first, all states with fewer faults before those with more.

A state is the same whatever it cost: reached with fewer faults, it allows all that it would allow after more. So the
states are kept without their cost, layer by layer of faults, and the first violation that is found has the fewest
faults and, with these, the shortest trace.
"""

import time
from array import array
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from .likeness import Likeness
from .move import Move
from .moves import Moves
from .partition import State
from .properties import Violation

TELL_S = 10.0
"""Of CPU time, between two lines that say how far a search is."""


@dataclass
class Found:
    """What a search came to."""

    states: int = 0
    """States visited; with `Likeness` each of them stands for all that are like it."""
    transitions: int = 0
    depth: int = 0
    """Moves from the start to the farthest state, each fault included."""
    at_rest: int = 0
    """States in which only a fault can happen."""
    layer: int = 0
    """Faults spent in the layer that is searched; those with fewer are searched whole."""
    seconds: float = 0.0
    """Of CPU time."""
    is_complete: bool = False
    violation: Violation | None = None
    trace: list[Move] = field(default_factory=list)
    """To the state before the violation."""


class Search:
    """One search of a world.

    Args:
        moves: The world's.
        faults: How many at most; None for the world's own.
        name: Tells states apart; None for the world's own way.
    """

    def __init__(
        self, moves: Moves, faults: int | None = None, *, name: Callable[[State], int] | None = None
    ) -> None:
        world = moves.world
        self.moves = moves
        self.faults = world.faults if faults is None else faults
        self.found = Found()
        self.name = name or (State.packed if world.exactly else Likeness(world))
        self.seen: set[int] = set()
        self._first = moves.start()
        self._order: list[int] = []
        """The name of each state that was visited; `_parents` has the place of the one before it."""
        self._parents = array("l")
        self._queues: list[dict[int, list[tuple[State, int, int]]]] = [
            defaultdict(list) for _ in range(self.faults + 1)
        ]
        self._queued: list[set[int]] = [set() for _ in range(self.faults + 1)]
        self._queues[0][0].append((self._first, self.name(self._first), -1))

    def run(self, seconds: float = float("inf"), tell: Callable[[Found], None] | None = None) -> Found:
        """Search on until everything is seen, a property is violated, or so much more CPU time is spent."""
        found, began = self.found, time.process_time()
        spent, told = found.seconds, began
        try:
            while (place := self._next()) is not None:
                self._visit(*place)
                if found.states & 255:
                    continue
                now = time.process_time()
                found.seconds = spent + now - began
                if now - began > seconds:
                    return found
                if tell is not None and now - told > TELL_S:
                    told = now
                    tell(found)
            found.is_complete = True
        except Violation as violation:
            found.violation = violation
        found.seconds = spent + time.process_time() - began
        return found

    def _next(self) -> tuple[State, int, int, int] | None:
        """Return the next state that waits, its name, and the place and depth at which it was reached."""
        while True:
            queue = self._queues[self.found.layer]
            if not queue:
                if self.found.layer == self.faults:
                    return None
                self.found.layer += 1
                continue
            depth = min(queue)
            level = queue[depth]
            while level:
                state, name, parent = level.pop()
                if name not in self.seen:
                    self.seen.add(name)
                    self._order.append(name)
                    self._parents.append(parent)
                    return state, len(self._order) - 1, depth, self.found.layer
            del queue[depth]

    def _visit(self, state: State, place: int, depth: int, layer: int) -> None:
        found, seen, name = self.found, self.seen, self.name
        found.states += 1
        found.depth = max(found.depth, depth)
        may_fail = layer < self.faults
        same = self._queues[layer]
        is_at_rest = True
        try:
            moves = self.moves.of(state, with_faults=may_fail)
            found.transitions += len(moves)
            for after, is_fault, *_ in moves:
                named = name(after)
                is_at_rest = is_at_rest and is_fault
                if named in seen:
                    continue
                if not is_fault:
                    same[depth + 1].append((after, named, place))
                elif named not in self._queued[layer + 1]:
                    self._queued[layer + 1].add(named)
                    self._queues[layer + 1][depth + 1].append((after, named, place))
            if is_at_rest:
                found.at_rest += 1
                self.moves.check_at_rest(state)
        except Violation:
            found.trace = self._trace(place)
            raise

    def _trace(self, place: int) -> list[Move]:
        """Walk again from the start to a state."""
        way = []
        while place >= 0:
            way.append(self._order[place])
            place = self._parents[place]
        state, trace = self._first, []
        for named in way[-2::-1]:
            trace.append(self._move_to(state, named))
            state = trace[-1].state
        return trace

    def _move_to(self, state: State, named: int) -> Move:
        for with_faults in (False, True):
            for move in self.moves.of(state, with_faults=with_faults):
                if self.name(move.state) == named:
                    return move
        raise AssertionError("a state was visited, and no move leads to it")


@dataclass
class Alike:
    """What a comparison of a likeness with an exact search came to."""

    states: int
    likenesses: int
    differs: str | None
    """None where nothing does."""

    def __str__(self) -> str:
        return (
            f"{self.states:,} states of {self.likenesses:,} likenesses: {self.differs or 'nothing differs'}"
        )


def alike(moves: Moves, faults: int) -> Alike:
    """Hold the likeness of a world's states against a search in which every state is told from every other one.

    Of two states that are said to be alike each has to lead where the other leads, up to likeness (a move that leads
    to what is like the state itself is none); and the search of one of each has to reach them all.
    """
    like = Likeness(moves.world)
    leads_to: dict[int, frozenset[tuple[int, bool]]] = {}

    class Compared(Search):
        def _visit(self, state: State, place: int, depth: int, layer: int) -> None:
            super()._visit(state, place, depth, layer)
            me = like(state)
            after = frozenset(
                (to, move.fault)
                for move in moves.of(state, with_faults=True)
                if (to := like(move.state)) != me
            )
            if leads_to.setdefault(me, after) != after:
                raise Unlike

    whole, one_of_each = Compared(moves, faults, name=State.packed), Search(moves, faults, name=like)
    differs = None
    try:
        whole.run()
        one_of_each.run()
        if one_of_each.seen != leads_to.keys():
            differs = f"{len(leads_to.keys() - one_of_each.seen)} likenesses are reached only where each state is told"
    except Unlike:
        differs = "two states that are said to be alike lead elsewhere"
    return Alike(len(whole.seen), len(leads_to), differs)


class Unlike(Exception):
    """Two states are not alike."""
