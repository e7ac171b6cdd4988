"""A made-up population, the same for the same seed, whose every deadline falls into the minutes of a campaign.

In wall time a unit is a second: the policies end a grace period at instants some seconds apart, rulings extend by
seconds. In a history a unit is a day. Both go through the same accounts, crossings, answers, late and doubled records.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from .poison import poisoned

MILLION = 1_000_000
SHARES = (0.1, 0.3, 0.45, 0.5, 0.501, 0.6, 0.9, 0.95, 0.99, 1, 1.1, 2)
STEP = 12
"""Units from one platform's deadline to the next one's."""
LATE_SHARE, COPY_SHARE, DEAD_SHARE = 0.05, 0.03, 0.03

_SOURCE = (
    '{ status = "assumed", text = "made up for a fault campaign", publisher = "a test", date = 2023-10-31 }'
)


class Sent(NamedTuple):
    """One record to publish."""

    topic: str
    key: bytes | None
    value: bytes | None


def said(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").replace(".000000Z", "Z")


def write_book(directory: Path, begins: datetime, unit: timedelta, platforms: int) -> Path:
    """Write a book whose platform k has its deadlines k steps after the beginning, and a second phase beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(platforms):
        deadline = begins + unit * STEP * (number + 1)
        second = deadline + unit * 7
        until = f"until = {said(deadline + unit * 15)}\n" if number % 3 == 2 else ""
        parts = ["threshold", "op", "from", "grace.days", "grace.deadline", "grace.reminders_days_before"]
        leaves = [f"phase.{phase}.{part}" for phase in ("p1", "p2") for part in parts]
        leaves += [
            "measures.impose",
            "measures.untouched",
            "measures.on_decline",
            "below.pending",
            "below.measures",
        ]
        leaves += ["confirm.hysteresis_pct", "purge.drop_share", "purge.within_days", "phase.p1.until"]
        sources = "\n".join(f'"{leaf}" = {_SOURCE}' for leaf in leaves if until or leaf != "phase.p1.until")
        (directory / f"w{number:03}.toml").write_text(
            f"""platform = "w{number:03}"
version = "2026-01-01.{number}"
[confirm]
hysteresis_pct = {10 * (number % 2)}
[measures]
impose = ["hot_search", "tipping"]
untouched = ["basic_functions"]
on_decline = "{"at-once" if number % 3 == 1 else "at-deadline"}"
[below]
pending = "{"keep" if number % 4 == 1 else "cancel"}"
measures = "{"keep" if number % 5 == 1 else "lift"}"
[purge]
drop_share = 0.2
within_days = 7
[[phase]]
id = "p1"
threshold = {MILLION}
op = ">="
from = 2023-10-31T00:00:00Z
{until}[phase.grace]
days = 10
deadline = {said(deadline)}
reminders_days_before = [3, 1]
[[phase]]
id = "p2"
threshold = {MILLION // 2}
op = ">"
from = {said(second)}
[phase.grace]
days = 10
deadline = {said(second + unit * 18)}
reminders_days_before = [3, 1]
[sources]
{sources}
""",
            "utf-8",
        )
    return directory


class Population:
    """Draws one record after the other.

    Args:
        seed: The same seed and instants give the same records.
        begins: The beginning of the book.
        unit: What a step of the book is counted in.
        platforms: How many the book has.
        accounts: Of each platform.
        odd: Multiplies how many records are late, doubled or dead.
    """

    def __init__(
        self, seed: int, begins: datetime, unit: timedelta, platforms: int, accounts: int = 12, odd: float = 1
    ) -> None:
        self._random = Random(seed)
        self._begins, self._unit, self._platforms, self._accounts = begins, unit, platforms, accounts
        self._odd = odd
        self._number = 0
        self._last: list[Sent] = []

    def draw(self, now: datetime) -> Sent:
        """Return the next record, dated about now."""
        random, chance = self._random, self._random.random()
        self._number += 1
        if self._last and chance < COPY_SHARE * self._odd:
            return random.choice(self._last)
        platform, account = self._account(now)
        moment = now - self._unit * random.random() / 10
        if random.random() < LATE_SHARE * self._odd:
            moment -= timedelta(days=random.choice((0, 1, 5, 40))) + self._unit * random.randrange(1, 8)
        value: dict[str, Any] = {
            "event_id": f"e{self._number}",
            "platform": platform,
            "account_id": account,
        }
        if random.random() < 0.7:
            topic = "follower-counts"
            value |= {"followers": round(MILLION * random.choice(SHARES)), "observed_at": said(moment)}
        else:
            topic = "account-facts"
            value |= {"occurred_at": said(moment), **self._fact(now)}
        key = f"{platform}:{account}".encode()
        if random.random() < DEAD_SHARE * self._odd:
            return Sent(topic, *poisoned(random, topic, key, value, now))
        sent = Sent(topic, key, json.dumps(value).encode())
        self._last = [*self._last[-50:], sent]
        return sent

    def _account(self, now: datetime) -> tuple[str, str]:
        about = (now - self._begins) / (self._unit * STEP) + self._random.choice((-2, -1, 0, 0, 1, 1, 2))
        number = max(0, min(self._platforms - 1, int(about)))
        return f"w{number:03}", f"acc-{self._random.randrange(self._accounts):03}"

    def _fact(self, now: datetime) -> dict[str, Any]:
        random, chance = self._random, self._random.random()
        if chance < 0.25:
            return {"type": "name-display-changed", "displayed": random.random() < 0.4}
        if chance < 0.5:
            return {"type": "answer-given", "answer": random.choice(("agree", "decline", "decline"))}
        if chance < 0.75:
            profile: dict[str, Any] = {"status": random.choice(("active", "active", "suspended", "deleted"))}
            if random.random() < 0.3:
                profile["owner"] = random.choice(("individual", "organisation", "organisation", "government"))
            if random.random() < 0.3:
                profile["subjects"] = {"finance": round(random.random(), 4)}
            return {"type": "profile-changed", **profile}
        ruling = random.choice(("waive", "waive", "revoke", "hold", "release", "extend", "extend"))
        said_so: dict[str, Any] = {"type": "adjudication-made", "ruling": ruling, "reason_code": "case-7"}
        if ruling in ("waive", "extend"):
            said_so["until"] = said(now + self._unit * random.randrange(2, 30))
        return said_so
