"""The chain: which records of a journal partition are accepted. Every reader asks here (rule 2).

A Kafka partition is totally ordered, so "`prev` is the hash of the last accepted entry" is a
compare-and-append: of two entries after the same one, the first to land is accepted and the other is void,
for every reader.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.errors import InvariantBroken
from schemas.journal import (
    GENESIS_HASH,
    Envelope,
    encode_entry,
    encode_hashed,
    entry_hash,
    read_envelope,
)
from schemas.outlines import Outline


@dataclass(frozen=True, slots=True)
class Head:
    """The last accepted entry of a journal partition, and how far the journal is judged."""

    n: int
    epoch: int
    hash: str
    next_offset: int
    """First unjudged offset. Not always the one after the entry: void records may lie between."""


GENESIS = Head(-1, 0, GENESIS_HASH, 0)


@dataclass(frozen=True, slots=True)
class Accepted:
    """One accepted entry of a slice, and the head that it followed."""

    offset: int
    raw: bytes
    envelope: Envelope
    before: Head

    @property
    def is_takeover(self) -> bool:
        """Whether a new owner wrote it to begin its ownership."""
        return self.envelope.epoch != self.before.epoch


def accepts(head: Head, envelope: Envelope) -> bool:
    """Return whether an entry follows the head. Nothing else ever joins this predicate."""
    return (
        envelope.prev == head.hash
        and envelope.n == head.n + 1
        and envelope.epoch - head.epoch in (0, 1)  # + 1 is a takeover
    )


def judge(head: Head, offset: int, raw: bytes | None) -> tuple[Head, Envelope | None]:
    """Judge the record at one offset.

    Args:
        head: What is judged so far.
        offset: Where the record lies. Offsets may be missing (markers), never come twice or go back.
        raw: Its value: any bytes, or None. What is no envelope is void.

    Returns:
        The head after it, and the envelope where it was accepted.
    """
    if offset < head.next_offset:
        raise InvariantBroken(
            f"offset {offset} is judged already: the first unjudged one is {head.next_offset}"
        )
    envelope = read_envelope(raw)
    if raw is None or envelope is None or not accepts(head, envelope):
        return Head(head.n, head.epoch, head.hash, offset + 1), None
    return Head(envelope.n, envelope.epoch, entry_hash(raw), offset + 1), envelope


def judge_outline(head: Head, outline: Outline) -> tuple[Head, Envelope | None]:
    """Judge an entry of a file that was read and hashed already, as `judge` does."""
    envelope = outline.envelope
    if not accepts(head, envelope):
        return head, None
    return Head(envelope.n, envelope.epoch, outline.hash, head.next_offset + 1), envelope


def judge_slice(
    head: Head, records: Iterable[tuple[int, bytes | None]], upto: int
) -> tuple[Head, tuple[Accepted, ...]]:
    """Judge consecutive records; every offset below `upto` is among them or holds nothing."""
    accepted = []
    for offset, raw in records:
        before = head
        head, envelope = judge(head, offset, raw)
        if envelope is not None and raw is not None:
            accepted.append(Accepted(offset, raw, envelope, before))
    if upto < head.next_offset:
        raise InvariantBroken(f"a record at or after {upto}, where the slice was said to end")
    return Head(head.n, head.epoch, head.hash, upto), tuple(accepted)


def after_own(head: Head, entry: bytes) -> Head:
    """Return the head after an entry that `next_entry` made for it, written at the first unjudged offset."""
    return Head(head.n + 1, head.epoch, entry_hash(entry), head.next_offset + 1)


def next_entry(head: Head, writer: str, content: bytes, *, takeover: bool = False) -> bytes:
    """Return the bytes of the entry that follows a head."""
    return encode_entry(head.n + 1, head.epoch + takeover, head.hash, writer, content)


def next_hashed(head: Head, writer: str, content: bytes) -> tuple[bytes, str]:
    """Return the bytes of the entry of the same owner that follows a head, and their hash."""
    return encode_hashed(head.n + 1, head.epoch, head.hash, writer, content)
