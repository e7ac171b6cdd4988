"""Virtual time, and the part of asyncio that the worker uses: its coroutines are driven as generators.

Time is an integer, in ms of a worker's monotonic clock. The accounts live faster: see `run`.
"""

import heapq
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Iterable
from random import Random
from typing import Any


class Home:
    """A process to which tasks belong: it may stand still, or be dead."""

    def __init__(self) -> None:
        self.is_alive = True
        self.is_paused = False
        self.missed: list[tuple[Task | Call, int, BaseException | None]] = []
        """What would have gone on while it stood still."""


class Call:
    """A call that comes back to a process: not while it stands still, and never once it is dead."""

    __slots__ = ("_call", "_home")

    def __init__(self, home: Home, call: Callable[[], None]) -> None:
        self._home, self._call = home, call

    def go_on(self, _turn: int = 0, _error: BaseException | None = None) -> None:
        if self._home.is_paused:
            self._home.missed.append((self, 0, None))
        elif self._home.is_alive:
            self._call()

    def forget(self) -> None:
        """Nothing is left of it."""


class Loop:
    """One heap, one order.

    Args:
        ties: Says which of two things at one instant comes first.
    """

    def __init__(self, ties: Random) -> None:
        self.now = 0
        self.steps = 0
        self.current: Task | None = None
        self._heap: list[tuple[int, float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._tie = ties.random
        self._count = 0

    def at(self, when: int, call: Callable[..., None], *args: Any) -> None:
        """Call something at an instant, at once if that is past."""
        self._count += 1
        heapq.heappush(self._heap, (max(when, self.now), self._tie(), self._count, call, args))

    def after(self, ms: int, call: Callable[..., None], *args: Any) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self.now + ms, self._tie(), self._count, call, args))

    def run(self, until: int) -> None:
        """Let everything happen up to an instant, that included."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= until:
            self.now, _, _, call, args = pop(heap)
            self.steps += 1
            call(*args)
        self.now = max(self.now, until)

    def close(self) -> None:
        """Forget what would have happened."""
        for _, _, _, call, _ in self._heap:
            task = getattr(call, "__self__", None)
            if isinstance(task, Task):
                task.forget()
        self._heap.clear()

    def sleep(self, ms: int) -> "Sleep":
        return Sleep(self, self.now + ms)

    def spawn(self, home: Home, work: Coroutine[Any, Any, Any]) -> "Task":
        """Begin a task of a process."""
        return Task(self, home, work)


class Sleep:
    """Some time; whoever waits for it goes on when the loop comes there."""

    __slots__ = ("_loop", "_when")

    def __init__(self, loop: Loop, when: int) -> None:
        self._loop, self._when = loop, when

    def __await__(self) -> Any:
        yield self

    def waited_for(self, task: "Task", turn: int) -> None:
        self._loop.at(self._when, task.go_on, turn)


class Future:
    """Something that will be known; or has failed."""

    __slots__ = ("error", "is_done", "value", "waiters")

    def __init__(self) -> None:
        self.is_done = False
        self.value: Any = None
        self.error: BaseException | None = None
        self.waiters: list[tuple[Task, int]] = []

    def __await__(self) -> Any:
        if not self.is_done:
            yield self
        if self.error is not None:
            raise self.error
        return self.value

    def waited_for(self, task: "Task", turn: int) -> None:
        self.waiters.append((task, turn))

    def set(self, value: Any = None, error: BaseException | None = None) -> None:
        """Be known; whoever waits goes on later, at this instant."""
        for task, turn in self._known(value, error):
            task.loop.after(0, task.go_on, turn)
        for then in getattr(self, "then", ()):
            then()

    def answer(self, value: Any = None, error: BaseException | None = None) -> None:
        """Be known, said by the loop itself: whoever waits goes on at once."""
        for task, turn in self._known(value, error):
            task.go_on(turn)

    def _known(self, value: Any, error: BaseException | None) -> "list[tuple[Task, int]]":
        if self.is_done:
            return []
        self.is_done, self.value, self.error = True, value, error
        waiters, self.waiters = self.waiters, []
        return waiters


class Task(Future):
    """A coroutine on its way. It is at rest between two of its turns."""

    __slots__ = ("_alarm", "coroutine", "deadlines", "home", "is_cancelled", "loop", "number", "then", "turn")

    def __init__(self, loop: Loop, home: Home, coroutine: Coroutine[Any, Any, Any]) -> None:
        super().__init__()
        self.loop, self.home, self.coroutine = loop, home, coroutine
        self.number = loop._count
        self.turn = 0
        self.deadlines: list[int] = []
        self._alarm = -1
        self.is_cancelled = False
        self.then: list[Callable[[], None]] = []
        loop.after(0, self.go_on, 0)

    def __hash__(self) -> int:
        return self.number  # and not its address: the worker keeps tasks in sets

    def done(self) -> bool:
        return self.is_done

    def cancelled(self) -> bool:
        return self.is_cancelled

    def exception(self) -> BaseException | None:
        return None if self.is_cancelled else self.error

    def cancel(self) -> None:
        self.loop.after(0, self.go_on, self.turn, CancelledError())

    def go_on(self, turn: int, error: BaseException | None = None) -> None:
        """Take a turn, unless it was taken by something else meanwhile."""
        home = self.home
        if not home.is_alive:
            self.forget()
        if self.is_done or turn != self.turn or not home.is_alive:
            return
        if home.is_paused:
            home.missed.append((self, turn, error))
            return
        self.turn += 1
        before, self.loop.current = self.loop.current, self
        try:
            waits_for = self.coroutine.send(None) if error is None else self.coroutine.throw(error)
        except StopIteration as end:
            self.set(end.value)
        except CancelledError as end:
            self.is_cancelled = True
            self.set(error=end)
        except Exception as end:  # noqa: BLE001 - whoever awaits the task has it
            self.set(error=end)
        else:
            waits_for.waited_for(self, self.turn)
            if self.deadlines:
                self._set_alarm()
        finally:
            self.loop.current = before

    def _set_alarm(self) -> None:
        """Have the loop call when time is up; one call is under way, whatever is waited for until then."""
        when = max(min(self.deadlines), self.loop.now)
        if self._alarm < 0 or when < self._alarm:
            self._alarm = when
            self.loop.at(when, self._time_is_up)

    def _time_is_up(self) -> None:
        if self.loop.now != self._alarm:
            return
        self._alarm = -1
        if self.is_done or not self.deadlines:
            return
        if min(self.deadlines) > self.loop.now:
            self._set_alarm()
        else:
            self.go_on(self.turn, TimeoutError())

    def forget(self) -> None:
        """Never begin, if it has not begun."""
        if self.turn == 0:
            self.coroutine.close()


class Event:
    """`asyncio.Event`."""

    def __init__(self) -> None:
        self._is_set = False
        self._next = Future()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        found, self._next = self._next, Future()
        found.set()

    def clear(self) -> None:
        self._is_set = False

    async def wait(self) -> None:
        if not self._is_set:
            await self._next


class Asyncio:
    """What stands in the place of the module `asyncio` in the worker's modules while a run lasts."""

    Event = Event
    CancelledError = CancelledError
    Task = Task

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def get_running_loop(self) -> "Asyncio":
        return self

    def time(self) -> float:
        return self._loop.now / 1000

    async def sleep(self, seconds: float) -> None:
        await self._loop.sleep(round(seconds * 1000))

    def timeout(self, seconds: float) -> "_Timeout":
        return _Timeout(self._loop, self._loop.now + max(1, round(seconds * 1000)))

    def create_task(self, work: Coroutine[Any, Any, Any]) -> Task:
        assert self._loop.current is not None
        return self._loop.spawn(self._loop.current.home, work)

    async def gather(
        self, *work: Coroutine[Any, Any, Any] | Task, return_exceptions: bool = False
    ) -> list[Any]:
        tasks = [one if isinstance(one, Task) else self.create_task(one) for one in work]
        try:
            if return_exceptions:
                await self.wait(tasks)
                return [task.error or task.value for task in tasks]
            await _First(tasks)
            return [task.value for task in tasks]
        except CancelledError:
            for task in tasks:
                task.cancel()
            raise

    async def wait(self, tasks: Iterable[Task], timeout: float | None = None) -> tuple[set[Task], set[Task]]:  # noqa: ASYNC109
        tasks = list(tasks)
        try:
            async with self.timeout(timeout if timeout is not None else 1e9):
                for task in tasks:
                    if not task.is_done:
                        await _Ended(task)
        except TimeoutError:
            pass
        return {one for one in tasks if one.is_done}, {one for one in tasks if not one.is_done}


class _First:
    """Waits until all are done, or one has failed; then the others go on, as in asyncio."""

    def __init__(self, tasks: list[Task]) -> None:
        self._tasks = tasks

    def __await__(self) -> Any:
        while True:
            for task in self._tasks:
                if task.error is not None:
                    raise task.error
            left = [task for task in self._tasks if not task.is_done]
            if not left:
                return
            any_ended = Future()
            for task in left:
                task.then.append(any_ended.set)
            yield any_ended


class _Ended:
    """Waits for a task, however it ends."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __await__(self) -> Any:
        yield self._task


class _Timeout:
    def __init__(self, loop: Loop, deadline: int) -> None:
        self._loop, self._deadline = loop, deadline

    async def __aenter__(self) -> None:
        assert self._loop.current is not None
        self._task = self._loop.current
        self._task.deadlines.append(self._deadline)

    async def __aexit__(self, *_: object) -> None:
        self._task.deadlines.remove(self._deadline)
