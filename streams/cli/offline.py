"""Commands that need files only; a journal may be a broker's."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs

import asyncio
import os
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from schemas.errors import OperatorError
from schemas.instant import of_option
from schemas.journal import EntryContent
from schemas.topics import DEFAULT_PREFIX
from streams.cli.app import (
    ClientConfig,
    Files,
    Format,
    Insecure,
    JournalOf,
    Policies,
    Prefix,
    Until,
    app,
    is_bootstrap,
    listed,
    out,
    policy,
    reach,
    say_json,
)
from streams.cli.progress import Meter

if TYPE_CHECKING:
    from schemas.policy import PolicyBook
    from streams.live.access import Access

Entry = tuple[bytes, EntryContent]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of policy files.")]


@app.command()
def replay(
    files: Files,
    policies: Policies = None,
    until: Until = None,
    partitions: Annotated[int, typer.Option(min=1, metavar="N", help="How many.")] = 1,
    to: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Directory of the output files.")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Share the partitions among so many.",
            show_default="one a core, where it pays",
        ),
    ] = None,
    listing: Format = "table",
) -> None:
    """Decide offline, from files. The decisions are those of a worker."""
    from streams.memory import calm_memory
    from streams.replay.crew import replay as run
    from streams.replay.files import rare_topics
    from streams.replay.run import parse_until

    end = parse_until(until)
    calm_memory()
    with Meter() as meter:
        rare = rare_topics(files, meter.files("looking", files))
        has_own = policies is None and "policy-book" in rare
        book = None if has_own else _book(policies)
        opened = meter.files("deciding", files)
        counts = run(
            files,
            book,
            until=end,
            partitions=partitions,
            out=to,
            rare=rare,
            opened=opened,
            processes=processes,
        )
    listed(listing, ("topic", "records"), counts.items())


@app.command()
def verify(
    journal_file: Annotated[
        Path | None, typer.Argument(metavar="[JOURNAL]", help="A journal file.", show_default=False)
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Replay files: also check the raw inputs. May be said again."),
    ] = None,
    bootstrap: JournalOf = None,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    prefix: Prefix = DEFAULT_PREFIX,
    listing: Format = "table",
) -> None:
    """Derive a journal again: chain, hashes, decisions. The first difference is printed."""
    from streams.memory import calm_memory
    from streams.verify import read_journal
    from streams.verify import verify as run
    from streams.verify_inputs import check_inputs

    where = _broker(journal_file, bootstrap, client_config, insecure)
    calm_memory()
    with Meter() as meter:
        if journal_file is not None and where is None:  # entry by entry: it may be larger than the memory
            opened = meter.files("deriving", [journal_file])
            with closing(read_journal(journal_file, opened, outlines=True)) as found:
                auditors = run(found)
        else:
            entries, _ = _entries(journal_file, where, prefix, meter)
            auditors = run(meter.items("deriving", entries))
        checked = {}
        if inputs:
            if journal_file is not None:
                entries, _ = _entries(journal_file, where, prefix, meter)
            opened = meter.files("reading inputs", inputs)
            checked = check_inputs(
                entries,
                inputs,
                opened=opened,
                watched=lambda work: meter.items("checking inputs", work, "steps"),
            )
    nobody = None if listing == "json" else "not checked"
    rows = [
        (number, one.entries, one.decisions, checked.get(number, nobody), one.head.hash)
        for number, one in sorted(auditors.items())
    ]
    listed(listing, ("partition", "entries", "decisions", "input records", "last hash"), rows)


@app.command()
def explain(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="platform:account_id.")],
    journal_file: Annotated[
        Path | None, typer.Option("--journal", metavar="JOURNAL", help="A journal file.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="RFC 3339.", show_default="where the journal ends"),
    ] = None,
    bootstrap: JournalOf = None,
    client_config: ClientConfig = None,
    insecure: Insecure = False,
    prefix: Prefix = DEFAULT_PREFIX,
    listing: Format = "table",
) -> None:
    """Say how an account stood, why, and what would lift it."""
    from streams.explain.explanation import explain as run
    from streams.explain.explanation import key_of, parse_at
    from streams.explain.screen import WIDEST, screen

    key, instant = key_of(account), parse_at(at)
    where = _broker(journal_file, bootstrap, client_config, insecure)
    with Meter() as meter:
        entries, partitions = _entries(journal_file, where, prefix, meter, key)
        said = run(meter.items("following", entries), account, instant, partitions)
    if listing == "json":
        say_json(msgspec.to_builtins(said))
    else:
        out.print(screen(said), soft_wrap=False, width=min(out.width, WIDEST))


def _broker(
    journal_file: Path | None, bootstrap: str | None, client_config: Path | None, insecure: bool
) -> "Access | None":
    """Return the broker whose journal is meant: the one that is named, or the usual one where no file is named."""
    if bootstrap is None and journal_file is None:
        bootstrap = is_bootstrap(os.environ.get("NAMEPLATE_BOOTSTRAP") or None)
    return reach(bootstrap, client_config, insecure) if bootstrap is not None else None


@policy.command("check")
def policy_check(directory: Directory) -> None:
    """Load a book and name every mistake in it."""
    book = _book(directory)
    out.print(f"{len(book.policies)} policies, book {book.hash}")


def _platforms(context: typer.Context) -> list[str]:
    """Return the platforms that have a file in the book that is named, else in the shipped one."""
    from streams.policies.load import shipped_book_dir

    directory = Path(context.params.get("policies") or shipped_book_dir())
    return sorted(path.stem for path in directory.glob("[!_.]*.toml"))


@policy.command("show")
def policy_show(
    platform: Annotated[
        str,
        typer.Argument(
            metavar="PLATFORM", help="As in the policy book, such as weibo.", autocompletion=_platforms
        ),
    ],
    at: Annotated[str | None, typer.Option(metavar="INSTANT", help="RFC 3339.", show_default="now")] = None,
    policies: Policies = None,
    listing: Format = "table",
) -> None:
    """Print what is in force, how sure it is, and where it stands."""
    from streams.policies.page import page
    from streams.policies.show import card

    instant = of_option("--at", at or datetime.now(UTC).isoformat(timespec="seconds")) or 0
    book = _book(policies)
    if platform not in book.policies:
        known = ", ".join(book.policies)
        raise OperatorError(
            f"The book has no policy of {platform!r}. It has {known}: name one of them, as in "
            f"`nameplate policy show {next(iter(book.policies))}`."
        )
    shown = card(book.policies[platform], instant)
    if listing == "json":
        say_json({"book": book.hash, **msgspec.to_builtins(shown)})
    else:
        out.print(page(shown, book.hash))


def _book(directory: Path | None) -> "PolicyBook":
    """Return the book of a directory, the shipped one where none is named."""
    from streams.policies.load import load_book, shipped_book_dir

    return load_book(directory or shipped_book_dir())


def _entries(
    file: Path | None, where: "Access | None", prefix: str, meter: Meter, key: bytes | None = None
) -> tuple[Sequence[Entry], int | None]:
    """Return the entries of the one journal that is named, a file's or a broker's.

    Of a broker's only the partition of a key, if there is one; then also how many partitions it has.
    """
    from streams.verify import read_journal, read_line

    if file is not None and where is None:
        return list(read_journal(file, meter.files("reading", [file]))), None
    if file is not None or where is None:
        raise OperatorError(
            "Name one journal, a file or a broker's: `nameplate verify JOURNAL`, `nameplate explain ACCOUNT --journal "
            "JOURNAL`, or --bootstrap HOST:PORT in place of the file."
        )
    from schemas.partitioner import partition_of
    from streams.live.journal import read_journals

    def choose(partitions: int) -> Sequence[int]:
        return range(partitions) if key is None else [partition_of(key, partitions)]

    found = asyncio.run(read_journals(where, prefix, choose, meter.steps("reading", "entries")))
    return [read_line(raw, "the journal topic") for raw in found.entries], found.partitions
