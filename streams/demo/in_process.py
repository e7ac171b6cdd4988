"""The same fold without a broker: what a worker would decide, decided at once and shown at the same pace."""

import time
from pathlib import Path

import msgspec

from schemas import topics
from schemas.instant import DAY, parse
from schemas.policy import PolicyBook
from streams.demo.history import PARTITIONS, History
from streams.demo.view import View
from streams.replay.run import Outputs, Replay


class _Kept(Outputs):
    """Keeps what would leave instead of writing files."""

    def __init__(self) -> None:
        super().__init__(None)
        self.journal: list[bytes] = []
        self.outputs: list[tuple[str, bytes]] = []

    def put(self, step: int, partition: int, topic: str, line: bytes) -> None:
        """Keep one line."""
        super().put(step, partition, topic, line)
        if topic == topics.JOURNAL:
            self.journal.append(line)
        elif topic in topics.OUTPUTS:
            self.outputs.append((topic, line))


def play(history: History, book: PolicyBook, view: View, journal: Path, days_a_second: float) -> None:
    """Decide a history, write its journal, and show what came out of it.

    Args:
        history: Its lines in order.
        book: The policies.
        view: Where it is shown.
        journal: The file of the entries.
        days_a_second: How many days of the history are shown a second.
    """
    kept = _Kept()
    replay = Replay("records", PARTITIONS, book, kept)
    for line in history.lines:
        replay.take(line)
    replay.finish(history.until)
    journal.write_bytes(b"".join(entry + b"\n" for entry in kept.journal))
    began = time.monotonic()
    for at, topic, value in sorted(
        ((parse(msgspec.json.decode(value)["decided_at"]), topic, value) for topic, value in kept.outputs),
        key=lambda one: one[0],
    ):
        due = began + (at - history.begins) / DAY / days_a_second
        time.sleep(max(0.0, due - time.monotonic()))
        view.take([(topic, value)])
