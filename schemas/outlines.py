"""Entries as an audit reads them: fast where they are as this release writes them.

An outline is all of an entry but its decisions, which are left as they stand for a reader that knows what they must be.
"""

import re
from typing import Annotated, Any, NamedTuple

import msgspec

from schemas.journal import BEFORE_CONTENT, EntryContent, Envelope, Whole, encode_content, hash_sealed

_BEHIND_CONTENT = b'},"epoch":'
"""Stands nowhere behind this place in an entry that we write: no text holds a bare quote."""
_DECISIONS = b'"decisions":['
_BEHIND_DECISIONS = (b'],"last_runs":', b'],"more":')
_LAST_RUNS = 1024
"""Bytes of the last runs at most, one of each input topic."""
_LongEnough = Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
_HEX = re.compile(r"[0-9a-f]*+")


class ToldCause(msgspec.Struct, gc=False):
    """Of a due, a record, or a book; a record's value as it stands."""

    topic: Any = None
    offset: Any = None
    due: Any = None
    kind: Any = None
    book: Any = msgspec.UNSET
    tables: Any = msgspec.UNSET
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Told(msgspec.Struct, gc=False):
    """What a decision has to tell before it can be derived; the rest of it is only compared."""

    T: Any
    cause: ToldCause
    key: Any
    dead: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class RunOutline(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A run; that it is one is looked at for all runs of an entry together."""

    topic: str
    start: Whole
    end: Whole
    digest: _LongEnough | None


class EntryOutline(EntryContent, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A content without its decisions, whose digests are looked at together."""

    runs: tuple[RunOutline, ...]  # type: ignore[assignment]
    book: _LongEnough | None
    decisions: tuple[()]
    state_root: _LongEnough
    last_runs: tuple[RunOutline, ...] = ()  # type: ignore[assignment]


class Outline(NamedTuple):
    """An entry of which all but its decisions is read."""

    envelope: Envelope
    """Without the content, which stands beside it."""
    content: EntryOutline
    decisions: bytes
    """As they stand, with their commas between."""
    told: list[Told]
    """Of each decision."""
    hash: str
    """Of the entry."""


_envelopes = msgspec.json.Decoder(Envelope)
_outlines = msgspec.json.Decoder(EntryOutline)
_told = msgspec.json.Decoder(list[Told])


def read_told(decisions: bytes) -> list[Told]:
    """Return what decisions tell, as they stand in an entry with their commas between.

    Raises:
        ValueError: they are none.
    """
    return _told.decode(b"[%b]" % decisions)


def read_outline(raw: bytes) -> Outline | None:
    """Return what an entry says that is as this release writes it, None where it is not, or not quite.

    Whoever gets None asks `read_envelope` and `read_content` for the reason. What stands inside the decisions
    is not looked at, nor how deep it is nested; all the rest is canonical, and the seal fits.
    """
    end = raw.rfind(_BEHIND_CONTENT) + 1
    first = raw.find(_DECISIONS, 0, end) + len(_DECISIONS)
    last = _end_of_decisions(raw, first, end)
    without = raw[len(BEFORE_CONTENT) : first] + raw[last:end]
    try:
        envelope = _envelopes.decode(b"{" + raw[end + 1 :])
        content = _outlines.decode(without)
        decisions = raw[first:last]
        told = read_told(decisions)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if encode_content(content) != without or not _is_sound(content):
        return None
    if not told and decisions:
        return None  # blanks, which no decision is compared with
    digest = hash_sealed(envelope.n, envelope.epoch, envelope.prev, envelope.writer, raw, end)
    return Outline(envelope, content, decisions, told, digest) if digest is not None else None


def _end_of_decisions(raw: bytes, first: int, end: int) -> int:
    """Return where the decisions end that begin at a place; the last runs may stand between them and `more`."""
    if raw[first : first + 1] == b"]":
        return first
    last_runs, more = _BEHIND_DECISIONS
    last = raw.rfind(more, first, end)
    if raw[last - 1 : last] == b"]":
        last = raw.rfind(last_runs, max(first, last - _LAST_RUNS), last)
    return max(first, last)


def _is_sound(content: EntryOutline) -> bool:
    """Return whether no run is empty and all digests are such."""
    runs = content.runs + content.last_runs
    digests = "".join([run.digest for run in runs if run.digest is not None])
    is_hex = _HEX.fullmatch(f"{content.state_root}{content.book or ''}{digests}") is not None
    return is_hex and not [run for run in runs if run.end <= run.start]
