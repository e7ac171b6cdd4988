"""Every error text of the command line, word for word as a user reads it: `tests/messages/cli-<group>.txt`.

Each says what is wrong, why, and what to type next; its exit status stands below it. What only a broker can
provoke is in tests/live/test_messages_live.py.
"""

import gzip
import json
import re
import socket
from pathlib import Path

import golden
import pytest
from command import run, transcript

from schemas.journal import (
    encode_entry,
    entry_hash,
)
from schemas.wire import canonical
from streams.interface.asyncapi import document
from streams.ledger.chain import GENESIS
from streams.policies.load import load_book, shipped_book_dir

ROOT = Path(__file__).parents[1]


# What the commands find ------------------------------------------------------------------------------


def count(followers: int, day: int, **more: object) -> dict[str, object]:
    value = {"event_id": f"c{day}", "platform": "bilibili", "account_id": "acct-7f3a", "followers": followers}
    return {
        "topic": "follower-counts",
        "value": {**value, "observed_at": f"2023-11-{day:02}T00:00:00Z"},
        **more,
    }


LINES = [count(1_203_000, 1), count(1_204_000, 2)]
TICK = {"topic": "clock", "value": {"at": "2023-11-01T00:00:00Z"}}


def write(path: str, *lines: object) -> None:
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    Path(path).write_text("".join(f"{text}\n" for text in texts), "utf-8")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("room")


@pytest.fixture(scope="module")
def _laid_out(room: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(room)
        write("good.jsonl", *LINES)
        assert run("replay", "good.jsonl", "--out", "out", "--until", "2023-11-12T00:00:00Z").status == 0
        write("empty.jsonl")
        write("no-json.jsonl", *LINES, "no line")
        write("no-topic.jsonl", {"topic": "follower-count", "value": {}})
        write("no-value.jsonl", {"topic": "follower-counts"})
        write("partition.jsonl", {**LINES[0], "partition": 2})
        write("offsets.jsonl", {**LINES[0], "offset": 5}, {**LINES[1], "offset": 4})
        write("late-clock.jsonl", *LINES, TICK)
        write("clock.jsonl", TICK)
        _promise()
        write("other.jsonl", count(1_203_001, 1), LINES[1])
        write("fewer.jsonl", LINES[0])
        write("more.jsonl", *LINES, count(1_000, 3))
        (room / "latin.jsonl").write_bytes('{"topic": "ü", "value": {}}'.encode("latin-1"))
        (room / "no.jsonl.gz").write_bytes(b"no gzip")
        (room / "cut.jsonl.gz").write_bytes(
            gzip.compress(b"".join(json.dumps(TICK).encode() for _ in range(99)))[:60]
        )
        (room / "directory").mkdir()
        (room / "directory" / "weibo.toml").write_text('platform = "weibo"\n', "utf-8")
        (room / "nothing").mkdir()
        for name, says in {
            "extends-no-text": "extends = 3",
            "extends-what-extends": 'extends = "../extends-no-text"',
        }.items():
            (room / name).mkdir()
            (room / name / "_defaults.toml").write_text(f"{says}\n", "utf-8")
        _settings_of_clients(room)
        _forge(room)


def _settings_of_clients(room: Path) -> None:
    """Write files of client settings, each with something that cannot be used, and a password in it."""
    sasl = "sasl.mechanism=SCRAM-SHA-512\nsasl.username=worker\nsasl.password=hunter2\n"
    for name, said in {
        "no-line": "sasl.password hunter2",
        "of-java": "sasl.jaas.config=ScramLoginModule required password=hunter2;",
        "unknown": "ssl.cafile=ca.pem",
        "twice": "sasl.password=hunter2\nsasl.password=hunter3",
        "of-no-variable": "sasl.password=${env:NAMEPLATE_NOWHERE}",
        "no-protocol": "security.protocol=TLS",
        "no-mechanism": f"security.protocol=SASL_SSL\n{sasl}".replace("SCRAM-SHA-512", "GSSAPI"),
        "any-host": "security.protocol=SSL\nssl.endpoint.identification.algorithm=none",
        "idle": sasl,
        "no-password": f"security.protocol=SASL_SSL\n{sasl}".replace("sasl.password=hunter2", ""),
        "no-key": "security.protocol=SSL\nssl.certificate.location=good.jsonl",
        "no-ca": f"security.protocol=SASL_SSL\nssl.ca.location=nowhere.pem\n{sasl}",
        "no-pem": f"security.protocol=SASL_SSL\nssl.ca.location=good.jsonl\n{sasl}",
        "plain": f"security.protocol=SASL_PLAINTEXT\n{sasl}",
    }.items():
        (room / f"{name}.properties").write_text(f"# of a client\n{said}\n", "utf-8")
    (room / "latin.properties").write_bytes("sasl.password=hünter".encode("latin-1"))


def _promise() -> None:
    """Write AsyncAPI documents: of somebody else, and one that lets senders send what is not taken any more."""
    write("directory.json", {"asyncapi": "3.0.0", "id": "urn:of:somebody-else"})
    promised = document()
    write("stricter.json", json.dumps(promised).replace('"maximum": 36500', '"maximum": 36501'))


def _forge(room: Path) -> None:
    """Write journals that somebody changed."""
    entries = (room / "out" / "journal.jsonl").read_bytes().splitlines()

    def written(name: str, lines: list[bytes]) -> None:
        (room / name).write_bytes(b"".join(line + b"\n" for line in lines))

    written("cut-out.jsonl", [entries[0], *entries[2:]])
    written("bytes-changed.jsonl", [entries[0], entries[1].replace(b"1203000", b"1203001"), *entries[2:]])
    written("newer.jsonl", [entries[0].replace(b'"v":1', b'"v":99')])
    written("short.jsonl", entries[:-1])
    written(
        "chained-anew.jsonl",
        _chained(entries, "replay", b'"deadline_at":"2023-11-11', b'"deadline_at":"2023-11-10'),
    )
    written("worker.jsonl", _chained(entries, "a-worker", b"", b""))


def _chained(entries: list[bytes], writer: str, old: bytes, new: bytes) -> list[bytes]:
    """Return a journal by another writer, or with other content, that somebody chained and sealed anew."""
    chained, prev = [], GENESIS.hash
    for line in entries:
        entry = json.loads(line)
        content = canonical(entry["content"]).replace(old, new) if old else canonical(entry["content"])
        chained.append(encode_entry(entry["n"], entry["epoch"], prev, writer, content))
        prev = entry_hash(chained[-1])
    return chained


@pytest.fixture(autouse=True)
def _in_the_room(room: Path, _laid_out: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(room)
    for variable in (
        "NAMEPLATE_BOOTSTRAP",
        "NAMEPLATE_PREFIX",
        "NAMEPLATE_GROUP",
        "NAMEPLATE_CLIENT_CONFIG",
        "NAMEPLATE_INSECURE",
        "NAMEPLATE_LOG",
        "COLUMNS",
    ):
        monkeypatch.delenv(variable, raising=False)


# What is typed ---------------------------------------------------------------------------------------

CALLS: dict[str, list[str]] = {
    "usage": [
        "reply",
        "replay",
        "replay good.jsonl --unknown",
        "replay good.jsonl --partitions none",
        "replay good.jsonl --partitions 0",
        "replay good.jsonl --format xml",
        "policy shw",
        "policy show",
        "topics plan --bootstrap here",
        "topics plan --bootstrap 127.0.0.1:1,there",
        "topics plan --prefix name+plate",
        "publish good.jsonl --rate 0",
        "broker up --port 70000",
    ],
    "replay": [
        "replay nowhere.jsonl",
        "replay directory",
        "replay good.jsonl/below",
        "replay no.jsonl.gz",
        "replay cut.jsonl.gz",
        "replay latin.jsonl",
        "replay no-json.jsonl",
        "replay no-topic.jsonl",
        "replay no-value.jsonl",
        "replay partition.jsonl",
        "replay offsets.jsonl",
        "replay late-clock.jsonl",
        "replay good.jsonl --until noon",
        "replay good.jsonl --until 2023-11-12",
        "replay good.jsonl --policies nowhere",
        "replay good.jsonl --policies nothing",
        "replay good.jsonl --policies directory",
        "replay good.jsonl --out good.jsonl",
        "replay good.jsonl --out good.jsonl/below",
    ],
    "verify": [
        "verify",
        "verify out/journal.jsonl --bootstrap 127.0.0.1:1",
        "verify nowhere.jsonl",
        "verify directory",
        "verify good.jsonl",
        "verify empty.jsonl",
        "verify cut-out.jsonl",
        "verify bytes-changed.jsonl",
        "verify newer.jsonl",
        "verify chained-anew.jsonl",
        "verify out/journal.jsonl --inputs nowhere.jsonl",
        "verify out/journal.jsonl --inputs other.jsonl",
        "verify out/journal.jsonl --inputs fewer.jsonl",
        "verify out/journal.jsonl --inputs more.jsonl",
        "verify short.jsonl --inputs good.jsonl",
        "verify worker.jsonl --inputs good.jsonl",
        "verify worker.jsonl --inputs empty.jsonl",
        "verify worker.jsonl --inputs other.jsonl",
    ],
    "explain": [
        "explain acct-7f3a --journal out/journal.jsonl",
        "explain bilibili:acct-7f3a",
        "explain bilibili:acct-7f3a --journal nowhere.jsonl",
        "explain bilibili:acct-7f3a --journal empty.jsonl",
        "explain bilibili:acct-7f3a --journal cut-out.jsonl",
        "explain myspace:acct-7f3a --journal out/journal.jsonl",
        "explain bilibili:acct-7f3a --journal out/journal.jsonl --at noon",
    ],
    "policy": [
        "policy check nowhere",
        "policy check good.jsonl",
        "policy check nothing",
        "policy check directory",
        "policy check extends-no-text",
        "policy check extends-what-extends",
        "policy show myspace",
        "policy show weibo --at noon",
        "policy show weibo --policies directory",
        "policy publish nowhere",
    ],
    "generate": [
        "generate good.jsonl/below",
        "generate new.jsonl --near 2",
        "generate new.jsonl --start noon",
        "generate new.jsonl --start 9999-12-31T00:00:00Z",
        "generate new.jsonl --late 0.9 --doubled 0.9",
        "generate new.jsonl --platform myspace",
        "generate new.jsonl --policies nowhere",
    ],
    "demo": [
        "demo --in-process --bootstrap 127.0.0.1:1",
        "demo --bootstrap here",
        "demo --in-process --out good.jsonl",
        "demo --in-process --data nowhere.jsonl",
        "demo --in-process --data clock.jsonl",
        "demo --in-process --data empty.jsonl",
        "demo --bootstrap 127.0.0.1:1",
    ],
    "schema": [
        "schema export good.jsonl",
        "schema check nowhere.json",
        "schema check good.jsonl",
        "schema check directory.json",
        "schema check stricter.json",
    ],
    "access": [
        *(
            f"worker --client-config {name}.properties"
            for name in (
                *(
                    "nowhere",
                    "latin",
                    "no-line",
                    "of-java",
                    "unknown",
                    "twice",
                    "of-no-variable",
                    "no-protocol",
                ),
                *("no-mechanism", "any-host", "idle", "no-password", "no-key", "no-ca", "no-pem"),
            )
        ),
        "topics acls plan --bootstrap 127.0.0.1:1",
        "topics acls plan --grant king=User:a --bootstrap 127.0.0.1:1",
        "topics acls apply --grant worker=a --bootstrap 127.0.0.1:1",
        "topics acls apply --grant worker=User:a --bootstrap 127.0.0.1:1",
        "worker --bootstrap 192.0.2.1:9092",
        "topics apply --bootstrap 192.0.2.1:9092 --client-config plain.properties",
        "publish good.jsonl --bootstrap 127.0.0.1:1,192.0.2.1:9092",
        "verify --bootstrap no-such-host.invalid:9092",
        "doctor --bootstrap 127.0.0.1:1 --client-config idle.properties",
        "topics plan --bootstrap 127.0.0.1:1 --client-config plain.properties --insecure",
    ],
    "no-broker": [
        "topics plan --bootstrap 127.0.0.1:1",
        "topics apply --bootstrap 127.0.0.1:1",
        "publish good.jsonl --bootstrap 127.0.0.1:1",
        "publish nowhere.jsonl --bootstrap 127.0.0.1:1",
        "policy publish --bootstrap 127.0.0.1:1",
        "journal export journal.jsonl --bootstrap 127.0.0.1:1",
        "verify --bootstrap 127.0.0.1:1",
        "explain bilibili:acct-7f3a --bootstrap 127.0.0.1:1",
        "worker --bootstrap 127.0.0.1:1",
        "worker --bootstrap 127.0.0.1:1 --time records",
        "worker --until 2023-11-12T00:00:00Z",
        "worker --pace 2",
        "worker --time records --until noon",
        "worker --lost follower-counts",
        "worker --lost follower-counts:1:x",
        "broker status",
        "broker down",
        "broker up --data good.jsonl",
        "broker up --data a,b",
    ],
}


@pytest.mark.parametrize("group", CALLS)
def test_what_is_said_of_an_error_is_the_golden_text(group: str) -> None:
    golden.hold(f"cli-{group}", "\n".join(transcript(*call.split()) for call in CALLS[group]))


def test_a_level_of_the_log_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMEPLATE_LOG", "LOUD")
    golden.hold("cli-log", transcript("policy", "show", "weibo"))


def test_a_machine_without_java_is_told_what_to_install(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(room))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("NAMEPLATE_CACHE", str(room / "cache"))
    said = [transcript("broker", "up", "--port", "0x1"), transcript("broker", "up")]
    java = room / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    java.chmod(0o755)
    said.append(transcript("broker", "up"))
    maven = room / "mvn"
    maven.write_text("#!/bin/sh\necho 'no such host'; exit 1\n")
    maven.chmod(0o755)
    said.append(transcript("broker", "up"))
    golden.hold("cli-broker", "\n".join(said))


def test_a_taken_port_is_refused(room: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = [transcript("broker", "up", "--port", port), transcript("worker", "--metrics-port", port)]
    golden.hold("cli-port", "\n".join(said).replace(str(port), "PORT"))


def test_a_machine_with_nothing_on_it_is_told_what_to_do(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(room / "nothing"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("NAMEPLATE_CACHE", str(room / "nothing"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    asked = ("doctor", "--bootstrap", f"127.0.0.1:{port}", "--data", "nothing")
    said = transcript(*asked, "--policies", "directory") + "\n" + transcript(*asked, "--format", "json")
    said = said.replace(str(port), "PORT")
    said = said.replace(shipped_book(), "#")
    for measured in (r"3\.11\.\d+", r"\d+\.\d(?= GiB)"):
        said = re.sub(measured, "#", said)
    golden.hold("cli-doctor", said)


def shipped_book() -> str:
    return load_book(shipped_book_dir()).hash
