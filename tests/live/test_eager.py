"""What is begun at once ends as it would have ended in a task."""

import asyncio

import pytest

from streams.live.eager import Ended, begin


async def test_what_waits_for_nothing_needs_no_task():
    async def seven() -> int:
        return 7

    assert begin(seven()) == Ended(7)


async def test_what_waits_goes_on_in_a_task_from_where_it_waits():
    told, room = [], asyncio.get_running_loop().create_future()

    async def work() -> str:
        told.append("begun")
        told.append(await room)
        await asyncio.sleep(0)
        return "ended"

    rest = begin(work())
    assert told == ["begun"]
    task = asyncio.create_task(rest)
    room.set_result("room")
    assert await task == "ended"
    assert told == ["begun", "room"]


async def test_a_cancellation_reaches_what_waits():
    told = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    task = asyncio.create_task(begin(work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == ["cancelled"]


async def test_an_error_is_raised_where_it_comes_up():
    async def at_once() -> None:
        raise LookupError("at once")

    async def later() -> None:
        await asyncio.sleep(0)
        raise LookupError("later")

    with pytest.raises(LookupError, match="at once"):
        begin(at_once())
    with pytest.raises(LookupError, match="later"):
        await begin(later())


async def test_what_nobody_goes_on_with_is_closed():
    told = []

    async def work() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            told.append("closed")

    rest = begin(work())
    rest.send(None)
    rest.close()
    assert told == ["closed"]
