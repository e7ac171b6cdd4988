"""Another client's view of one test's topics: an oracle that shares no code with aiokafka."""

from typing import NamedTuple

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec
from worker_for_tests import PATIENCE_S, digest

from schemas import topics
from streams.live.app import BATCH_TOPICS


class Seen(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None


class Look:
    """Another client's view of one test's topics: an oracle that shares no code with aiokafka."""

    def __init__(self, bootstrap, prefix, partitions=4) -> None:
        self.bootstrap, self.prefix, self.partitions = bootstrap, prefix, range(partitions)
        self.group = f"{prefix}group"
        self.inputs = [topics.full_name(short, prefix) for short in BATCH_TOPICS]
        self.counts = self.inputs[0]
        self.changelog = f"{prefix}rows-changelog"
        self.admin = AdminClient(self._settings())

    def _settings(self, **more):
        return {"bootstrap.servers": self.bootstrap, "log_level": 0, **more}

    def create_topics(self):
        new = [NewTopic(name, len(self.partitions), 1) for name in self.inputs]
        new.append(
            NewTopic(self.changelog, len(self.partitions), 1, config={"cleanup.policy": "compact,delete"})
        )
        for created in self.admin.create_topics(new).values():
            created.result()

    def produce(self, topic, partition, values, *, transaction=None, **settings):
        """Produce values; `transaction` is none, "commit" or "abort"."""
        more = {"transactional.id": f"{self.prefix}{topic}{partition}"} if transaction else {}
        producer = Producer(self._settings(**more, **settings))
        if transaction:
            producer.init_transactions()
            producer.begin_transaction()
        for value in values:
            producer.produce(topic, key=f"key of {value}", value=value, partition=partition)
        assert not producer.flush(PATIENCE_S)
        if transaction:
            producer.commit_transaction() if transaction == "commit" else producer.abort_transaction()

    def end(self, topic, partition):
        """Return the end of the log, markers of transactions included."""
        place = TopicPartition(topic, partition)
        return self.admin.list_offsets({place: OffsetSpec.latest()})[place].result().offset

    def read(self, topic, partition, start=0):
        """Return what a consumer of committed records sees from `start` to the end."""
        settings = {"group.id": "look", "enable.partition.eof": True, "fetch.wait.max.ms": 10}
        consumer = Consumer(self._settings(**settings))
        consumer.assign([TopicPartition(topic, partition, start)])
        seen = []
        while (message := consumer.poll(PATIENCE_S)) and not message.error():
            seen.append(Seen(message.offset(), message.key(), message.value()))
        consumer.close()
        return seen

    def expected(self, topic, partition, start=0):
        """Return what a worker must have counted: each record once, in order, up to the log's end."""
        seen = self.read(topic, partition, start)
        return {"next": self.end(topic, partition), "count": len(seen), "digest": digest("", seen)}

    def rows(self, partition):
        """Return the table's rows as its changelog tells them."""
        rows = {}
        for record in self.read(self.changelog, partition):
            rows[record.key.decode()] = record.value and record.value.decode()
        return {key: value for key, value in rows.items() if value is not None}

    def committed(self):
        """Return the group's offsets of the inputs, of those partitions that have one."""
        places = [TopicPartition(topic, partition) for topic in self.inputs for partition in self.partitions]
        asked = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(self.group, places)])
        found = asked[self.group].result().topic_partitions
        return {(tp.topic, tp.partition): tp.offset for tp in found if tp.offset >= 0}

    def commit(self, offsets):
        """Commit offsets to the group as somebody who is wrong would."""
        consumer = Consumer(self._settings(**{"group.id": self.group}))
        places = [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
        consumer.commit(offsets=places, asynchronous=False)
        consumer.close()

    def delete_before(self, topic, partition, offset):
        """Let the log begin later."""
        for deleted in self.admin.delete_records([TopicPartition(topic, partition, offset)]).values():
            deleted.result()
