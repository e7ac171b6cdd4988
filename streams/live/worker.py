"""One worker process: the Faust app, the owners of its partitions, the clock and the policy books."""

import asyncio
import logging
import os
import secrets
import signal
import time as wall
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiokafka.errors import KafkaError

from schemas import topics
from schemas.counts import IS_COMPILED
from schemas.errors import OperatorError, TransportError
from schemas.instant import SECOND, text
from schemas.records import Records
from schemas.wire import canonical
from streams.core.decider import Time
from streams.live.access import Where
from streams.live.acls import check_worker
from streams.live.app import create_app, run_worker
from streams.live.books import Books
from streams.live.counts import Counts
from streams.live.fetched import Run
from streams.live.gates import Revoked
from streams.live.intake import Pace, Piece
from streams.live.log import Log
from streams.live.owner import Owner, Superseded
from streams.live.performer import View
from streams.live.ports import Ports
from streams.live.remedies import REFUSED, no_answer, not_allowed, said
from streams.live.rows import send_in_order
from streams.live.standing import Standing, standing_of, watched_at_work, watched_inputs
from streams.live.statuses import Seen, StatusTails
from streams.live.topics import check
from streams.live.watchdog import PERIOD_S, Watchdog, Watched

TICK_S = 1.0
"""Bounds how late a deadline fires: by a second and a step. Twelve partitions make twelve records a second."""

CLOSE_S = 1.0
"""For the services and connections outside of the group to end, which takes milliseconds; what does not hear of it may
not hold up the end. Faust waits two seconds more for what is left, and all of it has to be over within `HALT_S`."""

NONCE_BYTES = 8

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker is started."""

    bootstrap: Where
    prefix: str = topics.DEFAULT_PREFIX
    group: str = "nameplate"
    time: Time = "clock"
    until: int | None = None
    """Where T goes at the end of a history, in µs."""
    pace: float | None = None
    """At most so many days of a history per second; None for no bound."""
    stop_at_end: bool = False
    """Stop once all inputs were taken up to the ends seen at the start."""
    session_s: float = 6.0
    lost_allowed: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """By topic and partition the position from which on an operator takes a loss of records upon himself."""
    metrics_port: int | None = None
    """Where metrics are served on 127.0.0.1; None: nowhere."""
    watchdog_s: float = PERIOD_S
    """After how long without progress the worker ends itself."""


class Worker:
    """Joins the parts of a worker; its methods are the hooks of the Faust app.

    Args:
        settings: How it was started.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self.writer = secrets.token_hex(NONCE_BYTES)
        self.owners: dict[int, Owner] = {}
        self.counts = Counts()
        self._recovering: dict[int, Owner] = {}
        self._ticks = 0
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._services: list[asyncio.Task[None]] = []
        prefix = settings.prefix
        self._shorts = {topics.full_name(short, prefix): short for short in topics.INPUTS}
        self.app = create_app(settings.group, settings.bootstrap, prefix, session_s=settings.session_s)
        self.app.on_run = self.on_run
        self.app.at_start = self.at_start  # type: ignore[method-assign]
        self.app.after_recovery = self.after_recovery
        self.app.before_revoke = self.before_revoke
        self.app.at_stop = self.at_stop  # type: ignore[method-assign]
        self._ports: Ports | None = None
        self._pace = Pace(settings.pace)
        self._statuses = StatusTails(settings.bootstrap, prefix, self.writer, self._doubt)

    def run(self) -> int:
        """Run until a signal, an error, or the end of a history; return the exit code.

        Raises:
            OperatorError: a topic is missing, or the clock topic does not stamp ticks (rule 20).
            TransportError: the broker does not answer.
            Exception: whatever stopped the worker.
        """
        settings = self.settings
        if settings.metrics_port is not None:
            from streams.live import metrics  # noqa: PLC0415 - who does not ask for them does not load them

            metrics.serve(settings.metrics_port, metrics.Numbers(self.counts, self._standings))
        if not IS_COMPILED:
            log.warning(
                "counts are read in Python, many times slower: there was no C compiler at the installation"
            )
        check(settings.bootstrap, settings.prefix, with_ticks=settings.time == "clock")
        check_worker(settings.bootstrap, settings.prefix, settings.group)
        code = run_worker(self.app)
        if isinstance(self.app.halted, REFUSED):
            raise OperatorError(not_allowed(said(self.app.halted), settings.bootstrap)) from self.app.halted
        if isinstance(self.app.halted, KafkaError):
            raise TransportError(no_answer(settings.bootstrap, repr(self.app.halted))) from self.app.halted
        if self.app.halted is not None:
            raise self.app.halted
        return code

    # Hooks of the app ----------------------------------------------------------------------------

    async def on_run(self, run: Run) -> None:
        """Hand a run to the owner of its partition."""
        owner = self.owners.get(run.partition)
        if owner is not None:
            short = self._shorts[run.topic]
            records = Records.of(run) if short == topics.CLOCK else run.read()
            owner.offer(Piece(short, records, run.end))

    async def at_start(self) -> None:
        """Begin to look whether there is progress."""
        watchdog = Watchdog(
            self._watched,
            lambda: self._ports.log if self._ports is not None else None,
            self.settings.watchdog_s,
        )
        self._serve(watchdog.run())

    async def after_recovery(self, partitions: set[int]) -> None:
        """Take over every partition of a new assignment, then let its owner work."""
        log.info("the group gives us the partitions %s", sorted(partitions))
        ports = await self._connect()
        settings = self.settings
        owners = [
            Owner(
                number,
                ports,
                time=settings.time,
                writer=self.writer,
                until=settings.until,
                pace=self._pace,
                lost_allowed={t: at for (t, p), at in settings.lost_allowed.items() if p == number},
            )
            for number in sorted(partitions)
        ]
        self._recovering = {owner.partition: owner for owner in owners}
        try:
            await asyncio.gather(*(self._recover(owner) for owner in owners))
            for owner in owners:
                bounds = await owner.performer.patiently(
                    partial(ports.log.bounds, [topics.STATUS], owner.partition)
                )
                start, end = bounds[topics.STATUS]
                self._statuses.follow(owner.partition, start, end)
                self._start(owner)
        finally:
            self._recovering = {}
        self._tell_recovered(owners)
        if settings.stop_at_end:
            self._services.append(asyncio.create_task(self._stop_at_end(owners)))

    async def before_revoke(self, partitions: set[int]) -> None:
        """Let the owners finish the step that is under way, and drop them; end those that cannot in time."""
        for number in partitions:
            self._statuses.leave(number)
        leaving = [(self.owners.pop(number, None), self._tasks.pop(number, None)) for number in partitions]
        for owner, _ in leaving:
            if owner is not None:
                await owner.rest()
        tasks = {task for _, task in leaving if task is not None}
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            # one that was still at work when the partition comes back would write into its successor's rows
            for task in tasks:
                task.cancel()

    async def at_stop(self) -> None:
        """End the services and the connections outside of the group; what is left of them ends with the process."""
        for service in self._services:
            service.cancel()
        ending = {*self._services}
        if self._ports is not None:
            ending.add(asyncio.create_task(self._ports.log.stop()))
        if ending and (await asyncio.wait(ending, timeout=CLOSE_S))[1]:
            log.warning("a connection outside of the group was not closed within %s s and is left", CLOSE_S)

    # Owners --------------------------------------------------------------------------------------

    async def _recover(self, owner: Owner) -> None:
        if not await owner.recover():
            raise Revoked(("partition", owner.partition))

    def _tell_recovered(self, owners: list[Owner]) -> None:
        rows = sum(len(View(self.app.rows.partition(owner.partition))) for owner in owners)
        seconds = wall.monotonic() - self.app.tables.recovery.began_at
        self.counts.recovered(seconds, rows)
        log.info("recovered %s rows of %s partitions in %.1f s", rows, len(owners), seconds)

    def _start(self, owner: Owner) -> None:
        self.owners[owner.partition] = owner
        self._tasks[owner.partition] = asyncio.create_task(self._work(owner))

    async def _work(self, owner: Owner) -> None:
        """Let an owner work; one whose entry was void is built anew while the partition is still ours (rule 16)."""
        try:
            while True:
                try:
                    await owner.work()
                    return
                except Superseded as void:
                    log.warning("partition %s: %s", owner.partition, void)
                    if not await owner.is_kept() or not await owner.recover():
                        return
        except Revoked as gone:
            log.info("partition %s: %s", owner.partition, gone)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker stops with it
            await self.app.halt(error)

    async def _stop_at_end(self, owners: list[Owner]) -> None:
        """End the process once all of its partitions are at the ends of their histories."""
        for owner in owners:
            await owner.at_end.wait()
        if all(self.owners.get(owner.partition) is owner for owner in owners):
            log.info("all partitions are at their end")
            os.kill(os.getpid(), signal.SIGTERM)  # the one way by which a worker comes to its end

    # Services ------------------------------------------------------------------------------------

    async def _connect(self) -> Ports:
        """Connect to the broker once, outside of the group."""
        if self._ports is None:
            settings = self.settings
            reader = Log(settings.bootstrap, settings.prefix)
            await reader.start()
            books = Books(reader, self._wake)
            self._ports = Ports(
                self.app,
                reader,
                books,
                bootstrap=settings.bootstrap,
                prefix=settings.prefix,
                counts=self.counts,
            )
            await books.refresh()
            self._serve(books.follow())
            self._serve(self._statuses.run())
            if settings.time == "clock":
                self._serve(self._tick())
        await self._ports.books.refresh()
        return self._ports

    def _serve(self, service: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(service)
        task.add_done_callback(self._served)
        self._services.append(task)

    def _served(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._services.append(asyncio.create_task(self.app.halt(error)))

    async def _tick(self) -> None:
        """Write a tick into every owned partition, once a second."""
        name = topics.full_name(topics.CLOCK, self.settings.prefix)
        while True:
            now = wall.time_ns() // 1000
            value = canonical({"at": text(now)})
            producer = self.app.producer._producer
            sends = (
                send_in_order(producer, name, number, [(None, value, [])]) for number in list(self.owners)
            )
            try:
                await asyncio.gather(*sends)
            except TransportError as error:
                log.warning("no tick: %s", error)  # the next one carries the time as well
            self._ticks += 1
            await asyncio.sleep(TICK_S - (now % SECOND) / SECOND * TICK_S)

    def _doubt(self, partition: int, seen: Seen, late: bool) -> None:
        owner = self.owners.get(partition)
        if owner is not None:
            owner.doubt(seen, late=late)

    def _wake(self) -> None:
        for owner in self.owners.values():
            owner.wake()

    # For who looks after it ----------------------------------------------------------------------

    def _standings(self) -> dict[int, Standing]:
        """Return where each owned partition stands; called from the thread of the metrics."""
        ports, owners = self._ports, self.owners.copy()
        return {number: standing_of(owner, ports) for number, owner in owners.items() if ports is not None}

    def _watched(self) -> Iterator[Watched]:
        """Yield what should move now."""
        if self.settings.time == "clock" and self._ports is not None:
            yield Watched("the clock", self._ticks, "the acknowledgement of ticks")
        recovery = self.app.tables.recovery
        for number in self.app.assigned_partitions():
            task = self._tasks.get(number)
            if number in self._recovering:
                yield from watched_at_work(self._recovering[number])
            elif self._ports is not None and task is not None and not task.done():
                yield from watched_at_work(self.owners[number])
                yield from watched_inputs(self.owners[number], self._ports)
            else:
                waits_for = "records of the table" if recovery.in_recovery else "an owner"
                yield Watched(f"partition {number}", recovery.moves, waits_for)
