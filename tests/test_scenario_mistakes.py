"""A mistake in a scenario is answered with its file and line; a difference in the scenario's own language."""

from pathlib import Path

import pytest
from scenario_run import differences, run
from scenario_script import read_scenario
from scenario_words import ScenarioMistake

README = Path(__file__).parent / "scenarios" / "README.md"

STORY = """\
story = "A story."
law = ["taken.row"]
policy.grace_days = 5
events = \"""
2024-01-02 acc-a has 1_000_000
2024-01-03 end
\"""
expect = \"""
2024-01-02 acc-a disclosure-required p1 deadline 2024-01-07 + grace-started
\"""
silent = \"""
acc-a hears nothing on 2024-01-03
\"""
"""

MISTAKES = {
    "a verb": (
        *("acc-a has 1_000_000", "acc-a agres"),
        (
            'story.toml:5: "2024-01-02 acc-a agres": "agres" is no verb. '
            "Write one of has, agrees, declines, displays, hides, ruled, is, writes."
        ),
    ),
    "a day": (
        *("2024-01-03 end", "2024-02-30 end"),
        (
            'story.toml:6: "2024-02-30 end": "2024-02-30 " is no instant. '
            "Write 2024-01-02, or 2024-01-02 12:00 (UTC)."
        ),
    ),
    "a number": (
        *("1_000_000", "1M"),
        (
            'story.toml:5: "2024-01-02 acc-a has 1M": "1M" is no number of followers. '
            "Write a whole number like 1_000_000."
        ),
    ),
    "words too many": (
        *("2024-01-03 end", "2024-01-03 tick tock"),
        'story.toml:6: "2024-01-03 tick tock": "tock" is too much after an event.',
    ),
    "an event after the end": (
        *("2024-01-03 end", "2024-01-03 end\n2024-01-04 acc-a agrees"),
        'story.toml:7: "2024-01-04 acc-a agrees": stands after the end. Put it before, or take the end away.',
    ),
    "a field that is needed": (
        *(" deadline 2024-01-07", ""),
        (
            'story.toml:9: "2024-01-02 acc-a disclosure-required p1 + grace-started": '
            'disclosure-required needs its "deadline".'
        ),
    ),
    "a silence of somebody unknown": (
        *("acc-a hears nothing", "acc-b hears nothing"),
        'story.toml:12: "acc-b hears nothing on 2024-01-03": no event is about acc-b.',
    ),
    "a silence in other words": (
        *("hears nothing", "is quiet"),
        (
            'story.toml:12: "acc-a is quiet on 2024-01-03": a silence is written acc-a hears nothing, '
            "acc-a hears no grace-reminder or acc-a sleeps."
        ),
    ),
    "a key": (
        *("silent =", "silence ="),
        (
            "story.toml:11: silence is no key of a scenario. "
            "Write one of story, law, policy, policies, book, events, expect, silent, status, refused."
        ),
    ),
    "a list in place of lines": (
        *('events = """\n2024-01-02 acc-a has 1_000_000\n2024-01-03 end\n"""', 'events = "2024-01-02 tick"'),
        'story.toml:4: events is written in lines: begin with events = """, one line for each, end with """.',
    ),
}


def test_the_story_of_the_mistakes_is_one_without_them(tmp_path: Path) -> None:
    file = tmp_path / "story.toml"
    file.write_text(STORY, "utf-8")
    assert list(differences(read_scenario(file), run(read_scenario(file), tmp_path, 1))) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_with_its_line_and_what_to_write(name: str, tmp_path: Path) -> None:
    before, after, message = MISTAKES[name]
    file = tmp_path / "story.toml"
    file.write_text(STORY.replace(before, after), "utf-8")
    with pytest.raises(ScenarioMistake) as mistake:
        read_scenario(file)
    assert str(mistake.value) == message


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('silent = """', "silent", r"story.toml:1\d: no TOML: "),
        ("grace_days", "graze_days", r"story.toml:3: policy.graze_days \(graze_days\) is no short name"),
        (
            "grace_days = 5",
            "grace_days = 0",
            r"(?s)story.toml:3: a policy of this scenario is refused.\n.*days",
        ),
        ('"""\nexpect', '2024-01-04 book two\n"""\nexpect', r"story.toml:7: .*stands after the end"),
    ],
)
def test_a_mistake_of_another_reader_names_the_line_too(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "story.toml"
    file.write_text(STORY.replace(before, after), "utf-8")
    with pytest.raises(ScenarioMistake, match=message):
        run(read_scenario(file), tmp_path, 1)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "deadline 2024-01-07",
            "deadline 2024-01-08",
            "line 9: decided instead: 2024-01-02 acc-a disclosure-r",
        ),
        ("+ grace-started", "", "line 9: decided instead: "),
        ('\n"""\nsilent', '\n2024-01-03 acc-a disclosure-met\n"""\nsilent', "line 10: expected, but not"),
        (
            "2024-01-03 end",
            "2024-01-07 end",
            "after the last line of expect: decided, but not expected: 2024-01-07",
        ),
        ("on 2024-01-03", "on 2024-01-02", "line 12: the silence is broken: 2024-01-02 acc-a disclosure-r"),
        (
            'on 2024-01-03\n"""',
            'on 2024-01-03\n"""\nstatus = """\nacc-a met\n"""',
            "line 15: the last status of",
        ),
    ],
)
def test_a_difference_is_said_in_the_language_of_the_scenarios(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "story.toml"
    file.write_text(STORY.replace(before, after), "utf-8")
    assert next(differences(read_scenario(file), run(read_scenario(file), tmp_path, 1))).startswith(message)


def test_the_example_of_the_readme_is_true(tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(README.read_text("utf-8").split("```toml\n")[1].split("```")[0], "utf-8")
    assert list(differences(read_scenario(file), run(read_scenario(file), tmp_path, 1))) == []
