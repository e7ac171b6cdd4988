"""Partitions move when a worker joins and when it leaves, and nobody who reads the outputs can tell."""

import ast
import asyncio
import hashlib
import json
import re
import signal
import threading
import time

import pytest
from harness import ROOT, Cluster, eventually, nameplate, replayed

from schemas import topics
from schemas.account import pack, row_of_json
from schemas.instant import text
from schemas.journal import HeadPointer
from schemas.wire import canonical
from streams.live.owner import HEAD_KEY
from streams.live.publish import publish
from streams.policies.load import shipped_book_dir
from streams.replay.files import Line

PARTITIONS = 4
RATE = 60
"""Lines a second: a partition is never without one for long, and the audit afterwards stays short."""
OWNED = re.compile(r"partition (\d+) is ours from entry \d+ on, epoch (\d+)")


@pytest.fixture
def cluster(broker, prefix, tmp_path):
    made = Cluster(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    made.publish_book(shipped_book_dir())
    yield made
    made.close()


def now(hours_ago=0.0):
    return text(time.time_ns() // 1000 - int(hours_ago * 3600 * 1_000_000))


class Publisher:
    """Publishes without a pause, from a thread of its own: each account reaches a line, every third shows its name."""

    def __init__(self, cluster):
        self.accounts = 0
        self.rounds = 0
        self._cluster = cluster
        self._is_over = threading.Event()
        self._failed = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
        assert not self._failed

    def wait_rounds(self, count):
        """Wait until so many rounds more were acknowledged."""
        until = self.rounds + count
        eventually(lambda: self.rounds >= until or self._failed, "records are published")

    def _run(self):
        try:
            while not self._is_over.is_set():
                lines = [line for _ in range(5) for line in self._lines()]
                send = publish(
                    self._cluster.bootstrap, self._cluster.prefix, lines, rate=RATE, done=lambda _: None
                )
                asyncio.run(send)
                self.rounds += 1
        except Exception as error:
            self._failed.append(error)
            raise

    def _lines(self):
        number = self.accounts
        self.accounts += 1
        who = {"platform": "bilibili", "account_id": f"acc-{number:05}"}
        yield self._line(topics.COUNTS, who, followers=499_999 + number % 4, observed_at=now(1))
        if number % 3 == 0:
            shown = {"type": "name-display-changed", "displayed": True}
            yield self._line(topics.FACTS, who, occurred_at=now(0.5), **shown)
        yield self._line(topics.COUNTS, who, followers=1_000_000 - number % 5, observed_at=now())

    def _line(self, topic, who, **said):
        key = f"{who['platform']}:{who['account_id']}"
        value = {"event_id": f"{topic}-{key}-{len(said)}-{said.get('followers', '')}", **who, **said}
        return Line("a test", 1, topic, canonical(value), key.encode())


def last_owners(epoch, *workers):
    """Return by partition the number of the worker that took it over last, where it was in this epoch or later."""
    best = {}
    for number, worker in enumerate(workers):
        for partition, found in OWNED.findall(worker.log):
            best[int(partition)] = max(best.get(int(partition), (0, 0)), (int(found), number))
    return {partition: number for partition, (found, number) in best.items() if found >= epoch}


def test_partitions_move_to_a_worker_that_joins_and_back_when_it_leaves(cluster, tmp_path):
    every = set(range(PARTITIONS))
    first = cluster.worker()
    first.wait_owned(*every)
    with Publisher(cluster) as publisher:
        publisher.wait_rounds(2)
        second = cluster.worker()
        owners = eventually(
            lambda: _shared(last_owners(2, first, second)), "the partitions are shared by both workers"
        )
        moved = {number for number, worker in owners.items() if worker == 1}
        publisher.wait_rounds(2)
        second.send(signal.SIGTERM)
        second.wait_exit(0)
        eventually(
            lambda: last_owners(3, first, second) == dict.fromkeys(every, 0),
            "the partitions are the first worker's again",
        )
        publisher.wait_rounds(2)
    eventually(cluster.has_journaled_all, "everything published is journaled")
    first.send(signal.SIGTERM)
    first.wait_exit(0)
    journal = cluster.export()
    both_wrote_what_they_owned(journal, moved)
    outputs_are_those_of_the_replay(cluster, journal, tmp_path, publisher.accounts)
    rows_are_those_of_the_journal(cluster, journal)


def _shared(owners):
    return owners if set(owners) == set(range(PARTITIONS)) and set(owners.values()) == {0, 1} else None


def both_wrote_what_they_owned(journal, moved):
    """Each move is an epoch of the chain, and each epoch has one writer."""
    writers = {}
    for line in journal.read_bytes().splitlines():
        entry = json.loads(line)
        writers.setdefault(entry["content"]["partition"], {}).setdefault(entry["epoch"], set()).add(
            entry["writer"]
        )
    assert set(writers) == set(range(PARTITIONS))
    for partition, by_epoch in writers.items():
        assert all(len(names) == 1 for names in by_epoch.values())
        assert len(by_epoch) >= 3, "taken over at the start, when a worker joined, and when it left"
        names = [name for _, (name,) in sorted((epoch, tuple(found)) for epoch, found in by_epoch.items())]
        assert len(set(names)) == (2 if partition in moved else len(set(names)))
        assert names[0] == names[-1]


def outputs_are_those_of_the_replay(cluster, journal, directory, accounts):
    taken, out = cluster.write_inputs_as_taken(journal, directory / "taken.jsonl"), directory / "replayed"
    nameplate("replay", taken, "--partitions", PARTITIONS, "--out", out)
    outputs = cluster.outputs()
    assert outputs == replayed(out, PARTITIONS)
    told = [
        json.loads(value)["account_id"] for values in outputs[topics.DISCLOSURE].values() for value in values
    ]
    assert len(set(told)) > accounts / 2, "most of them had a duty"
    nameplate("verify", journal, "--inputs", taken)


def rows_are_those_of_the_journal(cluster, journal):
    """The table's changelog, folded, is what the decisions say, and a head pointer that names the last entry."""
    wanted = {number: {} for number in range(PARTITIONS)}
    for number, decision in cluster.decisions(journal):
        if "after" in decision:
            after = decision["after"]
            wanted[number][decision["key"].encode()] = None if after is None else pack(row_of_json(after))
    heads = {}
    accepted = set(journal.read_bytes().splitlines())
    for number, entries in cluster.read(topics.JOURNAL).items():
        last = [entry for entry in entries if entry.value in accepted][-1]
        heads[number] = HeadPointer(hashlib.sha256(last.value).hexdigest(), last.offset + 1).encode()
    for number, records in cluster.read_named(f"{cluster.prefix}rows-changelog").items():
        rows = {record.key: record.value for record in records}
        assert rows.pop(HEAD_KEY) == heads[number]
        assert {key: row for key, row in rows.items() if row is not None} == {
            key: row for key, row in wanted[number].items() if row is not None
        }


# One way in, one way out -----------------------------------------------------------------------------


def calls(*names):
    """Return who calls any attribute or function of these names in the live room: file, class and function."""
    found = set()
    for path in sorted((ROOT / "streams" / "live").glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for place, node in walk(tree, ()):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if {called, called.partition(".")[2]} & set(names):
                found.add((path.stem, ".".join(place)))
    return found


def walk(node, place):
    for child in ast.iter_child_nodes(node):
        yield place, child
        named = isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        yield from walk(child, (*place, child.name) if named else place)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def test_a_record_comes_to_a_decision_only_as_an_event_of_the_agent_or_as_a_book():
    """Agent, deliver, on_run, offer, intake, fold: each step of the way has one caller."""
    assert calls("app.deliver", "deliver") == {("app", "_add_agent.runs")}
    assert calls("on_run") == {("app", "App.deliver")}
    assert calls("owner.offer", "offer") <= {("worker", "Worker.on_run")} | calls("_intake.offer")
    assert ("worker", "Worker.on_run") in calls("offer")
    assert calls("_intake.offer") == {
        ("owner", f"Owner.{name}") for name in ("recover", "offer", "_take_books")
    }
    assert calls("Fold") == {("owner", "Owner.recover")}
    assert calls("_fold.take") == {("owner", "Owner._take")}
    assert calls("_take") == {("owner", "Owner.work"), ("intake", "Merged.next")}
    ends = {("owner", "Owner._finish_history"), ("owner", "Owner._finish_time")}
    assert calls("_fold.finish") == ends


def test_nothing_live_decides_by_itself():
    for path in (ROOT / "streams" / "live").glob("*.py"):
        taken = {
            (module, name) for module, name in imported(path) if (module or "").startswith("streams.core")
        }
        assert not {name for _, name in taken} & {"decide", "Decider", "Agenda", "Sealer"}, path.name
        assert not any(module.endswith((".decide", ".obligations", ".agenda")) for module, _ in taken), (
            path.name
        )


def test_rows_leave_only_through_the_table():
    """Only `Rows.write` sends to the changelog, only an owner calls it, and Faust's own ways are shut."""
    assert calls("rows.write", "_ports.rows.write") == {
        ("performer", "Performer._do"),
        ("performer", "Performer._do_recovery"),
    }
    sends = calls("send_in_order")
    assert sends == {
        ("rows", "Rows.write"),
        ("rows", "send_with_last"),
        ("ports", "Ports.append"),
        ("ports", "Ports.publish"),
        ("worker", "Worker._tick"),
    }
    for path in (ROOT / "streams" / "live").glob("*.py"):
        if path.stem not in ("rows", "app", "topic_specs", "transport", "acls"):
            assert "changelog" not in re.sub(
                r'""".*?"""|#.*', "", path.read_text("utf-8"), flags=re.DOTALL
            ), path.name
