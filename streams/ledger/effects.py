"""What a machine of this room wants done next. Exactly one effect is outstanding at a time per machine.

Each names the event (a method of the machine) that answers it. `unacked()` answers any of them with "not
known to be done": the machine names the same effect again, and waiting in between is the driver's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.journal import EntryContent, HeadPointer, Run, decode_content
from streams.ledger.chain import Head

Headers = tuple[tuple[str, bytes], ...]
Record = tuple[bytes | None, bytes | None, Headers]
"""A record to publish: key, value (None is a tombstone), headers."""
Batches = tuple[tuple[str, tuple[Record, ...]], ...]
"""Records in order per topic (short names)."""
Rows = tuple[tuple[bytes, bytes | None], ...]
"""Row changes in order: key and packed row, None for a forgotten one. Absolute: twice is once."""
Offsets = tuple[tuple[str, int], ...]
"""Topic and offset (or sequence number), sorted by topic: a mapping that can be hashed."""


@dataclass(frozen=True, slots=True)
class Append:
    """Append these bytes to the journal partition. → `appended(offset)`, -1 where nobody says it."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class ReadJournal:
    """Read the journal from `start` up to `end` (excluded), or to its end as it is now. → `journal_read`."""

    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class ReadTails:
    """Find the highest sequence number visible in this partition of each output topic. → `tails_are`."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InputExpected:
    """What the journal says of one input topic partition."""

    topic: str
    topic_id: str | None
    """None where no entry names it yet."""
    position: int
    last_run: Run | None
    """To be read again where it still exists, and digested."""


@dataclass(frozen=True, slots=True)
class InputFound:
    """What the broker says of one input topic partition."""

    topic: str
    topic_id: str | None
    log_start: int
    """First offset that still exists; asked after the run was read again."""
    log_end: int
    """Next offset."""
    digest: str | None
    """Of the records that now stand at the offsets of the last run; None where they could not be read."""


@dataclass(frozen=True, slots=True)
class CheckInputs:
    """Ask the broker about each input topic (rules 18, 19). → `inputs_are`."""

    inputs: tuple[InputExpected, ...]


@dataclass(frozen=True, slots=True)
class ApplyRows:
    """Put rows into the partition's view, and remember their keys as not yet written. → `rows_applied()`."""

    rows: Rows


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Clear the partition's view; every key it held or will hold is not yet written. Loud. → `cleared()`."""

    reason: str


@dataclass(frozen=True, slots=True)
class ComputeRoot:
    """Compute the state root from the rows of the view, never from a stored one. → `root_is(int)`."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """Wait, longer with each void takeover, and ask the group for the assignment. → `still_mine(bool)`."""

    voids: int
    """Takeovers of this machine that were void so far."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Send all records, in order per topic, a batch only after the one before it is acknowledged.

    Done when all are acknowledged; retried whole (rule 12). → `published()`.
    """

    batches: Batches


@dataclass(frozen=True, slots=True)
class WriteRows:
    """Write rows to the view and to the table's changelog. → `rows_written()`."""

    rows: Rows


@dataclass(frozen=True, slots=True)
class WriteApplied:
    """Write every key not yet written to the changelog, as the view has it now. → `rows_written()`."""


@dataclass(frozen=True, slots=True)
class WriteHead:
    """Write the head pointer to the table's changelog, after all rows. → `head_written()`."""

    pointer: HeadPointer


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit these accepted positions to the group; advice only (rule 17). → `committed()`."""

    positions: Offsets


@dataclass(frozen=True, slots=True)
class Seek:
    """Seek every input to its accepted position, before the first fetch (rule 17). → `sought()`."""

    positions: Offsets


@dataclass(frozen=True, slots=True)
class Ready:
    """The partition is this owner's: make a `Step` of it, finish a `more` first, and go on."""

    head: Head
    raw_content: bytes
    published_upto: Offsets
    rebuilt: bool
    """The table had to be rebuilt from the journal."""
    voids: int
    """Takeovers that were void before this one."""

    @property
    def content(self) -> EntryContent:
        """The takeover entry's content: positions, T, book, next seq, `more` and `after`, all carried on."""
        return decode_content(self.raw_content)


@dataclass(frozen=True, slots=True)
class Recover:
    """The entry is void: drop the partition's state; recover it if it is still assigned (rule 16)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Leave:
    """The partition is somebody else's: drop its state."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop this worker loudly, and page a human: the message says what, why and what to do."""

    code: str
    message: str


Reading = ReadJournal | ReadTails | CheckInputs | ComputeRoot
Writing = Append | Publish | ApplyRows | Rebuild | WriteRows | WriteApplied | WriteHead | Commit | Seek
Ending = Ready | Recover | Leave | Stop
Effect = Reading | Writing | BackOff | Ending
ENDINGS = (Ready, Recover, Leave, Stop)


def offsets(mapping: Mapping[str, int]) -> Offsets:
    """Return a mapping as sorted pairs."""
    return tuple(sorted(mapping.items()))


def batches(mapping: Mapping[str, tuple[Record, ...]]) -> Batches:
    """Return records by topic as sorted pairs, without empty ones."""
    return tuple(sorted((topic, tuple(records)) for topic, records in mapping.items() if records))
