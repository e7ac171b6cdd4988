"""Records that are odd: one with a part that is gone, new or otherwise, for every part and many odd values."""

import copy
import re
from collections.abc import Container, Iterable, Iterator
from functools import reduce
from operator import getitem
from typing import Any

from hypothesis import strategies as st

from schemas import instant

INSTANTS = """
2024-01-03T00:00:00Z 2024-01-03t08:00:00.123456+08:00 0001-01-01T00:00:00Z 2024-01-03T00:00:00.10z
2024-02-30T00:00:00Z 2024-01-03T00:00:60Z 2024-01-03T24:00:00Z 2024-01-03T00:00:00+24:00 2024-01-03
2024-01-03T00:00:00.1234567Z 0001-01-01T00:00:00+00:01 2024-01-03T00:00:00 ٢٠٢٤-01-03T00:00:00Z 2024-02-30
""".split()  # noqa: SIM905 - a table of words, not a column
WORDS = """
e acc-a Acc-a -acc weibo real_name p1 > >= individual government deleted agree decline waive extend hold keep lift
notice profile-changed answer-given adjudication-made name-display-changed renamed follower-counts grace declined
displayed fell-below
""".split()  # noqa: SIM905 - a table of words, not a column
TEXTS = (
    *("", "a b", "acc-a\n", "é", "\u007f", "\ud800", "0" * 32, "0" * 64, "A" * 64),
    *("x" * length for length in (40, 41, 64, 65, 128, 129)),
)
INTEGERS = (0, 1, 5, 30, 31, 36_500, 36_501, -1, 2**53 - 1, 2**53, 10**30)
FRACTIONS = (0.0, 5.0, 1e6, 0.3, 0.7, 0.0007, 0.00001, 1.0001, -0.1)
SIMPLE: tuple[Any, ...] = (None, True, *INSTANTS, *WORDS, *TEXTS, *INTEGERS, *FRACTIONS)
SUBJECTS = (
    *({name: 0.5} for name in ("law", "a_0", "", "Law!", "x" * 41, "\ud800")),
    *({"law": share} for share in (*INTEGERS, *FRACTIONS)),
)
LISTS = ([], [None], [5], [0], ["law"], ["law", "law"], ["Law!"], [3, 3], [1, 3], ["individual", "x"])
ODD = (*SIMPLE, *SUBJECTS, {}, *LISTS)
GONE = object()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every part of a record."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(value[key], (*path, key))


def put(value: Any, path: tuple[Any, ...], part: Any) -> Any:
    """Return a copy of a record with one part gone, new or otherwise."""
    value = copy.deepcopy(value)
    *way, last = path
    here = reduce(getitem, way, value)
    if part is GONE:
        del here[last]
    else:
        here[last] = part
    return value


def changed_once(value: Any, names: Iterable[str], but: Container[str] = ()) -> Iterator[Any]:
    """Yield a record as it is, and with every change of one of its parts, or of a field that it might have.

    Fields in `but` are left as they are: another record has tried them.
    """
    yield value
    there = [path for path in places(value) if path[0] not in but]
    for path in there:
        yield put(value, path, GONE)
    for path in {*there, *((name,) for name in (*names, "colour") if name not in but)}:
        yield from (put(value, path, odd) for odd in ODD)


def changed(draw: Any, value: Any, names: Iterable[str]) -> Any:
    """Return a record with two or three changes."""
    for _ in range(draw(st.integers(2, 3))):
        there = sorted(places(value), key=repr)
        path = draw(st.sampled_from([*there, *((name,) for name in (*names, "colour"))]))
        is_gone = path in there and draw(st.booleans())
        value = put(value, path, GONE if is_gone else draw(st.sampled_from(ODD)))
    return value


def repaired(value: Any) -> Any:
    """Return a record without what a schema cannot refuse, so that nothing else can be left to refuse."""
    if isinstance(value, dict):
        return {name: repaired(part) for name, part in value.items()}
    if isinstance(value, list):
        return [repaired(part) for part in value]
    if isinstance(value, float):
        return int(value) if value == int(value) else round(value, 2)
    if isinstance(value, str):
        return repaired_text(value)
    return value


def repaired_text(value: str) -> str:
    if re.match("[0-9]{4}-[0-9]{2}-[0-9]{2}$", value):
        return "2024-01-03"
    try:
        instant.parse(value)
    except ValueError:
        return "2024-01-03T00:00:00Z" if re.match("[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]", value) else value
    return value
