"""Edits the files of a broker that is down: cuts batches off the end of a log, flips bits, with and without its CRC."""

import struct
from pathlib import Path
from random import Random
from typing import NamedTuple

from aiokafka.record._crc32c import crc as crc32c  # type: ignore[import-not-found]

_BATCH = struct.Struct(">qiibI")
"""First offset, length of what follows, leader epoch, magic, CRC of what follows."""


class Batch(NamedTuple):
    """One record batch in a segment file."""

    start: int
    end: int


def segment(logs: Path, topic: str, partition: int) -> Path:
    """Return the last segment of a partition's log."""
    return max((logs / f"{topic}-{partition}").glob("*.log"))


def batches(file: Path) -> list[Batch]:
    """Return the batches of a segment."""
    raw, found, at = file.read_bytes(), [], 0
    while at + 12 <= len(raw):
        _, length = struct.unpack_from(">qi", raw, at)
        if length <= 0:
            break
        found.append(Batch(at, at + 12 + length))
        at += 12 + length
    return found


def cut(logs: Path, topic: str, partition: int, count: int, *, torn: bool = False) -> bool:
    """Cut the last batches off, the last one in its middle where the cut is torn; False where there are too few."""
    file = segment(logs, topic, partition)
    found = batches(file)
    if len(found) <= count:
        return False
    last = found[-count]
    with file.open("r+b") as log:
        log.truncate(last.start + (last.end - last.start) // 2 if torn else last.start)
    _forget(logs, file)
    return True


def flip(
    logs: Path, topic: str, partition: int, random: Random, *, with_crc: bool, of_last: bool = False
) -> bool:
    """Flip a bit in the records of a batch; with its CRC made to fit, as a broker's memory would do it."""
    file = segment(logs, topic, partition)
    found = batches(file)
    if not found:
        return False
    batch = found[-1] if of_last else random.choice(found)
    raw = bytearray(file.read_bytes())
    records = batch.start + 61  # behind the batch's header
    at = random.randrange(records + (batch.end - records) // 2, batch.end - 1)  # in what a record says
    raw[at] ^= 1 << random.randrange(3)
    if with_crc:
        struct.pack_into(">I", raw, batch.start + 17, crc32c(bytes(raw[batch.start + 21 : batch.end])))
    file.write_bytes(raw)
    _forget(logs, file)
    return True


def _forget(logs: Path, file: Path) -> None:
    """Let the broker look at the log anew: no indexes, no note of a clean end."""
    for index in file.parent.glob(f"{file.stem}.*index"):
        index.unlink()
    for snapshot in file.parent.glob("*.snapshot"):
        snapshot.unlink()
    (logs / ".kafka_cleanshutdown").unlink(missing_ok=True)
