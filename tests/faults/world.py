"""One world: topics of its own, a population, workers, a watch; faults happen in it, and then it is held to account."""

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from schemas.wire import canonical
from streams.live import topics as admin
from streams.policies.load import load_book

from . import checker, checker_dump
from .checker_dump import Dump
from .dump import dump_topics
from .kafka import Node
from .outcome import Fault, Result
from .population import Population, Sent, write_book
from .publisher import Publisher, publish_all
from .watch import Moment, Watch
from .workers import Worker

READ = ("follower-counts", "account-facts")
STUCK_S = 60
"""Whoever takes no input for so long while there is some is stuck (README: the watchdog's promise is twice that)."""


class World:
    """Topics, population, workers and watch of one run.

    Args:
        node: The broker.
        directory: For logs and dumps.
        result: What is filled in.
        rate: Records a second in wall time.
        platforms: Of the book; there is a deadline every twelve seconds (in a history: days) for so long.
        history: Records of a history, published before anybody starts; 0: wall time.
        pace: Days of a history a second.
        partitions: Of each topic.
        session_s: Of the group.
        odd: Multiplies late, doubled and dead records.
        accounts: Of each platform.
        unit_s: Seconds of the book's unit in wall time.
        prefix: Of its topics, where it is not to make one up.
    """

    def __init__(
        self,
        node: Node,
        directory: Path,
        result: Result,
        *,
        rate: float = 60,
        platforms: int = 40,
        history: int = 0,
        pace: float = 2,
        partitions: int = 4,
        session_s: int = 2,
        odd: float = 1,
        accounts: int = 12,
        unit_s: float = 1,
        prefix: str = "",
    ) -> None:
        self.node, self.directory, self.result = node, directory, result
        self.random = Random(result.seed)
        self.partitions, self.session_s = partitions, session_s
        made_up = f"f{result.test.lower()}n{result.number}s{result.seed}x{self.random.randrange(10**6)}."
        self.prefix = prefix or made_up
        self.time = "records" if history else "clock"
        result.time = self.time
        self.workers: list[Worker] = []
        self.ended: list[Worker] = []
        self.leaving: list[Worker] = []
        self.is_finished, self._started = False, 0
        self._began = time.monotonic()
        directory.mkdir(parents=True, exist_ok=True)
        admin.apply(node.bootstrap, admin.wanted(self.prefix, partitions))
        self.unit = unit = timedelta(days=1) if history else timedelta(seconds=unit_s)
        self.begins = now = datetime(2024, 1, 1, tzinfo=UTC) if history else datetime.now(UTC)
        self.has_oracle = True
        self.book = write_book(directory / "book", now, unit, platforms)
        self.population = Population(result.seed, now, unit, platforms, accounts, odd)
        self.publisher = Publisher(node.bootstrap, self.prefix, self.population, rate)
        self.publish_book()
        self.until = now + unit * 12 * (platforms + 4)
        self._pace = ["--pace", str(pace)] if history else []
        if history:
            step = (self.until - now) / history
            drawn = (self.population.draw(now + step * n) for n in range(history))
            publish_all(node.bootstrap, self.prefix, drawn, self.publisher.hear)
        else:
            self.publisher.start()
        self.watch = Watch(node.bootstrap, self.prefix, partitions)
        self.watch.start()

    def publish_book(self) -> None:
        """Put the book into its topic."""
        book = load_book(self.book)
        value = canonical({"book": book.tables, "hash": book.hash})
        publish_all(self.node.bootstrap, self.prefix, [Sent("policy-book", None, value)])

    # Workers -------------------------------------------------------------------------------------

    def start(
        self,
        failpoint: str | None = None,
        *,
        bootstrap: str | None = None,
        clock: Path | None = None,
        more: tuple[str, ...] = (),
        pace: bool = True,
    ) -> Worker:
        """Start one more worker."""
        arguments = ["--bootstrap", bootstrap or self.node.bootstrap, "--prefix", self.prefix]
        arguments += ["--session", str(self.session_s)]
        if self.time == "records":
            arguments += ["--time", "records", "--until", self.until.strftime("%Y-%m-%dT%H:%M:%SZ")]
            arguments += self._pace if pace else []
        self._started += 1
        name = f"worker-{self._started:03}"
        worker = Worker(self.directory, name, [*arguments, *more], failpoint=failpoint, clock=clock)
        self.workers.append(worker)
        return worker

    def lose(self, worker: Worker) -> None:
        """Kill a worker, and forget it as one of those that work."""
        worker.kill()
        self.workers.remove(worker)
        self.ended.append(worker)

    def leave(self, worker: Worker) -> None:
        """Ask a worker to end, and forget it as one of those that work."""
        worker.ask_to_end()
        self.workers.remove(worker)
        self.leaving.append(worker)

    def supervise(self) -> None:
        """Start those again that ended by themselves, and write down with what words they did."""
        for worker in [one for one in self.workers if not one.is_running]:
            self.workers.remove(worker)
            self.ended.append(worker)
            code = worker.process.returncode
            if code != -9:
                said = [line for line in worker.log.splitlines() if line.strip()]
                self.result.exits.append(f"{worker.name}: exit {code}: {(said or [''])[-1][:300]}")
            self.start(bootstrap=worker.bootstrap)

    def owners(self) -> list[Worker]:
        """Return the running workers that work on something."""
        return [one for one in self.workers if one.is_running and not one.is_still and one.owned()]

    def wait(
        self, condition: Callable[[], Any], patience_s: float = STUCK_S, *, supervised: bool = True
    ) -> Any:
        """Wait for something; return it, or None after a while."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            if supervised:
                self.supervise()
            found = condition()
            if found:
                return found
            time.sleep(0.05)
        return None

    def wait_owned(self) -> None:
        """Wait until all partitions have their owners at work."""
        everything = set(range(self.partitions))
        if not self.wait(lambda: set().union(*(one.owned() for one in self.owners())) == everything):
            self.stuck("no owners")

    @property
    def is_stuck(self) -> bool:
        return bool(self.result.stuck)

    def stuck(self, what: str) -> None:
        self.result.stuck.append(f"{what}; positions {self.watch.positions}; owned "
                                 f"{[(one.name, sorted(one.owned())) for one in self.workers]}")  # fmt: skip

    # Progress ------------------------------------------------------------------------------------

    def unread(self, partitions: set[int] | None = None) -> int:
        """Return how many acknowledged records no accepted entry has taken."""
        return sum(
            max(0, end - self.watch.positions[partition].get(topic, 0))
            for (topic, partition), end in list(self.publisher.sent.items())
            if topic in READ and (partitions is None or partition in partitions)
        )

    def recovers(self, fault: Fault, hit: set[int], since: Moment, patience_s: float = STUCK_S) -> None:
        """Wait until the hit partitions take input again, and write the fault down."""
        fault.partitions = len(hit)
        self.result.faults.append(fault)
        if not hit or (self.time == "records" and self.is_done()):
            return
        came: dict[int, float] = {}
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            came = self.watch.goes_on(hit, since, 0.3)
            self.supervise()
            if len(came) == len(hit):
                fault.recovery_s = round(max(came.values()), 3)
                return
            if self.time == "records" and self.is_done():
                return
        self.stuck(f"{fault.kind} {fault.place}: partitions {sorted(hit - came.keys())} take nothing")

    def is_done(self) -> bool:
        """Whether everything that was published is taken (in wall time: by now)."""
        return self.unread() == 0

    # The end -------------------------------------------------------------------------------------

    def finish(self, *, patience_s: float = 120) -> Result:
        """Publish no more, let the workers come to rest, end them, and hold everything against everything."""
        result, self.is_finished = self.result, True
        self.publisher.stop()
        for worker in self.workers:
            worker.go_on()
        self.supervise()
        if self.time == "records":
            for worker in list(self.workers):  # the last ones go as fast as they can
                self.lose(worker)
            self.start(pace=False)
        if not self.workers:
            self.start()
        is_at_rest = self._comes_to_rest(patience_s)
        if not is_at_rest:
            self.stuck("not everything was taken at the end")
        else:
            self._hand_over()
        self._end_workers()
        self.watch.stop()
        dump = self.dump(is_at_rest=is_at_rest)
        self.account(dump)
        admin.delete(
            self.node.bootstrap, admin.wanted(self.prefix, self.partitions), f"{self.prefix}nameplate"
        )
        result.rss_mb = max((one.rss_kb for one in (*self.workers, *self.ended)), default=0) // 1024
        result.seconds = round(time.monotonic() - self._began, 1)
        return result

    def _comes_to_rest(self, patience_s: float) -> bool:
        """Wait until all is taken, however long it takes, as long as something is taken every now and then."""
        before = -1
        while (left := self.unread()) != before:
            before = left
            if self.wait(self.is_done, patience_s):
                return True
        return False

    def _hand_over(self) -> None:
        """Let a new owner prove the table or build it anew: what a zombie wrote late stays there until one does."""
        for worker in list(self.workers):
            self.leave(worker)
        self.start(pace=False)
        self.wait_owned()

    def _end_workers(self) -> None:
        for worker in self.workers:
            worker.ask_to_end()
        for worker in (*self.leaving, *self.workers):
            code = worker.finish()
            if code:
                last = (worker.log.splitlines() or [""])[-1][:300]
                self.result.exits.append(f"{worker.name}: exit {code} when asked to end: {last}")
        self.ended += self.leaving

    def dump(self, *, is_at_rest: bool) -> Dump:
        """Read everything out of the topics."""
        dump = dump_topics(self.node.bootstrap, self.prefix, self.partitions)
        until = self.until.strftime("%Y-%m-%dT%H:%M:%SZ") if self.time == "records" else None
        dump.world = {"time": self.time, "until": until, "is_at_rest": is_at_rest, "lost": []}
        dump.world["book"] = str(self.book) if self.has_oracle else None
        dump.logs = {worker.name: worker.log for worker in (*self.ended, *self.workers)}
        return dump

    def account(self, dump: Dump) -> None:
        """Let the checker look at a dump; keep it where something is wrong."""
        found = checker.check(dump)
        self.result.violations = found.violations
        self.result.counts |= found.counts
        directory = self.directory / "dump"
        checker_dump.write(dump, directory)
        self.result.violations["I8"] = checker.audit(dump, directory)
        if self.result.is_clean:
            shutil.rmtree(directory)

    def abandon(self) -> None:
        """Kill whatever still runs."""
        for worker in (*self.workers, *self.leaving):
            worker.kill()
        self.publisher._stopping.set()
        self.watch._stopping.set()
