"""Whether a later AsyncAPI document breaks those who rely on an earlier one.

Theory of operation. Whoever sends goes on sending what the earlier document lets him, so each of its schemas
must lie inside the later one. Whoever reads knows the earlier document, so each schema of the later one must
lie inside that; but he goes on without fields and reason codes that he does not know, and may not miss one that
he does. Both are one question: does everything that fits an *inner* schema fit an *outer* one? It is answered
keyword by keyword for the schemas that we write, and whatever is not understood is said to differ. What Nameplate
both writes and reads (clock, journal) is looked at as something sent: what stands there has to be read for ever.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

Schema = Any
"""A JSON Schema: an object, true or false."""

EXTENSIBLE = "#/components/schemas/Reason"
"""A union that may get new alternatives: its readers are told to go on without those they do not know."""

_AT_LEAST = ("minimum", "minLength", "minItems", "minProperties")
_AT_MOST = ("maximum", "maxLength", "maxItems", "maxProperties")
_THE_SAME = ("pattern", "format", "uniqueItems", "additionalItems", "multipleOf", "if", "then", "else", "not")
_ANNOTATIONS = frozenset({"title", "description", "default", "examples"})
_TOLD = frozenset(
    {*_AT_LEAST, *_AT_MOST, *_THE_SAME, *_ANNOTATIONS}
    | {"$ref", "type", "const", "enum", "oneOf", "anyOf", "allOf", "items"}
    | {"properties", "required", "additionalProperties", "propertyNames"}
)
_TYPES = {str: "string", bool: "boolean", int: "integer", type(None): "null"}


class _Side(NamedTuple):
    """One of the two documents, and when it holds."""

    document: dict[str, Any]
    when: str


class _Question(NamedTuple):
    """Does everything that fits the inner document's schema fit that of the outer one?"""

    inner: _Side
    outer: _Side
    is_read: bool
    """By somebody who goes on without what he does not know."""


def broken(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what in a document breaks those who rely on an earlier one, a sentence each; empty where nothing does.

    Args:
        before: The AsyncAPI document that they rely on.
        now: The one that takes its place.
    """
    return [sentence for name in before["channels"] for sentence in _channel(name, before, now)]


def _channel(name: str, before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    old, new = before["channels"][name], now["channels"].get(name, {})
    if old["address"] != new.get("address"):
        yield f"{name}: is at {old['address']} before, at {new.get('address', 'no topic')} now"
        return
    gone = sorted(old["messages"].keys() - new["messages"].keys())
    yield from (f"{name}: has {message} before, not now" for message in gone)
    was, is_ = _actions(before, name), _actions(now, name)
    yield from (f"{name}: Nameplate {action}s it before, not now" for action in sorted(was - is_))
    is_read = "receive" not in was
    earlier, later = _Side(before, "before"), _Side(now, "now")
    question = _Question(later, earlier, True) if is_read else _Question(earlier, later, False)
    if is_read:
        new_ones = sorted(new["messages"].keys() - old["messages"].keys())
        yield from (f"{name}: has {message} now, not before" for message in new_ones)
    for message in old["messages"]:
        if message in new["messages"]:
            yield from _message(f"{name}: {message}", message, question)


def _actions(document: dict[str, Any], channel: str) -> set[str]:
    ref = f"#/channels/{channel}"
    return {one["action"] for one in document["operations"].values() if one["channel"]["$ref"] == ref}


def _message(where: str, name: str, question: _Question) -> Iterator[str]:
    inner, outer = (side.document["components"]["messages"][name] for side in question[:2])
    yield from _outside(where, inner["payload"], outer["payload"], question)
    for part, (ours, theirs) in {
        "headers": (inner.get("headers", True), outer.get("headers", True)),
        "key": (_key(inner), _key(outer)),
    }.items():
        yield from _outside(f"{where}, {part}", ours, theirs, question)


def _key(message: dict[str, Any]) -> Schema:
    return message.get("bindings", {}).get("kafka", {}).get("key", True)


# One schema inside another ---------------------------------------------------------------------------


def _outside(where: str, inner: Schema, outer: Schema, question: _Question) -> Iterator[str]:
    """Yield why something that fits the inner schema does not fit the outer one."""
    is_extensible = question.is_read and isinstance(inner, dict) and inner.get("$ref") == EXTENSIBLE
    inner, outer = _resolved(inner, question.inner), _resolved(outer, question.outer)
    if inner is False or outer in (True, {}):
        return
    when, then = question.inner.when, question.outer.when
    if outer is False or inner in (True, {}):
        yield f"{where}: may be anything {when}, not {then}"
        return
    others = _alternatives(outer, question.outer)
    for one in _alternatives(inner, question.inner):
        twins = [other for other in others if other.get("title") == one.get("title")]
        if len(others) == 1 or len(twins) == 1:
            yield from _differences(where, one, (twins or others)[0], question)
        elif not is_extensible and all(any(_differences(where, one, other, question)) for other in others):
            yield f"{where}: may be {one.get('title') or one.get('type', 'something else')} {when}, not {then}"


def _resolved(schema: Schema, side: _Side) -> Schema:
    while isinstance(schema, dict) and "$ref" in schema:
        schema = side.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _alternatives(schema: dict[str, Any], side: _Side) -> list[dict[str, Any]]:
    found: list[Schema] = schema.get("oneOf") or schema.get("anyOf") or [schema]
    return [_resolved(one, side) for one in found]


def _differences(
    where: str, inner: dict[str, Any], outer: dict[str, Any], question: _Question
) -> Iterator[str]:
    when, then = question.inner.when, question.outer.when
    for word in sorted((inner.keys() | outer.keys()) - _TOLD):
        if inner.get(word) != outer.get(word):
            yield f"{where}: {word} differs, and this check does not know it"
    yield from _values(where, inner, outer, question)
    for word in (*_AT_LEAST, *_AT_MOST):
        ours, limit = inner.get(word), outer.get(word)
        sign = 1 if word in _AT_LEAST else -1
        if limit is not None and (ours is None or sign * ours < sign * limit):
            yield f"{where}: {word} is {ours if ours is not None else 'not given'} {when}, {limit} {then}"
    for word in _THE_SAME:
        if word in outer and outer[word] != inner.get(word):
            yield f"{where}: {word} is {inner.get(word, 'not given')} {when}, {outer[word]} {then}"
    yield from _parts(where, inner, outer, question)
    yield from _fields(where, inner, outer, question)


def _values(where: str, inner: dict[str, Any], outer: dict[str, Any], question: _Question) -> Iterator[str]:
    """Compare which values are named, and of which type they are."""
    ours, theirs = _named(inner), _named(outer)
    types, allowed = _types(inner), _types(outer)
    if ours is not None:
        fits = [
            value in theirs
            if theirs is not None
            else re.search(outer.get("pattern", ""), str(value)) is not None
            for value in ours
        ]
        strange = [value for value, is_fit in zip(ours, fits, strict=True) if not is_fit]
    else:
        strange = ["anything else"] if theirs is not None else []
    for value in strange:
        yield f"{where}: may be {value} {question.inner.when}, not {question.outer.when}"
    if allowed and not types <= allowed | ({"integer"} if "number" in allowed else set()):
        said = " or ".join(sorted(types)) or "anything"
        yield f"{where}: is {said} {question.inner.when}, {' or '.join(sorted(allowed))} {question.outer.when}"


def _named(schema: dict[str, Any]) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _types(schema: dict[str, Any]) -> set[str]:
    named = _named(schema)
    if "type" not in schema and named is not None:
        return {_TYPES[type(value)] for value in named}
    said = schema.get("type", [])
    return {said} if isinstance(said, str) else set(said)


def _parts(where: str, inner: dict[str, Any], outer: dict[str, Any], question: _Question) -> Iterator[str]:
    """Compare what stands in arrays, and what has to hold at once."""
    for word in ("items", "allOf"):
        ours, theirs = inner.get(word, True), outer.get(word, True)
        if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
            for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
                spot = f"{where}[{place}]" if word == "items" else where
                yield from _outside(spot, one, other, question)
        elif isinstance(ours, list) or isinstance(theirs, list):
            if theirs is not True:
                yield f"{where}: {word} differ in number"
        else:
            yield from _outside(f"{where}[]", ours, theirs, question)


def _fields(where: str, inner: dict[str, Any], outer: dict[str, Any], question: _Question) -> Iterator[str]:
    """Compare the fields of objects."""
    when, then = question.inner.when, question.outer.when
    ours, theirs = inner.get("properties", {}), outer.get("properties", {})
    more, rest = inner.get("additionalProperties", True), outer.get("additionalProperties", True)
    for name in outer.get("required", ()):
        if name not in inner.get("required", ()):
            yield f"{where}: {name} may be missing {when}, not {then}"
    for name, part in ours.items():
        if name in theirs:
            yield from _outside(f"{where}.{name}", part, theirs[name], question)
        elif part is not False and rest is False and not question.is_read:
            yield f"{where}: {name} may be there {when}, not {then}"
    for name, part in theirs.items():
        if name not in ours and part is not False and (question.is_read or more is not False):
            yield f"{where}: {name} may be there {then}, not {when}"
    if isinstance(rest, dict) or more is not False:
        yield from _outside(f"{where}.*", more, rest, question)
    yield from _outside(
        f"{where}, its names", inner.get("propertyNames", True), outer.get("propertyNames", True), question
    )
