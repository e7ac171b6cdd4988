"""A scenario file, read: its events as replay lines, and what is expected of them.

tests/scenarios/README.md describes the form to the people who write it.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from scenario_expected import Expected, Silence, Status, read_expected, read_silence, read_status
from scenario_policies import IN_PHASE, OF_PHASE, WHERE, tables_of
from scenario_words import PLATFORM, ScenarioMistake, Who, Words

from schemas.instant import parse


class Scenario(NamedTuple):
    """A story with all that belongs to it."""

    file: Path
    story: str
    law: tuple[str, ...]
    policies: dict[str, dict[str, Any]]
    """Tables of the policy files of the first book, by platform."""
    books: dict[str, dict[str, dict[str, Any]]]
    """The same of the books that come later, by their names."""
    lines: list[dict[str, Any]]
    """Of the replay file; a book that comes later is `{"book": name}`."""
    until: str | None
    expect: list[Expected]
    silent: list[Silence]
    status: list[Status]
    refused: str
    policy_line: int


_KEYS = ("story", "law", "policy", "policies", "book", "events", "expect", "silent", "status", "refused")


def read_scenario(file: Path) -> Scenario:
    """Return a scenario.

    Raises:
        ScenarioMistake: it is not of the form; names file and line.
    """
    text = file.read_text("utf-8")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise ScenarioMistake(f"{file.name}:{line[1] if line else 1}: no TOML: {error}.") from None
    source = _Source(file, text, tables)
    for key in tables:
        if key not in _KEYS:
            source.refuse(key, f"is no key of a scenario. Write one of {', '.join(_KEYS)}.")
    for key in ("story", "law") if "refused" in tables else ("story", "law", "events", "silent"):
        if not tables.get(key):
            source.refuse(key, "is missing, or empty. Write it.")
    policies, books = _books(source)
    lines, until = _events(source, books)
    known = {_who(line["value"]) for line in lines if "account_id" in line.get("value", {})}
    return Scenario(
        file=file,
        story=tables["story"].strip(),
        law=tuple(tables["law"]),
        policies=policies,
        books=books,
        lines=lines,
        until=until,
        expect=[read_expected(words) for words in source.lines("expect")],
        silent=[read_silence(words, known) for words in source.lines("silent")],
        status=[read_status(words, known) for words in source.lines("status")],
        refused=tables.get("refused", ""),
        policy_line=source.line_of("policy"),
    )


class _Source:
    """The text of a file beside its tables, because tables do not know their lines."""

    def __init__(self, file: Path, text: str, tables: dict[str, Any]) -> None:
        self.file, self.text, self.tables = file, text, tables

    def line_of(self, key: str) -> int:
        for number, line in enumerate(self.text.split("\n"), 1):
            if re.match(rf"{re.escape(key)}\s*[=.]", line):
                return number
        return 1

    def refuse(self, key: str, why: str) -> NoReturn:
        raise ScenarioMistake(f"{self.file.name}:{self.line_of(key)}: {key} {why}")

    def lines(self, key: str) -> Iterator[Words]:
        """Yield the lines of a key; one that begins with a blank goes on with the one before it."""
        written = self.tables.get(key, "")
        if written and not re.search(rf'^{key} = """$', self.text, re.MULTILINE):
            self.refuse(key, f'is written in lines: begin with {key} = """, one line for each, end with """.')
        found: list[tuple[int, str]] = []
        for number, line in enumerate(written.split("\n"), self.line_of(key) + 1):
            plain = line.partition("#")[0].rstrip()
            if plain.startswith(" ") and found:
                found[-1] = (found[-1][0], found[-1][1] + plain)
            elif plain:
                found.append((number, plain))
        for number, line in found:
            yield Words(self.file, number, line)


def _who(value: dict[str, Any]) -> Who:
    return Who(value["platform"], value["account_id"])


# Policies --------------------------------------------------------------------------------------------


def _books(source: _Source) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    first = source.tables.get("policy", {})
    others = source.tables.get("policies", {})
    written = {PLATFORM: ("policy", first)} | {name: (f"policies.{name}", of) for name, of in others.items()}
    policies = {name: _tables(source, key, name, of) for name, (key, of) in written.items()}
    books = {}
    for name, changes in source.tables.get("book", {}).items():
        over = {key: value for key, value in changes.items() if key != "withdrawn"}
        book = {**policies, PLATFORM: _tables(source, f"book.{name}", PLATFORM, {**first, **over})}
        if changes.get("withdrawn"):
            del book[PLATFORM]
        books[name] = book
    return policies, books


def _tables(source: _Source, key: str, platform: str, written: dict[str, Any]) -> dict[str, Any]:
    try:
        return tables_of(platform, written)
    except KeyError as missing:
        names = ", ".join(sorted({*WHERE, *OF_PHASE, "phases"}))
        source.refuse(
            f"{key}.{missing.args[0]}" if missing.args[0] in written else key,
            f"({missing.args[0]}) is no short name. Write one of {names}; in a phase {', '.join(IN_PHASE)}.",
        )


# Events ----------------------------------------------------------------------------------------------

_VERBS = ("has", "agrees", "declines", "displays", "hides", "ruled", "is", "writes")
_IS: dict[str, dict[str, Any]] = {
    **{owner: {"owner": owner} for owner in ("individual", "organisation", "government", "news_media")},
    **{status: {"status": status} for status in ("active", "suspended", "deleted")},
    "self-media": {"self_media": True},
    "daily-life": {"daily_life": True},
    "verified": {"verified": True},
}


def _events(source: _Source, books: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    lines: list[dict[str, Any]] = []
    until = None
    for words in source.lines("events"):
        if until is not None:
            words.refuse("stands after the end. Put it before, or take the end away.")
        at = words.instant()
        if words.took("end"):
            until = at
        elif words.took("tick"):
            lines.append({"topic": "clock", "value": {"at": at}})
        elif words.took("book"):
            if at != (now := _now(lines)):
                words.refuse(f"a book has no instant of its own: it is adopted at T, which is {now} here.")
            lines.append({"book": words.one_of("book of this scenario", books)})
        else:
            lines.append(_record(words, at, f"e{words.number}"))
        words.end("an event")
    return lines, until


def _now(lines: list[dict[str, Any]]) -> str:
    """Return T: the last tick, or the latest instant of the records so far."""
    values = [line["value"] for line in lines if "value" in line]
    ticks = [value["at"] for value in values if "at" in value]
    own = [value.get("observed_at") or value.get("occurred_at") for value in values if "at" not in value]
    return max(ticks or own, key=parse, default="before all time")


def _record(words: Words, at: str, event_id: str) -> dict[str, Any]:
    who = words.account()
    value: dict[str, Any] = {"event_id": event_id, "platform": who.platform, "account_id": who.account_id}
    verb = words.one_of("verb", _VERBS)
    if verb == "has":
        value |= {"followers": words.number_of("number of followers"), "observed_at": at}
    else:
        value |= {"occurred_at": at, **_fact(words, verb)}
    if words.took("event"):
        value["event_id"] = words.take("an event id")
    return {"topic": "follower-counts" if verb == "has" else "account-facts", "value": value}


def _fact(words: Words, verb: str) -> dict[str, Any]:
    if verb in ("agrees", "declines"):
        return {"type": "answer-given", "answer": verb.removesuffix("s")}
    if verb in ("displays", "hides"):
        return {"type": "name-display-changed", "displayed": verb == "displays"}
    if verb == "ruled":
        ruling = words.one_of("ruling", ("waive", "revoke", "hold", "release", "extend"))
        until = {"until": words.instant()} if words.took("until") else {}
        return {"type": "adjudication-made", "ruling": ruling, "reason_code": "case-7", **until}
    profile = _profile(words, verb)
    while words.took("and"):
        profile |= _profile(words, words.one_of("verb", ("is", "writes")))
    return {"type": "profile-changed", **profile}


def _profile(words: Words, verb: str) -> dict[str, Any]:
    if verb == "writes":
        return {"subjects": _subjects(words)}
    is_not = words.took("not")
    said = words.one_of("word of a profile", _IS)
    if is_not and True not in _IS[said].values():
        words.refuse(f'"not {said}" says too little. Write what the account is instead.')
    return {name: not is_not if value is True else value for name, value in _IS[said].items()}


def _subjects(words: Words) -> dict[str, Any]:
    if words.took("nothing"):
        return {}
    shares: dict[str, Any] = {}
    more = True
    while more:
        subject, share = words.take("a subject"), words.take("its share, like 0.3")
        more = share.endswith(",")
        if not re.fullmatch(r"\d(\.\d+)?", share.rstrip(",")):
            words.refuse(f'"{share}" is no share. Write finance 0.3, law 0.1')
        shares[subject] = float(share.rstrip(","))
    return shares
