"""Laws over random worlds, through the replay as an operator runs it: files in, files out.

What holds for one partition in memory (any cut into entries, any owner, the fast path, other accounts) is
in core/test_fold_laws.py. Here is what needs the whole: the law's own promises, files and partitions.
"""

import gzip
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from worlds import World, world

from schemas import topics
from schemas.account import NO_COUNT, Row, unpack
from schemas.errors import InputError
from schemas.instant import DAY, parse, text
from schemas.wire import decode
from streams.core.decider import BEFORE_TIME
from streams.policies.load import load_book
from streams.replay.files import read_lines
from streams.replay.run import Outputs, Replay, parse_until, replay

OFTEN = 4 if os.environ.get("CI", "").lower() == "true" else 1
Lines = list[dict[str, Any]]
Files = dict[str, bytes]

worlds = st.integers(0, 10**6).map(world)
spells = st.integers(0, 10**6).map(Random)


def has_ticks(one: World) -> bool:
    return one.lines[0]["topic"] == topics.CLOCK


ticking = worlds.filter(has_ticks)


def decided(one: World, pieces: list[Lines] | None = None, *, partitions: int = 1) -> Files:
    """Return what a replay writes, by file, of a world's lines or of those lines in several files."""
    with TemporaryDirectory() as name:
        room = Path(name)
        book, whole = one.write(room)
        files = [whole] if pieces is None else [written(room, *piece) for piece in enumerate(pieces)]
        out = room / "out"
        replay(files, load_book(book), until=parse_until(one.until), partitions=partitions, out=out)
        return {path.name: path.read_bytes() for path in out.iterdir()}


def written(room: Path, number: int, lines: Lines) -> Path:
    """Write a piece, every second one packed."""
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    path = room / (f"{number}.jsonl.gz" if number % 2 else f"{number}.jsonl")
    path.write_bytes(gzip.compress(data) if number % 2 else data)
    return path


def records(files: Files, topic: str) -> Lines:
    return [json.loads(line) for line in files[f"{topic}.jsonl"].splitlines()]


def outputs(files: Files) -> Iterator[dict[str, Any]]:
    """Yield all outputs in the order in which they were decided: the journal's."""
    for entry in records(files, topics.JOURNAL):
        for decision in entry["content"]["decisions"]:
            yield from decision["outputs"]


PLACES = ("seq", "partition", "offset", "entry")
"""What says where a record stands, not what it says."""


def of_accounts(files: Files) -> dict[tuple[str, str], Lines]:
    """Return what was said of each account, in its order; dead letters, which are nobody's, sorted."""
    said: dict[tuple[str, str], Lines] = defaultdict(list)
    for topic in (*topics.OUTPUTS, topics.STATUS, topics.DEAD_LETTERS):
        for record in records(files, topic):
            whose = record.get("key") or f"{record.get('platform')}:{record.get('account_id')}"
            said[topic, whose].append({name: value for name, value in record.items() if name not in PLACES})
    for (topic, _), letters in said.items():
        if topic == topics.DEAD_LETTERS:
            letters.sort(key=repr)
    return said


# What the law promises an account ----------------------------------------------------------------


@dataclass
class Grace:
    """One duty as its account was told of it: what time was promised, and what time ran."""

    notified_at: int
    deadline_at: int
    promised: int
    at_least: int
    """Of what is left after a hold, in µs."""
    running_since: int | None
    """None while the clock stands."""
    ran: int = 0
    was_held: bool = False
    """A hold stopped the clock; one that came while it stood already is not told."""
    ended: dict[str, Any] | None = None
    restricted: bool = False

    def stop(self, at: int) -> None:
        assert self.running_since is not None, "a clock that stands cannot stop"
        assert at <= self.deadline_at, "a grace went on after its deadline"
        self.ran += at - self.running_since
        self.running_since = None

    def resume(self, at: int, deadline_at: int) -> None:
        assert self.running_since is None
        left = self.promised - self.ran
        most = max(left, self.at_least)
        assert deadline_at - at in ((most,) if self.was_held else (left, most)), (
            "what was left is given whole"
        )
        self.running_since, self.deadline_at = at, deadline_at
        self.promised = self.ran + deadline_at - at


def began(output: dict[str, Any], tables: dict[str, Any]) -> Grace:
    """Return the grace that a notice begins, held against the policy."""
    (phase,) = (one for one in tables["phase"] if one["id"] == output["phase"])
    at, deadline_at = parse(output["notified_at"]), parse(output["deadline_at"])
    assert at == parse(output["decided_at"])
    grace, left = phase["grace"], deadline_at - at
    is_absolute = "deadline" in grace and deadline_at == parse(grace["deadline"])
    assert left == grace["days"] * DAY or (is_absolute and left >= grace["min_days"] * DAY)
    return Grace(at, deadline_at, left, grace["min_days"] * DAY, at)


def follow(grace: Grace, output: dict[str, Any]) -> None:
    """Take one output of an open grace."""
    at = parse(output["decided_at"])
    if output["type"] == "grace-extended":
        later = parse(output["deadline_at"]) - parse(output["previous_deadline_at"])
        assert later > 0
        grace.promised += later
        grace.deadline_at += later
    elif output["type"] == "grace-suspended":
        grace.stop(at)
        grace.was_held = output["why"] == "held"
    elif output["type"] == "grace-resumed":
        grace.resume(at, parse(output["deadline_at"]))
    elif output["type"] == "grace-ended":
        if output["outcome"] == "expired":
            grace.stop(parse(output["effective_at"]))
            assert grace.ran == grace.promised
        grace.ended = output


def restrict(grace: Grace, output: dict[str, Any], tables: dict[str, Any], *, has_declined: bool) -> None:
    """Take a restriction: the deadline came after a full grace, or somebody refused who may be taken at his word."""
    assert grace.ended is not None
    assert [grace.ended[name] for name in ("decided_at", "effective_at")] == [
        output[name] for name in ("decided_at", "effective_at")
    ]
    if grace.ended["outcome"] == "declined":
        assert tables["measures"]["on_decline"] == "at-once"
        assert output["why"] == "declined"
    else:
        assert grace.ended["outcome"] == "expired"
    assert has_declined or output["why"] == "no-reply"
    grace.restricted = True


@given(worlds)
@settings(max_examples=100 * OFTEN, deadline=None)
def test_one_duty_at_a_time_and_no_restriction_without_notice_and_a_full_grace(one):
    declined = {
        (line["value"]["platform"], line["value"]["account_id"])
        for line in one.lines
        if isinstance(line["value"], dict) and line["value"].get("answer") == "decline"
    }
    open_: dict[tuple[str, str], tuple[str, Grace | None]] = {}
    for output in outputs(decided(one)):
        who, tables = (output["platform"], output["account_id"]), one.policies[output["platform"]]
        if output["type"] == "disclosure-required":
            assert who not in open_, "a second duty beside an open one"
            open_[who] = output["obligation_id"], None
            continue
        number, grace = open_[who]
        assert output["obligation_id"] == number
        if output["type"] == "grace-started":
            assert grace is None
            open_[who] = number, began(output, tables)
            continue
        assert grace is not None, "nothing comes before the notice"
        if output["type"] == "restriction-imposed":
            restrict(grace, output, tables, has_declined=who in declined)
        elif output["type"].startswith("grace-"):
            assert grace.ended is None, "a grace ends once"
            follow(grace, output)
        elif output["type"] == "restriction-lifted" or not grace.restricted:
            assert grace.ended is not None
            del open_[who]


def is_in_force(phase: dict[str, Any], at: int) -> bool:
    return parse(phase["from"]) <= at and ("until" not in phase or at < parse(phase["until"]))


def is_below(followers: int, tables: dict[str, Any], at: int) -> bool:
    """Return whether a count is below every phase of a policy, covering or not, of which one at least is in force."""
    if not any(is_in_force(phase, at) for phase in tables["phase"]):
        return False
    hysteresis = tables["confirm"]["hysteresis_pct"]
    for phase in tables["phase"]:
        if hysteresis:
            below = followers * 100 < phase["threshold"] * (100 - hysteresis)
        else:
            below = followers < phase["threshold"] + (phase["op"] == ">")
        if not below:
            return False
    return True


# In the example a grace ends at the instant at which the only phase does: there is no line to be below.
@given(worlds)
@example(world(769887))
@settings(max_examples=80 * OFTEN, deadline=None)
def test_below_every_line_nothing_is_open_but_what_the_policy_keeps(one):
    for status in records(decided(one, partitions=one.partitions), topics.STATUS):
        tables = one.policies[status.get("platform") or status["key"].partition(":")[0]]
        if "obligation_id" in status and is_below(status["followers"], tables, parse(status["as_of"])):
            kept = "measures" if status["stage"] == "restricted" else "pending"
            assert tables["below"][kept] == "keep", status


# What changes nothing ----------------------------------------------------------------------------


def instant_of(one: World, line: Any) -> int | None:
    """Return a line's own instant, None where it cannot be read."""
    try:
        return decode(line.topic, line.key, line.value, one.policies).at
    except InputError:
        return None


def unheard(row: Row | None, account: tuple[str, str], T: int) -> Iterator[dict[str, Any]]:
    """Yield loud records of an account, each of which is too late to be taken."""
    who = {"platform": account[0], "account_id": account[1]}
    instants = [T - 30 * DAY - 1]
    if row is not None and row.followers != NO_COUNT:
        instants += [row.observed_at - 1, row.observed_at - DAY]
    for followers in (0, 5_000_000):
        for at in instants:
            own = {"followers": followers, "observed_at": text(at)}
            yield {"topic": topics.COUNTS, "value": {**who, "event_id": "late", **own}}
    for kind, occurred_at, _ in row.facts if row is not None else ():
        for said in LOUD[kind]:
            own = {"type": kind, "occurred_at": text(occurred_at - 1), **said}
            yield {"topic": topics.FACTS, "value": {**who, "event_id": "late", **own}}


LOUD: dict[str, list[dict[str, Any]]] = {
    "profile-changed": [{"status": "deleted"}, {"owner": "government"}],
    "answer-given": [{"answer": "agree"}, {"answer": "decline"}],
    "name-display-changed": [{"displayed": True}, {"displayed": False}],
    "adjudication-made": [
        {"ruling": "waive", "reason_code": "late"},
        {"ruling": "hold", "reason_code": "late"},
        {"ruling": "revoke", "reason_code": "late"},
    ],
}


def with_echoes(one: World, random: Random) -> Lines:
    """Return a world's lines with others between them: repeated ones, and some that come too late."""
    lines: Lines = []
    with TemporaryDirectory() as name:
        book, file = one.write(Path(name))
        run = Replay("clock" if has_ticks(one) else "records", 1, load_book(book), Outputs(None))
        (partition,) = run.partitions
        for line, taken in zip(one.lines, read_lines([file]), strict=True):
            run.take(taken)
            partition.flush()
            lines.append(line)
            if instant_of(one, taken) is None or line["topic"] == topics.CLOCK:
                continue
            if random.random() < 0.5:
                lines.append(line)
            if partition.fold.T != BEFORE_TIME:
                packed = partition.rows.get(taken.key)
                row = unpack(packed) if packed is not None else None
                account = (line["value"]["platform"], line["value"]["account_id"])
                late = list(unheard(row, account, partition.fold.T))
                lines += random.sample(late, min(len(late), random.randint(0, 3)))
    return lines


@given(worlds, spells)
@settings(max_examples=60 * OFTEN, deadline=None)
def test_a_repeated_or_a_late_record_says_nothing(one, random):
    lines = with_echoes(one, random)
    assume(len(lines) > len(one.lines))
    assert list(said(replace(one, lines=lines))) == list(said(one))


def said(one: World) -> Iterator[dict[str, Any]]:
    """Yield the outputs of a world, all but the place of the partition's other records."""
    yield from outputs(decided(one))


@given(ticking, spells)
@settings(max_examples=30 * OFTEN, deadline=None)
def test_ticks_that_say_nothing_new_change_nothing(one, random):
    lines, latest = [], None
    for line in one.lines:
        lines.append(line)
        if line["topic"] == topics.CLOCK:
            at = parse(line["value"]["at"])
            latest = at if latest is None else max(at, latest)
            back = (0, 0, 1, DAY)
            ticks = [text(latest - random.choice(back)) for _ in range(random.randint(0, 2))]
            lines += [{"topic": topics.CLOCK, "value": {"at": tick}} for tick in ticks]
    assert of_accounts(decided(replace(one, lines=lines))) == of_accounts(decided(one))


def moments(one: World) -> Iterator[Lines]:
    """Yield the lines of a world cut before each that moves T: within a piece T stands."""
    with TemporaryDirectory() as name:
        _, file = one.write(Path(name))
        taken = list(read_lines([file]))
    latest, number = BEFORE_TIME, 0
    moves = []
    for line in taken:
        at = instant_of(one, line)
        is_mover = line.topic == topics.CLOCK if has_ticks(one) else at is not None and at > latest
        latest = max(latest, at) if is_mover and at is not None else latest
        number += is_mover
        moves.append(number)
    for _, group in groupby(zip(moves, one.lines, strict=True), key=lambda pair: pair[0]):
        yield [line for _, line in group]


def interleaved(lines: Lines, random: Random) -> Lines:
    """Return lines of one moment in another order, in which those of each account keep theirs."""
    queues: dict[str, Lines] = defaultdict(list)
    for line in lines:
        value = line["value"]
        queues[str(value.get("account_id")) if isinstance(value, dict) else ""].append(line)
    order = [name for name, queue in queues.items() for _ in queue]
    random.shuffle(order)
    left = {name: iter(queue) for name, queue in queues.items()}
    return [next(left[name]) for name in order]


@given(worlds, spells)
@settings(max_examples=60 * OFTEN, deadline=None)
def test_interleaving_accounts_otherwise_changes_nothing_for_any(one, random):
    lines = [line for first, *rest in moments(one) for line in (first, *interleaved(rest, random))]
    assume(lines != one.lines)
    assert of_accounts(decided(replace(one, lines=lines))) == of_accounts(decided(one))


# Files and partitions ----------------------------------------------------------------------------


@given(worlds, st.integers(2, 13))
@settings(max_examples=40 * OFTEN, deadline=None)
def test_any_number_of_partitions_says_the_same_of_every_account(one, partitions):
    assert of_accounts(decided(one, partitions=partitions)) == of_accounts(decided(one))


@given(worlds, spells)
@settings(max_examples=30 * OFTEN, deadline=None)
def test_any_cut_of_the_lines_into_files_gives_the_same_bytes(one, random):
    cuts = sorted(random.randint(0, len(one.lines)) for _ in range(random.randint(1, 4)))
    pieces = [one.lines[start:end] for start, end in zip([0, *cuts], [*cuts, len(one.lines)], strict=True)]
    assert decided(one, pieces, partitions=one.partitions) == decided(one, partitions=one.partitions)
