"""What a journal says of one account up to an instant: its decisions, the books they rest on, and time.

The chain of every entry is followed and the account's rows are held against the journal's own hashes; what was
decided is not derived again (`nameplate verify` does that).
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, NamedTuple

from schemas.account import Row, pack, row_hash, row_of_json
from schemas.errors import AuditError, PolicyError
from schemas.instant import parse
from schemas.journal import EntryContent, Run
from schemas.outputs import OF_TYPE
from schemas.partitioner import partition_of
from schemas.policy import PolicyBook, book_from_tables
from schemas.reasons import REASONS
from streams.core.decider import BEFORE_TIME
from streams.explain.words import cause_words
from streams.ledger.chain import GENESIS, judge

VERIFY = "Run `nameplate verify` on this journal; nothing of it was explained."


class Taken(NamedTuple):
    """One decision of the account, and where it stands."""

    n: int
    hash: str
    """Of the entry."""
    place: int
    """Of the decision in its entry, from 0."""
    at: int
    """T."""
    decision: dict[str, Any]
    cause_sentence: str
    before: Row | None
    after: Row | None
    book: PolicyBook


class Adopted(NamedTuple):
    """A book that a partition adopted."""

    at: int
    """T, `BEFORE_TIME` where nothing had moved it yet."""
    n: int
    hash: str
    book: PolicyBook


class Told:
    """What one partition's entries say up to an instant.

    Args:
        key: `platform:account_id`.
        upto: Decisions at a later T are counted and not kept; None: all are kept.
    """

    def __init__(self, key: str, upto: int | None) -> None:
        self.taken: list[Taken] = []
        self.adopted: list[Adopted] = []
        self.later: int | None = None
        """T of the account's first decision after `upto`."""
        self.began: int | None = None
        """The first T that anything moved."""
        self.ended = BEFORE_TIME
        """T of the last entry."""
        self.decided_upto = BEFORE_TIME
        """T of the last entry at or before `upto`."""
        self.lost: list[Run] = []
        """Records that an operator said are gone (rule 19), up to `upto`."""
        self._key = key
        self._upto = upto
        self._head = GENESIS
        self._row: Row | None = None

    def follow(self, raw: bytes, content: EntryContent, books: dict[str, PolicyBook]) -> None:
        """Take one more entry.

        Raises:
            AuditError: it does not follow the one before, or what it says of the account does not.
        """
        head, envelope = judge(self._head, self._head.next_offset, raw)
        if envelope is None:
            raise AuditError(
                f"partition {content.partition}: the entry after n={self._head.n} does not follow it. {VERIFY}"
            )
        self._head = head
        for index, decision in enumerate(content.decisions):
            try:
                self._hear(index, decision, books)
            except (
                KeyError,
                TypeError,
                ValueError,
                AttributeError,
            ):  # a forger's: it was never written by us
                raise AuditError(
                    f"entry n={head.n}: decision {index} is not of the journal's form. {VERIFY}"
                ) from None
        if content.T is not None:
            self.ended = parse(content.T)
            self.began = self.ended if self.began is None else self.began
            if self._is_asked(self.ended):
                self.decided_upto = self.ended
                self.lost += (run for run in content.runs if run.digest is None)

    def _hear(self, index: int, decision: dict[str, Any], books: dict[str, PolicyBook]) -> None:
        at = parse(decision["T"]) if decision["T"] is not None else BEFORE_TIME
        if "tables" in decision["cause"]:
            self._adopt(at, decision["cause"], books)
        elif decision["key"] == self._key:
            self._take(at, index, decision)

    def _is_asked(self, at: int) -> bool:
        return self._upto is None or at <= self._upto

    def _adopt(self, at: int, cause: dict[str, Any], books: dict[str, PolicyBook]) -> None:
        if not self._is_asked(at):
            return
        book = books.get(cause["book"])
        if book is None:
            try:
                book = books[cause["book"]] = book_from_tables(cause["tables"])
            except PolicyError as error:
                raise AuditError(
                    f"entry n={self._head.n}: its policy book is none: {error}. {VERIFY}"
                ) from None
        self.adopted.append(Adopted(at, self._head.n, self._head.hash, book))

    def _take(self, at: int, place: int, decision: dict[str, Any]) -> None:
        if not self._is_asked(at):
            self.later = at if self.later is None else self.later
            return
        before, key = self._row, self._key.encode()
        expected = row_hash(key, pack(before)).hex() if before is not None else None
        if decision["before"] != expected or not self.adopted:
            raise AuditError(
                f"entry n={self._head.n}: decision {place} does not follow the account's last one. {VERIFY}"
            )
        _check(decision)
        if "after" in decision:
            self._row = None if decision["after"] is None else row_of_json(decision["after"])
        words, book = cause_words(decision["cause"], decision["T"]), self.adopted[-1].book
        self.taken.append(
            Taken(self._head.n, self._head.hash, place, at, decision, words, before, self._row, book)
        )

    # What was at an instant ----------------------------------------------------------------------

    def row_at(self, at: int) -> Row | None:
        """Return the account after its last decision at or before an instant."""
        place = bisect_right(self.taken, at, key=lambda taken: taken.at)
        return self.taken[place - 1].after if place else None

    def book_at(self, at: int) -> PolicyBook | None:
        """Return the book adopted last at or before an instant."""
        place = bisect_right(self.adopted, at, key=lambda adopted: adopted.at)
        return self.adopted[place - 1].book if place else None


def _check(decision: dict[str, Any]) -> None:
    """Raise ValueError (or what a wrong type raises) for reasons and outputs that are not of their schemas."""
    for given in decision["reasons"]:
        if given.keys() - {"code"} != set(REASONS[given["code"]].values):
            raise ValueError("a reason with other values")
    for said in decision["outputs"]:
        OF_TYPE[said["type"]].model_validate(said)


def read(
    entries: Iterable[tuple[bytes, EntryContent]], key: str, upto: int | None, partitions: int | None = None
) -> tuple[int | None, Told | None, bool]:
    """Return the partition of an account and what it says of the account.

    Args:
        entries: Accepted entries, those of one partition in their order; of all partitions or of some.
        key: `platform:account_id`.
        upto: See `Told`.
        partitions: How many the journal has, where that is known; else those seen are taken for all.

    Returns:
        The partition's number, what it says, and whether it is known to be the account's: without a decision of
        the account, and with entries of some partitions only, nobody can tell. All None for no entry.

    Raises:
        AuditError: the chain or the account's rows are broken.
    """
    told: dict[int, Told] = {}
    books: dict[str, PolicyBook] = {}
    for raw, content in entries:
        partition = told.get(content.partition)
        if partition is None:
            partition = told[content.partition] = Told(key, upto)
        partition.follow(raw, content, books)
    if not told:
        return None, None, False
    if partitions is None and sorted(told) == list(range(len(told))):
        partitions = len(told)
    own = partition_of(key.encode(), partitions) if partitions is not None else None
    known = [number for number in sorted(told) if told[number].taken or told[number].later is not None]
    if own in told and (own in known or not known):
        return own, told[own], True
    number = known[0] if known else min(told)
    return number, told[number], bool(known)
