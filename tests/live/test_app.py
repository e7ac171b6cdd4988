"""The settings of a worker's Faust app, and the end of what it has beside the app."""

import asyncio
import contextlib

import pytest

from streams.live.app import STOP_S, create_app
from streams.live.worker import Worker, WorkerSettings


@pytest.mark.parametrize("session_s", [6.0, 30.0, 31.0, 600.0])
def test_a_request_may_take_longer_than_a_session_or_faust_would_refuse_to_start(session_s):
    app = create_app("group", "127.0.0.1:9", session_s=session_s)
    assert app.conf.broker_request_timeout > app.conf.broker_session_timeout == session_s


async def test_a_service_that_does_not_hear_that_it_is_to_end_does_not_hold_up_a_stop():
    worker, is_over = Worker(WorkerSettings("127.0.0.1:9")), asyncio.Event()

    async def deaf():
        while not is_over.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await is_over.wait()

    worker._serve(deaf())
    await asyncio.sleep(0)
    stopping = asyncio.create_task(worker.at_stop())
    stopped, _ = await asyncio.wait({stopping}, timeout=STOP_S)
    is_over.set()
    await asyncio.gather(*worker._services)
    assert stopped
