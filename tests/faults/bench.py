"""Where worlds are made: one broker kept for many of them, and a directory for what they leave."""

import shutil
from pathlib import Path
from typing import Any

from .kafka import Node
from .outcome import Result
from .world import World

DOORS = 4


class Bench:
    """A broker, started when it is first asked for, and a directory.

    Args:
        directory: For everything that a campaign leaves beside its results.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._node: Node | None = None
        self._worlds: list[World] = []

    @property
    def node(self) -> Node:
        """The broker that worlds share; one that is down is started."""
        if self._node is None:
            self._node = Node(self.directory / "broker", proxied=DOORS)
        if not self._node.is_alive:
            self._node.up()
        return self._node

    def path(self, result: Result) -> Path:
        """Return an empty directory for a run."""
        path = self.directory / f"{result.test}-{result.number}-{result.seed}"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def world(self, result: Result, node: Node | None = None, **how: Any) -> World:
        """Return a new world on the shared broker, or on another one."""
        world = World(node or self.node, self.path(result), result, **how)
        self._worlds.append(world)
        return world

    def clear(self) -> None:
        """Kill what the worlds so far have left."""
        for world in self._worlds:
            world.abandon()
        self._worlds.clear()

    def close(self) -> None:
        self.clear()
        if self._node is not None:
            self._node.remove()
            self._node = None
