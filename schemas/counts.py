"""Many counts at once, as strictly as one by one and at a fifth of the price.

The firehose is nearly all counts that change nothing, so what a count costs before it is known to be
quiet is what everything costs. Each value is parsed by itself; what the parser does not check is checked
over the joined texts of the whole chunk, at a few nanoseconds a byte. One record that is anything but
plain refuses its chunk, and the chunk is then read one by one: this never says why, and never errs on
the lenient side (a test holds it against the full path).
"""

import contextlib
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec

from schemas import instant
from schemas.fields import MOST_FOLLOWERS

MOST_BYTES = 64 * 1024
"""A value longer than this is refused, whatever it says (contract, section 2)."""


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A count as its JSON says it."""

    event_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    platform: str
    account_id: Annotated[str, msgspec.Meta(min_length=3, max_length=64)]
    followers: Annotated[int, msgspec.Meta(ge=0, le=MOST_FOLLOWERS)]
    observed_at: str


class Counts(NamedTuple):
    """Sound counts, each with its instant in µs. Their platforms may be unknown and their instants far away."""

    said: list[Said]
    at: list[int]


_VISIBLE = bytes(range(0x21, 0x7F))
_ID_BYTES = b"abcdefghijklmnopqrstuvwxyz0123456789_-"
_QUOTES = 2 * 5 + 2 * 4
"""Five keys and four texts. A key that stands twice needs more, as no field may be missing."""

_parse = msgspec.json.Decoder(Said).decode


def decode_counts(keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Counts | None:
    """Return what the values of `follower-counts` records say, None where any is not sound and plain.

    Args:
        keys: The Kafka keys; each must be `platform:account_id` of its value.
        values: The Kafka values, as many.
    """
    try:
        said = [_parse(value) for value in values]  # type: ignore[arg-type]
        joined = _joined_keys(said)
        # Equal as a whole is equal one by one, because `_are_keys` finds no further line break in it.
        sound = joined == b"\n".join(keys) and _are_sound(said, joined, values, b"".join(values))  # type: ignore[arg-type]
        return Counts(said, _instants(said)) if sound else None
    except (msgspec.DecodeError, TypeError, ValueError, RecursionError):
        return None


def read_counts(values: Sequence[bytes]) -> tuple[list[bytes], Counts] | None:
    """Return the keys that values have and what they say, None where any is not sound and plain.

    Args:
        values: One or more.
    """
    try:
        said = list(map(_parse, values))
        joined = _joined_keys(said)
        if not _are_sound(said, joined, values, b"".join(values)):
            return None
        return joined.split(b"\n"), Counts(said, _instants(said))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def read_again(values: Sequence[bytes]) -> tuple[list[bytes], list[Said]]:
    """Return the keys and the contents of values that `read_counts` has found sound, in another process perhaps."""
    said = list(map(_parse, values))
    return _joined_keys(said).split(b"\n"), said


def _joined_keys(said: Sequence[Said]) -> bytes:
    return "\n".join([f"{one.platform}:{one.account_id}" for one in said]).encode()


def _are_sound(said: Sequence[Said], joined: bytes, values: Sequence[bytes | None], written: bytes) -> bool:
    """Return whether parsed values keep what the parser does not check; `written` is all of them joined."""
    return (
        _are_keys(joined, len(said))
        and not "".join([one.event_id for one in said]).encode().translate(None, _VISIBLE)
        and written.count(b'"') == _QUOTES * len(said)
        and (len(written) <= MOST_BYTES or max(map(len, values)) <= MOST_BYTES)  # type: ignore[arg-type]
    )


def _are_keys(joined: bytes, count: int) -> bool:
    """Return whether lines are so many `platform:account_id`, each with one colon and of the right characters."""
    others = joined.translate(None, _ID_BYTES)
    return others == b"\n".join([b":"] * count) and b":_" not in joined and b":-" not in joined


# Instants in three parts, each of which comes again and again: the minute, the second, and what follows it. Small
# tables, because it is not the looking up that costs but the memory that is not in the processor's cache.

_MOST_TEXTS = 16_384  # of minutes and of rests: some 2 MB each
_SOME_MINUTE = "1970-01-02T00:00"
_MINUTE, _SECOND = len(_SOME_MINUTE), len(_SOME_MINUTE + ":00")
_REMEMBERED = len(_SOME_MINUTE + ":00.000Z")
_SCALE: tuple[int, ...] = tuple(10 ** (6 - digits) for digits in range(7))
_ENDS_OF_TIME = {"0001", "9999"}  # years in which sound parts may make an instant that is none
_seconds = {f":{second:02d}": second * instant.SECOND for second in range(60)}
_minutes: dict[str, int] = {}
_rests: dict[str, int] = {}


def _instants(said: Sequence[Said]) -> list[int]:
    texts = [one.observed_at for one in said]
    if len(texts[0]) <= _REMEMBERED:
        with contextlib.suppress(KeyError):
            return _remembered(texts)
        for text in texts:
            if text[:_MINUTE] not in _minutes or text[_SECOND:] not in _rests:
                _instant(text)
        with contextlib.suppress(KeyError):
            return _remembered(texts)
    return list(map(_instant, texts))


def _remembered(texts: Sequence[str]) -> list[int]:
    return [
        _minutes[text[:_MINUTE]] + _seconds[text[_MINUTE:_SECOND]] + _rests[text[_SECOND:]] for text in texts
    ]


def _instant(text: str) -> int:
    """Return what `instant.parse` returns, and remember the parts that are likely to come again.

    Raises:
        ValueError: as there.
    """
    since, second = _minutes.get(text[:_MINUTE]), _seconds.get(text[_MINUTE:_SECOND])
    if since is not None and second is not None:
        return since + second + _after_second(text[_SECOND:])
    at = instant.parse(text)
    if text[:4] not in _ENDS_OF_TIME:
        _remember(
            _minutes, text[:_MINUTE], at - _seconds[text[_MINUTE:_SECOND]] - _after_second(text[_SECOND:])
        )
    return at


def _after_second(rest: str) -> int:
    """Return what stands behind the seconds, a fraction and an offset, in µs."""
    digits = rest[1:-1]
    if len(digits) > 3 and rest[0] == "." and rest[-1] == "Z" and digits.isascii() and digits.isdecimal():
        if len(digits) <= 6:
            return int(digits) * _SCALE[len(digits)]  # too many different ones to be remembered
        raise ValueError("at most 6 fraction digits")
    found = _rests.get(rest)
    if found is None:
        found = _remember(_rests, rest, instant.parse(f"{_SOME_MINUTE}:00{rest}") - instant.DAY)
    return found


def _remember(known: dict[str, int], text: str, at: int) -> int:
    if len(known) >= _MOST_TEXTS:
        known.clear()
    known[text] = at
    return at
