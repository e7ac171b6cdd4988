"""No release breaks those who rely on an earlier one: tests/frozen/<n>/asyncapi.json, which never change.

Beside a new field the schemas in schemas/published may be written anew in the same commit; the frozen documents may
not. A release that promises something new freezes its own document in a directory of its own.
"""

import copy
import json
from collections.abc import Callable
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from schemas.errors import AuditError
from streams.cli.app import app
from streams.interface.asyncapi import document
from streams.interface.evolution import broken

FROZEN = sorted((Path(__file__).parents[1] / "frozen").glob("*/asyncapi.json"))
Change = Callable[[dict[str, Any]], None]


def test_there_is_a_promise_to_keep():
    assert FROZEN


@pytest.mark.parametrize("promise", FROZEN, ids=lambda path: path.parent.name)
def test_this_release_breaks_no_promise(promise):
    """Where this fails, somebody's records would be refused, or somebody would read what he was told cannot come."""
    assert broken(json.loads(promise.read_text("utf-8")), document()) == []


# Planted changes ---------------------------------------------------------------------------------

SCHEMAS = ("components", "schemas")


def put(*path: Any) -> Change:
    """Return the change that sets the last but one place of a path to its last part."""
    *way, last, value = path

    def change(here: dict[str, Any]) -> None:
        reduce(getitem, way, here)[last] = value

    return change


def cut(*path: Any) -> Change:
    """Return the change that takes out the last place of a path: a key, or an item of a list by its value."""
    *way, last = path

    def change(here: dict[str, Any]) -> None:
        part = reduce(getitem, way, here)
        part.remove(last) if isinstance(part, list) else part.pop(last)

    return change


def add(*path: Any) -> Change:
    """Return the change that appends the last part of a path to the list at its place."""
    *way, value = path

    def change(here: dict[str, Any]) -> None:
        reduce(getitem, way, here).append(value)

    return change


def field(name: str, key: str, *words: Any) -> tuple[Any, ...]:
    return (*SCHEMAS, name, "properties", key, *words)


def message_of(channel: str, name: str) -> Change:
    """Return the change that gives a channel one more message, like one that it has."""

    def change(here: dict[str, Any]) -> None:
        messages, known = here["channels"][channel]["messages"], here["components"]["messages"]
        known[name] = copy.deepcopy(known[next(iter(messages))])
        messages[name] = {"$ref": f"#/components/messages/{name}"}

    return change


def reason(code: str) -> dict[str, Any]:
    properties = {"code": {"const": code}, "followers": {"type": "integer"}}
    closed = {"type": "object", "required": [*properties], "additionalProperties": False}
    return {"title": code, "properties": properties, **closed}


TEXT = {"type": "string"}
COUNTS = "follower-counts: follower-count"
FACTS = "account-facts: profile-changed"

BREAKING: list[tuple[str, list[Change], str]] = [
    # Who sends would be refused.
    (
        "a new field that an input must have",
        [put(*field("FollowerCount", "source"), TEXT), add(*SCHEMAS, "FollowerCount", "required", "source")],
        f"{COUNTS}: source may be missing before, not now",
    ),
    (
        "an optional field of an input that it must have now",
        [add(*SCHEMAS, "ProfileChanged", "required", "owner")],
        f"{FACTS}: owner may be missing before, not now",
    ),
    (
        "a field of an input that is gone",
        [cut(*field("ProfileChanged", "verified"))],
        f"{FACTS}: verified may be there before, not now",
    ),
    (
        "a value of an input that is gone",
        [cut(*field("ProfileChanged", "owner", "enum"), "news_media")],
        f"{FACTS}.owner: may be news_media before, not now",
    ),
    (
        "a lower maximum of an input",
        [put(*field("FollowerCount", "followers", "maximum"), 10**9)],
        f"{COUNTS}.followers: maximum is 9007199254740991 before, 1000000000 now",
    ),
    (
        "a new minimum of an input",
        [put(*field("ProfileChanged", "subjects", "minProperties"), 1)],
        f"{FACTS}.subjects: minProperties is not given before, 1 now",
    ),
    (
        "another pattern of an input",
        [put(*field("FollowerCount", "event_id", "pattern"), "^[0-9a-f]{32}$")],
        f"{COUNTS}.event_id: pattern is ^[!-~]{{1,128}}$ before, ^[0-9a-f]{{32}}$ now",
    ),
    (
        "another type of an input",
        [put(*field("ProfileChanged", "self_media"), {"type": "string"})],
        f"{FACTS}.self_media: is boolean before, string now",
    ),
    (
        "a rule of an input that forbids more",
        [put(*SCHEMAS, "AdjudicationMade", "allOf", 1, "if", "properties", "ruling", "enum", ["waive"])],
        "account-facts: adjudication-made: if is",
    ),
    (
        "a table of a policy that is gone",
        [cut(*field("Policy", "watch"))],
        "policy-book: policy-book.book.policies.*: watch may be there before, not now",
    ),
    (
        "a kind of input that is gone",
        [cut("channels", "account-facts", "messages", "answer-given")],
        "not now",
    ),
    (
        "an input that is no longer read",
        [cut("operations", "receive-account-facts")],
        "account-facts: Nameplate receives it before, not now",
    ),
    (
        "another key of an input",
        [put("components", "messages", "follower-count", "bindings", "kafka", "key", "pattern", "^[a-z]+$")],
        f"{COUNTS}, key: pattern is",
    ),
    # Who reads would miss something, or meet what he was told cannot come.
    (
        "a field of an output that is gone",
        [
            cut(*field("GraceStarted", "notified_at")),
            cut(*SCHEMAS, "GraceStarted", "required", "notified_at"),
        ],
        "grace-periods: grace-started: notified_at may be there before, not now",
    ),
    (
        "an optional field of an output that is gone",
        [cut(*field("AccountStatus", "deadline_at"))],
        "account-status: account-status: deadline_at may be there before, not now",
    ),
    (
        "a field of an output that may be missing",
        [cut(*SCHEMAS, "DisclosureRequired", "required", "threshold")],
        "disclosure-required: disclosure-required: threshold may be missing now, not before",
    ),
    (
        "a wider type of an output",
        [put(*field("GraceReminder", "days_left", "type"), "number")],
        "grace-periods: grace-reminder.days_left: is number now, integer before",
    ),
    (
        "a null in an output",
        [put(*field("AccountStatus", "followers"), {"anyOf": [{"type": "integer"}, {"type": "null"}]})],
        "account-status: account-status.followers: ",
    ),
    (
        "a new value of an output",
        [add(*field("GraceEnded", "outcome", "enum"), "paused")],
        "grace-periods: grace-ended.outcome: may be paused now, not before",
    ),
    (
        "any value of an output",
        [cut(*field("AccountStatus", "stage", "enum"))],
        "account-status: account-status.stage: may be anything else now, not before",
    ),
    (
        "a wider range of an output",
        [put(*field("GraceReminder", "days_left", "minimum"), 0)],
        "grace-periods: grace-reminder.days_left: minimum is 0 now, 1 before",
    ),
    (
        "an output without a pattern",
        [cut(*field("DisclosureMet", "book", "pattern"))],
        "disclosure-required: disclosure-met.book: pattern is not given now",
    ),
    ("a new kind of output", [message_of("restrictions", "restriction-moved")], "has restriction-moved now"),
    (
        "a kind of output that is gone",
        [cut("channels", "restrictions", "messages", "restriction-lifted")],
        "not now",
    ),
    ("a topic that is gone", [cut("channels", "dead-letters")], "at no topic now"),
    (
        "a topic of another name",
        [put("channels", "clock", "address", "nameplate.clock.v2")],
        "clock: is at nameplate.clock.v1 before, at nameplate.clock.v2 now",
    ),
    (
        "a header that may be missing",
        [cut(*SCHEMAS, "CloudEvent", "required", "ce_id")],
        "restrictions: restriction-lifted, headers: ce_id may be missing now, not before",
    ),
    (
        "an output without headers",
        [cut("components", "messages", "grace-ended", "headers")],
        "grace-periods: grace-ended, headers: may be anything now, not before",
    ),
    (
        "a value of a reason that is gone",
        [cut(*SCHEMAS, "Reason", "oneOf", 0, "properties", "threshold")],
        "reasons[]: threshold may be there before, not now",
    ),
    # What stands in journals is read for ever.
    (
        "a reason code that journals have",
        [cut(*SCHEMAS, "Reason", "oneOf", document()["components"]["schemas"]["Reason"]["oneOf"][3])],
        "journal: entry.content.decisions[].reasons[]: may be suspected-purge before, not now",
    ),
    (
        "a new field that old entries do not have",
        [put(*field("EntryContent", "lag"), TEXT), add(*SCHEMAS, "EntryContent", "required", "lag")],
        "journal: entry.content: lag may be missing before, not now",
    ),
    (
        "a new field that old outputs in journals do not have",
        [put(*field("DisclosureMet", "where"), TEXT), add(*SCHEMAS, "DisclosureMet", "required", "where")],
        "outputs[]: where may be missing before, not now",
    ),
    (
        "one more part of a run",
        [add(*SCHEMAS, "Run", "items", TEXT)],
        "journal: entry.content.runs[]: items differ in number",
    ),
    (
        "a schema with a word that the check does not know",
        [put(*field("FollowerCount", "followers", "contains"), {"const": 5})],
        f"{COUNTS}.followers: contains differs, and this check does not know it",
    ),
]

HARMLESS: list[tuple[str, list[Change]]] = [
    ("nothing", []),
    ("other words", [put(*field("FollowerCount", "followers", "description"), "How many.")]),
    ("a new example", [put("components", "messages", "clock-ticked", "examples", [])]),
    ("a new optional field of an input", [put(*field("FollowerCount", "source"), TEXT)]),
    (
        "a field of an input that may be missing now",
        [cut(*SCHEMAS, "AdjudicationMade", "required", "reason_code")],
    ),
    ("a new value of an input", [add(*field("ProfileChanged", "status", "enum"), "dormant")]),
    ("any value of an input", [cut(*field("AnswerGiven", "answer", "enum"))]),
    ("a wider range of an input", [cut(*field("FollowerCount", "followers", "maximum"))]),
    ("a wider type of an input", [put(*field("ProfileChanged", "verified", "type"), ["boolean", "null"])]),
    ("a new kind of input", [message_of("account-facts", "account-merged")]),
    ("a new table of policies", [put(*field("Policy", "appeal"), {"type": "object"})]),
    ("a new optional field of an output", [put(*field("DisclosureMet", "where"), TEXT)]),
    (
        "a new field of a status",
        [put(*field("AccountStatus", "since"), TEXT), add(*SCHEMAS, "AccountStatus", "required", "since")],
    ),
    (
        "an optional field of a status that is always there now",
        [add(*SCHEMAS, "AccountStatus", "required", "followers")],
    ),
    ("a value of a status that is gone", [cut(*field("AccountStatus", "stage", "enum"), "waived")]),
    ("a narrower range of a status", [put(*field("AccountStatus", "entry", "minimum"), 1)]),
    ("a new reason code", [add(*SCHEMAS, "Reason", "oneOf", reason("merged"))]),
    ("a new optional field of entries", [put(*field("EntryContent", "lag"), TEXT)]),
    ("a new topic", [put("channels", "appeals", {"address": "nameplate.appeals.v1", "messages": {}})]),
    ("a new optional header", [put(*field("CloudEvent", "traceparent"), TEXT)]),
    ("another retention", [put("channels", "clock", "bindings", "kafka", "topicConfiguration", {})]),
]


def after(changes: list[Change]) -> dict[str, Any]:
    changed = copy.deepcopy(document())
    for change in changes:
        change(changed)
    return changed


@pytest.mark.parametrize(
    ("changes", "sentence"), [row[1:] for row in BREAKING], ids=[row[0] for row in BREAKING]
)
def test_a_change_that_breaks_somebody_is_refused_and_named(changes, sentence):
    found = broken(document(), after(changes))
    assert any(sentence in one for one in found), "\n".join(found)


@pytest.mark.parametrize("changes", [row[1] for row in HARMLESS], ids=[row[0] for row in HARMLESS])
def test_a_change_that_breaks_nobody_is_taken(changes):
    assert broken(document(), after(changes)) == []


def test_the_command_answers_with_its_exit_status(tmp_path):
    earlier = tmp_path / "asyncapi.json"
    earlier.write_text(json.dumps(document()))
    assert CliRunner().invoke(app, ["schema", "check", str(earlier)]).exit_code == 0
    earlier.write_text(json.dumps(after([add(*field("ProfileChanged", "owner", "enum"), "robot")])))
    refused = CliRunner().invoke(app, ["schema", "check", str(earlier)])
    assert isinstance(refused.exception, AuditError)
    assert "account-facts: profile-changed.owner: may be robot before, not now" in str(refused.exception)
