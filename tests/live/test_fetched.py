import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.errors import InvariantBroken, TransportError
from streams.live.capped import Batches
from streams.live.fetched import Run

TOPIC = ("counts", 0)


def batch(first, count, *, compression=0, damage=0, without=()):
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 1_000_000)
    for n in sorted(set(range(count)) - set(without)):
        builder.append(n, 1_700_000_000_000 + n, b"key", b"value %d" % (first + n), [("header", b"1")])
    built = builder.build()
    built[0:8] = first.to_bytes(8, "big")  # as the broker does at append
    if damage:
        del built[-damage:]
        built[8:12] = (len(built) - 12).to_bytes(4, "big")
    return Batches(bytes(built)).next_batch()


def run(start, *batches, end=100):
    return Run(*TOPIC, start, end, batches=list(batches), gate=None)


def seen(records):
    return [(record.offset, record.key, record.value) for record in records]


def expected(first, end):
    return [(n, b"key", b"value %d" % n) for n in range(first, end)]


ways = pytest.mark.parametrize("way", [iter, Run.read], ids=["one by one", "as columns"])


@ways
@pytest.mark.parametrize("compression", [0, 1, 2, 3, 4])
def test_a_run_gives_the_records_of_all_its_batches_from_its_start_on(compression, way):
    batches = [batch(10, 5, compression=compression), batch(20, 3, compression=compression)]
    assert seen(way(run(12, *batches))) == expected(12, 15) + expected(20, 23)


@ways
def test_offsets_of_which_a_compaction_took_the_records_are_left_out(way):
    found = seen(way(run(10, batch(10, 5, without=(0, 3)), batch(15, 2))))
    assert found == [*expected(11, 13), *expected(14, 17)]


def test_a_record_has_the_time_and_the_kind_of_time_of_its_batch():
    (record,) = run(10, batch(10, 1))
    assert (record.timestamp, record.timestamp_type) == (1_700_000_000_000, 0)


@ways
def test_a_second_pass_is_refused_rather_than_empty(way):
    it = run(10, batch(10, 5))
    assert len(list(way(it))) == 5
    for second in (iter, Run.read):
        with pytest.raises(InvariantBroken, match="once"):
            second(it)


@ways
def test_a_run_may_be_without_records(way):
    assert list(way(run(10))) == []
    assert list(way(run(15, batch(10, 5)))) == []


@ways
def test_a_damaged_record_is_a_transport_error(way):
    with pytest.raises(TransportError, match="cannot be parsed"):
        list(way(run(10, batch(10, 5, damage=3))))
