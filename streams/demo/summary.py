"""What came of the demo, counted from what it left behind, and what to type next to check it."""

import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from schemas import topics
from schemas.instant import text
from schemas.outputs import OF_TYPE
from streams.demo.history import PARTITIONS, History
from streams.demo.view import View
from streams.verify import read_journal


def print_summary(out: Console, directory: Path, history: History, view: View, seconds: float) -> None:
    """Print a table of what was published and decided."""
    taken = dead = 0
    woken, watched = set(), set()
    for _, content in read_journal(directory / "journal.jsonl"):
        taken += sum(run.end - run.start for run in content.runs if run.topic == topics.COUNTS)
        for decision in content.decisions:
            cause = decision["cause"]
            dead += "dead" in decision
            if "after" in decision:
                watched.add(decision["key"])
            if cause.get("topic") == topics.COUNTS:
                woken.add((content.partition, cause["offset"]))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column()
    places = f"{history.platforms} platform{'' if history.platforms == 1 else 's'}"
    rows = [
        ("accounts", history.accounts, f"on {places}; {len(watched):,} are near a line and stored"),
        ("counts", taken, f"{taken - len(woken):,} quiet: nothing could change"),
        ("facts", history.count(topics.FACTS), "profiles, answers, displays, adjudications"),
        ("dead letters", dead, "what could not be read"),
        *((kind, view.types[kind], "") for kind in OF_TYPE if view.types[kind]),
    ]
    for name, number, words in rows:
        table.add_row(name, f"{number:,}", words)
    table.add_row("time", f"{seconds:.0f} s", f"for {history.days:,.0f} days of history")
    out.print()
    out.print(table)


def next_commands(directory: Path, history: History, account: str | None) -> Iterator[tuple[str, str]]:
    """Yield what to type next, each with what it does; each is right as it stands, for a POSIX shell."""
    program, until = _program(), text(history.until)
    journal, inputs, restrictions, again = (
        shlex.quote(str(directory / name))
        for name in ("journal.jsonl", "inputs.jsonl", "restrictions.jsonl", "replayed")
    )
    yield (
        "derive every decision again from the journal, and hold it against the inputs",
        f"{program} verify {journal} \\\n  --inputs {inputs}",
    )
    if account is not None:
        yield (
            "why this account stands where it stands",
            f"{program} explain {account} \\\n  --journal {journal}",
        )
    yield (
        "decide all of it again, offline",
        f"{program} replay {inputs} --partitions {PARTITIONS} \\\n  --until {until} --out {again}",
    )
    yield (
        "the same bytes as came out of the topics? (partitions have no order among them)",
        f"LC_ALL=C sort {again}/restrictions.jsonl |\n  diff -s - {restrictions}",
    )


def _program() -> str:
    """Return how this program is called here: by its name where the shell finds it, else by its path."""
    called = Path(sys.argv[0])
    words = [called.stem] if called.stem == "nameplate" else [Path(sys.executable).name, "-m", "streams.cli"]
    path = called if called.stem == "nameplate" else Path(sys.executable)
    if shutil.which(words[0]) != str(path.absolute()):
        words[0] = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return shlex.join(words)
