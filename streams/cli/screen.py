"""What a command says on a terminal and in a pipe: lists, JSON documents, errors.

Nothing is folded where nobody looks: a pipe gets every line whole. Colour says nothing that the words do not.
"""

import json
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NoReturn

from rich.console import Console
from rich.text import Text

WIDEST = 110
"""Columns of a sentence that is still read with ease."""
GAP = "  "

_COMMAND = re.compile(r"`[^`\n]+`")


class ClosedPipe(Exception):
    """Nobody reads what we write any more, as with `nameplate … | head`."""


class Screen(Console):
    """A console that prints what it is given, and nothing else: no mark-up, no emoji of `:cat:`."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)

    @property
    def columns(self) -> int | None:
        """How wide a line may be; None where nobody looks."""
        return self.width if self.is_terminal or "COLUMNS" in os.environ else None

    def on_broken_pipe(self) -> NoReturn:
        """Let the command end."""
        raise ClosedPipe


out = Screen()
err = Screen(stderr=True)


def say_json(document: Any, *, to: Screen = out) -> None:
    """Print one JSON document."""
    to.print(json.dumps(document, indent=2, ensure_ascii=False))


def listed(
    listing: Literal["table", "json"],
    names: Sequence[str],
    rows: Iterable[Iterable[Any]],
    *,
    to: Screen = out,
) -> None:
    """Print rows as a table for people, or as one JSON document with stable names; None is nothing, or null."""
    if listing == "json":
        keys = [name.replace(" ", "_") for name in names]
        say_json([dict(zip(keys, row, strict=True)) for row in rows], to=to)
        return
    cells = [list(row) for row in rows]
    widths = [max(len(_cell(value)) for value in column) for column in zip(names, *cells, strict=True)]
    if to.columns is None or sum(widths) + len(GAP) * (len(names) - 1) <= to.columns:
        lines = _table(names, cells, widths)
    else:
        lines = _blocks(names, cells, to.columns)
    for line in lines:
        to.print(line)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]], widths: Sequence[int]) -> Iterator[Text]:
    numbers = [all(isinstance(row[place], int) for row in rows) for place in range(len(names))]

    def line(cells: Iterable[str]) -> str:
        placed = zip(cells, widths, numbers, strict=True)
        return GAP.join(text.rjust(width) if number else text.ljust(width) for text, width, number in placed)

    yield Text(line(names).rstrip(), style="bold")
    for row in rows:
        yield Text(line(map(_cell, row)).rstrip())


def _blocks(names: Sequence[str], rows: Sequence[Sequence[Any]], columns: int) -> Iterator[Text]:
    """Yield each row as lines of its own, where side by side they would be folded."""
    under = max(map(len, names)) + len(GAP)
    for number, row in enumerate(rows):
        if number:
            yield Text("")
        for name, value in zip(names, map(_cell, row), strict=True):
            first, *more = textwrap.wrap(value, max(columns - under, 20), break_long_words=False) or [""]
            yield Text.assemble((name.ljust(under) if first else name, "dim"), first)
            yield from (Text(" " * under + line) for line in more)


def say_error(message: str) -> None:
    """Print what is wrong, why, and what to type next; commands stand out and are never broken."""
    width = min(err.width, WIDEST) if err.is_terminal else None
    text = Text("\n".join(line for part in message.splitlines() for line in wrapped(part, width)), "red")
    text.highlight_regex(_COMMAND, "bold not red")
    err.print(text)


def wrapped(line: str, width: int | None) -> list[str]:
    """Return a line as lines of at most a width; commands in backticks are never broken."""
    if width is None or len(line) <= width:
        return [line]
    whole = _COMMAND.sub(lambda command: command[0].replace(" ", "\0"), line)
    indent = line[: len(line) - len(line.lstrip())]
    folded = textwrap.wrap(
        whole, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [part.replace("\0", " ") for part in folded]
