"""Bytes to records, strictly, and back.

Whatever is refused is refused with one code, the first in the contract's order among all that hold.
The codes are read off the kinds of pydantic's errors by one table; no rule stands here twice. Counts
have a fast path that accepts only what the full path would accept with the same result, and hands
everything else to it.

Nothing here puts a piece of a payload into an exception: it may be a name.
"""

from collections.abc import Container
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from schemas import instant, topics
from schemas.counts import read_count
from schemas.dead_letters import CODE_OF_KIND, CODES, dead_letter
from schemas.errors import InputError, PolicyError
from schemas.fields import MOST_BYTES
from schemas.inputs import (
    FACTS,
    ClockTicked,
    FactOfNoType,
    FollowerCount,
    FollowerCountChanged,
    InputRecord,
    PolicyBook,
    PolicyBookPublished,
)
from schemas.records import Raw
from schemas.strict_json import assembled, canonical, in_order, parse, sha256_hex

__all__ = [
    "CODES",
    "Raw",
    "assembled",
    "canonical",
    "dead_letter",
    "decode",
    "decode_count",
    "in_order",
    "parse",
    "sha256_hex",
]

_M = TypeVar("_M", bound=BaseModel)

MOST_BOOK_BYTES = 1024 * 1024


def decode(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    platforms: Container[str],
    latest: int = instant.FOREVER,
) -> InputRecord:
    """Return the record that a value says.

    Args:
        topic: Short name of an input topic.
        key: The Kafka key; of a count or a fact it must be `platform:account_id`.
        value: The Kafka value.
        platforms: Those of the policy book in force.
        latest: The latest own instant that a count or a fact may have: T and a day in wall time.

    Raises:
        InputError: the value is no record of this topic; `code` is the first of `CODES` that holds.

    Source:
        Contract, sections 2 and 4.
    """
    if topic == topics.COUNTS:
        return decode_count(key, value, platforms, latest)
    return _decode_fully(topic, key, value, platforms, latest)


def _decode_fully(
    topic: str, key: bytes | None, value: bytes | None, platforms: Container[str], latest: int
) -> InputRecord:
    record = _record(topic, _json(topic, value))
    if isinstance(record, ClockTicked | PolicyBookPublished):
        return record
    if record.at > latest:
        raise InputError("out-of-range")
    if record.platform not in platforms:
        raise InputError("unknown-platform")
    if key != record.key.encode():
        raise InputError("key-mismatch")
    return record


def _json(topic: str, value: bytes | None) -> Any:
    if value is None or value.strip(b" \t\r\n") == b"null":
        raise InputError("null-value")
    if len(value) > (MOST_BOOK_BYTES if topic == topics.BOOKS else MOST_BYTES):
        raise InputError("too-large")
    return parse(value)


def _record(topic: str, said: Any) -> InputRecord:
    if topic == topics.COUNTS:
        return _checked(FollowerCount, said).changed()
    if topic == topics.CLOCK:
        return _checked(ClockTicked, said)
    if topic == topics.BOOKS:
        return _book(said)
    kind = said.get("type") if isinstance(said, dict) else None
    if not isinstance(kind, str):
        return _checked(FactOfNoType, said)  # has no instance: it always raises
    if kind not in FACTS:
        raise InputError("unknown-type")
    return _checked(FACTS[kind], said)


def _checked(model: type[_M], said: Any) -> _M:
    try:
        return model.model_validate(said)
    except ValidationError as refused:
        code = _first_code(refused)
    raise InputError(code)  # outside the handler: pydantic's error holds the value


def _first_code(refused: ValidationError) -> str:
    codes = set()
    for error in refused.errors(include_url=False, include_context=False):
        kind = error["type"]
        if kind == "literal_error" and not isinstance(error["input"], str):
            kind = "string_type"  # an enumeration is one of texts; pydantic has one kind for both
        if kind == "string_unicode" and error["loc"] in {(), ("book",)}:
            kind = "extra_forbidden"  # a lone surrogate in the name of a field: no field has that name
        codes.add(CODE_OF_KIND.get(kind, "wrong-type"))
    return min(codes, key=CODES.index)


def _book(said: Any) -> PolicyBookPublished:
    from schemas.policy import book_from_tables  # noqa: PLC0415 - policies write canonical JSON, too

    checked = _checked(PolicyBook, said)
    try:
        sound = checked.hash == sha256_hex(canonical(said["book"]))
        if sound:
            book_from_tables(said["book"])
    except (PolicyError, ValueError):  # ValueError: a number or a text without a canonical form
        sound = False
    if not sound:
        raise InputError("ill-formed")
    return PolicyBookPublished(said["book"], checked.hash)


def decode_count(
    key: bytes | None, value: bytes | None, platforms: Container[str], latest: int = instant.FOREVER
) -> FollowerCountChanged:
    """Return the count that a value of `follower-counts` says; see `decode`.

    What `read_count` accepts, the full path accepts with the same result (a test holds the two
    against each other); anything else goes there, for its code or its rare form.
    """
    count = read_count(key, value)
    if count is not None and count.at <= latest and count.platform in platforms:
        return count
    return _decode_fully(topics.COUNTS, key, value, platforms, latest)  # type: ignore[return-value]
