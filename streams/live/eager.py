"""Begins a coroutine at once, without a task: most of those that might have to wait do not."""

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, NamedTuple, TypeVar

_Result = TypeVar("_Result")


class Ended(NamedTuple):
    """What came to its end without waiting for anything."""

    result: Any


def begin(work: Coroutine[Any, Any, _Result]) -> Ended | Coroutine[Any, Any, _Result]:
    """Let a coroutine run up to where it waits for the first time.

    Python 3.12 has the same for tasks (`asyncio.eager_task_factory`).

    Args:
        work: Not begun yet.

    Returns:
        What it came to; or, where it has to wait, what goes on with it, for a task to run.

    Raises:
        Exception: as the coroutine.
    """
    try:
        waits_for = work.send(None)
    except StopIteration as end:
        return Ended(end.value)
    return _rest(work, waits_for)


async def _rest(work: Coroutine[Any, Any, _Result], waits_for: Any) -> _Result:
    found: _Result = await _gone_on(work, waits_for)
    return found


@coroutine
def _gone_on(work: Coroutine[Any, Any, _Result], waits_for: Any) -> Generator[Any, Any, _Result]:
    """Hand on what a coroutine waits for, the first of it known already, and what comes of it."""
    try:
        while True:
            try:
                answer = yield waits_for
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001 - a cancellation is the coroutine's, too
                waits_for = work.throw(error)
            else:
                waits_for = work.send(answer)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        work.close()
