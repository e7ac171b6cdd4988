"""What `explain` says of stories, held against golden screens, the account's status, and a replay of its claims.

The screens are `tests/messages/explain-<story>.txt`; there every digit of a hash is written as `#`.
"""

import io
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import golden
import msgspec
import pytest
from builders import book_of, book_tables, day, key_of, phase_tables, policy_tables, profile_of, row_of
from rich.console import Console
from worlds import world

from schemas.errors import AuditError, OperatorError
from schemas.instant import DAY, parse, text
from schemas.journal import encode_entry, entry_hash
from schemas.outputs import OF_TYPE
from schemas.policy_leaves import Status
from schemas.reasons import CLAUSES, REASONS
from schemas.wire import canonical, sha256_hex
from streams.cli import main
from streams.cli import screen as cli
from streams.core.deadlines import KINDS
from streams.explain.clauses import (
    CLAUSES_OF_OUTPUT,
    SURENESS,
    UNSOURCED,
    UNSTATED,
    Circumstances,
    key_paths,
    leaf_of,
    written,
)
from streams.explain.explanation import OVERDUE, explain, parse_at
from streams.explain.screen import WIDEST, screen
from streams.explain.words import CAUSES, OUTPUTS
from streams.policies.load import load_book
from streams.replay.run import replay
from streams.verify import read_journal

PROFILE = {"owner": "individual", "self_media": True, "subjects": {"finance": 0.6}}


# Stories ---------------------------------------------------------------------------------------------


def counted(followers: int, at: float, account: str = "acc-a") -> dict[str, Any]:
    value = {"event_id": f"c-{at}", "platform": "weibo", "account_id": account}
    return {
        "topic": "follower-counts",
        "value": {**value, "followers": followers, "observed_at": text(day(at))},
    }


def stated(kind: str, at: float, account: str = "acc-a", **said: Any) -> dict[str, Any]:
    value = {"event_id": f"{kind}-{at}", "platform": "weibo", "account_id": account}
    return {"topic": "account-facts", "value": {**value, "occurred_at": text(day(at)), "type": kind, **said}}


def ruled(ruling: str, at: float, **said: Any) -> dict[str, Any]:
    return stated("adjudication-made", at, ruling=ruling, reason_code="case-7", **said)


def ticked(at: float) -> dict[str, Any]:
    return {"topic": "clock", "value": {"at": text(day(at))}}


def published(tables: dict[str, Any]) -> dict[str, Any]:
    return {"topic": "policy-book", "value": {"book": tables, "hash": sha256_hex(canonical(tables))}}


def source(status: str, said: str) -> dict[str, Any]:
    return {"status": status, "text": said, "publisher": "the platform's desk", "date": "2023-10-31"}


SOURCES = {
    "phase.p1.threshold": source("notice", "a million and more first"),
    "phase.p1.op": source("inferred", "以上 includes the number"),
    "phase.p1.from": source("news", "first names were seen"),
    "phase.p2.threshold": source("notice_via_repost", "half a million later"),
    "phase.p2.from": source("news", "screenshots of this day"),
    "phase.grace.days": source("assumed", "no number of days is known"),
    "scope.subjects": source("law", "finance and law"),
    "measures.impose": source("notice", "two limits"),
}
P1 = {"threshold": 1_000_000, "grace": {"days": 10, "min_days": 3, "reminders_days_before": [3, 1]}}
P2 = {**P1, "id": "p2", "threshold": 500_000, "from": text(day(30))}


def tables_of(*phases: dict[str, Any], **overrides: Any) -> dict[str, Any]:
    """Return a book of one policy: a million, later half a million; finance and law; cited in part."""
    said = [phase_tables(**phase) for phase in phases or (P1, P2)]
    scope = {"subjects": ["finance", "law"], "min_subject_share": 0.3}
    named = {f"phase.{phase['id']}." for phase in said}
    cited = {
        path: one
        for path, one in SOURCES.items()
        if path.count(".") < 2
        or path.startswith("phase.grace")
        or any(path.startswith(name) for name in named)
    }
    purge = {"drop_share": 0.2, "within_days": 7}
    return book_tables(
        policy_tables(**{"phase": said, "scope": scope, "purge": purge, "sources": cited, **overrides})
    )


@dataclass
class Story:
    """Lines, the book, where the time goes, and the instant that is asked about."""

    lines: list[dict[str, Any]]
    until: float
    at: float | None = None
    tables: dict[str, Any] = field(default_factory=tables_of)
    account: str = key_of()


TOLD = [stated("profile-changed", 0, **PROFILE), counted(1_208_000, 1)]
STORIES = {
    "notice": Story(TOLD, 5),
    "reminder": Story([*TOLD, stated("answer-given", 3, answer="decline")], 9),
    "restriction": Story(TOLD, 20),
    "met": Story([*TOLD, stated("name-display-changed", 4, displayed=True)], 6),
    "purged": Story([*TOLD, counted(700_000, 3)], 6),
    "waived": Story([*TOLD, ruled("waive", 2, until=text(day(60)))], 4),
    "held": Story([*TOLD, stated("answer-given", 3, answer="agree"), ruled("hold", 4)], 6),
    "extended": Story([*TOLD, ruled("extend", 3, until=text(day(25)))], 6),
    "dwell": Story(TOLD, 2, tables=tables_of(confirm={"dwell_days": 7, "hysteresis_pct": 10})),
    "kept": Story(
        [*TOLD, counted(900_000, 3)], 6, tables=tables_of(P1, below={"pending": "keep", "measures": "lift"})
    ),
    "clear": Story([stated("profile-changed", 0, **PROFILE), counted(620_000, 1)], 3),
    "out-of-scope": Story([stated("profile-changed", 0, owner="government"), counted(1_208_000, 1)], 3),
    "forgotten": Story([counted(450_000, 0), counted(100, 1), counted(100, 40)], 41),
    "new-book": Story(
        [published(tables_of()), *TOLD, published(tables_of({**P1, "threshold": 2_000_000}))], 4
    ),
    "samples": Story([*TOLD[:1], *(counted(450_000 + 1000 * at, at) for at in range(1, 20))], 20),
    "between-ticks": Story([ticked(0), *TOLD, ticked(1.5), ticked(12)], 12, at=11.75),
    "later": Story(TOLD, 5, at=0.5, account=key_of("acc-b")),
    "before": Story(TOLD, 5, at=-30),
    "not-yet": Story([counted(450_000, 0, "acc-b"), *TOLD[1:]], 5, at=0.5),
    "after": Story(TOLD, 2, at=300),
    "never": Story(TOLD, 3, account=key_of("acc-z")),
}


def journal_of(story: Story, directory: Path, partitions: int = 1) -> Path:
    """Replay a story and return its journal."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "input.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in story.lines), "utf-8")
    has_book = any(line["topic"] == "policy-book" for line in story.lines)
    book = None if has_book else book_of(*story.tables["policies"].values())
    replay([file], book, until=day(story.until), partitions=partitions, out=directory / "out")
    return directory / "out" / "journal.jsonl"


def explained(story: Story, directory: Path, **more: Any):
    at = day(story.at) if story.at is not None else None
    return explain(read_journal(journal_of(story, directory, **more)), story.account, at)


def shown(said, width: int = 80, **console: Any) -> str:
    """Return the screen of an explanation."""
    file = io.StringIO()
    Console(file=file, width=width, **console).print(screen(said))
    return file.getvalue()


def masked(screen_text: str) -> str:
    """Return a screen without what hangs on every byte of the journal; widths stay."""
    lines = (line.rstrip() for line in screen_text.splitlines())
    hashes = re.compile(r"\b(?=[0-9a-f]*\d)([0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{12})\b")
    return hashes.sub(lambda found: "#" * len(found[0]), "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_told_as_on_its_screen(name, tmp_path):
    said = masked(shown(explained(STORIES[name], tmp_path)))
    golden.hold(f"explain-{name}", said)


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("width", [80, 200])
def test_nothing_runs_over_the_edge_and_colour_says_nothing(name, width, tmp_path):
    said = explained(STORIES[name], tmp_path)
    plain = shown(said, width)
    assert max(map(len, plain.splitlines())) <= width
    coloured = shown(said, width, force_terminal=True, color_system="truecolor")
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert coloured != plain


# What is said ----------------------------------------------------------------------------------------


def effects(said) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for change in said.changes:
        found.setdefault(change.effect, []).append(" and ".join(need.words for need in change.needs))
    return found


def test_a_notice_has_its_state_its_numbers_and_its_clauses(tmp_path):
    said = explained(STORIES["notice"], tmp_path)
    state = said.state
    assert (said.watched, state.stage, state.since) == ("now", "grace", text(day(1)))
    assert (state.followers, state.observed_at, state.phase) == (1_208_000, text(day(1)), "p1")
    assert (state.deadline_at, state.left_s) == (text(day(11)), 6 * 86_400)
    clauses = {clause.number: clause for clause in said.clauses}
    reached = said.decisions[1].reasons[1]
    assert reached.sentence.startswith(
        "1,208,000 followers are at least 1,000,000, the threshold of phase p1"
    )
    threshold = clauses[reached.clauses[0]]
    assert (threshold.path, threshold.value, threshold.status) == ("phase.p1.threshold", 1_000_000, "notice")
    assert (threshold.publisher, threshold.date) == ("the platform's desk", "2023-10-31")
    days = next(clause for clause in said.clauses if clause.path == "phase.p1.grace.days")
    assert (days.value, days.status) == (10, "assumed"), "the source of every phase's default"
    share = next(clause for clause in said.clauses if clause.path == "scope.min_subject_share")
    assert (share.value, share.status, share.sureness) == (0.3, None, UNSOURCED)
    channel = next(clause for clause in said.clauses if clause.path == "notice.channel")
    assert (channel.value, channel.status, channel.sureness) == ("in_app_message", None, UNSTATED)


def test_a_decision_names_its_entry_so_that_it_can_be_contested(tmp_path):
    journal = journal_of(STORIES["restriction"], tmp_path)
    raws = journal.read_bytes().splitlines()
    for decided in explain(read_journal(journal), key_of()).decisions:
        assert decided.entry_hash == entry_hash(raws[decided.entry])
        written_there = json.loads(raws[decided.entry])["content"]["decisions"][decided.place]
        assert written_there["cause"] == decided.cause
        assert [given.values for given in decided.reasons] == written_there["reasons"]


def test_the_line_is_one_follower_away_on_either_side_of_its_number(tmp_path):
    def nearest(op):
        tables = tables_of({**P1, "op": op})
        said = explained(Story(TOLD, 5, tables=tables), tmp_path / op[-1] / str(len(op)))
        return next(change.needs[0] for change in said.changes if change.needs[0].kind == "count")

    assert nearest(">=").difference == 999_999 - 1_208_000
    assert nearest(">").difference == 1_000_000 - 1_208_000


def test_a_clock_that_stands_says_why_and_what_lets_it_run(tmp_path):
    said = explained(STORIES["held"], tmp_path)
    assert (said.state.stage, said.state.holds) == ("stopped", ("agreed", "held"))
    assert (said.state.left_s, said.state.deadline_at) == (8 * 86_400, text(day(11)))
    both = "the account answers decline and an adjudication that releases the hold"
    assert effects(said)["resumes"] == [both], "two reasons hold it, so no one thing lets it run"
    alone = explained(Story(STORIES["held"].lines[:3], 6), tmp_path / "alone")
    assert effects(alone)["resumes"] == ["the account answers decline"]
    assert next(one for one in alone.changes if one.effect == "resumes").deadline_at == text(day(6 + 8))


def test_a_fall_that_is_kept_ends_the_duty_at_the_deadline(tmp_path):
    running = Story(TOLD, 2, tables=STORIES["kept"].tables)
    change = next(one for one in explained(running, tmp_path).changes if one.needs[0].kind == "count")
    assert (change.effect, change.at) == ("ends", text(day(11)))
    kept = explained(STORIES["kept"], tmp_path / "kept")
    assert [coming.kind for coming in kept.ahead] == ["reminder", "reminder", "deadline"]
    assert "cancelled" in " ".join(kept.ahead[-1].sentences)


def test_a_clear_account_hears_what_would_begin_a_duty_and_when(tmp_path):
    said = explained(STORIES["clear"], tmp_path)
    begins = [one for one in said.changes if one.effect == "begins"]
    assert [(one.needs[0].difference, one.at, one.phase) for one in begins] == [(380_000, None, "p1")]
    assert (said.ahead[0].at, said.ahead[0].kind) == (text(day(30)), "phase-begin")
    assert "120,001 followers fewer (a count of 499,999 or less)" in effects(said)["prevents"]


def test_where_no_single_thing_begins_a_duty_the_least_combination_is_said(tmp_path):
    said = explained(STORIES["never"], tmp_path)
    begins = [one for one in said.changes if one.effect == "begins"]
    assert [[need.kind for need in one.needs] for one in begins] == [["profile", "count"]] * 2
    assert [(one.phase, one.at) for one in begins] == [("p2", text(day(30))), ("p1", None)]
    assert effects(said)["watched"] == ["a count of 400,000 or more"]


def test_a_dwell_says_when_it_ends_and_what_would_prevent_the_duty(tmp_path):
    said = explained(STORIES["dwell"], tmp_path)
    assert (said.state.stage, said.state.since) == ("confirming", text(day(1)))
    assert (said.ahead[0].kind, said.ahead[0].at) == ("dwell-end", text(day(8)))
    assert "the name is displayed" in effects(said)["prevents"]
    assert said.phases[1].dwell_ends == text(day(8))


def test_confirming_stands_since_a_phase_began_where_no_decision_says_so(tmp_path):
    phase = {**P1, "from": text(day(4))}
    story = Story(TOLD, 5, tables=tables_of(phase, confirm={"dwell_days": 7}))
    state = explained(story, tmp_path).state
    assert (state.stage, state.since) == ("confirming", text(day(4)))
    assert explained(Story(TOLD, 5, at=3.9, tables=story.tables), tmp_path / "before").state.stage == "clear"


def test_a_phase_that_only_begins_a_dwell_stands_among_what_comes(tmp_path):
    tables = tables_of(P1, {**P2, "from": text(day(4))}, confirm={"dwell_days": 7})
    said = explained(Story([TOLD[0], counted(620_000, 1)], 2, tables=tables), tmp_path)
    assert [(coming.kind, coming.at) for coming in said.ahead[:2]] == [
        ("phase-begin", text(day(4))),
        ("dwell-end", text(day(8))),
    ]
    assert said.ahead[0].sentences == ("A phase of the policy begins at this instant.",)


def test_a_policy_that_is_off_decides_nothing_and_says_so(tmp_path):
    said = explained(Story(TOLD, 2, tables=tables_of(enabled=False)), tmp_path)
    assert (said.state.stage, said.ahead) == ("clear", ())
    assert not [change for change in said.changes if change.effect == "begins"]
    assert "The policy of weibo is disabled: it decides nothing." in said.notes
    assert "watched from" not in " ".join(said.notes)


def test_a_purge_is_named_with_both_numbers_and_its_clauses(tmp_path):
    said = explained(STORIES["purged"], tmp_path)
    purge = next(given for given in said.decisions[-1].reasons if given.code == "suspected-purge")
    assert purge.sentence == "The count fell from 1,208,000 to 700,000 within 7 days: a suspected purge."
    paths = {clause.number: clause.path for clause in said.clauses}
    assert [paths[number] for number in purge.clauses] == ["purge.drop_share", "purge.within_days"]


def test_a_new_book_is_cited_beside_the_old_one(tmp_path):
    said = explained(STORIES["new-book"], tmp_path)
    assert [decided.cause_sentence[:15] for decided in said.decisions][-1] == "The policy book"
    assert len({decided.book for decided in said.decisions}) == 2
    lines = [clause.value for clause in said.clauses if clause.path == "phase.p1.threshold"]
    assert lines == [1_000_000, 2_000_000]


def test_an_instant_in_the_past_knows_nothing_of_what_came_later(tmp_path):
    journal = journal_of(STORIES["restriction"], tmp_path)
    for at in (1, 1.5, 8, 10, 11, 19):
        said = explain(read_journal(journal), key_of(), day(at))
        short = journal_of(Story(TOLD, at), tmp_path / str(at))
        assert said.state == explain(read_journal(short), key_of()).state
        assert all(parse(decided.T) <= day(at) for decided in said.decisions)


def test_what_fell_due_between_two_ticks_is_said_to_be_due(tmp_path):
    said = explained(STORIES["between-ticks"], tmp_path)
    assert (said.state.stage, said.state.left_s) == ("grace", 0)
    assert OVERDUE in said.ahead[0].sentences
    late = explained(Story(STORIES["between-ticks"].lines, 12), tmp_path / "late")
    assert late.decisions[-1].effective_at < late.decisions[-1].T


@pytest.mark.parametrize(
    ("name", "watched", "said_of_it"),
    [
        ("never", "never", "never watched"),
        ("not-yet", "not-yet", "first decision about it came at 2024-01-02 00:00 UTC"),
        ("before", "not-yet", "journal begins at 2024-01-01 00:00 UTC"),
        ("forgotten", "no-more", "forgotten at 2024-02-10 00:00 UTC"),
        ("after", "now", "journal ends at 2024-01-03 00:00 UTC"),
    ],
)
def test_who_is_not_watched_is_told_so_and_from_which_count_on(name, watched, said_of_it, tmp_path):
    said = explained(STORIES[name], tmp_path)
    notes = " ".join(said.notes)
    assert said.watched == watched
    assert said_of_it in notes
    assert ("a count of 400,000 followers on" in notes) == (watched != "now")


def test_the_account_is_found_in_its_partition(tmp_path):
    lines = [line for letter in "abcdef" for line in (counted(1_500_000, 1, f"acc-{letter}"),)]
    tables = tables_of(scope={"subjects": [], "min_subject_share": 0.3})
    journal = journal_of(Story(lines, 3, tables=tables), tmp_path, partitions=3)
    entries = list(read_journal(journal))
    for letter in "abcdef":
        said = explain(entries, f"weibo:acc-{letter}")
        assert said.state.stage == "grace"
        own = [entry for entry in entries if entry[1].partition == said.partition]
        assert explain(own, f"weibo:acc-{letter}").decisions == said.decisions
    others = [entry for entry in entries if entry[1].partition == 2]
    assert "holds only some partitions" in " ".join(explain(others, "weibo:acc-zz").notes)


def test_nothing_is_said_before_the_first_book(tmp_path):
    said = explained(
        Story([ticked(0), *TOLD, ticked(2), published(tables_of()), ticked(5)], 5, at=1.5), tmp_path
    )
    assert (said.state, said.policy_version, said.changes) == (None, None, ())
    assert "nothing is decided before the first one" in " ".join(said.notes)


# Completeness ----------------------------------------------------------------------------------------


def test_every_reason_code_has_its_clauses_and_every_output_its_words():
    assert CLAUSES.keys() == REASONS.keys()
    assert CLAUSES_OF_OUTPUT.keys() == OUTPUTS.keys() == OF_TYPE.keys()
    assert CAUSES.keys() == set(KINDS)
    assert SURENESS.keys() == set(get_args(Status))


@pytest.mark.parametrize("code", [*CLAUSES, *CLAUSES_OF_OUTPUT])
def test_every_key_path_of_a_clause_leads_to_a_leaf(code):
    phase = {**P1, "until": text(day(50)), "subjects": ["law"]}
    phase["grace"] = {**P1["grace"], "deadline": text(day(40))}
    policy = book_of(*tables_of(phase)["policies"].values()).policies["weibo"]
    tables = written(policy)
    row = row_of(profile=profile_of(subjects=(("law", 10_000),)))
    instants = (policy.phases[0].begins, policy.phases[0].until)
    for template in {**CLAUSES, **CLAUSES_OF_OUTPUT}[code]:
        about = [Circumstances(policy, row, "p1", at, "real_name") for at in instants]
        paths = {path for one in about for path in key_paths(template, one)}
        assert paths, template
        assert all(leaf_of(tables, path) is not None for path in paths)


# What is claimed, done -------------------------------------------------------------------------------

WIRE = {
    "profile": "profile-changed",
    "display": "name-display-changed",
    "answer": "answer-given",
    "adjudication": "adjudication-made",
}


def line_of(key: str, need, followers: int | None, at: str) -> dict[str, Any]:
    """Return the line that says what a change needs."""
    platform, _, account_id = key.partition(":")
    who = {"event_id": "claimed", "platform": platform, "account_id": account_id}
    if need.kind == "count":
        return {"topic": "follower-counts", "value": {**who, "followers": followers, "observed_at": at}}
    fact = {**who, **need.says, "type": WIRE[need.kind], "occurred_at": at}
    return {"topic": "account-facts", "value": fact}


def came_true(change, before, after) -> bool:
    then, now = before.state, after.state
    duty = now.obligation_id if now is not None else None
    had = then.obligation_id if then is not None else None
    match change.effect:
        case "ends":
            return duty != had
        case "begins":
            return duty is not None and duty != had
        case "prevents":
            return duty is None
        case "stops":
            return now.stage == "stopped"
        case "resumes":
            return now.stage == "grace" and now.deadline_at == change.deadline_at
        case "later":
            return now.deadline_at > then.deadline_at
        case _:
            return now is not None


@pytest.mark.parametrize("seed", [2, 5, 11, 17, 23, 29, 31, 37])
def test_what_explain_claims_of_a_random_world_comes_true_in_a_replay(seed, tmp_path):
    """The status, what comes by itself, and each single change, with one follower less than it asks for too."""
    one = world(seed)
    lines = [line for line in one.lines if line["topic"] != "clock"]
    book = load_book(one.write(tmp_path)[0])

    def entries_of(more, until):
        file = tmp_path / "lines.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in (*lines, *more)), "utf-8")
        replay([file], book, until=until, out=tmp_path / "out")
        return list(read_journal(tmp_path / "out" / "journal.jsonl"))

    entries = entries_of((), None)
    statuses = {}
    for line in (tmp_path / "out" / "account-status.jsonl").read_text("utf-8").splitlines():
        status = json.loads(line)
        if "key" in status:
            statuses.pop(status["key"])
        else:
            statuses[f"{status['platform']}:{status['account_id']}"] = status
    end = max(parse(content.T) for _, content in entries if content.T is not None)
    later = entries_of((), end + 400 * DAY)
    for key in sorted({decision["key"] for _, content in entries for decision in content.decisions} - {None}):
        said = explain(entries, key)
        assert (said.state is None) == (key not in statuses)
        if said.state is not None:
            names = (
                "stage",
                "followers",
                "observed_at",
                "displayed",
                "phase",
                "obligation_id",
                "deadline_at",
            )
            assert [getattr(said.state, name) for name in names] == [
                statuses[key].get(name) for name in names
            ]
        coming = explain(later, key).decisions[len(said.decisions) :]
        projected = [one.at for one in said.ahead if parse(one.at) <= end + 400 * DAY]
        assert projected == [decided.effective_at for decided in coming]
        for change in said.changes:
            if len(change.needs) > 1 or (said.state and parse(said.state.observed_at or text(0)) > end):
                continue
            need = change.needs[0]
            followers = need.says.get("followers")
            until = parse(change.at) if change.at is not None else end
            after = explain(entries_of((line_of(key, need, followers, text(end)),), until), key)
            assert came_true(change, said, after), change
            if need.difference is not None and change.at is None:
                less = followers + (1 if need.difference < 0 else -1)
                after = explain(entries_of((line_of(key, need, less, text(end)),), until), key)
                assert not came_true(change, said, after), change


# A journal that somebody touched ---------------------------------------------------------------------


def changed(journal: Path, change) -> None:
    """Change the decisions of a journal, and chain it anew as its writer would."""
    prev, made = "0" * 64, []
    for raw in journal.read_bytes().splitlines():
        entry = json.loads(raw)
        change(entry["content"]["decisions"])
        made.append(encode_entry(entry["n"], entry["epoch"], prev, "replay", canonical(entry["content"])))
        prev = entry_hash(made[-1])
    journal.write_bytes(b"".join(raw + b"\n" for raw in made))


def test_inputs_that_an_operator_gave_up_are_named(tmp_path):
    journal = journal_of(STORIES["notice"], tmp_path)
    entries = list(read_journal(journal))
    lost = [
        (raw, msgspec.structs.replace(content, runs=tuple(map(_without_digest, content.runs))))
        for raw, content in entries
    ]
    notes = explain(lost, key_of()).notes
    assert notes[0] == "An operator journaled account-facts from 0 up to 1 as lost: nobody read them."
    assert explain(entries, key_of()).notes == ()


def _without_digest(run):
    return msgspec.structs.replace(run, digest=None)


def test_an_entry_that_does_not_follow_stops_the_explanation(tmp_path):
    journal = journal_of(STORIES["notice"], tmp_path)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:1] + lines[2:]))
    with pytest.raises(AuditError, match=r"does not follow it\. Run `nameplate verify`"):
        explain(list(read_journal(journal)), key_of())


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(before="0" * 64),
        lambda one: one.update(reasons=[{"code": "because"}]),
        lambda one: one.update(reasons=[{"code": "quiet", "why": "so"}]),
        lambda one: one.update(outputs=[{"type": "grace-ended"}]),
        lambda one: one.update(T="yesterday"),
        lambda one: one.update(cause={"due": "2024-01-01T00:00:00Z", "kind": "whim"}),
        lambda one: one.update(after={"followers": "many"}),
    ],
)
def test_a_decision_of_another_form_stops_the_explanation(change, tmp_path):
    journal = journal_of(STORIES["notice"], tmp_path)
    changed(journal, lambda decisions: [change(one) for one in decisions if one["key"] == key_of()][:1])
    with pytest.raises(AuditError, match="Run `nameplate verify`"):
        explain(list(read_journal(journal)), key_of())


# The command -----------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `nameplate explain`; return its exit status and what it said."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nameplate", "explain", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "80")
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        else:
            code = 0
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_the_command_says_what_the_screen_shows(run, tmp_path):
    journal = journal_of(STORIES["notice"], tmp_path)
    code, said = run(key_of(), "--journal", journal)
    assert code == 0
    assert said == shown(explain(read_journal(journal), key_of()))


def test_json_has_stable_names_and_the_instant_that_was_asked_for(run, tmp_path):
    journal = journal_of(STORIES["restriction"], tmp_path)
    code, said = run(key_of(), "--journal", journal, "--at", "2024-01-05T08:00:00+08:00", "--format", "json")
    value = json.loads(said)
    assert (code, value["account"], value["at"]) == (0, key_of(), "2024-01-05T00:00:00Z")
    assert sorted(value) == [
        *("account", "ahead", "at", "book", "changes", "clauses", "decisions"),
        *("notes", "partition", "phases", "policy_version", "state", "watched"),
    ]
    assert sorted(value["decisions"][0]) == [
        *("T", "book", "cause", "cause_sentence", "effective_at", "entry", "entry_hash", "outputs"),
        *("place", "policy_version", "reasons", "stage"),
    ]
    assert sorted(value["decisions"][0]["reasons"][0]) == ["clauses", "code", "sentence", "values"]
    assert sorted(value["changes"][0]) == ["at", "deadline_at", "effect", "measures", "needs", "phase"]
    assert value["state"]["left_s"] == 7 * 86_400


@pytest.mark.parametrize(
    ("arguments", "said_of_it"),
    [
        (("weibo:acc-a",), "Name one journal, a file or a broker's: `nameplate verify JOURNAL`"),
        (("weibo:acc-a", "--journal", "no-such.jsonl"), "no-such.jsonl: No such file"),
        (
            ("weibo:acc-a", "--journal", "empty.jsonl"),
            "holds no entry, so there is nothing to explain. Name the journal.jsonl",
        ),
        (("acc-a", "--journal", "empty.jsonl"), "Write it as platform:account_id"),
        (("weibo:Zhang San", "--journal", "empty.jsonl"), "Write it as platform:account_id"),
        (
            ("douyin:acc-a", "--journal", "out/journal.jsonl"),
            "It has weibo: name an account of one of them, as in",
        ),
        (
            ("weibo:acc-a", "--journal", "out/journal.jsonl", "--at", "noon"),
            "Write it like `--at 2024-01-02T00:00:00Z`",
        ),
    ],
)
def test_a_wrong_call_is_answered_with_the_next_one(arguments, said_of_it, run, tmp_path, monkeypatch):
    journal_of(STORIES["notice"], tmp_path)
    (tmp_path / "empty.jsonl").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    code, said = run(*arguments)
    assert code == 2
    assert said_of_it in " ".join(said.split())


def test_no_instant_is_the_end_of_the_journal():
    assert parse_at(None) is None
    with pytest.raises(OperatorError, match="--at soon"):
        parse_at("soon")


def test_a_wide_terminal_keeps_sentences_short(run, monkeypatch, tmp_path):
    journal = journal_of(STORIES["restriction"], tmp_path)
    monkeypatch.setattr(cli.out, "_width", 200)
    _, said = run(key_of(), "--journal", journal)
    assert max(map(len, said.splitlines())) == WIDEST
