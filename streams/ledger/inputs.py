"""What the broker must still have of the inputs before a new owner writes anything (rules 18 and 19)."""

from collections.abc import Iterable, Mapping

from schemas.errors import InvariantBroken
from schemas.journal import EntryContent, Run
from streams.ledger.effects import CheckInputs, InputExpected, InputFound, Stop

_RESTORE = "Restore the topic from a replica or a backup, then start the worker again: `nameplate worker`."


def expectations(content: EntryContent) -> tuple[InputExpected, ...]:
    """Return what the last accepted entry says of each input topic, by name."""
    last_runs = {run.topic: run for run in content.last_runs}
    return tuple(
        InputExpected(topic, content.topic_ids.get(topic), position, last_runs.get(topic))
        for topic, position in sorted(content.positions.items())
    )


def check_input(expected: InputExpected, found: InputFound) -> Stop | None:
    """Return why this input must not be read on, or None. Lost records are `lost_run`'s."""
    topic, position, run = expected.topic, expected.position, expected.last_run
    if expected.topic_id is not None and found.topic_id != expected.topic_id:
        return Stop(
            "input-recreated",
            f"Topic {topic} has id {found.topic_id}, and the journal was written from {expected.topic_id}: "
            "it was deleted and made anew, so its offsets mean other records. Nothing was read. Restore the old "
            "topic, or begin a new journal under another prefix: `nameplate topics apply --prefix PREFIX`.",
        )
    if found.log_end < position:
        return Stop(
            "input-behind",
            f"Topic {topic} ends at offset {found.log_end}, and the journal has taken records up to "
            f"{position}: the broker lost acknowledged records, and new ones would be skipped as done. "
            f"Nothing was read. {_RESTORE}",
        )
    if (
        run is not None
        and run.digest is not None
        and found.log_start <= run.start
        and found.digest != run.digest
    ):
        return Stop(
            "input-changed",
            f"Topic {topic}: the records at offsets {run.start} to {run.end - 1} are not those that were "
            f"journaled (digest {found.digest}, journaled {run.digest}). Nothing was read. {_RESTORE}",
        )
    return None


def lost_run(
    expected: InputExpected, found: InputFound, content: EntryContent, lost_allowed: Mapping[str, int]
) -> Stop | Run | None:
    """Return the run that no longer exists between the accepted position and the log's start.

    Args:
        expected: The accepted position.
        found: The log's start.
        content: The last accepted entry's.
        lost_allowed: Accepted position by topic at which an operator takes the loss upon himself. The number
            names the incident: it never fits a later one.

    Returns:
        None where nothing is lost, the run where the operator allows it, else the stop.
    """
    topic, position, start = expected.topic, expected.position, found.log_start
    if start <= position:
        return None
    what = f"Topic {topic} begins at offset {start}, and records from {position} on were not taken yet"
    if content.after is not None and content.after.topic == topic:
        return Stop(
            "unfinished-lost",
            f"{what}. The first of them is half decided and cannot be finished without its bytes. Nothing was "
            f"decided. {_RESTORE}",
        )
    if lost_allowed.get(topic) != position:
        return Stop(
            "input-lost",
            f"{what}: retention passed them. Restore them from a backup; or let the journal say that they "
            "are lost, for ever and for every auditor to see, by starting one worker once with "
            f"`nameplate worker --lost {topic}:{content.partition}:{position}`.",
        )
    return Run(topic, position, start, None)


def check_inputs(
    asked: CheckInputs, found: Iterable[InputFound], content: EntryContent, lost_allowed: Mapping[str, int]
) -> Stop | tuple[Run, ...]:
    """Return the first reason to stop, by topic name, or the runs that an operator allows to be lost.

    Raises:
        InvariantBroken: other topics were answered than were asked for.
    """
    by_topic = {one.topic: one for one in found}
    names = [one.topic for one in asked.inputs]
    if sorted(by_topic) != names:
        raise InvariantBroken(f"asked about {names}, told about {sorted(by_topic)}")
    lost = []
    for expected in asked.inputs:
        answer = by_topic[expected.topic]
        verdict = check_input(expected, answer) or lost_run(expected, answer, content, lost_allowed)
        if isinstance(verdict, Stop):
            return verdict
        if verdict is not None:
            lost.append(verdict)
    return tuple(lost)
