"""Reads Nameplate's outputs with confluent-kafka so that each one takes effect exactly once, and a lost one is seen.

    python consume_confluent.py --bootstrap 127.0.0.1:9092 --database effects.sqlite

The topics promise at least once: in order per partition, every copy byte-identical. Each record carries `seq`,
which counts 0, 1, 2, … per topic and partition. So one integer for each of these, the `seq` that is due next,
makes it exactly once, if it is written in the same transaction as the effect:

    seq == due   new: do it, and raise the integer
    seq <  due   a copy: skip it; it may be old, and stand behind newer ones (a paused worker that woke up)
    seq >  due   a gap: records are missing from the topic; stop, and let a human look

The offset is kept beside it and only says where to read on; Kafka's own committed offsets are not used. Any number
of these may run as one group on one database: where two believe to have a partition, a record still gets through
once. Put your own effect into `do` and your own database into `Effects`. An effect that leaves the database (a
mail, a call) cannot be in its transaction: write there what is to be sent, and send from there, with `id` as its key.
"""

import argparse
import json
import signal
import sqlite3
import sys
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

OUTPUTS = ("disclosure-required", "grace-periods", "restrictions")
TABLES = """
CREATE TABLE IF NOT EXISTS due (topic, partition, seq, next_offset, PRIMARY KEY (topic, partition));
CREATE TABLE IF NOT EXISTS effects (topic, partition, seq, id, type, account_id);
"""


class Gap(Exception):
    """Records are missing from a topic. Nothing after them was done."""


class Effects:
    """What was done and how far: in one database, so that both are kept or neither is."""

    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, timeout=60)
        self.db.executescript(TABLES)

    def due(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the `seq` that is due next, and the offset from which to read."""
        query = "SELECT seq, next_offset FROM due WHERE topic = ? AND partition = ?"
        return self.db.execute(query, (topic, partition)).fetchone() or (0, 0)

    def take(self, topic: str, partition: int, offset: int, value: bytes) -> None:
        """Do one record if it is new, and remember it, in one transaction.

        Raises:
            Gap: records before this one are missing; nothing was done.
        """
        record = json.loads(value)
        with self.db:  # commits at its end; rolls back if anything is raised
            self.db.execute("BEGIN IMMEDIATE")  # from here on no other process changes what is due
            due, _ = self.due(topic, partition)
            if record["seq"] > due:
                raise Gap(
                    f"GAP in {topic}, partition {partition}: seq {due} is due, and offset {offset} holds"
                    f" {record['seq']}. What is between was decided, and the topic has lost it. Nothing after it was"
                    f" done here. The journal still has it: `nameplate journal export --partition {partition} FILE`,"
                    " then `nameplate verify FILE`. Do the missing outputs from there, set `due.seq` to"
                    f" {record['seq']}, and start again."
                )
            if record["seq"] == due:
                self.do(topic, partition, record)
                due += 1
            self.db.execute("REPLACE INTO due VALUES (?, ?, ?, ?)", (topic, partition, due, offset + 1))

    def do(self, topic: str, partition: int, record: dict[str, Any]) -> None:
        """Take the effect of one record. Yours goes here."""
        said = (record[name] for name in ("seq", "id", "type", "account_id"))
        self.db.execute("INSERT INTO effects VALUES (?, ?, ?, ?, ?, ?)", (topic, partition, *said))


def consume(bootstrap: str, prefix: str, group: str, effects: Effects) -> None:
    """Take records until SIGTERM or SIGINT."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,  # so long after its death the partitions of one go to the others
        }
    )

    def go_on(consumer: Consumer, assigned: list[TopicPartition]) -> None:
        """Seek; where that offset is deleted by now, reading begins at the oldest one, and `seq` shows the gap."""
        for place in assigned:
            place.offset = effects.due(place.topic, place.partition)[1]
        consumer.assign(assigned)

    consumer.subscribe([f"{prefix}{short}.v1" for short in OUTPUTS], on_assign=go_on)
    is_told_to_stop = False

    def stop(*_: object) -> None:
        nonlocal is_told_to_stop
        is_told_to_stop = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        while not is_told_to_stop:
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())  # start it again: nothing is lost or done twice by that
            effects.take(message.topic(), message.partition(), message.offset(), message.value())
    finally:
        consumer.close()


def main() -> int:
    """Run until SIGTERM or SIGINT; 1 at a gap."""
    options = argparse.ArgumentParser(description="Do what Nameplate puts out, exactly once.")
    options.add_argument("--bootstrap", default="127.0.0.1:9092")
    options.add_argument("--prefix", default="nameplate.")
    options.add_argument("--group", default="effects")
    options.add_argument("--database", default="effects.sqlite")
    given = options.parse_args()
    try:
        consume(given.bootstrap, given.prefix, given.group, Effects(given.database))
    except Gap as gap:
        print(gap, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
