"""The commands on a real broker: what they print, what they refuse, and that they agree with those on files."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import golden
import pytest
from command import run
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient
from harness import Cluster

from schemas import topics
from schemas.partitioner import partition_of
from streams.broker.local import Broker
from streams.live import topics as admin
from streams.policies.load import shipped_book_dir
from streams.replay.files import Line

pytestmark = pytest.mark.broker

PARTITIONS = 3
ACCOUNTS = [f"acct-{number:03}" for number in range(6)]
BEGIN, END = "2023-11-01T00:00:00Z", "2023-11-12T00:00:00Z"
TO_THE_END = ("--time", "records", "--until", END, "--stop-at-end")


class Stream(Cluster):
    """A cluster, and commands that are told of it."""

    def told(self, *arguments: object) -> list[object]:
        return [*arguments, "--bootstrap", self.bootstrap, "--prefix", self.prefix]

    def json(self, *arguments: object) -> object:
        ended = run(*self.told(*arguments), "--format", "json")
        assert ended.status == 0, ended.err
        return json.loads(ended.out)

    def transcript(self, *arguments: object, prefix: str | None = None) -> str:
        """Return a command that is refused, as in `tests/messages`, with nothing in it of this one run."""
        asked = [*arguments, "--bootstrap", self.bootstrap, "--prefix", prefix or self.prefix]
        ended = run(*asked)
        assert ended.status in (1, 2), ended.out
        said = f"$ nameplate {' '.join(map(str, asked))}\n{ended.out}{ended.err}=> {ended.status}\n"
        return self.masked(said)

    def masked(self, said: str) -> str:
        said = said.replace(self.bootstrap, "HOST:PORT").replace(self.prefix, "PREFIX.")
        return re.sub(r"/\S*pytest\S*/", "DIR/", said)


@pytest.fixture
def stream(broker: Broker, prefix: str, tmp_path: Path) -> Iterator[Stream]:
    stream = Stream(broker.bootstrap, prefix, tmp_path, PARTITIONS)
    yield stream
    stream.close()


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    path = tmp_path / "counts.jsonl"
    lines = [
        {"event_id": f"c-{account}", "platform": "bilibili", "account_id": account, "followers": 1_200_000}
        for account in ACCOUNTS
    ]
    with path.open("w") as file:
        for line in lines:
            value = line | {"observed_at": BEGIN}
            file.write(json.dumps({"topic": "follower-counts", "value": value}) + "\n")
    return path


def decide(stream: Stream, counts: Path) -> Path:
    """Publish, let a worker decide, and return the exported journal."""
    assert run(*stream.told("policy", "publish")).status == 0
    assert run(*stream.told("publish", counts)).out == f"{len(ACCOUNTS)} lines acknowledged\n"
    stream.worker(*TO_THE_END).wait_exit()
    return stream.export()


def cut_journal(stream: Stream, partition: int, upto: int) -> None:
    """Let a partition of the journal begin later."""
    client = AdminClient({"bootstrap.servers": stream.bootstrap, "log_level": 0})
    place = TopicPartition(topics.full_name(topics.JOURNAL, stream.prefix), partition, upto)
    client.delete_records([place])[place].result()


def test_a_broker_s_journal_is_verified_and_explained_as_the_exported_one(
    stream: Stream, counts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = decide(stream, counts)
    assert stream.json("verify") == json.loads(run("verify", journal, "--format", "json").out)
    checked = stream.json("verify", "--inputs", counts)
    assert isinstance(checked, list)
    assert sum(row["input_records"] for row in checked) == len(ACCOUNTS) + PARTITIONS  # and the book of each
    for account in (*ACCOUNTS, "acct-nobody"):
        asked = ("explain", f"bilibili:{account}")
        said = run(*stream.told(*asked), "--at", END)
        assert (said.status, said.out) == (0, run(*asked, "--journal", journal, "--at", END).out)
        assert stream.json(*asked) == json.loads(run(*asked, "--journal", journal, "--format", "json").out)
    monkeypatch.setenv("NAMEPLATE_BOOTSTRAP", stream.bootstrap)
    assert run("verify", "--prefix", stream.prefix).out == run("verify", journal).out
    monkeypatch.setenv("NAMEPLATE_BOOTSTRAP", "127.0.0.1:9")  # a file is named, and nobody is asked
    assert run("verify", journal).status == 0


def test_of_a_broker_s_journal_only_the_account_s_partition_is_read(stream: Stream, counts: Path) -> None:
    decide(stream, counts)
    own = partition_of(b"bilibili:" + ACCOUNTS[0].encode(), PARTITIONS)
    cut_journal(stream, (own + 1) % PARTITIONS, 1)
    assert run(*stream.told("verify")).status == 1
    assert run(*stream.told("explain", f"bilibili:{ACCOUNTS[0]}")).status == 0
    cut_journal(stream, own, 1)
    refused = run(*stream.told("explain", f"bilibili:{ACCOUNTS[0]}"))
    assert refused.status == 1
    assert f"The journal of partition {own} begins at offset 1: its beginning is lost" in refused.err


def test_a_doctor_says_what_is_missing_until_nothing_is(broker: Broker, prefix: str, tmp_path: Path) -> None:
    stream = Stream.__new__(Stream)
    stream.bootstrap, stream.prefix = broker.bootstrap, prefix
    doctor = ("doctor", "--data", broker.data_dir, "--bootstrap", broker.bootstrap, "--prefix", prefix)

    def found() -> dict[str, str]:
        ended = run(*doctor, "--format", "json")
        checks = {check["check"]: check for check in json.loads(ended.out)}
        assert ended.status == (2 if any(check["status"] == "wrong" for check in checks.values()) else 0)
        return {name: f"{check['status']}: {check['found']}" for name, check in checks.items()}

    assert found()["topics"].startswith("wrong: 11 of 11 are missing: ")
    assert found()["clock"] == "unknown: the topic is missing"
    assert run(*stream.told("topics", "apply"), "--partitions", 3).status == 0
    assert found()["topics"] == "ok: 11, of 3 partitions"
    assert found()["published"] == "wrong: none"
    stream.publish_lines([admin_line(b'{"book": 1}')])
    assert found()["published"].startswith("wrong: the newest of 1 is none: it becomes a dead letter (")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "_defaults.toml").write_text(
        'extends = "BOOK"\n'.replace("BOOK", str(shipped_book_dir()))
    )
    (tmp_path / "own" / "weibo.toml").write_text('version = "own"\n')
    assert run(*stream.told("policy", "publish", tmp_path / "own")).status == 0
    assert found()["published"].startswith("note: another one, ")
    assert run(*stream.told("policy", "publish")).status == 0
    assert {name: said.partition(":")[0] for name, said in found().items()} == dict.fromkeys(CHECKS, "ok")
    clock = next(spec for spec in admin.wanted(prefix, 3) if spec.short == topics.CLOCK)
    admin.apply(broker.bootstrap, [replace(clock, config={"message.timestamp.type": "CreateTime"})])
    assert found()["clock"] == f"wrong: {prefix}clock.v1 is CreateTime"
    assert found()["topics"].endswith("has message.timestamp.type=CreateTime, not LogAppendTime")


CHECKS = (
    "python",
    "compiled",
    "java",
    "maven",
    "disk",
    "port",
    "broker",
    "topics",
    "clock",
    "book",
    "published",
)


def admin_line(value: bytes) -> Line:
    return Line("a test", 1, topics.BOOKS, value, None)


def test_what_is_refused_on_a_broker_is_the_golden_text(stream: Stream, counts: Path, broker: Broker) -> None:
    beyond = counts.with_name("beyond.jsonl")
    beyond.write_text('{"topic": "clock", "value": {"at": "2023-11-01T00:00:00Z"}, "partition": 9}\n')
    nowhere = f"{stream.prefix}nowhere."
    said = [
        stream.transcript("topics", "plan", "--partitions", 4),
        stream.transcript("topics", "apply", "--partitions", 4),
        stream.transcript("publish", beyond),
        stream.transcript("publish", counts, prefix=nowhere),
        stream.transcript("policy", "publish", prefix=nowhere),
        stream.transcript("journal", "export", counts.with_name("j.jsonl"), prefix=nowhere),
        stream.transcript("journal", "export", counts.with_name("j.jsonl"), "--partition", 9),
        stream.transcript("verify", prefix=nowhere),
        stream.transcript("verify"),
        stream.transcript("explain", "bilibili:acct-000"),
        stream.transcript("worker", prefix=nowhere),
        stream.transcript("topics", "acls", "apply", "--grant", "worker=User:worker"),
    ]
    clock = next(spec for spec in admin.wanted(stream.prefix, PARTITIONS) if spec.short == topics.CLOCK)
    admin.apply(stream.bootstrap, [replace(clock, config={"message.timestamp.type": "CreateTime"})])
    said.append(stream.transcript("worker"))
    other = run("broker", "up", "--data", broker.data_dir, "--port", 1)
    said.append(stream.masked(f"$ nameplate broker up --port 1\n{other.err}=> {other.status}\n"))
    golden.hold("cli-on-a-broker", "\n".join(said))


def test_a_worker_that_stops_says_why_once_and_without_a_traceback(stream: Stream, counts: Path) -> None:
    decide(stream, counts)
    cut_journal(stream, 1, OFFSET_END)
    again = stream.worker(*TO_THE_END)
    again.wait_exit(1)
    *_, last = again.log.splitlines()
    assert last.startswith("partition 1: The journal begins at offset ")
    assert last.endswith("then start the worker again: `nameplate worker`. [journal-cut]")
    assert again.log.count("The journal begins at offset") == 1
    assert "Traceback" not in again.log
    assert "We experienced a crash" not in again.log
