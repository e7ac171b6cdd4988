"""Outputs as their bytes, and what the status of an account shows."""

import msgspec
import pytest
from builders import (
    ACCOUNT,
    AT_NOON,
    MEASURES,
    PLATFORM,
    START,
    day,
    key_of,
    obligation_of,
    phase_tables,
    policy_of,
    profile_of,
    row_of,
    stopped,
)

from schemas import topics
from schemas.errors import InvariantBroken
from schemas.instant import text
from schemas.reasons import reason
from schemas.wire import canonical, sha256_hex
from streams.core.obligations import Saying
from streams.core.sealing import Sealer, common_fields, headers_of, output_key, shown_stage, status_of

DWELL = policy_of(confirm={"dwell_days": 2})
COMMON = {
    **common_fields(PLATFORM, ACCOUNT, DWELL, "2" * 64),
    "decided_at": AT_NOON,
    "effective_at": AT_NOON,
    "cause": {"due": AT_NOON},
}


def reminder(days_left=3):
    because = reason("reminder-due", deadline_at=AT_NOON, days_left=3)
    return Saying(
        "grace-reminder", {"deadline_at": AT_NOON, "days_left": days_left}, "1" * 32, "p1", (because,)
    )


KEY = key_of().encode()


def sealer(partition=0, seq=0):
    return Sealer(partition, dict.fromkeys(topics.OUTPUTS, seq))


def test_the_outputs_of_a_topic_are_numbered_from_where_the_last_entry_left_off():
    one = sealer(partition=2, seq=7)
    sealed = [one.seal(reminder(), COMMON, KEY) for _ in range(3)]
    assert {topic for topic, _, _ in sealed} == {topics.GRACE}
    assert [msgspec.json.decode(value)["seq"] for _, value, _ in sealed] == [7, 8, 9]
    assert {topic: seq for topic, seq in one.next_seq.items() if seq != 7} == {topics.GRACE: 10}


def test_an_id_is_over_what_is_said_and_not_over_the_place_where_it_stands():
    records = [
        msgspec.json.decode(sealer(partition, seq).seal(reminder(), COMMON, KEY)[1])
        for partition, seq in ((0, 0), (2, 7))
    ]
    said = {name: value for name, value in records[0].items() if name not in ("id", "seq", "partition")}
    assert records[0]["id"] == records[1]["id"] == sha256_hex(canonical(said))[:32]
    assert [(record["partition"], record["seq"]) for record in records] == [(0, 0), (2, 7)]


def test_an_output_that_is_not_of_its_schema_is_our_bug_and_takes_no_number():
    one = sealer()
    with pytest.raises(InvariantBroken):
        one.seal(reminder(days_left="three"), COMMON, KEY)
    assert set(one.next_seq.values()) == {0}


def test_without_a_policy_no_version_is_named():
    assert common_fields(PLATFORM, ACCOUNT, None, "2" * 64)["policy_version"] == "none"


def test_an_output_is_published_under_its_account_and_tells_a_cloud_event_of_itself():
    _, value, headers = sealer(partition=2).seal(reminder(), COMMON, KEY)
    output = msgspec.json.decode(value)
    assert headers == headers_of(output)
    assert output_key(output) == key_of().encode()
    assert dict(headers_of(output)) == {
        "ce_specversion": b"1.0",
        "ce_id": output["id"].encode(),
        "ce_type": b"nameplate.grace-reminder",
        "ce_source": b"/nameplate.partition/2",
        "ce_time": AT_NOON.encode(),
        "ce_subject": key_of().encode(),
        "content-type": b"application/json",
    }


def test_who_publishes_nothing_has_no_headers_made_and_the_same_bytes():
    quiet = Sealer(0, {topics.GRACE: 0}, publishes=False)
    topic, value, headers = quiet.seal(reminder(), COMMON, KEY)
    assert (topic, value) == Sealer(0, {topics.GRACE: 0}).seal(reminder(), COMMON, KEY)[:2]
    assert headers == ()


# The stage that is shown ---------------------------------------------------------------------------

RESTRICTED = row_of(obligation=obligation_of(stage="restricted", measures=tuple(MEASURES)))
BOTH = [phase_tables(), phase_tables(id="p2", threshold=2000)]


@pytest.mark.parametrize(
    ("row", "stage"),
    [
        (row_of(obligation=obligation_of(), met=True, waived=True), "grace"),
        (row_of(obligation=stopped("held")), "stopped"),
        (RESTRICTED, "restricted"),
        (row_of(waived=True, met=True, displayed=True), "waived"),
        (row_of(met=True, displayed=True), "met"),
        (row_of(), "confirming"),
        (row_of(displayed=True), "clear"),
        (row_of(profile=profile_of(status="suspended")), "clear"),
        (row_of(profile=profile_of(owner="government")), "clear"),
        (row_of(followers=999), "clear"),
        (row_of(followers=-1, observed_at=0), "clear"),
        (row_of(sides=((1000, ">=", day(-2)),)), "clear"),  # the dwell is over
    ],
)
def test_the_stage_is_that_of_the_obligation_else_waived_met_confirming_clear(row, stage):
    assert shown_stage(DWELL, row, START) == stage


def test_without_a_policy_or_a_dwell_nobody_is_confirming():
    assert shown_stage(None, row_of(), START) == "clear"
    assert shown_stage(policy_of(), row_of(), START) == "clear"


def test_a_higher_phase_alone_can_be_the_one_that_is_confirming():
    policy = policy_of(phase=BOTH, confirm={"dwell_days": 2})
    row = row_of(followers=2000, sides=((1000, ">=", day(-9)), (2000, ">=", START)))
    assert shown_stage(policy, row, START) == "confirming"


# The status ----------------------------------------------------------------------------------------


def status(row, policy=DWELL):
    key, value = status_of(key_of(), policy, row, day(1), 5)
    assert key == key_of().encode()
    return msgspec.json.decode(value)


def test_a_status_says_the_count_and_the_obligation_where_there_are_any():
    quiet = {"platform": PLATFORM, "account_id": ACCOUNT, "as_of": text(day(1)), "entry": 5}
    quiet |= {"displayed": False, "measures": []}
    counted = {**quiet, "followers": 1000, "observed_at": text(START)}
    duty = {**counted, "obligation_id": "0" * 32, "phase": "p1"}
    assert status(row_of(followers=-1, observed_at=0)) == {**quiet, "stage": "clear"}
    assert status(row_of(displayed=True)) == {**counted, "stage": "clear", "displayed": True}
    for obligation in (obligation_of(), stopped("held")):
        shown = {**duty, "stage": obligation.stage, "deadline_at": text(day(10))}
        assert status(row_of(obligation=obligation)) == shown
    assert status(RESTRICTED) == {**duty, "stage": "restricted", "measures": MEASURES}


def test_an_account_that_is_not_watched_has_a_tombstone():
    assert status_of(key_of(), DWELL, None, START, 5) == (key_of().encode(), None)
