"""The Faust app of a worker: settings, one agent for all inputs, and what stops the process."""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.serializers import codecs
from faust.serializers.schemas import Schema
from yarl import URL

from schemas import topics
from streams.live.access import Access, Where, access_of
from streams.live.failpoints import reach
from streams.live.fetched import Run
from streams.live.rows import Rows, Tables
from streams.live.transport import Transport
from streams.memory import calm_memory

BATCH_TOPICS = (
    topics.COUNTS,
    topics.FACTS,
    topics.CLOCK,
)  # the book's topic is read outside the group (rule 23)
QUEUE = 16  # polls between the fetch and the agent; the driver's inboxes do the rest
STOP_S = 20.0  # after this a worker that was told to stop and has not come to its end is ended
HALT_S = 5.0  # and one that stops because of an error: Faust may wait for a thread that crashed

# Nothing here is decoded by Faust, and what runs whatever a sender writes shall not even be there to be named.
for _name in [name for name in codecs.codecs if name not in {"raw", "binary", "json"}]:
    del codecs.codecs[_name]

log = logging.getLogger(__name__)

Partitions = set[int]


class RunSchema(Schema):  # type: ignore[misc]
    """Gives the agent a poll's runs themselves: there is nothing to decode."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:
        """Return the decoder that Faust calls for each message."""

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            del propagate
            return app.create_event(None, message.value, None, message)

        return decode


class App(faust.App):  # type: ignore[misc]
    """A Faust app with three hooks, set by the driver before the start.

    Attributes:
        on_run: Takes a run that continues the one before it. Should not wait for work: `consumer.hold` is the
            way to slow a partition down. May still be at work on its last run when `before_revoke` is called.
        after_recovery: Told the partitions of a new assignment once their rows are recovered; calls
            `consumer.open_at`. May take long; cancelled if the group moves again.
        before_revoke: Told the partitions about to go; comes to rest within 5 s.
        batch_topics: Full names of the topics that are delivered in runs.
        rows: The rolling table.
        halted: Why the worker stops, if it does by itself.

    An exception out of a hook stops the process with exit code 1.
    """

    on_run: Callable[[Run], Awaitable[None]]
    after_recovery: Callable[[Partitions], Awaitable[None]]
    before_revoke: Callable[[Partitions], Awaitable[None]]
    batch_topics: frozenset[str] = frozenset()
    rows: Rows
    halted: BaseException | None = None
    owns_process: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._timers: list[threading.Timer] = []
        super().__init__(*args, **kwargs)

    async def at_start(self) -> None:
        """Let the driver begin its own services; to be replaced."""

    async def at_stop(self) -> None:
        """Let the driver end its own services; to be replaced."""

    async def halt(self, error: BaseException) -> None:
        """Stop the worker because of an error; nothing more is handed over from now on."""
        if self.halted is None:
            self.halted = error
            self._end_after(HALT_S, getattr(error, "exit_status", 1), str(error))
        await self.crash(error)

    async def _on_agent_error(self, agent: Any, error: BaseException) -> None:
        """Stop: Faust would start the agent again and go on with the next run."""
        del agent
        await self.halt(error)

    def _end_after(self, seconds: float, code: int, why: str = "it was told to stop") -> None:
        if self.owns_process:
            timer = threading.Timer(seconds, _end, (seconds, code, why))
            timer.daemon = True
            timer.start()
            self._timers.append(timer)

    async def deliver(self, run: Run) -> None:
        """Hand a run to the driver, unless its partition was revoked or opened anew meanwhile."""
        await reach("deliver.before")
        if self.halted is None and self.consumer.take(run):
            await self.on_run(run)

    async def on_start(self) -> None:
        """Start as Faust does."""
        await super().on_start()
        await self.at_start()

    async def on_stop(self) -> None:
        """Let the driver come to rest and commit what it accepted, then stop as Faust does."""
        self._end_after(STOP_S, os.EX_SOFTWARE)
        if self.halted is None and self._consumer is not None:
            await self.consumer.rest(self.assigned_partitions())
        await self.at_stop()
        await super().on_stop()

    def _on_rebalance_when_stopped(self) -> None:
        """Do nothing: the consumer is closed in its own thread, at its turn, and leaves the group then.

        Faust would close it from this thread. Then it takes itself for closed and does not leave: the others wait
        until its session ends. And its tasks are cancelled once, wherever they are. aiokafka's coordination does not
        hear of it while it waits for the end of another task: it joins the group again, nobody reads the answer any
        more, and this thread stands still until the request times out, which is later than `STOP_S`.
        """

    def stay(self) -> None:
        """Let the process live on: the worker has stopped."""
        for timer in self._timers:
            timer.cancel()

    def assigned_partitions(self) -> Partitions:
        """Return the numbers of the partitions of the current assignment."""
        return {tp.partition for tp in self._assignment or () if tp.topic in self.batch_topics}

    def _create_directories(self) -> None:
        """Make none: nothing is kept on disk."""


def create_app(
    group: str, bootstrap: Where, prefix: str = topics.DEFAULT_PREFIX, *, session_s: float = 6.0
) -> App:
    """Return the app of one worker, with its hooks not yet set.

    Args:
        group: The consumer group; workers of one group share the partitions.
        bootstrap: The broker.
        prefix: Before each topic's short name.
        session_s: After how many silent seconds the group takes a worker for dead; 6 is the broker's least.
    """
    brokers = [URL(f"batch://{host.strip()}") for host in str(bootstrap).split(",")]
    app = App(
        group,
        broker=brokers,
        broker_credentials=_credentials(access_of(bootstrap)),
        broker_session_timeout=session_s,
        broker_heartbeat_interval=1.0,
        broker_rebalance_timeout=15.0,  # the others wait so long for one that lives but does not come back
        broker_request_timeout=max(30.0, session_s + 1.0),  # Faust wants it to be longer than a session
        broker_commit_interval=1.0,
        broker_max_poll_interval=1000.0,
        consumer_auto_offset_reset="none",
        consumer_metadata_max_age_ms=10_000,
        consumer_max_fetch_size=1024 * 1024,
        producer_acks=-1,
        producer_linger_ms=0,  # batches are prepared whole: waiting for more only costs time
        producer_max_batch_size=512 * 1024,
        producer_request_timeout=30.0,
        stream_wait_empty=False,  # before_revoke is where the driver comes to rest
        stream_recovery_delay=0.0,
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
        store="memory://",
        TableManager=Tables,
        autodiscover=False,
    )
    app.transport = Transport(brokers, app)
    app.producer_transport = app.transport
    names = [topics.full_name(short, prefix) for short in BATCH_TOPICS]
    app.batch_topics = frozenset(names)
    app.rows = app.tables.add(
        Rows(app, name="rows", changelog=f"{prefix}rows-changelog", beacon=app.tables.beacon)
    )
    _add_agent(app, names)
    return app


def _credentials(access: Access) -> SASLCredentials | SSLCredentials | None:
    """Return what is needed to be let in, in Faust's words."""
    said = access.aiokafka()
    context = said.get("ssl_context")
    if "sasl_mechanism" in said:
        return SASLCredentials(
            username=said["sasl_plain_username"],
            password=said["sasl_plain_password"],
            mechanism=said["sasl_mechanism"],
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None


def _add_agent(app: App, names: Sequence[str]) -> None:
    """Add one agent for all inputs: the runs of all topics then come in one order, from one queue."""

    async def runs(stream: Any) -> None:
        async for event in stream.noack().events():
            for run in event.value:
                await app.deliver(run)

    channel = app.topic(*names, schema=RunSchema(), acks=False, maxsize=QUEUE)
    app.agent(channel, name="runs")(runs)


def run_worker(app: App) -> int:
    """Run a worker until SIGTERM, SIGINT or an error.

    Returns:
        0 after a signal, 1 after an error, which is the app's `halted`. If it has not stopped 20 s after a signal the
        process is ended with 70, and 5 s after an error with that error's exit status.
    """
    calm_memory()
    app.owns_process = True
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = faust.Worker(app, loop=loop, override_logging=False, quiet=True)
    worker.spinner = None  # it would write to our standard output
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        if code and app.halted is None:  # it did not come as far as its hooks
            app.halted = end.__context__
    finally:
        app.stay()
    return 1 if app.halted else code


def _end(seconds: float, code: int, why: str) -> None:
    log.critical("the worker did not stop within %s s and is ended: %s", seconds, why)
    os._exit(code)
