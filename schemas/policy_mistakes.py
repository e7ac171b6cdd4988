"""Mistakes in a policy's tables: all of them, each as one sentence that says what and what to do.

What a single value must be, the models of `schemas.policy` know; `from_validation` puts their answer
into words. What only several values together can get wrong stands in `cross_check`, which reads the
tables as written, so that one wrong value does not hide the others.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

from schemas import instant
from schemas.policy_leaves import shown

Path = tuple[str | int, ...]
"""Keys and array places from the top of a platform's tables: `("phase", 0, "grace", "days")`."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_FOR_EVER = 2**63  # later than any instant

_SENTENCES = {
    "model_type": "is {input}, no table. Write it as a table, with its keys below a header",
    "dict_type": "is {input}, no table. Write it as a table, with its keys below a header",
    "int_type": "is {input}, no integer. Write a whole number, without quotes and without a point",
    "bool_type": "is {input}, neither true nor false. Write true or false, without quotes",
    "string_type": "is {input}, no text. Put the text in quotes",
    "string_unicode": "is no Unicode text. Write it in UTF-8",
    "string_pattern_mismatch": "is {input}, which does not match {pattern}. Rename it",
    "string_too_short": "is empty. Say it in words",
    "string_too_long": "has more than {max_length} characters. Shorten it",
    "greater_than_equal": "is {input}, less than {ge}. Write {ge} or more",
    "less_than_equal": "is {input}, more than {le}. Write {le} or less",
    "literal_error": "is {input}. Write {expected}",
    "value_error": "{error}",
}


class Mistake(NamedTuple):
    """One mistake in one platform's tables."""

    platform: str
    path: Path
    where: str
    """The path as a person reads it: `phase.p1.grace.days`; empty: the policy as a whole."""
    what: str
    """What is wrong and what to do, to be read after `where`."""
    stated: bool = True
    """False where something is missing, so that no line says it."""

    def __str__(self) -> str:
        return f"{self.where or 'the policy'} {self.what}."


def at(platform: str, tables: object, path: Path, what: str, *, stated: bool = True) -> Mistake:
    """Return a mistake at a path, its place in words taken from the tables."""
    return Mistake(platform, path, in_words(tables, path), what, stated)


def in_words(tables: object, path: Path) -> str:
    """Return a path with phases and rules by their ids, other array places counted from 1."""
    words = ""
    here = tables
    for key in path:
        if isinstance(here, dict):
            here = here.get(key)
        elif isinstance(here, list) and isinstance(key, int) and key < len(here):
            here = here[key]
        else:
            here = None
        label = here.get("id") if isinstance(here, dict) else None
        if isinstance(key, int):
            words += f".{label}" if isinstance(label, str) and len(label) <= 40 else f"[{key + 1}]"
        else:
            words += f".{key}" if _PLAIN_KEY.fullmatch(key) else f".{shown(key)}"
    return words.removeprefix(".")


def from_validation(
    platform: str, tables: object, error: ValidationError, model: type[BaseModel]
) -> list[Mistake]:
    """Return the mistakes that a model found in the tables it was to be built from."""
    mistakes = []
    for detail in error.errors(include_url=False):
        path: Path = detail["loc"]
        if detail["type"] == "missing":
            mistakes.append(at(platform, tables, path, _missing(path), stated=False))
        elif detail["type"] == "extra_forbidden":
            mistakes.append(at(platform, tables, path, _unknown(tables, path, model)))
        elif detail["input"] is not None:  # a null is named by cross_check, wherever it stands
            sentence = _SENTENCES.get(detail["type"], detail["msg"].replace("{", "{{").replace("}", "}}"))
            words = {**detail.get("ctx", {}), "input": shown(detail["input"])}
            mistakes.append(at(platform, tables, path, sentence.format(**words)))
    return mistakes


def _missing(path: Path) -> str:
    if path == ("phase",):
        return "is missing. Add a table [[phase]] with id, threshold, op, from and grace.days"
    if path[0] == "phase" and path[-1] == "grace":
        return "is missing. Add a table [phase.grace] with days, here or in _defaults.toml"
    default = ", or a default for every phase in _defaults.toml" if path[0] == "phase" else ""
    return f"is missing. Add the key{default}"


def _unknown(tables: object, path: Path, model: type[BaseModel]) -> str:
    table = in_words(tables, path[:-1])
    known = sorted(_keys(_model_at(model, path[:-1])))
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    place = f"of {table}" if table else "of a policy"
    return f"is no key {place}. {guess}Take it out, or use one of: {', '.join(known)}"


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    """Return the fields of a model by the keys that a file writes."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    for key in path:
        field = _keys(model).get(key) if isinstance(key, str) else None
        if field is not None:
            model = _model_in(field.annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as `Purge | None` or `tuple[Phase, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def cross_check(platform: str, tables: dict[str, Any], model: type[BaseModel]) -> list[Mistake]:
    """Return the mistakes that lie between values, in the order of the contract's section 5.

    Args:
        platform: The name under which the book holds the tables.
        tables: One platform's merged tables, as written.
        model: `schemas.policy.Policy`; its built-in defaults may be cited too.
    """
    found: list[tuple[Path, str]] = []
    named = tables.get("platform")
    if isinstance(named, str) and named != platform:
        found.append((("platform",), f'is "{named}", but it is filed under "{platform}". Rename one of them'))
    found += ((path, "is null. Take the key out to use its default") for path in _nulls(tables, ()))
    found += _same_ids(tables, "phase")
    found += _same_ids(tables, "rule")
    found += _dates(tables)
    found += _overlaps(tables)
    found += _below_floor(tables)
    found += _idle_sources(tables, model)
    return [at(platform, tables, path, what) for path, what in found]


def _nulls(value: object, path: Path) -> Iterator[Path]:
    if value is None:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from _nulls(part, (*path, key))


def rows(tables: Mapping[str, Any], key: str) -> list[tuple[int, dict[str, Any]]]:
    """Return the tables of an array, `phase` or `rule`, with their places; what is no table is left out."""
    array = tables.get(key)
    return [pair for pair in enumerate(array) if isinstance(pair[1], dict)] if isinstance(array, list) else []


def _same_ids(tables: Mapping[str, Any], key: str) -> Iterator[tuple[Path, str]]:
    seen: set[str] = set()
    for place, row in rows(tables, key):
        label = row.get("id")
        if isinstance(label, str) and label in seen:
            yield (key, place, "id"), f'is "{label}", as of another {key} before. Give each {key} its own id'
        elif isinstance(label, str):
            seen.add(label)


def _instant_of(row: Mapping[str, Any], key: str) -> int | None:
    written = row.get(key)
    try:
        return instant.parse(written) if isinstance(written, str) else None
    except ValueError:
        return None


def _dates(tables: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for place, phase in rows(tables, "phase"):
        begins, until = _instant_of(phase, "from"), _instant_of(phase, "until")
        if begins is not None and until is not None and until <= begins:
            yield (
                ("phase", place, "until"),
                f"is {phase['until']}, not after its from, {phase['from']}. Correct one of them",
            )


def _span(phase: Mapping[str, Any]) -> tuple[int, int] | None:
    begins = _instant_of(phase, "from")
    until = _instant_of(phase, "until") if "until" in phase else _FOR_EVER
    return None if begins is None or until is None or until <= begins else (begins, until)


def _overlaps(tables: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    spans = [(place, phase, _span(phase)) for place, phase in rows(tables, "phase")]
    for (place, one, first), (later_place, other, second) in combinations(spans, 2):
        if not _is_count(one.get("threshold")) or one["threshold"] != other.get("threshold"):
            continue
        if first is not None and second is not None and first[0] < second[1] and second[0] < first[1]:
            what = (
                f"is {one['threshold']}, as that of {in_words(tables, ('phase', place))}, and both are in "
                f"force from {instant.text(max(first[0], second[0]))}. Give one an until, or a later from"
            )
            yield ("phase", later_place, "threshold"), what


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _below_floor(tables: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    floor, sources = tables.get("floor"), tables.get("sources")
    if not isinstance(floor, dict) or not _is_count(floor.get("followers")):
        return
    below = [
        (("phase", place, "threshold"), phase["threshold"])
        for place, phase in rows(tables, "phase")
        if _is_count(phase.get("threshold")) and phase["threshold"] < floor["followers"]
    ]
    if floor.get("override") is not True:
        for path, threshold in below:
            what = (
                f"is {threshold}, below the pledged floor of {floor['followers']}. "
                "Raise it, or set floor.override = true and cite it in [sources]"
            )
            yield path, what
    elif below and not (isinstance(sources, dict) and "floor.override" in sources):
        yield ("floor", "override"), 'is true, but not cited. Add "floor.override" to [sources]'


def _idle_sources(tables: dict[str, Any], model: type[BaseModel]) -> Iterator[tuple[Path, str]]:
    sources = tables.get("sources")
    if not isinstance(sources, dict) or not sources:
        return
    citable = {path for path, _ in _leaves(tables, "")} | set(_built_in(tables, model))
    citable |= {re.sub(r"^phase\.[a-z0-9_-]+\.", "phase.", path) for path in citable}  # of _defaults.toml
    for path in sources:
        if path not in citable:
            near = difflib.get_close_matches(path, sorted(citable), n=1)
            guess = f"Did you mean {near[0]}? " if near else ""
            yield (
                ("sources", path),
                f"names nothing in this policy. {guess}Correct the key path, or take it out",
            )


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Yield every key path below a table, phases and rules by id, tables before what they hold."""
    if path and not (isinstance(value, list) and value and isinstance(value[0], dict)):
        yield path, value
    inner: list[tuple[object, object]] = []
    if isinstance(value, dict):
        inner = [pair for pair in value.items() if path or pair[0] != "sources"]
    elif isinstance(value, list):
        inner = [(part.get("id"), part) for part in value if isinstance(part, dict)]
    for key, part in inner:
        yield from _leaves(part, f"{path}.{key}" if path else str(key))


def _built_in(tables: Mapping[str, Any], model: type[BaseModel]) -> Iterator[str]:
    """Yield the key paths of defaults that are values: what nobody wrote may still be cited."""
    for key, field in _keys(model).items():
        if isinstance(field.default, BaseModel):
            yield from (f"{key}.{leaf}" for leaf in _keys(type(field.default)))
    grace = _keys(_model_at(model, ("phase", 0, "grace")))
    for _, phase in rows(tables, "phase"):
        yield from (
            f"phase.{phase.get('id')}.grace.{leaf}"
            for leaf, field in grace.items()
            if not field.is_required() and field.default is not None
        )
