"""The topics as code, on paper and on a real broker."""

import socket
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka.admin import AdminClient

from schemas import topics as names
from schemas.errors import OperatorError, TransportError
from streams.broker.local import Broker
from streams.live import admin, topics
from streams.live.topic_specs import MIB

SPECS = {spec.short: spec for spec in topics.wanted("nameplate.", 4)}


def test_every_topic_of_the_contract_is_wanted_under_its_name() -> None:
    assert {spec.name for spec in SPECS.values()} == {
        *(names.full_name(short) for short in names.ALL),
        "nameplate.rows-changelog",
    }
    assert all(spec.why.endswith(".") for spec in SPECS.values())


def test_only_the_policy_book_has_one_partition() -> None:
    assert {short for short, spec in SPECS.items() if spec.partitions != 4} == {names.BOOKS}
    assert SPECS[names.BOOKS].partitions == 1


def test_the_broker_dates_the_clock() -> None:
    assert SPECS[names.CLOCK].config["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize("short", [names.JOURNAL, names.BOOKS])
def test_what_is_kept_whole_is_neither_deleted_nor_compacted(short: str) -> None:
    config = SPECS[short].config
    assert (config["cleanup.policy"], config["retention.ms"], config["retention.bytes"]) == (
        "delete",
        "-1",
        "-1",
    )


@pytest.mark.parametrize("short", [names.STATUS, "rows-changelog"])
def test_what_has_one_value_a_key_is_compacted(short: str) -> None:
    assert SPECS[short].config["cleanup.policy"] == "compact"


def test_retention_goes_by_arrival_not_by_the_sender_s_clock() -> None:
    by_time = [spec for spec in SPECS.values() if int(spec.config.get("retention.ms", -1)) > 0]
    assert len(by_time) == 7
    assert {spec.config["message.timestamp.type"] for spec in by_time} == {"LogAppendTime"}


def test_the_changelog_may_have_the_name_that_faust_gives_it() -> None:
    assert topics.wanted("a.", 1, changelog="app-rows-changelog")[-1].name == "app-rows-changelog"


@pytest.mark.parametrize(
    ("prefix", "partitions"), [("nameplate.", 0), ("name plate.", 1), ("п.", 1), ("a" * 201, 1)]
)
def test_what_kafka_would_refuse_is_refused_before(prefix: str, partitions: int) -> None:
    with pytest.raises(OperatorError, match="nameplate topics plan"):
        topics.wanted(prefix, partitions)


def test_a_setting_that_differs_is_changed_and_one_that_is_not_ours_is_left() -> None:
    spec = SPECS[names.JOURNAL]
    has = topics.Found(4, {**spec.config, "retention.ms": "1", "preallocate": "true"})
    assert topics.compare([spec], {spec.name: has}) == [
        topics.Change("alter", spec, (("retention.ms", "1", "-1"),))
    ]


def test_a_changed_partition_count_is_refused_with_both_counts_and_the_remedy() -> None:
    spec = SPECS[names.JOURNAL]
    with pytest.raises(OperatorError) as caught:
        topics.compare([spec], {spec.name: topics.Found(3, spec.config)})
    assert str(caught.value) == (
        "The partition count of a journaled stream can never change: nameplate.journal.v1 has 3 partitions,"
        " not 4. Nothing was changed. Ask for the count that is there with --partitions, or start a"
        " new stream under another prefix with `nameplate topics apply --prefix PREFIX`."
    )


def test_a_broker_that_does_not_answer_is_another_machine_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (admin, topics):
        monkeypatch.setattr(module, "REQUEST_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(
            TransportError, match=r"No Kafka broker answers .*not within 0\.5 s.*--client-config FILE"
        ):
            topics.plan(f"127.0.0.1:{port}", tuple(SPECS.values()))
    with pytest.raises(TransportError, match=r"connection refused.*`nameplate broker up`"):
        topics.plan(f"127.0.0.1:{port}", tuple(SPECS.values()))


@pytest.mark.broker
def test_a_plan_changes_nothing_and_after_apply_there_is_nothing_to_do(broker: Broker, prefix: str) -> None:
    specs = topics.wanted(prefix, 2)
    for _ in range(2):
        assert {change.kind for change in topics.plan(broker.bootstrap, specs)} == {"create"}
    assert {change.kind for change in topics.apply(broker.bootstrap, specs)} == {"create"}
    assert {change.kind for change in topics.plan(broker.bootstrap, specs)} == {"keep"}
    assert {change.kind for change in topics.apply(broker.bootstrap, specs)} == {"keep"}


@pytest.mark.broker
def test_a_setting_is_changed_in_place(broker: Broker, prefix: str) -> None:
    specs = topics.wanted(prefix, 1)
    topics.apply(broker.bootstrap, specs)
    spec = next(spec for spec in specs if spec.short == names.DEAD_LETTERS)
    longer = replace(spec, config={**spec.config, "retention.ms": "99"})
    changes = topics.apply(broker.bootstrap, [longer])
    assert [change.settings for change in changes] == [(("retention.ms", spec.config["retention.ms"], "99"),)]
    config = topics.topic_config(broker.bootstrap, spec.name)
    assert (config["retention.ms"], config["segment.ms"]) == ("99", spec.config["segment.ms"])


@pytest.mark.broker
def test_a_partition_count_is_never_changed(broker: Broker, prefix: str) -> None:
    topics.apply(broker.bootstrap, topics.wanted(prefix, 2))
    for act in (topics.plan, topics.apply):
        with pytest.raises(OperatorError, match="has 2 partitions, not 3"):
            act(broker.bootstrap, topics.wanted(prefix, 3))
    assert {change.kind for change in topics.plan(broker.bootstrap, topics.wanted(prefix, 2))} == {"keep"}


@pytest.mark.broker
def test_a_worker_in_wall_time_needs_a_clock_that_the_broker_dates(broker: Broker, prefix: str) -> None:
    specs = topics.wanted(prefix, 3)
    topics.apply(broker.bootstrap, specs)
    topics.check(broker.bootstrap, prefix, with_ticks=True)
    clock = next(spec for spec in specs if spec.short == names.CLOCK)
    dated_by_writers = {**clock.config, "message.timestamp.type": "CreateTime"}
    topics.apply(broker.bootstrap, [replace(clock, config=dated_by_writers)])
    topics.check(broker.bootstrap, prefix, with_ticks=False)
    remedy = f"`nameplate topics apply --partitions 3 --bootstrap {broker.bootstrap} --prefix {prefix}`"
    with pytest.raises(OperatorError, match=remedy):
        topics.check(broker.bootstrap, prefix, with_ticks=True)


@pytest.mark.broker
def test_topics_are_planned_for_the_partitions_that_are_there(broker: Broker, prefix: str) -> None:
    assert {change.spec.partitions for change in topics.plan_as_found(broker.bootstrap, prefix, 5)} == {1, 5}
    specs = topics.wanted(prefix, 3)
    topics.apply(broker.bootstrap, [spec for spec in specs if spec.short == names.GRACE])
    changes = topics.plan_as_found(broker.bootstrap, prefix, 5)
    assert {change.spec.partitions for change in changes} == {1, 3}
    assert [change.spec.short for change in changes if change.kind == "keep"] == [names.GRACE]


@pytest.mark.broker
def test_a_topic_that_was_deleted_and_made_anew_has_another_id(broker: Broker, prefix: str) -> None:
    specs = [spec for spec in topics.wanted(prefix, 1) if spec.short == names.COUNTS]
    name = specs[0].name
    topics.apply(broker.bootstrap, specs)
    before = topics.topic_ids(broker.bootstrap, [name])
    assert topics.topic_ids(broker.bootstrap, [name]) == before
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    admin.delete_topics([name])[name].result()
    _apply_once_gone(broker, specs)
    after = topics.topic_ids(broker.bootstrap, [name])
    assert after.keys() == before.keys()
    assert after != before


@pytest.mark.broker
def test_a_missing_topic_has_neither_id_nor_settings(broker: Broker, prefix: str) -> None:
    with pytest.raises(OperatorError, match=f"no topic {prefix}clock.v1. Make it with `nameplate"):
        topics.topic_ids(broker.bootstrap, [f"{prefix}clock.v1"])
    with pytest.raises(OperatorError, match="nameplate topics apply"):
        topics.topic_config(broker.bootstrap, f"{prefix}clock.v1")


@pytest.mark.broker
async def test_a_record_far_over_the_limit_arrives_so_that_it_can_be_a_dead_letter(
    broker: Broker, prefix: str
) -> None:
    topics.apply(broker.bootstrap, topics.wanted(prefix, 1))
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=4 * MIB)
    await producer.start()
    try:
        for short, size in {names.COUNTS: 1_000_000, names.FACTS: MIB, names.BOOKS: MIB + 1000}.items():
            sent = await producer.send_and_wait(
                f"{prefix}{short}.v1", bytes(size), key=b"weibo:abc", partition=0
            )
            assert sent.offset == 0
    finally:
        await producer.stop()


def _apply_once_gone(broker: Broker, specs: list[topics.TopicSpec]) -> None:
    while True:
        if topics.apply(broker.bootstrap, specs)[0].kind == "create":
            return
