"""One policy file over another of its name: what it says replaces, what it leaves out stays.

Two kinds of "over". Over the defaults, tables merge key by key and arrays are replaced (`over`). Over
the file of a book that is extended, rows of `[[phase]]` and `[[rule]]` also merge, by their id, and new
ones are added (`laid_over`): a what-if says one more phase, and repeats no fact. A source stands for the
value that it was written for, so one whose leaf is said anew falls away with the value.
"""

from typing import Any, NamedTuple

from schemas.policy_mistakes import Path
from streams.policies.lines import Place

_WITH_IDS = ("phase", "rule")


class File(NamedTuple):
    """One policy file, or several that lie over each other."""

    name: str
    tables: dict[str, Any]
    """In the JSON form."""
    lines: dict[Path, Place]
    """Where each key stands that is written in it."""

    def told_from(self, directory: str) -> "File":
        """Return the file as it is named in messages about another directory."""
        lines = {path: Place(f"{directory}/{file}", line) for path, (file, line) in self.lines.items()}
        return self._replace(name=f"{directory}/{self.name}", lines=lines)


def over(under: Any, above: Any) -> Any:
    """Return one value laid over another: tables merge key by key, all else is replaced."""
    if not isinstance(under, dict) or not isinstance(above, dict):
        return above
    return {**under, **{key: over(under.get(key), value) for key, value in above.items()}}


def laid_over(under: File, above: File) -> File:
    """Return a file laid over the one that it extends; keys are found where they were written last."""
    tables = over({**under.tables, "sources": _still_true(under.tables, above.tables)}, above.tables)
    lines = dict(under.lines)
    moved: dict[Path, int] = {}
    for key in _WITH_IDS:
        rows, more = under.tables.get(key), above.tables.get(key)
        if isinstance(rows, list) and isinstance(more, list):
            tables[key], places = _rows_over(rows, more)
            moved.update({(key, before): now for before, now in enumerate(places)})
    for path, place in above.lines.items():
        at = path if path[:2] not in moved else (path[0], moved[path[:2]], *path[2:])
        lines[at] = place
    return File(above.name, tables, lines)


def _rows_over(under: list[Any], above: list[Any]) -> tuple[list[Any], list[int]]:
    """Return the rows of both, and where each row from above now stands."""
    rows = list(under)
    free = {row["id"]: place for place, row in enumerate(under) if isinstance(row, dict) and "id" in row}
    places = []
    for row in above:
        label = row.get("id") if isinstance(row, dict) else None
        place = free.pop(label, len(rows)) if isinstance(label, str) else len(rows)
        rows[place:] = [over(rows[place], row), *rows[place + 1 :]] if place < len(rows) else [row]
        places.append(place)
    return rows, places


def _still_true(under: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return the sources from below of all that is not said anew above."""
    sources = under.get("sources")
    cited = sources if isinstance(sources, dict) else {}
    return {path: source for path, source in cited.items() if not _is_said(above, path)}


def _is_said(tables: Any, path: str) -> bool:
    here = tables
    for part in path.split("."):
        if isinstance(here, list):
            here = next((row for row in here if isinstance(row, dict) and row.get("id") == part), None)
        elif isinstance(here, dict):
            here = here.get(part)
        else:
            return False
    return here is not None
