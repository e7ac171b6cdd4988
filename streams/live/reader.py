"""Reads partitions that we name ourselves, outside of any group."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer

from streams.live.access import Where, access_of

AGAIN_S = 0.1
"""After it a fetcher that has not ended is told once more; it takes a turn of the loop where it hears it."""


class Reader(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer without a group, from the log's start unless told otherwise, and one that always stops.

    Args:
        bootstrap: The broker.
        more: aiokafka's settings of a consumer, as they are where nothing is said here.
    """

    def __init__(self, bootstrap: Where, **more: Any) -> None:
        super().__init__(
            **access_of(bootstrap).aiokafka(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **more,
        )

    async def stop(self) -> None:
        """Disconnect, also in the moment in which the partitions change.

        aiokafka's fetcher then waits for the requests that it has just cancelled, takes its own cancellation for
        theirs, and goes on for ever.
        """
        stopping = asyncio.ensure_future(super().stop())
        while not (await asyncio.wait({stopping}, timeout=AGAIN_S))[0]:
            if self._fetcher is not None:  # it is none where `start` failed
                self._fetcher._fetch_task.cancel()
        stopping.result()
