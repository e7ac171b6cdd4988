"""Builders of policies, books, rows and records: every one a complete small default that takes overrides.

Nothing here is random and nothing reads a clock. Days are counted from 2024-01-01, so `day(3)` is the
midnight with which 2024-01-04 begins, in microseconds.
"""

from itertools import count as counting
from typing import Any

from schemas import topics
from schemas.account import Obligation, Profile, Row
from schemas.inputs import Fact, FollowerCountChanged
from schemas.instant import DAY, SECOND, parse, text
from schemas.policy import Policy, PolicyBook, book_from_tables
from schemas.wire import Raw, canonical, decode, sha256_hex

START = parse("2024-01-01T00:00:00Z")
PLATFORM = "weibo"
OTHER_PLATFORM = "bilibili"
PLATFORMS = (PLATFORM, OTHER_PLATFORM)
ACCOUNT = "acc-a"
THRESHOLD = 1000
MEASURES = ["hot_search", "tipping"]
MISSING = object()
"""As an override: leave the field out."""


def day(number: float) -> int:
    """Return an instant so many days after 2024-01-01."""
    return START + int(number * DAY)


def key_of(account: str = ACCOUNT, platform: str = PLATFORM) -> str:
    return f"{platform}:{account}"


# Policies ----------------------------------------------------------------------------------------


def merged(tables: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Return tables with others laid over them, key by key, as a policy file over its defaults."""
    out = dict(tables)
    for name, value in overrides.items():
        below = out.get(name)
        out[name] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return {name: value for name, value in out.items() if value is not MISSING}


def phase_tables(**overrides: Any) -> dict[str, Any]:
    """Return one `[[phase]]`: 1000 followers or more, ten days of grace, in force since long before."""
    tables = {
        "id": "p1",
        "threshold": THRESHOLD,
        "op": ">=",
        "from": text(day(-100)),
        "grace": {"days": 10},
    }
    return merged(tables, overrides)


def policy_tables(**overrides: Any) -> dict[str, Any]:
    """Return the merged tables of one policy; `phase` replaces its one phase by a list."""
    tables = {
        "platform": PLATFORM,
        "version": "2024-01-01.1",
        "phase": [phase_tables()],
        "measures": {"impose": MEASURES, "untouched": ["basic_functions"]},
    }
    return merged(tables, overrides)


def book_tables(*policies: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON form of a book, of the default policy where none is named."""
    return {"policies": {tables["platform"]: tables for tables in policies or (policy_tables(),)}}


def book_of(*policies: dict[str, Any]) -> PolicyBook:
    """Return a checked book of policies' tables."""
    return book_from_tables(book_tables(*policies))


def policy_of(**overrides: Any) -> Policy:
    """Return one checked policy."""
    tables = policy_tables(**overrides)
    return book_of(tables).policies[tables["platform"]]


# Rows --------------------------------------------------------------------------------------------


def row_of(**overrides: Any) -> Row:
    """Return a row whose last count taken, on the threshold, was observed at the start."""
    fields: dict[str, Any] = {
        "followers": THRESHOLD,
        "observed_at": START,
        "days": ((START // DAY, THRESHOLD),),
    }
    return Row(**{**fields, **overrides})


def profile_of(**overrides: Any) -> Profile:
    return Profile(**overrides)


def obligation_of(**overrides: Any) -> Obligation:
    """Return an obligation in grace, notified at the start and due ten days later."""
    fields: dict[str, Any] = {
        "id": "0" * 32,
        "phase": "p1",
        "stage": "grace",
        "notified_at": START,
        "deadline_at": day(10),
    }
    return Obligation(**{**fields, **overrides})


def stopped(*holds: str, **overrides: Any) -> Obligation:
    """Return an obligation whose clock stands since the fourth day, six days left."""
    fields = {"stage": "stopped", "holds": holds, "stopped_at": day(4), "was_held": "held" in holds}
    return obligation_of(**{**fields, **overrides})


# Records -----------------------------------------------------------------------------------------


def count_of(followers: int = THRESHOLD, at: int = START, **overrides: Any) -> FollowerCountChanged:
    """Return a count of the default account."""
    fields: dict[str, Any] = {
        "event_id": f"c-{followers}-{at // SECOND}",
        "platform": PLATFORM,
        "account_id": ACCOUNT,
        "followers": followers,
        "observed_at": at,
    }
    return FollowerCountChanged(**{**fields, **overrides})


def fact_of(kind: str, at: int = START, **overrides: Any) -> Fact:
    """Return a fact of the default account, read as the wire reads it."""
    value = {
        "event_id": f"{kind}-{at}",
        "platform": PLATFORM,
        "account_id": ACCOUNT,
        "occurred_at": text(at),
        "type": kind,
    }
    value |= overrides
    fact = decode(
        topics.FACTS, key_of(value["account_id"], value["platform"]).encode(), canonical(value), PLATFORMS
    )
    assert isinstance(fact, Fact)
    return fact


def profile_said(at: int = START, **said: Any) -> Fact:
    return fact_of("profile-changed", at, **said)


def answered(answer: str, at: int = START, **overrides: Any) -> Fact:
    return fact_of("answer-given", at, answer=answer, **overrides)


def display_said(displayed: bool, at: int = START, **overrides: Any) -> Fact:
    return fact_of("name-display-changed", at, displayed=displayed, **overrides)


def ruled(ruling: str, at: int = START, **overrides: Any) -> Fact:
    """Return an adjudication; `until` is an instant in microseconds."""
    if "until" in overrides:
        overrides["until"] = text(overrides["until"])
    return fact_of("adjudication-made", at, ruling=ruling, reason_code="case-7", **overrides)


# Raw records -------------------------------------------------------------------------------------


class Stream:
    """Records as a partition gets them: pairs of topic and raw record, offsets dense from 0."""

    def __init__(self) -> None:
        self.records: list[tuple[str, Raw]] = []
        self._offsets = {topic: counting() for topic in topics.INPUTS}

    def raw(
        self, topic: str, value: bytes | None, key: str | None = None, *, appended: int | None = None
    ) -> None:
        """Add any bytes; `appended` is the broker's instant of a tick."""
        offset = next(self._offsets[topic])
        stamp = (-1, 0) if appended is None else (appended // 1000, 1)
        self.records.append((topic, Raw(offset, key.encode() if key is not None else None, value, *stamp)))

    def add(self, *records: FollowerCountChanged | Fact) -> None:
        """Add counts and facts."""
        for record in records:
            topic = topics.COUNTS if isinstance(record, FollowerCountChanged) else topics.FACTS
            self.raw(topic, canonical(record.as_value()), record.key)

    def tick(self, at: int) -> None:
        """Add a tick that was written and appended at one instant."""
        self.raw(topics.CLOCK, canonical({"at": text(at)}), appended=at)

    def book(self, *policies: dict[str, Any]) -> PolicyBook:
        """Add a policy book and return it."""
        tables = book_tables(*policies)
        self.raw(topics.BOOKS, canonical({"book": tables, "hash": sha256_hex(canonical(tables))}))
        return book_from_tables(tables)


# Outputs -----------------------------------------------------------------------------------------

AT_NOON = "2024-01-01T12:00:00Z"


def common_output(**overrides: Any) -> dict[str, Any]:
    """Return what every output says."""
    fields = {
        "id": "0" * 32,
        "seq": 0,
        "partition": 0,
        "platform": PLATFORM,
        "account_id": ACCOUNT,
        "obligation_id": "1" * 32,
        "phase": "p1",
        "policy_version": "2024-01-01.1",
        "book": "2" * 64,
        "decided_at": AT_NOON,
        "effective_at": AT_NOON,
        "cause": {"topic": topics.COUNTS, "event_id": "e1"},
        "reasons": [{"code": "quiet"}],
    }
    return {**fields, **overrides}
