"""The command line: one thin command for each verb; everything heavy is imported when it is needed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from schemas.errors import AuditError, OperatorError, PolicyError, TransportError

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)
errors = Console(stderr=True, soft_wrap=True, highlight=False)

WRONG_CALL = 2
WRONG_EVIDENCE = 1

Files = Annotated[list[Path], typer.Argument(help="Replay files, JSON Lines, plain or .gz, in order.")]


@app.callback()
def nameplate() -> None:
    """Streams that turn follower counts into disclosure duties."""


@app.command()
def replay(
    files: Files,
    policies: Annotated[Path | None, typer.Option(help="Directory of policy files [the shipped book].")] = None,
    until: Annotated[str | None, typer.Option(help="Where the time goes at the end, RFC 3339.")] = None,
    partitions: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Directory of the output files.")] = None,
) -> None:
    """Decide offline: the same decisions as a worker, from files."""
    from streams.policies.load import load_book, shipped_book_dir  # noqa: PLC0415
    from streams.replay import parse_until  # noqa: PLC0415
    from streams.replay import replay as run  # noqa: PLC0415

    book = load_book(policies or shipped_book_dir())
    run(files, book, until=parse_until(until), partitions=partitions, out=out)


def main() -> None:
    """Run the command line; exit 0 done, 1 the evidence does not agree, 2 the call or the environment is wrong."""
    try:
        app()
    except AuditError as error:
        errors.print(str(error), style="red", markup=False)
        raise SystemExit(WRONG_EVIDENCE) from None
    except (OperatorError, PolicyError, TransportError) as error:
        errors.print(str(error), style="red", markup=False)
        raise SystemExit(WRONG_CALL) from None


if __name__ == "__main__":
    main()
