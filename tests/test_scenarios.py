"""Stories that a policy person can read and write: tests/scenarios/*.toml, in the form of its README.md.

Every sentence of the contract's section 3 (tests/scenarios/LAW.md: an id for each) is told by at least one
scenario; a scenario says in `law` which ones it tells. Each runs on one partition and on three, its
journals are verified, and the oracle gives a second opinion.
"""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from beside import of_shared
from scenario_run import Telling, book_of, differences, run
from scenario_script import Scenario, read_scenario
from test_worlds import first_difference
from worlds import World

from schemas import topics
from schemas.errors import PolicyError
from streams.core import obligations
from streams.verify import verify

HERE = Path(__file__).parent / "scenarios"
FILES = sorted(HERE.glob("*.toml"))
NOT_OF_SECTION_3 = "## Beside section 3"
Outputs = dict[tuple[str, str], list[dict[str, Any]]]


def by_name(files: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("file", files, ids=lambda file: file.stem)


DECIDED = [file for file in FILES if not read_scenario(file).refused]
OF_ONE_BOOK = [file for file in DECIDED if not read_scenario(file).books]
"""The oracle knows one."""


class Told(NamedTuple):
    """A scenario, what came of it on one partition and on three, and the transitions it went through."""

    scenario: Scenario
    one: Telling
    three: Telling
    reached: frozenset[tuple[str, str]]


@cache
def told(file: Path) -> Told:
    """Read and run a scenario, once for all tests."""
    scenario = read_scenario(file)
    reached = set()
    advance = obligations.advance

    def watched(stage: Any, change: Any) -> Any:
        following = advance(stage, change)
        reached.add((stage, change))
        return following

    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(obligations, "advance", watched)
        one, three = (run(scenario, Path(directory), partitions) for partitions in (1, 3))
    return Told(scenario, one, three, frozenset(reached))


def law() -> dict[str, str]:
    """Return the sentences of LAW.md by their ids."""
    text = (HERE / "LAW.md").read_text("utf-8")
    return dict(re.findall(r"^- `([a-z.-]+)` (.+)$", text, re.MULTILINE))


# Each scenario ---------------------------------------------------------------------------------------


@by_name(FILES)
def test_it_is_decided_as_the_scenario_says(file: Path) -> None:
    scenario = read_scenario(file)
    if scenario.refused:
        with TemporaryDirectory() as directory, pytest.raises(PolicyError, match=scenario.refused):
            book_of(scenario, "", Path(directory))
        return
    found = [f"{file.name}, {why}" for why in differences(scenario, told(file).one)]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def without_place(telling: Telling) -> Outputs:
    """Return what left, by topic and account, without what names the partition."""
    found: Outputs = defaultdict(list)
    for topic, records in telling.files.items():
        for record in records:
            who = record["key"] if "key" in record else f"{record['platform']}:{record['account_id']}"
            kept = {
                name: value for name, value in record.items() if name not in ("seq", "partition", "entry")
            }
            found[topic, who].append(kept)
    return found


@by_name(DECIDED)
def test_its_journals_are_derived_again(file: Path) -> None:
    for telling in (told(file).one, told(file).three):
        verify(telling.entries)


@by_name(DECIDED)
def test_three_partitions_decide_the_same(file: Path) -> None:
    assert without_place(told(file).one) == without_place(told(file).three)


@by_name(DECIDED)
def test_the_topics_get_what_the_journal_holds(file: Path) -> None:
    one = told(file).one
    outputs = [output for decision in one.decided for output in decision.outputs]
    left = [record for topic in topics.OUTPUTS for record in one.files[topic]]
    assert sorted(left, key=lambda record: record["id"]) == sorted(outputs, key=lambda record: record["id"])


@by_name(OF_ONE_BOOK)
def test_the_oracle_is_of_the_same_opinion(file: Path, tmp_path: Path) -> None:
    scenario = read_scenario(file)
    world = World(0, scenario.policies, scenario.lines, scenario.until)
    assert first_difference(world, tmp_path) == ""


# All of them -----------------------------------------------------------------------------------------


def test_every_sentence_of_the_law_is_told_by_a_scenario() -> None:
    named = {sentence for file in FILES for sentence in read_scenario(file).law}
    assert sorted(law().keys() - named) == []
    assert sorted(named - law().keys()) == []


def test_every_transition_of_an_obligation_is_reached_by_a_scenario() -> None:
    reached = {pair for file in FILES if not read_scenario(file).refused for pair in told(file).reached}
    assert reached == set(obligations.NEXT)


@pytest.mark.shared
def test_the_law_of_the_scenarios_is_section_3_of_the_contract_and_leaves_nothing_out() -> None:
    contract = of_shared("contract.md").read_text("utf-8")
    section = contract.split("## 3. Stages\n")[1].split("\n## 4.")[0]
    text = (HERE / "LAW.md").read_text("utf-8").partition(NOT_OF_SECTION_3)
    of_section, beside = (
        re.findall(r"^- `[a-z.-]+` (.+)$", part, re.MULTILINE) for part in (text[0], text[2])
    )
    assert " ".join(of_section).split() == re.sub(r"^- ", "", section, flags=re.MULTILINE).split()
    everything = " ".join(contract.split())
    assert [sentence for sentence in beside if sentence not in everything] == []
