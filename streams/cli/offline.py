"""Commands that need files only."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from schemas.errors import OperatorError
from schemas.instant import of_option
from schemas.journal import EntryContent
from schemas.topics import DEFAULT_PREFIX
from streams.cli.app import Files, Format, Policies, Prefix, app, listed, out, policy
from streams.policies.load import load_book, shipped_book_dir


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
    from streams.replay import parse_until
    from streams.replay import replay as run
    from streams.replay_files import rare_topics

    book = (
        None
        if policies is None and "policy-book" in rare_topics(files)
        else load_book(policies or shipped_book_dir())
    )
    counts = run(files, book, until=parse_until(until), partitions=partitions, out=to)
    listed(listing, ("topic", "records"), counts.items())


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
    from streams.verify import verify as run
    from streams.verify_inputs import check_inputs

    entries = list(_entries(journal_file, bootstrap, prefix))
    auditors = run(entries)
    checked = check_inputs(entries, inputs) if inputs else {}
    rows = [
        (number, one.entries, one.decisions, checked.get(number, "not checked"), one.head.hash)
        for number, one in sorted(auditors.items())
    ]
    listed(listing, ("partition", "entries", "decisions", "input records", "last hash"), rows)


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

    from streams.explain.explanation import explain as run
    from streams.explain.explanation import parse_at
    from streams.explain.screen import WIDEST, screen

    said = run(_entries(journal_file, bootstrap, prefix), account, parse_at(at))
    if listing == "json":
        out.print(json.dumps(msgspec.to_builtins(said), indent=2), markup=False)
    else:
        out.print(screen(said), soft_wrap=False, width=min(out.width, WIDEST))


@policy.command("check")
def policy_check(directory: Annotated[Path, typer.Argument(help="Directory of policy files.")]) -> None:
    """Load a book and name every mistake in it."""
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
    from streams.policies.page import page
    from streams.policies.show import card

    book = load_book(policies or shipped_book_dir())
    if platform not in book.policies:
        known = ", ".join(book.policies)
        raise OperatorError(f"{platform}: no policy of this book. Name one of: {known}.")
    shown = card(
        book.policies[platform], of_option("--at", at or datetime.now(UTC).isoformat(timespec="seconds")) or 0
    )
    if listing == "json":
        document = {"book": book.hash, **msgspec.to_builtins(shown)}
        out.print(json.dumps(document, indent=2, ensure_ascii=False), markup=False)
    else:
        out.print(page(shown, book.hash))


def _entries(file: Path | None, bootstrap: str | None, prefix: str) -> Iterator[tuple[bytes, EntryContent]]:
    """Yield the entries of the one journal that is named, a file's or a broker's."""
    from streams.verify import read_journal, read_line

    if (file is None) == (bootstrap is None):
        raise OperatorError(
            "Name one journal: a file (--journal FILE), or a broker's (--bootstrap host:port)."
        )
    if file is not None:
        yield from read_journal(file)
    else:
        from streams.live.journal import read_journals

        for raw in asyncio.run(read_journals(str(bootstrap), prefix, None)):
            yield read_line(raw, "the journal topic")
