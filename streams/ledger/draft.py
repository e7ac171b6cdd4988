"""A draft: what the fold decided in one step; and what a writer refuses to journal (rules 6, 7, 10)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from schemas.errors import InvariantBroken
from schemas.journal import Cursor, EntryContent, Run
from streams.ledger.effects import Offsets, Record, Rows


@dataclass(frozen=True)
class Draft:
    """The content of the next entry (`published_upto` is the step's), and what follows its acceptance."""

    partition: int
    time: str
    runs: tuple[Run, ...]
    positions: Mapping[str, int]
    """Of all input topics, after this step."""
    T: str | None
    book: str | None
    decisions: tuple[bytes, ...]
    """Each as canonical JSON."""
    next_seq: Mapping[str, int]
    """Of all output topics, after this step."""
    state_root: str
    more: bool = False
    after: Cursor | None = None
    """With `more`: the unfinished record and the place reached."""
    topic_ids: Mapping[str, str] = field(default_factory=dict)
    """Empty: those of the takeover are carried on."""
    rows: Rows = ()
    publish: Mapping[str, tuple[Record, ...]] = field(default_factory=dict)
    """Outputs in the order of their seq, statuses and dead letters, by topic."""
    commit: Mapping[str, int] = field(default_factory=dict)
    """Positions to tell the group; empty: none."""
    book_bytes: int = 0
    """Size of a policy book that this entry adopts: it may be larger by so much."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the last accepted entry of this owner fixes for the next one."""

    partition: int
    positions: Offsets
    next_seq: Offsets
    published_upto: Offsets
    topic_ids: tuple[tuple[str, str], ...]
    after: Cursor | None
    last_runs: tuple[Run, ...] = ()
    """The last run of each topic, for an owner to repeat; a file has nobody who would read it again."""


def content_of(draft: Draft, standing: Standing) -> EntryContent:
    """Return the entry content of a draft.

    Raises:
        InvariantBroken: the draft does not follow from the last accepted entry; the fold is wrong.
    """
    check(draft, standing)
    taken = {run.topic for run in draft.runs}
    return EntryContent(
        partition=draft.partition,
        time=draft.time,
        runs=draft.runs,
        positions=dict(draft.positions),
        T=draft.T,
        book=draft.book,
        decisions=tuple(msgspec.Raw(decision) for decision in draft.decisions),
        next_seq=dict(draft.next_seq),
        published_upto=dict(standing.published_upto),
        state_root=draft.state_root,
        more=draft.more,
        topic_ids=dict(draft.topic_ids or standing.topic_ids),
        after=draft.after,
        last_runs=tuple(run for run in standing.last_runs if run.topic not in taken),
    )


def check(draft: Draft, standing: Standing) -> None:
    """Refuse a draft that does not follow from the last accepted entry."""
    if draft.partition != standing.partition:
        raise InvariantBroken(f"a draft of partition {draft.partition} in partition {standing.partition}")
    if draft.more != (draft.after is not None):
        raise InvariantBroken("more and after come together")
    _check_unfinished(draft, standing.after)
    _check_positions(draft, dict(standing.positions))
    _check_seq(draft, dict(standing.next_seq))


def _check_unfinished(draft: Draft, unfinished: Cursor | None) -> None:
    """Rule 10: until the part with `more: false`, no record but the unfinished one is taken."""
    if unfinished is None:
        return
    if draft.runs:
        first = draft.runs[0]
        follows = (first.topic, first.start) == (unfinished.topic, unfinished.offset)
        follows = follows or (unfinished.topic is None and not draft.more)
    elif draft.after is not None:
        follows = (draft.after.topic, draft.after.offset) == (unfinished.topic, unfinished.offset)
    else:
        follows = unfinished.topic is None
    if not follows:
        raise InvariantBroken(
            f"the record at {unfinished.topic} {unfinished.offset} is unfinished, and this step takes "
            "another one"
        )


def _check_positions(draft: Draft, positions: dict[str, int]) -> None:
    """Rule 7: the runs leave no gap, and lead from the accepted positions to those of the draft."""
    for run in draft.runs:
        if run.digest is None:
            raise InvariantBroken(f"a lost run of {run.topic} is journaled by a takeover only")
        if run.start != positions.get(run.topic):
            raise InvariantBroken(
                f"a run of {run.topic} starts at {run.start}, not at {positions.get(run.topic)}"
            )
        positions[run.topic] = run.end
    if positions != dict(draft.positions):
        raise InvariantBroken(f"the runs lead to {positions}, and the draft says {dict(draft.positions)}")
    cursor = draft.after
    if cursor is not None and cursor.topic is not None and cursor.offset != positions.get(cursor.topic):
        raise InvariantBroken(f"the unfinished record of {cursor.topic} is passed before it is finished")


def _check_seq(draft: Draft, next_seq: dict[str, int]) -> None:
    """Rule 6: sequence numbers come from the last accepted entry, one per output and without a gap."""
    after = {topic: seq + len(draft.publish.get(topic, ())) for topic, seq in next_seq.items()}
    if after != dict(draft.next_seq):
        raise InvariantBroken(
            f"the outputs lead to next seq {after}, and the draft says {dict(draft.next_seq)}"
        )
