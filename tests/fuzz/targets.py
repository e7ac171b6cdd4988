"""What is fed with anything: each function takes bytes, and lets no exception out but a bug's.

Each catches the typed errors that its subject promises. The corpora are what is sent and kept in life.
"""

import gzip
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from aiokafka.record.default_records import DefaultRecordBatchBuilder

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest does

import contextlib

from builders import book_tables, count_of, day, policy_tables, profile_said
from worlds import toml

from schemas import topics
from schemas.columns import Column
from schemas.dead_letters import CODES, dead_letter
from schemas.errors import AuditError, InputError, OperatorError, PolicyError, TransportError
from schemas.instant import FOREVER
from schemas.journal import HeadPointer, encode_entry, entry_hash
from schemas.strict_json import canonical, parse, sha256_hex
from schemas.wire import _decode_fully, decode
from streams.core.band import Band
from streams.core.quiet import pass_quiet
from streams.live import access, capped
from streams.live.fetched import Run
from streams.live.log import _seq_of
from streams.live.statuses import fingerprint
from streams.policies.load import load_book
from streams.replay.files import Block, Line, rare_topics, read_blocks, read_lines
from streams.replay.run import replay
from streams.verify import read_journal, read_line, verify

PLATFORMS = ("weibo",)
ROOM = Path(tempfile.mkdtemp(prefix="nameplate-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))

BOOK = book_tables(policy_tables())
RECORDS = [
    *(canonical(record.as_value()) for record in (count_of(5000, day(0)), profile_said(day(0)))),
    canonical({"at": "2024-01-01T00:00:00.5+08:00"}),
    canonical({"book": BOOK, "hash": sha256_hex(canonical(BOOK))}),
]
FACT = {"event_id": "f", "platform": "weibo", "account_id": "acc-1", "occurred_at": "2024-01-01T00:00:00Z"}
FACTS = [
    canonical({**FACT, **more})
    for more in (
        {"type": "answer-given", "answer": "agree"},
        {"type": "name-display-changed", "displayed": True},
        {
            "type": "adjudication-made",
            "ruling": "extend",
            "until": "2024-02-01T00:00:00Z",
            "reason_code": "a-1",
        },
        {"type": "profile-changed", "subjects": {"finance": 0.5}, "status": "active"},
    )
]
"""Those that `RECORDS` does not have."""


def _history() -> list[bytes]:
    lines = [{"topic": topics.BOOKS, "value": json.loads(RECORDS[3])}]
    for number in range(3):
        who = {"account_id": f"acc-{number}"}
        lines.append({"topic": topics.COUNTS, "value": count_of(5000, day(number), **who).as_value()})
        lines.append({"topic": topics.FACTS, "value": profile_said(day(number), **who).as_value()})
    lines.append({"topic": topics.COUNTS, "value": {"name": 1}, "key": "k", "partition": 0, "offset": 9})
    lines.append({"topic": topics.COUNTS, "raw_base64": "AAAA"})
    return [canonical(line) for line in lines]


HISTORY = _history()


def _journal() -> list[bytes]:
    file, out = ROOM / "history.jsonl", ROOM / "decided"
    file.write_bytes(b"\n".join(HISTORY[:-1]))
    replay([file], None, until=day(40), out=out)
    return (out / "journal.jsonl").read_bytes().splitlines()


JOURNAL = _journal()
CONTENTS = [canonical(json.loads(entry)["content"]) for entry in JOURNAL]


# The targets -----------------------------------------------------------------------------------------


def code_of(read: Callable[[], object]) -> str | None:
    """Return the code of what is refused, None where it is taken."""
    try:
        read()
    except InputError as error:
        return error.code
    return None


def records(data: bytes) -> None:
    """A value, and a key, of each input topic."""
    for topic in topics.INPUTS:
        for key in (b"weibo:acc-1", data[:40], None):
            code = code_of(partial(decode, topic, key, data, PLATFORMS))
            if code is not None:
                assert code in CODES
                assert len(canonical(dead_letter(topic, 0, 0, data, code=code, at=None))) < 300


def many_counts(data: bytes) -> None:
    """Counts side by side: what is passed as quiet, the full path takes."""
    values = data.split(b"\n")
    key, everything = b"weibo:acc-1", Band(0, 2**53, FOREVER, FOREVER)
    at = 0
    while at < len(values):
        quiet, _ = pass_quiet(
            Column([key] * len(values)), Column(values), at, {key: everything}, {}, 0, FOREVER, True
        )
        for value in values[at:quiet]:
            assert code_of(partial(_decode_fully, topics.COUNTS, key, value, PLATFORMS, FOREVER)) is None
        at = quiet + 1


def json_texts(data: bytes) -> None:
    """What is read and written canonically is read as the same."""
    try:
        said = parse(data)
        written = canonical(said)
    except (InputError, ValueError):
        return
    assert canonical(parse(written)) == written


def journals(data: bytes) -> None:
    """A file of a journal."""
    file = ROOM / "journal.jsonl"
    file.write_bytes(data)
    with contextlib.suppress(AuditError), contextlib.closing(read_journal(file)) as entries:
        verify(entries)


def forged_journals(data: bytes) -> None:
    """A journal in which one content is another, chained and sealed by somebody who knows how."""
    place, content = (data[0] if data else 0) % len(CONTENTS), data[1:]
    prev, lines = "0" * 64, []
    for number, (entry, own) in enumerate(zip(JOURNAL, CONTENTS, strict=True)):
        said = json.loads(entry)
        lines.append(
            encode_entry(said["n"], said["epoch"], prev, said["writer"], content if number == place else own)
        )
        prev = entry_hash(lines[-1])
    with contextlib.suppress(AuditError):
        verify(read_line(line, "here") for line in lines)


def kept(data: bytes) -> None:
    """What workers read back of their own: the head of the table, statuses, outputs."""
    fingerprint(data)
    _seq_of(data)
    with contextlib.suppress(AuditError):
        HeadPointer.decode(data)


def policies(data: bytes) -> None:
    """A policy file."""
    directory = ROOM / "policies"
    directory.mkdir(exist_ok=True)
    (directory / "weibo.toml").write_bytes(data)
    with contextlib.suppress(PolicyError):
        load_book(directory)


def replay_files(data: bytes) -> None:
    """A replay file, and the same packed."""
    plain, packed = ROOM / "lines.jsonl", ROOM / "lines.jsonl.gz"
    plain.write_bytes(data)
    packed.write_bytes(data if data.startswith(b"\x1f\x8b") else gzip.compress(data, 1))
    for file in (plain, packed):
        with contextlib.suppress(OperatorError):
            rare_topics([file])
        lines: list[Line] = []
        blocks: list[Line] = []
        with contextlib.suppress(OperatorError):
            lines.extend(read_lines([file]))
        with contextlib.suppress(OperatorError):
            for block in read_blocks([file]):
                blocks.extend(block.lines() if isinstance(block, Block) else (block,))
        assert lines == blocks


def client_settings(data: bytes) -> None:
    """A file of client settings."""
    file = ROOM / "client.properties"
    file.write_bytes(data)
    with contextlib.suppress(OperatorError):
        access.read_access("127.0.0.1:1", file, insecure=False, environment={"A": "b"})


def batches(data: bytes) -> None:
    """What stands inside a batch: a broker looks at the outside of it, and at little more. Both ways say the same."""
    raw = bytearray(PLAIN[:HEADER]) + data[1:]
    raw[21:23] = ((data[0] if data else 0) % 8).to_bytes(2, "big")  # the codec
    raw[8:12] = (len(raw) - 12).to_bytes(4, "big")
    assert _said_by(Run.read, bytes(raw)) == _said_by(iter, bytes(raw))


def _said_by(way: Callable[[Run], Iterable[Any]], raw: bytes) -> list[Any] | None:
    run = Run("counts", 0, 0, FOREVER, batches=[capped.Batches(raw).next_batch()], gate=None)
    with contextlib.suppress(TransportError):
        return [(one.offset, one.key, one.value) for one in way(run)]
    return None


HEADER = 61
"""Bytes of a batch before its records."""


def _batch(codec: int) -> bytes:
    made = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for number, value in enumerate(RECORDS):
        made.append(number, 17, b"weibo:acc-1", value, [("h", b"v")])
    return bytes(made.build())


PLAIN = _batch(0)

SETTINGS = b"""# of a worker
security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.username=worker
sasl.password=${env:A}
"""

TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "records": (records, [*RECORDS, *FACTS]),
    "many-counts": (many_counts, [RECORDS[0], b"\n".join([RECORDS[0]] * 3)]),
    "json": (json_texts, [*RECORDS, b'[1.50,-0,1e3,"\\ud83d\\ude00",[[{}]],null,true]']),
    "journals": (journals, [b"\n".join(JOURNAL), JOURNAL[0]]),
    "forged-journals": (forged_journals, [bytes([n]) + content for n, content in enumerate(CONTENTS)]),
    "kept": (kept, [b'{"hash":"%s","offset":1}' % (b"0" * 64), b'{"seq":1,"as_of":"a"}']),
    "policies": (policies, [toml(policy_tables()).encode()]),
    "replay-files": (replay_files, [b"\n".join(HISTORY), gzip.compress(HISTORY[1]), *HISTORY[-2:]]),
    "client-settings": (client_settings, [SETTINGS]),
    "batches": (batches, [bytes([codec]) + _batch(codec)[HEADER:] for codec in range(5)]),
}
"""By name the function and its corpus."""
