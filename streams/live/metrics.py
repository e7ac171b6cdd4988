"""The worker's numbers in Prometheus' form, on a port of this machine alone.

Laws of this file:

* No label holds an account, a platform's name or anything else that came with a record: only topics, partitions,
  and the types and codes of our own schemas.
* Nothing is counted here. A scrape reads plain integers that others keep, in a thread of its own, so that it
  also answers while the worker is busy; it copies a dict before it looks at it, which no other thread can
  disturb, and what it reads of two of them may be one entry apart.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import ThreadingHTTPServer
from itertools import accumulate
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, MetricsHandler, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from schemas.errors import OperatorError
from schemas.instant import SECOND
from streams.live.counts import BOUNDS_S, Counts
from streams.live.standing import Standing

HOST = "127.0.0.1"
PATH = "/metrics"

log = logging.getLogger(__name__)


class Numbers(Collector):
    """All numbers of a worker, made anew for every scrape.

    Args:
        counts: What it counts.
        standings: Tells of every partition that it owns now where it stands.
    """

    def __init__(self, counts: Counts, standings: Callable[[], Mapping[int, Standing]]) -> None:
        self._counts = counts
        self._standings = standings

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield from self._of_entries()
        yield from self._of_partitions()
        counts = self._counts
        yield _gauge("recovery_seconds", "How long the last recovery of this worker took.", counts.recovery_s)
        yield _gauge("recovered_rows", "Rows of the table after the last recovery.", counts.recovered_rows)

    def _of_entries(self) -> Iterator[Metric]:
        counts = self._counts
        records = counts.records.copy()
        yield _counter(
            "records",
            "Records that journal entries of this worker passed, by input.",
            ("topic", "partition"),
            (((topic, str(partition)), count) for (topic, partition), count in records.items()),
        )
        total = sum(counts.quiet.copy().values())
        yield _counter("quiet_records", "Follower counts that decided nothing.", (), [((), total)])
        total = sum(counts.taken.copy().values())
        yield _counter("taken_records", "Follower counts that decided something.", (), [((), total)])
        for name, said, label, kept in (
            ("dead_letters", "Records that could not be read, by reason.", "code", counts.dead_letters),
            ("decisions", "Decisions, by the type of what they said.", "type", counts.decisions),
        ):
            samples = [((value,), count) for value, count in kept.copy().items()]
            yield _counter(name, said, (label,), samples)
        yield _counter(
            "void_entries", "Entries that another owner came before.", (), [((), counts.void_entries)]
        )
        yield _counter("table_rebuilds", "Partitions rebuilt from the journal.", (), [((), counts.rebuilds)])
        rounds = HistogramMetricFamily(
            "nameplate_journal_seconds", "From the append of an entry to the last of what follows from it."
        )
        bounds = [*map(str, BOUNDS_S), "+Inf"]
        rounds.add_metric([], list(zip(bounds, accumulate(counts.rounds), strict=True)), counts.rounds_s)
        yield rounds

    def _of_partitions(self) -> Iterator[Metric]:
        standings = self._standings()
        yield _gauge("partitions", "Partitions that this worker owns.", len(standings))
        lag = _family("lag_records", "Records known to be in the log and not taken.", ("topic", "partition"))
        time = _family("time_seconds", "T of the partition as a Unix time.", ("partition",))
        due = _family(
            "next_deadline_seconds",
            "When the next deadline or other due comes, as a Unix time.",
            ("partition",),
        )
        duties = _family("open_duties", "Duties open: in grace, stopped or restricted.", ("partition",))
        for number, standing in sorted(standings.items()):
            partition = str(number)
            for topic, count in standing.lag.items():
                lag.add_metric((topic, partition), count)
            if standing.T is not None:
                time.add_metric((partition,), standing.T / SECOND)
            if standing.next_due is not None:
                due.add_metric((partition,), standing.next_due / SECOND)
            duties.add_metric((partition,), standing.open_duties)
        yield from (lag, time, due, duties)


def _family(name: str, said: str, labels: tuple[str, ...]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"nameplate_{name}", said, labels=labels)


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(f"nameplate_{name}", said, value=value)


def _counter(
    name: str, said: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], int]]
) -> Metric:
    family = CounterMetricFamily(f"nameplate_{name}", said, labels=labels)
    for values, count in samples:
        family.add_metric(values, count)
    return family


class _Page(MetricsHandler):
    """Answers for one path; logs nothing."""

    timeout = 5  # seconds for whoever connects and says nothing

    def do_GET(self) -> None:
        """Answer a scrape."""
        if urlsplit(self.path).path == PATH:
            super().do_GET()
        else:
            self.send_error(404, f"only {PATH} is here")


def serve(port: int, numbers: Collector) -> ThreadingHTTPServer:
    """Answer scrapes from a thread, on 127.0.0.1 alone, until the process ends.

    Args:
        port: 0 takes any that is free; the log says which.
        numbers: What is told, beside the memory and the CPU of the process.

    Raises:
        OperatorError: the port cannot be had.
    """
    registry = CollectorRegistry()
    registry.register(numbers)
    ProcessCollector(registry=registry)
    try:
        server = ThreadingHTTPServer((HOST, port), _Page.factory(registry))
    except OSError as error:
        raise OperatorError(
            f"The metrics cannot be served on port {port} of {HOST} ({error.strerror}). Name another one, or take any "
            "that is free with `nameplate worker --metrics-port 0`."
        ) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    log.info("metrics at http://%s:%s%s", HOST, server.server_port, PATH)
    return server
