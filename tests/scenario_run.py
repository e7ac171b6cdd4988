"""A scenario, run: what the program decides of it, held against what the scenario expects.

A difference is said in the scenario's own language, so that it can be read, and written over, there.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scenario_expected import FIELDS, OUTPUTS, PURGE, Expected, Silence, Status
from scenario_script import Scenario
from scenario_words import ScenarioMistake, Who, shown
from worlds import toml

from schemas import topics
from schemas.errors import PolicyError
from schemas.instant import parse
from schemas.journal import EntryContent
from schemas.policy import PolicyBook
from schemas.wire import canonical
from streams.policies.load import load_book
from streams.replay.run import parse_until, replay
from streams.verify import read_journal


class Decided(NamedTuple):
    """One decision as the journal has it."""

    at: str
    who: Who
    outputs: list[dict[str, Any]]


class Telling(NamedTuple):
    """What came of a scenario."""

    decided: list[Decided]
    """Every decision about an account, in the order of the journal, those that say nothing included."""
    files: dict[str, list[dict[str, Any]]]
    """What stands in the other output files."""
    entries: list[tuple[bytes, EntryContent]]
    """The journal."""


def book_of(scenario: Scenario, name: str, directory: Path) -> PolicyBook:
    """Return a book of a scenario; '' is its first.

    Raises:
        PolicyError: it is refused.
    """
    place = directory / f"book-{name}"
    place.mkdir(parents=True, exist_ok=True)
    for platform, tables in (scenario.books[name] if name else scenario.policies).items():
        (place / f"{platform}.toml").write_text(toml(tables), "utf-8")
    return load_book(place)


def replay_lines(scenario: Scenario, directory: Path) -> list[dict[str, Any]]:
    """Return the lines of the replay file, later books in full."""
    lines = []
    for line in scenario.lines:
        if "book" in line:
            book = book_of(scenario, line["book"], directory)
            tables = json.loads(canonical(book.tables))
            lines.append({"topic": topics.BOOKS, "value": {"book": tables, "hash": book.hash}})
        else:
            lines.append(line)
    return lines


def run(scenario: Scenario, directory: Path, partitions: int) -> Telling:
    """Replay a scenario.

    Raises:
        ScenarioMistake: a policy of it is refused.
    """
    try:
        book = book_of(scenario, "", directory)
        lines = replay_lines(scenario, directory)
    except PolicyError as error:
        where = f"{scenario.file.name}:{scenario.policy_line}"
        raise ScenarioMistake(f"{where}: a policy of this scenario is refused.\n{error}") from None
    file, out = directory / "input.jsonl", directory / f"out-{partitions}"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    replay([file], book, until=parse_until(scenario.until), partitions=partitions, out=out)
    entries = list(read_journal(out / "journal.jsonl"))
    decided = [
        Decided(decision["T"], Who(*decision["key"].split(":")), decision["outputs"])
        for _, content in entries
        for decision in content.decisions
        if decision["key"] is not None
    ]
    names = (*topics.OUTPUTS, topics.STATUS, topics.DEAD_LETTERS)
    files = {name: _records(out / f"{name}.jsonl") for name in names}
    return Telling(decided, files, entries)


def _records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


# Outputs ---------------------------------------------------------------------------------------------


def differences(scenario: Scenario, telling: Telling) -> Iterator[str]:
    """Yield what is not as the scenario says: decisions, silences, statuses."""
    loud = [decision for decision in telling.decided if decision.outputs]
    for number in range(max(len(loud), len(scenario.expect))):
        wanted = scenario.expect[number] if number < len(scenario.expect) else None
        got = loud[number] if number < len(loud) else None
        why = difference(wanted, got)
        if why:
            line = f"line {wanted.line}" if wanted else "after the last line of expect"
            yield f"{line}: {why}\n  all that was decided:\n" + "\n".join(f"    {told(one)}" for one in loud)
            break
    yield from loose_ends(loud)
    for silence in scenario.silent:
        yield from broken(silence, telling.decided)
    for status in scenario.status:
        yield from unlike(status, telling.files[topics.STATUS])
    if telling.files[topics.DEAD_LETTERS]:
        yield f"dead letters: {telling.files[topics.DEAD_LETTERS]}"


def difference(wanted: Expected | None, got: Decided | None) -> str:
    """Return how a decision differs from the one expected, '' where it does not."""
    if wanted is None or got is None:
        return f"decided, but not expected: {told(got)}" if got else "expected, but not decided"
    alike = (wanted.at, wanted.who) == (got.at, got.who) and len(wanted.outputs) == len(got.outputs)
    for output, real in zip(wanted.outputs, got.outputs, strict=False):
        default = {"effective_at": got.at}
        alike = alike and all(real.get(name) == value for name, value in {**default, **output}.items())
    if not alike or wanted.purge != purge_of(got.outputs):
        return f"decided instead: {told(got)}"
    return ""


def purge_of(outputs: list[dict[str, Any]]) -> tuple[int, int] | None:
    """Return both numbers of a suspected purge: said with every output of the end, and with no other."""
    named = [
        (reason["highest"], reason["followers"])
        for output in outputs
        for reason in output["reasons"]
        if reason["code"] == PURGE
    ]
    ends = [output for output in outputs if output["type"] not in ("disclosure-required", "grace-started")]
    if named and len(named) != len(ends):
        return (0, 0)
    return named[0] if named else None


def loose_ends(loud: list[Decided]) -> Iterator[str]:
    """Yield outputs that do not belong to the obligation that is open, whatever was expected."""
    opened: dict[Who, dict[str, Any]] = {}
    ids: set[str] = set()
    for decision in loud:
        for output in decision.outputs:
            if output["type"] == "disclosure-required":
                if output["obligation_id"] in ids:
                    yield f"{told(decision)}: an obligation id that was given before"
                opened[decision.who] = output
                ids.add(output["obligation_id"])
            notice = opened.get(decision.who, {})
            same = ("obligation_id", "phase")
            if any(output[name] != notice.get(name) for name in same):
                yield f"{told(decision)}: of another obligation, or of another phase"
            if output["type"] == "grace-started" and (
                (output["notified_at"], output["deadline_at"]) != (decision.at, notice.get("deadline_at"))
            ):
                yield f"{told(decision)}: the grace differs from the notice"


def told(decision: Decided) -> str:
    """Return a decision in the language of the scenarios."""
    outputs = " + ".join(_told(output, decision.at) for output in decision.outputs)
    purge = purge_of(decision.outputs)
    more = f" + {PURGE} {purge[0]:_} to {purge[1]:_}" if purge else ""
    return f"{shown(decision.at)} {decision.who} {outputs}{more}"


def _told(output: dict[str, Any], at: str) -> str:
    form = OUTPUTS[output["type"]]
    parts = [output["type"]]
    if form.field:
        parts.append(str(output[form.field]))
    if form.field == "days_left":
        parts.append("day left" if output["days_left"] == 1 else "days left")
    for name in form.required:
        parts += [name, shown(output[FIELDS.get(name, name)])]
    if output["effective_at"] != at:
        parts += ["effective", shown(output["effective_at"])]
    return " ".join(parts)


# Silences and statuses -------------------------------------------------------------------------------


def broken(silence: Silence, decided: list[Decided]) -> Iterator[str]:
    """Yield the decisions that break a silence."""
    for decision in decided:
        about = silence.who in (None, decision.who) and silence.start <= parse(decision.at) <= silence.end
        types = [output["type"] for output in decision.outputs]
        heard = {"sleeps": True, "nothing": bool(types)}.get(silence.kind, silence.kind in types)
        if about and heard:
            yield f"line {silence.line}: the silence is broken: {told(decision)}"


def unlike(status: Status, records: list[dict[str, Any]]) -> Iterator[str]:
    """Yield how the last status of an account differs."""
    platform, account_id = status.who
    last: dict[str, Any] = {"stage": "unknown"}
    for record in records:
        if record.get("key") == f"{platform}:{account_id}":
            last = {"stage": "forgotten"}
        elif (record.get("platform"), record.get("account_id")) == status.who:
            last = record
    wanted = {"stage": status.stage, **status.fields}
    got = {name: last.get(name) for name in wanted}
    if got != wanted:
        yield f"line {status.line}: the last status of {status.who} is otherwise: {got}"
