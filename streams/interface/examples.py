"""A record of every kind, decided by the program itself of a short story under a policy made up for it."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from schemas import topics
from schemas.inputs import FACTS, FollowerCount
from schemas.outputs import OF_TYPE
from schemas.policy import book_from_tables
from schemas.wire import canonical
from streams.core.sealing import headers_of
from streams.replay.files import Line
from streams.replay.run import Outputs, Replay

_BOOK = {
    "policies": {
        "example": {
            "platform": "example",
            "version": "2024-01-01.1",
            "phase": [
                {
                    "id": "p1",
                    "threshold": 1_000_000,
                    "op": ">=",
                    "from": "2024-01-01T00:00:00Z",
                    "grace": {"days": 10, "min_days": 3, "reminders_days_before": [3]},
                }
            ],
            "measures": {"impose": ["recommendation_feed"], "untouched": ["basic_functions"]},
            "sources": {
                "phase.p1.threshold": {
                    "status": "assumed",
                    "text": "Made up for this example.",
                    "publisher": "Nameplate",
                    "date": "2024-01-01",
                }
            },
        }
    }
}

_ONE, _OTHER = "acct-7f3a", "acct-91bc"
_STORY: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (_ONE, "2024-02-01T02:00:00Z", {"followers": 1_203_000}),
    (_OTHER, "2024-02-01T03:00:00Z", {"followers": 1_000_000}),
    (_OTHER, "2024-02-01T04:00:00Z", {"followers": 1_000_000.0}),  # refused: a dead letter
    (
        _OTHER,
        "2024-02-02T00:00:00+08:00",
        {"type": "profile-changed", "owner": "individual", "subjects": {"finance": 0.6, "travel": 0.25}},
    ),
    (
        _OTHER,
        "2024-02-03T00:00:00Z",
        {"type": "adjudication-made", "ruling": "hold", "reason_code": "case-17"},
    ),
    (
        _OTHER,
        "2024-02-04T00:00:00Z",
        {"type": "adjudication-made", "ruling": "release", "reason_code": "case-17"},
    ),
    (
        _OTHER,
        "2024-02-05T00:00:00Z",
        {
            "type": "adjudication-made",
            "ruling": "extend",
            "until": "2024-03-01T00:00:00Z",
            "reason_code": "case-17",
        },
    ),
    (_ONE, "2024-02-06T00:00:00Z", {"type": "answer-given", "answer": "decline"}),
    (_OTHER, "2024-02-07T03:00:00Z", {"followers": 640_000}),
    (_ONE, "2024-02-14T12:30:00.25Z", {"type": "name-display-changed", "displayed": True}),
)


class _Kept(Outputs):
    """Output files that are kept in memory."""

    def __init__(self) -> None:
        super().__init__(None)
        self.records: dict[str, list[Any]] = {topic: [] for topic in self.counts}

    def put(self, step: int, partition: int, topic: str, line: bytes) -> None:  # noqa: ARG002 - one partition
        self.records[topic].append(json.loads(line))


@cache
def examples() -> dict[str, Any]:
    """Return a record of every kind, by the name of its definition."""
    book, kept = book_from_tables(_BOOK), _Kept()
    replay = Replay("records", 1, book, kept)
    found: dict[str, Any] = {
        "ClockTicked": {"at": "2024-02-01T02:00:00.125Z"},
        "PolicyBook": {"book": json.loads(canonical(book.tables)), "hash": book.hash},
    }
    for number, told in enumerate(_STORY, 1):
        model, topic, value = _record(number, *told)
        found.setdefault(model, value)
        key = f"{value['platform']}:{value['account_id']}".encode()
        replay.take(Line("the story", number, topic, json.dumps(value).encode(), key))
    replay.finish(None)
    for topic in topics.OUTPUTS:
        for output in kept.records[topic]:
            found.setdefault(OF_TYPE[output["type"]].__name__, output)
    entries = kept.records[topics.JOURNAL]
    return {
        **found,
        "AccountStatus": kept.records[topics.STATUS][0],
        "DeadLetter": kept.records[topics.DEAD_LETTERS][0],
        "Entry": next(entry for entry in entries if any(_outputs(entry))),
    }


def headers_example(output: dict[str, Any]) -> dict[str, str]:
    """Return the headers of an example output."""
    return {name: value.decode() for name, value in headers_of(output)}


def _record(number: int, account_id: str, at: str, said: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Return the definition, the topic and the value of one line of the story."""
    fact = FACTS.get(said.get("type", ""))
    value = {"event_id": f"e-{number}", "platform": "example", "account_id": account_id}
    if fact is None:
        return FollowerCount.__name__, topics.COUNTS, {**value, "observed_at": at, **said}
    return fact.__name__, topics.FACTS, {**value, "occurred_at": at, **said}


def _outputs(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for decision in entry["content"]["decisions"]:
        yield from decision["outputs"]
