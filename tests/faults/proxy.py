"""A TCP proxy that reads the header of each Kafka request, and can hold up, drop or cut off a single kind of them.

A thread of its own runs the loop; rules are changed from outside at any time.
"""

import asyncio
import contextlib
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from .kafka import Door

PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, JOIN_GROUP, HEARTBEAT = 0, 1, 2, 3, 8, 11, 12
NAMES = {PRODUCE: "Produce", FETCH: "Fetch", OFFSET_COMMIT: "OffsetCommit", JOIN_GROUP: "JoinGroup",
         HEARTBEAT: "Heartbeat", LIST_OFFSETS: "ListOffsets", METADATA: "Metadata"}  # fmt: skip
_SIZE = struct.Struct(">i")
_HEADER = struct.Struct(">ihhi")


@dataclass
class Rule:
    """What happens to the traffic of a door.

    `action`: `refuse` (all connections are cut, none is taken), `silence` (nothing passes in either direction),
    `deaf` (requests pass, answers do not), `mute` (answers pass, requests do not); of a kind of request also `drop`,
    `delay`, `cut` (the connection, before it is sent on), `cut-after` (the request arrives, its answer never does).
    """

    action: str
    api: int | None = None
    seconds: float = 0
    holds: bytes = b""
    """Only requests with these bytes in them, for example a topic's name."""
    hits: int = 0


class Proxy(threading.Thread):
    """Listens at what doors tell their clients, and passes on to where the broker listens."""

    def __init__(self, doors: list[Door]) -> None:
        super().__init__(daemon=True)
        self._doors = doors
        self._rules: dict[str, Rule | None] = {door.name: None for door in doors}
        self._open: dict[str, set[asyncio.StreamWriter]] = {door.name: set() for door in doors}
        self._changed: dict[str, asyncio.Event] = {}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._servers: list[asyncio.Server] = []

    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.create_task(self._listen())
        self._loop.run_forever()

    def begin(self) -> "Proxy":
        self.start()
        if not self._ready.wait(10):
            raise RuntimeError("the proxy does not listen")
        return self

    def set(self, door: Door, rule: Rule | None) -> None:
        """Put a rule in force at a door, or none."""
        self._call(lambda: self._set(door.name, rule))

    def end(self) -> None:
        self._call(lambda: [server.close() for server in self._servers])
        self._call(self._loop.stop)
        self.join(10)
        self._loop.close()

    def _call(self, what: Callable[[], Any]) -> None:
        self._loop.call_soon_threadsafe(what)

    def _set(self, name: str, rule: Rule | None) -> None:
        self._rules[name] = rule
        event, self._changed[name] = self._changed[name], asyncio.Event()
        event.set()
        if rule is not None and rule.action == "refuse":
            for writer in self._open[name]:
                writer.transport.abort()

    async def _listen(self) -> None:
        for door in self._doors:
            self._changed[door.name] = asyncio.Event()
            serve = partial(self._serve, door)
            self._servers.append(await asyncio.start_server(serve, "127.0.0.1", door.told))
        self._ready.set()

    async def _serve(self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rule = self._rules[door.name]
        if rule is not None and rule.action == "refuse":
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", door.port)
        except OSError:
            writer.transport.abort()
            return
        mine = {writer, back}
        self._open[door.name] |= mine
        tasks = {
            asyncio.create_task(self._requests(door.name, reader, back)),
            asyncio.create_task(self._answers(door.name, there, writer)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._open[door.name] -= mine
            for one in mine:
                one.transport.abort()

    async def _passes(self, name: str, *stops: str) -> None:
        """Wait while a rule lets nothing pass."""
        while (rule := self._rules[name]) is not None and rule.action in stops:
            await self._changed[name].wait()

    async def _requests(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                size = await reader.readexactly(4)
                body = await reader.readexactly(_SIZE.unpack(size)[0])
                await self._passes(name, "silence", "mute")
                rule = self._rules[name]
                api = _HEADER.unpack(size + body[:8])[1]
                if rule is not None and rule.api == api and rule.holds in body:
                    rule.hits += 1
                    if rule.action == "drop":
                        continue
                    if rule.action == "cut":
                        return
                    if rule.action == "delay":
                        await asyncio.sleep(rule.seconds)
                writer.write(size + body)
                await writer.drain()
                if rule is not None and rule.api == api and rule.action == "cut-after" and rule.holds in body:
                    await asyncio.sleep(0.05)  # the broker has it; the answer is lost with the connection
                    return

    async def _answers(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._passes(name, "silence", "deaf")
                rule = self._rules[name]
                if rule is not None and rule.action == "cut-after" and rule.hits:
                    return
                writer.write(data)
                await writer.drain()
