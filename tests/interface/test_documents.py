"""What others get: the files in schemas/published are what the code exports, and what the standards call valid."""

import hashlib
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from conftest import IN_CI

from schemas import topics
from schemas.errors import OperatorError
from streams.interface.asyncapi import document, message_name
from streams.interface.examples import examples
from streams.interface.export import DOCUMENT, export, files, read_document
from streams.interface.records import KEY, OUTPUTS, definitions, references
from streams.interface.topics import BEYOND_SCHEMA, TOPICS
from streams.live.topic_specs import wanted

PUBLISHED = Path(__file__).parents[2] / "schemas" / "published"

ASYNCAPI = "@asyncapi/specs@6.11.1"
"""AsyncAPI's own package of the official JSON Schemas, from the npm registry."""
ASYNCAPI_3_0_0 = "d4571a420e6ffb7fcc7066c95a6db1202f299a3c51daa103d0706bf30f95e626"
"""SHA-256 of its schemas/3.0.0.json: nothing else is believed, wherever it came from."""


@pytest.fixture(scope="session")
def official() -> dict[str, Any]:
    """The official schema of AsyncAPI 3.0.0, fetched once. Where it cannot be had: skipped, in CI a failure."""
    room = Path(os.environ.get("NAMEPLATE_CACHE") or Path.home() / ".cache" / "nameplate")
    kept = room / "asyncapi-3.0.0.json"
    if not kept.exists():
        try:
            fetch(kept)
        except (OSError, subprocess.SubprocessError) as error:
            why = f"npm could not fetch {ASYNCAPI}: {error}"
            pytest.fail(why) if IN_CI else pytest.skip(why)
    raw = kept.read_bytes()
    assert hashlib.sha256(raw).hexdigest() == ASYNCAPI_3_0_0, f"{kept} is not the official schema: delete it"
    return json.loads(raw)


def fetch(kept: Path) -> None:
    part = kept.with_suffix(f".{os.getpid()}")
    part.mkdir(parents=True)
    try:
        call = ["npm", "pack", "--silent", "--pack-destination", str(part), ASYNCAPI]
        subprocess.run(call, check=True, capture_output=True, timeout=120, cwd=part)
        (packed,) = part.glob("*.tgz")
        with tarfile.open(packed) as archive:
            schema = archive.extractfile("package/schemas/3.0.0.json")
            assert schema is not None
            (part / "schema").write_bytes(schema.read())
        packed.unlink()
        (part / "schema").rename(kept)
    finally:
        for left in part.iterdir():
            left.unlink()
        part.rmdir()


# The files ---------------------------------------------------------------------------------------


def test_the_published_files_are_what_the_code_exports():
    """Write them anew with: make schemas"""
    found = {path.name: path.read_bytes() for path in PUBLISHED.iterdir()}
    assert found.keys() == files().keys()
    assert [name for name, text in files().items() if found[name] != text] == []


def test_an_export_writes_them_and_leaves_other_files_alone(tmp_path):
    (tmp_path / "clock.v1.json").write_text("old")
    (tmp_path / "mine").write_text("mine")
    export(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {**files(), "mine": b"mine"}
    assert read_document(tmp_path / DOCUMENT) == json.loads(files()[DOCUMENT])


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"asyncapi": "3.0.0"}'])
def test_a_document_of_somebody_else_is_refused_with_a_remedy(tmp_path, text):
    path = tmp_path / "asyncapi.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(OperatorError, match="nameplate schema check"):
        read_document(path)


# JSON Schema -------------------------------------------------------------------------------------

SCHEMAS = {name: json.loads(text) for name, text in files().items() if name != DOCUMENT}
by_name = pytest.mark.parametrize("name", SCHEMAS)


@by_name
def test_a_schema_is_one_by_the_official_metaschema(name):
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(SCHEMAS[name])


def test_the_metaschema_finds_a_slip():
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.meta.validate({**SCHEMAS["clock.v1.json"], "type": "objekt"})


@by_name
def test_the_examples_of_a_schema_fit_it(name):
    validator = jsonschema_rs.Draft202012Validator(SCHEMAS[name], validate_formats=True)
    assert SCHEMAS[name]["examples"]
    for example in SCHEMAS[name]["examples"]:
        validator.validate(example)


def test_every_topic_has_a_schema_with_an_example_of_every_kind():
    assert set(SCHEMAS) == {f"{topics.full_name(short, '')}.json" for short in topics.ALL}
    assert set(examples()) == {name for topic in TOPICS for name in topic.records}


def test_nothing_is_defined_that_no_topic_needs():
    used = {name for schema in SCHEMAS.values() for name in schema["$defs"]}
    assert used == set(definitions())


# AsyncAPI ----------------------------------------------------------------------------------------


def test_the_document_is_one_by_the_official_schema(official):
    errors = jsonschema_rs.Draft7Validator(official).iter_errors(document())
    assert [f"{error.instance_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("info",), {"title": "Nameplate"}),
        (("asyncapi",), "2.6.0"),
        (("operations", "send-restrictions", "action"), "publish"),
        (("channels", "clock", "bindings", "kafka", "partitions"), 0),
        (("channels", "clock", "bindings", "kafka", "topicConfiguration", "cleanup.policy"), "delete"),
        (("components", "messages", "dead-letter", "payload"), {"type": "objekt"}),
        (("components", "schemas", "Row", "minProperties"), -1),
    ],
)
def test_the_official_schema_finds_a_slip(official, path, value):
    flawed = json.loads(files()[DOCUMENT])
    here = flawed
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    assert not jsonschema_rs.Draft7Validator(official).is_valid(flawed)


def resolved(ref: str) -> Any:
    here = document()
    for key in ref.removeprefix("#/").split("/"):
        here = here[key]
    return here


def test_every_reference_leads_somewhere():
    found = list(references(document()))
    assert len(found) > 100
    assert all(resolved(ref) for ref in found)


def test_every_message_fits_its_own_example():
    for name, message in document()["components"]["messages"].items():
        (example,) = message["examples"]
        for part in ("payload", "headers"):
            assert (part in message) == (part in example), name
            if part in message:
                schema = {**message[part], "components": document()["components"]}
                jsonschema_rs.Draft7Validator(schema, validate_formats=True).validate(example[part])


def test_the_channels_are_the_topics_of_the_contract_with_their_settings():
    channels = document()["channels"]
    specs = {spec.short: spec for spec in wanted("nameplate.", 1)}
    assert set(channels) == set(topics.ALL)
    for short, channel in channels.items():
        assert channel["address"] == specs[short].name
        said = channel["bindings"]["kafka"]["topicConfiguration"]
        told = {name: value[0] if isinstance(value, list) else str(value) for name, value in said.items()}
        assert told == specs[short].config


def test_what_is_about_an_account_has_its_key():
    messages = document()["components"]["messages"]
    keyed = {name for name, one in messages.items() if "bindings" in one}
    about = {message_name(name) for name, one in examples().items() if "account_id" in one}
    assert keyed == about
    assert {messages[name]["bindings"]["kafka"]["key"]["pattern"] for name in keyed} == {KEY}


def test_each_output_says_its_cloud_events_type():
    messages = document()["components"]["messages"]
    for name in OUTPUTS:
        (example,) = messages[message_name(name)]["examples"]
        assert example["headers"]["ce_type"] == f"nameplate.{example['payload']['type']}"
        assert messages[message_name(name)]["correlationId"]["location"].endswith("#/obligation_id")


def test_the_document_tells_what_no_schema_can_refuse():
    said = document()["info"]["description"]
    assert all(f"- `{code}`: {what}." in said for code, what in BEYOND_SCHEMA.items())
