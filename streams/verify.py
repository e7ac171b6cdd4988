"""Does a journal agree with itself, with the law, and with the raw inputs?

Theory of operation. An auditor follows each partition's chain with the predicate that every reader
uses, and lets a `Decider` derive every decision again from the cause that the journal shows in full.
What is due is derived without being told, so a decision that was left out is found as well as one
that was changed, also when somebody chained everything anew behind it.
What was quiet only the raw inputs can prove: see verify_inputs.py.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, overload

import msgspec

from schemas import topics
from schemas.account import apply_rows
from schemas.errors import AuditError, InputError, OperatorError, PolicyError
from schemas.instant import parse
from schemas.journal import EntryContent, read_content, read_envelope
from schemas.outlines import Outline, Told, ToldCause, read_outline, read_told
from schemas.policy import book_from_tables
from schemas.wire import canonical, decode, in_order
from streams.core.decider import BEFORE_TIME, Decider, Time
from streams.ledger.chain import GENESIS, judge, judge_outline
from streams.replay.files import Opened

COMPARE = (
    "All that comes before agrees; nothing after it was looked at. Compare it with another copy of the journal, such "
    "as a new `nameplate journal export FILE`."
)
BUFFER_BYTES = 1024 * 1024
"""Twice what an entry has at most: most lines are read in one piece."""


_ENDS = (b",", b"")
"""What stands behind a decision: another one, or nothing."""
_instant = lru_cache(maxsize=4)(parse)  # an entry and its decisions name the same one


class Diverged(AuditError):
    """The first place where the evidence does not agree."""

    code = "diverged"


class Auditor:
    """Follows the chain of one partition and derives its decisions again.

    Args:
        partition: Its number.
        first: The content of its first entry, which says how time moves.
    """

    def __init__(self, partition: int, first: EntryContent) -> None:
        self.partition = partition
        self.head = GENESIS
        self.entries = self.decisions = 0
        self._rows: dict[bytes, bytes] = {}
        time: Time = "records" if first.time == "records" else "clock"
        self._decider = Decider(partition, self._rows, time, takes=False)
        self._positions = dict.fromkeys(topics.INPUTS, 0)
        self._published = dict.fromkeys(topics.OUTPUTS, 0)
        self._writer = ""
        self._due: deque[bytes] = deque()
        self._look: Iterator[Any] = iter(())

    def follow(self, raw: bytes, read: EntryContent | Outline) -> None:
        """Follow one more entry.

        Args:
            raw: Its bytes.
            read: What they say; of an outline the decisions are compared as they stand.

        Raises:
            Diverged: it does not follow, or something in it cannot be derived again.
        """
        try:
            self._follow(raw, read)
        except Diverged:
            if isinstance(read, Outline):  # its decisions were not looked at
                self._check_form(raw)
            raise
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:  # a forger's
            self._check_form(raw)
            raise self._differs("its content", "the journal's form", "another one") from error

    def _follow(self, raw: bytes, read: EntryContent | Outline) -> None:
        before, content = self.head, content_of(read)
        if isinstance(read, Outline):
            self.head, envelope = judge_outline(before, read)
            decisions, told = read.decisions, read.told
        else:
            self.head, envelope = judge(before, before.next_offset, raw)
        if envelope is None:
            raise self._differs(
                "what follows it", f"an entry after {before.hash} with n={before.n + 1}", "another one"
            )
        if not isinstance(read, Outline):
            self._check_form(raw)
            decisions = b",".join(map(canonical, content.decisions))
            told = read_told(decisions)
        is_takeover = envelope.epoch != before.epoch
        if not is_takeover and self._writer and envelope.writer != self._writer:
            raise self._differs("writer", self._writer, envelope.writer)
        self._writer = envelope.writer
        if is_takeover and (told or any(run.digest is not None for run in content.runs)):
            raise self._differs("a takeover", "no decisions and no runs", "some")
        self._check_time(content, is_takeover=is_takeover)
        self._check_runs(content)
        self._derive(decisions, told)
        self._check_end(content)
        self.entries += 1

    def _check_form(self, raw: bytes) -> None:
        envelope = read_envelope(raw)
        if envelope is not None:
            read_content(envelope)
        if msgspec.json.encode(msgspec.json.decode(raw), order="sorted") != raw and canonical_of(raw) != raw:
            raise self._differs("its bytes", "canonical JSON", "another form of it")

    def _check_time(self, content: EntryContent, *, is_takeover: bool) -> None:
        """Only a new owner may let time move in another way."""
        if not is_takeover:
            self._same("time", self._decider.time, content.time)
        self._decider.time = "records" if content.time == "records" else "clock"

    def _check_runs(self, content: EntryContent) -> None:
        for run in content.runs:
            if run.start != self._positions.get(run.topic):
                raise self._differs(
                    f"the runs of {run.topic}", f"from {self._positions.get(run.topic)}", run.start
                )
            self._positions[run.topic] = run.end
        self._same("positions", self._positions, content.positions)

    # Decisions -----------------------------------------------------------------------------------

    def _derive(self, decisions: bytes, told: list[Told]) -> None:
        """Derive the decisions of an entry and hold each against the journal's bytes, where it has to stand."""
        at, due = 0, self._due
        for number, one in enumerate(told):
            if not due or not decisions.startswith(due[0], at):
                self._derive_another(number, one, decisions)
            expected = due.popleft()
            end = at + len(expected)
            if not decisions.startswith(expected, at) or decisions[end : end + 1] not in _ENDS:
                found = _apart(decisions)[number]
                what = f"decision {number} ({named(msgspec.json.decode(found))})"
                raise self._differs(what, *first_difference(expected, found))
            at = end + 1
        self.decisions += len(told)

    def _derive_another(self, number: int, told: Told, decisions: bytes) -> None:
        """Derive what comes next by the cause that the journal shows."""
        cause = told.cause
        T = BEFORE_TIME if told.T is None else self._instant(told.T)
        if T < self._decider.T:
            raise self._differs(f"T of decision {number}", f"not before {self._decider.T}", told.T)
        if not self._due:
            self._queue(self._decider.advance(T, cause.topic, cause.offset))
        if not self._due:
            self._derive_record(number, told, decisions, T)
        if not self._due:
            said = named(msgspec.json.decode(_apart(decisions)[number]))
            raise self._differs(f"decision {number} ({said})", "no decision", said)

    def _derive_record(self, number: int, told: Told, decisions: bytes, T: int) -> None:
        decider, cause = self._decider, told.cause
        decider.T = max(decider.T, T)
        if told.dead is not msgspec.UNSET:
            self._due.append(self._dead(msgspec.json.decode(_apart(decisions)[number])))
        elif cause.tables is not msgspec.UNSET:
            try:
                book = book_from_tables(cause.tables)
            except PolicyError as error:
                raise self._differs(f"the book of decision {number}", "a book", str(error)) from None
            brought = {"topic": cause.topic, "offset": cause.offset, "book": book.hash}
            decider.adopt(book, brought)
            self._look = decider.look_again(brought, None)
            self._take()
        elif cause.book is not msgspec.UNSET:
            while not self._due and next(self._look, None) is not None:
                self._take()
        elif isinstance(cause.value, msgspec.Raw):
            self._derive_value(number, cause, cause.value, told.key)

    def _derive_value(self, number: int, cause: ToldCause, value: msgspec.Raw, key: Any) -> None:
        decider = self._decider
        platforms = decider.book.policies if decider.book is not None else {}
        try:
            record: Any = decode(cause.topic, str(key).encode(), bytes(value), platforms)
        except InputError as error:
            raise self._differs(
                f"the cause of decision {number}", "a record", f"one refused as {error.code}"
            ) from None
        if cause.topic not in (topics.COUNTS, topics.FACTS):
            raise self._differs(f"the cause of decision {number}", "a count or a fact", cause.topic)
        encode = in_order if cause.topic == topics.COUNTS else canonical
        said = msgspec.Raw(encode(record.as_value()))
        decider.decide(record.key, record, {"topic": cause.topic, "offset": cause.offset, "value": said})
        self._take()

    def _dead(self, journaled: dict[str, Any]) -> bytes:
        """Return a dead letter's decision as it must be; what it was of, only the inputs can tell."""
        cause, letter = journaled["cause"], journaled["dead"]
        decider = self._decider
        same = {name: letter.get(name) for name in ("sha256", "bytes", "code")}
        at = None if decider.T == BEFORE_TIME else journaled["T"]
        place = {"topic": cause.get("topic"), "partition": self.partition, "offset": cause.get("offset")}
        return canonical({**journaled, "key": None, "outputs": [], "dead": {**place, **same, "at": at}})

    def _queue(self, dues: Iterable[Any]) -> None:
        for _ in dues:
            pass
        self._take()

    def _take(self) -> None:
        self._due.extend(self._decider.decisions)
        self._decider.decisions.clear()

    # The end of an entry -------------------------------------------------------------------------

    def _check_end(self, content: EntryContent) -> None:
        decider = self._decider
        if not content.more:
            for _ in self._look:
                pass
            if content.T is not None:
                self._queue(decider.advance(self._instant(content.T), None, None))
            else:
                self._take()
            if self._due:
                missed = msgspec.json.decode(self._due[0])
                raise self._differs("its end", named(missed), "no such decision")
        self._same(
            "T", None if decider.T == BEFORE_TIME else decider.T, content.T and self._instant(content.T)
        )
        self._same("book", decider.book.hash if decider.book is not None else None, content.book)
        apply_rows(self._rows, decider.rows.items())
        decider.begin()
        decider.settled()
        if not self._due:
            self._same("next_seq", decider.sealer.next_seq, content.next_seq)
            self._same("state_root", f"{decider.root:064x}", content.state_root)
        for topic, seq in content.published_upto.items():
            if not self._published.get(topic, 0) <= seq <= content.next_seq.get(topic, 0):
                raise self._differs("published_upto", f"{self._published} or later", content.published_upto)
        self._published = content.published_upto

    def _same(self, what: str, expected: object, found: object) -> None:
        if expected != found:
            raise self._differs(what, expected, found)

    def _instant(self, said: object) -> int:
        try:
            return _instant(str(said))
        except ValueError:
            raise self._differs("an instant", "RFC 3339", said) from None

    def _differs(self, what: str, expected: object, found: object) -> Diverged:
        return Diverged(
            f"partition {self.partition}, entry n={self.head.n}: {what} differs.\n"
            f"  derived:   {expected}\n  journaled: {found}\n{COMPARE}"
        )


@lru_cache(maxsize=1)  # an entry may be nothing but dead letters
def _apart(decisions: bytes) -> list[bytes]:
    """Return each of the decisions of an entry as it stands."""
    return list(map(bytes, msgspec.json.decode(b"[%b]" % decisions, type=list[msgspec.Raw])))


def canonical_of(raw: bytes) -> bytes:
    """Return the canonical form of JSON bytes whose texts may be any."""
    return canonical(msgspec.json.decode(raw))


def named(decision: Mapping[str, Any]) -> str:
    """Return a decision in a few words: its cause and its account."""
    cause = decision["cause"]
    for name in ("due", "book"):
        if name in cause:
            return f"{cause.get('kind', 'book')} {cause[name]} of {decision['key'] or 'the partition'}"
    return f"{cause.get('topic')}[{cause.get('offset')}] of {decision['key'] or 'nobody'}"


def first_difference(expected: bytes, found: bytes) -> tuple[str, str]:
    """Return the innermost parts in which two JSON values differ first, each with its path."""
    return _difference(msgspec.json.decode(expected), msgspec.json.decode(found), "")


def _difference(one: Any, other: Any, path: str) -> tuple[str, str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            if one.get(name, _NOTHING) != other.get(name, _NOTHING):
                return _difference(one.get(name, _NOTHING), other.get(name, _NOTHING), f"{path}.{name}")
    if isinstance(one, list) and isinstance(other, list):
        for place in range(max(len(one), len(other))):
            left, right = (values[place] if place < len(values) else _NOTHING for values in (one, other))
            if left != right:
                return _difference(left, right, f"{path}[{place}]")
    where = path.lstrip(".")
    return f"{where} {_brief(one)}".strip(), f"{where} {_brief(other)}".strip()


_NOTHING = object()


def _brief(value: object) -> str:
    if value is _NOTHING:
        return "nothing"
    said = canonical(value).decode()
    return said if len(said) <= 600 else said[:600] + "…"


# A whole journal -------------------------------------------------------------------------------------


@overload
def read_journal(
    path: Path, opened: Opened = ..., *, outlines: Literal[False] = ...
) -> Generator[tuple[bytes, EntryContent]]: ...


@overload
def read_journal(
    path: Path, opened: Opened = ..., *, outlines: Literal[True]
) -> Generator[tuple[bytes, EntryContent | Outline]]: ...


def read_journal(
    path: Path, opened: Opened = lambda _: None, *, outlines: bool = False
) -> Generator[tuple[bytes, EntryContent | Outline]]:
    """Yield the entries of a journal file: their bytes and their contents. Whoever stops before its end closes it.

    Args:
        path: JSON Lines, one entry a line.
        opened: Given, when it is opened, what can be asked how many of its bytes are read.
        outlines: Leave the decisions as they stand where the rest is as we write it: enough for `verify`.

    Raises:
        OperatorError: there is no such file.
        AuditError: a line is no entry.
    """
    try:
        with path.open("rb", buffering=BUFFER_BYTES) as file:
            opened(file.tell)
            for number, line in enumerate(file, 1):
                raw = line.removesuffix(b"\n")
                outline = read_outline(raw) if outlines else None
                yield (raw, outline) if outline is not None else read_line(raw, f"{path}, line {number}")
    except OSError as error:
        raise OperatorError(
            f"{path}: {error.strerror}. Name a journal file: the journal.jsonl that `nameplate replay FILE --out DIR` "
            "writes, or what `nameplate journal export FILE` wrote."
        ) from None


def read_line(raw: bytes, where: str) -> tuple[bytes, EntryContent]:
    """Return the bytes and the content of one journal record.

    Raises:
        AuditError: it is no entry, or one that this release cannot read.
    """
    envelope = read_envelope(raw)
    if envelope is None:
        raise AuditError(
            f"{where}: is no journal entry. Name a journal file as `nameplate journal export FILE` writes it; if it "
            "was one, restore it from another copy."
        )
    try:
        return raw, read_content(envelope)
    except AuditError as error:
        raise AuditError(f"{where}: {error}") from None


def content_of(read: EntryContent | Outline) -> EntryContent:
    """Return the content of an entry, be it an outline."""
    return read.content if isinstance(read, Outline) else read


def verify(entries: Iterable[tuple[bytes, EntryContent | Outline]]) -> dict[int, Auditor]:
    """Follow every partition of a journal to its end.

    Raises:
        AuditError: the first difference.
    """
    auditors: dict[int, Auditor] = {}
    for raw, read in entries:
        content = content_of(read)
        auditor = auditors.get(content.partition)
        if auditor is None:
            auditor = auditors[content.partition] = Auditor(content.partition, content)
        auditor.follow(raw, read)
    if not auditors:
        raise AuditError(
            "The journal holds no entry, so there is nothing to verify. Let a worker decide something first with "
            "`nameplate worker`, or name another journal: `nameplate verify JOURNAL`."
        )
    return auditors
