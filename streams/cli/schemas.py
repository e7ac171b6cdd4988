"""Commands about what others may rely on."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import AuditError
from streams.cli.app import app, out

BROKEN = (
    "Whoever relies on the earlier document would break. Keep these as they were, or write the new one with "
    "`nameplate schema export DIR` and agree on it first."
)

schema = typer.Typer(no_args_is_help=True, help="JSON Schemas and the AsyncAPI document.")
app.add_typer(schema, name="schema")


@schema.command("export")
def schema_export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
) -> None:
    """Write a JSON Schema for each topic, and the AsyncAPI document."""
    from streams.interface.export import export

    out.print(f"{len(export(directory))} files in {directory}")


@schema.command("check")
def schema_check(
    before: Annotated[
        Path, typer.Argument(metavar="FILE", help="The asyncapi.json that somebody relies on.")
    ],
) -> None:
    """Say what this release does otherwise than an earlier one promised."""
    from streams.interface.asyncapi import document
    from streams.interface.evolution import broken
    from streams.interface.export import read_document

    differences = broken(read_document(before), document())
    if differences:
        raise AuditError("\n".join((*differences, BROKEN)))
    out.print("Whoever relies on it may rely on this release.")
