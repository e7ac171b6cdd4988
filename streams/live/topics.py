"""The topics as code: plan what differs on a broker, apply it, and ask for ids and settings.

What they must be stands in `topic_specs.py`. Administration alone goes through confluent-kafka (aiokafka
0.14 knows no topic ids); data never does.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas import topics
from schemas.errors import OperatorError, TransportError
from streams.live.access import Where
from streams.live.admin import REQUEST_S, Admin
from streams.live.remedies import called, missing
from streams.live.topic_specs import Change, Found, TopicSpec, compare, wanted

__all__ = [
    "Change",
    "Found",
    "TopicSpec",
    "apply",
    "brokers",
    "check",
    "compare",
    "delete",
    "plan",
    "plan_as_found",
    "topic_config",
    "topic_ids",
    "wanted",
]

APPLY_S = 60
"""How long new topics may take to get their leaders; on the local broker less than 1 s."""


def brokers(bootstrap: Where) -> int:
    """Return how many brokers there are.

    Raises:
        TransportError: none answers.
    """
    admin = Admin(bootstrap)
    try:
        return len(admin.list_topics(timeout=REQUEST_S).brokers)
    except KafkaException as error:
        raise admin.said_no(error) from error


def plan(bootstrap: Where, specs: Sequence[TopicSpec]) -> list[Change]:
    """Say what `apply` would do, and change nothing.

    Raises:
        OperatorError: a partition count differs.
        TransportError: no broker answers.
    """
    return compare(specs, _find(Admin(bootstrap), [spec.name for spec in specs]))


def plan_as_found(bootstrap: Where, prefix: str, otherwise: int) -> list[Change]:
    """Say what `apply` would do for as many partitions as the topics have, and change nothing.

    Args:
        bootstrap: The broker.
        prefix: Before each topic's short name.
        otherwise: How many partitions, where there is no topic yet.

    Raises:
        OperatorError: the topics do not have the same number of partitions.
        TransportError: no broker answers.
    """
    found = _find(Admin(bootstrap), [spec.name for spec in wanted(prefix, 1)])
    counts = [
        found[name].partitions
        for short in (topics.JOURNAL, *topics.ALL)
        if short != topics.BOOKS and (name := topics.full_name(short, prefix)) in found
    ]
    return compare(wanted(prefix, counts[0] if counts else otherwise), found)


def check(bootstrap: Where, prefix: str, *, with_ticks: bool) -> None:
    """See that the topics are there for a worker.

    Args:
        bootstrap: The broker.
        prefix: Before each topic's short name.
        with_ticks: Also that the broker dates what is in the clock topic (rule 20).

    Raises:
        OperatorError: a topic is missing or is not what it must be for a worker.
        TransportError: no broker answers.
    """
    changes = plan_as_found(bootstrap, prefix, 1)
    absent = [change.spec.name for change in changes if change.kind == "create"]
    if absent:
        raise OperatorError(missing(absent, bootstrap, prefix))
    clock = next(change for change in changes if change.spec.short == topics.CLOCK)
    dated = {name: now for name, now, _ in clock.settings}.get("message.timestamp.type", "LogAppendTime")
    if with_ticks and dated != "LogAppendTime":
        remedy = called(f"topics apply --partitions {clock.spec.partitions}", bootstrap, prefix)
        raise OperatorError(
            f"{clock.spec.name} is a topic of {dated}, and the time of a partition needs the broker's own clock beside "
            f"the worker's. Set it with {remedy}, then start the worker again."
        )


def apply(bootstrap: Where, specs: Sequence[TopicSpec]) -> list[Change]:
    """Make the topics what they must be, wait until all have leaders, and say what was done.

    Several processes may do it at once; what another one has made meanwhile is taken as found.

    Raises:
        OperatorError: a partition count differs (then nothing is changed), or the broker refuses.
        TransportError: no broker answers, or the topics do not get ready.
    """
    admin = Admin(bootstrap)
    done = compare(specs, _find(admin, [spec.name for spec in specs]))
    _create(admin, [change.spec for change in done if change.kind == "create"])
    _alter(admin, [change for change in done if change.kind == "alter"])
    until = time.monotonic() + APPLY_S
    while not _is_ready(admin, specs):
        if time.monotonic() > until:
            raise TransportError(
                f"The topics were made and are not ready after {APPLY_S} s. See what is missing with "
                f"{called('topics plan', bootstrap, topics.DEFAULT_PREFIX)}."
            )
        time.sleep(0.05)
    return done


def delete(bootstrap: Where, specs: Sequence[TopicSpec], group: str) -> None:
    """Delete topics and a consumer group; what is not there is fine.

    A group in which a killed member is not missed yet is left to the broker, which forgets it by itself.

    Raises:
        OperatorError: the broker refuses.
        TransportError: no broker answers.
    """
    admin = Admin(bootstrap)
    for topic in admin.delete_topics([spec.name for spec in specs], request_timeout=REQUEST_S).values():
        admin.answer(topic, KafkaError.UNKNOWN_TOPIC_OR_PART)
    for member in admin.delete_consumer_groups([group], request_timeout=REQUEST_S).values():
        admin.answer(member, KafkaError.GROUP_ID_NOT_FOUND, KafkaError.NON_EMPTY_GROUP)


def topic_ids(bootstrap: Where, names: Sequence[str]) -> dict[str, str]:
    """Return the id of each topic as Kafka's tools write it; a topic deleted and made anew has another one.

    Raises:
        OperatorError: a topic is missing.
        TransportError: no broker answers.
    """
    described = _describe(Admin(bootstrap), names)
    _check_present(names, described)
    # librdkafka writes base64 with + and /, Kafka with - and _.
    return {name: str(described[name].topic_id).replace("+", "-").replace("/", "_") for name in names}


def topic_config(bootstrap: Where, name: str) -> dict[str, str]:
    """Return the settings in force of a topic, those of its cluster included.

    Raises:
        OperatorError: the topic is missing.
        TransportError: no broker answers.
    """
    admin = Admin(bootstrap)
    found = _find(admin, [name])
    _check_present([name], found)
    return dict(found[name].config)


def _check_present(names: Sequence[str], present: Mapping[str, object]) -> None:
    absent = [name for name in names if name not in present]
    if absent:
        raise OperatorError(
            f"The broker has no topic {', '.join(absent)}. Make it with `nameplate topics apply`."
        )


def _describe(admin: Admin, names: Sequence[str]) -> dict[str, Any]:
    futures = admin.describe_topics(TopicCollection(list(names)), request_timeout=REQUEST_S)
    answers = {
        name: admin.answer(future, KafkaError.UNKNOWN_TOPIC_OR_PART, of=name)
        for name, future in futures.items()
    }
    return {name: answer for name, answer in answers.items() if answer is not None}


def _find(admin: Admin, names: Sequence[str]) -> dict[str, Found]:
    described = _describe(admin, names)
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in described]
    futures = admin.describe_configs(resources, request_timeout=REQUEST_S) if resources else {}
    found = {}
    for resource, future in futures.items():
        entries = admin.answer(future, KafkaError.UNKNOWN_TOPIC_OR_PART)
        if entries is not None:  # None: deleted between the two questions
            config = {key: entry.value for key, entry in entries.items() if entry.value is not None}
            found[resource.name] = Found(len(described[resource.name].partitions), config)
    return found


def _is_ready(admin: Admin, specs: Sequence[TopicSpec]) -> bool:
    names = [spec.name for spec in specs]
    if any(change.kind != "keep" for change in compare(specs, _find(admin, names))):
        return False
    described = _describe(admin, names).values()
    return all(partition.leader is not None for topic in described for partition in topic.partitions)


def _create(admin: Admin, specs: Sequence[TopicSpec]) -> None:
    # -1: as many copies as the cluster makes by default; how many machines there are is not ours to know.
    new = [NewTopic(spec.name, spec.partitions, -1, config=dict(spec.config)) for spec in specs]
    for future in (admin.create_topics(new, request_timeout=REQUEST_S) if new else {}).values():
        admin.answer(future, KafkaError.TOPIC_ALREADY_EXISTS)


def _alter(admin: Admin, changes: Sequence[Change]) -> None:
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            change.spec.name,
            incremental_configs=[
                ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                for key, _, value in change.settings
            ],
        )
        for change in changes
    ]
    futures = admin.incremental_alter_configs(resources, request_timeout=REQUEST_S) if resources else {}
    for future in futures.values():
        admin.answer(future)
