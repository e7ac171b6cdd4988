"""Counts, read one after the other: what `schemas.counts_compiled` does where that was not built."""

import re
from functools import lru_cache
from typing import Annotated

import msgspec

from schemas import instant
from schemas.fields import MOST_BYTES, MOST_FOLLOWERS
from schemas.inputs import FollowerCountChanged


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    event_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    platform: str
    account_id: Annotated[str, msgspec.Meta(min_length=3, max_length=64)]
    followers: Annotated[int, msgspec.Meta(ge=0, le=MOST_FOLLOWERS)]
    observed_at: str


_QUOTES = 2 * 5 + 2 * 4
"""Five keys and four texts. A key that stands twice needs more, as no field may be missing."""
_VISIBLE = re.compile(r"[!-~]+")
_KEY = re.compile(r"[a-z0-9_-]*:[a-z0-9][a-z0-9_-]*")

_parse = msgspec.json.Decoder(_Said).decode
_instant = lru_cache(16_384)(instant.parse)


def read_count(key: bytes | None, value: bytes | None) -> FollowerCountChanged | None:
    """Return the count that a record of `follower-counts` says, None where it is not sound and plain.

    Args:
        key: The Kafka key; it must be `platform:account_id` of the value.
        value: The Kafka value.
    """
    if value is None or len(value) > MOST_BYTES or b"\\" in value or value.count(b'"') != _QUOTES:
        return None
    try:
        said = _parse(value)
        at = _instant(said.observed_at)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    count = FollowerCountChanged(said.event_id, said.platform, said.account_id, said.followers, at)
    is_plain = _KEY.fullmatch(count.key) and _VISIBLE.fullmatch(said.event_id)
    return count if is_plain and count.key.encode() == key else None
