"""The recovery: from a table and a journal to a partition that is ours (rules 15, 16, 18 and 19).

```
tails → head → journal to its end → inputs → root → takeover, verdict → publish → rows → head pointer → seek →
                  ready ▲ (rows applied)              │ unequal: rebuild  │ void
                  └─────────────────────────────┴──── back off: still mine?
```
The output tails are read before the journal: a former owner may still publish what it has journaled, and a
tail read later would then be ahead of the journal although nothing is lost.
"""

from collections.abc import Iterable, Mapping

from schemas.errors import AuditError, InvariantBroken
from schemas.journal import (
    EntryContent,
    HeadPointer,
    Run,
    encode_content,
    entry_hash,
    read_content,
    read_envelope,
)
from streams.ledger import root, stops
from streams.ledger.append import Appender
from streams.ledger.chain import GENESIS, Head, judge_slice, next_entry
from streams.ledger.effects import (
    ApplyRows,
    BackOff,
    CheckInputs,
    ComputeRoot,
    Effect,
    InputFound,
    Leave,
    Offsets,
    Publish,
    ReadJournal,
    ReadTails,
    Ready,
    Rebuild,
    Rows,
    Seek,
    Stop,
    WriteApplied,
    WriteHead,
    offsets,
)
from streams.ledger.inputs import check_inputs, expectations
from streams.ledger.known import Assignment, Known, unknown

__all__ = ["Assignment", "Recovery"]

_FIND_HEAD, _TO_THE_END, _VERDICT, _REBUILD = "find head", "to the end", "verdict", "rebuild"


class Recovery(Appender):
    """The machine of a new owner, from assignment to `Ready`, `Leave` or `Stop`.

    Args:
        pointer: The table's head pointer; None where the table has none.
        assignment: What is taken over, and by whom.
    """

    __slots__ = (
        "_goal",
        "_ids",
        "_known",
        "_lost",
        "_pointer",
        "_rebuilt",
        "_tails",
        "_until",
        "assignment",
        "voids",
    )

    def __init__(self, pointer: HeadPointer | None, assignment: Assignment) -> None:
        self.assignment = assignment
        self.voids = 0
        self.head = GENESIS
        self.effect: Effect | None = ReadTails(assignment.outputs)
        self._flight = None
        self._pointer = pointer
        self._known: Known = unknown(assignment)
        self._goal = _TO_THE_END  # what the journal is read for
        self._until = 0  # and how far
        self._tails: Offsets = ()
        self._rebuilt: Head | None = None  # how far the journal is read for the rebuild
        self._ids: tuple[tuple[str, str], ...] = ()
        self._lost: tuple[Run, ...] = ()

    @property
    def rebuilt(self) -> bool:
        """Whether the view was built anew from the whole journal."""
        return self._rebuilt is not None

    def tails_are(self, tails: Mapping[str, int | None]) -> Effect:
        """Take the highest seq visible in each output topic; None or absent where the topic is empty."""
        self._expect(ReadTails)
        self._tails = tuple(sorted((topic, seq) for topic, seq in tails.items() if seq is not None))
        if self._pointer is None:
            return self._do(ReadJournal(0, None))
        self._goal = _FIND_HEAD
        return self._do(ReadJournal(self._pointer.offset - 1, self._pointer.offset))

    def journal_read(
        self, records: Iterable[tuple[int, bytes | None]], *, upto: int, log_start: int, log_end: int
    ) -> Effect:
        """Take journal records.

        Args:
            records: Offset and value, rising, none left out below `upto` but offsets that hold nothing.
            upto: How far this answer goes; may be less than asked: the rest is asked for again.
            log_start: First offset that the journal partition still has.
            log_end: Its next offset, asked before the records were read.
        """
        reading = self._expect(ReadJournal)
        if log_start > reading.start:
            return self._do(stops.journal_cut(reading.start, log_start))
        try:
            if self._goal == _FIND_HEAD:
                return self._find_head(reading, dict(records), upto, log_end)
            rows = self._judge(records, upto)
        except AuditError as error:
            return self._do(Stop(error.code, str(error)))
        self._until = log_end if reading.end is None else reading.end
        return self._do(ApplyRows(rows)) if rows else self._read_on()

    def rows_applied(self) -> Effect:
        """Take that the view has the rows."""
        self._expect(ApplyRows)
        return self._read_on()

    def inputs_are(self, found: Iterable[InputFound]) -> Effect:
        """Take what the broker says of each input topic that was asked for."""
        asked, found = self._expect(CheckInputs), tuple(found)
        lost = check_inputs(asked, found, self._known.tip, dict(self.assignment.lost_allowed))
        if isinstance(lost, Stop):
            return self._do(lost)
        self._lost = lost
        self._ids = tuple(sorted((one.topic, one.topic_id) for one in found if one.topic_id is not None))
        return self._do(ComputeRoot())

    def root_is(self, found: int) -> Effect:
        """Take the root of the view's rows."""
        self._expect(ComputeRoot)
        partition, n, digits = self.assignment.partition, self.head.n, root.text(found)
        expected = self._known.tip.state_root
        if self._root_agrees(expected, digits):
            content = encode_content(self._known.takeover(self._ids, self._lost))
            return self._append(next_entry(self.head, self.assignment.writer, content, takeover=True))
        if self._rebuilt is not None:
            return self._do(stops.root_differs(expected, digits, n))
        self._rebuilt = GENESIS
        return self._do(Rebuild(stops.rebuild_reason(partition, expected, digits, n)))

    def cleared(self) -> Effect:
        """Take that the view is empty."""
        self._expect(Rebuild)
        self._goal, self._until = _REBUILD, self.head.next_offset
        return self._read_on()

    def still_mine(self, assigned: bool) -> Effect:
        """Take, after the back-off, whether the partition is still assigned to this worker (rule 16)."""
        self._expect(BackOff)
        self._flight = None
        if not assigned:
            partition, n = self.assignment.partition, self.head.n
            return self._do(Leave(f"partition {partition} was given away; the journal is at n={n}"))
        self._goal = _TO_THE_END
        return self._do(ReadJournal(self.head.next_offset, None))

    def published(self) -> Effect:
        """Take that every owed record is acknowledged."""
        self._expect(Publish)
        return self._do(WriteApplied())

    def rows_written(self) -> Effect:
        """Take that the changelog has every row that was applied."""
        self._expect(WriteApplied)
        return self._do(WriteHead(HeadPointer(self.head.hash, self.head.next_offset)))

    def head_written(self) -> Effect:
        """Take that the changelog has the head pointer."""
        self._expect(WriteHead)
        return self._do(Seek(offsets(self._own_content().positions)))

    def sought(self) -> Effect:
        """Take that the next fetch of each input begins at its accepted position."""
        self._expect(Seek)
        content = self._own_content()
        published_upto = offsets(content.next_seq)
        return self._do(Ready(self.head, encode_content(content), published_upto, self.rebuilt, self.voids))

    def _do(self, effect: Effect) -> Effect:
        self.effect = effect
        return effect

    def _find_head(
        self, reading: ReadJournal, records: dict[int, bytes | None], upto: int, log_end: int
    ) -> Effect:
        """Rule 15: the table's head pointer must name an entry that stands at its offset."""
        pointer = self._pointer
        if pointer is None:
            raise InvariantBroken("a head is looked for that no pointer names")
        if upto < pointer.offset <= log_end:
            return reading
        raw = records.get(reading.start)
        envelope = read_envelope(raw)
        if raw is None or envelope is None or entry_hash(raw) != pointer.hash:
            return self._do(stops.head_missing(pointer, log_end))
        self._known = self._known.at_head(envelope)
        self.head = Head(envelope.n, envelope.epoch, pointer.hash, pointer.offset)
        self._goal = _TO_THE_END
        return self._do(ReadJournal(pointer.offset, None))

    def _judge(self, records: Iterable[tuple[int, bytes | None]], upto: int) -> Rows:
        """Judge records and return the rows that the accepted ones changed."""
        if self._goal == _REBUILD:
            rebuilt, accepted = judge_slice(self._rebuilt or GENESIS, records, upto)
            rows = self._known.rows_of(accepted)
            self._rebuilt = rebuilt
        else:
            head, accepted = judge_slice(self.head, records, upto)
            self._known, rows = self._known.after(accepted)
            self.head = head
        return rows

    def _read_on(self) -> Effect:
        """Read the rest, or go on with what the journal was read for."""
        judged = self._rebuilt if self._goal == _REBUILD and self._rebuilt is not None else self.head
        if judged.next_offset < self._until:
            return self._do(
                ReadJournal(judged.next_offset, None if self._goal == _TO_THE_END else self._until)
            )
        if self._goal == _TO_THE_END:
            return self._check_tails()
        if self._goal == _REBUILD:
            agrees = judged == self.head
            return self._do(ComputeRoot() if agrees else stops.head_not_accepted(self.head, judged))
        if self._is_mine(self.head):
            return self._established()
        self.voids += 1
        return self._do(BackOff(self.voids))

    def _check_tails(self) -> Effect:
        """Rule 15: no output is visible that no accepted entry holds."""
        content = self._known.tip
        for topic, seq in self._tails:
            next_seq = content.next_seq.get(topic, 0)
            if seq >= next_seq:
                return self._do(stops.output_ahead(topic, seq, next_seq))
        return self._do(CheckInputs(expectations(content)))

    def _root_agrees(self, expected: str, found: str) -> bool:
        return expected == found

    def _raises_epoch(self) -> bool:
        return True

    def _read_back(self, start: int, end: int) -> Effect:
        self._goal = _VERDICT
        return self._do(ReadJournal(start, end))

    def _accept(self, head: Head) -> Effect:
        self.head = head
        return self._established()

    def _established(self) -> Effect:
        """The takeover is accepted: what is owed leaves before anything else happens."""
        owed = self._known.owed.all
        return self._do(Publish(owed) if owed else WriteApplied())

    def _own_content(self) -> EntryContent:
        envelope = read_envelope(self._in_flight().raw)
        if envelope is None:
            raise InvariantBroken("our own takeover cannot be read")
        return read_content(envelope)
