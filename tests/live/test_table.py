"""The rolling table may be lost or damaged at any time: it is built again from the journal, and says so."""

import asyncio

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from evidence import Told, accepted, unread
from harness import Cluster, _read, eventually
from stories import UNTIL

from schemas.journal import HeadPointer
from streams.live import topics as admin
from streams.live.owner import HEAD_KEY
from streams.replay.files import read_lines

pytestmark = pytest.mark.broker

PARTITIONS = 4
TO_THE_END = ("--time", "records", "--until", UNTIL, "--stop-at-end")
SESSION_S = 2
MIDDLE = "2024-03-30T00:00:00Z"
LOUD = "the table was rebuilt from the journal"


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield it
    it.close()


@pytest.fixture
def told(cluster):
    """A history of which one worker has decided the first half: every partition has a table, and has more to do."""
    it = Told(cluster, UNTIL, records=600)
    lines = list(read_lines([it.file]))
    half = next(number for number, line in enumerate(lines) if b"2024-03-30" in line.value)
    cluster.publish_book(it.book)
    cluster.publish_lines(lines[:half])
    cluster.worker("--time", "records", "--until", MIDDLE, "--stop-at-end", session=SESSION_S).wait_exit()
    cluster.publish_lines(lines[half:])
    assert all(unread(cluster).values())
    return it


def changelog(cluster):
    return f"{cluster.prefix}rows-changelog"


def table(cluster):
    """Return by partition the changelog's records of rows, and the table that they make."""
    found = {}
    for number, records in asyncio.run(_read(cluster.bootstrap, changelog(cluster))).items():
        of_rows = [record for record in records if record.key != HEAD_KEY]
        found[number] = of_rows, {record.key: record.value for record in of_rows}
    return found


def write(cluster, *changes):
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
    for partition, key, value in changes:
        producer.produce(changelog(cluster), key=key, value=value, partition=partition)
    assert not producer.flush(30)


def delete_table(cluster):
    client = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
    client.delete_topics([changelog(cluster)])[changelog(cluster)].result()
    eventually(lambda: changelog(cluster) not in client.list_topics(timeout=10).topics, "the table is gone")
    admin.apply(cluster.bootstrap, admin.wanted(cluster.prefix, cluster.partitions))


def rebuilt(worker):
    return {
        int(line.split("partition ")[1].split(":")[0]) for line in worker.log.splitlines() if LOUD in line
    }


def test_a_deleted_table_is_built_from_the_journal(cluster, told):
    delete_table(cluster)
    assert not any(rows for _, rows in table(cluster).values())
    worker = cluster.worker(*TO_THE_END, session=SESSION_S)
    worker.wait_exit()
    assert rebuilt(worker) == set(range(PARTITIONS))
    assert told.is_decided_by(cluster)


def test_a_damaged_table_is_built_from_the_journal(cluster, told):
    """One accident in each partition: a wrong row, a lost one, a late write of an old one, a stranger's."""
    damaged = table(cluster)
    for number, damage in enumerate((with_a_wrong_row, with_a_lost_row, with_a_stale_row, with_an_alien_row)):
        write(cluster, (number, *damage(*damaged[number])))
    worker = cluster.worker(*TO_THE_END, session=SESSION_S)
    worker.wait_exit()
    assert rebuilt(worker) == set(range(PARTITIONS))
    assert worker.log.count("They are built anew from the whole journal") == PARTITIONS
    assert told.is_decided_by(cluster)


def with_a_wrong_row(records, rows):
    one, other = sorted(key for key, row in rows.items() if row is not None)[:2]
    return one, rows[other]


def with_a_lost_row(records, rows):
    return min(key for key, row in rows.items() if row is not None), None


def with_a_stale_row(records, rows):
    # Of the row that has stood for longest: an entry behind the head pointer would set a younger one right.
    last = {one.key: one.offset for one in records}
    stale = [one for one in records if one.value != rows[one.key]]
    one = min(stale, key=lambda one: last[one.key])
    return one.key, one.value


def with_an_alien_row(records, rows):
    return b"weibo:nobody", next(row for key, row in rows.items() if row is not None)


def test_a_table_written_after_an_entry_that_the_journal_does_not_have_stops_the_worker(cluster, told):
    before = {number: len(entries) for number, entries in accepted(cluster).items()}
    write(cluster, (2, HEAD_KEY, HeadPointer("1" * 64, 5).encode()))
    worker = cluster.worker(*TO_THE_END, session=SESSION_S)
    worker.wait_exit(1)
    assert "partition 2: The table was written after journal entry 1111" in worker.log
    assert "Restore the journal; if it is this one that is right, delete the table" in worker.log
    assert "[head-not-in-journal]" in worker.log
    assert len(accepted(cluster)[2]) == before[2]
    delete_table(cluster)  # as the message says
    cluster.worker(*TO_THE_END, session=SESSION_S).wait_exit()
    assert told.is_decided_by(cluster)
