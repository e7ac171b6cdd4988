"""The arithmetic of a large platform: what it takes, line by line, from what was measured; pure."""

from math import ceil
from typing import NamedTuple

DAY_S = 86_400
ENTRY_S = 5.0
"""How often a partition without decisions has an entry (`QUIET_S` of `streams/live/owner.py`)."""
SESSION_S = 6.0
"""After how many silent seconds the group gives a worker's partitions to others, as shipped."""


class Measured(NamedTuple):
    """What one machine did, and what it wrote; the defaults are of a first run on two busy cores."""

    cpu_rate: float = 420_000
    """Quiet counts per second of CPU of one worker (`bench.scale`)."""
    many: float = 1.12
    """CPU of a count among many workers, by that of one alone (`bench.scale`)."""
    count_bytes: float = 176
    """Of a count in the log, uncompressed (`bench.scale`)."""
    entry_bytes: float = 1_480
    """Of a journal entry without decisions (`bench.scale`)."""
    sample_bytes: float = 800
    """Of a daily sample in the journal, its entry not counted (`bench.scale`)."""
    duty_bytes: float = 2_300
    """Of a duty that begins, in the journal, its entry not counted (`bench.scale`)."""
    output_bytes: float = 2_330
    """Of its outputs and its status (`bench.scale`)."""
    account_bytes: float = 860
    """Of a watched account in the memory of its worker (`bench.recovery`)."""
    row_rate: float = 75_000
    """Rows of the table that one worker reads, proves and serves per second (`bench.recovery`)."""


class Platform(NamedTuple):
    """What is wanted; all of it is assumed."""

    accounts: float = 600e6
    counts_s: float = 10e6
    """Counts per second."""
    watched: float = 0.001
    """The share of accounts over the watch floor."""
    duties_day: float = 20_000
    """Duties that begin per day."""
    busy: float = 0.5
    """How much of a core, or of a broker's network, is planned for."""
    per_worker: float = 4
    """Partitions of each worker: as many are the steps by which work can be divided anew."""
    replicas: float = 3
    """Copies of each topic."""
    network_mb: float = 1_250
    """MB a second of a broker's network, each way."""
    kept_days: float = 1
    """How long counts are kept; 7 days as shipped."""


class Line(NamedTuple):
    """One line of the plan."""

    what: str
    value: str
    how: str
    """The arithmetic, with its numbers."""


def plan(measured: Measured, platform: Platform) -> list[Line]:
    """Return what a platform takes."""
    m, p = measured, platform
    each = m.cpu_rate / m.many * p.busy
    workers = ceil(p.counts_s / each)
    partitions = ceil(workers * p.per_worker / 12) * 12
    counts_mb = p.counts_s * m.count_bytes / 1e6
    wire_mb = counts_mb * p.replicas
    brokers = max(ceil(p.replicas), ceil(wire_mb / (p.network_mb * p.busy)))
    watched = p.accounts * p.watched
    decisions = watched + p.duties_day
    entries = partitions * DAY_S / ENTRY_S + decisions
    journal = entries * m.entry_bytes + watched * m.sample_bytes + p.duties_day * m.duty_bytes
    rows = watched / workers
    away_s = SESSION_S + rows / m.row_rate
    caught_s = (away_s + ENTRY_S) * p.busy / (1 - p.busy)
    return [
        Line(
            "workers, a core each",
            f"{workers:,}",
            f"{p.counts_s:,.0f} ÷ ({m.cpu_rate:,.0f} a CPU second ÷ {m.many:.2f} × {p.busy:g} busy)",
        ),
        Line(
            "partitions",
            f"{partitions:,}",
            f"{p.per_worker:g} a worker, by twelves: {p.counts_s / partitions:,.0f} counts a second each",
        ),
        Line("counts", f"{counts_mb:,.0f} MB/s", f"{p.counts_s:,.0f} × {m.count_bytes:.0f} bytes"),
        Line(
            "network of all brokers, each way",
            f"{wire_mb:,.0f} MB/s",
            f"in: counts and {p.replicas - 1:g} copies; out: {p.replicas - 1:g} copies and the workers",
        ),
        Line(
            "brokers, by their network",
            f"{brokers:,}",
            f"{wire_mb:,.0f} ÷ ({p.network_mb:,.0f} MB/s × {p.busy:g} busy)",
        ),
        Line(
            "disk for counts",
            f"{wire_mb * DAY_S * p.kept_days / 1e6:,.0f} TB",
            f"{p.replicas:g} copies kept {p.kept_days:g} days",
        ),
        Line(
            "accounts with a row",
            f"{watched:,.0f}",
            f"{p.watched:.2%} of {p.accounts:,.0f}; the others take no memory",
        ),
        Line(
            "table, of all workers",
            f"{watched * m.account_bytes / 1e6:,.0f} MB",
            f"{watched:,.0f} × {m.account_bytes:.0f} bytes; {rows * m.account_bytes / 1e6:,.1f} MB a worker",
        ),
        Line(
            "journal",
            f"{journal / 1e9:,.1f} GB a day",
            f"{entries:,.0f} entries × {m.entry_bytes:.0f} + {watched:,.0f} samples × {m.sample_bytes:.0f} "
            f"+ {p.duties_day:,.0f} duties × {m.duty_bytes:.0f} bytes",
        ),
        Line(
            "journal, five years, one copy",
            f"{journal * 5 * 365 / 1e12:,.1f} TB",
            f"of a quiet count {journal / (p.counts_s * DAY_S):.3f} bytes, all told",
        ),
        Line(
            "outputs and statuses",
            f"{p.duties_day * m.output_bytes / 1e6:,.0f} MB a day",
            f"{p.duties_day:,.0f} × {m.output_bytes:.0f} bytes",
        ),
        Line(
            "a dead worker's partitions at work again",
            f"{away_s:.1f} s",
            f"session {SESSION_S:g} s + {rows:,.0f} rows ÷ {m.row_rate:,.0f} a second",
        ),
        Line(
            "and with its backlog done",
            f"{away_s + caught_s:.1f} s",
            f"{away_s + ENTRY_S:.1f} s of counts by what {p.busy:g} busy leaves",
        ),
    ]


def table(lines: list[Line]) -> str:
    """Return a plan as a Markdown table."""
    rows = [f"| {line.what} | {line.value} | {line.how} |" for line in lines]
    return "\n".join(["| what | how much | from |", "|---|---|---|", *rows])
