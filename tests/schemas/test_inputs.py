from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas import instant
from schemas.inputs import (
    FACTS,
    AccountFact,
    AdjudicationMade,
    AnswerGiven,
    ClockTicked,
    Fact,
    FactOfNoType,
    FollowerCountChanged,
    ProfileChanged,
)
from schemas.wire import canonical, parse

SAID = {
    "event_id": "e-1",
    "platform": "weibo",
    "account_id": "acc-a",
    "occurred_at": "2024-01-03T08:00:00.50+08:00",
}
AT = instant.parse("2024-01-03T00:00:00.5Z")


def profile(**fields):
    return ProfileChanged.model_validate({**SAID, "type": "profile-changed", **fields})


def ruling(name, **fields):
    value = {**SAID, "type": "adjudication-made", "ruling": name, "reason_code": "r-1", **fields}
    return AdjudicationMade.model_validate(value)


def kinds(refused):
    return {error["type"] for error in refused.value.errors()}


def test_a_record_says_its_own_instant_and_its_key():
    answer = AnswerGiven.model_validate({**SAID, "type": "answer-given", "answer": "agree"})
    count = FollowerCountChanged("e", "weibo", "acc-a", 5, AT)
    assert (answer.at, answer.occurred_at, answer.key) == (AT, AT, "weibo:acc-a")
    assert (count.at, count.key) == (AT, "weibo:acc-a")
    tick = ClockTicked.model_validate({"at": "2024-01-03T00:00:00.5Z"})
    assert (tick.at, tick.key) == (AT, None)


def test_a_field_left_out_is_none_and_one_given_is_not():
    said = profile(self_media=False, subjects={})
    assert said.self_media is False
    assert said.subjects == ()
    assert (said.owner, said.daily_life, said.verified, said.status) == (None, None, None, None)


def test_shares_are_ten_thousandths_by_name():
    assert profile(subjects={"law": Decimal("0.30"), "finance": 1, "a": Decimal("0.0001")}).subjects == (
        ("a", 1),
        ("finance", 10_000),
        ("law", 3_000),
    )


@pytest.mark.parametrize(
    ("share", "kind"),
    [
        (Decimal("0.00001"), "share_digits"),
        (Decimal("1.00001"), "share_digits"),
        (Decimal("1E-999999"), "share_digits"),
        (Decimal("1.0001"), "share_range"),
        (Decimal("-0.0001"), "share_range"),
        (Decimal("1E+999999"), "share_range"),
        (2, "share_range"),
        (-1, "share_range"),
        (True, "share_type"),
        ("0.5", "share_type"),
        (0.5, "share_type"),
    ],
)
def test_a_share_is_a_number_from_0_to_1_with_4_fraction_digits(share, kind):
    with pytest.raises(ValidationError) as refused:
        profile(subjects={"law": share})
    assert kinds(refused) == {kind}


@pytest.mark.parametrize("field", ["owner", "self_media", "subjects", "daily_life", "verified", "status"])
def test_a_null_is_not_the_same_as_left_out(field):
    with pytest.raises(ValidationError) as refused:
        profile(**{field: None})
    assert kinds(refused) == {"null"}


def test_until_goes_with_its_ruling():
    until = "2024-02-01T00:00:00Z"
    assert ruling("waive").until is None
    assert ruling("waive", until=until).until == instant.parse(until)
    assert ruling("extend", until=until).until == instant.parse(until)
    assert ruling("hold").until is None
    with pytest.raises(ValidationError) as refused:
        ruling("extend", reason_code="Not This")
    assert kinds(refused) == {"missing", "string_pattern_mismatch"}
    for name in ("hold", "release", "revoke"):
        with pytest.raises(ValidationError) as refused:
            ruling(name, until=until, occurred_at=5)
        assert kinds(refused) == {"extra_forbidden", "string_type"}


def test_a_record_does_not_change():
    with pytest.raises(ValidationError):
        profile().owner = "individual"
    with pytest.raises(AttributeError):
        FollowerCountChanged("e", "weibo", "acc-a", 5, AT).followers = 6


@pytest.mark.parametrize(
    "record",
    [
        profile(),
        profile(
            owner="government", subjects={"law": Decimal("0.3"), "a": 1}, verified=False, status="deleted"
        ),
        ruling("waive"),
        ruling("extend", until="2024-02-01T00:00:00.25+01:00"),
        AnswerGiven.model_validate({**SAID, "type": "answer-given", "answer": "decline"}),
    ],
)
def test_the_value_of_a_record_is_read_back_as_the_same_record(record):
    assert type(record).model_validate(parse(canonical(record.as_value()))) == record


def test_the_value_of_a_record_has_what_was_given_and_instants_in_utc():
    assert canonical(profile(subjects={"law": Decimal("0.30")}).as_value()) == (
        b'{"account_id":"acc-a","event_id":"e-1","occurred_at":"2024-01-03T00:00:00.5Z","platform":"weibo",'
        b'"subjects":{"law":0.3},"type":"profile-changed"}'
    )
    assert FollowerCountChanged("e", "weibo", "acc-a", 5, AT).as_value() == {
        "event_id": "e",
        "platform": "weibo",
        "account_id": "acc-a",
        "followers": 5,
        "observed_at": "2024-01-03T00:00:00.5Z",
    }


def test_a_fact_of_no_type_has_the_fields_of_every_type():
    of_any_type = {name for model in FACTS.values() for name in model.model_fields}
    assert set(FactOfNoType.model_fields) == of_any_type
    assert set(Fact.model_fields) < of_any_type


def test_the_schema_says_what_the_reader_refuses():
    schema = TypeAdapter(AccountFact).json_schema()
    assert schema["discriminator"]["propertyName"] == "type"
    said = schema["$defs"]["ProfileChanged"]
    assert said["additionalProperties"] is False
    assert set(said["required"]) == {*SAID, "type"}
    assert said["properties"]["owner"]["enum"] == ["individual", "organisation", "government", "news_media"]
    assert said["properties"]["self_media"]["type"] == "boolean"
    assert said["properties"]["subjects"]["type"] == "object"
    assert said["properties"]["occurred_at"]["format"] == "date-time"
    assert "null" not in str(schema)
