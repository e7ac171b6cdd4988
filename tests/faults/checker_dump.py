"""What the checker reads: every record of every topic of a world, as files that anybody can read.

A dump is a directory. `<topic>.jsonl` has a line per record: partition, offset, key, value, timestamp, type, headers;
key and value in base64 or null, the timestamp in milliseconds with its type (0: the sender's, 1: the broker's), headers
as pairs. `ends.json` has by topic and partition where the log begins and ends; `world.json` what was going on.
"""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

INPUTS = ("follower-counts", "account-facts", "clock", "policy-book")
OUTPUTS = ("disclosure-required", "grace-periods", "restrictions")
OTHERS = ("journal", "account-status", "dead-letters", "rows-changelog")
ALL = (*INPUTS, *OUTPUTS, *OTHERS)


class Record(NamedTuple):
    """One record as it lies in a partition."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    kind: int
    headers: list[tuple[str, bytes | None]] = []  # noqa: RUF012 - never changed


@dataclass
class Dump:
    """All that was in the topics, by topic and partition, in order."""

    topics: dict[str, dict[int, list[Record]]]
    ends: dict[str, dict[int, tuple[int, int]]]
    world: dict[str, Any] = field(default_factory=dict)
    """`time`: clock or records; `until`; `is_at_rest`: whether all work was done; `lost`: allowed losses."""
    logs: dict[str, str] = field(default_factory=dict)
    """What the workers wrote, by name."""

    @property
    def partitions(self) -> list[int]:
        return sorted(self.topics["journal"])

    def of(self, topic: str, partition: int) -> list[Record]:
        return self.topics.get(topic, {}).get(partition, [])


def write(dump: Dump, directory: Path) -> None:
    """Write a dump."""
    directory.mkdir(parents=True, exist_ok=True)
    for topic, partitions in dump.topics.items():
        with (directory / f"{topic}.jsonl").open("w", encoding="utf-8") as file:
            for partition, records in partitions.items():
                for record in records:
                    headers = [[key, _text(value)] for key, value in record.headers]
                    said = [partition, record.offset, _text(record.key), _text(record.value)]
                    file.write(json.dumps([*said, record.timestamp, record.kind, headers]) + "\n")
    (directory / "ends.json").write_text(json.dumps(dump.ends), "utf-8")
    (directory / "world.json").write_text(json.dumps(dump.world, indent=1), "utf-8")
    for name, log in dump.logs.items():
        (directory / f"{name}.log").write_text(log, "utf-8")


def read(directory: Path) -> Dump:
    """Read a dump."""
    ends = {
        topic: {int(partition): (start, end) for partition, (start, end) in found.items()}
        for topic, found in json.loads((directory / "ends.json").read_text("utf-8")).items()
    }
    topics: dict[str, dict[int, list[Record]]] = {
        topic: {partition: [] for partition in found} for topic, found in ends.items()
    }
    for topic, partitions in topics.items():
        for line in (directory / f"{topic}.jsonl").read_text("utf-8").splitlines():
            partition, offset, key, value, timestamp, kind, headers = json.loads(line)
            partitions[partition].append(
                Record(
                    offset,
                    _bytes(key),
                    _bytes(value),
                    timestamp,
                    kind,
                    [(name, _bytes(said)) for name, said in headers],
                )
            )
    logs = {file.stem: file.read_text("utf-8", "replace") for file in sorted(directory.glob("*.log"))}
    return Dump(topics, ends, json.loads((directory / "world.json").read_text("utf-8")), logs)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode("ascii")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
