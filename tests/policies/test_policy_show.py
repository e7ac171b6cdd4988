"""`policy show`: the words are those of the leaves, and every leaf has its evidence."""

import io
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from schemas import instant
from schemas.policy import Policy, book_from_tables
from streams.policies.load import load_book, shipped_book_dir
from streams.policies.page import page
from streams.policies.show import Card, card

ROOT = Path(__file__).parents[2]
AT = instant.parse("2024-06-01T00:00:00Z")
BOOK = load_book(shipped_book_dir())
SCENARIO = load_book(shipped_book_dir().parent / "scenario")
SOURCE = {"status": "news", "text": "made up", "publisher": "a test", "date": "2024-01-01"}


def policy_of(phase: dict[str, Any] | None = None, **leaves: Any) -> Policy:
    row = {"id": "p1", "threshold": 1000, "op": ">=", "from": "2024-01-01T00:00:00Z", "grace": {"days": 1}}
    tables = {"platform": "weibo", "version": "1", "phase": [{**row, **(phase or {})}], **leaves}
    return book_from_tables({"policies": {"weibo": tables}}).policies["weibo"]


def says(policy: Policy, title: str, about: str, at: int = AT) -> str:
    (section,) = (section for section in card(policy, at).sections if section.title.startswith(title))
    return next(line.says for line in section.lines if line.about == about)


def leaves_of(shown: Card) -> dict[str, Any]:
    return {leaf.leaf: leaf for section in shown.sections for line in section.lines for leaf in line.leaves}


def drawn(shown: Card, width: int, **console: Any) -> str:
    file = io.StringIO()
    Console(file=file, width=width, soft_wrap=True, highlight=False, **console).print(page(shown, "0" * 64))
    return file.getvalue()


@pytest.mark.parametrize("book", [BOOK, SCENARIO], ids=["book", "scenario"])
@pytest.mark.parametrize("platform", BOOK.policies)
def test_every_leaf_that_a_file_states_is_shown_with_its_source(book: Any, platform: str) -> None:
    policy = book.policies[platform]
    shown = leaves_of(card(policy, AT))
    stated = json.loads(policy.model_dump_json(by_alias=True, exclude_unset=True))
    paths = {
        *(f"{table}.{key}" for table in stated if isinstance(stated[table], dict) for key in stated[table]),
        *(f"rule.{row['id']}.{key}" for row in stated["rule"] for key in row if key != "id"),
        *(f"phase.{row['id']}.{key}" for row in stated["phase"] for key in row if key not in ("id", "grace")),
        *(f"phase.{row['id']}.grace.{key}" for row in stated["phase"] for key in row["grace"]),
    }
    paths = {path for path in paths if not path.startswith("sources.")}
    paths |= {"enabled"} & stated.keys()
    assert paths <= shown.keys()
    for path in paths:
        source = policy.source_of(path)
        assert source is not None, path
        leaf = shown[path]
        assert leaf.stated
        assert (leaf.status, leaf.text, leaf.publisher, leaf.date) == (
            *(source.status, source.text, source.publisher, source.date),
        )


def test_values_are_those_of_the_file() -> None:
    tables = tomllib.loads((shipped_book_dir() / "weibo.toml").read_text("utf-8"))
    shown = leaves_of(card(BOOK.policies["weibo"], AT))
    assert shown["scope.subjects"].value == tables["scope"]["subjects"]
    assert shown["phase.p2.threshold"].value == tables["phase"][1]["threshold"]
    assert shown["phase.p2.grace.deadline"].value == "2023-12-31T15:59:59Z"
    assert shown["watch.floor_share"].value == 0.8


@pytest.mark.parametrize(
    ("op", "words"), [(">=", "1,000,000 followers or more"), (">", "more than 1,000,000 followers")]
)
def test_line_says_whether_its_number_is_in(op: str, words: str) -> None:
    assert says(policy_of({"threshold": 1_000_000, "op": op}), "phase p1", "line") == words


@pytest.mark.parametrize(
    ("at", "state", "words"),
    [
        ("2023-12-31T23:59:59.999999Z", "to come", "from"),
        ("2024-01-01T00:00:00Z", "in force", "since"),
    ],
)
def test_phase_is_to_come_before_its_begin_and_in_force_from_it_on(at: str, state: str, words: str) -> None:
    shown = card(policy_of(), instant.parse(at))
    assert shown.phases == {"p1": state}
    assert shown.sections[0].title == f"phase p1: {state}"
    assert shown.sections[0].lines[0].says == f"{words} 2024-01-01T00:00:00Z, open-ended"


def test_phase_is_over_at_its_until() -> None:
    policy = policy_of({"until": "2025-01-01T00:00:00Z"})
    until = instant.parse("2025-01-01T00:00:00Z")
    assert [card(policy, at).phases["p1"] for at in (until - 1, until)] == ["in force", "over"]


def test_phases_in_force_come_before_those_to_come() -> None:
    shown = card(BOOK.policies["weibo"], instant.parse("2023-11-25T00:00:00Z"))
    assert list(shown.phases.items()) == [("p1", "in force"), ("p2", "to come")]
    assert [section.title for section in shown.sections[:2]] == ["phase p1: in force", "phase p2: to come"]


@pytest.mark.parametrize(
    ("title", "about", "leaves", "words"),
    [
        ("who", "covered", {}, "self-media of individuals and organisations"),
        ("who", "exempt", {}, "government and news media"),
        ("who", "exempt", {"scope": {"owners": [*("individual", "organisation", "government", "news_media")]}},
         "nobody by owner"),
        ("who", "daily life", {}, "not exempt"),
        ("who", "subjects", {}, "any: every account is covered"),
        ("who", "subjects", {"scope": {"subjects": ["law", "social_affairs", "medical"]}},
         "law, social affairs and medical"),
        ("who", "share", {"scope": {"subjects": ["law"], "min_subject_share": 0.1225}},
         "an account is covered when these make up 12.25 % of it or more"),
        ("when", "begins", {}, "at once, with the first count that reaches a line"),
        ("when", "begins", {"confirm": {"dwell_days": 1}}, "when the counts have reached a line for 1 day"),
        ("when", "fallen below", {}, "when no line in force that covers the account is reached any more"),
        ("when", "fallen below", {"confirm": {"hysteresis_pct": 2.5}},
         "when the count is below 97.5 % of every line in force that covers the account"),
        ("what", "refusal", {}, "the clock runs on; the measures at the deadline, as declined"),
        ("what", "refusal", {"measures": {"on_decline": "at-once"}}, "ends the grace at once, with the measures"),
        ("what", "a fall below, in grace", {}, "ends the grace and the duty"),
        ("what", "a fall below, in grace", {"below": {"pending": "keep"}},
         "ends nothing yet; at the deadline a count still below ends the duty"),
        ("what", "a fall below, in grace", {"below": {"pending": "keep", "measures": "keep"}},
         "ends nothing; the measures come at the deadline all the same"),
        ("what", "a fall below, under measures", {}, "lifts them and ends the duty"),
        ("what", "a fall below, under measures", {"below": {"measures": "keep"}},
         "lifts nothing: they stay until the name is displayed"),
        ("measures", "imposed", {}, "none: a deadline that passes is recorded, and nothing is withheld"),
        ("measures", "untouched", {}, "nothing is named"),
        ("display", "hidden from", {}, "nobody"),
        ("pledge", "pledged", {"floor": {"followers": 900}}, "no line below 900 followers"),
        ("pledge", "watched", {}, "accounts of 800 followers or more, 80 % of the lowest line"),
    ],
)  # fmt: skip
def test_words_say_what_the_leaves_do(title: str, about: str, leaves: dict[str, Any], words: str) -> None:
    assert says(policy_of(**leaves), title, about) == words


def test_absolute_deadline_says_when_it_counts() -> None:
    policy = policy_of({"grace": {"days": 10, "min_days": 3, "deadline": "2024-07-01T00:00:00Z"}})
    words = "2024-07-01T00:00:00Z where it leaves at least 3 days, else 10 days after the notice"
    last = instant.parse("2024-06-28T00:00:00Z")
    assert says(policy, "phase", "deadline", last) == words
    assert says(policy, "phase", "deadline", last + 1) == f"{words} (so for an account told at this instant)"


def test_policy_that_decides_nothing_says_so_first() -> None:
    assert card(BOOK.policies["toutiao"], AT).sections[0].title == "decides nothing"
    assert not card(BOOK.policies["toutiao"], AT).enabled


def test_value_that_nobody_cited_is_told_from_a_default() -> None:
    shown = leaves_of(card(policy_of(scope={"exempt_daily_life": True}), AT))
    assert (shown["scope.exempt_daily_life"].stated, shown["scope.exempt_daily_life"].status) == (True, None)
    assert (shown["notice.channel"].stated, shown["notice.channel"].status) == (False, None)
    text = drawn(card(policy_of(scope={"exempt_daily_life": True}), AT), 80)
    assert "uncited" in text
    assert "default" in text


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("platform", BOOK.policies)
def test_page_fits_its_terminal_and_cuts_nothing(platform: str, width: int) -> None:
    shown = card(SCENARIO.policies[platform], AT)
    text = drawn(shown, width)
    lines = [line for line in text.splitlines() if not line.startswith("book ")]
    assert max(map(cell_len, lines)) <= width
    assert "…" not in text
    words = "".join(text.split())
    for section in shown.sections:
        for line in section.lines:
            for leaf in line.leaves:
                assert leaf.text is None or "".join(leaf.text.split()) in words


def test_page_says_the_same_without_colour() -> None:
    shown = card(BOOK.policies["weibo"], AT)
    coloured = drawn(shown, 80, force_terminal=True, color_system="standard")
    assert "\x1b[33m" in coloured
    assert "\x1b" not in drawn(shown, 80)
    plain = drawn(shown, 80, force_terminal=True, no_color=True)
    assert "\x1b[33m" not in plain


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", "policy", "show", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "80"},
    )


def test_command_gives_the_card_as_json() -> None:
    done = run("zhihu", "--at", "2024-06-01T08:00:00+08:00", "--format", "json")
    assert done.returncode == 0
    expected = {"book": BOOK.hash, **msgspec.to_builtins(card(BOOK.policies["zhihu"], AT))}
    assert json.loads(done.stdout) == json.loads(json.dumps(expected))


def test_command_takes_another_book_and_now() -> None:
    done = run("wechat", "--policies", str(shipped_book_dir().parent / "scenario"))
    assert done.returncode == 0
    assert "PHASE P2: IN FORCE" in done.stdout
    assert f"book {SCENARIO.hash}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["twitter"],
            f"The book has no policy of 'twitter'. It has {', '.join(sorted(BOOK.policies))}: name",
        ),
        (["weibo", "--at", "2024-06-01"], "--at 2024-06-01: not an RFC 3339 instant with an offset"),
    ],
)
def test_command_refuses_what_it_cannot_show(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert " ".join(done.stderr.split()).startswith(message)
    assert done.stdout == ""
