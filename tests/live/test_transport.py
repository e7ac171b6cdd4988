import pytest
from look_for_tests import Look
from worker_for_tests import Worker, digest

pytestmark = pytest.mark.broker
ALL = [0, 1, 2, 3]


@pytest.fixture
def look(broker, prefix):
    it = Look(broker.bootstrap, prefix)
    it.create_topics()
    return it


@pytest.fixture
def work(look, tmp_path):
    workers = []

    def start(**options):
        log = tmp_path / f"worker-{len(workers)}.log"
        workers.append(Worker(log, bootstrap=look.bootstrap, prefix=look.prefix, group=look.group, **options))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def values(name, count):
    return [f"{name} {n}" for n in range(count)]


def counted_all(look, *workers, inputs=None):
    """Wait until the workers together have counted everything; compare it with what the other client sees."""
    for topic in inputs or look.inputs:
        for partition in look.partitions:
            expected = look.expected(topic, partition)
            if not expected["count"]:
                continue
            owner = next(w for w in workers if partition in [*w.wait_open()["partitions"], *owned(w)])
            owner.wait(lambda _, e=expected, o=owner, at=(topic, partition): next_of(o, at) >= e["next"])
            found = owner.counted()[topic, partition]
            assert {name: found[name] for name in expected} == expected


def owned(worker):
    return [line for line in worker.told if line["what"] == "open"][-1]["partitions"]


def next_of(worker, at):
    return worker.counted().get(at, {"next": -1})["next"]


def test_every_record_comes_once_and_in_order_and_only_accepted_positions_are_committed(look, work):
    for topic in look.inputs:
        for partition in look.partitions:
            look.produce(topic, partition, values(f"{topic} {partition}", 500 + 100 * partition))
    worker = work()
    worker.wait_open(ALL)
    counted_all(look, worker)
    ends = {(topic, partition): look.end(topic, partition) for topic in look.inputs for partition in ALL}

    worker.order("stop_accepting", partition=3)
    for partition in look.partitions:
        look.produce(look.counts, partition, values(f"more {partition}", 300))
    counted_all(look, worker)
    assert worker.stop() == 0

    accepted = {
        **ends,
        **{(look.counts, partition): look.end(look.counts, partition) for partition in (0, 1, 2)},
    }
    assert look.committed() == accepted


def test_runs_that_faust_drops_on_the_way_are_fetched_again(look, work):
    """Once a later run shows the hole, and once, on partitions without a later one, time does."""
    for partition in look.partitions:
        look.produce(look.counts, partition, values(f"counts {partition}", 400))
    worker = work(drop=6)
    worker.wait_open(ALL)
    counted_all(look, worker, inputs=[look.counts])
    for partition in look.partitions:
        look.produce(look.counts, partition, values(f"more {partition}", 300))
    counted_all(look, worker, inputs=[look.counts])
    assert worker.stop() == 0
    assert {look.committed()[look.counts, partition] for partition in ALL} == {700}


def test_a_hole_is_mended_also_where_faust_has_read_far_beyond_it_and_the_runs_are_as_short_as_before(
    look, work
):
    """Faust keeps the highest offset that it has read, and drops what ends before it, saying nothing."""
    small = {"batch.num.messages": 10, "compression.type": "gzip"}  # of compressed batches a run has few
    look.produce(look.counts, 0, values("counts", 1000), **small)
    worker = work(drop=1)
    counted_all(look, worker, inputs=[look.counts])
    runs = [line for line in worker.told if line["what"] == "run"]
    assert len(runs) > 3
    assert worker.stop() == 0


def test_reading_begins_where_after_recovery_says_whatever_the_group_committed(look, work):
    for partition in look.partitions:
        look.produce(look.counts, partition, values(f"counts {partition}", 200))
    garbage = {(look.counts, 0): 200, (look.counts, 1): 0, (look.counts, 2): 100, (look.counts, 3): 99_999}
    look.commit(garbage)
    worker = work(start={look.counts: 50})
    for partition in look.partitions:
        worker.wait(lambda _, p=partition: next_of(worker, (look.counts, p)) == 200)
        found = worker.counted()[look.counts, partition]
        assert found["digest"] == digest("", look.read(look.counts, partition, 50))
    first = {line["partition"]: line["start"] for line in reversed(worker.told) if line["what"] == "run"}
    assert first == dict.fromkeys(ALL, 50)
    assert worker.stop() == 0
    assert {look.committed()[look.counts, partition] for partition in ALL} == {200}


def test_after_a_kill_another_worker_recovers_the_rows_and_counts_on(look, work):
    for partition in look.partitions:
        look.produce(
            look.counts, partition, values(f"before {partition}", 3000), **{"batch.num.messages": 50}
        )
    first = work()
    first.wait(lambda told: sum(line["what"] == "counted" for line in told) > 2)
    first.kill()
    for partition in look.partitions:
        look.produce(look.counts, partition, values(f"after {partition}", 1000))
    at_kill = {str(partition): look.rows(partition) for partition in look.partitions}
    second = work()
    assert second.wait_open(ALL)["rows"] == at_kill
    counted_all(look, second, inputs=[look.counts])
    assert second.stop() == 0


def test_partitions_move_to_a_worker_that_joins_and_back_when_it_leaves(look, work):
    for partition in look.partitions:
        look.produce(look.counts, partition, values(f"first {partition}", 1000))
    first = work()
    first.wait_open(ALL)
    counted_all(look, first, inputs=[look.counts])
    second = work()
    moved = second.wait_open()["partitions"]
    assert len(moved) == 2
    kept = first.wait_open(set(ALL) - set(moved))["partitions"]
    assert [line["partitions"] for line in first.told if line["what"] == "revoked"] == [ALL]

    assert first.order("store")["partitions"] == kept
    assert second.order("store")["partitions"] == moved
    assert first.wait_open(kept)["rows"] == {str(partition): look.rows(partition) for partition in kept}
    assert look.committed()[look.counts, moved[0]] == 1000

    for partition in look.partitions:
        look.produce(look.counts, partition, values(f"second {partition}", 1000))
    for worker, partitions in ((first, kept), (second, moved)):
        for partition in partitions:
            expected = look.expected(look.counts, partition)
            worker.wait(lambda _, w=worker, p=partition: next_of(w, (look.counts, p)) == 2000)
            assert worker.counted()[look.counts, partition]["digest"] == expected["digest"]
    assert second.stop() == 0
    assert first.wait_open(ALL, opening=2)["rows"] == {
        str(partition): look.rows(partition) for partition in ALL
    }
    assert first.stop() == 0


def test_a_rebalance_cancels_after_recovery_and_calls_it_again(look, work):
    first = work(first_recovery_hangs=True)
    first.wait(lambda told: any(line["what"] == "recovered" for line in told))
    second = work()
    assert len(second.wait_open()["partitions"]) == 2
    assert len(first.wait_open()["partitions"]) == 2
    look.produce(look.counts, first.wait_open()["partitions"][0], values("late", 10))
    first.wait(lambda told: any(line["what"] == "counted" for line in told))
    assert [first.stop(), second.stop()] == [0, 0]


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
def test_compressed_records_are_read_like_others(look, work, codec):
    for partition in look.partitions:
        look.produce(look.counts, partition, values(codec * 10, 2000), **{"compression.type": codec})
    worker = work(start={look.counts: 0})
    counted_all(look, worker, inputs=[look.counts])
    assert worker.stop() == 0


def test_where_aiokafka_is_not_compiled_its_python_reads_the_same(look, work):
    for partition, codec in enumerate(["gzip", "lz4", "snappy", "zstd"]):
        look.produce(look.counts, partition, values(codec * 10, 500), **{"compression.type": codec})
        look.produce(look.counts, partition, values("aborted", 30), transaction="abort")
        look.produce(look.counts, partition, values("committed", 20), transaction="commit")
    worker = work(environment={"AIOKAFKA_NO_EXTENSIONS": "1"}, start={look.counts: 0})
    counted_all(look, worker, inputs=[look.counts])
    assert worker.stop() == 0


def test_aborted_records_are_passed_over_and_markers_too(look, work):
    for topic, partition in ((look.counts, 0), (look.inputs[1], 1)):
        look.produce(topic, partition, values("plain", 10))
        look.produce(topic, partition, values("aborted", 300), transaction="abort")
        look.produce(topic, partition, values("committed", 20), transaction="commit")
        look.produce(topic, partition, values("alone", 30), **{"batch.num.messages": 1})
        look.produce(topic, partition, values("aborted last", 5), transaction="abort")
    look.produce(look.counts, 2, values("nothing but aborted", 5), transaction="abort")
    worker = work()
    counted_all(look, worker, inputs=look.inputs[:2])
    assert next_of(worker, (look.counts, 0)) == 10 + 301 + 21 + 30 + 6
    worker.wait(lambda _: next_of(worker, (look.counts, 2)) == 6)
    assert worker.counted()[look.counts, 2]["count"] == 0
    assert worker.stop() == 0
    assert look.committed()[look.counts, 2] == 6


@pytest.mark.parametrize("start", [1, 57, 99, 100])
def test_reading_may_begin_in_the_middle_of_a_batch(look, work, start):
    look.produce(look.counts, 1, values("one batch", 100), **{"linger.ms": 500, "compression.type": "lz4"})
    for partition in (0, 2, 3):
        look.produce(look.counts, partition, values("another", 100))
    worker = work(start={look.counts: start})
    worker.wait_open(ALL)
    look.produce(look.counts, 1, values("more", 5))
    worker.wait(lambda _: next_of(worker, (look.counts, 1)) == 105)
    assert worker.counted()[look.counts, 1]["digest"] == digest("", look.read(look.counts, 1, start))
    assert worker.stop() == 0


def test_a_held_partition_waits_while_the_others_go_on(look, work):
    worker = work()
    worker.wait_open(ALL)
    worker.order("hold", partition=0)
    for partition in look.partitions:
        look.produce(look.counts, partition, values(f"held {partition}", 1000))
    for partition in (1, 2, 3):
        worker.wait(lambda _, p=partition: next_of(worker, (look.counts, p)) == 1000)
    look.produce(look.counts, 1, values("still", 10))
    worker.wait(lambda _: next_of(worker, (look.counts, 1)) == 1010)
    assert (look.counts, 0) not in worker.counted()
    worker.order("release", partition=0)
    counted_all(look, worker, inputs=[look.counts])
    assert worker.stop() == 0


def test_an_offset_beyond_the_log_stops_the_worker_with_an_error_that_says_where(look, work):
    look.produce(look.counts, 2, values("few", 10))
    worker = work(start={look.counts: 77})
    assert worker.join() == 1
    assert "TransportError" in worker.log.read_text()
    assert f"{look.counts} partition" in worker.log.read_text()
    assert "offset 77 is not in the log" in worker.log.read_text()
    assert not [line for line in worker.told if line["what"] == "run"]


def test_an_offset_that_retention_deleted_stops_the_worker(look, work):
    look.produce(look.counts, 2, values("old", 100))
    look.delete_before(look.counts, 2, 60)
    worker = work()
    assert worker.join() == 1
    assert f"{look.counts} partition 2: offset 0 is not in the log" in worker.log.read_text()
    assert not [line for line in worker.told if line["what"] == "run"]
    assert look.committed().get((look.counts, 2)) in (None, 0)


@pytest.mark.parametrize("hook", ["on_run", "after_recovery"])
def test_an_exception_in_a_hook_stops_the_worker_with_exit_code_1(look, work, hook):
    look.produce(look.counts, 2, values("any", 10))
    worker = work(**{"break": hook})
    assert worker.join() == 1
    assert f"broken on purpose: {hook}" in worker.log.read_text()
    assert not [line for line in worker.told if line["what"] == "counted"]


def test_a_consumer_thread_that_ended_first_is_no_error_of_the_stop(look, work):
    worker = work(**{"break": "after_recovery"}, stops_after_its_thread=True)
    assert worker.join() == 1
    assert "did not stop within" not in worker.log.read_text()
    assert "Event loop is closed" not in worker.log.read_text()


def test_an_exception_in_before_revoke_stops_the_worker_with_exit_code_1(look, work):
    worker = work(**{"break": "before_revoke"})
    worker.wait_open(ALL)
    joining = work()
    assert worker.join() == 1
    joining.wait_open(ALL)
    assert joining.stop() == 0


def test_a_hanging_before_revoke_does_not_hold_up_the_group(look, work):
    worker = work(**{"break": "hanging before_revoke"})
    worker.wait_open(ALL)
    joining = work()
    assert len(joining.wait_open()["partitions"]) == 2
    assert len(worker.wait_open(set(ALL) - set(joining.wait_open()["partitions"]))["partitions"]) == 2
    assert joining.stop() == 0
    assert "before_revoke took over" in worker.log.read_text()


def test_a_commit_that_does_not_end_does_not_hold_up_a_stop(look, work):
    worker = work(**{"break": "hanging commit"})
    worker.wait_open(ALL)
    assert worker.stop() == 0
    assert "the last commit took over" in worker.log.read_text()


def test_a_worker_that_does_not_stop_is_ended(look, work):
    worker = work(**{"break": "blocking before_revoke"})
    worker.wait_open(ALL)
    assert worker.stop() == 70


def test_a_worker_told_to_stop_while_it_starts_stops(look, work):
    worker = work(first_recovery_hangs=True)
    worker.wait(lambda told: any(line["what"] == "recovered" for line in told))
    assert worker.stop() == 0


def test_a_worker_told_to_stop_leaves_the_group_also_if_another_joins_it_meanwhile(look, work):
    stopping = work(session=300, rests_until_a_rebalance=True)  # nobody waits for its session to end
    stopping.wait_open(ALL)
    joining = work()
    assert stopping.stop() == 0
    joining.wait_open(ALL)
    assert joining.stop() == 0
