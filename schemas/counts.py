"""Many counts at once, as strictly as one by one and at a fifth of the price.

The firehose is nearly all counts that change nothing, so what a count costs before it is known to be
quiet is what everything costs. Each value is parsed by itself; what the parser does not check is checked
over the joined texts of the whole chunk, at a few nanoseconds a byte. One record that is anything but
plain refuses its chunk, and the chunk is then read one by one: this never says why, and never errs on
the lenient side (a test holds it against the full path).
"""

import contextlib
from collections.abc import Callable, Sequence
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
_PLAIN = _VISIBLE.translate(None, b'"\\')
_ID_BYTES = b"abcdefghijklmnopqrstuvwxyz0123456789_-"
_QUOTES = 2 * 5 + 2 * 4
"""Five keys and four texts. A key that stands twice needs more, as no field may be missing."""

_LEAST_BYTES = len(
    b'{"event_id":"e","platform":"","account_id":"abc","followers":0,"observed_at":"1970-01-01T00:00:00Z"}'
)

_parse = msgspec.json.Decoder(Said).decode


def decode_counts(keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Counts | None:
    """Return what the values of `follower-counts` records say, None where any is not sound and plain.

    Args:
        keys: The Kafka keys; each must be `platform:account_id` of its value.
        values: The Kafka values, as many.
    """
    try:
        said = list(map(_parse, values))  # type: ignore[arg-type]
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
        and _are_plain(said, written)
        and _is_none_too_large(values, len(written))
    )


def _are_keys(joined: bytes, count: int) -> bool:
    """Return whether lines are so many `platform:account_id`, each with one colon and of the right characters."""
    others = joined.translate(None, _ID_BYTES)
    return others == (b":\n" * count)[:-1] and b":_" not in joined and b":-" not in joined


def _are_plain(said: Sequence[Said], written: bytes) -> bool:
    """Return whether no key stands twice, and event ids are visible: they are where everything is."""
    quotes = _QUOTES * len(said)
    if written.translate(None, _PLAIN) == b'"' * quotes:
        return True
    event_ids = "".join([one.event_id for one in said]).encode()
    return written.count(b'"') == quotes and not event_ids.translate(None, _VISIBLE)


def _is_none_too_large(values: Sequence[bytes | None], size: int) -> bool:
    longest = size - _LEAST_BYTES * (len(values) - 1)  # were all the others as short as a count can be
    return longest <= MOST_BYTES or max(map(len, values)) <= MOST_BYTES  # type: ignore[arg-type]


# Instants in two parts that come again and again: all up to the second, and what follows it. Small tables, because it
# is not the looking up that costs but the memory that is not in the processor's cache.

_MOST_TEXTS = 16_384  # of each table: some 2 MB
_SOME_SECOND = "1970-01-02T00:00:00"
_MINUTE, _SECOND, _MILLI = len("1970-01-02T00:00"), len(_SOME_SECOND), len(_SOME_SECOND + ".000")
_MICROS = len(_SOME_SECOND + ".000000Z")
_ENDS_OF_TIME = {"0001", "9999"}  # years in which sound parts may make an instant that is none


class _Remembered(dict[str, int]):
    """What texts say, in µs; one that is not known is read, and a full table begins anew."""

    def __init__(self, read: Callable[[str], int]) -> None:
        self._read = read

    def __missing__(self, text: str) -> int:
        at = self._read(text)
        if len(self) >= _MOST_TEXTS:
            self.clear()
        self[text] = at
        return at


def _read_minute(text: str) -> int:
    if text[:4] in _ENDS_OF_TIME:
        raise ValueError("to be read whole")
    return instant.parse(text + ":00Z")


def _read_second(text: str) -> int:
    if text[_MINUTE:] not in _of_minute:
        raise ValueError("no second")
    return _minutes[text[:_MINUTE]] + _of_minute[text[_MINUTE:]]


def _read_rest(text: str) -> int:
    return instant.parse(_SOME_SECOND + text) - instant.DAY


_of_minute = {f":{second:02d}": second * instant.SECOND for second in range(60)}
_minutes = _Remembered(_read_minute)
_seconds = _Remembered(_read_second)
_rests = _Remembered(_read_rest)
_millis = {f".{milli:03d}": milli * 1000 for milli in range(1000)}
_micros = {"Z": 0} | {f"{micro:03d}Z": micro for micro in range(1000)}


def _instants(said: Sequence[Said]) -> list[int]:
    """Return what `instant.parse` returns of each.

    Raises:
        ValueError: one is none, or of the years at the ends of time.
    """
    texts = [one.observed_at for one in said]
    if len(texts[0]) == _MICROS:  # a million rests are too many to be remembered
        with contextlib.suppress(KeyError):
            return [
                _seconds[text[:_SECOND]] + _millis[text[_SECOND:_MILLI]] + _micros[text[_MILLI:]]
                for text in texts
            ]
    return [_seconds[text[:_SECOND]] + _rests[text[_SECOND:]] for text in texts]
