"""One line of a replay file (contract, section 6).

A line is `{"topic": …, "value": {…}}`, optionally with `key`, `partition`, `offset`, and (of our own)
`timestamp` and `timestamp_type`; `raw_base64` may stand in place of `value`. A line that is not of this
form is the operator's mistake. What stands *inside* `value` is the sender's: it is passed on exactly as
written, so that a key that stands twice, `1000000.0` or a NaN meets the same checks as on a broker.
"""

import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from schemas import topics
from schemas.errors import OperatorError
from schemas.strict_json import is_too_deep


class Line(msgspec.Struct, frozen=True, gc=False):
    """One record of a replay file."""

    file: str
    number: int
    """Of the line in its file, from 1."""
    topic: str
    """Short name of an input topic."""
    value: bytes | None
    """Exactly as written; None where the file says null."""
    key: bytes | None
    """As written, else `platform:account_id` of the value, else None."""
    partition: int | None = None
    offset: int | None = None
    timestamp: int = -1
    """Milliseconds since 1970 UTC; -1 where the line has none."""
    timestamp_type: int = 0
    """0: create time, 1: log append time."""


_Position = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Written(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    topic: Literal["follower-counts", "account-facts", "clock", "policy-book"]
    value: msgspec.Raw = msgspec.Raw()
    raw_base64: str | UnsetType = UNSET
    key: str | UnsetType | None = UNSET
    partition: _Position | UnsetType = UNSET
    offset: _Position | UnsetType = UNSET
    timestamp: Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)] | UnsetType = UNSET
    timestamp_type: Literal[0, 1] | UnsetType = UNSET


class _Identity(msgspec.Struct, gc=False):
    platform: str
    account_id: str


_OPTIONAL = ("raw_base64", "key", "partition", "offset", "timestamp", "timestamp_type")
_KEYED = (topics.COUNTS, topics.FACTS)
_FORM = 'A line is {"topic": …, "value": {…}}, with a topic of ' + ", ".join(topics.INPUTS)
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)|[][{},:]', re.DOTALL)

_written = msgspec.json.Decoder(_Written).decode
_identity = msgspec.json.Decoder(_Identity).decode


def read_line(path: Path, number: int, text: bytes) -> Line | None:
    """Return the record that a line says, None where the line is empty.

    Args:
        path: Of its file.
        number: Its number in the file, from 1.
        text: The line.

    Raises:
        OperatorError: it is not of the form; file and line are named.
    """
    if text.isspace():
        return None
    try:
        return _record(str(path), number, text)
    except json.JSONDecodeError:
        why = "it is no JSON"
    except UnicodeDecodeError:
        why = "it is not UTF-8"
    except ValueError as mistake:
        why = str(mistake)
    raise OperatorError(
        f"{path}, line {number}: {why}. {_FORM}. Correct the line or take it out, then run the command again."
    )


def _record(file: str, number: int, text: bytes) -> Line:
    try:
        written = _written(text)
        value = bytes(written.value)
        outside = text.count(b'"') - value.count(b'"')
    except _REFUSED:
        written, value = _with_care(text)
        outside = -1
    if outside == _QUOTES and value:  # the topic and the value, and nothing else
        key = _own_key(value) if written.topic in _KEYED else None
        return Line(file, number, written.topic, None if value == b"null" else value, key)
    if outside != -1 and outside != _quotes(written, value):
        written, value = _with_care(text)
    return _complete(file, number, written, value)


def _complete(file: str, number: int, written: _Written, value: bytes) -> Line:
    """Return a line that says more than its topic and its value, or says it in another form."""
    if bool(value) == isinstance(written.raw_base64, str):
        raise ValueError("it needs either value or raw_base64, and not both")
    data: bytes | None = None if value == b"null" else value
    if isinstance(written.raw_base64, str):
        try:
            data = b64decode(written.raw_base64, validate=True)
        except ValueError as refused:
            raise ValueError(f"raw_base64 is no base64 ({refused})") from None
    key = written.key.encode() if isinstance(written.key, str) else None
    if isinstance(written.key, UnsetType) and data is not None and written.topic in _KEYED:
        key = _own_key(data)
    return Line(
        file,
        number,
        written.topic,
        data,
        key,
        None if isinstance(written.partition, UnsetType) else written.partition,
        None if isinstance(written.offset, UnsetType) else written.offset,
        -1 if isinstance(written.timestamp, UnsetType) else written.timestamp,
        0 if isinstance(written.timestamp_type, UnsetType) else written.timestamp_type,
    )


_QUOTES = 2 * 2 + 2
"""Those of `"topic": "…", "value":`."""


def _quotes(written: _Written, value: bytes) -> int:
    """Return how many quotes stand outside the value where no key stands twice and none is escaped."""
    texts = 1 + isinstance(written.raw_base64, str) + isinstance(written.key, str)
    members = 1 + bool(value) + sum(getattr(written, name) is not UNSET for name in _OPTIONAL)
    return 2 * (texts + members)


def _with_care(text: bytes) -> tuple[_Written, bytes]:
    """Read a line whose value the quick reader refused: too deep, a NaN, half a surrogate, or no JSON at all.

    Raises:
        ValueError: the line is not of the form, or is no JSON even then.
    """
    start, end = _value_span(text)
    value = text[start:end].strip()
    rest = text[:start] + b"null" + text[end:] if value else text
    if is_too_deep(rest):
        raise ValueError("it is too deep")
    names = json.loads(rest.decode(), object_pairs_hook=_names)
    if isinstance(names, list) and len(set(names)) != len(names):
        raise ValueError("it has a key twice")
    try:
        written = _written(rest)
    except RecursionError:
        raise ValueError("it is too deep") from None
    except msgspec.DecodeError as refused:
        raise ValueError(_without_payload(str(refused))) from None
    if value and not is_too_deep(value):
        _tolerant(value.decode(errors="replace"))
    return written, value


def _without_payload(refusal: str) -> str:
    """Return what msgspec says of a line without what stood there: it may be a name."""
    if refusal.startswith("Invalid enum value"):
        return "an unknown name" + refusal[refusal.rindex(" - at ") :]
    if "unknown field" in refusal:
        return "it has an unknown field"
    return refusal


def _value_span(text: bytes) -> tuple[int, int]:
    """Return where the value of a line stands, by its brackets and strings alone; (0, 0) without one."""
    depth = start = 0
    before = b""
    for token in _TOKEN.finditer(text):
        mark = token[0]
        depth += (mark in b"[{") - (mark in b"]}")
        if depth == 1 and mark == b":" and before == b'"value"' and not start:
            start = token.end()
        elif start and (depth == 0 or (depth == 1 and mark == b",")):
            return start, token.start()
        before = mark
    return 0, 0


def _own_key(value: bytes) -> bytes | None:
    """Return `platform:account_id` of a value where both are texts; the value may be anything."""
    try:
        who = _identity(value)
    except _REFUSED:
        return _own_key_with_care(value)
    return f"{who.platform}:{who.account_id}".encode()


def _own_key_with_care(value: bytes) -> bytes | None:
    try:
        said: Any = None if is_too_deep(value) else _tolerant(value.decode())
        platform, account_id = said["platform"], said["account_id"]
        if isinstance(platform, str) and isinstance(account_id, str):
            return f"{platform}:{account_id}".encode()
    except (ValueError, TypeError, KeyError):
        pass
    return None


def _tolerant(text: str) -> Any:
    """Return a JSON value; numbers are not looked at, and NaN and half a surrogate pass."""
    return json.loads(text, parse_int=_number, parse_float=_number)


def _number(_: str) -> int:
    return 0


def _names(pairs: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in pairs]
