"""The command that makes up populations."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs

import gzip
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from schemas.errors import OperatorError
from schemas.instant import of_option
from streams.cli.app import Format, Policies, app, err, listed, out
from streams.cli.progress import Meter

STDOUT = Path("-")
WRITTEN_AT_ONCE = 4096


@app.command()
def generate(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Where to write; compressed where it ends in .gz; - for stdout."),
    ],
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same bytes.")] = 1,
    accounts: Annotated[int, typer.Option(min=1, metavar="N", help="How many, over all platforms.")] = 2_000,
    records: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after so many lines.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="INSTANT", help="The first hour, RFC 3339.", show_default="2023-10-25T00:00:00Z"
        ),
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many; each account is counted once a day.")
    ] = 70,
    platform: Annotated[
        list[str] | None,
        typer.Option(metavar="PLATFORM", help="Only these.", show_default="all with an enabled policy"),
    ] = None,
    near: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="Share of the accounts that start near a line."),
    ] = 0.25,
    late: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="Share that comes behind the account's next one."),
    ] = 0.002,
    doubled: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Share that comes twice.")
    ] = 0.002,
    broken: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="Share of which a copy comes that cannot be read."),
    ] = 0.0005,
    ticks: Annotated[
        int | None, typer.Option(min=1, metavar="S", help="Clock lines, so many seconds apart.")
    ] = None,
    policies: Policies = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw what was generated, as SVG.")
    ] = None,
    listing: Format = "table",
) -> None:
    """Make up a population as a replay file.

    Counts, answers, purges, rulings, and what goes wrong on the way.
    """
    from streams.generate import Settings, Tally
    from streams.generate import generate as run
    from streams.generate.plot import svg
    from streams.policies.load import load_book, shipped_book_dir

    first = of_option("--start", start)
    settings = Settings(
        seed=seed,
        accounts=accounts,
        records=records,
        start=Settings.start if first is None else first,
        days=days,
        platforms=tuple(platform or ()),
        near=near,
        late=late,
        doubled=doubled,
        broken=broken,
        ticks=ticks,
    )
    tally = Tally()
    lines = run(settings, load_book(policies or shipped_book_dir()), tally)
    with _writing(file) as to:
        for lines_written in _shown(lines, min(accounts * days, records or accounts * days)):
            to.write(b"".join(lines_written))
    if plot is not None:
        with _writing(plot) as to:
            to.write(svg(tally).encode())
    listed(listing, ("part", "name", "number"), tally.rows(), to=err if file == STDOUT else out)


@contextmanager
def _writing(file: Path) -> Iterator[BinaryIO]:
    """Open a file; a compressed one has no time in it, so that its bytes are those of the seed, too."""
    if file == STDOUT:
        yield sys.stdout.buffer
        return
    try:
        with file.open("wb") as plain:
            if file.suffix != ".gz":
                yield plain
                return
            with gzip.GzipFile("", "wb", fileobj=plain, mtime=0, compresslevel=6) as packed:
                yield packed  # type: ignore[misc]
    except OSError as error:
        raise OperatorError(
            f"{file}: cannot be written ({error.strerror or error}). Name a file in a directory that is there, as in "
            "`nameplate generate population.jsonl`."
        ) from error


def _shown(lines: Iterable[bytes], about: int) -> Iterator[list[bytes]]:
    """Yield lines in large pieces, and show on a terminal how far it has come."""
    source = iter(lines)
    with Meter() as meter:
        done = meter.steps("generating", "lines", about)
        while piece := list(islice(source, WRITTEN_AT_ONCE)):
            yield piece
            done(len(piece))
