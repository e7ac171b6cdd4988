"""The search: breadth first, all states with fewer faults before those with more.

A state is the same whatever it cost: reached with fewer faults, it allows all that it would allow after more. So the
states are kept without their cost, layer by layer of faults, and the first violation that is found has the fewest
faults and, with these, the shortest trace.
"""

import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator
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


Waiting = dict[int, list[tuple[State, int, int]]]
"""By depth: states to visit, their names, and the places of those before them."""


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
        self._order: list[int] = []
        """The name of each state that was visited; `_parents` has the place of the one before it."""
        self._parents = array("l")
        self._first = moves.start()
        self._walk = self._walked()

    def run(self, seconds: float = float("inf"), tell: Callable[[Found], None] | None = None) -> Found:
        """Search on until everything is seen, a property is violated, or so much more CPU time is spent."""
        found, began = self.found, time.process_time()
        spent, told = found.seconds, began
        try:
            for _ in self._walk:
                found.states += 1
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

    def _walked(self) -> Iterator[None]:
        """Visit all states, those with fewer faults first; of these those first that take fewer moves."""
        fewer: dict[int, list[tuple[State, int]]] = {}
        for layer in range(self.faults + 1):
            self.found.layer = layer
            visited: dict[int, list[tuple[State, int]]] = defaultdict(list)
            waiting: Waiting = defaultdict(list)
            if layer == 0:
                waiting[0].append((self._first, self.name(self._first), -1))
            while waiting or fewer:
                depth = min((*waiting, *(depth + 1 for depth in fewer)))
                level = waiting.pop(depth, [])
                for state, place in fewer.pop(depth - 1, ()):
                    level += self._moved(state, place, faults=True)
                while level:
                    state, name, before = level.pop()
                    if name in self.seen:
                        continue
                    place = self._enter(name, before)
                    self.found.depth = max(self.found.depth, depth)
                    if layer < self.faults:
                        visited[depth].append((state, place))
                    after = self._moved(state, place, faults=False)
                    if after:
                        waiting[depth + 1] += after
                    self._look_at(state)
                    yield
            fewer = visited

    def _enter(self, name: int, before: int) -> int:
        self.seen.add(name)
        self._order.append(name)
        self._parents.append(before)
        return len(self._order) - 1

    def _moved(self, state: State, place: int, *, faults: bool) -> list[tuple[State, int, int]]:
        """Return where a state leads, by moves that cost a fault or by the others, but for what was visited."""
        try:
            moves = [move.state for move in self.moves.of(state, with_faults=faults) if move.fault == faults]
            if not moves and not faults:
                self.found.at_rest += 1
                self.moves.check_at_rest(state)
        except Violation:
            self.found.trace = self._trace(place)
            raise
        self.found.transitions += len(moves)
        named = {self.name(after): after for after in moves}
        return [(after, name, place) for name, after in named.items() if name not in self.seen]

    def _look_at(self, state: State) -> None:
        """See each state once."""

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
        def _look_at(self, state: State) -> None:
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
