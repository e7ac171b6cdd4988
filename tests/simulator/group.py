"""The group's coordinator: members, sessions, generations, and who is given what.

A rebalance revokes everything from everybody, as the worker's own assignor does. Who does not answer in time is left
out, and goes on with what it has until it hears of that: a zombie.
"""

from typing import TYPE_CHECKING

from .chance import Chance
from .loop import Loop

if TYPE_CHECKING:
    from .process import Process

SESSION_MS = 6_000
HEARTBEAT_MS = 1_000
REBALANCE_MS = 15_000
"""As the worker sets them."""


class Group:
    """One consumer group of all partitions.

    Args:
        loop: Virtual time.
        chance: For latencies.
        partitions: How many there are to give.
    """

    def __init__(self, loop: Loop, chance: Chance, partitions: int) -> None:
        self.loop, self.chance = loop, chance
        self.partitions = partitions
        self.generation = 0
        self.members: list[Process] = []
        self._joined: list[Process] = []
        self._is_gathering = False
        self._dealing = chance.stream("assignments")

    def join(self, process: "Process") -> None:
        """Take in a new member."""
        self.members.append(process)
        self.rebalance()
        self.rejoined(process)

    def gone(self, process: "Process") -> None:
        """Notice, after its session, that a member is silent; or at once that it has left."""
        if process in self.members:
            self.members.remove(process)
            self.rebalance()

    def rebalance(self) -> None:
        """Begin a new generation: everybody has to give up what it has and come again."""
        self.generation += 1
        self._joined = [one for one in self._joined if self._is_gathering]
        self._is_gathering = True
        for member in self.members:
            self.tell(member)
        self.loop.after(REBALANCE_MS, self._close, self.generation)

    def tell(self, member: "Process") -> None:
        """Let a member hear, with its next heartbeat, that it has to come again."""
        self.loop.after(self.chance.ms(1, HEARTBEAT_MS), member.hear, self.generation)

    def rejoined(self, process: "Process") -> None:
        """Hear that a member has given up what it had."""
        if process not in self.members:
            self.members.append(process)
            self.rebalance()
        if not self._is_gathering:
            self.rebalance()
        if process not in self._joined:
            self._joined.append(process)
        if set(self._joined) >= set(self.members):
            self._close(self.generation)

    def _close(self, generation: int) -> None:
        """Deal the partitions to those who are here."""
        if generation != self.generation or not self._is_gathering:
            return
        self._is_gathering = False
        here = [one for one in self._joined if one in self.members]
        for one in self.members:
            if one not in here:
                one.note("is left out by the group")
        self.members, self._joined = here, []
        if not here:
            return
        numbers = list(range(self.partitions))
        if not self.chance.calm:
            self._dealing.shuffle(numbers)
        for place, member in enumerate(here):
            dealt = tuple(sorted(numbers[place :: len(here)]))
            self.loop.after(self.chance.ms(1, 20), member.assigned, self.generation, dealt)
