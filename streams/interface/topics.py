"""The topics as an outsider sees them: who writes what, under which key, and what no schema can refuse."""

from typing import Any, Literal, NamedTuple

from schemas import topics
from streams.interface.records import DIALECT, FACTS, OUTPUTS, Schema, definitions, needed, ref

Action = Literal["receive", "send"]


class Topic(NamedTuple):
    """One topic."""

    short: str
    actions: tuple[Action, ...]
    """What Nameplate does: `receive` where others write, `send` where others read."""
    records: tuple[str, ...]
    """The kinds of record in it, by the names of their definitions."""
    has_key: bool
    """Whether the Kafka key is `platform:account_id`; else there is none, or it means nothing."""
    says: str
    """What a sender or a reader has to know."""


_OF_TYPE = dict(zip(topics.OUTPUTS, ("Disclosure", "Grace", "Restriction"), strict=True))
_SENT = (
    "The key has to be that of the value. Order matters within one account: send its counts and facts under one "
    "key in the order in which they were observed. Sending a record again changes nothing."
)
_READ = (
    "At least once, in order per partition, every copy byte-identical. Keep the last `seq` of each partition: "
    "a lower or equal one is a repetition, a jump is a loss. Headers are CloudEvents 1.0 in binary mode."
)

TOPICS: tuple[Topic, ...] = (
    Topic(topics.COUNTS, ("receive",), ("FollowerCount",), True, _SENT),
    Topic(topics.FACTS, ("receive",), FACTS, True, _SENT),
    Topic(
        topics.CLOCK,
        ("receive", "send"),
        ("ClockTicked",),
        False,
        "Written by the workers, a tick a second and partition; nobody else writes here. The broker's own time of "
        "append counts beside the record's, so the topic has LogAppendTime.",
    ),
    Topic(
        topics.BOOKS,
        ("receive",),
        ("PolicyBook",),
        False,
        "One partition, which every worker reads whole. A book is adopted by each partition at a recorded offset.",
    ),
    *(
        Topic(short, ("send",), tuple(name for name in OUTPUTS if name.startswith(kind)), True, _READ)
        for short, kind in _OF_TYPE.items()
    ),
    Topic(
        topics.STATUS,
        ("send",),
        ("AccountStatus",),
        True,
        "The newest value of a key is the state of that account; a record without a value says that it is not "
        "watched any more. A copy can come late: of two the one with the higher entry holds, which the header "
        "`nameplate-entry` names also where there is no value. The header `nameplate-writer` names the process.",
    ),
    Topic(
        topics.DEAD_LETTERS,
        ("send",),
        ("DeadLetter",),
        False,
        "At least once; topic, partition and offset name the record. The payload is never repeated: it may be a name.",
    ),
    Topic(
        topics.JOURNAL,
        ("receive", "send"),
        ("Entry",),
        False,
        "An entry counts if and only if it names the hash of the last one that counts; others are void. Export them "
        "with `nameplate journal export` and check them with `nameplate verify`, of a release that is not older than "
        "the one that wrote them: entries repeat what comes in, and so grow with it.",
    ),
)

BEYOND_SCHEMA: dict[str, str] = {
    "null-value": "there is no value at all",
    "too-large": "the value has more than 64 KiB (policy-book: 1 MiB)",
    "not-utf8": "the bytes are not UTF-8",
    "not-json": "the bytes are not JSON by RFC 8259 (NaN is none, nor is a byte order mark before it), or arrays and "
    "objects are nested deeper than 128",
    "duplicate-key": "a key stands twice in one object",
    "wrong-type": "an integer is written with a point or an exponent, which JSON Schema takes for one (1000000.0)",
    "ill-formed": "an instant or a day is of the right form but does not exist, or lies outside the years 1 to 9999; "
    "a share has more than 4 fraction digits (a percentage more than 2); a text holds half a character (a lone "
    "surrogate); in a policy book, the hash is not that of the book, or tables contradict each other",
    "out-of-range": "the record's own instant is more than a day after the time of its partition",
    "unknown-platform": "the platform is not one of the policy book in force",
    "key-mismatch": "the Kafka key is not platform:account_id of the value",
}
"""What is refused, by its dead-letter code, though the schemas accept it. Nothing else is."""


def schema_of(topic: Topic, examples: dict[str, Any]) -> Schema:
    """Return the JSON Schema of one topic's values.

    Args:
        topic: Which.
        examples: A record of each kind, by the name of its definition.
    """
    found = definitions()
    roots = [ref(name) for name in topic.records]
    title = topics.full_name(topic.short, "")
    return {
        "$schema": DIALECT,
        "$id": f"urn:nameplate:{title.replace('.', ':')}",
        "title": title,
        "description": topic.says,
        **(roots[0] if len(roots) == 1 else {"oneOf": roots}),
        "examples": [examples[name] for name in topic.records],
        "$defs": needed(topic.records, found),
    }
