"""On which line of a TOML text a key stands, so that a mistake can be shown where it was made.

The reader of the standard library forgets positions. This one knows only headers and keys, which is
enough: it is asked about texts that the real reader has accepted, and its answer decides nothing.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from schemas.policy_mistakes import Path

_PART = r'(?:[A-Za-z0-9_-]+|"[^"\n]*"|\'[^\'\n]*\')'
_NAME = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_NAME})\s*\]\]?")
_KEY = re.compile(rf"\s*({_NAME})\s*=")
_PARTS = re.compile(_PART)
_QUOTES = re.compile(r'"""|\'\'\'')
_Where = TypeVar("_Where")


class Place(NamedTuple):
    """Where a key stands."""

    file: str
    line: int
    """From 1; 0: on no line that is known."""


def key_lines(text: str) -> dict[Path, int]:
    r"""Return the line, counted from 1, of every table header and key at the start of a line.

    Examples:
        >>> key_lines("[[phase]]\nid = 1\n[phase.grace]\ndays = 10")[("phase", 0, "grace", "days")]
        4
    """
    found: dict[Path, int] = {}
    rows: dict[Path, int] = {}  # arrays of tables, by path: the place of the last row
    table: Path = ()
    inside = ""  # the quotes of a text of several lines that is still open
    for number, line in enumerate(text.splitlines(), start=1):
        if not inside:
            header = _HEADER.match(line)
            key = None if header else _KEY.match(line)
            if header:
                table = _table(header[1] == "[[", _parts(header[2]), rows)
                found.setdefault(table, number)
            elif key:
                _keep(found, table, _parts(key[1]), number)
        for quotes in _QUOTES.findall(line):
            inside = quotes if not inside else "" if quotes == inside else inside
    return found


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PARTS.findall(name))


def _table(is_row: bool, name: tuple[str, ...], rows: dict[Path, int]) -> Path:
    """Return the path that a header opens: `[phase.grace]` belongs to the last `[[phase]]`."""
    path: Path = ()
    for place, part in enumerate(name):
        path = (*path, part)
        if is_row and place == len(name) - 1:
            rows[path] = rows.get(path, -1) + 1
        if path in rows:
            path = (*path, rows[path])
    return path


def _keep(found: dict[Path, int], table: Path, name: tuple[str, ...], number: int) -> None:
    path = table
    for part in name:  # a dotted key states its tables as well
        path = (*path, part)
        found.setdefault(path, number)


def nearest(found: Mapping[Path, _Where], path: Path) -> tuple[int, _Where | None]:
    """Return how much of a path is found, and where the longest part stands; (0, None) for nothing."""
    for length in range(len(path), 0, -1):
        if path[:length] in found:
            return length, found[path[:length]]
    return 0, None
