"""The topics as code: plan what differs on a broker, apply it, and ask for ids and settings.

What they must be stands in `topic_specs.py`. Administration alone goes through confluent-kafka (aiokafka
0.14 knows no topic ids); data never does.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.errors import OperatorError
from streams.live.topic_specs import Change, Found, TopicSpec, compare, wanted

__all__ = [
    "Change",
    "Found",
    "TopicSpec",
    "apply",
    "compare",
    "plan",
    "timestamp_type",
    "topic_config",
    "topic_ids",
    "wanted",
]

REQUEST_S = 5
"""How long one question to the broker may take; a healthy one answers in milliseconds."""
APPLY_S = 60
"""How long new topics may take to get their leaders; on the local broker less than 1 s."""


def plan(bootstrap: str, specs: Sequence[TopicSpec]) -> list[Change]:
    """Say what `apply` would do, and change nothing.

    Raises:
        OperatorError: a partition count differs, or no broker answers.
    """
    return compare(specs, _find(_admin(bootstrap), [spec.name for spec in specs]))


def apply(bootstrap: str, specs: Sequence[TopicSpec]) -> list[Change]:
    """Make the topics what they must be, wait until all have leaders, and say what was done.

    Several processes may do it at once; what another one has made meanwhile is taken as found.

    Raises:
        OperatorError: a partition count differs (then nothing is changed), the broker
            refuses, or none answers.
    """
    admin = _admin(bootstrap)
    done = compare(specs, _find(admin, [spec.name for spec in specs]))
    _create(admin, [change.spec for change in done if change.kind == "create"])
    _alter(admin, [change for change in done if change.kind == "alter"])
    until = time.monotonic() + APPLY_S
    while not _is_ready(admin, specs):
        if time.monotonic() > until:
            raise OperatorError(
                f"The topics are not ready after {APPLY_S} s. See what is missing: nameplate topics plan"
            )
        time.sleep(0.05)
    return done


def topic_ids(bootstrap: str, names: Sequence[str]) -> dict[str, str]:
    """Return the id of each topic as Kafka's tools write it; a topic deleted and made anew has another one.

    Raises:
        OperatorError: a topic is missing, or no broker answers.
    """
    described = _describe(_admin(bootstrap), names)
    _check_present(names, described)
    # librdkafka writes base64 with + and /, Kafka with - and _.
    return {name: str(described[name].topic_id).replace("+", "-").replace("/", "_") for name in names}


def topic_config(bootstrap: str, name: str) -> dict[str, str]:
    """Return the settings in force of a topic, those of its cluster included.

    Raises:
        OperatorError: the topic is missing, or no broker answers.
    """
    found = _find(_admin(bootstrap), [name])
    _check_present([name], found)
    return dict(found[name].config)


def timestamp_type(bootstrap: str, name: str) -> str:
    """Return `CreateTime` or `LogAppendTime`: who dates the records of a topic.

    Raises:
        OperatorError: the topic is missing, or no broker answers.
    """
    return topic_config(bootstrap, name)["message.timestamp.type"]


def _admin(bootstrap: str) -> AdminClient:
    # Silent: what goes wrong is said once, by the error that follows.
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "client.id": "nameplate-topics"})


def _answer(future: "Future[Any]", *fine: int) -> Any:
    try:
        return future.result()
    except KafkaException as error:
        if error.args[0].code() in fine:
            return None
        raise _said_no(error) from error


def _said_no(error: KafkaException) -> OperatorError:
    cause = error.args[0]
    if cause.code() < 0:  # librdkafka's own: nobody was reached
        return OperatorError(
            f"No Kafka broker answered within {REQUEST_S} s ({cause.str()}). Start a local one, or name yours"
            " with --bootstrap HOST:PORT: nameplate broker up"
        )
    return OperatorError(f"The broker refused: {cause.str()}. See what is asked of it: nameplate topics plan")


def _check_present(names: Iterable[str], present: Mapping[str, object]) -> None:
    missing = [name for name in names if name not in present]
    if missing:
        raise OperatorError(f"The broker has no topic {', '.join(missing)}. Make it: nameplate topics apply")


def _describe(admin: AdminClient, names: Sequence[str]) -> dict[str, Any]:
    futures = admin.describe_topics(TopicCollection(list(names)), request_timeout=REQUEST_S)
    answers = {name: _answer(future, KafkaError.UNKNOWN_TOPIC_OR_PART) for name, future in futures.items()}
    return {name: answer for name, answer in answers.items() if answer is not None}


def _find(admin: AdminClient, names: Sequence[str]) -> dict[str, Found]:
    described = _describe(admin, names)
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in described]
    futures = admin.describe_configs(resources, request_timeout=REQUEST_S) if resources else {}
    found = {}
    for resource, future in futures.items():
        entries = _answer(future, KafkaError.UNKNOWN_TOPIC_OR_PART)
        if entries is not None:  # None: deleted between the two questions
            config = {key: entry.value for key, entry in entries.items() if entry.value is not None}
            found[resource.name] = Found(len(described[resource.name].partitions), config)
    return found


def _is_ready(admin: AdminClient, specs: Sequence[TopicSpec]) -> bool:
    names = [spec.name for spec in specs]
    if any(change.kind != "keep" for change in compare(specs, _find(admin, names))):
        return False
    described = _describe(admin, names).values()
    return all(partition.leader is not None for topic in described for partition in topic.partitions)


def _create(admin: AdminClient, specs: Sequence[TopicSpec]) -> None:
    # -1: as many copies as the cluster makes by default; how many machines there are is not ours to know.
    new = [NewTopic(spec.name, spec.partitions, -1, config=dict(spec.config)) for spec in specs]
    for future in (admin.create_topics(new, request_timeout=REQUEST_S) if new else {}).values():
        _answer(future, KafkaError.TOPIC_ALREADY_EXISTS)


def _alter(admin: AdminClient, changes: Sequence[Change]) -> None:
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
        _answer(future)
