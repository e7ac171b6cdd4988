"""The job: counts of accounts that cross 500,000 up and down, and what must be said of them.

An account is above from its first count of 500,000 or more until its next count below. Of every count that takes an
account to the other side one event is due, and of no other count.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from confluent_kafka import Producer

LINE = 500_000
ACCOUNTS = 2_000
CROSSES = 0.1
"""Of all counts."""
PARTITIONS = 4

POLICY = {
    "platform": "weibo",
    "version": "1",
    "phase": [
        {
            "id": "p1",
            "threshold": LINE,
            "op": ">=",
            "from": "2023-10-31T00:00:00Z",
            "grace": {"days": 3650, "reminders_days_before": []},
        }
    ],
    "measures": {"impose": ["hot_search"]},
    "below": {"pending": "cancel", "measures": "lift"},
}
"""Nameplate's: who crosses has a duty, and who falls below none any more; nothing else becomes due in ten years."""


@dataclass(frozen=True)
class Said:
    """One record of an output topic."""

    cause: str
    """The `event_id` of the count that it is about."""
    is_above: bool
    payload: bytes


def counts(seed: int) -> Iterator[dict[str, object]]:
    """Yield counts without end."""
    draw = random.Random(seed)
    above: Counter[int] = Counter()
    at = datetime.now(UTC) - timedelta(days=1)
    number = 0
    while True:
        account = draw.randrange(ACCOUNTS)
        if draw.random() < CROSSES:
            above[account] = 1 - above[account]
        followers = draw.randrange(LINE, 2 * LINE) if above[account] else draw.randrange(LINE // 2, LINE)
        at += timedelta(milliseconds=1)
        yield {
            "event_id": f"c{number}",
            "platform": "weibo",
            "account_id": f"acct-{account:04d}",
            "followers": followers,
            "observed_at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        number += 1


def key_of(count: dict[str, object]) -> str:
    return f"{count['platform']}:{count['account_id']}"


class Publisher(threading.Thread):
    """Publishes counts at a rate until it is told to end; `sent` holds all of them in their order."""

    def __init__(self, bootstrap: str, topic: str, seed: int, rate: float) -> None:
        super().__init__(daemon=True)
        self.sent: list[dict[str, object]] = []
        self._topic, self._seed, self._rate = topic, seed, rate
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2",
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        self._end = threading.Event()

    def run(self) -> None:
        began = time.monotonic()
        for count in counts(self._seed):
            if self._end.is_set():
                break
            self._producer.produce(self._topic, json.dumps(count).encode(), key_of(count).encode())
            self._producer.poll(0)
            self.sent.append(count)
            early = began + len(self.sent) / self._rate - time.monotonic()
            if early > 0:
                self._end.wait(early)
        self._producer.flush()

    def end(self) -> None:
        """Stop, and wait until all that was sent is acknowledged."""
        self._end.set()
        self.join()


def due(sent: list[dict[str, object]]) -> dict[str, bool]:
    """Return what must be said: for each count that crosses, whether its account is above from then on."""
    above: dict[object, bool] = {}
    found: dict[str, bool] = {}
    for count in sent:
        account, now = count["account_id"], int(str(count["followers"])) >= LINE
        if now != above.get(account, False):
            found[str(count["event_id"])] = now
        above[account] = now
    return found


@dataclass
class Verdict:
    """What came of a run."""

    counts: int
    due: int
    lost: int = 0
    """Crossings of which nothing was said."""
    doubled: int = 0
    """Copies beyond the first, as a reader of the topic sees them."""
    contradicting: int = 0
    """Counts of which two different things were said, or something though they crossed nothing."""
    examples: list[str] = field(default_factory=list)


def judge(sent: list[dict[str, object]], said: list[Said]) -> Verdict:
    """Compare what was said with what had to be said."""
    expected = due(sent)
    by_cause: dict[str, list[Said]] = {}
    for one in said:
        by_cause.setdefault(one.cause, []).append(one)
    found = Verdict(len(sent), len(expected))
    found.lost = len(expected.keys() - by_cause.keys())
    found.doubled = sum(len(copies) - 1 for copies in by_cause.values())
    for cause, copies in by_cause.items():
        differing = {copy.payload for copy in copies}
        if len(differing) > 1 or expected.get(cause) is not copies[0].is_above:
            found.contradicting += 1
            if len(found.examples) < 3:
                found.examples.append(" / ".join(sorted(payload.decode() for payload in differing)))
    return found
