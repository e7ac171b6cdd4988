"""Policies, records and synthetic histories for tests on a real broker: small, seeded, the same on every run."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

from schemas import topics
from schemas.instant import parse, text
from streams.replay.files import Line

SOURCE = '{ status = "assumed", text = "made up for a test", publisher = "a test", date = 2023-10-31 }'
PLATFORM = "weibo"
THRESHOLD = 1_000_000
START = datetime(2024, 1, 1, tzinfo=UTC)
UNTIL = "2024-08-01T00:00:00Z"


def instant(moment):
    return text(parse(moment.isoformat()))


def write_book(
    directory, *, version="2024-01-01.1", threshold=THRESHOLD, begins="2023-10-31T00:00:00Z", **grace
):
    """Write a policy of one phase into a directory of its own, and return the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    grace = {"days": 10, "reminders_days_before": [3, 1], **grace}
    deadline = grace.pop("deadline", None)
    rows = [f"{name} = {json.dumps(value)}" for name, value in grace.items()]
    rows += [f"deadline = {deadline}"] if deadline else []
    leaves = [f"phase.p1.{name}" for name in ("threshold", "op", "from")]
    leaves += [f"phase.p1.grace.{name}" for name in (*grace, *(["deadline"] if deadline else []))]
    sources = [f'"{leaf}" = {SOURCE}' for leaf in (*leaves, "measures.impose")]
    text = f"""
platform = "{PLATFORM}"
version = "{version}"
[measures]
impose = ["hot_search", "tipping"]
[[phase]]
id = "p1"
threshold = {threshold}
op = ">="
from = {begins}
[phase.grace]
{chr(10).join(rows)}
[sources]
{chr(10).join(sources)}
"""
    (directory / f"{PLATFORM}.toml").write_text(text, "utf-8")
    return directory


def count(account, followers, at, event="e"):
    value = {"event_id": event, "platform": PLATFORM, "account_id": account}
    return {"topic": topics.COUNTS, "value": {**value, "followers": followers, "observed_at": at}}


def fact(account, kind, at, event="e", **more):
    value = {"event_id": event, "platform": PLATFORM, "account_id": account, "type": kind, "occurred_at": at}
    return {"topic": topics.FACTS, "value": {**value, **more}}


def displayed(account, at, is_displayed=True, event="e"):
    return fact(account, "name-display-changed", at, event, displayed=is_displayed)


def lines_of(records):
    """Return records as lines to publish."""
    found = []
    for number, record in enumerate(records, 1):
        value = record["value"]
        key = f"{value['platform']}:{value['account_id']}".encode()
        found.append(Line("a story", number, record["topic"], json.dumps(value).encode(), key))
    return found


def history(records=1000, accounts=40, seed=1, days=180, start=START):
    """Return a sorted history: counts about the threshold, facts of every type, and some records nobody can read."""
    random = Random(seed)
    found = []
    moments = sorted(start + timedelta(seconds=random.randrange(days * 86_400)) for _ in range(records))
    for number, moment in enumerate(moments):
        account, at, event = f"acc-{random.randrange(accounts):03}", instant(moment), f"e{number}"
        if random.random() < 0.7:
            found.append(
                count(account, round(THRESHOLD * random.choice((0.1, 0.9, 0.99, 1, 1.1, 2))), at, event)
            )
        else:
            found.append(_fact(random, account, moment, event))
        if random.random() < 0.02:  # dead, and behind the one before it
            broken = {**found[-1]["value"], "colour": "red"}
            found.append({"topic": found[-1]["topic"], "value": broken})
    return found


def _fact(random, account, moment, event):
    at, chance = instant(moment), random.random()
    if chance < 0.3:
        return displayed(account, at, random.random() < 0.5, event)
    if chance < 0.6:
        return fact(account, "answer-given", at, event, answer=random.choice(("agree", "decline")))
    if chance < 0.8:
        status = random.choice(("active", "active", "suspended", "deleted"))
        return fact(account, "profile-changed", at, event, status=status)
    ruling = random.choice(("waive", "revoke", "hold", "release", "extend"))
    until = {"until": instant(moment + timedelta(days=random.randrange(1, 20)))} if ruling == "extend" else {}
    return fact(account, "adjudication-made", at, event, ruling=ruling, reason_code="case-7", **until)


def write_history(path, records):
    """Write records as a replay file, and return its path."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path
