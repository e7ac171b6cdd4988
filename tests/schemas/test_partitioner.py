import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as oracle
from hypothesis import given
from hypothesis import strategies as st

from schemas.partitioner import murmur2, partition_of


@given(st.binary(max_size=200))
def test_a_key_has_the_hash_that_the_client_library_computes(key):
    assert murmur2(key) == oracle(key) & 0xFFFFFFFF


@given(st.binary(max_size=80), st.integers(1, 100))
def test_a_key_goes_where_the_client_library_sends_it(key, partitions):
    everything = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, everything, everything)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        # Apache Kafka's own vectors, UtilsTest.testMurmur2, as signed integers
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_vectors_of_apache_kafka_hold(key, value):
    assert murmur2(key) == value & 0xFFFFFFFF
