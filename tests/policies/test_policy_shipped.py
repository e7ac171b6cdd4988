"""The book that is shipped: every leaf cited, and every date and number as the catalogue has it.

The table below was typed by hand from the policy catalogue (`facts/policies.md`, sections 1 to 9), not
taken from the files: whoever changes a line must change it twice, once with its source.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from schemas import instant
from schemas.instant import DAY
from schemas.policy import Policy, PolicyBook
from streams.policies.load import load_book, shipped_book_dir

SCENARIO = shipped_book_dir().parent / "scenario"
DIRECTORIES = (shipped_book_dir(), SCENARIO)
UNCITED = {"platform", "version", "extends"}
S_NUMBER = re.compile(r"\bS\d{1,2}\b", re.ASCII)


class Known(NamedTuple):
    """What the catalogue knows of one platform."""

    lines: str
    """Each phase: followers, operator, first day in China; how sure the number, the operator, the day are."""
    subjects: str = ""
    subjects_are: str = "notice_via_repost"
    exempt_daily_life: bool = False
    impose: str = "traffic revenue"
    measures_are: str = "notice_via_repost"
    untouched: str = ""
    channel: str = "in_app_message"
    channel_is: str = "assumed"
    deny: str = "not_logged_in not_identity_verified abnormal_behaviour recently_sanctioned"
    deny_is: str = "assumed"
    rules: str = "2022-08-01"
    """The first days in China, in the order of the file."""


FIRST = "1000000 >= 2023-10-31 notice_via_repost inferred inferred"
SUBJECTS = "politics social_affairs finance education medical law"

CATALOGUE = {
    "weibo": Known(
        f"500000 >= 2023-12-22 notice_via_repost inferred news | {FIRST}",
        subjects="social_affairs military finance law medical",
        exempt_daily_life=True,
        impose="recommendation_feed hot_search ad_revenue_share tipping",
        untouched="basic_functions",
        channel="direct_message",
        channel_is="notice_via_repost",
        deny_is="notice_via_repost",
        rules="2022-08-01 2022-04-28",
    ),
    "wechat": Known(FIRST),
    "douyin": Known(
        "500000 >= 2023-10-31 notice_via_repost notice_via_repost inferred",
        subjects=SUBJECTS,
        exempt_daily_life=True,
        impose="content_distribution commercial_revenue",
        channel_is="notice_via_repost",
        deny="not_logged_in not_identity_verified risky abnormal_behaviour",
        deny_is="news",
    ),
    "baidu": Known(
        "1000000 >= 2023-10-31 news inferred inferred",
        subjects="politics finance education medical law",
        subjects_are="news",
        measures_are="news",
    ),
    "xiaohongshu": Known(FIRST, impose="revenue traffic", channel_is="notice_via_repost"),
    "bilibili": Known(
        f"500000 >= 2023-12-22 notice_via_repost inferred assumed | {FIRST}",
        exempt_daily_life=True,
        channel="system_notification",
        channel_is="notice_via_repost",
        deny="not_identity_verified not_logged_in currently_banned",
    ),
    "kuaishou": Known(
        FIRST,
        subjects="news social_affairs medical law",
        exempt_daily_life=True,
        impose="",
        measures_are="inferred",
    ),
    "zhihu": Known(
        "500000 >= 2023-10-31 notice_via_repost notice_via_repost inferred",
        subjects="social_affairs politics finance education medical law",
        channel="direct_message",
        channel_is="notice_via_repost",
        rules="2022-08-01 2023-07-14",
    ),
    "toutiao": Known(
        "500000 >= 2023-10-31 assumed assumed assumed",
        subjects=SUBJECTS,
        subjects_are="assumed",
        exempt_daily_life=True,
        impose="content_distribution commercial_revenue",
        measures_are="assumed",
    ),
}


@cache
def book_in(directory: Path) -> PolicyBook:
    return load_book(directory)


def shipped(platform: str) -> Policy:
    return book_in(shipped_book_dir()).policies[platform]


def files() -> list[Path]:
    return [path for directory in DIRECTORIES for path in sorted(directory.glob("*.toml"))]


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def leaves(table: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, value in table.items():
        here = f"{path}.{key}".removeprefix(".")
        if isinstance(value, dict):
            yield from leaves(value, here)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for row in value:
                yield from leaves({k: v for k, v in row.items() if k != "id"}, f"{here}.{row['id']}")
        else:
            yield here


def status(policy: Policy, path: str) -> str:
    source = policy.source_of(path)
    return source.status if source is not None else "uncited"


def day_in_china(at: int) -> str:
    return instant.text(at + DAY // 3).removesuffix("T00:00:00Z")


@pytest.mark.parametrize("path", files(), ids=named)
def test_every_leaf_of_a_shipped_file_is_cited_in_it(path: Path) -> None:
    tables = tomllib.loads(path.read_text("utf-8"))
    sources = tables.pop("sources", {})
    assert set(leaves(tables)) - UNCITED == set(sources)


@pytest.mark.parametrize("path", files(), ids=named)
def test_every_citation_names_its_sources_number(path: Path) -> None:
    sources = tomllib.loads(path.read_text("utf-8")).get("sources", {})
    assert [key for key, source in sources.items() if not S_NUMBER.search(source["text"])] == []


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_books_hold_every_platform_and_only_toutiao_decides_nothing(directory: Path) -> None:
    policies = book_in(directory).policies
    assert set(policies) == set(CATALOGUE)
    assert [name for name, policy in policies.items() if not policy.enabled] == ["toutiao"]


@pytest.mark.parametrize("platform", CATALOGUE)
def test_policy_is_as_the_catalogue_knows_it(platform: str) -> None:
    policy = shipped(platform)
    lines = []
    for phase in policy.phases:
        assert phase.until is None
        sure = [status(policy, f"phase.{phase.id}.{leaf}") for leaf in ("threshold", "op", "from")]
        lines.append(f"{phase.threshold} {phase.op} {day_in_china(phase.begins)} {' '.join(sure)}")

    assert CATALOGUE[platform] == Known(
        lines=" | ".join(lines),
        subjects=" ".join(policy.scope.subjects),
        subjects_are=status(policy, "scope.subjects"),
        exempt_daily_life=policy.scope.exempt_daily_life,
        impose=" ".join(policy.measures.impose),
        measures_are=status(policy, "measures.impose"),
        untouched=" ".join(policy.measures.untouched),
        channel=policy.notice.channel,
        channel_is=status(policy, "notice.channel"),
        deny=" ".join(policy.viewer.deny),
        deny_is=status(policy, "viewer.deny"),
        rules=" ".join(day_in_china(rule.begins) for rule in policy.rules),
    )


@pytest.mark.parametrize("platform", CATALOGUE)
def test_what_nobody_published_is_assumed_and_the_same_everywhere(platform: str) -> None:
    policy = shipped(platform)
    assert policy.scope.owners == ("individual", "organisation")
    assert {phase.grace.days for phase in policy.phases} == {10}
    assert (policy.confirm.dwell_days, policy.confirm.hysteresis) == (0, 0)
    assert policy.below.pending == "cancel"
    for path in ("phase.p1.grace.days", "scope.min_subject_share", "below.pending", "confirm.dwell_days"):
        assert status(policy, path) == "assumed", path


def test_only_two_absolute_deadlines_are_known() -> None:
    known = {
        (platform, phase.id): instant.text(phase.grace.deadline)
        for platform in CATALOGUE
        for phase in shipped(platform).phases
        if phase.grace.deadline is not None
    }
    assert known == {("weibo", "p2"): "2023-12-31T15:59:59Z", ("bilibili", "p2"): "2023-12-29T03:00:00Z"}


@pytest.mark.parametrize("platform", ["weibo", "bilibili"])
def test_whoever_is_told_at_once_gets_the_absolute_deadline(platform: str) -> None:
    grace, begins = (phase := shipped(platform).phases[0]).grace, phase.begins
    assert grace.deadline is not None
    assert grace.deadline - begins > grace.min_days * DAY


def test_the_pledge_is_weibos_alone() -> None:
    pledged = {platform: floor.followers for platform in CATALOGUE if (floor := shipped(platform).floor)}
    assert pledged == {"weibo": 500_000}


def test_measures_last_until_done_where_the_notice_says_so() -> None:
    keeping = [platform for platform in CATALOGUE if shipped(platform).below.measures == "keep"]
    assert keeping == ["douyin", "toutiao"]
    assert status(shipped("douyin"), "below.measures") == "inferred"


def test_the_law_is_the_same_word_for_word_in_every_file_that_repeats_it() -> None:
    said = set()
    for platform in CATALOGUE:
        policy = shipped(platform)
        rule = next(rule for rule in policy.rules if rule.id == "account-information")
        sources = [policy.source_of(f"rule.{rule.id}.{leaf}") for leaf in ("from", "text")]
        said.add((rule.model_dump_json(), *(source and source.model_dump_json() for source in sources)))
    assert len(said) == 1


def test_toutiao_is_douyin_assumed() -> None:
    toutiao, douyin = shipped("toutiao"), shipped("douyin")
    assert (toutiao.scope, toutiao.phases) == (douyin.scope, douyin.phases)
    assert (toutiao.measures, toutiao.below) == (douyin.measures, douyin.below)
    own = tomllib.loads((shipped_book_dir() / "toutiao.toml").read_text("utf-8"))["sources"]
    assert {source["status"] for source in own.values()} == {"assumed"}


# The scenario ------------------------------------------------------------------------------------

WHAT_IF = {
    "weibo": {
        "p3": "100000 >= 2024-01-01 assumed assumed assumed",
        "p4": "10000 >= 2025-01-01 assumed assumed assumed",
    },
    "wechat": {"p2": "500000 >= 2023-12-22 notice_via_repost inferred assumed"},
    "baidu": {"p2": "500000 >= 2023-12-22 news inferred assumed"},
    "xiaohongshu": {"p2": "500000 >= 2023-12-22 notice_via_repost inferred assumed"},
    "kuaishou": {"p2": "500000 >= 2023-12-22 notice_via_repost inferred assumed"},
}


@pytest.mark.parametrize("platform", CATALOGUE)
def test_scenario_is_the_shipped_book_with_its_assumed_phases(platform: str) -> None:
    policy, before = book_in(SCENARIO).policies[platform], shipped(platform)
    known = {phase.id for phase in before.phases}
    added = {
        phase.id: f"{phase.threshold} {phase.op} {day_in_china(phase.begins)} "
        + " ".join(status(policy, f"phase.{phase.id}.{leaf}") for leaf in ("threshold", "op", "from"))
        for phase in policy.phases
        if phase.id not in known
    }
    assert added == WHAT_IF.get(platform, {})
    assert tuple(phase for phase in policy.phases if phase.id in known) == before.phases

    different = {name for name in Policy.model_fields if getattr(policy, name) != getattr(before, name)} - {
        "phases",
        "sources",
        "version",
    }
    assert different == ({"floor"} if platform == "weibo" else set())
    assert (policy.version != before.version) == bool(added)


def test_scenario_sets_the_pledge_aside_and_says_so() -> None:
    policy = book_in(SCENARIO).policies["weibo"]
    assert policy.floor is not None
    assert (policy.floor.followers, policy.floor.override) == (500_000, True)
    assert status(policy, "floor.override") == "assumed"
