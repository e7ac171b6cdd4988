"""The schemas of what leaves: closed, strict, and the gate before the journal."""

from typing import get_args

import pytest
from builders import AT_NOON, common_output
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.errors import InvariantBroken
from schemas.outputs import (
    OF_TYPE,
    TOPIC_OF_TYPE,
    AccountStatus,
    DeadLetter,
    check,
    check_written,
    plain_form,
    time_text,
)
from schemas.reasons import REASONS, reason, sentence
from schemas.wire import assembled
from streams.core.obligations import CancelWhy

FIELDS = {
    "disclosure-required": {
        "followers": 1000,
        "observed_at": AT_NOON,
        "threshold": 1000,
        "op": ">=",
        "display": "real_name",
        "deadline_at": AT_NOON,
        "notice_channel": "direct_message",
    },
    "disclosure-met": {"by": "displayed"},
    "disclosure-cancelled": {"why": "fell-below"},
    "grace-started": {"notified_at": AT_NOON, "deadline_at": AT_NOON},
    "grace-reminder": {"deadline_at": AT_NOON, "days_left": 3},
    "grace-extended": {"previous_deadline_at": AT_NOON, "deadline_at": AT_NOON},
    "grace-suspended": {"why": "agreed"},
    "grace-resumed": {"deadline_at": AT_NOON},
    "grace-ended": {"outcome": "met"},
    "restriction-imposed": {"measures": ["tipping"], "untouched": [], "why": "no-reply"},
    "restriction-lifted": {"measures": ["tipping"], "why": "displayed"},
}
"""The fields of each type as the contract's table lists them."""


def output_of(kind, **overrides):
    return {**common_output(type=kind), **FIELDS[kind], **overrides}


@pytest.mark.parametrize("kind", FIELDS)
def test_an_output_as_the_contract_lists_it_is_let_through(kind):
    check(output_of(kind))


@pytest.mark.parametrize("kind", FIELDS)
def test_an_output_with_a_field_too_many_or_too_few_is_our_bug(kind):
    whole = output_of(kind)
    with pytest.raises(InvariantBroken):
        check({**whole, "name": "somebody"})
    for field in whole.keys() - {"type"}:
        with pytest.raises(InvariantBroken):
            check({name: value for name, value in whole.items() if name != field})


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "0" * 31},
        {"id": "G" * 32},
        {"seq": -1},
        {"seq": 1.0},
        {"partition": "0"},
        {"platform": "Weibo"},
        {"account_id": "ab"},
        {"book": "0" * 32},
        {"decided_at": "2024-01-01T00:00:00+08:00"},
        {"decided_at": "2024-01-01"},
        {"cause": {}},
        {"cause": {"topic": "clock", "event_id": "e"}},
        {"cause": {"due": AT_NOON, "book": "0" * 64}},
        {"reasons": []},
        {"reasons": None},
        {"phase": None},
    ],
)
def test_a_common_field_of_another_form_is_our_bug(wrong):
    with pytest.raises(InvariantBroken):
        check(output_of("disclosure-met", **wrong))


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("disclosure-required", {"op": "<"}),
        ("disclosure-required", {"followers": 2**53}),
        ("disclosure-required", {"followers": True}),
        ("disclosure-cancelled", {"why": "because"}),
        ("grace-reminder", {"days_left": 0}),
        ("grace-suspended", {"why": "suspended"}),
        ("grace-ended", {"outcome": "over"}),
        ("restriction-imposed", {"measures": ["Tipping"]}),
        ("restriction-imposed", {"measures": "tipping"}),
    ],
)
def test_a_field_of_a_type_of_another_form_is_our_bug(kind, wrong):
    with pytest.raises(InvariantBroken):
        check(output_of(kind, **wrong))


def test_the_message_of_our_bug_shows_no_value():
    with pytest.raises(InvariantBroken) as raised:
        check(output_of("disclosure-met", by="Zhang San"))
    assert "Zhang" not in str(raised.value)


def test_each_type_has_its_topic():
    assert TOPIC_OF_TYPE.keys() == OF_TYPE.keys() == FIELDS.keys()
    assert {TOPIC_OF_TYPE[kind] for kind in FIELDS} == set(topics.OUTPUTS)


@pytest.mark.parametrize("why", get_args(CancelWhy))
def test_every_why_of_the_core_can_be_said_of_a_duty_and_of_a_restriction(why):
    check(output_of("disclosure-cancelled", why=why))
    check(output_of("restriction-lifted", why=why))


def test_a_status_needs_no_count_and_no_obligation():
    status = {
        "platform": "weibo",
        "account_id": "acc-a",
        "stage": "clear",
        "measures": [],
        "displayed": False,
        "as_of": AT_NOON,
        "entry": 0,
    }
    assert AccountStatus(**status).followers is None


def test_a_dead_letter_has_no_place_for_a_payload():
    fields = set(DeadLetter.model_fields)
    assert fields == {"topic", "partition", "offset", "sha256", "bytes", "code", "at"}


def test_a_time_that_has_not_begun_has_no_text():
    assert (time_text(None), time_text(0)) == (None, "1970-01-01T00:00:00Z")


# Reasons -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", REASONS)
def test_a_reason_has_a_sentence_that_tells_each_of_its_values(code):
    values = {name: f"<{name}>" for name in REASONS[code].values}
    said = sentence(reason(code, **values))
    assert said.endswith(".")
    assert all(value in said for value in values.values())


@pytest.mark.parametrize(
    ("code", "values"), [("no-such", {}), ("quiet", {"followers": 1}), ("waived", {}), ("too-old", {"at": 1})]
)
def test_a_reason_that_is_not_in_the_table_is_our_bug(code, values):
    with pytest.raises(InvariantBroken):
        reason(code, **values)


# The gate before the journal ----------------------------------------------------------------------

TEXTS = st.text('[]{}",:\\a0Z', max_size=8) | st.text(max_size=3)
MORE = st.sampled_from(("", "", "_"))
"""Behind the name of a field: another one, that stands next to it in the bytes."""
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def near(draw, value):
    """Return something that is much like a sound value, or anything at all."""
    match draw(st.sampled_from(("other", "one of another field", "a character more or less"))):
        case "one of another field":
            others = [other for kind in FIELDS for other in output_of(kind).values()]
            return draw(st.sampled_from([*others, 0, 1, -1, 10**15 - 1, 10**15, 2**53 - 1, 2**53]))
        case "a character more or less" if isinstance(value, str):
            at = draw(st.integers(0, len(value)))
            return value[:at] + draw(TEXTS) + value[draw(st.integers(at, min(len(value), at + 1))) :]
        case "a character more or less" if isinstance(value, list):
            return [*value, *draw(st.lists(JSON, max_size=3))]
        case "a character more or less" if isinstance(value, dict):
            return {
                **value,
                **draw(st.dictionaries(TEXTS | st.sampled_from(sorted(value)), JSON, max_size=2)),
            }
    return draw(JSON)


def passes(fields):
    return not refuses(lambda fields: check_written(fields["type"], assembled(fields)), fields)


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_the_gate_lets_through_and_refuses_what_the_schema_does(data):
    whole = output_of(data.draw(st.sampled_from(sorted(FIELDS))))
    name = data.draw(st.sampled_from(sorted(whole.keys() - {"type"}))) + data.draw(MORE)
    changed = {**whole, name: data.draw(near(whole.get(name)))}
    assert passes(changed) != refuses(check, changed)


NUMBERS = (-1, 0, 1, 10**15 - 1, 10**15, 2**53 - 1, 2**53, 10**16 - 1, True, 1.0)


@pytest.mark.parametrize("kind", FIELDS)
def test_the_gate_lets_through_and_refuses_what_the_schema_does_at_every_border(kind):
    whole = output_of(kind)
    for name in whole.keys() - {"type"}:
        left = {other: value for other, value in whole.items() if other != name}
        assert not passes(left)
        for value in (
            None,
            "",
            "a",
            'a"',
            "a\\",
            "a\n",
            "Ä",
            [],
            [{}],
            {},
            "0" * 64,
            "0" * 65,
            AT_NOON,
            *NUMBERS,
        ):
            assert passes({**whole, name: value}) != refuses(check, {**whole, name: value}), (name, value)
        for extra in ("a", 1):
            assert not passes({**whole, f"{name}_": extra}), name
            if isinstance(whole[name], dict):
                assert not any(
                    passes({**whole, name: {**whole[name], f"{one}_": extra}}) for one in whole[name]
                )


@settings(max_examples=500)
@given(st.lists(st.dictionaries(TEXTS, JSON, max_size=3) | JSON, max_size=4))
def test_no_text_in_a_reason_passes_for_its_end(reasons):
    changed = output_of("grace-started", reasons=reasons)
    assert refuses(lambda fields: check_written(fields["type"], assembled(fields)), changed) == refuses(
        check, changed
    )


@pytest.mark.parametrize("kind", FIELDS)
def test_an_output_as_it_is_usually_written_is_told_by_one_look(kind):
    for cause in (common_output()["cause"], {"due": AT_NOON}, {"book": "0" * 64}):
        assert plain_form(kind).is_of(assembled(output_of(kind, cause=cause)))


def refuses(look, fields):
    try:
        look(fields)
    except InvariantBroken:
        return True
    return False
