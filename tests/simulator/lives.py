"""What happens to the accounts, and by which books: all of it known before the run, from the seed alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import oracle_book
import worlds

from schemas import topics
from schemas.instant import DAY, text
from schemas.policy import PolicyBook
from schemas.wire import canonical
from streams.policies.load import load_book

from .chance import Chance

START = int(worlds.START.timestamp()) * 1_000_000
HOUR = DAY // 24
MINUTE = HOUR // 60
INSTANTS = ("from", "until", "deadline")


class Input(NamedTuple):
    """One record that a producer sends."""

    at: int
    """The true time at which it is sent, in µs."""
    topic: str
    key: bytes | None
    value: bytes | None
    number: int
    """Of all inputs of the run; repeated ones have that of the first."""


class Book(NamedTuple):
    """One book, as the product and as the oracle read it."""

    at: int
    record: bytes
    loaded: PolicyBook
    judged: dict[str, oracle_book.Policy]


@dataclass
class Account:
    """One account while its life is written."""

    platform: str
    name: str
    random: Random
    level: int = 0
    facts: int = 0

    @property
    def key(self) -> bytes:
        return f"{self.platform}:{self.name}".encode()


# Books -------------------------------------------------------------------------------------------


def books(chance: Chance, platforms: list[str], days: int) -> list[Book]:
    """Return the first book and those that come in mid-stream."""
    random = chance.stream("books")
    count = 1 + random.choice((0, 0, 1, 1, 2)) + days // 200
    found = []
    for number in range(count):
        day = 0 if number == 0 else random.randrange(1, max(2, days))
        if number > 1 and random.random() < 0.4:
            day = (found[-1].at - START) // DAY  # a book that corrects the one before
        policies = {platform: worlds.policy(random, platform) for platform in platforms}
        for tables in policies.values():
            tables["version"] += f".{number}"
            _shift(tables, day)
            for phase in tables["phase"]:
                if "until" in phase and random.random() < 0.7:
                    del phase["until"]  # most phases of a long life last
        found.append(_book(START + day * DAY + random.randrange(0, 24) * HOUR * (day > 0), policies))
    return sorted(found, key=lambda book: (book.at, book.loaded.hash))


def _shift(tables: dict[str, Any], days: int) -> None:
    """Let a policy of the first days be one of later days."""
    for phase in tables["phase"]:
        for place in (phase, phase["grace"]):
            for name in INSTANTS:
                if name in place:
                    moved = datetime.fromisoformat(place[name]) + timedelta(days=days)
                    place[name] = moved.isoformat().replace("+00:00", "Z")


def _book(at: int, policies: dict[str, dict[str, Any]]) -> Book:
    with TemporaryDirectory() as directory:
        for platform, tables in policies.items():
            (Path(directory) / f"{platform}.toml").write_text(worlds.toml(tables), "utf-8")
        loaded = load_book(Path(directory))
        judged = oracle_book.load(Path(directory))
    return Book(at, canonical({"book": loaded.tables, "hash": loaded.hash}), loaded, judged)


# Lives -------------------------------------------------------------------------------------------


def lives(
    chance: Chance, all_books: list[Book], platforms: list[str], accounts: int, days: int, hours: int
) -> list[Input]:
    """Return all input records in the order in which they are sent.

    Args:
        chance: Of the run.
        all_books: For their lines.
        platforms: Names.
        accounts: How many there are.
        days: How long they live.
        hours: Between two counts of one; those that sleep may be counted less often.
    """
    seldom = chance.stream("counting").choice((1, 3, 7, 7))
    lines = {platform: _interest(all_books, platform) for platform in platforms}
    sent: list[tuple[int, str, bytes | None, bytes | None]] = []
    for number in range(accounts):
        random = chance.stream(f"account {number}")
        account = Account(random.choice(platforms), f"acc-{number:03d}", random)
        sent += _life(account, lines[account.platform], days, hours, seldom)
    sent.sort(key=lambda one: (one[0], one[2]))
    inputs = list(_astray(chance, [Input(*one, number) for number, one in enumerate(sent)]))
    inputs.sort(key=lambda one: (one.at, one.number))
    return inputs


def _interest(all_books: list[Book], platform: str) -> list[int]:
    """Return the lines of all books, and what is next to them."""
    found = {0, 10, 2_000_000}
    for book in all_books:
        for line in book.loaded.policies[platform].lines:
            found |= {max(0, line - 1), line, line + 1, line * 5 // 4, line * 4 // 5}
    return sorted(found)


def _life(
    account: Account, interest: list[int], days: int, hours: int, seldom: int
) -> Iterator[tuple[int, str, bytes, bytes]]:
    """Yield what is sent of one account: its counts, and what a notice may bring about."""
    random = account.random
    temper = random.choices(("asleep", "steady", "lively"), (7, 1, 3))[0]
    floor = min((one for one in interest if one > 100), default=1000) // 3
    account.level = random.randrange(1, floor) if temper == "asleep" else random.choice(interest)
    if temper == "asleep":
        hours = min(hours * seldom, 168)
    moves = {"asleep": 0.0, "steady": 0.004, "lively": 0.04}[temper] * hours / 12
    at = START + random.randrange(0, DAY // MINUTE) * MINUTE
    planned: list[tuple[int, dict[str, Any]]] = []
    end = START + days * DAY
    while at < end:
        if random.random() < moves:
            before, account.level = account.level, random.choice(interest)
            if account.level > before and random.random() < 0.6:
                planned += _reaction(account, at)
        elif temper != "lively" or random.random() < 0.5:
            account.level = max(0, account.level + random.choice((0, 0, 0, 1, -1)))
        followers = account.level if temper != "asleep" else random.randrange(1, floor)
        yield _sent(account, at, topics.COUNTS, {"followers": followers, "observed_at": text(at)})
        if temper != "asleep" and random.random() < 0.01 * hours / 12:
            planned += _reaction(account, at)
        at += random.choice((2, 2, 2, 1, 3)) * hours * HOUR // 2 + random.choice((0, 0, 1, 7)) * MINUTE
        for when, own in sorted((one for one in planned if one[0] <= at), key=lambda one: one[0]):
            if when < end:
                yield _sent(account, when, topics.FACTS, {**own, "occurred_at": text(when)})
        planned = [one for one in planned if one[0] > at]


def _sent(account: Account, at: int, topic: str, own: dict[str, Any]) -> tuple[int, str, bytes, bytes]:
    account.facts += 1
    value = {
        "event_id": f"{account.name}.{account.facts}",
        "platform": account.platform,
        "account_id": account.name,
    }
    return at, topic, account.key, msgspec.json.encode({**value, **own})


def _reaction(account: Account, at: int) -> list[tuple[int, dict[str, Any]]]:
    """Return facts of the days to come: what an account, its platform or an adjudicator does."""
    random = account.random
    later = lambda days: at + int(random.uniform(0, days) * 24) * HOUR + random.choice((0, 0, 1)) * MINUTE  # noqa: E731
    one, other = sorted((later(12), later(12)))
    until = (at + random.choice((-1, 1, 3, 10, 40)) * DAY) // HOUR * HOUR

    def ruled(when: int, ruling: str, **more: Any) -> tuple[int, dict[str, Any]]:
        return when, {"type": "adjudication-made", "ruling": ruling, "reason_code": "case-7", **more}

    def status(when: int, said: str) -> tuple[int, dict[str, Any]]:
        return when, {"type": "profile-changed", "status": said}

    def answer(when: int, said: str) -> tuple[int, dict[str, Any]]:
        return when, {"type": "answer-given", "answer": said}

    def shown(when: int, said: bool) -> tuple[int, dict[str, Any]]:
        return when, {"type": "name-display-changed", "displayed": said}

    subjects = {
        name: random.choice((0.1, 0.15, 0.3, 0.2999, 0.6)) for name in random.sample(worlds.SUBJECTS, 2)
    }
    profile = {
        "type": "profile-changed",
        "subjects": subjects,
        "owner": random.choice(("individual", "individual", "organisation", "government")),
        "daily_life": random.random() < 0.2,
        "self_media": random.random() < 0.9,
    }
    return random.choice(
        (
            [shown(one, True)],
            [shown(one, True), shown(other, False)],
            [answer(one, "agree"), shown(other, True)],
            [answer(one, "agree"), answer(other, "decline")],
            [answer(one, "decline")],
            [ruled(one, "hold"), ruled(other, "release")],
            [ruled(one, "extend", until=text(until)), ruled(other, "hold"), ruled(later(20), "release")],
            [ruled(one, "waive", until=text(until))],
            [ruled(one, "waive"), ruled(other, "revoke")],
            [status(one, "suspended"), status(other, "active")],
            [status(one, "deleted"), status(other, "active")],
            [(one, profile), shown(other, random.random() < 0.5)],
            [(one, profile)],
        )
    )


# Producers that go wrong ---------------------------------------------------------------------------


def _astray(chance: Chance, inputs: list[Input]) -> Iterator[Input]:
    for one in inputs:
        late = chance.fault("delayed", lambda random: (int(random.choice((1, 5, 26, 700, 800)) * HOUR),))
        yield one._replace(at=one.at + late[0]) if late else one
        again = chance.fault("repeated", lambda random: (int(random.choice((0, 1, 30, 200)) * HOUR),))
        if again:
            yield one._replace(at=one.at + again[0])
        broken = chance.fault("unreadable", lambda random: (random.randrange(len(DAMAGES)),))
        if broken:
            yield one._replace(value=_damaged(one, broken[0]))


DAMAGES: tuple[dict[str, Any] | bytes | None, ...] = (
    {"colour": "red"}, {"platform": "elsewhere"}, {"account_id": "A"}, {"event_id": ""}, {"event_id": 7},
    {"occurred_at": "tomorrow", "observed_at": "tomorrow"}, None, b"{", b"\xff", b"[]",
)  # fmt: skip


def _damaged(one: Input, which: int) -> bytes | None:
    damage = DAMAGES[which]
    if not isinstance(damage, dict):
        return damage
    value = json.loads(one.value or b"{}")
    known = {name: said for name, said in damage.items() if name in value or name == "colour"}
    return json.dumps({**value, **known}).encode()
