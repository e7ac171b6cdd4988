"""No name can enter a running worker either: in every field, key and header, of every input, and nothing leaves.

What is sent is that of tests/test_canaries.py: a name in every place of every kind of input, thousands of records.
"""

import json
import re
import signal
import time
import urllib.request

import pytest
from confluent_kafka import Producer
from harness import Cluster, eventually, nameplate
from test_canaries import CANARIES, PLATFORM, VALUES, poisons, refusal, traces

from schemas import topics
from schemas.instant import text
from schemas.wire import canonical
from streams.live.topic_specs import MIB

pytestmark = pytest.mark.broker

PARTITIONS = 2
HEADERS = [
    (name, value)
    for one in CANARIES.values()
    for name, value in ((one, one.encode()), ("name", one.encode()))
]


@pytest.fixture
def cluster(broker, prefix, tmp_path, monkeypatch):
    monkeypatch.setenv("NAMEPLATE_LOG", "DEBUG")  # nobody can make a worker say more than this
    made = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield made
    made.close()


def good(account, now):
    """Return a count that begins a duty, so that there is something to say."""
    value = {"event_id": "good", "platform": PLATFORM, "account_id": account, "followers": 5_000_000}
    return topics.COUNTS, canonical({**value, "observed_at": text(now)}), f"{PLATFORM}:{account}"


def send(cluster, records):
    """Send records with a name in each header; return how many."""
    refused = []
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "message.max.bytes": 2 * MIB})
    number = 0
    for number, (topic, value, key) in enumerate(records, 1):
        partition = 0 if topic == topics.BOOKS else number % PARTITIONS
        producer.produce(
            topics.full_name(topic, cluster.prefix),
            value,
            key.encode() if key is not None else None,
            partition=partition,
            headers=HEADERS,
            on_delivery=lambda error, _: refused.append(error) if error else None,
        )
        producer.poll(0)
    producer.flush(60)
    assert refused == []
    return number


def everything_that_left(cluster, worker):
    """Yield what stands in each topic that is no input: keys, values, headers; and what the worker said."""
    names = [topics.full_name(topic, cluster.prefix) for topic in topics.ALL if topic not in topics.INPUTS]
    for name in (*names, f"{cluster.prefix}rows-changelog"):
        for records in cluster.read_named(name).values():
            for record in records:
                yield from (record.key or b"", record.value or b"")
                yield from (
                    part or b"" for header, value in record.headers for part in (header.encode(), value)
                )
    yield worker.log_file.read_bytes()


def has_book(entries):
    """Whether a partition has adopted a book and has a time: before, records decide nothing."""
    content = json.loads(entries[-1].value)["content"] if entries else {}
    return content.get("book") is not None and content.get("T") is not None


def test_no_name_in_any_field_key_or_header_leaves_a_worker(cluster, tmp_path):
    now = time.time_ns() // 1000
    book = (topics.BOOKS, canonical(VALUES[-1][1]), None)
    bad = [
        (one.topic, one.value, one.key)
        for canary in CANARIES.values()
        for one in poisons(canary)
        if len(one.value) < MIB and refusal(one) is not None
    ]
    worker = cluster.worker("--metrics-port", "0")
    worker.wait_owned(*range(PARTITIONS))
    send(cluster, [book])
    eventually(
        lambda: all(map(has_book, cluster.read(topics.JOURNAL).values())), "all have a book and a time"
    )
    sent = send(
        cluster, [good("acc-1", now), good("acc-2", now), *bad, good("acc-3", now), good("acc-4", now)]
    )
    assert sent > 3000
    eventually(cluster.has_journaled_all, "all of it is journaled", 150)
    eventually(lambda: len(cluster.records(topics.DEAD_LETTERS)) > 3000, "that of clock and books, too")
    port = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", worker.log)[1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        metrics = answer.read()
    assert b"nameplate_dead_letters_total" in metrics
    worker.send(signal.SIGTERM)
    worker.wait_exit()
    journal = cluster.export()
    said = nameplate("verify", journal)
    said += nameplate("explain", f"{PLATFORM}:acc-1", "--journal", journal)
    said += nameplate("doctor", "--bootstrap", cluster.bootstrap, "--prefix", cluster.prefix, expect=2)
    left = list(everything_that_left(cluster, worker))
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    told = {record.key for record in cluster.records(topics.DISCLOSURE)}
    assert told == {f"{PLATFORM}:acc-{number}".encode() for number in (1, 2, 3, 4)}
    assert traces(*left, *files, metrics, said) == []
