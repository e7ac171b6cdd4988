"""Compressed batches that unfold without end: one unreadable record each, and nobody's memory is full."""

import json
import random
import signal

import cramjam
import pytest
from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.record._crecords import default_records
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from confluent_kafka import Producer
from harness import Cluster, eventually, nameplate
from test_poison import NOW

from schemas import topics
from schemas.columns import Column
from schemas.instant import text
from schemas.records import Records
from streams.live import capped
from streams.live.fetched import Run
from streams.live.intake import HOLD_BYTES, HOLD_RECORDS, Waiting
from streams.live.log import _seq_of
from streams.policies.load import shipped_book_dir

CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
CAP = capped.MOST_UNFOLDED


def batch(codec_number, *values, first=0):
    made = DefaultRecordBatchBuilder(2, codec_number, 0, -1, -1, -1, 1 << 30)
    for number, value in enumerate(values):
        assert made.append(number, 17 + number, b"k", value, [("h", b"v")]) is not None
    raw = bytearray(made.build())
    raw[:8] = first.to_bytes(8, "big")
    return bytes(raw)


def read(*batches):
    """Return what stands in batches; one by one and as columns it is the same."""
    found, columns = (
        [(one.offset, one.key, one.value) for one in way(Run("t", 0, 0, 1 << 40, batches=each, gate=None))]
        for way, each in ((iter, each_of(*batches)), (Run.read, each_of(*batches)))
    )
    assert columns == found
    return found


def each_of(*batches):
    fetched = capped.Batches(b"".join(batches))
    found = []
    while fetched.has_next():
        found.append(fetched.next_batch())
    return found


@pytest.mark.parametrize("name", CODECS)
def test_what_unfolds_within_the_bounds_is_what_aiokafka_unfolds(name):
    rng = random.Random(name)
    encode, decode, bounded = (
        getattr(codec, f"{name}_encode"),
        getattr(codec, f"{name}_decode"),
        f"{name}_decode",
    )
    for size in (1, 100, 40_000, 3_000_000, CAP):
        for said in (bytes(size), rng.randbytes(min(size, 200_000))):
            folded = encode(said)
            assert capped.CODECS[bounded](memoryview(folded)) == decode(folded) == said
    assert getattr(default_records, bounded) is capped.CODECS[bounded]


@pytest.mark.parametrize("name", CODECS)
def test_a_byte_more_is_too_far(name):
    encode = getattr(codec, f"{name}_encode")
    with pytest.raises(capped.TooFar):
        capped.CODECS[f"{name}_decode"](encode(bytes(CAP + 1)))


def test_the_forms_of_snappy_and_gzip_that_other_clients_send_unfold():
    whole = cramjam.snappy.compress_raw(b"said" * 1000)
    assert capped.CODECS["snappy_decode"](bytes(whole)) == b"said" * 1000
    two = codec.gzip_encode(b"one") + codec.gzip_encode(b"two")
    assert capped.CODECS["gzip_decode"](two) == codec.gzip_decode(two) == b"onetwo"
    with pytest.raises(capped.TooFar):
        capped.CODECS["gzip_decode"](codec.gzip_encode(b"cut off")[:-4])
    with pytest.raises(capped.TooFar):
        capped.CODECS["gzip_decode"](codec.gzip_encode(bytes(CAP // 2)) * 3)


@pytest.mark.parametrize("number", CODECS.values(), ids=CODECS)
def test_a_batch_that_unfolds_too_far_is_one_unreadable_record_and_its_neighbours_are_read(number):
    many = batch(number, *[bytes(1000)] * 9000, first=1)
    found = read(batch(number, b"before"), many, batch(number, b"after", b"more", first=9001))
    assert found == [
        (0, b"k", b"before"),
        (9000, None, capped.UNREADABLE),
        (9001, b"k", b"after"),
        (9002, b"k", b"more"),
    ]


@pytest.mark.parametrize("number", CODECS.values(), ids=CODECS)
def test_a_batch_that_cannot_be_unfolded_at_all_is_one_unreadable_record(number):
    good = batch(number, b"said" * 100)
    for damaged in (good[:61] + b"\xff" * (len(good) - 61), good[:61] + bytes(len(good) - 61)):
        assert read(damaged) == [(0, None, capped.UNREADABLE)]


def test_batches_of_the_oldest_form_are_capped_too():
    made = LegacyRecordBatchBuilder(1, CODECS["gzip"], 1 << 30)
    for number in range(3):
        made.append(number, timestamp=17, key=b"k", value=bytes(CAP // 2))
    raw = bytearray(made.build())
    raw[:8] = (2).to_bytes(8, "big")  # as a broker does: that of its last record
    assert read(bytes(raw)) == [(2, None, capped.UNREADABLE)]


def test_every_consumer_of_this_process_reads_so():
    assert fetcher.MemoryRecords is capped.Batches  # that it is what a fetch is read with: test_pinned


def test_uncompressed_batches_are_left_alone():
    fetched = capped.Batches(batch(0, b"said"))
    assert not fetched.next_batch().is_folded


@pytest.mark.parametrize("number", [0, *CODECS.values()])
def test_a_checksum_is_right_as_long_as_no_bit_is_another(number):
    before, said = batch(number, b"before"), batch(number, b"said", b"more", first=1)
    assert all(one.validate_crc() for one in each_of(before, said))
    for at in (21, 43, 60, len(said) - 1):  # behind the checksum: attributes, producer, count, records
        broken = bytearray(said)
        broken[at] ^= 1
        right, wrong = each_of(before, bytes(broken))
        assert right.validate_crc()
        assert not wrong.validate_crc()
        assert not MemoryRecords(bytes(broken)).next_batch().validate_crc()


def test_a_checksum_of_the_oldest_form_is_aiokafka_s():
    made = LegacyRecordBatchBuilder(1, 0, 1 << 30)
    made.append(0, timestamp=17, key=b"k", value=b"said")
    said = bytes(made.build())
    (one,) = each_of(said)
    assert one.validate_crc()
    (one,) = each_of(said[:-1] + b"?")
    assert not one.validate_crc()


@pytest.mark.parametrize("number", [0, *CODECS.values()])
def test_a_header_s_name_that_is_no_text_takes_no_record_away(number):
    """Any client that writes bytes can send one; aiokafka alone ends there with an error of no family."""
    made = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 30)
    for place, value in enumerate((b"one", None, b"two")):
        made.append(place, 17 + place, None if value is None else b"k", value, [("ab", b"v")])
    raw = bytearray(made.build())
    first, second = (61 + bytes(raw[61:]).index(b"ab"), 61 + bytes(raw[61:]).rindex(b"ab"))
    for broken in ((second,), (first, second)):
        said = bytearray(raw)
        for at in broken:
            said[at] = 0xFF
        if number:
            body = getattr(codec, f"{dict(zip(CODECS.values(), CODECS, strict=True))[number]}_encode")(
                bytes(said[61:])
            )
            said[61:] = body
            said[21:23] = number.to_bytes(2, "big")
            said[8:12] = (len(said) - 12).to_bytes(4, "big")
        with pytest.raises(UnicodeDecodeError):
            list(MemoryRecords(bytes(said)).next_batch())
        assert read(bytes(said)) == [(0, b"k", b"one"), (1, None, None), (2, b"k", b"two")]
        times = [(one.timestamp, one.timestamp_type) for one in capped.Batches(bytes(said)).next_batch()]
        assert times == [(17, 0), (18, 0), (19, 0)]


def test_bytes_that_wait_hold_a_topic_back_as_records_do():
    def of(values):
        return Records.plain(0, Column(values), Column(values))

    waiting = Waiting()
    waiting.add("a", of([b"x"] * HOLD_RECORDS))
    assert not waiting.is_full("a")
    waiting.add("a", of([None]))
    assert waiting.is_full("a")
    assert not waiting.overflows("a")
    big = of([bytes(1 << 20)] * ((HOLD_BYTES >> 20) + 1))
    waiting.add("b", big)
    assert waiting.overflows("b")
    waiting.add("b", big[:2], -1)
    assert not waiting.is_full("b")


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff", b"[]", b"{}", b'{"seq":"1"}', b'{"seq":1.5}', capped.UNREADABLE]
)
def test_what_somebody_else_put_into_an_output_topic_has_no_sequence_number(value):
    assert _seq_of(value) is None
    assert _seq_of(b'{"a":[],"seq":7}') == 7


# A real broker and a real worker ---------------------------------------------------------------------

MIB = 1 << 20
BATCHES = 80
BOMBS = {
    "gzip": [bytes(500 * 10**6)],
    "zstd": [bytes(500 * 10**6)],
    "lz4": [bytes(250 * 10**6)],
    "snappy": [bytes(20 * 10**6)],
}


def send(cluster, values, codec_name, key=b"bilibili:acct-bomb", headers=None):
    """Send one batch; return its last offset."""
    told = []
    producer = Producer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "compression.type": codec_name,
            "message.max.bytes": 10**9,
            "batch.size": 2**31 - 1,
            "batch.num.messages": 10**6,
            "queue.buffering.max.kbytes": 2**21,
            "queue.buffering.max.messages": 0,
            "linger.ms": 5000,
        }
    )
    name = topics.full_name(topics.COUNTS, cluster.prefix)
    for value in values:
        producer.produce(
            name, value, key, partition=0, on_delivery=lambda error, at: told.append((error, at.offset()))
        )
    producer.flush(200)
    assert {error for error, _ in told} == {None}, told[:1]
    return max(offset for _, offset in told)


def count(number, followers=1_200_000):
    return json.dumps(
        {
            "event_id": f"c{number}",
            "platform": "bilibili",
            "account_id": "acct-bomb",
            "followers": followers + number,
            "observed_at": text(NOW),
        }
    ).encode()


def most_memory(worker):
    with open(f"/proc/{worker.process.pid}/status", encoding="ascii") as status:  # noqa: PTH123
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


@pytest.mark.timeout(600)
@pytest.mark.broker
def test_bombs_become_dead_letters_and_the_rest_is_decided(broker, prefix, tmp_path):
    cluster = Cluster(broker.bootstrap, prefix, tmp_path, partitions=1)
    cluster.publish_book(shipped_book_dir())
    at, number = [], 0
    for name, values in BOMBS.items():
        send(cluster, [count(number)], "none")
        at.append(send(cluster, values, name))
        number += 1
    at.append(send(cluster, [count(1, 0)] * 100_000, "zstd"))  # a flood of small ones: 12 MB in 6 KB
    send(cluster, [count(number)], "none", headers=[(b"\xff", b"v")])
    try:
        worker = cluster.worker()
        worker.wait_owned(0)
        before = most_memory(worker)
        eventually(cluster.has_journaled_all, f"all is journaled:\n{worker.log[-2000:]}")
        used = most_memory(worker) - before
        print(f"{before} MiB before, {used} MiB more at most")
        assert used < 150
        worker.send(signal.SIGTERM)
        worker.wait_exit()
        again = cluster.worker()  # reads the digests of what it took last again
        again.wait_owned(0)
        again.send(signal.SIGTERM)
        again.wait_exit()
    finally:
        cluster.close()
    letters = [json.loads(record.value) for record in cluster.records(topics.DEAD_LETTERS)]
    assert [(letter["offset"], letter["code"]) for letter in letters] == [
        (offset, "too-large") for offset in at
    ]
    assert {letter["sha256"] for letter in letters} == {letters[0]["sha256"]}
    assert len(cluster.records(topics.DISCLOSURE)) == 1
    journal = cluster.export()
    inputs = cluster.write_inputs_as_taken(journal, tmp_path / "taken.jsonl")
    nameplate("verify", journal, "--inputs", inputs)


@pytest.mark.timeout(600)
@pytest.mark.broker
def test_very_many_small_bombs_are_taken_one_after_another(broker, prefix, tmp_path):
    """Each unfolds to just less than the cap: together they would fill any memory."""
    cluster = Cluster(broker.bootstrap, prefix, tmp_path, partitions=1)
    big = b" " * 60_000
    for _ in range(BATCHES):
        send(cluster, [big] * 130, "zstd")
    try:
        worker = cluster.worker("--session", "20")  # no book: all of it has to wait
        worker.wait_owned(0)
        before = most_memory(worker)
        cluster.publish_book(shipped_book_dir())
        eventually(cluster.has_journaled_all, f"all is journaled:\n{worker.log[-2000:]}", 120)
        used = most_memory(worker) - before
        print(f"{before} MiB before, {used} MiB more at most, for {BATCHES * 130 * 60_000 // MIB} MiB")
        assert used < 500
    finally:
        cluster.close()
    assert len(cluster.records(topics.DEAD_LETTERS)) == BATCHES * 130
