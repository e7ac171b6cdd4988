"""A directory of policy files becomes a checked book, or one error that names every mistake.

`_defaults.toml` is laid under each platform's file: tables merge key by key, arrays are replaced, and
its `[phase]` lies under each phase. What the merged tables must be, `schemas.policy` says; only what
a platform's *own* file must cite is checked here, because a merged table no longer knows who wrote it.

A directory may also say only what it has otherwise: with `extends = "../book"` in its `_defaults.toml`
each of its files lies over the file of that name there (`streams.policies.over`).
"""

import re
import tomllib
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from schemas import instant
from schemas.errors import PolicyError
from schemas.policy import PolicyBook, examine
from schemas.policy_mistakes import Mistake, at, in_words, rows
from schemas.policy_mistakes import Path as KeyPath
from streams.policies.lines import Place, key_lines, nearest
from streams.policies.over import File, laid_over, over

DEFAULTS = "_defaults.toml"
EXTENDS = "extends"
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")


def shipped_book_dir() -> Path:
    """Return the directory of the policy files that Nameplate is shipped with."""
    return Path(__file__).parent / "book"


def load_book(directory: Path) -> PolicyBook:
    """Return the book that a directory of `<platform>.toml` files describes.

    Args:
        directory: Other files, and names that begin with a point, are left alone.

    Raises:
        PolicyError: nothing was loaded; the message holds every mistake, one a line, with file, line
            and remedy.
    """
    written = _parsed(directory, _names(directory))
    files = _extended(directory, written)
    defaults = files.pop(DEFAULTS, File(DEFAULTS, {}, {}))
    if not files:
        raise PolicyError(
            f"{directory}: holds no policy file. Put one <platform>.toml there for each platform."
        )
    merged = {name.removesuffix(".toml"): _merged(defaults.tables, own.tables) for name, own in files.items()}
    book, mistakes = examine({"policies": merged})
    own_files = {name: own for name, own in written.items() if name != DEFAULTS}
    uncited = [mistake for own in own_files.values() for mistake in _uncited(own)]
    if book is None or uncited:
        found = {_located(mistake, files, defaults) for mistake in mistakes}
        found |= {_located(mistake, own_files, defaults) for mistake in uncited}
        raise PolicyError("\n".join(_line(*place) for place in sorted(found)))
    return book


def _extended(directory: Path, written: dict[str, File]) -> dict[str, File]:
    """Return the files of a directory, laid over those of the book that it extends, if it extends one.

    Raises:
        PolicyError: the book that it extends is refused by itself, or extends another.
    """
    defaults = written.get(DEFAULTS)
    if defaults is None or EXTENDS not in defaults.tables:
        return dict(written)
    named = defaults.tables[EXTENDS]
    mine = {**written, DEFAULTS: defaults._replace(tables=_without(defaults.tables, EXTENDS))}
    _, place = nearest(defaults.lines, (EXTENDS,))
    where = f"{DEFAULTS}:{place.line if place else 0}: {EXTENDS}"
    if not isinstance(named, str):
        raise PolicyError(f'{where} is no text. Write the directory of a book, like "../book".')
    try:
        under = _whole(directory / named)
    except PolicyError as error:
        raise PolicyError(f'{where} names "{named}", which is refused:\n{error}') from error
    told = {name: file.told_from(named) for name, file in under.items()}
    return told | {name: laid_over(told[name], file) if name in told else file for name, file in mine.items()}


def _whole(directory: Path) -> dict[str, File]:
    """Return the files of a book that may be extended: one that loads, and extends none itself.

    One level is enough for a what-if, and nothing can go round in circles.
    """
    files = _parsed(directory, _names(directory))
    if EXTENDS in files.get(DEFAULTS, File("", {}, {})).tables:
        raise PolicyError(f"{directory}: extends a book itself. Name that book, or copy its files here.")
    load_book(directory)
    return files


def _without(tables: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in tables.items() if name != key}


def _names(directory: Path) -> list[str]:
    try:
        return sorted(
            path.name
            for path in directory.iterdir()
            if path.suffix == ".toml" and not path.name.startswith(".")
        )
    except OSError as error:
        raise PolicyError(
            f"{directory}: {_reason(error)}. Name a directory with one <platform>.toml for each platform."
        ) from error


def _reason(error: OSError) -> str:
    return (error.strerror or "cannot be read").lower()


def _parsed(directory: Path, names: list[str]) -> dict[str, File]:
    """Return the files by name.

    Raises:
        PolicyError: some are no TOML; the message has a line for each.
    """
    files: dict[str, File] = {}
    broken: list[str] = []
    for name in names:
        try:
            text = (directory / name).read_bytes().decode("utf-8")
            tables = tomllib.loads(text, parse_float=Decimal)
        except OSError as error:
            broken.append(f"{name}: {_reason(error)}. Make it readable, or take it away.")
        except UnicodeDecodeError as error:
            broken.append(f"{name}: is not UTF-8 at byte {error.start}. Save it as UTF-8.")
        except tomllib.TOMLDecodeError as error:
            broken.append(_not_toml(name, str(error)))
        except (ValueError, InvalidOperation, RecursionError):  # the reader lets these out as they come
            broken.append(f"{name}: has a number too large, or arrays nested too deep. Write less.")
        else:
            lines = {path: Place(name, line) for path, line in key_lines(text).items()}
            files[name] = File(name, _plain(tables), lines)
            if name == DEFAULTS and not isinstance(tables.get("phase", {}), dict):
                place = lines.get(("phase",)) or lines[("phase", 0)]
                broken.append(
                    _line(*place, "phase is the default of every phase. Write it as one table [phase].")
                )
    if broken:
        raise PolicyError("\n".join(broken))
    return files


def _not_toml(name: str, reason: str) -> str:
    place = _AT_LINE.search(reason)
    what = reason if place is None else f"{reason[: place.start()]} at column {place[2]}"
    where = name if place is None else f"{name}:{place[1]}"
    return f"{where}: is no TOML: {what}. Correct the line."


def _plain(value: Any) -> Any:
    """Return what TOML holds in the JSON form: instants as UTC text, days as `YYYY-MM-DD`.

    A date-time without an offset stays as it was written, and is refused where an instant must stand.
    """
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        try:
            return instant.text(instant.parse(value.isoformat()))
        except ValueError:
            return value.isoformat()
    return value.isoformat() if isinstance(value, date | time) else value


def _merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return a platform's tables laid over the defaults."""
    phase = defaults.get("phase", {})
    under = {key: value for key, value in defaults.items() if key != "phase"}
    merged: dict[str, Any] = over(under, own)
    if isinstance(merged.get("phase"), list):
        merged["phase"] = [over(phase, row) for row in merged["phase"]]
    return merged


_CITED = (("scope", "subjects"), ("measures", "impose"), ("measures", "untouched"))
_CITED_OF_PHASE = (("threshold",), ("op",), ("from",), ("until",), ("subjects",), ("grace", "deadline"))


def _uncited(own: File) -> Iterator[Mistake]:
    """Yield what a platform's own file states without its own source (contract, section 5)."""
    platform = own.name.removesuffix(".toml")
    sources = own.tables.get("sources")
    cited = sources if isinstance(sources, dict) else {}
    paths: list[KeyPath] = list(_CITED)
    for place, phase in rows(own.tables, "phase"):
        if "id" in phase:  # without it no key path can name the phase
            paths += (("phase", place, *leaf) for leaf in _CITED_OF_PHASE)
    paths += (("rule", place, "from") for place, rule in rows(own.tables, "rule") if "id" in rule)
    for path in paths:
        words = in_words(own.tables, path)
        if _is_stated(own.tables, path) and words not in cited:
            yield at(platform, own.tables, path, f'has no source. Add "{words}" to [sources]')


def _is_stated(tables: Any, path: KeyPath) -> bool:
    here = tables
    for key in path:
        if not isinstance(key, int) and not (isinstance(here, dict) and key in here):
            return False
        here = here[key]
    return True


def _located(mistake: Mistake, files: dict[str, File], defaults: File) -> tuple[str, int, str]:
    """Return file, line (0: none) and text of a mistake, in the file that states what is wrong."""
    own = files[f"{mistake.platform}.toml"]
    known, place = nearest(own.lines, mistake.path)
    if mistake.stated and known < len(mistake.path):
        is_of_phase = mistake.path[:1] == ("phase",)
        path = mistake.path[:1] + mistake.path[2:] if is_of_phase else mistake.path
        known_default, default_place = nearest(defaults.lines, path)
        if known_default + is_of_phase > known:
            place = default_place or Place(defaults.name, 0)
            mistake = mistake._replace(where=in_words(defaults.tables, path))
    name, line = place or Place(own.name, 0)
    return name, line, str(mistake)


def _line(name: str, line: int, text: str) -> str:
    return f"{name}:{line}: {text}" if line else f"{name}: {text}"
