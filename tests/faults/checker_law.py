"""What every account should have been told, by the naive oracle, and what it was told (I1).

The oracle (`tests/oracle.py`) was written from the contract alone and shares no code with the program. It is given
what the journal says was taken, in that order, one partition at a time: the order is the journal's, what follows
from it is not.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from oracle import World
from oracle_book import Policy, load
from oracle_inputs import read
from oracle_outputs import differences, in_oracle_words

from .checker_dump import Dump, Record
from .checker_inputs import dead_places, micros, taken
from .checker_journal import Judged
from .checker_outputs import accepted_decisions, topic_of

Journal = dict[int, list[Judged]]
MOST_BYTES = 64 * 1024
TOO_DEEP = 100
"""The contract says that there is such a depth and not which; the poison is twice as deep, everything else a tenth."""
_STRINGS, _BRACKETS = re.compile(r'"(?:[^"\\\\]|\\\\.)*"'), re.compile(r"[\[\]{}]")


def told_as_expected(dump: Dump, journal: Journal, counts: dict[str, int]) -> list[str]:
    """I1."""
    if not dump.world.get("book"):
        counts["not held against the oracle"] = 1
        return []
    wrong: list[str] = []
    counts["dead"] = 0
    book = load(Path(dump.world["book"]))
    for partition, records in journal.items():
        expected, dead = expect(dump, partition, records, book)
        found = dead_places(records)
        counts["dead"] += len(found)
        wrong += [
            f"partition {partition}, {topic} offset {offset}: dead as {found.get((topic, offset))}, "
            f"expected {dead.get((topic, offset))}"
            for topic, offset in sorted(dead.keys() | found.keys())
            if dead.get((topic, offset)) != found.get((topic, offset))
        ]
        wrong += [f"partition {partition}: {one}" for one in told_otherwise(expected, given(records))]
    return wrong


def expect(
    dump: Dump, partition: int, records: list[Judged], book: dict[str, Policy]
) -> tuple[list[dict[str, Any]], dict[tuple[str, int], str]]:
    """Return the outputs that the oracle expects, and the codes of what it cannot read, by place."""
    has_clock = dump.world["time"] == "clock"
    world, dead = World(book, clock=has_clock), {}
    last = planned = None
    for one in records:
        if not one.is_accepted:
            continue
        last = one
        for topic, record in taken(dump, partition, one):
            if topic == "policy-book":
                continue
            line, code = line_of(topic, record)
            value, own = None, 0
            if code is None:
                value, code, own = read(line, book, world.T if has_clock else None)
            if code is not None:
                dead[topic, record.offset] = code
            elif topic == "clock":
                world.go_to(min(own, record.timestamp * 1000))
            else:
                key = value["platform"], value["account_id"]  # type: ignore[index]
                if not has_clock or planned == world.T:
                    world.go_to(world.T if has_clock else own)  # type: ignore[arg-type]
                world.take(value)  # type: ignore[arg-type]
                planned = world.T if has_due(world, key) else None
    until = dump.world.get("until")
    if until and last is not None and last.content["T"] == until:
        world.go_to(micros(until))
    return world.outputs, dead


def has_due(world: World, key: tuple[str, str]) -> bool:
    """Whether a record that was just taken has made something due at its own T; nobody else's can be."""
    row = world.rows.get(key)
    return row is not None and world.T is not None and bool(world._dues(row, world.T, world.T))


def line_of(topic: str, record: Record) -> tuple[dict[str, Any], str | None]:
    """Return a record as the oracle reads lines, or the code of what is no JSON that may be read."""
    raw = record.value
    if raw is None:
        return {}, "null-value"
    if len(raw) > MOST_BYTES:
        return {}, "too-large"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return {}, "not-utf8"
    twice: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        said = dict(found)
        if len(said) != len(found):
            twice.append("twice")
        return said

    try:
        if text.startswith("\ufeff"):
            raise ValueError("a byte order mark")
        if _depth(text) > TOO_DEEP:
            raise ValueError("too deep")
        value = json.loads(
            text, parse_float=Decimal, parse_int=_whole, parse_constant=_refuse, object_pairs_hook=pairs
        )
    except (ValueError, RecursionError):
        return {}, "not-json"
    if twice:
        return {}, "duplicate-key"
    key = None if record.key is None else record.key.decode("utf-8", "replace")
    line = {"topic": topic, "value": value}
    return line if topic == "clock" else {**line, "key": key}, None


def _depth(text: str) -> int:
    """Return how deep brackets are nested outside of strings."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _whole(digits: str) -> int:
    """Return a whole number; one with thousands of digits as one that is as much out of any range."""
    return int(digits) if len(digits) < 1000 else 10**1000


def _refuse(name: str) -> None:
    raise ValueError(name)


def given(records: list[Judged]) -> list[dict[str, Any]]:
    """Return what the accepted entries say, in the words of the oracle."""
    outputs = [output for decision in accepted_decisions(records) for output in decision["outputs"]]
    return in_oracle_words({**output, "topic": topic_of(output)} for output in outputs)


def told_otherwise(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the first difference of each account and topic."""
    for place, left, right in differences(expected, found):
        said = {name: right[0].get(name) for name in (left or right)[0]} if right else "nothing"
        yield f"{place}: expected {left[0] if left else 'nothing'}, told {said}"
