"""The command line: one thin command for each verb. What a command needs is imported when it runs."""

# ruff: noqa: PLC0415 - a command that decides nothing must not wait for Faust to load

import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from schemas.errors import AuditError, OperatorError, PolicyError, TransportError
from schemas.topics import DEFAULT_PREFIX

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
broker = typer.Typer(no_args_is_help=True, help="A local Apache Kafka without Docker.")
topics = typer.Typer(no_args_is_help=True, help="The topics as code.")
policy = typer.Typer(no_args_is_help=True, help="Policy books.")
journal = typer.Typer(no_args_is_help=True, help="The journal on the broker.")
for group, name in ((broker, "broker"), (topics, "topics"), (policy, "policy"), (journal, "journal")):
    app.add_typer(group, name=name)

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

DONE, WRONG_EVIDENCE, WRONG_CALL = 0, 1, 2

Files = Annotated[list[Path], typer.Argument(help="Replay files: JSON Lines, plain or .gz, in this order.")]
Bootstrap = Annotated[
    str, typer.Option(envvar="NAMEPLATE_BOOTSTRAP", help="host:port of the broker, more separated by commas.")
]
Prefix = Annotated[str, typer.Option(envvar="NAMEPLATE_PREFIX", help="Before each topic's short name.")]
Policies = Annotated[
    Path | None, typer.Option(help="Directory of policy files.", show_default="the shipped book")
]
Data = Annotated[Path, typer.Option(help="Where the broker keeps its data.")]
Format = Annotated[Literal["table", "json"], typer.Option("--format", help="How to list.")]

LOCAL = "127.0.0.1:9092"
DATA = Path(".nameplate/broker")


@app.callback()
def nameplate() -> None:
    """Streams that turn follower counts into disclosure duties: explained, journaled, free of names."""


@app.command()
def replay(
    files: Files,
    policies: Policies = None,
    until: Annotated[str | None, typer.Option(help="Where the time goes at the end, RFC 3339.")] = None,
    partitions: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    to: Annotated[Path | None, typer.Option("--out", help="Directory of the output files.")] = None,
    listing: Format = "table",
) -> None:
    """Decide offline: the same decisions as a worker, from files."""
    from streams.policies.load import load_book
    from streams.replay import parse_until
    from streams.replay import replay as run
    from streams.replay_files import rare_topics

    book = (
        None
        if policies is None and "policy-book" in rare_topics(files)
        else load_book(policies or _shipped())
    )
    counts = run(files, book, until=parse_until(until), partitions=partitions, out=to)
    _list(listing, ("topic", "records"), counts.items())


@app.command()
def verify(
    journal_file: Annotated[Path | None, typer.Argument(metavar="[JOURNAL]", help="A journal file.")] = None,
    inputs: Annotated[
        list[Path] | None, typer.Option(help="Replay files: also check the raw inputs.")
    ] = None,
    bootstrap: Annotated[str | None, typer.Option(help="Read the journal from a broker instead.")] = None,
    prefix: Prefix = DEFAULT_PREFIX,
    listing: Format = "table",
) -> None:
    """Derive a journal again: its chain, its hashes and every decision; print the first difference."""
    from streams.verify import read_journal, read_line
    from streams.verify import verify as run
    from streams.verify_inputs import check_inputs

    if (journal_file is None) == (bootstrap is None):
        raise OperatorError("Name one journal: a file, or --bootstrap host:port.")
    if journal_file is not None:
        entries = list(read_journal(journal_file))
    else:
        from streams.live.journal import read_journals

        raws = asyncio.run(read_journals(str(bootstrap), prefix, None))
        entries = [read_line(raw, "the journal topic") for raw in raws]
    auditors = run(entries)
    checked = check_inputs(entries, inputs) if inputs else {}
    rows = [
        (number, one.entries, one.decisions, checked.get(number, "not checked"), one.head.hash)
        for number, one in sorted(auditors.items())
    ]
    _list(listing, ("partition", "entries", "decisions", "input records", "last hash"), rows)


@app.command()
def explain(
    account: Annotated[str, typer.Argument(help="platform:account_id.")],
    journal_file: Annotated[Path | None, typer.Option("--journal", help="A journal file.")] = None,
    at: Annotated[
        str | None, typer.Option(help="The instant, RFC 3339.", show_default="where the journal ends")
    ] = None,
    bootstrap: Annotated[str | None, typer.Option(help="Read the journal from a broker instead.")] = None,
    prefix: Prefix = DEFAULT_PREFIX,
    listing: Format = "table",
) -> None:
    """Say how an account stood at an instant, why, under which clauses, and what would lift it."""
    import msgspec

    from streams.explain import explain as run
    from streams.explain import parse_at
    from streams.explain_screen import WIDEST, screen
    from streams.verify import read_journal, read_line

    if (journal_file is None) == (bootstrap is None):
        raise OperatorError("Name one journal: --journal FILE, or --bootstrap host:port.")
    if journal_file is not None:
        entries = read_journal(journal_file)
    else:
        from streams.live.journal import read_journals

        raws = asyncio.run(read_journals(str(bootstrap), prefix, None))
        entries = (read_line(raw, "the journal topic") for raw in raws)
    said = run(entries, account, parse_at(at))
    if listing == "json":
        out.print(json.dumps(msgspec.to_builtins(said), indent=2), markup=False)
    else:
        out.print(screen(said), soft_wrap=False, width=min(out.width, WIDEST))


@app.command()
def publish(
    files: Files,
    bootstrap: Bootstrap = LOCAL,
    prefix: Prefix = DEFAULT_PREFIX,
    rate: Annotated[float | None, typer.Option(min=0.001, help="At most so many lines a second.")] = None,
) -> None:
    """Put replay files into the topics, in order, each line acknowledged."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from streams.live.publish import publish as run
    from streams.replay_files import read_lines

    lines = list(read_lines(files))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        bar = progress.add_task("acknowledged", total=len(lines))
        sent = asyncio.run(
            run(bootstrap, prefix, lines, rate=rate, done=lambda count: progress.advance(bar, count))
        )
    out.print(f"{sent} lines acknowledged")


@app.command()
def worker(
    bootstrap: Bootstrap = LOCAL,
    prefix: Prefix = DEFAULT_PREFIX,
    group: Annotated[
        str, typer.Option(envvar="NAMEPLATE_GROUP", help="Workers of one group share the work.")
    ] = "nameplate",
    time: Annotated[
        Literal["wall", "records"],
        typer.Option(help="What moves the time: ticks, or the records of a whole history."),
    ] = "wall",
    until: Annotated[
        str | None, typer.Option(help="Where the time goes at the end of a history, RFC 3339.")
    ] = None,
    stop_at_end: Annotated[
        bool, typer.Option("--stop-at-end", help="End when all that was there is taken.")
    ] = False,
    session: Annotated[
        float, typer.Option(help="Seconds of silence after which the group drops a worker.")
    ] = 6.0,
    lost: Annotated[
        list[str] | None,
        typer.Option(metavar="TOPIC:PARTITION:POSITION", help="Journal that records from here on are lost."),
    ] = None,
) -> None:
    """Run one worker; any number may run side by side."""
    from streams.live.worker import Worker, WorkerSettings
    from streams.replay import parse_until

    if until is not None and time == "wall":
        raise OperatorError("--until is for --time records: wall time ends nowhere. Leave one of them out.")
    logging.basicConfig(
        level=os.environ.get("NAMEPLATE_LOG", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    mode_services = (
        "app",
        "consumer_thread",
        "rows",
        "transport",
    )  # they tell every start and stop of a part
    for noisy in ("aiokafka", "faust", "mode", *(f"streams.live.{name}" for name in mode_services)):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    settings = WorkerSettings(
        bootstrap,
        prefix,
        group=f"{prefix}{group}",
        time="clock" if time == "wall" else "records",
        until=parse_until(until),
        stop_at_end=stop_at_end,
        session_s=session,
        lost_allowed=dict(map(_lost, lost or [])),
    )
    raise typer.Exit(Worker(settings).run())


@broker.command("up")
def broker_up(
    data: Data = DATA,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="9092")] = 9092,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Start empty.")] = False,
) -> None:
    """Start a local Kafka and wait until it answers; its data stay when it goes down."""
    from streams.broker import up

    found = up(data, port=port, ephemeral=ephemeral, say=err.print)
    out.print(f"up at {found.bootstrap} (pid {found.pid}, data in {found.data_dir})")


@broker.command("down")
def broker_down(data: Data = DATA) -> None:
    """Stop the local Kafka."""
    from streams.broker import down

    down(data)
    out.print("down")


@broker.command("status")
def broker_status(data: Data = DATA, listing: Format = "table") -> None:
    """Say whether the local Kafka is up, and where."""
    from streams.broker import status

    found = status(data)
    rows = [("up" if found.up else "down", found.bootstrap or "", found.pid or "")]
    _list(listing, ("status", "bootstrap", "pid"), rows)


Partitions = Annotated[
    int, typer.Option(min=1, help="How many, for ever: a journaled stream keeps its count.")
]


@topics.command("plan")
def topics_plan(
    partitions: Partitions = 4,
    bootstrap: Bootstrap = LOCAL,
    prefix: Prefix = DEFAULT_PREFIX,
    listing: Format = "table",
) -> None:
    """Show what would be made or changed."""
    from streams.live.topics import plan, wanted

    _list_changes(listing, plan(bootstrap, wanted(prefix, partitions)))


@topics.command("apply")
def topics_apply(
    partitions: Partitions = 4,
    bootstrap: Bootstrap = LOCAL,
    prefix: Prefix = DEFAULT_PREFIX,
    listing: Format = "table",
) -> None:
    """Make and change the topics until they are as planned."""
    from streams.live.topics import apply, wanted

    _list_changes(listing, apply(bootstrap, wanted(prefix, partitions)))


@policy.command("check")
def policy_check(directory: Annotated[Path, typer.Argument(help="Directory of policy files.")]) -> None:
    """Load a book and name every mistake in it."""
    from streams.policies.load import load_book

    book = load_book(directory)
    out.print(f"{len(book.policies)} policies, book {book.hash}")


@policy.command("show")
def policy_show(
    platform: Annotated[str, typer.Argument(help="As in the policy book, for example weibo.")],
    at: Annotated[str | None, typer.Option(help="The instant, RFC 3339.", show_default="now")] = None,
    policies: Policies = None,
    listing: Format = "table",
) -> None:
    """Print what is in force at an instant, how sure that is and where it stands."""
    from streams.policies.load import load_book
    from streams.policies.page import page
    from streams.policies.show import card

    book = load_book(policies or _shipped())
    if platform not in book.policies:
        known = ", ".join(book.policies)
        raise OperatorError(f"{platform}: no policy of this book. Name one of: {known}.")
    shown = card(book.policies[platform], _instant("--at", at))
    if listing == "json":
        document = {"book": book.hash, **msgspec.to_builtins(shown)}
        out.print(json.dumps(document, indent=2, ensure_ascii=False), markup=False)
    else:
        out.print(page(shown, book.hash))


@policy.command("publish")
def policy_publish(
    directory: Annotated[
        Path | None, typer.Argument(help="Directory of policy files.", show_default="the shipped book")
    ] = None,
    bootstrap: Bootstrap = LOCAL,
    prefix: Prefix = DEFAULT_PREFIX,
) -> None:
    """Put a book into the policy-book topic; workers adopt it at a recorded point of each partition."""
    from schemas.wire import canonical
    from streams.live.publish import publish as run
    from streams.policies.load import load_book
    from streams.replay_files import Line

    book = load_book(directory or _shipped())
    value = canonical({"book": book.tables, "hash": book.hash})
    line = Line(file="policy publish", number=1, topic="policy-book", value=value, key=None)
    asyncio.run(run(bootstrap, prefix, [line], rate=None, done=lambda _: None))
    out.print(f"published {len(book.policies)} policies, book {book.hash}")


@journal.command("export")
def journal_export(
    file: Annotated[Path, typer.Argument(help="Where to write the entries, one a line.")],
    partition: Annotated[int | None, typer.Option(min=0, help="Only this one.", show_default="all")] = None,
    bootstrap: Bootstrap = LOCAL,
    prefix: Prefix = DEFAULT_PREFIX,
) -> None:
    """Write the accepted entries as JSON Lines."""
    from streams.live.journal import read_journals

    raws = asyncio.run(read_journals(bootstrap, prefix, partition))
    file.write_bytes(b"".join(raw + b"\n" for raw in raws))
    out.print(f"{len(raws)} entries in {file}")


def _lost(said: str) -> tuple[tuple[str, int], int]:
    topic, _, numbers = said.partition(":")
    partition, _, position = numbers.partition(":")
    if not (partition.isdecimal() and position.isdecimal()):
        raise OperatorError(
            f"--lost {said}: write it as the worker's message does, TOPIC:PARTITION:POSITION."
        )
    return (topic, int(partition)), int(position)


def _instant(option: str, said: str | None) -> int:
    """Return the instant that an option names, now where it names none."""
    from schemas.instant import parse

    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        return parse(now if said is None else said)
    except ValueError as error:
        raise OperatorError(f"{option} {said}: {error}. Write it like {now[:19]}Z.") from error


def _shipped() -> Path:
    from streams.policies.load import shipped_book_dir

    return shipped_book_dir()


def _list_changes(listing: Literal["table", "json"], changes: Iterable[Any]) -> None:
    rows = []
    for change in changes:
        settings = {name: value for name, _, value in change.settings}
        if listing == "table":  # what a new topic is made with is as long as it is dull
            settings = {} if change.kind == "create" else settings
        said: Any = settings if listing == "json" else ", ".join(map("=".join, settings.items()))
        rows.append((change.kind, change.spec.name, change.spec.partitions, said))
    _list(listing, ("change", "topic", "partitions", "settings"), rows)


def _list(listing: Literal["table", "json"], names: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> None:
    """Print rows as a table for people, or as one JSON document with stable names."""
    if listing == "json":
        keys = [name.replace(" ", "_") for name in names]
        out.print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2), markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    out.print(table)


def main() -> None:
    """Run the command line: exit 0 done, 1 the evidence does not agree, 2 the call or the environment is wrong."""
    try:
        app()
    except (AuditError, OperatorError, PolicyError, TransportError) as error:
        err.print(str(error), style="red", markup=False)
        raise SystemExit(WRONG_EVIDENCE if isinstance(error, AuditError) else WRONG_CALL) from None


if __name__ == "__main__":
    main()
