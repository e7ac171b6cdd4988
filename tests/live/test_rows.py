import aiokafka
import pytest
from look_for_tests import Look
from worker_for_tests import Worker

from schemas.errors import InvariantBroken, TransportError
from streams.live.app import create_app
from streams.live.gates import Revoked
from streams.live.rows import send_in_order

ALL = [0, 1, 2, 3]


@pytest.fixture
def look(broker, prefix):
    it = Look(broker.bootstrap, prefix)
    it.create_topics()
    return it


@pytest.fixture
def work(look, tmp_path):
    workers = []

    def start():
        log = tmp_path / f"worker-{len(workers)}.log"
        workers.append(Worker(log, bootstrap=look.bootstrap, prefix=look.prefix, group=look.group))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


@pytest.fixture
async def producer(broker):
    it = aiokafka.AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks=-1, max_batch_size=512 * 1024)
    await it.start()
    yield it
    await it.stop()


@pytest.mark.broker
def test_rows_are_recovered_as_they_were_written_deletions_too(look, work):
    first = work()
    first.wait_open(ALL)
    first.order("write", partition=1, rows=[["a", "1"], ["b", "2"], ["c", "3"], ["a", None], ["b", "4"]])
    first.order("write", partition=1, rows=[["c", None], ["c", "5"], ["never there", None], ["empty", ""]])
    first.order("write", partition=2, rows=[["a", "in another partition"]])
    first.kill()
    second = work()
    rows = second.wait_open(ALL)["rows"]
    assert rows == {
        "0": {},
        "1": {"b": "4", "c": "5", "empty": ""},
        "2": {"a": "in another partition"},
        "3": {},
    }
    assert second.stop() == 0


@pytest.mark.broker
def test_recovery_takes_several_polls_and_ends_at_a_log_end_without_a_record(look, work):
    values = [f"{n} {'x' * 200}" for n in range(20_000)]
    look.produce(look.changelog, 0, values)
    look.produce(look.changelog, 1, values[:10], transaction="commit")  # the log ends with a marker
    look.produce(
        look.changelog, 2, values[:10], transaction="abort"
    )  # nothing but aborted records and a marker
    worker = work()
    rows = worker.wait_open(ALL)["rows"]
    assert rows == {str(partition): look.rows(partition) for partition in ALL}
    assert [len(rows[str(partition)]) for partition in ALL] == [20_000, 10, 0, 0]
    assert worker.stop() == 0


@pytest.mark.broker
def test_a_changelog_may_begin_anywhere(look, work):
    for partition in (0, 1):
        look.produce(look.changelog, partition, [str(n) for n in range(100)])
    look.delete_before(look.changelog, 0, 40)
    look.delete_before(look.changelog, 1, 100)
    worker = work()
    rows = worker.wait_open(ALL)["rows"]
    assert [len(rows[str(partition)]) for partition in ALL] == [60, 0, 0, 0]
    assert worker.stop() == 0


@pytest.mark.broker
async def test_batches_are_sent_in_order_and_their_offsets_returned(look, producer):
    messages = [(b"%d" % n, b"x" * 100_000, [("h", b"1")]) for n in range(12)]
    offsets = await send_in_order(producer, look.counts, 3, messages)
    assert offsets == [0, 5, 10]
    seen = look.read(look.counts, 3)
    assert [(record.offset, record.key) for record in seen] == [(n, b"%d" % n) for n in range(12)]
    assert await send_in_order(producer, look.counts, 3, []) == []
    assert await send_in_order(producer, look.counts, 3, [(None, None, [])]) == [12]


@pytest.mark.broker
async def test_a_send_that_the_broker_refuses_is_a_transport_error(look, producer):
    with pytest.raises(TransportError, match="partition 0: a send was not acknowledged"):
        await send_in_order(producer, look.counts, 0, [(b"too large", b"x" * 20_000_000, [])])
    assert look.end(look.counts, 0) == 0


async def test_rows_of_partitions_that_are_not_assigned_can_neither_be_read_nor_written():
    rows = create_app("group", "127.0.0.1:1").rows
    with pytest.raises(Revoked):
        rows.partition(0)
    with pytest.raises(Revoked):
        await rows.write(0, [(b"a", b"1")])


async def test_rows_can_not_be_written_in_fausts_way():
    rows = create_app("group", "127.0.0.1:1").rows
    with pytest.raises(InvariantBroken):
        rows[b"a"] = b"1"


async def test_the_local_view_is_read_only():
    rows = create_app("group", "127.0.0.1:1").rows
    rows.data.partitions[0] = {b"a": b"1"}
    view = rows.partition(0)
    assert view[b"a"] == b"1"
    with pytest.raises(TypeError):
        view[b"a"] = b"2"
