"""What a takeover entry repeats of the entry before it: everything that the next step needs (rule 6)."""

from collections.abc import Iterable

from msgspec.structs import replace

from schemas.journal import EntryContent, Run
from streams.ledger import root


def genesis(partition: int, inputs: Iterable[str], outputs: Iterable[str], time: str) -> EntryContent:
    """Return what stands before the first entry of a partition: nothing taken, every position 0.

    A topic whose log begins later has lost its first records like any other (rule 19): the journal says so.
    """
    zero = dict.fromkeys(outputs, 0)
    return EntryContent(
        partition=partition,
        time=time,
        runs=(),
        positions=dict.fromkeys(inputs, 0),
        T=None,
        book=None,
        decisions=(),
        next_seq=zero,
        published_upto=dict(zero),
        state_root=root.text(root.EMPTY),
        more=False,
    )


def carried(content: EntryContent, before: EntryContent) -> EntryContent:
    """Return what a takeover after this entry repeats: no runs, no decisions, all the rest.

    Args:
        content: Of the last accepted entry.
        before: What a takeover before it would have repeated: the last runs of topics that this one did not
            read.
    """
    return replace(content, runs=(), decisions=(), last_runs=last_runs(content, before.last_runs))


def last_runs(content: EntryContent, before: Iterable[Run] = ()) -> tuple[Run, ...]:
    """Return the last run of each topic after this entry, for a new owner to read again (rule 18)."""
    runs = {run.topic: run for run in (*before, *content.last_runs, *content.runs)}
    # a lost run was never there to be read again, and the one before it is older than what is gone
    return tuple(runs[topic] for topic in sorted(runs) if runs[topic].digest is not None)


def with_topics(
    content: EntryContent, inputs: Iterable[str], outputs: Iterable[str], time: str
) -> EntryContent:
    """Return the content with the topics of this release: one that no entry knows yet starts at 0."""
    return replace(
        content,
        time=time,
        positions={**dict.fromkeys(inputs, 0), **content.positions},
        next_seq={**dict.fromkeys(outputs, 0), **content.next_seq},
        published_upto={**dict.fromkeys(outputs, 0), **content.published_upto},
    )


def after_losses(content: EntryContent, lost: tuple[Run, ...]) -> EntryContent:
    """Return the content that also says which runs are lost, with the positions behind them."""
    gone = {run.topic for run in lost}
    return replace(
        content,
        runs=lost,
        positions={**content.positions, **{run.topic: run.end for run in lost}},
        last_runs=tuple(run for run in content.last_runs if run.topic not in gone),
    )
