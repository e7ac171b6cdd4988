"""Random worlds: a book, replay lines and an `until`, all from one seed.

Everything is kept near everything else: counts near lines, instants on whole hours and days, few accounts,
so that coincidences, which the law is mostly about, happen in every world.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

START = datetime(2024, 1, 1, tzinfo=UTC)
SUBJECTS = ("finance", "law", "medical", "food")
PACES = (
    (0, 0, 0, 1, 6, 12, 24, 24, 24, 48, 72, 240),
    (0, 0, 24, 24, 24, 24, 48, 72, 120),
    (0, 0, 6, 6, 12, 24),
)
"""Hours from one line to the next: of every kind; whole days only; several lines a day."""
SLIPS = (timedelta(0),) * 12 + (timedelta(seconds=1), timedelta(seconds=-1), timedelta(microseconds=1))


def text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


@dataclass
class World:
    seed: int
    policies: dict[str, dict[str, Any]]
    """By platform: the tables of its file, `from`, `until` and `deadline` as text."""
    lines: list[dict[str, Any]]
    until: str | None
    partitions: int = 1

    def write(self, directory: Path) -> tuple[Path, Path]:
        """Write the book and the lines, and return the directory of the book and the file of the lines."""
        book = directory / "book"
        book.mkdir(parents=True, exist_ok=True)
        for platform, tables in self.policies.items():
            (book / f"{platform}.toml").write_text(toml(tables), "utf-8")
        file = directory / "input.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in self.lines), "utf-8")
        return book, file


# ------------------------------------------------------------------------------------------------ books

INSTANTS = ("from", "until", "deadline")
SOURCE = '{ status = "assumed", text = "made up for a test", publisher = "a test", date = 2023-10-31 }'


def toml(tables: dict[str, Any]) -> str:
    """Return a policy's tables as TOML, every leaf of them cited."""
    rows = [_row(key, value) for key, value in tables.items() if not isinstance(value, dict | list)]
    leaves: list[str] = []
    for name, table in tables.items():
        if isinstance(table, dict):
            rows += [f"[{name}]", *(_row(key, value) for key, value in table.items())]
            leaves += [f"{name}.{key}" for key in table]
    for phase in tables["phase"]:
        rows += ["[[phase]]", *(_row(key, value) for key, value in phase.items() if key != "grace")]
        rows += ["[phase.grace]", *(_row(key, value) for key, value in phase["grace"].items())]
        leaves += [f"phase.{phase['id']}.{key}" for key in phase if key not in ("id", "grace")]
        leaves += [f"phase.{phase['id']}.grace.{key}" for key in phase["grace"]]
    return "\n".join([*rows, "[sources]", *(f'"{leaf}" = {SOURCE}' for leaf in leaves), ""])


def _row(key: str, value: Any) -> str:
    return f"{key} = {value if key in INSTANTS else json.dumps(value)}"


def policy(random: Random, platform: str) -> dict[str, Any]:
    keep = ("cancel", "cancel", "keep")
    tables: dict[str, Any] = {
        "platform": platform,
        "version": f"{platform}.1",
        "scope": {
            "owners": random.choice(
                (["individual", "organisation"], ["individual", "organisation"], ["individual"])
            ),
            "subjects": random.choice(([], [], ["finance", "law"], ["finance", "law", "medical"])),
            "min_subject_share": random.choice((0.3, 0.3, 0.5, 0, 1)),
            "exempt_daily_life": random.random() < 0.5,
        },
        "confirm": {
            "dwell_days": random.choice((0, 0, 0, 1, 3, 10)),
            "hysteresis_pct": random.choice((0, 0, 2, 10)),
        },
        "measures": {
            "impose": random.choice((["hot_search", "tipping"], ["tipping"])),
            "untouched": random.choice(([], ["basic_functions"])),
            "on_decline": random.choice(("at-deadline", "at-once")),
        },
        "below": {"pending": random.choice(keep), "measures": random.choice(("lift", "lift", "keep"))},
        "watch": {"floor_share": random.choice((0.8, 0.8, 0.5, 1, 0.9999))},
    }
    if random.random() < 0.8:
        tables["purge"] = {
            "drop_share": random.choice((0.2, 0.1, 0.5)),
            "within_days": random.choice((1, 7, 30)),
        }
    thresholds = random.sample((1_000_000, 500_000, 700_000, 999), random.choice((1, 1, 2, 2, 2, 3)))
    tables["phase"] = [phase(random, f"p{n}", threshold) for n, threshold in enumerate(thresholds, 1)]
    if len(thresholds) > 1 and random.random() < 0.3:
        one, other = tables["phase"][:2]  # one hands over to the other
        other["from"] = one["until"] = text(START + timedelta(days=random.choice((5, 10, 15))))
        one["from"] = text(START - timedelta(days=60))
        other.pop("until", None)
    return tables


def phase(random: Random, name: str, threshold: int) -> dict[str, Any]:
    begins = START + timedelta(days=random.choice((-60, -60, -3, 0, 2, 5, 10, 20)))
    one: dict[str, Any] = {
        "id": name,
        "threshold": threshold,
        "op": random.choice((">=", ">=", ">")),
        "from": text(begins),
    }
    if random.random() < 0.4:
        ends = begins + timedelta(days=random.choice((1, 5, 10, 20, 62, 70)))
        one["until"] = text(ends)
    if random.random() < 0.25:
        one["subjects"] = random.choice((["finance"], ["food"], ["law", "medical"]))
    days = random.choice((1, 3, 5, 10))
    one["grace"] = {"days": days, "min_days": random.choice((0, 1, 3))}
    if random.random() < 0.7:
        one["grace"]["reminders_days_before"] = random.choice(([1], [3, 1], [2], [5, 3, 1], [10]))
    if random.random() < 0.25:
        one["grace"]["deadline"] = text(START + timedelta(days=random.choice((8, 15, 25, 40))))
    return one


# ------------------------------------------------------------------------------------------------ lines


@dataclass
class Story:
    """What the generator remembers of the lines so far."""

    random: Random
    policies: dict[str, dict[str, Any]]
    accounts: list[tuple[str, str]]
    now: datetime = START
    written: int = 0
    last_tick: datetime | None = None
    is_neat: bool = False
    """Whether records come as they happen, with none too late and none beside its hour."""
    moods: tuple[int, int, int, int] = (4, 3, 3, 5)
    """How often a fact is of the profile, an answer, a display, an adjudication."""
    last_count: dict[tuple[str, str], int] = field(default_factory=dict)
    last_event: dict[tuple[str, str, str], str] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def event_id(self) -> str:
        self.written += 1
        return f"e{self.written}"

    def instant(self) -> datetime:
        """Usually now, sometimes long ago, an hour ago, or ahead of what came before."""
        now = self.now
        if self.last_tick is not None:  # a day ahead of T is too far; a while ahead is what clocks do
            now = min(now, self.last_tick + timedelta(hours=self.random.choice((0, 0, 0, 0, 1, 24))))
        if self.is_neat:
            return now
        back = self.random.choice((0,) * 14 + (1, 6, 24, 48, 29 * 24, 30 * 24, 31 * 24))
        return now - timedelta(hours=back) + self.random.choice(SLIPS)

    def instant_of_a_tick(self) -> datetime:
        return self.now if self.is_neat else self.now + self.random.choice(SLIPS)

    def soon(self) -> datetime:
        """An instant for an `until`: about now, before or after it."""
        days = self.random.choice((-2, -1, 0, 1, 2, 3, 5, 10, 20))
        return self.now.replace(hour=self.random.choice((0, 0, self.now.hour))) + timedelta(days=days)


def counts_of_interest(tables: dict[str, Any]) -> list[int]:
    """Lines and what is next to them."""
    found = [0, 10, 2_000_000, 5_000_000]
    lowest = min(one["threshold"] for one in tables["phase"])
    lines = [lowest * tables["watch"]["floor_share"]]
    for one in tables["phase"]:
        lines += [one["threshold"]] * 2 + [
            one["threshold"] * (100 - tables["confirm"]["hysteresis_pct"]) / 100
        ]
    for line in lines:
        found += [max(0, round(line) + step) for step in (-1, 0, 0, 1)]
    for share in (0.5, 0.8, 0.9, 1.25, 1.5):
        found += [round(one["threshold"] * share) for one in tables["phase"]]
    return found


def count(story: Story, account: tuple[str, str]) -> dict[str, Any]:
    random, last = story.random, story.last_count.get(account)
    choices = counts_of_interest(story.policies[account[0]])
    if last:
        choices += [
            last,
            last,
            last + 1,
            last * 4 // 5,
            last * 4 // 5 + 1,
            last * 9 // 10,
            last // 2,
            last // 2 + 1,
        ]
    high = [one for one in choices if one >= min(p["threshold"] for p in story.policies[account[0]]["phase"])]
    followers = random.choice(high if random.random() < 0.5 else choices)
    story.last_count[account] = followers
    own = {"followers": followers, "observed_at": text(story.instant())}
    return {"topic": "follower-counts", "value": {**_who(story, account), **own}}


def fact(story: Story, account: tuple[str, str]) -> dict[str, Any]:
    random = story.random
    (maker,) = random.choices((_profile, _answer, _display, _adjudication), story.moods)
    own = maker(story)
    value = {**_who(story, account), "occurred_at": text(story.instant()), **own}
    place = (*account, own["type"])
    if random.random() < 0.05 and place in story.last_event:
        value["event_id"] = story.last_event[place]
    story.last_event[place] = value["event_id"]
    return {"topic": "account-facts", "value": value}


def _who(story: Story, account: tuple[str, str]) -> dict[str, Any]:
    return {"event_id": story.event_id(), "platform": account[0], "account_id": account[1]}


def _profile(story: Story) -> dict[str, Any]:
    random = story.random
    fields: dict[str, Any] = {
        "owner": random.choice(("individual", "organisation", "organisation", "government", "news_media")),
        "self_media": random.random() < 0.8,
        "subjects": {
            name: random.choice((0.1, 0.15, 0.3, 0.2999, 0.6, 1)) for name in random.sample(SUBJECTS, 2)
        },
        "daily_life": random.random() < 0.4,
        "verified": random.random() < 0.5,
        "status": random.choice(("active", "active", "active", "suspended", "suspended", "deleted")),
    }
    names = random.sample(sorted(fields), random.choice((1, 1, 1, 2, 3)))
    if random.random() < 0.4:
        names = [random.choice(("status", "subjects"))]
    return {"type": "profile-changed", **{name: fields[name] for name in names}}


def _answer(story: Story) -> dict[str, Any]:
    return {"type": "answer-given", "answer": story.random.choice(("agree", "decline"))}


def _display(story: Story) -> dict[str, Any]:
    return {"type": "name-display-changed", "displayed": story.random.random() < 0.5}


def _adjudication(story: Story) -> dict[str, Any]:
    ruling = story.random.choice(
        ("waive", "revoke", "hold", "hold", "release", "release", "extend", "extend")
    )
    own = {"type": "adjudication-made", "ruling": ruling, "reason_code": "case-7"}
    if ruling == "extend" or (ruling == "waive" and story.random.random() < 0.75):
        own["until"] = text(story.soon())
    return own


def unreadable(story: Story, account: tuple[str, str]) -> dict[str, Any]:
    """A record that would decide a lot, were it not for one mistake in it."""
    far = text(story.now + timedelta(days=400))
    line = {
        "topic": "follower-counts",
        "value": {**_who(story, account), "followers": 5_000_000, "observed_at": far},
    }
    value = line["value"]
    changes: list[dict[str, Any]] = [
        {"colour": "red"}, {"followers": -1}, {"followers": "many"}, {"followers": 1.0}, {"platform": "elsewhere"},
        {"observed_at": "tomorrow"}, {"account_id": "A"}, {"event_id": ""}, {"followers": None},
    ]  # fmt: skip
    change = story.random.choice([*changes, None, "key"])
    if change is None:
        return {"topic": "follower-counts", "value": None}
    if change == "key":
        return {**line, "key": f"{account[0]}:somebody-else"}
    return {**line, "value": {**value, **change}}


def world(seed: int) -> World:
    """Return the world of a seed."""
    random = Random(seed)
    platforms = ["weibo"] if random.random() < 0.75 else ["weibo", "douyin"]
    policies = {platform: policy(random, platform) for platform in platforms}
    names = [f"acc-{letter}" for letter in "abcd"][: random.randint(2, 4)]
    story = Story(random, policies, [(random.choice(platforms), name) for name in names])
    ticks = random.choice(("none", "none", "none", "fine", "coarse", "coarse"))
    left = 0.0
    story.is_neat = random.random() < 0.5
    pace = random.choice(PACES)
    story.moods = random.choice(((4, 3, 3, 5), (1, 6, 1, 6), (8, 1, 1, 2), (1, 1, 1, 12), (3, 3, 1, 3)))
    favourite = random.choice((0, 0, 0.6))
    if ticks != "none":
        story.last_tick = START
        story.lines.append({"topic": "clock", "value": {"at": text(START)}})
    facts = random.choice((0.3, 0.5, 0.7))
    for _ in range(random.randint(5, 60)):
        step = timedelta(hours=random.choice(pace) if random.random() < 0.97 else 40 * 24)
        story.now += step
        left -= step / timedelta(days=1)
        if ticks == "fine" or (ticks == "coarse" and left <= 0):
            story.last_tick = story.instant_of_a_tick()
            story.lines.append({"topic": "clock", "value": {"at": text(story.last_tick)}})
            left = random.choice((1, 3, 7, 20))
        account = story.accounts[0] if random.random() < favourite else random.choice(story.accounts)
        if random.random() < 0.03:
            story.lines.append(unreadable(story, account))
        story.lines.append((fact if random.random() < facts else count)(story, account))
    until = story.now + timedelta(days=random.choice((-3, 0, 1, 5, 12, 40)))
    return World(
        seed, policies, story.lines, text(until) if random.random() < 0.9 else None, random.choice((1, 1, 3))
    )
