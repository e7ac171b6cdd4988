"""The schemas against the code that reads and writes: whatever the decoder takes a schema takes, always; and
what a schema takes the decoder takes, but for what `BEYOND_SCHEMA` tells the world."""

import json
from functools import cache, reduce
from operator import getitem
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from odd_records import changed, changed_once, places, repaired
from pydantic import ValidationError

from schemas import outputs, policy, topics
from schemas.errors import InputError, InvariantBroken
from schemas.inputs import ClockTicked, FactOfNoType, FollowerCount, Ruling
from schemas.policy_leaves import WRITTEN
from schemas.strict_json import canonical, sha256_hex
from schemas.wire import CODES, decode
from streams.interface.examples import examples
from streams.interface.records import FACTS, OUTPUTS, definitions, needed, ref
from streams.interface.topics import BEYOND_SCHEMA, TOPICS, schema_of

PLATFORMS = ("example", "weibo")


@cache
def validator(topic: str, *, with_formats: bool = False) -> Draft202012Validator:
    """Return a validator of a topic; to some of them `format` is more than a remark."""
    (one,) = (one for one in TOPICS if one.short == topic)
    return Draft202012Validator(schema_of(one, examples()), validate_formats=with_formats)


@cache
def validator_of(name: str) -> Draft202012Validator:
    return Draft202012Validator({**ref(name), "$defs": needed([name], definitions())})


def is_of_unicode(value: Any) -> bool:
    """A lone surrogate can stand in JSON, but not in what a validator in Rust takes."""
    try:
        return bool(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


# What comes in -----------------------------------------------------------------------------------


def code_of(topic: str, value: Any) -> str | None:
    """Return why a value is refused; None where it is read."""
    key = f"{value.get('platform')}:{value.get('account_id')}" if isinstance(value, dict) else ""
    try:
        decode(topic, key.encode(errors="replace"), json.dumps(value).encode(), PLATFORMS)
    except InputError as refused:
        return refused.code
    return None


def hold_input(topic: str, value: Any) -> None:
    """Hold a schema and the decoder to one answer; what only the decoder refuses has to be repairable."""
    code = code_of(topic, value)
    if not is_of_unicode(value):
        assert code is not None
        return
    fits = validator(topic).is_valid(value)
    if code is None:
        assert fits, value
        assert validator(topic, with_formats=True).is_valid(value), value
    elif fits:
        assert code in BEYOND_SCHEMA, value
        assert code_of(topic, repaired(value)) in (None, "unknown-platform"), value


FIELDS = {topics.COUNTS: FollowerCount, topics.FACTS: FactOfNoType, topics.CLOCK: ClockTicked}
"""A model with all the fields that a record of the topic could have."""
BASES = [
    *((topics.COUNTS, examples()["FollowerCount"]), (topics.CLOCK, examples()["ClockTicked"])),
    *((topics.FACTS, examples()[name]) for name in FACTS),
]
RULED = [
    {**examples()["AdjudicationMade"], "ruling": ruling, **until}
    for ruling in Ruling.__args__
    for until in ({}, {"until": "2024-03-01T00:00:00Z"})
]


@pytest.mark.parametrize(("topic", "base"), BASES)
def test_an_input_with_one_change_is_taken_by_its_schema_as_by_the_decoder(topic, base):
    for value in changed_once(base, FIELDS[topic].model_fields):
        hold_input(topic, value)


def test_every_ruling_with_and_without_an_end_is_taken_by_its_schema_as_by_the_decoder():
    tried = set(FactOfNoType.model_fields) - {"ruling", "until"}
    for base in RULED:
        for value in changed_once(base, ("until",), but=tried):
            hold_input(topics.FACTS, value)


@given(st.sampled_from([*BASES, *((topics.FACTS, ruled) for ruled in RULED)]), st.data())
@settings(max_examples=300)
def test_an_input_with_more_changes_is_taken_by_its_schema_as_by_the_decoder(base, data):
    topic, value = base
    hold_input(topic, changed(data.draw, value, FIELDS[topic].model_fields))


@pytest.mark.parametrize("topic", topics.INPUTS)
@pytest.mark.parametrize("value", [None, True, 5, "a", [], {}, {"colour": 1}], ids=repr)
def test_what_is_no_record_is_none_for_both(topic, value):
    assert code_of(topic, value) is not None
    assert not validator(topic).is_valid(value)


def test_no_schema_divides():
    """Most validators divide floats: a multipleOf of 0.0001 would refuse 0.3, which is 2999.9999999999995 of it."""
    assert "multipleOf" not in json.dumps(definitions())


def hold_policy(tables: Any) -> None:
    book = {"policies": {"example": tables}}
    if not is_of_unicode(book):
        return  # it has no canonical form, and so no hash
    said = {"book": book, "hash": "0" * 64}
    fits = validator(topics.BOOKS).is_valid(said)
    if not policy.examine(book)[1]:
        assert fits, tables
        assert validator(topics.BOOKS, with_formats=True).is_valid(said), tables
    elif fits:
        assert None not in [reduce(getitem, path, tables) for path in places(tables)], tables
        policy.Policy.model_validate(repaired(tables), context=WRITTEN, by_alias=True, by_name=False)


def test_a_policy_with_one_change_is_taken_by_its_schema_as_by_the_code():
    for tables in changed_once(full_policy(), ()):
        hold_policy(tables)


@cache
def full_policy() -> dict[str, Any]:
    """Return a policy that says everything that can be said."""
    tables = examples()["PolicyBook"]["book"]["policies"]["example"]
    phase = {
        **tables["phase"][0],
        "until": "2025-01-01T00:00:00Z",
        "subjects": ["law", "finance"],
        "grace": {
            "days": 10,
            "deadline": "2024-02-01T00:00:00Z",
            "min_days": 3,
            "reminders_days_before": [3, 1],
        },
    }
    return {
        **tables,
        "enabled": True,
        "scope": {
            "owners": ["individual"],
            "subjects": ["law"],
            "min_subject_share": 0.3,
            "exempt_daily_life": True,
        },
        "phase": [phase],
        "confirm": {"dwell_days": 2, "hysteresis_pct": 12.5},
        "measures": {"impose": ["tipping"], "untouched": [], "on_decline": "at-once"},
        "below": {"pending": "keep", "measures": "keep"},
        "purge": {"drop_share": 0.2, "within_days": 7},
        "display": {"individual": "real_name", "organisation": "organisation_name", "where": "profile"},
        "notice": {"channel": "direct_message"},
        "viewer": {"deny": ["not_logged_in"]},
        "floor": {"followers": 500_000, "override": False},
        "watch": {"floor_share": 0.8},
        "rule": [{"id": "r1", "from": "2022-04-28T00:00:00Z", "text": "province"}],
    }


def test_the_full_policy_is_one():
    book = {"policies": {"example": full_policy()}}
    said = {"book": book, "hash": sha256_hex(canonical(book))}
    assert code_of(topics.BOOKS, said) is None
    assert set(full_policy()) == {field.alias or name for name, field in policy.Policy.model_fields.items()}


def test_what_no_schema_can_refuse_is_named_by_code_and_nothing_else_is():
    """The last three codes of the first kind need more than a value; the shape of a record is the schema's."""
    assert set(CODES) - set(BEYOND_SCHEMA) == {"unknown-type", "unknown-field", "missing-field"}
    assert list(BEYOND_SCHEMA) == [code for code in CODES if code in BEYOND_SCHEMA]


# What leaves -------------------------------------------------------------------------------------


def gate(value: dict[str, Any]) -> bool:
    try:
        outputs.check(value)
    except (InvariantBroken, KeyError, TypeError):
        return False
    return True


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_with_one_change_is_taken_by_its_schema_as_by_the_gate(name):
    """The gate looks at the number of reasons only; what they are is the business of schemas/reasons.py."""
    base = {**examples()[name], "reasons": [{"code": "policy-changed"}]}
    tried = set(outputs.Output.model_fields) if name != OUTPUTS[0] else set()
    for value in changed_once(base, ("deadline_at", "why"), but=tried):
        is_sound = gate(value)
        fits = is_of_unicode(value) and validator_of(name).is_valid(value)
        if is_sound and value["reasons"] == base["reasons"]:
            assert fits, value
        elif fits:
            assert gate(repaired(value)), value


@pytest.mark.parametrize(
    ("name", "model"), [("AccountStatus", outputs.AccountStatus), ("DeadLetter", outputs.DeadLetter)]
)
def test_a_status_or_a_dead_letter_with_one_change_is_taken_by_its_schema_as_by_its_model(name, model):
    """The schemas say more: what can be left out is never null, and topics and codes are those that there are."""
    for value in changed_once(examples()[name], model.model_fields):
        is_sound = not isinstance(problems(model, value), ValidationError)
        if is_of_unicode(value) and validator_of(name).is_valid(value):
            assert problems(model, repaired(value)) is None, value
            assert all(value[field] is not None or field == "at" for field in value), value
        elif is_sound:
            strange = {"code": CODES, "topic": topics.INPUTS}
            assert None in value.values() or any(value.get(name) not in strange[name] for name in strange), (
                value
            )


def problems(model: type[outputs.Record], value: Any) -> ValidationError | None:
    try:
        model.model_validate(value)
    except ValidationError as refused:
        return refused
    return None


@pytest.mark.parametrize("name", definitions())
def test_every_field_says_what_it_means(name):
    fields = definitions()[name].get("properties", {})
    silent = [key for key, part in fields.items() if "description" not in part and "const" not in part]
    assert not silent
    assert definitions()[name]["description"]
