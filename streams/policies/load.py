"""A directory of policy files becomes a checked book, or one error that names every mistake.

`_defaults.toml` is laid under each platform's file: tables merge key by key, arrays are replaced, and
its `[phase]` lies under each phase. What the merged tables must be, `schemas.policy` says; only what
a platform's *own* file must cite is checked here, because a merged table no longer knows who wrote it.
"""

import re
import tomllib
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from schemas import instant
from schemas.errors import PolicyError
from schemas.policy import PolicyBook, examine
from schemas.policy_mistakes import Mistake, at, in_words, rows
from schemas.policy_mistakes import Path as KeyPath
from streams.policies.lines import key_lines, nearest

DEFAULTS = "_defaults.toml"
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")


class _File(NamedTuple):
    name: str
    tables: dict[str, Any]
    lines: dict[KeyPath, int]


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
    names = _names(directory)
    files, broken = _parsed(directory, names)
    if broken:
        raise PolicyError("\n".join(broken))
    defaults = files.pop(DEFAULTS, _File(DEFAULTS, {}, {}))
    if not files:
        raise PolicyError(
            f"{directory}: holds no policy file. Put one <platform>.toml there for each platform."
        )
    merged = {name.removesuffix(".toml"): _merged(defaults.tables, own.tables) for name, own in files.items()}
    book, mistakes = examine({"policies": merged})
    uncited = [mistake for own in files.values() for mistake in _uncited(own)]
    if book is None or uncited:
        found = sorted({_located(mistake, files, defaults) for mistake in (*mistakes, *uncited)})
        raise PolicyError("\n".join(_line(*place) for place in found))
    return book


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


def _parsed(directory: Path, names: list[str]) -> tuple[dict[str, _File], list[str]]:
    """Return the files that are TOML, by name, and a line for each that is not."""
    files: dict[str, _File] = {}
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
            files[name] = _File(name, _plain(tables), key_lines(text))
            if name == DEFAULTS and not isinstance(tables.get("phase", {}), dict):
                line = files[name].lines.get(("phase",)) or files[name].lines.get(("phase", 0))
                broken.append(
                    _line(
                        name, line or 0, "phase is the default of every phase. Write it as one table [phase]."
                    )
                )
    return files, broken


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
    merged: dict[str, Any] = _over(under, own)
    if isinstance(merged.get("phase"), list):
        merged["phase"] = [_over(phase, row) for row in merged["phase"]]
    return merged


def _over(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return {**under, **{key: _over(under.get(key), value) for key, value in over.items()}}


_CITED = (("scope", "subjects"), ("measures", "impose"), ("measures", "untouched"))
_CITED_OF_PHASE = (("threshold",), ("op",), ("from",), ("until",), ("subjects",), ("grace", "deadline"))


def _uncited(own: _File) -> Iterator[Mistake]:
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


def _located(mistake: Mistake, files: dict[str, _File], defaults: _File) -> tuple[str, int, str]:
    """Return file, line (0: none) and text of a mistake, in the file that states what is wrong."""
    own = files[f"{mistake.platform}.toml"]
    known, line = nearest(own.lines, mistake.path)
    name = own.name
    if mistake.stated and known < len(mistake.path):
        is_of_phase = mistake.path[:1] == ("phase",)
        path = mistake.path[:1] + mistake.path[2:] if is_of_phase else mistake.path
        known_default, default_line = nearest(defaults.lines, path)
        if known_default + is_of_phase > known:
            name, line = defaults.name, default_line
            mistake = mistake._replace(where=in_words(defaults.tables, path))
    return name, line or 0, str(mistake)


def _line(name: str, line: int, text: str) -> str:
    return f"{name}:{line}: {text}" if line else f"{name}: {text}"
