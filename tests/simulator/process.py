"""One worker process: the real worker's hooks and owners, and what the group, the consumer and the system do to it."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from schemas import topics
from schemas.errors import TransportError
from schemas.instant import text
from streams.live.gates import Revoked
from streams.live.intake import Pace
from streams.live.statuses import Tail
from streams.live.transport import REVOKE_S
from streams.live.worker import TICK_S, Worker, WorkerSettings

from .broker import Sender
from .group import SESSION_MS
from .loop import Future, Task
from .ports import SimPorts

if TYPE_CHECKING:
    from .run import World


class Statuses:
    """Follows the status partitions as `live.statuses.StatusTails` does, but looks when something lands."""

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._tails: dict[int, tuple[Tail, list[int], Any]] = {}

    def follow(self, partition: int, start: int, end: int) -> None:
        process = self._process
        self.leave(partition)
        at, is_looking = [start], [False]

        def look() -> None:
            if not is_looking[0]:
                is_looking[0] = True
                process.loop.spawn(process, read())

        async def read() -> None:
            await process.loop.sleep(process.world.chance.ms(1, 500))
            is_looking[0] = False
            if self._tails.get(partition, (None, None, None))[2] is not look:
                return
            log = process.world.broker.log(topics.STATUS, partition)
            found = log.between(at[0], log.end)
            if at[0] == start:  # the topic is compacted
                found = sorted({record.key: record for record in found}.values(), key=lambda one: one.offset)
            for record in found:
                if seen := tail.see(record):
                    process._doubt(partition, seen, True)
            at[0] = log.end
            if seen := tail.reach(at[0]):
                process._doubt(partition, seen, False)

        tail = Tail(end, process.writer)
        self._tails[partition] = tail, at, look
        process.world.broker.log(topics.STATUS, partition).followers.append(look)
        look()

    def leave(self, partition: int) -> None:
        found = self._tails.pop(partition, None)
        if found is not None:
            self._process.world.broker.log(topics.STATUS, partition).followers.remove(found[2])


class Process(Worker, Sender):
    """A worker without Faust: what Faust's side does to it is done by the group and by the world.

    Args:
        world: Where it runs.
        number: Of all processes of the run.
    """

    def __init__(self, world: "World", number: int) -> None:
        Sender.__init__(self)
        self.world, self.loop = world, world.loop
        self.number, self.name = number, f"w{number}"
        self.writer = f"{number:016x}"
        self.settings = WorkerSettings("nowhere", lost_allowed=dict(world.operator.lost_allowed))
        self.owners, self._recovering, self._tasks = {}, {}, {}
        self._services = []
        self._pace = Pace(None)
        self._ports: Any = SimPorts(world.broker, self)
        self._statuses: Any = Statuses(self)
        self.counts = self._ports.counts
        self.app: Any = self
        self.fetch_ms = world.settings.fetch_ms
        self._machine = number % len(world.clock_errors)
        self.is_deaf = self._is_moving = False
        self.generation = 0
        self._reopening: Task | None = None
        self._own: list[Task] = []
        world.broker.log(topics.BOOKS, 0).followers.append(self._see_books)
        self._begin(self._start_up())

    # What the worker asks of its app ----------------------------------------------------------------

    async def _connect(self) -> Any:
        await self._ports.books.refresh()
        return self._ports

    def _tell_recovered(self, owners: list[Any]) -> None:
        """No metrics."""

    async def halt(self, error: BaseException) -> None:
        """Stop because of an error."""
        self.world.stopped(self, error)
        self.die()
        await Future()

    # Life ------------------------------------------------------------------------------------------

    def _begin(self, work: Coroutine[Any, Any, Any]) -> Task:
        task = self.loop.spawn(self, work)
        self._own = [one for one in self._own if not one.is_done]
        self._own.append(task)
        return task

    def note(self, what: str) -> None:
        self.world.note(f"{self.name} {what}")

    async def _start_up(self) -> None:
        await self._guarded(self._ports.books.refresh())
        self.world.group.join(self)
        self._begin(self._tick())

    async def _guarded(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except Revoked:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker stops with it
            await self.halt(error)

    def die(self) -> None:
        """Be gone; what was sent may still land."""
        if not self.is_alive:
            return
        self.is_alive = False
        for task, _, _ in self.missed:
            task.forget()
        self._statuses_left()
        self._ports.shut_all()
        self.world.broker.log(topics.BOOKS, 0).followers.remove(self._see_books)
        self.world.processes.remove(self)
        self.loop.after(SESSION_MS, self.world.group.gone, self)
        self.world.died(self)

    def leave(self) -> None:
        """Be stopped in good order."""
        if self._is_moving:
            return
        self.note("leaves")
        self._is_moving = True
        self._begin(self._leave())

    async def _leave(self) -> None:
        await self._rest()
        self.world.group.gone(self)
        self.die()

    def _statuses_left(self) -> None:
        for number in list(self._statuses._tails):
            self._statuses.leave(number)

    def struck(self, how: str, ms: int) -> None:
        if how == "killed":
            self.note("is killed")
            self.die()
        else:
            self.pause(ms)

    async def strike(self, how: str, ms: int) -> None:
        self.struck(how, ms)
        if how == "killed":
            await Future()
        await self.loop.sleep(0)  # goes on when the process does

    def pause(self, ms: int) -> None:
        """Stand still."""
        if self.is_paused or not self.is_alive:
            return
        self.note(f"stands still for {ms} ms")
        self.is_paused = True
        if ms > SESSION_MS:
            self.loop.after(SESSION_MS, self.world.group.gone, self)
        self.loop.after(ms, self.resume)

    def resume(self) -> None:
        if self.is_paused and self.is_alive:
            self.note("goes on")
            self.is_paused = False
            missed, self.missed = self.missed, []
            for task, turn, error in missed:
                self.loop.after(0, task.go_on, turn, error)
            self.world.group.tell(self)

    def deafen(self, ms: int) -> None:
        """Hear nothing of the group for so long, and go on working."""
        if not self.is_deaf and self.is_alive:
            self.note(f"hears nothing of the group for {ms} ms")
            self.is_deaf = True
            self.loop.after(min(ms, SESSION_MS), self.world.group.gone, self)
            self.loop.after(ms, self._hear_again)

    def _hear_again(self) -> None:
        self.is_deaf = False
        if self.is_alive:
            self.world.group.tell(self)

    # The group -------------------------------------------------------------------------------------

    def hear(self, generation: int) -> None:
        """Hear with a heartbeat that there is a new generation."""
        if not self.is_alive or self.is_deaf or self.is_paused or self._is_moving:
            return  # told again when it goes on; and who is giving up what it has comes again anyhow
        if self not in self.world.group.members or generation > self.generation:
            self.generation = max(generation, self.world.group.generation)
            self._is_moving = True
            self._begin(self._come_again())

    async def _come_again(self) -> None:
        await self._rest()
        self._is_moving = False
        self.world.group.rejoined(self)

    def assigned(self, generation: int, partitions: tuple[int, ...]) -> None:
        """Hear what the group gives."""
        if not self.is_alive or self.is_deaf or self.is_paused or self._is_moving:
            return
        if generation != self.world.group.generation:
            return
        self.generation = generation
        self.note(f"is given {partitions} in generation {generation}")
        self._ports.assigned = set(partitions)
        broker = self.world.broker
        self._ports.rows.partitions = {number: dict(broker.tables[number]) for number in partitions}
        self._reopening = self._begin(self._reopen(set(partitions), generation))

    async def _reopen(self, partitions: set[int], generation: int) -> None:
        """As `live.transport.Consumer.reopen`."""
        await self.loop.sleep(self.world.chance.ms(1, 200))  # the table's changelog
        try:
            await self.after_recovery(partitions)
        except Revoked as gone:
            if generation == self.generation:
                await self.halt(gone)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker stops with it
            await self.halt(error)
        if generation == self.generation:
            self._ports.begin()

    async def _rest(self) -> None:
        """As `live.transport.Consumer.rest`."""
        ports = self._ports
        ports.shut_all()
        aio = self.world.asyncio
        if self._reopening is not None and not self._reopening.is_done:
            self._reopening.cancel()
            await aio.wait([self._reopening], timeout=2.0)
        if ports.assigned:
            hook = aio.create_task(self.before_revoke(set(ports.assigned)))
            done, _ = await aio.wait([hook], timeout=REVOKE_S)
            if not done:
                hook.cancel()
            elif (error := hook.exception()) is not None:
                await self.halt(error)
        ports.assigned = set()
        ports.rows.partitions = {}

    # Clocks and books ------------------------------------------------------------------------------

    def now(self) -> int:
        """Return what its own clock says, in µs."""
        return self.world.calendar() + self.world.clock_errors[self._machine]

    async def _tick(self) -> None:
        """Write a tick into every owned partition, once a second, as `Worker._tick` does."""
        aio, broker = self.world.asyncio, self.world.broker
        while self.world.ticks:
            value = b'{"at":"%s"}' % text(self.now()).encode()
            for number in list(self.owners):
                land = lambda number=number, value=value: broker.append(  # noqa: E731
                    topics.CLOCK, number, [(None, value, ())], self.name
                )
                try:
                    await broker.request(self, f"tick[{number}]", land)
                except TransportError as error:
                    self.note(f"no tick: {error}")
            await aio.sleep(TICK_S)

    def _see_books(self) -> None:
        self.loop.after(self.world.chance.ms(1, 500), lambda: self._begin(self._refresh()))

    async def _refresh(self) -> None:
        try:
            await self._ports.books.refresh()
        except TransportError as error:
            self.note(f"no look at the books: {error}")
            self._see_books()
