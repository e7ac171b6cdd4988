"""Commands that need a broker."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: Faust takes its time

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from schemas.errors import OperatorError
from schemas.topics import DEFAULT_PREFIX
from streams.cli import logs
from streams.cli.app import (
    DATA,
    LOCAL,
    Bootstrap,
    ClientConfig,
    Data,
    Files,
    Format,
    Group,
    Insecure,
    Prefix,
    Until,
    app,
    broker,
    err,
    journal,
    listed,
    out,
    policy,
    reach,
    topics,
)
from streams.cli.progress import Meter


@app.command()
def publish(
    files: Files,
    bootstrap: Bootstrap = LOCAL,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    prefix: Prefix = DEFAULT_PREFIX,
    rate: Annotated[
        float | None, typer.Option(min=0.001, metavar="N", help="At most so many lines a second.")
    ] = None,
) -> None:
    """Put replay files into the topics. In order, each line acknowledged."""
    from streams.live.publish import publish as run
    from streams.replay.files import read_lines

    where = reach(bootstrap, client_config, insecure)
    with Meter() as meter:
        lines = list(read_lines(files, meter.files("reading", files)))
        done = meter.steps("publishing", "lines", len(lines))
        sent = asyncio.run(run(where, prefix, lines, rate=rate, done=done))
    out.print(f"{sent} lines acknowledged")


@app.command()
def worker(
    bootstrap: Bootstrap = LOCAL,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    prefix: Prefix = DEFAULT_PREFIX,
    group: Group = "nameplate",
    time: Annotated[
        Literal["wall", "records"],
        typer.Option(help="What moves the time: ticks, or the records of a whole history."),
    ] = "wall",
    until: Until = None,
    pace: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="N", help="At most so many days of a history a second, to watch it."),
    ] = None,
    stop_at_end: Annotated[
        bool, typer.Option("--stop-at-end", help="End when all that was there is taken.")
    ] = False,
    session: Annotated[
        float,
        typer.Option(min=1, metavar="S", help="Seconds of silence after which the group drops a worker."),
    ] = 6.0,
    lost: Annotated[
        list[str] | None,
        typer.Option(metavar="TOPIC:PARTITION:POSITION", help="Journal that records from here on are lost."),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            help="Serve metrics there, on 127.0.0.1 alone; 0: on any free port.",
            show_default="off",
        ),
    ] = None,
    watchdog: Annotated[
        float | None, typer.Option(hidden=True, min=0.1, help="Seconds without progress that end the worker.")
    ] = None,
) -> None:
    """Run one worker; any number may run side by side."""
    from streams.live.watchdog import PERIOD_S
    from streams.live.worker import Worker, WorkerSettings
    from streams.replay.run import parse_until

    if until is not None and time == "wall":
        raise OperatorError(
            "--until says where the time of a history goes at its end, and wall time ends nowhere. For a history: "
            f"`nameplate worker --time records --until {until}`; else leave --until out."
        )
    if pace is not None and time == "wall":
        raise OperatorError(
            "--pace is for histories, and wall time has its own. For a history: "
            f"`nameplate worker --time records --pace {pace:g}`; else leave --pace out."
        )
    logs.begin_worker()
    settings = WorkerSettings(
        reach(bootstrap, client_config, insecure),
        prefix,
        group=f"{prefix}{group}",
        time="clock" if time == "wall" else "records",
        until=parse_until(until),
        pace=pace,
        stop_at_end=stop_at_end,
        session_s=session,
        lost_allowed=dict(map(_lost, lost or [])),
        metrics_port=metrics_port,
        watchdog_s=watchdog or PERIOD_S,
    )
    raise typer.Exit(Worker(settings).run())


@broker.command("up")
def broker_up(
    data: Data = DATA,
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="N", help="Port to listen on.")] = 9092,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Start empty.")] = False,
) -> None:
    """Start a local Kafka and wait until it answers. Its data stay when it goes down."""
    from streams.broker.local import up

    found = up(data, port=port, ephemeral=ephemeral, say=err.print)
    out.print(f"up at {found.bootstrap} (pid {found.pid}, data in {found.data_dir})")


@broker.command("down")
def broker_down(data: Data = DATA) -> None:
    """Stop the local Kafka."""
    from streams.broker.local import down

    down(data)
    out.print("down")


@broker.command("status")
def broker_status(data: Data = DATA, listing: Format = "table") -> None:
    """Say whether the local Kafka is up, and where."""
    from streams.broker.local import status

    found = status(data)
    rows = [("up" if found.up else "down", found.bootstrap, found.pid)]
    listed(listing, ("status", "bootstrap", "pid"), rows)


Partitions = Annotated[
    int, typer.Option(min=1, metavar="N", help="How many, for ever: a journaled stream keeps its count.")
]


@topics.command("plan")
def topics_plan(
    partitions: Partitions = 4,
    bootstrap: Bootstrap = LOCAL,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    prefix: Prefix = DEFAULT_PREFIX,
    listing: Format = "table",
) -> None:
    """Show what would be made or changed."""
    from streams.live.topics import plan, wanted

    _list_changes(listing, plan(reach(bootstrap, client_config, insecure), wanted(prefix, partitions)))


@topics.command("apply")
def topics_apply(
    partitions: Partitions = 4,
    bootstrap: Bootstrap = LOCAL,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    prefix: Prefix = DEFAULT_PREFIX,
    listing: Format = "table",
) -> None:
    """Make and change the topics until they are as planned."""
    from streams.live.topics import apply, wanted

    _list_changes(listing, apply(reach(bootstrap, client_config, insecure), wanted(prefix, partitions)))


@policy.command("publish")
def policy_publish(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Directory of policy files.", show_default="the shipped book"),
    ] = None,
    bootstrap: Bootstrap = LOCAL,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    prefix: Prefix = DEFAULT_PREFIX,
) -> None:
    """Put a book into its topic. Workers adopt it at a recorded point of each partition."""
    from schemas.wire import canonical
    from streams.live.publish import publish as run
    from streams.policies.load import load_book, shipped_book_dir
    from streams.replay.files import Line

    book = load_book(directory or shipped_book_dir())
    value = canonical({"book": book.tables, "hash": book.hash})
    line = Line(file="policy publish", number=1, topic="policy-book", value=value, key=None)
    where = reach(bootstrap, client_config, insecure)
    asyncio.run(run(where, prefix, [line], rate=None, done=lambda _: None))
    out.print(f"published {len(book.policies)} policies, book {book.hash}")


@journal.command("export")
def journal_export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the entries, one a line.")],
    partition: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Only this one.", show_default="all")
    ] = None,
    bootstrap: Bootstrap = LOCAL,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    prefix: Prefix = DEFAULT_PREFIX,
) -> None:
    """Write the accepted entries as JSON Lines."""
    from streams.live.journal import only, read_journals

    where = reach(bootstrap, client_config, insecure)
    with Meter() as meter:
        seen = meter.steps("reading", "entries")
        entries = asyncio.run(read_journals(where, prefix, only(partition), seen)).entries
    with file.open("wb") as lines:
        lines.writelines(entry + b"\n" for entry in entries)
    out.print(f"{len(entries)} entries in {file}")


def _lost(said: str) -> tuple[tuple[str, int], int]:
    topic, _, numbers = said.partition(":")
    partition, _, position = numbers.partition(":")
    if not (partition.isdecimal() and position.isdecimal()):
        raise OperatorError(
            f"--lost {said}: this is no TOPIC:PARTITION:POSITION. Write it as the message of the worker that stopped "
            "does, as in `nameplate worker --lost follower-counts:1:500`."
        )
    return (topic, int(partition)), int(position)


def _list_changes(listing: Literal["table", "json"], changes: Iterable[Any]) -> None:
    rows = []
    for change in changes:
        said: Any = {name: value for name, _, value in change.settings}
        if listing == "table":
            said = ", ".join(f"{name}={value} (was {now})" for name, now, value in change.settings)
            said = None if change.kind == "create" else said  # as long as it is dull
        rows.append((change.kind, change.spec.name, change.spec.partitions, said))
    listed(listing, ("change", "topic", "partitions", "settings"), rows)
