"""Reading replay lines for the oracle: which records are valid, and the code of those that are not."""

import re
from collections.abc import Container
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

SECOND = 1_000_000
DAY = 86_400 * SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")
_PATTERNS = {
    "event_id": r"[!-~]{1,128}",
    "platform": r"[a-z0-9_]{1,40}",
    "account_id": r"[a-z0-9][a-z0-9_-]{2,63}",
    "reason_code": r"[a-z0-9-]{1,40}",
}
_CHOICES = {
    "owner": ("individual", "organisation", "government", "news_media"),
    "status": ("active", "suspended", "deleted"),
    "answer": ("agree", "decline"),
    "ruling": ("waive", "revoke", "hold", "release", "extend"),
}
_TRUTHS = ("self_media", "daily_life", "verified", "displayed")
_PROFILE = ("owner", "self_media", "subjects", "daily_life", "verified", "status")
_OF_TYPE = {
    "profile-changed": ((), _PROFILE),
    "answer-given": (("answer",), ()),
    "name-display-changed": (("displayed",), ()),
    "adjudication-made": (("ruling", "reason_code"), ("until",)),
}


def at(text: str) -> int:
    """Return an instant in microseconds since 1970."""
    return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)


def said(instant: int) -> str:
    """Return an instant as outputs say it."""
    text = (_EPOCH + timedelta(microseconds=instant)).isoformat().removesuffix("+00:00")
    return (text.rstrip("0") if "." in text else text) + "Z"


def read(
    line: dict[str, Any], platforms: Container[str], T: int | None
) -> tuple[dict[str, Any], str | None, int]:
    """Return (value, None, its own instant), or ({}, the code of its dead letter, 0).

    Args:
        line: Of a replay file.
        platforms: Of the book.
        T: Where only clock lines move it, else None.
    """
    value = line.get("value")
    code = _code(line["topic"], value)
    if code:
        return {}, code, 0
    own = at(value["at"] if line["topic"] == "clock" else value.get("observed_at") or value["occurred_at"])
    if line["topic"] != "clock":
        if T is not None and own > T + DAY:
            return {}, "out-of-range", 0
        if value["platform"] not in platforms:
            return {}, "unknown-platform", 0
        key = f"{value['platform']}:{value['account_id']}"
        if line.get("key", key) != key:
            return {}, "key-mismatch", 0
    return value, None, own


def _code(topic: str, value: Any) -> str | None:
    if value is None:
        return "null-value"
    if not isinstance(value, dict):
        return "wrong-type"
    if topic == "clock":
        required, optional = ["at"], []
    elif topic == "follower-counts":
        required, optional = ["event_id", "platform", "account_id", "followers", "observed_at"], []
    else:
        if "type" not in value:
            return "missing-field"
        if not isinstance(value["type"], str):
            return "wrong-type"
        if value["type"] not in _OF_TYPE:
            return "unknown-type"
        more, optional = _OF_TYPE[value["type"]]
        required = ["event_id", "platform", "account_id", "occurred_at", "type", *more]
    if set(value) - {*required, *optional}:
        return "unknown-field"
    if set(required) - set(value):
        return "missing-field"
    found = [_field(name, inner) for name, inner in value.items()]
    found.append(_until(value))
    order = ("unknown-field", "missing-field", "wrong-type", "ill-formed", "out-of-range")
    return min(filter(None, found), key=order.index, default=None)


def _until(value: dict[str, Any]) -> str | None:
    ruling = value.get("ruling")
    if ruling == "extend" and "until" not in value:
        return "missing-field"
    return "unknown-field" if "until" in value and ruling in ("revoke", "hold", "release") else None


def _field(name: str, value: Any) -> str | None:
    if name in _TRUTHS:
        return None if isinstance(value, bool) else "wrong-type"
    if name == "followers":
        if type(value) is not int:
            return "wrong-type"
        return None if 0 <= value < 2**53 else "out-of-range"
    if name == "subjects":
        return _subjects(value)
    if not isinstance(value, str):
        return "wrong-type"
    if name in _CHOICES:
        return None if value in _CHOICES[name] else "out-of-range"
    if name in _PATTERNS:
        return None if re.fullmatch(_PATTERNS[name], value) else "ill-formed"
    if name in ("observed_at", "occurred_at", "until", "at"):
        try:
            return "ill-formed" if not _INSTANT.fullmatch(value) or at(value) is None else None
        except ValueError:
            return "ill-formed"
    return None


def _subjects(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "wrong-type"
    found = []
    for name, share in value.items():
        if isinstance(share, bool) or not isinstance(share, int | Decimal):
            found.append("wrong-type")
        elif not re.fullmatch(r"[a-z0-9_]{1,40}", name):
            found.append("ill-formed")
        elif not 0 <= share <= 1 or Decimal(share) * 10_000 % 1:
            found.append("out-of-range")
    order = ("wrong-type", "ill-formed", "out-of-range")
    return min(found, key=order.index, default=None)
