"""Decisions of one partition: rows, time and book, and what was decided since the last entry.

Laws of this file:
- T never goes back, and whatever is due at or before it is decided in one order.
- A decision is kept whole or not at all: its row, what it says outside and its line in the journal.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol

from msgspec import UNSET, Raw, Struct, UnsetType

from schemas import topics
from schemas.account import Row, pack, row_hash, unpack
from schemas.errors import InvariantBroken
from schemas.inputs import FollowerCountChanged
from schemas.instant import FOREVER, parse, text
from schemas.journal import Cursor
from schemas.policy import Policy, PolicyBook
from schemas.reasons import Reason, reason
from schemas.wire import assembled, canonical
from streams.core.agenda import Agenda
from streams.core.band import Band, band_of
from streams.core.deadlines import KINDS, Due
from streams.core.decide import BookAdopted, Input, cause_of, decide
from streams.core.obligations import Saying
from streams.core.sealing import Published, Sealer, common_fields, shown_stage, status_of

Time = Literal["clock", "records"]
Cause = dict[str, Any]

BEFORE_TIME = -FOREVER
"""T before anything has moved it."""
ROOT_MODULUS = 1 << 256

SILENT = "silent"
"""Stands for the type of a decision that changes a row and tells nobody: a daily sample, a fact that is noted."""
BOOK_ADOPTED = "book-adopted"


class _Noted(Struct, gc=False):
    """A decision as the journal shows it."""

    T: str | None
    cause: Cause
    key: str | None
    before: str | None
    reasons: Sequence[Reason]
    outputs: Sequence[Raw]
    after: Row | UnsetType | None
    dead: dict[str, Any] | UnsetType


class View(Protocol):
    """The rows of one partition as the shell keeps them: packed, by key."""

    def get(self, key: bytes, /) -> bytes | None:
        """Return a packed row, None where the account is not watched."""

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """Return every key and packed row, in any order."""


class Decider:
    """Rows, time and book of one partition; decides, and keeps what was decided until it is taken.

    Args:
        partition: Its number.
        view: The rows as the shell keeps them; changed ones are kept here until `settled`.
        time: What moves T: ticks, or the records' own instants.
        takes: Keep what is to be published, and the bands in which accounts sleep; who only compares what is
            journaled does without.
    """

    bands: dict[bytes, Band]
    """Of each row, from the first book on, if records are taken."""
    asleep: dict[str, Band]
    """Of each platform the band of an account that nobody watches, from the first book on."""

    def __init__(self, partition: int, view: View, time: Time, *, takes: bool = True) -> None:
        self.time = time
        self.T = BEFORE_TIME
        self.book: PolicyBook | None = None
        self.root = 0
        self.entry = 0
        """The number of the entry that will hold what is decided now."""
        self.sealer = Sealer(partition, dict.fromkeys(topics.OUTPUTS, 0), publishes=takes)
        self.open_duties = 0
        """How many rows have an obligation that is open."""
        self.agenda = Agenda(self.keys)
        self._takes = takes
        self._view = view
        self._changed: dict[bytes, bytes | None] = {}
        self.begin()

    def begin(self) -> None:
        """Start the next entry: forget what was decided for the last one."""
        self.decisions: list[bytes] = []
        self.bytes = 0
        """Size of the decisions."""
        self.taken = 0
        """Counts that decided something."""
        self.said: list[str] = []
        """The types of what was said; `SILENT` or `BOOK_ADOPTED` of a decision that says nothing."""
        self.dead: list[tuple[str, str]] = []
        """(topic, code) of the dead letters."""
        self.rows: dict[bytes, bytes | None] = {}
        self.publish: dict[str, list[Published]] = {}

    def use(self, book: PolicyBook) -> None:
        """Decide by a book from now on; see `using`."""
        for _ in self.using(book, None):
            pass

    def using(self, book: PolicyBook, after: Cursor | None) -> Iterator[None]:
        """Decide by a book from now on: bands and dues are those of its policies, row by row.

        Args:
            book: The book.
            after: How far an unfinished record came; what is due before that was decided.

        Yields:
            After each row. Nothing can be decided before the end.
        """
        self.book = book
        self.asleep = {name: band_of(policy, None) for name, policy in book.policies.items()}
        self.open_duties = 0
        self.bands = {}
        yield from self.agenda.rebuilding(book, self._look_at_rows(book), self.T, _due_of(after))

    def _look_at_rows(self, book: PolicyBook) -> Iterator[tuple[bytes, Row]]:
        """Yield every row, one unpacked at a time, and keep its band and its duty."""
        for key, packed in self._items():
            row = unpack(packed)
            self.open_duties += _has_duty(row)
            policy = book.policies.get(place_of(key)[0])
            if self._takes and policy is not None:
                self.bands[key] = band_of(policy, row)
            yield key, row

    def settled(self) -> None:
        """Hear that the changed rows are in the view."""
        self._changed.clear()

    def status_now(self, key: bytes, entry: int) -> tuple[bytes, bytes | None]:
        """Return the `account-status` record of an account as its row is now; what is no account's key has no row."""
        packed = self._get(key)
        if packed is None:
            return key, None
        policy = self.book.policies.get(place_of(key)[0]) if self.book is not None else None
        return status_of(key.decode(), policy, unpack(packed), self.T, entry)

    def keys(self) -> list[bytes]:
        """Return the keys of all rows, in any order."""
        return [key for key, _ in self._items()]

    # What is decided -----------------------------------------------------------------------------

    @property
    def is_due(self) -> bool:
        """Whether something is due at T: an entry leaves nothing of it undone."""
        return self.agenda.next_at <= self.T

    def advance(self, to: int, topic: str | None, offset: int | None) -> Iterator[Cursor]:
        """Decide what is due up to an instant, in its order, and move T there.

        With a clock everything is decided at the new T, without one each at its own instant.

        Args:
            to: Where T goes; an earlier instant leaves it where it is.
            topic: The topic of the record that moves T, None at the end of a history.
            offset: The record's offset.

        Yields:
            After each due: how far it came.
        """
        until = max(to, self.T)
        if self.time == "clock":
            self.T = until
        while (due := self.agenda.pop(until)) is not None:
            self.T = max(self.T, due.due)
            at, key, kind = text(due.due), due.key, due.kind
            self.decide(key, due, {"due": at, "kind": kind, "topic": topic, "offset": offset})
            yield Cursor(topic, offset, at, key, kind)
        self.T = until

    def adopt(self, book: PolicyBook, cause: Cause) -> None:
        """Take a new book into use; `look_again` has to follow.

        Args:
            book: The book.
            cause: The record that brought it: topic, offset and hash.
        """
        self.use(book)
        self.said.append(BOOK_ADOPTED)
        self.note(
            None, {**cause, "tables": Raw(canonical(book.tables))}, [reason("book-adopted", book=book.hash)]
        )

    def look_again(self, cause: Cause, done: str | None) -> Iterator[Cursor]:
        """Decide again for every row under the book that was adopted, in the order of platform and account.

        Args:
            cause: The record that brought the book.
            done: The key of the last row that was decided, None for a start.

        Yields:
            After each row: how far it came.
        """
        last = place_of(done.encode()) if done is not None else None
        for key in sorted(self.keys(), key=place_of):
            place = place_of(key)
            if last is None or place > last:
                self.decide(key.decode(), BookAdopted(*place, cause["book"]), cause)
                yield Cursor(cause["topic"], cause["offset"], None, key.decode(), None)

    def decide(self, key_text: str, record: Input, cause: Cause) -> None:
        """Decide a record for the account that it is about, and keep what came of it."""
        if self.book is None:
            raise InvariantBroken("a decision before any policy book")
        key, book, row, before = key_text.encode(), self.book, None, None
        packed = self._get(key)
        if packed is not None:
            row, before = unpack(packed), row_hash(key, packed)
        decision = decide(row, record, book, self.T)
        policy = book.policies.get(record.platform)
        shown = decision.changed or self._shows_another_stage(policy, decision.row, record)
        if decision.changed:
            self._put(key, before, decision.row)
            self.open_duties += _has_duty(decision.row) - _has_duty(row)
        effective_at = record.due if isinstance(record, Due) else self.T
        self.agenda.plan(book, key, decision.row, effective_at)
        if self._takes and policy is not None and decision.row is not None:
            self.bands[key] = band_of(policy, decision.row)
        if not shown:
            return  # nothing was said, either: whatever says something changes its row
        if self._takes:
            status = status_of(key_text, policy, decision.row, self.T, self.entry)
            self.publish.setdefault(topics.STATUS, []).append((*status, ()))
        outputs = self._seal(key, record, effective_at, decision.said)
        self.taken += isinstance(record, FollowerCountChanged)
        shown_before = before.hex() if before is not None else None
        self.note(key_text, cause, decision.reasons, before=shown_before, outputs=outputs, after=decision.row)

    def _seal(self, key: bytes, record: Input, effective_at: int, said: Sequence[Saying]) -> list[Raw]:
        """Number what a decision says outside, and return it as it is journaled."""
        if not said or self.book is None:
            self.said.append(SILENT)
            return []
        platform, at = record.platform, text(self.T)
        common = common_fields(platform, record.account_id, self.book.policies.get(platform), self.book.hash)
        common["decided_at"] = at
        common["effective_at"] = at if effective_at == self.T else text(effective_at)
        common["cause"] = cause_of(record)
        outputs = []
        for saying in said:
            topic, value, headers = self.sealer.seal(saying, common, key)
            if self._takes:
                self.publish.setdefault(topic, []).append((key, value, headers))
            self.said.append(saying.type)
            outputs.append(Raw(value))
        return outputs

    @staticmethod
    def _shows_another_stage(policy: Policy | None, row: Row | None, record: Input) -> bool:
        """Return whether a phase or a book that leaves a row as it is may change the stage that its status shows.

        Only `confirming` comes and goes with time and policy alone. Such a decision is journaled with the
        row unchanged, so that whoever goes on from the journal writes the same status.
        """
        if row is None or row.obligation is not None:
            return False
        if isinstance(record, BookAdopted):
            return bool(row.sides) and not (row.displayed or row.waived)
        if not isinstance(record, Due):
            return False
        return shown_stage(policy, row, record.due - 1) != shown_stage(policy, row, record.due)

    def note(
        self,
        key: str | None,
        cause: Cause,
        reasons: Sequence[Reason],
        *,
        before: str | None = None,
        outputs: Sequence[Raw] = (),
        after: Row | UnsetType | None = UNSET,
        dead: dict[str, Any] | UnsetType = UNSET,
    ) -> None:
        """Keep a decision as the journal shows it; only one of an account has a row after it."""
        at = text(self.T) if self.T != BEFORE_TIME else None
        encoded = assembled(_Noted(at, cause, key, before, reasons, outputs, after, dead))
        self.decisions.append(encoded)
        self.bytes += len(encoded)

    # Rows ----------------------------------------------------------------------------------------

    def _put(self, key: bytes, before: bytes | None, row: Row | None) -> None:
        root = self.root - int.from_bytes(before) if before is not None else self.root
        if row is not None:
            after = pack(row)
            root += int.from_bytes(row_hash(key, after))
        else:
            after = None
            self.bands.pop(key, None)
        self.root = root % ROOT_MODULUS
        self._changed[key] = self.rows[key] = after

    def _get(self, key: bytes) -> bytes | None:
        return self._changed[key] if key in self._changed else self._view.get(key)

    def _items(self) -> Iterator[tuple[bytes, bytes]]:
        for key, packed in self._view.items():
            if key not in self._changed:
                yield key, packed
        for key, changed in self._changed.items():
            if changed is not None:
                yield key, changed


def place_of(key: bytes) -> tuple[str, str]:
    """Return platform and account of a key: the order in which accounts are decided."""
    platform, _, account_id = key.decode().partition(":")
    return platform, account_id


def _has_duty(row: Row | None) -> bool:
    return row is not None and row.obligation is not None


def _due_of(cursor: Cursor | None) -> Due | None:
    match cursor:
        case Cursor(due=str(due), key=str(key), kind=str(kind)):
            return Due(parse(due), *place_of(key.encode()), KINDS.index(kind))
    return None
