"""Entries as an audit reads them: fast where they are as this release writes them.

An outline is all of an entry but its decisions, which are left as they stand for a reader that knows what they must be.
"""

import re
from typing import Annotated, NamedTuple

import msgspec

from schemas.journal import BEFORE_CONTENT, EntryContent, Envelope, Whole, encode_content, encode_hashed

_BEHIND_CONTENT = b'},"epoch":'
"""Stands nowhere behind this place in an entry that we write: no text holds a bare quote."""
_LongEnough = Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
_HEX = re.compile(r"[0-9a-f]*+")


class RunOutline(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A run; that it is one is looked at for all runs of an entry together."""

    topic: str
    start: Whole
    end: Whole
    digest: _LongEnough | None


class EntryOutline(EntryContent, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A content whose decisions are left as they stand; its digests are looked at together."""

    runs: tuple[RunOutline, ...]  # type: ignore[assignment]
    book: _LongEnough | None
    decisions: tuple[msgspec.Raw, ...]
    state_root: _LongEnough
    last_runs: tuple[RunOutline, ...] = ()  # type: ignore[assignment]


class Outline(NamedTuple):
    """An entry of which all but its decisions is read."""

    envelope: Envelope
    """Without the content, which stands beside it."""
    content: EntryOutline
    hash: str
    """Of the entry."""


_envelopes = msgspec.json.Decoder(Envelope)
_outlines = msgspec.json.Decoder(EntryOutline)


def read_outline(raw: bytes) -> Outline | None:
    """Return what an entry says that is as this release writes it, None where it is not, or not quite.

    Whoever gets None asks `read_envelope` and `read_content` for the reason. What stands inside the decisions
    is not looked at, nor how deep it is nested; all the rest is canonical, and the seal fits.
    """
    end = raw.rfind(_BEHIND_CONTENT) + 1
    try:
        envelope = _envelopes.decode(b"{" + raw[end + 1 :])
        content = _outlines.decode(memoryview(raw)[len(BEFORE_CONTENT) : end])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    again, digest = encode_hashed(
        envelope.n, envelope.epoch, envelope.prev, envelope.writer, encode_content(content)
    )
    return Outline(envelope, content, digest) if again == raw and _is_sound(content) else None


def _is_sound(content: EntryOutline) -> bool:
    """Return whether no run is empty and all digests are such."""
    runs = content.runs + content.last_runs
    digests = "".join([run.digest for run in runs if run.digest is not None])
    is_hex = _HEX.fullmatch(f"{content.state_root}{content.book or ''}{digests}") is not None
    return is_hex and not [run for run in runs if run.end <= run.start]
