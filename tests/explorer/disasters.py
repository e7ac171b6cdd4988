"""What a broker may lose that it acknowledged, and what a new owner must then not overlook (rules 15, 18, 19)."""

from collections.abc import Iterator
from typing import Any

from schemas.journal import Run
from schemas.topics import CLOCK

from . import tiny
from .broker import Inputs
from .worlds import CHANGED, JOURNAL_LOST, RECREATED, RETENTION, TAIL_LOST, World


def losses(state: Any, world: World) -> Iterator[tuple[str, Any]]:
    """Yield what an input may lose while everybody lives: what retention deletes."""
    if RETENTION in world.may:
        for topic, records in state.inputs.records.items():
            if (start := state.inputs.starts[topic]) < len(records):
                yield (
                    f"retention deletes {topic}[{start}]",
                    {"starts": {**state.inputs.starts, topic: start + 1}},
                )


def disasters(state: Any, world: World) -> Iterator[tuple[str, Any]]:
    """Yield each disaster that can be told from what was journaled: its text, and how it changes the inputs."""
    inputs, content = state.inputs, state.journal.tip.content
    if inputs.damage or content is None:
        return
    if JOURNAL_LOST in world.may and state.journal.length:
        yield "the broker comes back without the last entry of the journal", {"damage": JOURNAL_LOST}
    for topic, position in content.positions.items():
        records = inputs.records[topic]
        if RECREATED in world.may and topic in content.topic_ids:
            changes = {"ids": {**inputs.ids, topic: "another"}, "records": {**inputs.records, topic: ()}}
            yield f"the broker comes back with {topic} made anew", {"damage": RECREATED, **changes}
        if position and TAIL_LOST in world.may:
            changes = {"records": {**inputs.records, topic: records[: position - 1]}}
            yield f"the broker comes back without {topic}[{position - 1}]", {"damage": TAIL_LOST, **changes}
        if position and CHANGED in world.may and any(run.topic == topic for run in last_runs(state)):
            other = (*records[: position - 1], _another(topic, records[position - 1]), *records[position:])
            changes = {"records": {**inputs.records, topic: other}}
            yield (
                f"the broker comes back with another {topic}[{position - 1}]",
                {"damage": CHANGED, **changes},
            )


def last_runs(state: Any) -> tuple[Run, ...]:
    """Return the runs that a new owner reads again, where they still exist: those of the last entry."""
    content, starts = state.journal.tip.content, state.inputs.starts
    runs = (*content.last_runs, *content.runs)
    return tuple(run for run in runs if run.digest is not None and starts[run.topic] <= run.start)


def _another(topic: str, record: tiny.Rec) -> tiny.Rec:
    """Return a record that differs; a tick by its time of appending alone (rule 9)."""
    return (
        record._replace(timestamp=record.timestamp + 1) if topic == CLOCK else record._replace(value=b"other")
    )


def must_stop(state: Any, journal: Any, world: World) -> frozenset[str]:
    """Return the codes of the stops, one of which a new owner has to come to; none where it has to go on."""
    inputs: Inputs = state.inputs
    codes = set()
    match inputs.damage:
        case "recreated":
            codes.add("input-recreated")
        case "tail lost":
            codes.add("input-behind")
        case "changed" if _is_changed(state, world):
            codes.add("input-changed")
        case "journal lost":
            codes |= _ahead_of(state, journal)
    before: tiny.State = journal.tip.state
    for topic, position in before.positions:
        if inputs.starts[topic] > position:
            if before.after is not None and before.after.topic == topic:
                codes.add("unfinished-lost")
            elif (topic, position) not in world.lost_allowed:
                codes.add("input-lost")
    return frozenset(codes)


def may_stop(state: Any, journal: Any, world: World) -> frozenset[str]:
    """Return the codes of the stops that are right: also those whose cause was seen, and is gone since."""
    seen = {"output-ahead", "head-not-in-journal"} if state.inputs.damage == JOURNAL_LOST else set()
    return must_stop(state, journal, world) | seen


def _is_changed(state: Any, world: World) -> bool:
    """Return whether one of the runs that are read again has other records now."""
    now = state.inputs.records
    return any(
        now[run.topic][run.start : run.end] != world.records[run.topic][run.start : run.end]
        for run in last_runs(state)
    )


def _ahead_of(state: Any, journal: Any) -> set[str]:
    """Return what has to be noticed of a journal that lost its end: an output or a head pointer that is ahead of it."""
    codes = set()
    if any(mark > end for mark, end in zip(state.outputs.marks, journal.tip.marks, strict=True)):
        codes.add("output-ahead")
    pointer = state.table.head
    if pointer is not None and journal.tip.after(pointer.hash) is None:
        codes.add("head-not-in-journal")
    return codes
