"""JSON Schemas (2020-12) of every kind of record, taken from the classes that read and write them.

The models know types, patterns, ranges and which fields there are; `words` knows what they mean. What is
added here is what no class says: the journal's decisions, which are kept as the bytes that the fold wrote,
and the rules that hold for all records on the wire. A field is left out or has a value, never null, unless
null is its only way to say that there is none; and nothing has a field that is not named.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas import account, inputs, journal, outputs, policy, topics
from schemas.fields import HASH, IDENTIFIER, UTC_INSTANT
from schemas.reasons import REASONS, VALUES
from streams.core.deadlines import KINDS
from streams.interface.words import said_of_class, said_of_fields

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF = "#/$defs/"
KEY = r"^[a-z0-9_]{1,40}:[a-z0-9][a-z0-9_-]{2,63}$"
"""`platform:account_id`: the Kafka key of whatever is about one account."""

FACTS = tuple(model.__name__ for model in inputs.FACTS.values())
OUTPUTS = tuple(model.__name__ for model in outputs.OF_TYPE.values())

_MODELS: tuple[type[BaseModel], ...] = (
    inputs.FollowerCount,
    *inputs.FACTS.values(),
    inputs.ClockTicked,
    inputs.PolicyBook,
    policy.Policy,
    *outputs.OF_TYPE.values(),
    outputs.AccountStatus,
    outputs.DeadLetter,
)
_STRUCTS = (journal.EntryContent, account.Row)
_ROOMS = (inputs, outputs, journal, account, policy)
"""Where the class of a definition is found by its name, the first that has it."""


@cache
def definitions() -> dict[str, Schema]:
    """Return the JSON Schemas of all kinds of records and of their parts, by name."""
    _, models = models_json_schema([(model, "validation") for model in _MODELS])
    _, structs = msgspec.json.schema_components(_STRUCTS, ref_template=REF + "{name}")
    found: dict[str, Schema] = {**models["$defs"], **structs}
    for name, schema in found.items():
        cls = next(getattr(room, name) for room in _ROOMS if hasattr(room, name))
        schema["description"] = said_of_class(cls)
        _speak_of_fields(schema, cls)
        _tidy(schema)
    _add_journal(found)
    found["Reason"] = _reason()
    for name in OUTPUTS:
        found[name]["properties"]["reasons"]["items"] = ref("Reason")
    found["BookTables"]["properties"]["policies"] |= {
        "propertyNames": {"pattern": IDENTIFIER},
        "additionalProperties": ref("Policy"),
        "minProperties": 1,
    }
    return {name: _in_order(schema) for name, schema in found.items()}


def ref(name: str) -> Schema:
    """Return the reference to a definition."""
    return {"$ref": REF + name}


def needed(roots: Iterable[str], found: dict[str, Schema]) -> dict[str, Schema]:
    """Return the definitions that some roots are made of, the roots included, by name."""
    names, open_ = set(), list(roots)
    while open_:
        name = open_.pop()
        if name not in names:
            names.add(name)
            open_ += (target.removeprefix(REF) for target in references(found[name]))
    return {name: found[name] for name in sorted(names)}


def references(schema: Any) -> Iterator[str]:
    """Yield the targets of all references in a schema."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        for part in schema.values():
            yield from references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references(part)


def _speak_of_fields(schema: Schema, cls: type) -> None:
    """Put what a class says of its fields into its schema."""
    said = said_of_fields(cls)
    names = {field.alias or name: name for name, field in getattr(cls, "model_fields", {}).items()}
    fields = schema.get("properties", {})
    for key, part in fields.items():
        if names.get(key, key) in said:
            fields[key] = {"description": said[names.get(key, key)], **part}
    for place, part in enumerate(schema.get("prefixItems", ())):  # a struct that is written as an array
        name = cls.__struct_fields__[place]  # type: ignore[attr-defined]
        part.pop("default", None)
        schema["prefixItems"][place] = {"description": f"{name}: {said[name]}", **part}
        schema["minItems"] = schema["maxItems"]  # we always write all of them


def _tidy(schema: Schema) -> None:
    """Hold a schema to what is true of all records on the wire."""
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    for part in schema.get("properties", {}).values():
        part.pop("title", None)  # pydantic's: the name once more
        if part.get("default", 0) is None:
            del part["default"]
            given, _ = part.pop("anyOf", (part, None))
            part.update(given)
        if isinstance(part.get("default"), dict | list):
            del part["default"]  # those of its own fields say the same; an empty list is left out
    if not schema.get("required", True):
        del schema["required"]


_READING_ORDER = ("title", "description", "type", "const", "enum", "oneOf", "properties", "required")


def _in_order(schema: Any) -> Any:
    """Return a schema with its keywords in the order in which a person reads them."""
    if isinstance(schema, list):
        return [_in_order(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    words = sorted(schema, key=lambda word: (*_READING_ORDER, word).index(word))
    return {
        word: {name: _in_order(part) for name, part in schema[word].items()}
        if word == "properties"
        else _in_order(schema[word])
        for word in words
    }


# The journal -------------------------------------------------------------------------------------

_WHOLE = {"type": "integer", "minimum": 0}
_OFFSET = {"description": "The offset of the record in its topic.", **_WHOLE}
_UNREAD = {"description": "The topic of the record.", "enum": list(topics.INPUTS)}
_INSTANT = {"type": "string", "format": "date-time", "pattern": UTC_INSTANT}


def _add_journal(found: dict[str, Schema]) -> None:
    """Add what a journal entry holds and no class describes: the fold writes it as bytes."""
    found["Entry"] = _closed(
        "Entry",
        "One step of a partition, chained to the one before by the hash of that one's bytes, exactly as they stand. "
        "It counts if and only if it names the hash, the next number and the epoch (or, in a takeover, the next "
        "one) of the last one that counts.",
        {
            "v": {"const": journal.VERSION},
            "n": _WHOLE,
            "epoch": _WHOLE,
            "prev": {"type": "string", "pattern": HASH},
            "writer": {"type": "string"},
            "seal": {"type": "string", "pattern": HASH},
            "content": ref("EntryContent"),
        },
    )
    _speak_of_fields(found["Entry"], journal.Envelope)
    content = found["EntryContent"]["properties"]
    content["time"]["enum"] = ["clock", "records"]
    content["T"] |= {"anyOf": [_INSTANT, {"type": "null"}]}
    content["decisions"]["items"] = ref("Decision")
    for names, fields in (
        (topics.INPUTS, ("positions", "topic_ids")),
        (topics.OUTPUTS, ("next_seq", "published_upto")),
    ):
        for field in fields:
            content[field]["propertyNames"] = {"enum": list(names)}
    found["Decision"] = _closed(
        "Decision",
        "What was decided for one account, or of the partition as a whole, and everything that follows from it.",
        {
            "T": {
                "description": "The time of the partition; null before anything has moved it.",
                "anyOf": [_INSTANT, {"type": "null"}],
            },
            "cause": {
                "description": "What it was decided of, in full: with this alone it can be derived again.",
                "oneOf": [ref(f"Of{kind}") for kind in ("Count", "Fact", "Due", "Book", "Unread")],
            },
            "key": {
                "description": "The account, `platform:account_id`; null where it is about none.",
                "anyOf": [{"type": "string", "pattern": KEY}, {"type": "null"}],
            },
            "before": {
                "description": "SHA-256 of the row before, under its key and packed; null where there was none.",
                "anyOf": [{"type": "string", "pattern": HASH}, {"type": "null"}],
            },
            "reasons": {"description": "Why, in order.", "type": "array", "items": ref("Reason")},
            "outputs": {
                "description": "What is published of it, each exactly as it stands in its topic.",
                "type": "array",
                "items": {"oneOf": [ref(name) for name in OUTPUTS]},
            },
            "after": {
                "description": "The row after; null where it was forgotten, left out where it did not change.",
                "anyOf": [ref("Row"), {"type": "null"}],
            },
            "dead": {"description": "The dead letter of what could not be read.", **ref("DeadLetter")},
        },
        optional=("after", "dead"),
    )
    found |= dict(_causes())


def _causes() -> Iterator[tuple[str, Schema]]:
    for kind, topic, records in (
        ("Count", topics.COUNTS, [ref("FollowerCount")]),
        ("Fact", topics.FACTS, [ref(name) for name in FACTS]),
    ):
        value = records[0] if len(records) == 1 else {"oneOf": records}
        fields = {"topic": {"const": topic}, "offset": _OFFSET}
        fields["value"] = {"description": "The record, its instants in UTC.", **value}
        yield f"Of{kind}", _closed(f"Of{kind}", f"A record of {topic}.", fields)
    moved = "The topic of the record that moved T there; null at the end of a history."
    yield (
        "OfDue",
        _closed(
            "OfDue",
            "An instant that came.",
            {
                "due": {"description": "The instant.", **_INSTANT},
                "kind": {"description": "What was due.", "type": "string", "enum": list(KINDS)},
                "topic": {"description": moved, "enum": [*topics.INPUTS, None]},
                "offset": {
                    "description": "The offset of that record.",
                    "anyOf": [_WHOLE, {"type": "null"}],
                },
            },
        ),
    )
    yield (
        "OfBook",
        _closed(
            "OfBook",
            "A policy book that was adopted: first the book itself, then every row under it.",
            {
                "topic": {"const": topics.BOOKS},
                "offset": _OFFSET,
                "book": {"description": "Its hash.", "type": "string", "pattern": HASH},
                "tables": {"description": "The book itself, in its first decision.", **ref("BookTables")},
            },
            optional=("tables",),
        ),
    )
    unread = "A record that could not be read."
    yield "OfUnread", _closed("OfUnread", unread, {"topic": _UNREAD, "offset": _OFFSET})


def _closed(title: str, description: str, properties: Schema, optional: tuple[str, ...] = ()) -> Schema:
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _reason() -> Schema:
    return {
        "title": "Reason",
        "description": "One reason: a code, and the values that were compared. New codes may come; "
        "whoever does not know one goes on without it.",
        "oneOf": [
            _closed(
                code,
                wording.sentence,
                {"code": {"const": code}, **{name: VALUES[name] for name in wording.values}},
            )
            for code, wording in REASONS.items()
        ],
    }
