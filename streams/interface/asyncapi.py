"""The AsyncAPI 3.0 document: every topic, its records, keys, headers and settings, from Nameplate's side.

Every AsyncAPI tool reads draft-07 schemas, and few read 2020-12, so the schemas are said in the older form:
what stands in `$defs` is a component, and a tuple is an array of `items`.
"""

import re
from typing import Any

from schemas import topics
from schemas.fields import UTC_INSTANT
from streams.interface.examples import examples, headers_example
from streams.interface.records import KEY, OUTPUTS, REF, Schema, definitions
from streams.interface.topics import BEYOND_SCHEMA, TOPICS, Topic
from streams.journaling import ENTRY_HEADER, WRITER_HEADER
from streams.live.topic_specs import TopicSpec, wanted

BINDING = "0.5.0"
COMPONENT = "#/components/schemas/"

_ABOUT = """\
Nameplate decides, from streams of follower counts, which accounts have to display a real name, and what happens \
when they do not. It knows opaque account ids only: no record has room for a name.

Values are JSON in UTF-8. Topics are called `nameplate.` + name + `.v1`; the prefix is the operator's to choose. All \
have the same number of partitions (the policy book has one), which never changes, and a key goes to its partition as \
Kafka's default partitioner sends it (murmur2). What leaves is canonical JSON (RFC 8785), instants in UTC.

## What may change within v1
What is sent today will be read for ever. What is read today will be sent, and may be joined by new optional fields \
and new reason codes: whoever reads goes on without those that it does not know. A new `type`, another meaning, \
a field that goes, or a value outside of what is said here means a new version and a topic of its own. The schemas \
are closed: they say all that this release writes, so hold its records against its own schemas, not against older ones.

## What is refused beyond the schemas
A record that does not fit its schema is refused: it decides nothing, and becomes a dead letter that says why by a \
code. These are refused as well, although no JSON Schema can say it:

"""


def document() -> dict[str, Any]:
    """Return the AsyncAPI document as JSON values."""
    specs = {spec.short: spec for spec in wanted(topics.DEFAULT_PREFIX, 1)}
    schemas = {name: _draft_07(schema) for name, schema in definitions().items()}
    beyond = "\n".join(f"- `{code}`: {what}." for code, what in BEYOND_SCHEMA.items())
    return {
        "asyncapi": "3.0.0",
        "id": "urn:nameplate",
        "info": {"title": "Nameplate", "version": "1.0.0", "description": _ABOUT + beyond + "\n"},
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "127.0.0.1:9092",
                "protocol": "kafka",
                "description": "What `nameplate broker up` starts.",
            }
        },
        "channels": {topic.short: _channel(topic, specs[topic.short]) for topic in TOPICS},
        "operations": {
            f"{action}-{topic.short}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{topic.short}"},
                "summary": specs[topic.short].why,
            }
            for topic in TOPICS
            for action in topic.actions
        },
        "components": {
            "messages": {
                message_name(name): _message(topic, name) for topic in TOPICS for name in topic.records
            },
            "schemas": {**schemas, "CloudEvent": _CLOUD_EVENT},
        },
    }


def message_name(definition: str) -> str:
    """Return the name of a message: `GraceStarted` is `grace-started`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", definition).lower()


def _channel(topic: Topic, spec: TopicSpec) -> dict[str, Any]:
    kafka: dict[str, Any] = {"topicConfiguration": _settings(spec), "bindingVersion": BINDING}
    if topic.short == topics.BOOKS:
        kafka["partitions"] = 1
    return {
        "address": spec.name,
        "title": topic.short,
        "summary": spec.why,
        "description": topic.says,
        "messages": {
            message_name(name): {"$ref": f"#/components/messages/{message_name(name)}"}
            for name in topic.records
        },
        "bindings": {"kafka": kafka},
    }


def _settings(spec: TopicSpec) -> dict[str, Any]:
    """Return a topic's settings as the binding wants them: numbers as numbers, policies as a list."""
    said: dict[str, Any] = {}
    for name, value in sorted(spec.config.items()):
        said[name] = int(value) if re.fullmatch(r"-?\d+", value) else value
    said["cleanup.policy"] = [said["cleanup.policy"]]
    return said


def _message(topic: Topic, name: str) -> dict[str, Any]:
    schema = definitions()[name]
    example: dict[str, Any] = {"name": message_name(name), "payload": examples()[name]}
    message: dict[str, Any] = {
        "name": message_name(name),
        "title": name,
        "summary": schema["description"],
        "contentType": "application/json",
        "payload": {"$ref": COMPONENT + name},
    }
    if topic.has_key:
        message["bindings"] = {
            "kafka": {"key": {"type": "string", "pattern": KEY}, "bindingVersion": BINDING}
        }
    if name in OUTPUTS:
        is_it = {"properties": {"ce_type": {"const": f"nameplate.{message_name(name)}"}}}
        message["headers"] = {"type": "object", "allOf": [{"$ref": COMPONENT + "CloudEvent"}, is_it]}
        message["correlationId"] = {
            "description": "All that is said of one duty, from its notice to its end.",
            "location": "$message.payload#/obligation_id",
        }
        example["headers"] = headers_example(examples()[name])
    elif topic.short == topics.STATUS:
        message["headers"] = {
            "type": "object",
            "properties": {
                WRITER_HEADER: {"description": "A nonce of the process.", "type": "string"},
                ENTRY_HEADER: {
                    "description": "The entry after which it was true; a record without a value has it, too.",
                    "type": "string",
                    "pattern": "^[0-9]{1,16}$",
                },
            },
            "required": [ENTRY_HEADER, WRITER_HEADER],
        }
        example["headers"] = {ENTRY_HEADER: str(examples()[name]["entry"]), WRITER_HEADER: "0f3c9a6e5b1d4e27"}
    return {**message, "examples": [example]}


_CLOUD_EVENT: Schema = {
    "title": "CloudEvent",
    "description": "CloudEvents 1.0, binary mode.",
    "type": "object",
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"description": "The record's id.", "type": "string", "pattern": "^[0-9a-f]{32}$"},
        "ce_type": {"description": "`nameplate.` and the record's type.", "type": "string"},
        "ce_source": {"description": "The partition.", "type": "string", "format": "uri-reference"},
        "ce_time": {
            "description": "When it was decided.",
            "type": "string",
            "format": "date-time",
            "pattern": UTC_INSTANT,
        },
        "ce_subject": {"description": "The key.", "type": "string", "pattern": KEY},
        "content-type": {"const": "application/json"},
    },
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "content-type"],
}


def _draft_07(schema: Any) -> Any:
    """Return a schema as draft-07 says it."""
    if isinstance(schema, list):
        return [_draft_07(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    said = {name: _draft_07(part) for name, part in schema.items()}
    if "prefixItems" in said:
        said |= {"items": said.pop("prefixItems"), "additionalItems": False}
    if isinstance(said.get("$ref"), str):
        said["$ref"] = said["$ref"].replace(REF, COMPONENT)
    return said
