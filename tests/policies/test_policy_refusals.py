"""Every way in which a directory of policy files is refused, word for word as the author reads it.

The texts are `tests/messages/policy-<case>.txt`, where DIR stands for the directory.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import golden
import pytest

from schemas.errors import PolicyError
from streams.policies.load import load_book

BASE = """\
platform = "weibo"
version = "2024-01-01.1"
[scope]
subjects = ["finance", "law"]
min_subject_share = 0.3
[confirm]
dwell_days = 0
[measures]
impose = ["hot_search"]
untouched = ["basic_functions"]
[[phase]]
id = "p1"
threshold = 1_000_000
op = ">="
from = 2023-10-31T00:00:00+08:00
[phase.grace]
days = 10
reminders_days_before = [3, 1]
[[phase]]
id = "p2"
threshold = 500_000
op = ">"
from = 2024-01-01T00:00:00+08:00
until = 2025-01-01T00:00:00+08:00
subjects = ["finance"]
[phase.grace]
days = 10
deadline = 2024-01-31T23:59:59+08:00
[floor]
followers = 500_000
[[rule]]
id = "ip-location"
from = 2022-04-28T00:00:00+08:00
text = "province at home"
[sources]
"""
CITED = (
    *("scope.subjects", "measures.impose", "measures.untouched", "rule.ip-location.from"),
    *(f"phase.{phase}.{leaf}" for phase in ("p1", "p2") for leaf in ("threshold", "op", "from")),
    *("phase.p2.until", "phase.p2.subjects", "phase.p2.grace.deadline"),
)
SOURCE = '{ status = "notice", text = "made up", publisher = "a test", date = 2023-10-31 }'
BASE += "".join(f'"{path}" = {SOURCE}\n' for path in CITED)


def changed(*changes: tuple[str, str]) -> dict[str, str]:
    text = BASE
    for old, new in changes:
        assert old in text, f"the base has no {old!r}"
        text = text.replace(old, new, 1)
    return {"weibo.toml": text}


def p2_says(old: str, new: str) -> dict[str, str]:
    head, tail = BASE.split('id = "p2"')
    assert old in tail
    return {"weibo.toml": head + 'id = "p2"' + tail.replace(old, new, 1)}


CASES: dict[str, Mapping[str, str | bytes]] = {
    # keys
    "unknown-key": changed(("dwell_days", "dwell_weeks")),
    "unknown-table": changed(("[confirm]", "[conform]")),
    "unknown-key-of-a-phase": changed(("days = 10", "days = 10\nhours = 3")),
    "a-name-of-the-code-is-no-key": changed(
        ("from = ", "begins = "), ('"phase.p1.from"', '"phase.p1.begins"')
    ),
    "unknown-key-of-a-source": changed(('publisher = "a test"', 'publisher = "a test", page = 3')),
    "missing-top": {"weibo.toml": "enabled = true\n"},
    "missing-in-phase": {
        "weibo.toml": 'platform = "weibo"\nversion = "1"\n[[phase]]\n[phase.grace]\nmin_days = 3\n'
    },
    "missing-grace": {
        "weibo.toml": BASE.replace("[phase.grace]\ndays = 10\nreminders_days_before = [3, 1]\n", "")
    },
    "missing-in-source": changed((", date = 2023-10-31 }", " }")),
    "missing-in-purge": changed(("[confirm]", "[purge]\ndrop_share = 0.2\n[confirm]")),
    # types
    "count-in-quotes": changed(("1_000_000", '"1000000"')),
    "count-with-a-point": changed(("1_000_000", "1000000.0")),
    "count-of-zero": changed(("1_000_000", "0")),
    "count-too-large": changed(("1_000_000", "9_007_199_254_740_992")),
    "truth-in-quotes": changed(("[scope]", 'enabled = "yes"\n[scope]')),
    "truth-for-a-count": changed(("1_000_000", "true")),
    "no-table": changed(('[scope]\nsubjects = ["finance", "law"]\nmin_subject_share = 0.3', 'scope = "all"')),
    "no-array": changed(('impose = ["hot_search"]', 'impose = "hot_search"')),
    "one-phase-table": {"weibo.toml": BASE.split("[[phase]]")[0] + '[phase]\nid = "p1"\n'},
    "no-phase": changed(("[scope]", "phase = []\n[scope]"))
    | {"weibo.toml": 'platform = "weibo"\nversion = "1"\nphase = []\n'},
    "version-with-a-space": changed(("2024-01-01.1", "of May")),
    # identifiers and enumerations
    "identifiers": changed(('"hot_search"', '"Hot Search"'), ('"finance", "law"', '"finance", "Recht"')),
    "named-twice": changed(('"finance", "law"', '"finance", "law", "finance"')),
    "unknown-owner": changed(("[scope]", '[scope]\nowners = ["individual", "company"]')),
    "unknown-op": changed(('op = ">="', 'op = "=>"')),
    "unknown-status": changed(('status = "notice"', 'status = "rumour"')),
    "platform-with-a-capital": {"Weibo.toml": BASE.replace('"weibo"', '"Weibo"', 1)},
    "phase-id-with-a-point": changed(
        ('id = "p1"', 'id = "p.1"'),
        *((f'"phase.p1.{leaf}"', f'"phase.p.1.{leaf}"') for leaf in ("threshold", "op", "from")),
    ),
    "source-of-no-day": changed(
        ('publisher = "a test", date = 2023-10-31', 'publisher = "a test", date = "October 2023"')
    ),
    "source-of-an-impossible-day": changed(
        ('publisher = "a test", date = 2023-10-31', 'publisher = "a test", date = "2023-02-30"')
    ),
    # numbers
    "grace-of-no-day": changed(("days = 10", "days = 0")),
    "reminder-of-no-day": changed(("[3, 1]", "[3, 0]")),
    "share-with-five-digits": changed(("0.3", "0.33333")),
    "share-outside": changed(("0.3", "1.5")),
    "share-no-number": changed(("0.3", "nan")),
    "share-in-quotes": changed(("0.3", '"0.3"')),
    "percentage-with-three-digits": changed(("dwell_days = 0", "hysteresis_pct = 0.125")),
    "purge-over-a-month": changed(("[confirm]", "[purge]\ndrop_share = 0.2\nwithin_days = 31\n[confirm]")),
    # instants
    "instant-without-offset": changed(("2023-10-31T00:00:00+08:00", "2023-10-31T00:00:00")),
    "instant-without-time": changed(("2023-10-31T00:00:00+08:00", "2023-10-31")),
    "instant-in-quotes": changed(("2023-10-31T00:00:00+08:00", '"2023-10-31T00:00:00+08:00"')),
    "until-before-from": changed(("until = 2025", "until = 2023")),
    # between phases
    "same-phase-id": changed(('id = "p2"', 'id = "p1"')),
    "same-rule-id": changed(
        ("[sources]", '[[rule]]\nid = "ip-location"\nfrom = 2023-01-01T00:00:00Z\ntext = "again"\n[sources]')
    ),
    "one-threshold-twice": p2_says("500_000", "1_000_000"),
    "phase-without-subjects": p2_says('["finance"]', "[]"),
    # sources
    "no-sources-at-all": {"weibo.toml": BASE.split("[sources]")[0]},
    "source-of-nothing": changed(
        ('"scope.subjects" =', '"scope.topics" ='), ("[sources]", f'[sources]\n"scope.subjects" = {SOURCE}')
    ),
    "source-of-no-phase": changed(("[sources]", f'[sources]\n"phase.p9.op" = {SOURCE}')),
    "below-the-floor": p2_says("500_000", "499_999"),
    "floor-override-uncited": changed(("followers = 500_000", "followers = 600_000\noverride = true")),
    # files
    "another-name": {"weibo_old.toml": BASE},
    "no-toml": changed(("[scope]", "[scope")),
    "no-toml-at-the-end": {"weibo.toml": 'platform = "weibo'},
    "number-too-large": changed(("0.3", "1e99999999999999999999")),
    "not-utf-8": {"weibo.toml": b'platform = "\xff"'},
    "empty": {"README.md": "nothing here"},
    "only-defaults": {"_defaults.toml": "[below]\n"},
    "defaults-of-phases-as-an-array": {**changed(), "_defaults.toml": "[[phase]]\ndays = 3\n"},
    "defaults-with-a-mistake": {
        **changed(),
        "zhihu.toml": BASE.replace('"weibo"', '"zhihu"', 1),
        "_defaults.toml": "flor = 3\n[phase.grace]\nmin_days = -1\n[watch]\nfloor_share = 80\n",
    },
    "many-at-once": {
        **changed(
            ("dwell_days", "dwell_weeks"),
            ("0.3", "3"),
            ("until = 2025", "until = 2023"),
            ('op = ">"', 'op = "over"'),
        ),
        "zhihu.toml": BASE.replace('"weibo"', '"zhihu"', 1).replace("days = 10", "days = 0"),
    },
}


def laid_out(directory: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        (directory / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return directory


@pytest.mark.parametrize("case", CASES)
def test_refusal_says_file_line_mistake_and_remedy(case: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as refused:
        load_book(laid_out(tmp_path, CASES[case]))

    said = str(refused.value).replace(str(tmp_path), "DIR") + "\n"
    golden.hold(f"policy-{case}", said)


def test_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as refused:
        load_book(tmp_path / "nowhere")

    said = str(refused.value).replace(str(tmp_path), "DIR") + "\n"
    golden.hold("policy-no-directory", said)


def test_every_message_belongs_to_a_case() -> None:
    kept = {path.stem.removeprefix("policy-") for path in golden.MESSAGES.glob("policy-*.txt")}
    assert kept == {*CASES, "no-directory", "record"}


def test_base_of_the_cases_loads(tmp_path: Path) -> None:
    assert set(load_book(laid_out(tmp_path, changed())).policies) == {"weibo"}


@pytest.mark.parametrize("path", CITED)
def test_what_the_own_file_states_needs_its_source(path: str, tmp_path: Path) -> None:
    without = re.sub(rf'^"{re.escape(path)}" = .*\n', "", BASE, flags=re.MULTILINE)

    with pytest.raises(PolicyError) as refused:
        load_book(laid_out(tmp_path, {"weibo.toml": without}))

    assert re.fullmatch(
        rf'weibo\.toml:\d+: {re.escape(path)} has no source\. Add "{re.escape(path)}" to \[sources\]\.',
        str(refused.value),
    )


def test_source_of_a_default_does_not_cite_what_the_own_file_states(tmp_path: Path) -> None:
    without = BASE.replace(f'"scope.subjects" = {SOURCE}\n', "")
    defaults = f'[sources]\n"scope.subjects" = {SOURCE}\n'

    with pytest.raises(PolicyError, match=r"scope\.subjects has no source"):
        load_book(laid_out(tmp_path, {"weibo.toml": without, "_defaults.toml": defaults}))
