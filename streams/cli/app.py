"""The application, its groups of commands, the options that several commands have, lists, and how it ends."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from schemas.errors import AuditError, OperatorError, PolicyError, TransportError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
broker = typer.Typer(no_args_is_help=True, help="A local Apache Kafka without Docker.")
topics = typer.Typer(no_args_is_help=True, help="The topics as code.")
policy = typer.Typer(no_args_is_help=True, help="Policy books.")
journal = typer.Typer(no_args_is_help=True, help="The journal on the broker.")
for group, name in ((broker, "broker"), (topics, "topics"), (policy, "policy"), (journal, "journal")):
    app.add_typer(group, name=name)

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

WRONG_EVIDENCE, WRONG_CALL = 1, 2

Files = Annotated[list[Path], typer.Argument(help="Replay files: JSON Lines, plain or .gz, in this order.")]
Bootstrap = Annotated[
    str, typer.Option(envvar="NAMEPLATE_BOOTSTRAP", help="host:port of the broker, more separated by commas.")
]
Prefix = Annotated[str, typer.Option(envvar="NAMEPLATE_PREFIX", help="Before each topic's short name.")]
Policies = Annotated[
    Path | None, typer.Option(help="Directory of policy files.", show_default="the shipped book")
]
Format = Annotated[Literal["table", "json"], typer.Option("--format", help="How to list.")]

LOCAL = "127.0.0.1:9092"


@app.callback()
def nameplate() -> None:
    """Streams that turn follower counts into disclosure duties: explained, journaled, free of names."""


def listed(
    listing: Literal["table", "json"],
    names: tuple[str, ...],
    rows: Iterable[Iterable[Any]],
    *,
    to: Console = out,
) -> None:
    """Print rows as a table for people, or as one JSON document with stable names."""
    if listing == "json":
        keys = [name.replace(" ", "_") for name in names]
        to.print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2), markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    to.print(table)


def main() -> None:
    """Run the command line: exit 0 done, 1 the evidence does not agree, 2 the call or the environment is wrong."""
    try:
        app()
    except (AuditError, OperatorError, PolicyError, TransportError) as error:
        err.print(str(error), style="red", markup=False)
        raise SystemExit(WRONG_EVIDENCE if isinstance(error, AuditError) else WRONG_CALL) from None
