"""The demo."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs: Faust takes its time

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.app import ClientConfig, Insecure, app, is_bootstrap, out, reach

PLAY_S = 20.0
"""With a broker's start and two workers' before it, 40 s in all."""


@app.command()
def demo(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Histories as replay files; may stand again.",
            show_default="a synthetic population",
        ),
    ] = None,
    to: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Directory of what it leaves behind; replaced.")
    ] = Path(".nameplate/demo"),
    bootstrap: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            callback=is_bootstrap,
            help="A broker that is up.",
            show_default="a local Kafka of its own",
        ),
    ] = None,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Without a broker, as where there is no Java and Maven.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the broker up, and the topics there.")] = False,
    seconds: Annotated[
        float, typer.Option(min=0.1, metavar="S", help="In how many seconds the history passes.")
    ] = PLAY_S,
) -> None:
    """Watch decisions as they come.

    A local Kafka, two workers, and a population to decide on.
    """
    from streams.demo.run import Settings
    from streams.demo.run import demo as run

    where = reach(bootstrap, client_config, insecure) if bootstrap is not None else None
    settings = Settings(tuple(data or ()), to, where, in_process=in_process, keep=keep, play_s=seconds)
    raise typer.Exit(run(settings, out))
