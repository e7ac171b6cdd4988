"""How a record breaks: for each dead-letter code one way to turn a sound value into one that is refused with it.

A broken line keeps the key of the sound record of which it is a copy, so it goes to the same partition.
"""

from base64 import b64encode
from collections.abc import Callable

from schemas import topics
from schemas.dead_letters import CODES
from schemas.fields import MOST_BYTES

_FIRST = '"platform"'
"""Where the second field of our values begins; the first is the event's id."""


def _instead_of_the_id(value: str, written: str) -> str:
    return "{" + written + value[value.index(_FIRST) :]


_AS_JSON: dict[str, Callable[[str], str]] = {
    "null-value": lambda _: "null",
    "too-large": lambda value: f'{value[:-1]},"padding":"{"x" * MOST_BYTES}"}}',
    "duplicate-key": lambda value: f'{value[:-1]},"event_id":"again"}}',
    "unknown-type": lambda value: value.replace('"type":"', '"type":"re-', 1),
    "unknown-field": lambda value: f'{value[:-1]},"remark":1}}',
    "missing-field": lambda value: _instead_of_the_id(value, ""),
    "wrong-type": lambda value: _instead_of_the_id(value, '"event_id":1,'),
    "ill-formed": lambda value: _instead_of_the_id(value, '"event_id":"two words",'),
    "out-of-range": lambda value: value.replace('"followers":', '"followers":-', 1),
    "unknown-platform": lambda value: value.replace('"platform":"', '"platform":"no_', 1),
    "key-mismatch": lambda value: value.replace('"account_id":"', '"account_id":"x', 1),
}
_AS_BYTES: dict[str, Callable[[bytes], bytes]] = {
    "not-utf8": lambda value: value.replace(b":", b":\xff", 1),
    "not-json": lambda value: value[: len(value) * 2 // 3],
}

WAYS = {
    topics.COUNTS: tuple(code for code in CODES if code != "unknown-type"),
    topics.FACTS: tuple(code for code in CODES if code != "out-of-range"),
}
"""The codes with which a record of a topic can be refused: a count has no type, and not every fact a range."""


def broken_line(topic: str, key: str, value: str, code: str) -> bytes:
    """Return a replay line whose value is a copy of this one, broken so that it is refused with a code.

    Args:
        topic: Short name of the topic.
        key: The Kafka key.
        value: The value of a sound record, as `streams.generate.lines` writes it.
        code: One of `WAYS[topic]`.
    """
    if code in _AS_JSON:
        said = f'"value":{_AS_JSON[code](value)}'
    else:
        said = f'"raw_base64":"{b64encode(_AS_BYTES[code](value.encode())).decode()}"'
    return f'{{"topic":"{topic}","key":"{key}",{said}}}\n'.encode()
