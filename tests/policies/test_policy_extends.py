"""A directory that says only what it has otherwise than another book: `extends` in its `_defaults.toml`."""

from pathlib import Path

import pytest

from schemas.errors import PolicyError
from schemas.policy import Policy
from streams.policies.load import load_book

SOURCE = '{ status = "notice", text = "made up", publisher = "a test", date = 2024-01-01 }'
UNDER_DEFAULTS = f"""\
[phase.grace]
days = 10
[below]
pending = "keep"
[sources]
"below.pending" = {SOURCE}
"phase.grace.days" = {SOURCE}
"""
UNDER = f"""\
platform = "weibo"
version = "1"
[scope]
subjects = ["finance", "law"]
[measures]
impose = ["tipping"]
untouched = ["basic_functions"]
[[phase]]
id = "p1"
threshold = 1_000_000
op = ">="
from = 2024-01-01T00:00:00+08:00
[[rule]]
id = "ip-location"
from = 2022-04-28T00:00:00+08:00
text = "province at home"
[sources]
"scope.subjects" = {SOURCE}
"measures.impose" = {SOURCE}
"measures.untouched" = {SOURCE}
"phase.p1.threshold" = {SOURCE}
"phase.p1.op" = {SOURCE}
"phase.p1.from" = {SOURCE}
"rule.ip-location.from" = {SOURCE}
"rule.ip-location.text" = {SOURCE}
"""
SECOND = f"""\
[[phase]]
id = "p2"
threshold = 500_000
op = ">="
from = 2024-02-01T00:00:00+08:00
[sources]
"phase.p2.threshold" = {SOURCE}
"phase.p2.op" = {SOURCE}
"phase.p2.from" = {SOURCE}
"""


@pytest.fixture
def written(tmp_path: Path):
    """Writes a book and one over it, and returns the directory of the latter."""

    def write(weibo: str = "", defaults: str = 'extends = "../under"\n', **others: str) -> Path:
        under, above = tmp_path / "under", tmp_path / "above"
        for directory in (under, above):
            directory.mkdir(exist_ok=True)
        (under / "_defaults.toml").write_text(UNDER_DEFAULTS, "utf-8")
        (under / "weibo.toml").write_text(UNDER, "utf-8")
        (under / "zhihu.toml").write_text(UNDER.replace('"weibo"', '"zhihu"'), "utf-8")
        (above / "_defaults.toml").write_text(defaults, "utf-8")
        for name, text in {"weibo": weibo, **others}.items():
            if text:
                (above / f"{name}.toml").write_text(text, "utf-8")
        return above

    return write


def weibo_in(directory: Path) -> Policy:
    return load_book(directory).policies["weibo"]


def refused(directory: Path) -> str:
    with pytest.raises(PolicyError) as error:
        load_book(directory)
    return str(error.value)


def test_book_that_says_nothing_more_is_the_same_book(written) -> None:
    above = written()
    assert load_book(above) == load_book(above.parent / "under")


def test_one_more_phase_is_added_to_those_below_and_gets_their_defaults(written) -> None:
    policy = weibo_in(written(SECOND))
    assert [phase.id for phase in policy.phases] == ["p2", "p1"]
    assert [phase.grace.days for phase in policy.phases] == [10, 10]
    assert load_book(written(SECOND)).policies["zhihu"] == load_book(written()).policies["zhihu"]


def test_phase_of_a_known_id_is_changed_and_not_repeated(written) -> None:
    above = f"""
[[phase]]
id = "p1"
until = 2025-01-01T00:00:00+08:00
[[rule]]
id = "no-anonymity"
from = 2023-07-14T00:00:00+08:00
text = "no anonymous content"
[sources]
"phase.p1.until" = {SOURCE}
"rule.no-anonymity.from" = {SOURCE}
"""
    policy = weibo_in(written(above))
    assert [(phase.id, phase.threshold, phase.until is None) for phase in policy.phases] == [
        ("p1", 1_000_000, False)
    ]
    assert [rule.id for rule in policy.rules] == ["ip-location", "no-anonymity"]


def test_arrays_are_replaced_and_tables_merge(written) -> None:
    above = f'[measures]\nimpose = ["hot_search"]\n[sources]\n"measures.impose" = {SOURCE}\n'
    policy = weibo_in(written(above))
    assert (policy.measures.impose, policy.measures.untouched) == (("hot_search",), ("basic_functions",))


def test_own_defaults_lie_over_those_below(written) -> None:
    policy = weibo_in(written(defaults='extends = "../under"\n[phase.grace]\ndays = 20\nmin_days = 2\n'))
    assert (policy.phases[0].grace.days, policy.phases[0].grace.min_days) == (20, 2)
    assert policy.below.pending == "keep"


def test_platform_may_be_added(written) -> None:
    book = load_book(written(douyin=UNDER.replace('"weibo"', '"douyin"')))
    assert set(book.policies) == {"weibo", "zhihu", "douyin"}


def test_source_falls_away_with_the_value_that_it_was_for(written) -> None:
    defaults = 'extends = "../under"\n[phase.grace]\ndays = 20\n'
    sources = weibo_in(written(defaults=defaults)).sources
    assert "phase.grace.days" not in sources
    assert "below.pending" in sources


@pytest.mark.parametrize(
    ("weibo", "message"),
    [
        (
            '[[phase]]\nid = "p1"\nthreshold = 900_000\n',
            'weibo.toml:3: phase.p1.threshold has no source. Add "phase.p1.threshold" to [sources].',
        ),
        (
            SECOND.replace("500_000", "1_000_000"),
            "weibo.toml:3: phase.p2.threshold is 1000000, as that of phase.p1, and both are in force from",
        ),
        (
            '[[phase]]\nid = "p3"\n' + SECOND,
            "weibo.toml:1: phase.p3.from is missing. Add the key, or a default for every phase in _defaults.toml.",
        ),
        (
            "[confirm]\ndwell_weeks = 2\n",
            "weibo.toml:2: confirm.dwell_weeks is no key of confirm. Did you mean dwell_days?",
        ),
        (
            "[floor]\nfollowers = 2_000_000\n",
            "../under/weibo.toml:10: phase.p1.threshold is 1000000, below the pledged floor of 2000000.",
        ),
        (
            '[[phase]]\nid = "p1"\n[[phase]]\nid = "p1"\n',
            'weibo.toml:4: phase.p1.id is "p1", as of another phase before. Give each phase its own id.',
        ),
    ],
    ids=["uncited", "overlap", "incomplete", "unknown key", "made wrong below", "one id twice"],
)
def test_mistake_is_shown_in_the_file_that_makes_it(written, weibo: str, message: str) -> None:
    assert any(line.startswith(message) for line in refused(written(weibo)).splitlines())


def test_book_that_is_extended_must_hold_by_itself(written, tmp_path: Path) -> None:
    above = written(SECOND)
    (tmp_path / "under" / "weibo.toml").write_text(UNDER.replace('op = ">="', 'op = "<"'), "utf-8")
    said = refused(above).splitlines()
    assert said[0] == '_defaults.toml:1: extends names "../under", which is refused:'
    assert said[1].startswith("weibo.toml:11: phase.p1.op is ")


@pytest.mark.parametrize("named", [".", "../above"])
def test_book_cannot_extend_itself_or_one_that_extends(written, named: str) -> None:
    above = written(SECOND, defaults=f'extends = "{named}"\n')
    first, second = refused(above).splitlines()
    assert first == f'_defaults.toml:1: extends names "{named}", which is refused:'
    assert second == f"{above / named}: extends a book itself. Name that book, or copy its files here."


def test_extended_directory_must_be_there(written) -> None:
    assert (
        refused(written(defaults='extends = "../gone"\n'))
        .splitlines()[1]
        .endswith("no such file or directory. Name a directory with one <platform>.toml for each platform.")
    )


def test_extended_directory_is_a_text(written) -> None:
    assert refused(written(defaults="# none\nextends = 3\n")) == (
        '_defaults.toml:2: extends is no text. Write the directory of a book, like "../book".'
    )


def test_platform_file_extends_nothing(written) -> None:
    assert refused(written('extends = "../under"\n')).startswith(
        "weibo.toml:1: extends is no key of a policy."
    )
