"""What a checked book is: one meaning and one hash, wherever the tables came from."""

import json
import tomllib
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import instant
from schemas.policy import Grace, Phase, Policy, Scope, book_from_tables
from schemas.policy_leaves import MOST_FOLLOWERS, json_form, whole_units
from streams.policies.load import load_book, shipped_book_dir

BASE = """\
platform = "weibo"
version = "1"
[scope]
subjects = ["finance", "law"]
min_subject_share = 0.25
[confirm]
hysteresis_pct = 2.5
[[phase]]
id = "p1"
threshold = 1_000_000
op = ">="
from = 2023-10-31T00:00:00+08:00
[phase.grace]
days = 10
[sources]
"scope.subjects" = { status = "news", text = "说明", publisher = "a test", date = 2023-10-31 }
"phase.p1.threshold" = { status = "news", text = "made up", publisher = "a test", date = 2023-10-31 }
"phase.p1.op" = { status = "news", text = "made up", publisher = "a test", date = 2023-10-31 }
"phase.p1.from" = { status = "news", text = "made up", publisher = "a test", date = 2023-10-31 }
"""

SAME_BOOK = {
    "comments": "# as it was told\n" + BASE.replace("[confirm]", "\n[confirm]  # nothing stated"),
    "order of keys": BASE.replace('threshold = 1_000_000\nop = ">="\n', 'op = ">="\nthreshold = 1_000_000\n'),
    "order of tables": BASE.replace("[confirm]\nhysteresis_pct = 2.5\n", "")
    + "[confirm]\nhysteresis_pct = 2.5\n",
    "underscores": BASE.replace("1_000_000", "1000000"),
    "zeros behind a fraction": BASE.replace("0.25", "0.2500"),
    "another offset": BASE.replace("2023-10-31T00:00:00+08:00", "2023-10-30T16:00:00Z"),
    "dotted keys": BASE.replace("[phase.grace]\ndays = 10\n", "grace.days = 10\n"),
    "inline tables": BASE.replace("[phase.grace]\ndays = 10\n", "grace = { days = 10 }\n"),
    "lines of an array": BASE.replace('["finance", "law"]', '[\n  "finance",\n  "law",\n]'),
}
OTHER_BOOKS = {
    "version": ('version = "1"', 'version = "2"'),
    "a switch": ('version = "1"', 'version = "1"\nenabled = true'),  # stated, though it is the default
    "a subject": ('"law"', '"medical"'),
    "order of subjects": ('"finance", "law"', '"law", "finance"'),
    "a share": ("0.25", "0.2501"),
    "a percentage": ("2.5", "2.51"),
    "a threshold": ("1_000_000", "1_000_001"),
    "an operator": ('op = ">="', 'op = ">"'),
    "a microsecond": ("00:00:00+08:00", "00:00:00.000001+08:00"),
    "days": ("days = 10", "days = 11"),
    "words of a source": ("说明", "說明"),
    "date of a source": ("date = 2023-10-31", "date = 2023-11-01"),
}


def book_of(directory: Path, text: str, defaults: str = "") -> Any:
    (directory / "weibo.toml").write_text(text, "utf-8")
    if defaults:
        (directory / "_defaults.toml").write_text(defaults, "utf-8")
    return load_book(directory)


def tables_of(**leaves: Any) -> dict[str, Any]:
    phase = {"id": "p1", "threshold": 5, "op": ">=", "from": "2024-01-01T00:00:00Z", "grace": {"days": 1}}
    return {"policies": {"weibo": {"platform": "weibo", "version": "1", "phase": [phase], **leaves}}}


@pytest.fixture
def base_hash(tmp_path: Path) -> str:
    (tmp_path / "base").mkdir()
    found: str = book_of(tmp_path / "base", BASE).hash
    return found


@pytest.mark.parametrize("case", SAME_BOOK)
def test_hash_does_not_see_how_a_file_is_written(case: str, tmp_path: Path, base_hash: str) -> None:
    assert SAME_BOOK[case] != BASE
    assert book_of(tmp_path, SAME_BOOK[case]).hash == base_hash


@pytest.mark.parametrize("case", OTHER_BOOKS)
def test_hash_sees_every_value(case: str, tmp_path: Path, base_hash: str) -> None:
    old, new = OTHER_BOOKS[case]
    assert old in BASE
    assert book_of(tmp_path, BASE.replace(old, new, 1)).hash != base_hash


def test_hash_does_not_see_which_file_states_a_value(tmp_path: Path, base_hash: str) -> None:
    text = BASE.replace("[phase.grace]\ndays = 10\n", "").replace('version = "1"\n', "")
    assert book_of(tmp_path, text, 'version = "1"\n[phase.grace]\ndays = 10\n').hash == base_hash


def test_hash_is_that_of_the_reference_encoding() -> None:
    book = load_book(shipped_book_dir())
    assert book.hash == sha256(rfc8785.dumps(book.tables)).hexdigest()


def test_every_share_is_encoded_as_the_reference_does() -> None:
    shares = [json_form(Decimal(units).scaleb(-4)) for units in range(10_001)]
    assert msgspec.json.encode(shares) == rfc8785.dumps(shares)
    assert [whole_units(share, 1, 4) for share in shares] == list(range(10_001))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_every_text_is_encoded_as_the_reference_does(text: str) -> None:
    rule = {"id": "r", "from": "2024-01-01T00:00:00Z", "text": text}
    book = book_from_tables(tables_of(rule=[rule]))
    assert book.hash == sha256(rfc8785.dumps(book.tables)).hexdigest()


@pytest.mark.parametrize(
    "written", ["0.30000000000000000000000000000000000000000000000001", "1e-5", "1.00001", "-0.0001", "inf"]
)
def test_share_is_never_rounded(written: str) -> None:
    with pytest.raises(ValueError, match=r"fraction digits|outside"):
        whole_units(Decimal(written), 1, 4)


def test_what_a_file_leaves_out_has_its_documented_default() -> None:
    policy = book_from_tables(tables_of()).policies["weibo"]
    assert policy.enabled
    assert policy.scope == Scope(
        owners=("individual", "organisation"), subjects=(), min_subject_share=3000, exempt_daily_life=False
    )
    assert policy.phases[0].grace == Grace(days=1, deadline=None, min_days=0, reminders_days_before=())
    assert (policy.phases[0].until, policy.phases[0].subjects) == (None, None)
    assert (policy.confirm.dwell_days, policy.confirm.hysteresis) == (0, 0)
    assert (policy.measures.impose, policy.measures.untouched) == ((), ())
    assert policy.measures.on_decline == "at-deadline"
    assert (policy.below.pending, policy.below.measures) == ("cancel", "lift")
    assert (policy.display.individual, policy.display.organisation) == ("real_name", "organisation_name")
    assert policy.notice.channel == "in_app_message"
    assert policy.viewer.deny == ()
    assert policy.watch.floor_share == 8000
    assert (policy.purge, policy.floor, policy.rules, policy.sources) == (None, None, (), {})


def test_defaults_lie_under_each_phase_and_arrays_are_replaced(tmp_path: Path) -> None:
    defaults = """
[scope]
owners = ["individual"]
subjects = ["military"]
[phase]
subjects = ["finance"]
[phase.grace]
min_days = 2
reminders_days_before = [3, 1]
"""
    text = BASE.replace("days = 10\n", "days = 10\nreminders_days_before = [5]\n")
    policy = book_of(tmp_path, text, defaults).policies["weibo"]
    assert policy.scope.owners == ("individual",)
    assert policy.scope.subjects == ("finance", "law")
    assert policy.phases[0].subjects == ("finance",)
    assert policy.phases[0].grace == Grace(days=10, min_days=2, reminders_days_before=(5,))


def test_tables_hold_what_was_written_and_nothing_filled_in(tmp_path: Path) -> None:
    merged = book_of(tmp_path, BASE, "[watch]\nfloor_share = 0.5\n").tables["policies"]["weibo"]
    assert set(merged) == {"platform", "version", "scope", "confirm", "phase", "sources", "watch"}
    assert merged["phase"][0]["from"] == "2023-10-30T16:00:00Z"
    assert merged["scope"]["min_subject_share"] == 0.25
    assert merged["sources"]["phase.p1.op"]["date"] == "2023-10-31"


def test_phases_stand_by_threshold_then_begin() -> None:
    row = tables_of()["policies"]["weibo"]["phase"][0]
    rows = [
        {**row, "id": "late", "from": "2025-01-01T00:00:00Z"},
        {**row, "id": "high", "threshold": 6},
        {**row, "id": "early", "until": "2025-01-01T00:00:00Z"},
    ]
    policy = book_from_tables(tables_of(phase=rows)).policies["weibo"]
    assert [phase.id for phase in policy.phases] == ["early", "late", "high"]


@pytest.mark.parametrize(("op", "reached"), [(">=", [False, True, True]), (">", [False, False, True])])
def test_threshold_is_in_or_out_as_the_op_says(op: Any, reached: list[bool]) -> None:
    phase = Phase(id="p", threshold=500, op=op, begins=0, grace=Grace(days=1))
    assert [phase.reached(followers) for followers in (499, 500, 501)] == reached


def test_phase_is_in_force_from_its_begin_and_no_longer_at_its_until() -> None:
    phase = Phase(id="p", threshold=1, op=">", begins=10, until=20, grace=Grace(days=1))
    assert [phase.in_force(at) for at in (9, 10, 19, 20)] == [False, True, True, False]


def test_phase_without_until_is_in_force_for_ever() -> None:
    phase = Phase(id="p", threshold=MOST_FOLLOWERS, op=">", begins=10, grace=Grace(days=1))
    assert phase.in_force(instant.parse("9999-12-31T23:59:59Z"))


def test_source_of_a_leaf_is_its_own_else_that_of_every_phase(tmp_path: Path) -> None:
    source = '{ status = "assumed", text = "made up", publisher = "a test", date = 2024-01-01 }'
    defaults = f'[sources]\n"phase.grace.days" = {source}\n"phase.op" = {source}\n'
    policy: Policy = book_of(tmp_path, BASE, defaults).policies["weibo"]
    statuses = {
        path: cited.status if (cited := policy.source_of(path)) else None
        for path in ("phase.p1.op", "phase.p1.grace.days", "scope.subjects", "phase.p1.until", "phase.p1")
    }
    assert statuses == {
        "phase.p1.op": "news",
        "phase.p1.grace.days": "assumed",
        "scope.subjects": "news",
        "phase.p1.until": None,
        "phase.p1": None,
    }


def test_built_in_default_can_be_cited(tmp_path: Path) -> None:
    source = '{ status = "assumed", text = "made up", publisher = "a test", date = 2024-01-01 }\n'
    text = BASE + f'"below.pending" = {source}"phase.p1.grace.min_days" = {source}'
    assert "below.pending" in book_of(tmp_path, text).policies["weibo"].sources


def test_floor_may_be_overridden_with_a_source() -> None:
    source = {"status": "assumed", "text": "made up", "publisher": "a test", "date": "2024-01-01"}
    floor = {"followers": 6, "override": True}
    policy = book_from_tables(tables_of(floor=floor, sources={"floor.override": source})).policies["weibo"]
    assert policy.floor is not None
    assert policy.floor.override


def test_models_refuse_what_the_tables_may_not_say() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Grace(days=1, hours=3)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="frozen"):
        Grace(days=1).days = 2  # type: ignore[misc]


def test_models_say_in_json_what_a_file_says() -> None:
    text = shipped_book_dir() / "weibo.toml"
    phase = tomllib.loads(text.read_text("utf-8"))["phase"][1]
    model = load_book(shipped_book_dir()).policies["weibo"].phases[0]
    said = json.loads(model.model_dump_json(by_alias=True))
    assert (said["id"], said["op"], said["threshold"]) == (phase["id"], phase["op"], phase["threshold"])
    assert instant.parse(said["from"]) == instant.parse(phase["from"].isoformat())
    assert json.loads(Scope().model_dump_json())["min_subject_share"] == 0.3
