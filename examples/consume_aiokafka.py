"""Reads Nameplate's outputs with aiokafka so that each one takes effect exactly once, and a lost one is seen.

    python consume_aiokafka.py --bootstrap 127.0.0.1:9092 --database effects.sqlite

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
import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.structs import TopicPartition

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


class GoOn(ConsumerRebalanceListener):  # type: ignore[misc]
    """Goes on where the database says, in every partition that the group gives."""

    def __init__(self, consumer: AIOKafkaConsumer, effects: Effects) -> None:
        self.consumer, self.effects = consumer, effects

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Do nothing: whatever was done is remembered."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Seek; where that offset is deleted by now, reading begins at the oldest one, and `seq` shows the gap."""
        for place in assigned:
            self.consumer.seek(place, self.effects.due(place.topic, place.partition)[1])


async def consume(bootstrap: str, prefix: str, group: str, effects: Effects) -> None:
    """Take records until the task is cancelled."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6000,  # so long after its death the partitions of one go to the others
    )
    topics = [f"{prefix}{short}.v1" for short in OUTPUTS]
    consumer.subscribe(topics, listener=GoOn(consumer, effects))
    await consumer.start()
    try:
        async for message in consumer:
            effects.take(message.topic, message.partition, message.offset, message.value)
    finally:
        await consumer.stop()


async def main() -> int:
    """Run until SIGTERM or SIGINT; 1 at a gap."""
    options = argparse.ArgumentParser(description="Do what Nameplate puts out, exactly once.")
    options.add_argument("--bootstrap", default="127.0.0.1:9092")
    options.add_argument("--prefix", default="nameplate.")
    options.add_argument("--group", default="effects")
    options.add_argument("--database", default="effects.sqlite")
    given = options.parse_args()
    work = asyncio.ensure_future(consume(given.bootstrap, given.prefix, given.group, Effects(given.database)))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        return 0
    except Gap as gap:
        print(gap, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
