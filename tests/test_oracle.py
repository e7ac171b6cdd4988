"""The oracle satisfies the acceptance cases, so that it may judge random worlds."""

import gzip
import importlib.util
import json
import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from beside import SHARED, of_shared
from oracle import World, expected
from oracle_book import load

ACCEPTANCE = SHARED / "acceptance"
pytestmark = pytest.mark.shared


def cases() -> list[str]:
    """Return the cases that are decided: of a refused call the oracle has no opinion."""
    folders = sorted(ACCEPTANCE.glob("cases/*"))
    return [one.name for one in folders if not exit_of(one)] or ["missing"]


def exit_of(folder: Path) -> int:
    return int(tomllib.loads((folder / "case.toml").read_text("utf-8"))["exit"])


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    file = of_shared("acceptance", "compare.py")
    spec = importlib.util.spec_from_file_location("acceptance_compare", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["acceptance_compare"] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


def lines_of(folder: Path) -> list[dict[str, Any]]:
    found = []
    for file in sorted(folder.glob("input*")):
        data = file.read_bytes()
        text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8")
        found += [json.loads(line, parse_float=Decimal) for line in text.split("\n") if line.strip()]
    return found


@pytest.mark.parametrize("name", cases())
def test_the_oracle_decides_as_the_acceptance_case_says(name: str, compare: ModuleType) -> None:
    folder = ACCEPTANCE / "cases" / name
    case = tomllib.loads((folder / "case.toml").read_text("utf-8"))
    world: World = expected(load(ACCEPTANCE / "books" / case["book"]), lines_of(folder), case.get("until"))
    wanted = compare.Answer(
        0,
        "",
        compare.read_lines(folder / "expected.jsonl"),
        compare.read_lines(folder / "status.jsonl"),
        case["dead"],
    )
    status = [
        {"key": f"{one['platform']}:{one['account_id']}", "value": None if one.get("gone") else one}
        for one in world.status()
    ]
    given = compare.Answer(0, "", world.outputs, status, world.dead)
    assert compare.judge(wanted, given, [], None, bool(case.get("in_order")), checks_form=False) == ""
