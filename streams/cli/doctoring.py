"""`nameplate doctor`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from schemas.topics import DEFAULT_PREFIX
from streams.cli.app import (
    DATA,
    LOCAL,
    Bootstrap,
    ClientConfig,
    Data,
    Format,
    Insecure,
    Policies,
    Prefix,
    app,
    out,
    reach,
    say_json,
)
from streams.cli.screen import WIDEST, wrapped

if TYPE_CHECKING:
    from streams.doctor import Check

STYLES = {"ok": "green", "note": "cyan", "wrong": "bold red", "unknown": "yellow"}
UNDER = 20
"""Where the words begin, behind the status and the name."""


@app.command()
def doctor(
    bootstrap: Bootstrap = LOCAL,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    prefix: Prefix = DEFAULT_PREFIX,
    data: Data = DATA,
    policies: Policies = None,
    listing: Format = "table",
) -> None:
    """Look at what is needed, and name a remedy for what is missing."""
    from streams.doctor import Asked, examine

    checks = examine(Asked(reach(bootstrap, client_config, insecure), prefix, Path(data), policies))
    if listing == "json":
        say_json([check._asdict() for check in checks])
    else:
        _show(checks)
    if any(check.status == "wrong" for check in checks):
        raise typer.Exit(2)


def _show(checks: "list[Check]") -> None:
    width = min(out.columns or WIDEST, WIDEST)
    for check in checks:
        words = [check.found]
        if check.remedy is not None:
            words += [f"wanted: {check.wanted}", f"next: {check.remedy}"]
        lines = [line for said in words for line in wrapped(said, width - UNDER)]
        head = Text.assemble(
            (f"{check.status:9}", STYLES[check.status]), f"{check.check:{UNDER - 9}}", lines[0]
        )
        out.print(head)
        for line in lines[1:]:
            out.print(Text(" " * UNDER + line))
    wrong = sum(check.status == "wrong" for check in checks)
    out.print(Text(f"\n{wrong} to be mended, from the top." if wrong else "\nAll that is needed is here."))
