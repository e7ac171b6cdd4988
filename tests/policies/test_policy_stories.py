"""One story for each platform, under the shipped book: who is told what, and who is not.

Each has three accounts: one on the line and covered, one a follower below it, and one over it of whom
the platform's notice does not speak. All of them stay silent for three weeks.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from schemas import topics
from schemas.instant import parse
from streams.policies.load import load_book, shipped_book_dir
from streams.replay.run import replay

TOLD = "2024-03-01T00:00:00Z"
DUE = "2024-03-11T00:00:00Z"
UNTIL = "2024-03-22T00:00:00Z"


class Story(NamedTuple):
    """Who is covered and who is not, and what the covered account gets."""

    line: int
    phase: str
    covered: dict[str, Any]
    not_covered: dict[str, Any]
    channel: str
    measures: list[str]


FINANCE = {"subjects": {"finance": 0.3}}
LITTLE_FINANCE = {"subjects": {"finance": 0.2999, "games": 0.7}}
DAILY = {"subjects": {"finance": 1, "medical": 0}, "daily_life": True}
PAPER = {"owner": "news_media"}

STORIES = {
    "weibo": Story(
        *(500_000, "p2", FINANCE, DAILY, "direct_message"),
        ["recommendation_feed", "hot_search", "ad_revenue_share", "tipping"],
    ),
    "wechat": Story(1_000_000, "p1", {}, PAPER, "in_app_message", ["traffic", "revenue"]),
    "douyin": Story(
        *(500_000, "p1", {"subjects": {"education": 0.3}}, DAILY, "in_app_message"),
        ["content_distribution", "commercial_revenue"],
    ),
    "baidu": Story(1_000_000, "p1", FINANCE, LITTLE_FINANCE, "in_app_message", ["traffic", "revenue"]),
    "xiaohongshu": Story(
        *(1_000_000, "p1", {"daily_life": True}, {"self_media": False}, "in_app_message"),
        ["revenue", "traffic"],
    ),
    "bilibili": Story(500_000, "p2", {}, {"daily_life": True}, "system_notification", ["traffic", "revenue"]),
    "kuaishou": Story(
        1_000_000, "p1", {"subjects": {"news": 0.2, "law": 0.1}}, FINANCE, "in_app_message", []
    ),
    "zhihu": Story(
        500_000, "p1", FINANCE, {"subjects": {"games": 1}}, "direct_message", ["traffic", "revenue"]
    ),
}


def profile(platform: str, account: str, said: dict[str, Any]) -> dict[str, Any]:
    who = {"event_id": f"profile-{account}", "platform": platform, "account_id": account}
    what = {"occurred_at": TOLD, "type": "profile-changed", **(said or {"verified": True})}
    return {"topic": topics.FACTS, "value": {**who, **what}}


def count(platform: str, account: str, followers: int) -> dict[str, Any]:
    who = {"event_id": f"count-{account}", "platform": platform, "account_id": account}
    return {"topic": topics.COUNTS, "value": {**who, "followers": followers, "observed_at": TOLD}}


def decided(directory: Path, lines: list[dict[str, Any]], until: str = UNTIL) -> dict[str, list[Any]]:
    """Return what left the replay of some lines under the shipped book, by topic."""
    file = directory / "input.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    out = directory / "out"
    replay([file], load_book(shipped_book_dir()), until=parse(until), out=out)
    return {
        topic: [json.loads(line) for line in (out / f"{topic}.jsonl").read_bytes().splitlines()]
        for topic in (*topics.OUTPUTS, topics.DEAD_LETTERS)
    }


@pytest.mark.parametrize("platform", STORIES)
def test_account_on_the_line_is_told_and_then_restricted_and_others_are_not(
    platform: str, tmp_path: Path
) -> None:
    story = STORIES[platform]
    told = decided(
        tmp_path,
        [
            *(profile(platform, "covered", story.covered), profile(platform, "just-below", story.covered)),
            profile(platform, "not-covered", story.not_covered),
            *(count(platform, "covered", story.line), count(platform, "just-below", story.line - 1)),
            count(platform, "not-covered", 2 * story.line),
        ],
    )
    assert told[topics.DEAD_LETTERS] == []
    everything = [record for topic in topics.OUTPUTS for record in told[topic]]
    assert {record["account_id"] for record in everything} == {"covered"}

    (duty,) = told[topics.DISCLOSURE]
    assert (duty["phase"], duty["threshold"], duty["op"]) == (story.phase, story.line, ">=")
    assert (duty["notice_channel"], duty["display"]) == (story.channel, "real_name")
    assert (duty["decided_at"], duty["deadline_at"]) == (TOLD, DUE)
    assert [record["type"] for record in told[topics.GRACE]] == [
        *("grace-started", "grace-reminder", "grace-reminder", "grace-ended")
    ]
    (restriction,) = told[topics.RESTRICTIONS]
    assert (restriction["type"], restriction["why"]) == ("restriction-imposed", "no-reply")
    assert restriction["measures"] == story.measures
    assert restriction["untouched"] == (["basic_functions"] if platform == "weibo" else [])


def test_there_is_a_story_for_every_platform_that_decides() -> None:
    policies = load_book(shipped_book_dir()).policies
    assert set(STORIES) == {name for name, policy in policies.items() if policy.enabled}


def test_toutiao_decides_nothing(tmp_path: Path) -> None:
    lines = [profile("toutiao", "famous", FINANCE), count("toutiao", "famous", 2_000_000)]
    assert not any(decided(tmp_path, lines).values())


def test_second_phase_without_a_known_start_binds_nobody(tmp_path: Path) -> None:
    lines = [count(platform, "half", 999_999) for platform in ("wechat", "xiaohongshu")]
    assert not any(decided(tmp_path, lines).values())


@pytest.mark.parametrize(("platform", "lifted"), [("weibo", True), ("douyin", False)])
def test_fall_below_lifts_measures_but_not_where_they_last_until_done(
    platform: str, lifted: bool, tmp_path: Path
) -> None:
    below = count(platform, "covered", 400_000)
    below["value"] |= {"event_id": "fell", "observed_at": "2024-03-15T00:00:00Z"}
    lines = [profile(platform, "covered", FINANCE), count(platform, "covered", 500_000), below]
    last = decided(tmp_path, lines)[topics.RESTRICTIONS][-1]["type"]
    assert last == ("restriction-lifted" if lifted else "restriction-imposed")
