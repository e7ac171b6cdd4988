"""The consumers of examples/ on a real broker: copies of every age, kills inside a transaction, holes."""

import ast
import json
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient
from harness import PATIENCE_S, ROOT, Cluster, eventually, without_copies
from stories import count, displayed, fact, instant, lines_of, write_book

from schemas import topics

EXAMPLES = ("consume_aiokafka.py", "consume_confluent.py")
PARTITIONS = 2
ACCOUNTS = [f"acc-{number:02}" for number in range(50)]
COPIES = 10
"""Injected after each chapter, per topic and partition."""

pytestmark = pytest.mark.broker


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield it
    it.close()


@pytest.fixture(params=EXAMPLES)
def example(request, cluster):
    it = Example(cluster, request.param)
    yield it
    it.close()


class Example:
    """One of the example's processes after the other, on one database."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.path = cluster.directory / "effects.sqlite"
        self.log_file = cluster.directory / "consumer.log"
        self.log_handle = self.log_file.open("w")
        self.process = None

    def start(self):
        where = ("--bootstrap", self.cluster.bootstrap, "--prefix", self.cluster.prefix)
        more = ("--group", f"{self.cluster.prefix}effects", "--database", self.path)
        call = [sys.executable, ROOT / "examples" / self.name, *where, *more]
        self.process = subprocess.Popen(call, stderr=self.log_handle)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def close(self):
        self.kill()
        self.log_handle.close()

    def wait_exit(self, code):
        found = self.process.wait(PATIENCE_S)
        assert found == code, f"exit {found}, expected {code}:\n{self.log_file.read_text()}"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.wait_exit(0)

    def sql(self, *call, timeout=PATIENCE_S):
        with closing(sqlite3.connect(self.path, timeout=timeout)) as db, db:
            return db.execute(*call).fetchall()

    def done(self):
        """Return what took effect, by place, in the order in which it did."""
        found = {}
        for topic, partition, seq, id_ in self.sql(
            "SELECT topic, partition, seq, id FROM effects ORDER BY rowid"
        ):
            found.setdefault((topic, partition), []).append((seq, id_))
        return found

    def wait_done(self, number):
        def is_done():
            assert len(self.sql("SELECT 1 FROM effects")) <= number, "one was done twice"
            return len(self.sql("SELECT 1 FROM effects")) == number

        eventually(is_done, f"{number} effects:\n{self.log_file.read_text()}")

    def wait_tables(self):
        made = "SELECT count(*) FROM sqlite_master WHERE name IN ('due', 'effects')"
        eventually(lambda: self.path.exists() and self.sql(made) == [(2,)], "the tables are made")

    def hang_at(self, number, table):
        """Let one transaction not come to its end, once it has written into one of its two tables."""
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
        self.sql(f"CREATE VIEW endless AS {numbers}")
        reached = f"(SELECT count(*) FROM effects) = {number}"  # noqa: S608
        hang = "BEGIN SELECT count(*) FROM endless; END"
        self.sql(f"CREATE TRIGGER hang AFTER INSERT ON {table} WHEN {reached} {hang}")

    def hangs(self):
        try:
            self.sql("BEGIN IMMEDIATE", timeout=0.5)
        except sqlite3.OperationalError as error:
            return "locked" in str(error)

    def kill_where_it_hangs(self, number):
        self.wait_done(number - 1)
        eventually(self.hangs, "a transaction stays open")
        assert self.process.poll() is None
        self.kill()
        self.sql("DROP TRIGGER hang")
        self.sql("DROP VIEW endless")


class Story:
    """A real worker that decides in chapters."""

    def __init__(self, cluster):
        self.cluster = cluster
        book = write_book(cluster.directory / "book")
        (policy,) = book.iterdir()
        policy.write_text(policy.read_text().replace("[measures]", '[measures]\non_decline = "at-once"'))
        cluster.publish_book(book)
        self.worker = cluster.worker()

    def chapters(self):
        """Yield after each chapter; all of its outputs are in their topics by then."""
        now = instant(datetime.now(UTC))
        told = [count(account, 2_000_000, now) for account in ACCOUNTS]
        some_decline = [fact(account, "answer-given", now, answer="decline") for account in ACCOUNTS[::2]]
        all_comply = [displayed(account, now) for account in ACCOUNTS]
        all_hide = [displayed(account, instant(datetime.now(UTC)), False, "e2") for account in ACCOUNTS]
        expected = 0
        for records, outputs in ((told, 100), (some_decline, 50), (all_comply, 100), (all_hide, 100)):
            self.cluster.publish_lines(lines_of(records))
            expected += outputs
            eventually(lambda: self.written() >= expected, f"{expected} outputs")  # noqa: B023
            yield expected

    def written(self):
        return sum(len(values) for found in self.cluster.outputs().values() for values in found.values())

    def end(self):
        self.worker.send(signal.SIGTERM)
        self.worker.wait_exit()


def append(cluster, records):
    """Write records at the ends of their partitions, as they are."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all"})
    for topic, partition, key, value, headers in records:
        producer.produce(topic, value, key, partition, headers=headers)
    assert producer.flush(PATIENCE_S) == 0


def inject_copies(cluster, rng):
    """Append records again that were there before, old ones and new ones."""
    chosen = [
        rng.choice(records)
        for topic in topics.OUTPUTS
        for records in cluster.read(topic).values()
        if records
        for _ in range(COPIES)
    ]
    append(cluster, [(r.topic, r.partition, r.key, r.value, list(r.headers)) for r in chosen])


def places(cluster):
    """Return by place what is to take effect, in order."""
    found = {}
    for short, partitions in cluster.outputs().items():
        for partition, values in partitions.items():
            said = map(json.loads, values)
            found[topics.full_name(short, cluster.prefix), partition] = [(v["seq"], v["id"]) for v in said]
    return {place: said for place, said in found.items() if said}


def copies_before_new_ones(cluster):
    """Return how many copies stand before a record that is none."""
    found = 0
    for topic in topics.OUTPUTS:
        for records in cluster.read(topic).values():
            seqs = [json.loads(record.value)["seq"] for record in records]
            newest = seqs.index(max(seqs))
            found += newest - len(set(seqs[:newest]))
    return found


def test_each_output_takes_effect_once_and_in_order(cluster, example):
    rng = random.Random(1)
    story = Story(cluster)
    example.start()
    example.wait_tables()
    example.hang_at(30, "effects")
    for number, expected in enumerate(story.chapters()):
        inject_copies(cluster, rng)
        if number == 0:
            example.kill_where_it_hangs(30)
            example.start()
        if number == 2:
            example.wait_done(expected)
            example.hang_at(290, "due")
    example.kill_where_it_hangs(290)
    example.start()
    example.wait_done(350)
    story.end()
    example.stop()
    assert copies_before_new_ones(cluster) > COPIES * PARTITIONS * len(topics.OUTPUTS)
    assert example.done() == places(cluster)


def test_two_at_once_do_not_do_anything_twice(cluster, example):
    rng = random.Random(2)
    story = Story(cluster)
    other = Example(cluster, example.name)
    try:
        example.start()
        other.start()
        for expected in story.chapters():
            inject_copies(cluster, rng)
            if expected == 150:
                example.wait_done(expected)
                other.kill()
        example.wait_done(350)
        example.stop()
    finally:
        other.close()
    story.end()
    assert example.done() == places(cluster)


def test_a_gap_is_told_and_nothing_behind_it_is_done(cluster, example):
    story = Story(cluster)
    next(story.chapters())
    story.end()
    whole = places(cluster)
    place, said = max(whole.items(), key=lambda item: len(item[1]))
    short = topics.DISCLOSURE if place[0].endswith("disclosure-required.v1") else topics.GRACE
    last = cluster.read(short)[place[1]][-1]
    ahead = json.loads(last.value) | {"seq": len(said) + 3, "id": "f" * 32}
    append(cluster, [(*place, last.key, json.dumps(ahead).encode(), list(last.headers))])
    for _ in range(2):  # to start it again does not help
        example.start()
        example.wait_exit(1)
    told = example.log_file.read_text()
    assert f"GAP in {place[0]}, partition {place[1]}: seq {len(said)} is due" in told
    assert f"set `due.seq` to {ahead['seq']}" in told
    assert example.done()[place] == said
    example.sql("UPDATE due SET seq = ? WHERE topic = ? AND partition = ?", (ahead["seq"], *place))
    example.start()
    example.wait_done(sum(map(len, whole.values())) + 1)
    example.stop()
    assert example.done() == {**whole, place: [*said, (ahead["seq"], ahead["id"])]}


def test_what_was_deleted_before_it_was_read_is_a_gap(cluster, example):
    story = Story(cluster)
    chapters = story.chapters()
    example.start()
    example.wait_done(next(chapters))
    example.stop()
    expected = [*chapters][-1]
    story.end()
    name = topics.full_name(topics.DISCLOSURE, cluster.prefix)
    records = cluster.read(topics.DISCLOSURE)[0]
    first = records[-1].offset
    client = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
    for deleted in client.delete_records([Place(name, 0, first)]).values():
        deleted.result()
    example.start()
    example.wait_exit(1)
    due = len(without_copies(records)) - 1
    assert f"GAP in {name}, partition 0: " in example.log_file.read_text()
    assert f"and offset {first} holds {due}." in example.log_file.read_text()
    assert len(example.done()[name, 0]) < due < expected


def test_the_two_keep_their_books_alike():
    """What does not depend on the client is the same text: one mended alone would be the other's mistake."""
    trees = [ast.parse((ROOT / "examples" / name).read_text("utf-8")) for name in EXAMPLES]
    books = [
        [node for node in tree.body if getattr(node, "name", "") in ("Gap", "Effects")] for tree in trees
    ]
    assert len(books[0]) == 2
    assert [*map(ast.dump, books[0])] == [*map(ast.dump, books[1])]
