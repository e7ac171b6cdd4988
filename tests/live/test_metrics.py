"""What a worker tells of itself: the journal's own numbers, on this machine alone, and only who asks is told."""

import json
import signal
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from evidence import Told, accepted
from harness import Cluster, eventually, nameplate
from prometheus_client.parser import text_string_to_metric_families
from stories import UNTIL

from schemas import topics
from schemas.instant import SECOND, parse

pytestmark = pytest.mark.broker

PARTITIONS = 3
HISTORY = ("--time", "records", "--until", UNTIL)
METRICS = ("--metrics-port", 0)
SESSION_S = 2


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    it = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield it
    it.close()


def listening(worker):
    """Return the addresses on which a process listens."""
    sockets = {link.readlink().name for link in Path(f"/proc/{worker.process.pid}/fd").iterdir()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{worker.process.pid}/net/{table}").read_text("ascii").splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in sockets:
                address, port = local.split(":")
                found.add((socket.inet_ntoa(struct.pack("=I", int(address[-8:], 16))), int(port, 16)))
    return found


def place(worker):
    """Return where the worker's log says that it tells its metrics."""
    lines = eventually(
        lambda: [line for line in worker.log.splitlines() if "metrics at " in line], "it says it"
    )
    return lines[0].split("metrics at ")[1]


def scrape(worker):
    with urllib.request.urlopen(place(worker), timeout=10) as answer:  # noqa: S310 - our own address
        return answer.read().decode()


def numbers(*workers):
    """Return the samples of all workers together: by name and, sorted, the values of the labels."""
    found = Counter()
    for worker in workers:
        for family in text_string_to_metric_families(scrape(worker)):
            for sample in family.samples:
                found[sample.name, *sorted(sample.labels.values())] += sample.value
    return found


def journaled(cluster):
    """Return the counters as the exported journal has them."""
    found = Counter()
    entries = [one for records in accepted(cluster).values() for one in records]
    found["nameplate_journal_seconds_count",] = sum(not one.is_takeover for one in entries)
    for line in cluster.export().read_bytes().splitlines():
        content = json.loads(line)["content"]
        for topic, start, end, _ in content["runs"]:
            found["nameplate_records_total", str(content["partition"]), topic] += end - start
            found["nameplate_quiet_records_total",] += (end - start) * (topic == topics.COUNTS)
        for decision in content["decisions"]:
            cause = decision["cause"]
            if "dead" in decision:
                found["nameplate_dead_letters_total", decision["dead"]["code"]] += 1
                found["nameplate_quiet_records_total",] -= decision["dead"]["topic"] == topics.COUNTS
                continue
            for said in [output["type"] for output in decision["outputs"]] or [
                "book-adopted" if "tables" in cause else "silent"
            ]:
                found["nameplate_decisions_total", said] += 1
            if cause["topic"] == topics.COUNTS and "value" in cause:
                found["nameplate_taken_records_total",] += 1
                found["nameplate_quiet_records_total",] -= 1
    return found


def counters(found):
    names = ("records", "quiet_records", "taken_records", "dead_letters", "decisions")
    kept = {*(f"nameplate_{name}_total" for name in names), "nameplate_journal_seconds_count"}
    return Counter({sample: value for sample, value in found.items() if sample[0] in kept})


def wait_counted(expected, *workers):
    """Wait until the last entries are done with, and hold the numbers of all workers against the journal's."""
    rounds = ("nameplate_journal_seconds_count",)
    eventually(lambda: numbers(*workers)[rounds] >= expected[rounds], "all entries are counted")
    assert counters(numbers(*workers)) == expected


def statuses(cluster):
    """Return by partition what the topic says last of each account."""
    found = {}
    for number, records in cluster.read(topics.STATUS).items():
        last = {record.key: record.value for record in records}
        found[number] = [json.loads(value) for value in last.values() if value is not None]
    return found


def deadlines(cluster):
    """Return by partition the deadlines of the clocks that run."""
    return {
        number: [parse(one["deadline_at"]) for one in said if one["stage"] == "grace"]
        for number, said in statuses(cluster).items()
    }


def open_duties(cluster):
    return {
        number: sum(one["stage"] in {"grace", "stopped", "restricted"} for one in said)
        for number, said in statuses(cluster).items()
    }


def is_at_end(cluster):
    return all(entries and entries[-1].content.T == UNTIL for entries in accepted(cluster).values())


def test_the_numbers_are_those_of_the_journal(cluster):
    Told(cluster, UNTIL).publish(cluster)
    worker = cluster.worker(*HISTORY, *METRICS, session=SESSION_S)
    eventually(lambda: is_at_end(cluster), "the end")
    expected = journaled(cluster)
    assert {kind for kind, *_ in expected} == {kind for kind, *_ in counters(numbers(worker))}
    wait_counted(expected, worker)
    found = numbers(worker)
    assert found["nameplate_partitions",] == PARTITIONS
    duties, ends = open_duties(cluster), accepted(cluster)
    assert sum(duties.values())
    for number in range(PARTITIONS):
        assert found["nameplate_time_seconds", str(number)] == parse(UNTIL) / SECOND
        assert found["nameplate_open_duties", str(number)] == duties[number]
        for topic in (topics.COUNTS, topics.FACTS, topics.BOOKS):
            assert found["nameplate_lag_records", str(number), topic] == 0
    assert any(entries[-1].content.positions[topics.FACTS] for entries in ends.values())
    assert found["nameplate_recovery_seconds",] > 0
    assert found["nameplate_void_entries_total",] == 0


def test_what_is_due_next_and_how_many_rows_there_were_is_told_after_a_takeover(cluster):
    """Without an end of the history reminders and deadlines are still to come."""
    Told(cluster, UNTIL).publish(cluster)
    cluster.worker("--time", "records", "--stop-at-end", session=SESSION_S).wait_exit()
    worker = cluster.worker("--time", "records", *METRICS, session=SESSION_S)
    eventually(lambda: "recovered " in worker.log, "it owns them")
    found = numbers(worker)
    rows = sum(map(len, statuses(cluster).values()))
    assert found["nameplate_recovered_rows",] == rows
    assert f"recovered {rows} rows of {PARTITIONS} partitions in " in worker.log
    assert any(deadlines(cluster).values())
    for number, running in deadlines(cluster).items():
        due, now = (found[f"nameplate_{name}_seconds", str(number)] for name in ("next_deadline", "time"))
        assert now == parse(accepted(cluster)[number][-1].content.T) / SECOND
        assert not running or now < due <= min(running) / SECOND  # a reminder may come before
    assert not counters(found)["nameplate_taken_records_total",]  # they count from the process's own start


def test_records_that_nobody_takes_yet_are_the_lag(cluster):
    """There is no book, so no count is taken; a scrape asks the broker for nothing."""
    worker = cluster.worker(*METRICS, session=SESSION_S)
    worker.wait_owned(*range(PARTITIONS))
    cluster.publish_file(Told(cluster, UNTIL).file)
    there = {number: len(records) for number, records in cluster.read(topics.COUNTS).items()}
    lag = lambda: {  # noqa: E731
        number: numbers(worker)["nameplate_lag_records", str(number), topics.COUNTS] for number in there
    }
    eventually(lambda: lag() == there, "the lag is what is there")
    assert "nameplate_time_seconds" in scrape(worker)  # by its ticks


def test_workers_together_count_the_journal_once_and_answer_while_partitions_move(cluster):
    Told(cluster, UNTIL).publish(cluster)
    workers = [cluster.worker("--time", "records", *METRICS, session=SESSION_S)]
    workers[0].wait_owned(*range(PARTITIONS))
    stopping, scraped = threading.Event(), []

    def keep_asking():
        while not stopping.wait(0.01):
            scraped.append(scrape(workers[0]))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        workers.append(cluster.worker("--time", "records", *METRICS, session=SESSION_S))
        eventually(workers[1].owned, "the second one owns something")
        eventually(cluster.has_journaled_all, "the end")
        expected = journaled(cluster)
        wait_counted(expected, *workers)
        workers[1].send(signal.SIGTERM)
        workers[1].wait_exit()
        eventually(lambda: numbers(workers[0])["nameplate_partitions",] == PARTITIONS, "they come back")
    finally:
        stopping.set()
        asking.join()
    assert "Traceback" not in workers[0].log
    assert len({page for page in scraped if "nameplate_partitions" in page}) > 1


def test_nobody_is_told_who_did_not_ask_and_who_asked_only_on_this_machine(cluster):
    silent, telling = (cluster.worker(*how, session=SESSION_S) for how in ((), METRICS))
    eventually(lambda: silent.owned() and telling.owned(), "both work")
    assert listening(silent) == set()
    ((host, port),) = listening(telling)
    assert place(telling) == f"http://127.0.0.1:{port}/metrics"
    assert host == "127.0.0.1"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)
    where = ("--bootstrap", cluster.bootstrap, "--prefix", cluster.prefix)
    said = nameplate("worker", *where, "--metrics-port", port, expect=2)
    assert f"The metrics cannot be served on port {port} of 127.0.0.1 (Address already in use)." in said
    assert "take any that is free with `nameplate worker --metrics-port 0`." in said
