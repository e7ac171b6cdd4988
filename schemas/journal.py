"""The journal's entries: an envelope round a content, chained by the hash of the raw bytes.

The envelope is readable for ever: unknown fields and versions do not disturb it, and it alone decides what is
accepted. The content is closed and versioned: a reader that cannot handle it stops, and never takes it for
void.
"""

import hashlib
import re
from typing import Annotated, Any

import msgspec

from schemas.errors import AuditError

VERSION = 1
GENESIS_HASH = "0" * 64
"""What the first entry of a partition names as the one before it."""

MAX_ENTRY_BYTES = 512 * 1024
"""Half of what a broker takes by default (1 MiB): no header makes an entry unappendable.

An entry that adopts a policy book may be larger by the size of the book."""

MAX_DEPTH = 64
"""How deep an envelope may be nested. Ours are below 20; the bound is checked without recursion, so that two
readers with different stacks never disagree on whether something is an envelope."""

Whole = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

_CLOCKS = ("clock", "records")
_ALWAYS = {"T", "cause", "key", "before", "reasons", "outputs"}
_SOMETIMES = {"after", "dead"}
_NO_RAW = msgspec.Raw(b"")
BEFORE_CONTENT = b'{"content":'
"""What an entry begins with."""
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_QUOTE_OR_ESCAPE = re.compile(rb'["\\]')
_NEITHER_MARK = bytes(set(range(256)) - set(b'[]{}"\\'))
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class EntryUnreadable(AuditError):
    """An accepted entry whose content this release cannot handle: the reader stops (rule 3)."""

    code = "entry-unreadable"


class Envelope(msgspec.Struct, frozen=True):
    """The part of an entry that every reader of every release understands; further fields are ignored."""

    v: msgspec.Raw
    """Version of the content, any JSON."""
    n: Whole
    """Number of the entry in its partition, from 0."""
    epoch: Whole
    """Number of the ownership: a takeover raises it by one."""
    prev: str
    """Hash of the entry before: SHA-256 over its raw bytes, 64 hex digits."""
    writer: str
    """A fresh nonce of the process that wrote it."""
    seal: msgspec.Raw = _NO_RAW
    """SHA-256 of the entry's bytes without it. Finds an accident also in the last entry; never joins acceptance."""
    content: msgspec.Raw = _NO_RAW
    """What the step took, decided and left behind."""


class Run(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Consecutive records of one input topic: `[topic, from, to, digest]`, `to` excluded.

    `digest` is null for a lost run: an operator said that these records are gone (rule 19).
    """

    topic: str
    """Short name of an input topic."""
    start: Whole
    """Its first offset."""
    end: Whole
    """The offset after its last one."""
    digest: Digest | None
    """Over offset, key and value of each record (of the clock topic also its timestamp); null for a lost run."""

    def __post_init__(self) -> None:
        """Refuse an empty or backward run."""
        if self.end <= self.start:
            raise ValueError("a run ends after it starts")


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The unfinished record of a split step and the place reached: `[topic, offset, due, key, kind]`.

    The record's offset is not passed yet: it is the accepted position of its topic. Topic and offset are null
    where time moved without a record (the end of a history). The place is the last one decided.
    """

    topic: str | None
    """Of the unfinished record; null at the end of a history."""
    offset: Whole | None
    """Of the unfinished record."""
    due: str | None = None
    """The instant of the last due that was decided; null while a book is being adopted."""
    key: str | None = None
    """The account that was decided last."""
    kind: str | None = None
    """What was due."""


class EntryContent(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one step took, decided and left behind; self-contained (rule 6)."""

    partition: Whole
    """The partition of the inputs, and of this journal."""
    time: str
    """`clock`: ticks move T. `records`: the records' own instants do."""
    runs: tuple[Run, ...]
    """All records since the last entry, in the true order of evaluation. A takeover: lost ones only."""
    positions: dict[str, Whole]
    """Next offset of every input topic after this entry."""
    T: str | None
    """Time of the partition, RFC 3339; null before the first record that moves it."""
    book: Digest | None
    """Hash of the policy book in force; null before the first."""
    decisions: tuple[Any, ...]  # read: dicts; written: `msgspec.Raw`, as the fold encoded them
    """In the order in which they were taken."""
    next_seq: dict[str, Whole]
    """Next sequence number of every output topic after this entry."""
    published_upto: dict[str, Whole]
    """Every output below it was acknowledged when this entry was written: the dense prefix (rule 13)."""
    state_root: Digest
    """Additive multiset hash over all rows of the partition after this entry."""
    more: bool
    """The last record is unfinished: only its rest may follow."""
    topic_ids: dict[str, str] = msgspec.field(default_factory=dict)
    """Ids of the input topics on the broker; empty in files."""
    after: Cursor | None = None
    """With `more`: which record is unfinished, and how far it came."""
    last_runs: tuple[Run, ...] = ()
    """The last run of each topic that this entry takes nothing of, for the next owner to read again (rule 18)."""

    def __post_init__(self) -> None:
        """Refuse what no release of this version writes."""
        if self.time not in _CLOCKS:
            raise ValueError("time is clock or records")
        if self.more != (self.after is not None):
            raise ValueError("more and after come together")
        for decision in self.decisions:
            if isinstance(decision, msgspec.Raw):
                continue
            if not isinstance(decision, dict) or not _ALWAYS <= decision.keys() <= _ALWAYS | _SOMETIMES:
                raise ValueError(
                    "a decision has T, cause, key, before, reasons, outputs, and perhaps after or dead"
                )


class HeadPointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the table stands: an accepted entry, its outputs acknowledged, its rows written (rule 14)."""

    hash: Digest
    offset: Annotated[int, msgspec.Meta(ge=1)]
    """The offset after the entry's own: the first one that its reader has not judged."""

    def encode(self) -> bytes:
        """Return the canonical bytes that the table keeps."""
        return _encoder.encode(self)

    @classmethod
    def decode(cls, raw: bytes) -> "HeadPointer":
        """Return the pointer of its bytes; `EntryUnreadable` where they are none."""
        try:
            return msgspec.json.decode(raw, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EntryUnreadable(
                f"The table's head pointer cannot be read: {error}. Nothing was decided. Delete the table (the topic "
                "rows-changelog), make it anew with `nameplate topics apply`, and the next worker builds it from the "
                "journal."
            ) from error


_encoder = msgspec.json.Encoder(order="sorted")
_envelopes = msgspec.json.Decoder(Envelope)
_contents = msgspec.json.Decoder(EntryContent)


def entry_hash(raw: bytes) -> str:
    """Return the hash of an entry: SHA-256 over exactly its bytes, as 64 hex digits."""
    return hashlib.sha256(raw).hexdigest()


def encode_content(content: EntryContent) -> bytes:
    """Return the canonical bytes of a content; fields at their defaults are left out."""
    return _encoder.encode(content)


def encode_entry(n: int, epoch: int, prev: str, writer: str, content: bytes) -> bytes:
    """Return the bytes of an entry round a content that is encoded already."""
    return encode_hashed(n, epoch, prev, writer, content)[0]


def encode_hashed(n: int, epoch: int, prev: str, writer: str, content: bytes) -> tuple[bytes, str]:
    """Return the bytes of an entry, as `encode_entry`, and their hash.

    Nearly all of an entry stands before its seal, is the same with it and without it, and is hashed once.
    """
    before = b"%b%b%b" % (BEFORE_CONTENT, content, _before_seal(n, epoch, prev))
    sealed, digest = _sealed(before, writer)
    return before + sealed, digest


def hash_sealed(n: int, epoch: int, prev: str, writer: str, raw: bytes, end: int) -> str | None:
    """Return the hash of the entry that `encode_hashed` makes round the content of one, None where that is another one.

    Args:
        n: As the entry says.
        epoch: As the entry says.
        prev: As the entry says.
        writer: As the entry says.
        raw: Its bytes.
        end: Where its content ends.
    """
    between = _before_seal(n, epoch, prev)
    behind = end + len(between)
    sealed, digest = _sealed(memoryview(raw)[:behind], writer)
    is_ours = raw.startswith(BEFORE_CONTENT) and raw[end:] == between + sealed
    return digest if is_ours else None


def _before_seal(n: int, epoch: int, prev: str) -> bytes:
    return b',"epoch":%d,"n":%d,"prev":%b' % (epoch, n, _encoder.encode(prev))


def _sealed(before: bytes | memoryview, writer: str) -> tuple[bytes, str]:
    """Return an entry from its seal on, and its hash."""
    behind = b',"v":%d,"writer":%b}' % (VERSION, _encoder.encode(writer))
    hashed = hashlib.sha256(before)
    unsealed = hashed.copy()
    unsealed.update(behind)
    sealed = b',"seal":"%b"%b' % (unsealed.hexdigest().encode(), behind)
    hashed.update(sealed)
    return sealed, hashed.hexdigest()


def _body(
    v: msgspec.Raw, n: int, epoch: int, prev: str, writer: str, content: msgspec.Raw
) -> dict[str, int | str | msgspec.Raw]:
    return {"v": v, "n": n, "epoch": epoch, "prev": prev, "writer": writer, "content": content}


def read_envelope(raw: bytes | None) -> Envelope | None:
    """Return the envelope of a journal record, or None where it is none: such a record is void.

    Of a key that stands twice the last one counts. Nothing of the content is looked at but its brackets.
    """
    if raw is None or not _is_shallow(raw):
        return None
    try:
        return _envelopes.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def read_content(envelope: Envelope) -> EntryContent:
    """Return the content of an accepted entry.

    Raises:
        EntryUnreadable: another version, a broken seal, or a content that version 1 does not know.
    """
    where = f"journal entry n={envelope.n} of epoch {envelope.epoch}"
    version, raw = bytes(envelope.v), bytes(envelope.content)
    if version != b"%d" % VERSION:
        said = version[:20].decode(errors="replace")
        raise EntryUnreadable(
            f"{where}: its version is {said}, and this release reads {VERSION}. Nothing was decided. "
            "Run the release that wrote it, or a newer one: `nameplate --version` says which this is."
        )
    body = _body(envelope.v, envelope.n, envelope.epoch, envelope.prev, envelope.writer, envelope.content)
    if bytes(envelope.seal) != b'"%s"' % entry_hash(_encoder.encode(body)).encode():
        raise EntryUnreadable(
            f"{where}: the seal does not fit the rest, so its bytes changed after they were written. "
            "Restore the journal from a replica, a backup or another `nameplate journal export FILE`."
        )
    try:
        return decode_content(raw)
    except EntryUnreadable as error:
        raise EntryUnreadable(f"{where}: {error}") from error


def decode_content(raw: bytes) -> EntryContent:
    """Return the content of its canonical bytes.

    Raises:
        EntryUnreadable: version 1 does not know it.
    """
    try:
        return _contents.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EntryUnreadable(
            f"the content is not one of version {VERSION} ({error}). Nothing was decided. Run the release that wrote "
            "it, or a newer one: `nameplate --version` says which this is."
        ) from error


def _is_shallow(raw: bytes) -> bool:
    """Return whether a JSON text is nested at most MAX_DEPTH deep (of other bytes it says anything)."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return True
    # Where no string holds a bracket or an escape, its two quotes are neighbours once all else is gone.
    marks = raw.translate(None, _NEITHER_MARK).replace(b'""', b"")
    brackets = (marks if not _QUOTE_OR_ESCAPE.search(marks) else _STRING.sub(b"", raw)).translate(
        _BRACKETS, _NOT_BRACKETS
    )
    for _ in range(MAX_DEPTH):  # each round takes the innermost level away
        shorter = brackets.replace(b"[]", b"")
        if not shorter:
            return True
        if shorter == brackets:
            return False
        brackets = shorter
    return False
