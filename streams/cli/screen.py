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
    for line in _table([list(names), *([*row] for row in rows)], to.columns):
        to.print(line)


def _table(rows: Sequence[Sequence[Any]], columns: int | None) -> Iterator[Text]:
    """Yield the lines of a table; where it would be too wide, the last column stands below the others."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numbers = [all(isinstance(value, int) for value in column[1:]) for column in zip(*rows, strict=True)]
    below = columns is not None and sum(widths) + len(GAP) * (len(widths) - 1) > columns
    for number, row in enumerate(cells):
        style = "" if number else "bold"
        beside = row[:-1] if below else row
        placed = zip(beside, widths, numbers, strict=False)
        line = GAP.join(text.rjust(width) if right else text.ljust(width) for text, width, right in placed)
        yield Text(line.rstrip(), style)
        if below and columns is not None:
            yield from (
                Text(GAP + part, style)
                for part in textwrap.wrap(row[-1], columns - len(GAP), break_long_words=False)
            )


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
