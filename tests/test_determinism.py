"""The same input gives the same bytes: whatever the process, its hash seed, its time zone and its locale."""

import gzip
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from builders import (
    OTHER_PLATFORM,
    PLATFORM,
    Stream,
    answered,
    book_tables,
    count_of,
    day,
    display_said,
    phase_tables,
    policy_tables,
    profile_said,
    ruled,
)

from schemas.instant import text
from schemas.wire import canonical, sha256_hex
from streams.replay.run import replay

ROOT = Path(__file__).parent.parent
SEEDS = ("0", "1", "12345")
ACCOUNTS = [f"acc-{number}" for number in range(12)]
REPLAY = (
    "import sys; from pathlib import Path; from streams.replay.run import replay; from schemas.instant import parse;"
    "replay([Path(sys.argv[1])], None, until=parse(sys.argv[3]), partitions=3, out=Path(sys.argv[2]))"
)
FILES = {
    "disclosure-required.jsonl",
    "grace-periods.jsonl",
    "restrictions.jsonl",
    "journal.jsonl",
    "account-status.jsonl",
    "dead-letters.jsonl",
}


def history(time):
    """Return the lines of a small history in which everything happens to somebody."""
    first = [policy_tables(platform=name, confirm={"dwell_days": 1}) for name in (PLATFORM, OTHER_PLATFORM)]
    second = [
        policy_tables(
            platform=name,
            version="2",
            phase=[phase_tables(), phase_tables(id="p2", threshold=500, **{"from": text(day(9))})],
            scope={"owners": ["individual"]},
        )
        for name in (PLATFORM, OTHER_PLATFORM)
    ]
    stream = Stream()
    if time == "clock":
        stream.tick(day(0))
    stream.book(*first)
    for number in range(20):
        for place, account in enumerate(ACCOUNTS):
            at = day(number + place / 100)
            who = {
                "account_id": account,
                "platform": (PLATFORM, OTHER_PLATFORM)[place % 2],
                "event_id": f"e{number}",
            }
            stream.add(count_of((place * 331 + number * 97) % 2000, at, **who))
            if (number + place) % 7 == 3:
                fact = (
                    answered(("agree", "decline")[number % 2], at, **who),
                    display_said(number % 3 == 0, at, **who),
                    ruled(("waive", "hold", "release", "revoke")[number % 4], at, **who),
                    profile_said(at, subjects={"law": 0.5, "art": 0.25, "war": 0.125}, **who),
                )[place % 4]
                stream.add(fact)
        stream.raw("follower-counts", b'{"followers": 1}', "weibo:acc-0")
        if number == 7:
            stream.book(*second)
        if time == "clock":
            stream.tick(day(number + 1))
    return stream.records


def line_of(topic, raw):
    line = {"topic": topic, "value": msgspec.Raw(raw.value)}
    if raw.key is not None:
        line["key"] = raw.key.decode()
    return msgspec.json.encode(line)


def replayed(file, out, seed, zone="UTC"):
    """Return the hash of each output file of a replay in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", REPLAY, str(file), str(out), text(day(40))]
    subprocess.run(command, check=True, env=environment, timeout=60)
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())}


@pytest.mark.parametrize("time", ["records", "clock"])
def test_a_replay_gives_the_same_bytes_in_every_process(time, tmp_path):
    file = tmp_path / "history.jsonl.gz"
    file.write_bytes(gzip.compress(b"\n".join(line_of(topic, raw) for topic, raw in history(time)) + b"\n"))
    zones = ("UTC", "Asia/Shanghai", "America/St_Johns")
    found = [replayed(file, tmp_path / seed, seed, zone) for seed, zone in zip(SEEDS, zones, strict=True)]
    assert found[0].keys() == FILES
    assert found[0] == found[1] == found[2]
    empty = sha256(b"").hexdigest()
    assert empty not in found[0].values()


PLACES = ("seq", "partition", "offset", "entry")
"""What says where a record stands, not what it says."""


def said_of(out, topics):
    """Return what a replay said of each account, in its order."""
    found = {}
    for topic in topics:
        for line in (out / f"{topic}.jsonl").read_bytes().splitlines():
            record = msgspec.json.decode(line)
            place = (topic, record.get("platform"), record.get("account_id"))
            said = {name: value for name, value in record.items() if name not in PLACES}
            found.setdefault(place, []).append(said)
    return found


@pytest.mark.parametrize("partitions", [2, 5])
@pytest.mark.parametrize(
    "topics",
    [
        pytest.param(
            ("disclosure-required", "grace-periods", "restrictions", "account-status"), id="of accounts"
        ),
        pytest.param(
            ("dead-letters",),
            id="of dead letters",
        ),
    ],
)
def test_what_is_said_does_not_depend_on_the_number_of_partitions(topics, partitions, tmp_path):
    file = tmp_path / "history.jsonl"
    file.write_bytes(b"\n".join(line_of(topic, raw) for topic, raw in history("records")) + b"\n")
    for number in (1, partitions):
        replay([file], None, until=day(40), partitions=number, out=tmp_path / str(number))
    assert said_of(tmp_path / "1", topics) == said_of(tmp_path / str(partitions), topics)


def test_the_hash_of_a_book_does_not_depend_on_the_order_of_its_keys():
    tables = book_tables(policy_tables())
    backwards = {
        "policies": {name: dict(reversed(policy.items())) for name, policy in tables["policies"].items()}
    }
    assert sha256_hex(canonical(tables)) == sha256_hex(canonical(backwards))
