"""Why a worker stops and a human is paged: what is wrong, why that is dangerous, and what to do.

The table is the topic `rows-changelog`: a cache that may be deleted, and is built anew from the journal.
"""

from schemas.journal import HeadPointer
from streams.ledger.chain import Head
from streams.ledger.effects import Stop

LOOK = "See what is left with `nameplate journal export FILE`, and whether it holds with `nameplate verify FILE`."
ANEW = "make it anew with `nameplate topics apply`"


def journal_went_back(offset: int, next_offset: int) -> Stop:
    """A new entry got an offset that was read before."""
    return Stop(
        "journal-went-back",
        f"The journal gave offset {offset} to a new entry, but offsets up to {next_offset - 1} were read "
        "before: the broker lost acknowledged records. Restore the journal from a replica or a backup "
        f"before any worker starts again. {LOOK}",
    )


def journal_cut(start: int, log_start: int) -> Stop:
    """Journal records that are needed no longer exist."""
    return Stop(
        "journal-cut",
        f"The journal begins at offset {log_start}, and offset {start} is needed: its horizon is shorter "
        "than the table's age, or the table's head pointer was lost. Nothing was decided. Restore the older "
        "records of the journal partition from a backup, then start the worker again: `nameplate worker`.",
    )


def head_missing(pointer: HeadPointer, log_end: int) -> Stop:
    """The table's head pointer names an entry that is not where it should be (rule 15)."""
    return Stop(
        "head-not-in-journal",
        f"The table was written after journal entry {pointer.hash} at offset {pointer.offset - 1}, and the "
        f"journal, which ends at {log_end}, does not have it there: the journal lost acknowledged records, "
        "or it is another one. Nothing was decided. Restore the journal; if it is this one that is right, delete "
        f"the table (the topic rows-changelog), {ANEW}, and the next worker builds it from the journal.",
    )


def head_not_accepted(head: Head, found: Head) -> Stop:
    """The chain from the start does not lead to where the head pointer led."""
    return Stop(
        "head-not-accepted",
        f"Read from the table's head pointer the journal ends at entry n={head.n} ({head.hash}), read from "
        f"its start at n={found.n} ({found.hash}). Nothing was decided. Run `nameplate verify` on the journal; if it "
        f"agrees, delete the table (the topic rows-changelog), {ANEW}, and the next worker builds it from the journal.",
    )


def output_ahead(topic: str, seq: int, next_seq: int) -> Stop:
    """An output is visible that no accepted entry holds (rule 15)."""
    return Stop(
        "output-ahead",
        f"Topic {topic} shows an event with seq {seq}, and the journal has given no seq from {next_seq} on: "
        "the journal lost acknowledged entries, or somebody else writes to the topic. Nothing was decided. Restore "
        f"the journal from a replica or a backup. {LOOK}",
    )


def rebuild_reason(partition: int, expected: str, found: str, n: int) -> str:
    """The view does not have the journaled root: not a stop yet, but loud."""
    return (
        f"partition {partition}: the rows have the state root {found}, and entry n={n} says {expected}: "
        "rows were lost, late or changed. They are built anew from the whole journal"
    )


def root_differs(expected: str, found: str, n: int) -> Stop:
    """The rows do not have the journaled root, even when they were built from the journal alone."""
    return Stop(
        "root-differs",
        f"The rows built from the whole journal have the state root {found}, and entry n={n} says "
        f"{expected}: the journal does not agree with itself. Nothing was decided. Export it with "
        "`nameplate journal export FILE`, and find the first such entry with `nameplate verify FILE`.",
    )
