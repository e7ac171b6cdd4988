"""A broker that lets nobody in without TLS, a password and a right: each role, each topic, each operation, tried."""

import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from guarded import ROOT, Guarded
from harness import ROOT as SOURCE
from harness import eventually, nameplate

from schemas import topics as names
from schemas.errors import OperatorError, TransportError
from streams.live import acls, topics
from streams.live.access import Access, read_access
from streams.live.acls import rights
from streams.live.topic_specs import wanted

pytestmark = pytest.mark.broker

ROLES = ("admin", "policy", "worker", "producer", "consumer", "auditor")
PRINCIPALS = (*ROLES, "stranger")
NEARLY = {
    "no-group": ("read", "life.nameplate"),
    "no-journal": ("write", "life.journal.v1"),
    "no-facts": ("read", "life.account-facts.v1"),
}
"""Workers who lack one right."""
GRANTS = [word for role in ROLES for word in ("--grant", f"{role}=User:{role}")]

# d: describe, r: read, w: write, a: alter its settings, x: delete
TABLE = """
                     admin  policy  worker  producer  consumer  auditor  stranger
follower-counts      da     -       dr      dw        -         dr       -
account-facts        da     -       dr      dw        -         dr       -
clock                da     -       drw     -         -         dr       -
policy-book          da     dw      dr      -         -         dr       -
disclosure-required  da     -       drw     -         dr        dr       -
grace-periods        da     -       drw     -         dr        dr       -
restrictions         da     -       drw     -         dr        dr       -
journal              da     -       drw     -         -         dr       -
account-status       da     -       drw     -         dr        dr       -
dead-letters         da     -       drw     -         -         dr       -
rows-changelog       da     -       drw     -         -         -        -
"""
DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
REQUEST = {"request_timeout": 10}


def cells():
    """Yield who, which topic, and what is allowed, as the table says."""
    head, *rows = TABLE.strip().splitlines()
    for row in rows:
        topic, *allowed = row.split()
        for who, letters in zip(head.split(), allowed, strict=True):
            yield who, topic, letters.replace("-", "")


@pytest.fixture(scope="module")
def guarded(broker, tmp_path_factory):
    del broker  # asked for only because then there is a Java here
    it = Guarded(tmp_path_factory.mktemp("guarded"), *PRINCIPALS, *NEARLY)
    try:
        it.up()
        yield it
    finally:
        it.down()


@pytest.fixture(scope="module")
def table(guarded):
    """Topics with one record each, and the rights of every role on them."""
    specs = {spec.short: spec for spec in wanted("table.", 1)}
    topics.apply(guarded.access(ROOT), list(specs.values()))
    nameplate("topics", "acls", "apply", *GRANTS, *guarded.words(ROOT), "--prefix", "table.")
    wrote = {}
    producer = Producer({**guarded.access(ROOT).confluent(), "log_level": 0})
    for spec in specs.values():
        key = None if specs.get("cleanup.policy") else b"k"
        producer.produce(
            spec.name, b"one", key, on_delivery=lambda error, at: wrote.update({at.topic(): error})
        )
    producer.flush(30)
    assert set(wrote.values()) == {None}
    return specs


def is_allowed(future):
    error = future.exception()
    assert error is None or error.args[0].code() in DENIED, error
    return error is None


def client(guarded, who, made, **more):
    return made({**guarded.access(who).confluent(), "log_level": 0, **more})


def described(guarded, who, specs):
    admin = client(guarded, who, AdminClient)
    futures = admin.describe_topics(TopicCollection([spec.name for spec in specs.values()]), **REQUEST)
    return {short for short, spec in specs.items() if is_allowed(futures[spec.name])}


def altered(guarded, who, specs):
    def same(spec):
        (name, value), *_ = spec.config.items()
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        return ConfigResource(ResourceType.TOPIC, spec.name, incremental_configs=[entry])

    admin = client(guarded, who, AdminClient)
    futures = admin.incremental_alter_configs([same(spec) for spec in specs.values()], **REQUEST)
    allowed = {resource.name for resource, future in futures.items() if is_allowed(future)}
    return {short for short, spec in specs.items() if spec.name in allowed}


def deleted(guarded, who, specs):
    admin = client(guarded, who, AdminClient)
    futures = admin.delete_topics([spec.name for spec in specs.values()], **REQUEST)
    return {short for short, spec in specs.items() if is_allowed(futures[spec.name])}


def written(guarded, who, specs):
    told = {}
    producer = client(guarded, who, Producer)
    for spec in specs.values():
        producer.produce(
            spec.name,
            b"two",
            b"k",
            partition=0,
            on_delivery=lambda error, at: told.update({at.topic(): error}),
        )
    producer.flush(30)
    assert len(told) == len(specs)
    assert {error.code() for error in told.values() if error is not None} <= DENIED
    return {short for short, spec in specs.items() if told[spec.name] is None}


def read(guarded, who, specs):
    consumer = client(guarded, who, Consumer, **{"group.id": "none", "enable.auto.commit": False})
    told = {
        name: consumer.list_topics(name, 10).topics[name].error
        for name in (one.name for one in specs.values())
    }
    seen = [
        name for name, error in told.items() if error is None
    ]  # of the others nobody learns where they are
    told = {name: error for name, error in told.items() if error is not None}
    consumer.assign([TopicPartition(name, 0, 0) for name in seen])

    def all_told():
        message = consumer.poll(0.5)
        if message is not None and message.topic() is not None:
            told[message.topic()] = message.error()
        return len(told) == len(specs)

    try:
        eventually(all_told, "a record or a refusal of every topic")
    finally:
        consumer.close()
    assert {error.code() for error in told.values() if error is not None} <= DENIED
    return {short for short, spec in specs.items() if told[spec.name] is None}


@pytest.mark.parametrize("who", PRINCIPALS)
def test_each_may_do_with_each_topic_what_the_table_says(guarded, table, who):
    tries = {"d": described, "r": read, "w": written, "a": altered, "x": deleted}
    found = {letter: attempt(guarded, who, table) for letter, attempt in tries.items()}
    assert {short: {letter for letter in tries if short in found[letter]} for short in table} == {
        topic: set(letters) for one, topic, letters in cells() if one == who
    }


def test_the_table_has_every_topic_and_everybody():
    assert {topic for _, topic, _ in cells()} == {spec.short for spec in wanted("table.", 1)}
    assert {who for who, _, _ in cells()} == set(PRINCIPALS)


def joins(guarded, who, group, topic):
    """Whether somebody may be a member of a group."""
    consumer = client(guarded, who, Consumer, **{"group.id": group, "session.timeout.ms": 6000})
    given = []
    consumer.subscribe([topic], on_assign=lambda _, places: given.append(places))
    refused = []

    def told():
        message = consumer.poll(0.2)
        if message is not None and message.error() is not None:
            refused.append(message.error().code())
        return given or refused

    try:
        eventually(told, f"{who} is in {group} or refused")
    finally:
        consumer.close()
    assert set(refused) <= DENIED
    return bool(given)


@pytest.mark.parametrize("who", ["worker", "consumer", "auditor", "stranger"])
def test_only_workers_join_the_group_of_workers_and_only_consumers_that_of_consumers(guarded, table, who):
    topic = table[names.DISCLOSURE].name
    assert joins(guarded, who, "table.nameplate", topic) == (who == "worker")
    assert joins(guarded, who, "effects", topic) == (who == "consumer")


def test_nobody_gives_rights_but_who_may(guarded, table):
    said = nameplate(
        "topics", "acls", "apply", *GRANTS, *guarded.words("worker"), "--prefix", "table.", expect=2
    )
    assert "refused: Cluster authorization failed" in said
    assert "nameplate topics acls" in said


def test_a_plan_shows_what_is_given_what_lacks_and_who_has_more(guarded, table):
    asked = [*guarded.words(ROOT), "--prefix", "table.", "--format", "json"]
    rows = json.loads(nameplate("topics", "acls", "plan", "--grant", "worker=User:worker", *asked))
    assert {row["change"] for row in rows if row["principal"] == "User:worker"} == {"keep"}
    others = {row["principal"] for row in rows if row["change"] == "other"}
    assert others == {f"User:{role}" for role in ROLES if role != "worker"}
    rows = json.loads(nameplate("topics", "acls", "plan", "--grant", "producer=User:another", *asked))
    lacks = {(row["may"], row["name"]) for row in rows if row["change"] == "create"}
    assert lacks == {("write", f"table.{short}.v1") for short in (names.COUNTS, names.FACTS)}


# Coming in -------------------------------------------------------------------------------------------


def test_nobody_comes_in_without_the_right_password_the_right_authority_and_tls(guarded):
    stranger_ca = guarded.client_config("auditor", ssl_ca_location=str(guarded.directory / "stranger-ca.pem"))
    refused = {
        "no user": guarded.client_config("nobody"),
        "another authority": stranger_ca.rename(guarded.directory / "other.properties"),
        "no TLS": None,
    }
    for why, file in refused.items():
        with pytest.raises(TransportError, match="Somebody listens there") as error:
            topics.plan(read_access(guarded.address, file, insecure=False), wanted("nameplate.", 1))
        assert {
            "no user": "Authentication failed",
            "another authority": "certificate verify failed",
            "no TLS": "not within 5 s",
        }[why] in str(error.value)
        words = ["--bootstrap", guarded.address, *(["--client-config", file] if file else [])]
        assert "Somebody listens there" in nameplate("verify", *words, expect=2)
    guarded.client_config("auditor")


def test_the_name_of_the_host_is_checked_by_both_libraries(guarded):
    """`localhost` is the very broker, and its certificate is of 127.0.0.1 alone."""
    address = guarded.address.replace("127.0.0.1", "localhost")
    file = guarded.client_config("auditor")
    with pytest.raises(TransportError, match=r"verify|handshake|not within"):
        topics.plan(Access(address, guarded.access("auditor").settings, file), wanted("nameplate.", 1))
    said = nameplate("verify", "--bootstrap", address, "--client-config", file, expect=2)
    assert "No Kafka broker answers" in said
    nameplate("topics", "plan", *guarded.words(ROOT))


# A whole life ----------------------------------------------------------------------------------------

LINES = [
    {
        "topic": names.COUNTS,
        "value": {
            "event_id": f"c{number}",
            "platform": "bilibili",
            "account_id": account,
            "followers": followers,
            "observed_at": f"2023-11-0{number}T02:00:00Z",
        },
    }
    for number, account, followers in (
        (1, "acct-7f3a", 1_203_000),
        (2, "acct-91bc", 998_000),
        (3, "acct-91bc", 1_000_000),
    )
]


def give_all_but(guarded, who, operation, name):
    """Give somebody the rights of a worker but for one."""
    needed = rights([("worker", f"User:{who}")], "life.", group="life.nameplate", consumer_group="effects")
    given = [(role, acl) for role, acl in needed if (acl.operation, acl.name) != (operation, name)]
    assert len(given) == len(needed) - 1
    acls.apply(guarded.access(ROOT), given, "life.")


def test_each_does_its_part_with_its_own_rights_and_the_audit_agrees(guarded, tmp_path):
    prefix = ["--prefix", "life."]
    inputs = tmp_path / "first.jsonl"
    inputs.write_text("".join(json.dumps(line) + "\n" for line in LINES), "utf-8")

    def by(who, *words, expect=0):
        return nameplate(*words, *guarded.words(who), *prefix, expect=expect)

    assert "refused: nobody allowed us life." in by("worker", "worker", expect=2)
    by(ROOT, "topics", "acls", "apply", *GRANTS)
    by("admin", "topics", "apply", "--partitions", "2")
    by("policy", "policy", "publish")
    by("producer", "publish", inputs)
    for who in ("consumer", "auditor", "stranger"):
        assert "refused" in by(who, "publish", inputs, expect=2)
    for who, lacks in NEARLY.items():
        give_all_but(guarded, who, *lacks)
        said = by(who, "worker", "--time", "records", "--stop-at-end", expect=2)
        assert "refused: nobody allowed us" in said, said
        assert lacks[1] in said, said
    told = {**os.environ, "NAMEPLATE_LOG": "DEBUG"}
    call = [
        sys.executable,
        "-m",
        "streams.cli",
        "worker",
        *guarded.words("worker"),
        *prefix,
        "--time",
        "records",
    ]
    call += ["--until", "2023-11-20T00:00:00Z", "--stop-at-end"]
    done = subprocess.run(call, cwd=SOURCE, env=told, capture_output=True, timeout=120, check=False)
    log = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, log[-3000:]
    assert "DEBUG" in log
    assert not [name for name, password in guarded.passwords.items() if password in log]
    said = by("auditor", "verify")
    assert "decisions" in said
    by("auditor", "explain", "bilibili:acct-7f3a")
    with pytest.raises(AssertionError, match=r"refused: nobody allowed us life\.journal\.v1"):
        by("consumer", "verify")
    consumer = client(
        guarded, "consumer", Consumer, **{"group.id": "effects", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["life.restrictions.v1"])
    found = []
    try:

        def restricted():
            message = consumer.poll(0.5)
            found.extend([] if message is None or message.error() else [json.loads(message.value())])
            return {one["account_id"] for one in found} == {"acct-7f3a", "acct-91bc"}

        eventually(restricted, "both are restricted")
    finally:
        consumer.close()


def test_an_entry_of_somebody_else_never_enters_the_journal(guarded, table):
    """The right to write the journal is the workers' alone; see the table. What one does who gets it all the same:
    tests/live/test_forged.py."""
    with suppress(OperatorError):
        assert names.JOURNAL not in written(guarded, "producer", {names.JOURNAL: table[names.JOURNAL]})
