"""How an explanation looks on a terminal: the state, why, what would lift it, and the clauses with their sources.

Sentences and numbers come from the explanation; here they only get their places. Colour says nothing that the
words do not.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from schemas.account import UNKNOWN_PROFILE
from schemas.instant import SECOND, parse
from streams.explain.clauses import Clause
from streams.explain.form import Ahead, Decided, Explanation, PhaseNow, State
from streams.explain.lift import Change, Effect
from streams.explain.words import OPS, listed, moment, number, profile_words, readable, span

WIDEST = 110
"""Columns of a sentence that is still read with ease; a wider terminal stays empty on the right."""

STAGE_STYLES = {
    "clear": "green",
    "confirming": "yellow",
    "grace": "yellow",
    "stopped": "blue",
    "restricted": "red",
    "met": "green",
    "waived": "magenta",
}
PROFILE_SAYS = "the profile says: "
UNKNOWN = {**msgspec.structs.asdict(UNKNOWN_PROFILE), "subjects": {}}
SHORTEST_RUN = 3
"""Counts in a row that stand as one; fewer are as short one by one."""
NOT_DERIVED = "The chain was followed; `nameplate verify` derives each decision from its cause again."
NOTHING = "Nothing that may be said of the account would."


def screen(said: Explanation) -> RenderableType:
    """Return an explanation as a person reads it, top down."""
    parts: list[RenderableType] = [_title(said)]
    parts += [Text(note) for note in said.notes]
    if said.state is not None:
        parts.append(_pairs(_state(said, said.state)))
    if said.decisions:
        parts += [_heading("Why"), _why(said.decisions, said.partition), Text(NOT_DERIVED, style="dim")]
    if said.phases:
        parts += [_heading("The phases of the policy then"), _phases(said.phases, said.state)]
    if said.ahead:
        parts += [_heading("What comes by itself, if nothing more is said"), _pairs(map(_ahead, said.ahead))]
    if said.changes or said.state is not None:
        parts += [_heading("What would change it"), *_changes(said.changes)]
    if said.clauses:
        parts += [_heading("Clauses"), _pairs(map(_clause, said.clauses))]
    return Group(*parts)


def _heading(words: str) -> Text:
    return Text(f"\n{words}", style="bold")


def _title(said: Explanation) -> Text:
    at = f" at {_moment(said.at)}" if said.at is not None else ""
    return Text(f"{said.account}{at}", style="bold")


def _moment(at: str) -> str:
    return moment(parse(at))


def _pairs(pairs: Iterable[tuple[str, RenderableType]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(name, value)
    return grid


def _cited(sentence: str, clauses: tuple[int, ...]) -> Text:
    """Return a sentence with the numbers of its clauses behind it."""
    words = Text(sentence)
    if clauses:
        words.append(" " + "".join(f"[{number}]" for number in clauses), style="dim")
    return words


# The state -------------------------------------------------------------------------------------------


def _state(said: Explanation, state: State) -> Iterator[tuple[str, RenderableType]]:
    stage = Text(state.stage, style=f"bold {STAGE_STYLES[state.stage]}")
    yield "stage", stage.append(f" since {_moment(state.since)}", style="not bold default")
    if state.followers is not None and state.observed_at is not None:
        yield "followers", f"{number(state.followers)}, observed {_moment(state.observed_at)}"
    else:
        yield "followers", "no count taken"
    if state.obligation_id is not None:
        yield from _duty(state, state.obligation_id)
    known = profile_words(state.profile) if state.profile is not None else None
    yield "profile", known or f"not said: taken for {profile_words(UNKNOWN)}"
    yield "displayed", "yes" if state.displayed else "no"
    until = f"until {_moment(state.waived_until)}" if state.waived_until is not None else "for good"
    yield "waiver", until if state.waived else "none"
    yield "policy", f"{said.policy_version or 'none'}, book {said.book or 'none'}"


def _duty(state: State, obligation_id: str) -> Iterator[tuple[str, RenderableType]]:
    yield "obligation", f"{obligation_id}, phase {state.phase}"
    if state.notified_at is not None:
        yield "notified", _moment(state.notified_at)
    if state.deadline_at is not None and state.left_s is not None:
        left = span(state.left_s * SECOND)
        if state.stopped_at is None:
            yield "deadline", f"{_moment(state.deadline_at)}, {left} left"
        else:
            yield "deadline", f"was {_moment(state.deadline_at)} when the clock stopped, with {left} left"
            holds = ", ".join(hold.replace("-", " ") for hold in state.holds)
            yield "clock", f"stands since {_moment(state.stopped_at)}: {holds}"
    yield "answer", state.answer or "none"
    if state.reminders:
        yield "reminders", ", ".join(map(_moment, state.reminders))
    if state.stage == "restricted":
        yield "measures", listed(state.measures)


# Why -------------------------------------------------------------------------------------------------


def _why(decisions: tuple[Decided, ...], partition: int | None) -> Table:
    """Return the decisions in their order; a row of counts that changed nothing stands as one."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True, justify="right")
    grid.add_column(overflow="fold")
    for place, run in _runs(decisions):
        if len(run) < SHORTEST_RUN:
            for further, decided in enumerate(run, place):
                grid.add_row(f"{further}.", _decided(decided, partition))
        else:
            grid.add_row(f"{place}.", _counted(run, partition))
    return grid


def _runs(decisions: tuple[Decided, ...]) -> Iterator[tuple[int, list[Decided]]]:
    """Yield (number of the first, decisions): consecutive counts that only were recorded, others alone."""
    place = 1
    for _, group in groupby(decisions, key=lambda decided: (decided.stage, decided.book, _is_plain(decided))):
        run = list(group)
        parts = [run] if _is_plain(run[0]) else [[decided] for decided in run]
        for part in parts:
            yield place, part
            place += len(part)


def _is_plain(decided: Decided) -> bool:
    return not decided.outputs and [given.code for given in decided.reasons] == ["count-recorded"]


def _counted(run: list[Decided], partition: int | None) -> RenderableType:
    counts = [decided.reasons[0].values["followers"] for decided in run]
    head = Text(f"{_moment(run[0].T)} to {_moment(run[-1].T)}", style="bold")
    between = f"between {number(min(counts))} and {number(max(counts))} followers"
    head.append(f"  {len(run):,} counts {between} were recorded; none changed the stage.", style="not bold")
    where = f"stage {run[0].stage}; entries {run[0].entry} to {run[-1].entry} of partition {partition}"
    return Group(head, Text(where, style="dim"))


def _decided(decided: Decided, partition: int | None) -> RenderableType:
    head = Text(_moment(decided.T), style="bold")
    head.append(f"  {decided.cause_sentence}", style="not bold")
    body = Table.grid(padding=(0, 1, 0, 0))
    body.add_column(no_wrap=True)
    body.add_column(overflow="fold")
    if decided.effective_at != decided.T:
        body.add_row("-", f"Due at {_moment(decided.effective_at)}, decided at {_moment(decided.T)}.")
    for given in decided.reasons:
        body.add_row("-", _cited(given.sentence, given.clauses))
    for output in decided.outputs:
        body.add_row(Text("=>", style="bold"), _cited(output.sentence, output.clauses))
    stage = f"stage {decided.stage}" if decided.stage is not None else "no longer watched"
    place = f"partition {partition}, entry {decided.entry}, decision {decided.place}"
    where = f"{stage}; policy {decided.policy_version or 'none'}; {place}"
    return Group(head, body, Text(f"{where}\nsha256 {decided.entry_hash}", style="dim"))


# The phases ------------------------------------------------------------------------------------------


def _phases(phases: Iterable[PhaseNow], state: State | None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("phase", "followers", "in force", "covers", "reached"):
        table.add_column(name, overflow="fold")
    for phase in phases:
        until = f" until {_moment(phase.until)}" if phase.until is not None else ""
        begins = f"{'since' if phase.in_force else 'not now: from'} {_moment(phase.begins)}{until}"
        table.add_row(
            phase.id,
            _cited(f"{OPS[phase.op]} {number(phase.threshold)}", phase.clauses),
            begins,
            _cited(readable(phase.covers), phase.scope_clauses),
            _reached(phase, state),
        )
    return table


def _reached(phase: PhaseNow, state: State | None) -> str:
    if phase.reached is None or state is None or state.followers is None:
        return "no count"
    if phase.reached and phase.dwell_ends is not None:
        return f"yes, for long enough at {_moment(phase.dwell_ends)}"
    if phase.reached:
        return "yes"
    return "no" if phase.below else "no, but not fallen below"


# What comes, and what would --------------------------------------------------------------------------


def _ahead(coming: Ahead) -> tuple[str, RenderableType]:
    return _moment(coming.at), "\n".join(coming.sentences)


def _changes(changes: tuple[Change, ...]) -> Iterator[RenderableType]:
    groups: dict[str, list[str]] = {}
    order: tuple[Effect, ...] = ("ends", "stops", "resumes", "later", "begins", "prevents", "watched")
    for effect in order:
        for change in changes:
            if change.effect == effect:
                groups.setdefault(_effect(change), []).append(
                    " and ".join(need.words for need in change.needs)
                )
    if not groups:
        yield Text(NOTHING)
    for effect_words, needs in groups.items():
        yield Text(f"{effect_words}:")
        body = Table.grid(padding=(0, 1, 0, 0))
        body.add_column(no_wrap=True)
        body.add_column(overflow="fold")
        for words in _together(needs):
            body.add_row("-", words)
        yield Padding(body, (0, 0, 0, 3))


def _together(needs: list[str]) -> Iterator[str]:
    """Yield needs, those of the profile in one."""
    profiles = [words for words in needs if words.startswith(PROFILE_SAYS) and " and " not in words]
    yield from (words for words in needs if words not in profiles)
    if profiles:
        yield PROFILE_SAYS + "; or ".join(words.removeprefix(PROFILE_SAYS) for words in profiles)


def _effect(change: Change) -> str:
    when = f"at {_moment(change.at)}" if change.at is not None else "at once"
    until = f", with the deadline {_moment(change.deadline_at)}" if change.deadline_at is not None else ""
    match change.effect:
        case "ends":
            lifted = f", lifting {listed(change.measures)}" if change.measures else ""
            return f"The duty would end {when}{lifted}"
        case "stops":
            return "The clock would stop"
        case "resumes":
            return f"The clock would run again{until}"
        case "later":
            return "The deadline would be later"
        case "begins":
            return f"A duty under phase {change.phase} would begin {when}{until}"
        case "prevents":
            return f"The duty of {when.removeprefix('at ')} would not begin"
        case "watched":
            return "The account would be watched"


# Clauses ---------------------------------------------------------------------------------------------


def _clause(clause: Clause) -> tuple[str, RenderableType]:
    words = Text(f"{clause.path} = {readable(clause.value)}", style="bold")
    source = f"{clause.sureness}: {clause.text}" if clause.text is not None else clause.sureness
    words.append(f"\n{source}", style="not bold")
    where = f"policy {clause.platform} {clause.policy_version}, book {clause.book[:12]}"
    if clause.publisher is not None:
        where = f"{clause.publisher}, {clause.date}; {where}"
    words.append(f"\n{where}", style="not bold dim")
    return f"[{clause.number}]", words
