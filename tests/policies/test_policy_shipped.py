"""The book that is shipped: every leaf cited, every date and number as the catalogue has it."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas import instant
from schemas.instant import DAY
from schemas.policy import Policy
from streams.policies.load import load_book, shipped_book_dir

REPOSITORY = Path(__file__).parents[2]
PLATFORMS = ("bilibili", "weibo")
FILES = ("_defaults", *PLATFORMS)
UNCITED = {"platform", "version"}
S_NUMBER = re.compile(r"\bS\d{1,2}\b", re.ASCII)


def shipped(platform: str) -> Policy:
    return load_book(shipped_book_dir()).policies[platform]


def stated(name: str) -> dict[str, Any]:
    return tomllib.loads((shipped_book_dir() / f"{name}.toml").read_text("utf-8"))


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


def test_book_holds_both_platforms_and_decides_for_them() -> None:
    book = load_book(shipped_book_dir())
    assert tuple(book.policies) == PLATFORMS
    assert all(policy.enabled for policy in book.policies.values())


@pytest.mark.parametrize("name", FILES)
def test_every_leaf_of_a_shipped_file_is_cited_in_it(name: str) -> None:
    tables = stated(name)
    sources = tables.pop("sources")
    assert set(leaves(tables)) - UNCITED == set(sources)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_citation_names_its_sources_number(platform: str) -> None:
    without = [path for path, source in shipped(platform).sources.items() if not S_NUMBER.search(source.text)]
    assert without == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_lines_count_their_own_number_and_start_as_announced(platform: str) -> None:
    policy = shipped(platform)
    said = [
        (phase.id, phase.threshold, phase.op, instant.text(phase.begins), phase.until)
        for phase in policy.phases
    ]
    assert said == [
        ("p2", 500_000, ">=", "2023-12-21T16:00:00Z", None),
        ("p1", 1_000_000, ">=", "2023-10-30T16:00:00Z", None),
    ]
    assert {phase.grace.days for phase in policy.phases} == {10}
    assert policy.floor is not None
    assert (policy.floor.followers, policy.floor.override) == (500_000, False)


@pytest.mark.parametrize(
    ("platform", "deadline"), [("weibo", "2023-12-31T15:59:59Z"), ("bilibili", "2023-12-29T03:00:00Z")]
)
def test_second_phase_has_its_absolute_deadline(platform: str, deadline: str) -> None:
    second, first = shipped(platform).phases
    assert second.grace.deadline is not None
    assert instant.text(second.grace.deadline) == deadline
    assert (
        second.grace.deadline - second.begins > second.grace.min_days * DAY
    )  # whoever is told at once gets it
    assert first.grace.deadline is None


def test_weibo_is_as_its_notice_says() -> None:
    policy = shipped("weibo")
    assert policy.scope.subjects == ("social_affairs", "military", "finance", "law", "medical")
    assert policy.scope.exempt_daily_life
    assert policy.measures.impose == ("recommendation_feed", "hot_search", "ad_revenue_share", "tipping")
    assert policy.measures.untouched == ("basic_functions",)
    assert policy.notice.channel == "direct_message"
    assert policy.viewer.deny == (
        *("not_logged_in", "not_identity_verified", "abnormal_behaviour", "recently_sanctioned"),
    )
    assert [(rule.id, instant.text(rule.begins)) for rule in policy.rules] == [
        ("ip-location", "2022-04-27T16:00:00Z")
    ]


def test_bilibili_covers_every_subject_but_not_daily_life() -> None:
    policy = shipped("bilibili")
    assert policy.scope.subjects == ()
    assert policy.scope.exempt_daily_life
    assert policy.sources["scope.exempt_daily_life"].status == "news"
    assert policy.sources["phase.p2.from"].status == "assumed"
    assert policy.measures.impose == ("traffic", "revenue")
    assert policy.rules == ()


def test_what_nobody_published_is_marked_as_assumed() -> None:
    for platform in PLATFORMS:
        policy = shipped(platform)
        for path in ("phase.p1.grace.days", "scope.min_subject_share", "below.pending", "below.measures"):
            source = policy.source_of(path)
            assert source is not None
            assert source.status == "assumed", path


def test_no_threshold_stands_in_the_code() -> None:
    numbers = re.compile(r"\b(1_?000_?000|500_?000)\b")
    code = [
        *(REPOSITORY / "schemas").rglob("policy*.py"),
        *(REPOSITORY / "streams" / "policies").rglob("*.py"),
    ]
    assert code
    assert [path.name for path in code if numbers.search(path.read_text("utf-8"))] == []
