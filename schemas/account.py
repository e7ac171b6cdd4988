"""The row of the rolling table: what is known of one watched account.

A row leaves the process in two forms of the same struct: packed (MessagePack, the fields in the
order below, defaults left out) in the table, and as JSON in the journal. Both are canonical: one
row has exactly one of each. Its hash is over the packed form. Instants inside a row are whole
microseconds since 1970 UTC, days are UTC days since then.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

NO_COUNT = -1
"""`followers` of a row that only facts have reached so far."""

HoldReason = Literal["agreed", "held", "account-suspended"]


class Obligation(msgspec.Struct, frozen=True, omit_defaults=True):
    """The duty that is open for an account; there is at most one. Instants are microseconds since 1970 UTC."""

    id: str
    """32 hex digits, the same from notice to end."""
    phase: str
    """The phase that was named when it began; it keeps this name."""
    stage: Literal["grace", "stopped", "restricted"]
    """Time runs, the clock stands, or measures are in force."""
    notified_at: int
    """T of the notice."""
    deadline_at: int
    """While stopped: as it stood when the clock stopped (or was extended since)."""
    reminders: tuple[tuple[int, int], ...] = ()
    """Still to come, earliest first: (instant, days left)."""
    answer: Literal["agree", "decline"] | None = None
    """The last one given in this grace."""
    holds: tuple[HoldReason, ...] = ()
    """Why the clock stands, in the order in which the reasons came."""
    stopped_at: int | None = None
    """Since when the clock stands."""
    was_held: bool = False
    """An adjudication's hold was among the reasons since the clock stopped."""
    measures: tuple[str, ...] = ()
    """In force while restricted."""


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the platform said of the account itself; the defaults are those of an unknown account."""

    owner: Literal["individual", "organisation", "government", "news_media"] = "individual"
    """Who runs it."""
    self_media: bool = True
    """It publishes as self-media."""
    daily_life: bool = False
    """It shows daily life only."""
    verified: bool = False
    """Recorded, decides nothing."""
    status: Literal["active", "suspended", "deleted"] = "active"
    """Of the account itself."""
    subjects: tuple[tuple[str, int], ...] = ()
    """(subject, share in ten-thousandths), by name."""


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One watched account of one platform. Instants are microseconds since 1970 UTC, days are UTC days since then."""

    followers: int = NO_COUNT
    """The last count taken."""
    observed_at: int = 0
    """When that count was observed."""
    days: tuple[tuple[int, int], ...] = ()
    """(UTC day, highest count taken of it), oldest first, at most 31."""
    sides: tuple[tuple[int, str, int], ...] = ()
    """(threshold, op, since when every count taken has reached it), thresholds rising."""
    facts: tuple[tuple[str, int, str], ...] = ()
    """(type, occurred_at, event_id) of the last fact taken of each type, by type."""
    profile: Profile | None = None
    """None until a profile is said."""
    displayed: bool = False
    """The name is displayed, as was said last."""
    met: bool = False
    """The last obligation ended because the name was displayed, and it still is."""
    waived: bool = False
    """There is leave from the duty."""
    waived_until: int | None = None
    """None in a waiver: for good."""
    obligation: Obligation | None = None
    """The open one."""


UNKNOWN_PROFILE = Profile()
_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(Row)


def pack(row: Row) -> bytes:
    """Return the canonical bytes of a row as the table keeps them."""
    return _packer.encode(row)


def unpack(packed: bytes) -> Row:
    """Return the row of its canonical bytes.

    Raises:
        msgspec.ValidationError: the bytes are no row (a table damaged from outside).
    """
    return _unpacker.decode(packed)


def row_of_json(value: object) -> Row:
    """Return the row that a journal shows as JSON.

    Raises:
        msgspec.ValidationError: the value is no row.
    """
    return msgspec.convert(value, Row)


def row_hash(key: bytes, packed: bytes) -> bytes:
    """Return the SHA-256 of a row under its key: the leaf of the state root, and `before` of a decision.

    The key is length-prefixed, so that no key and row can be read as another pair.
    """
    return hashlib.sha256(len(key).to_bytes(4, "big") + key + packed).digest()


def apply_rows(rows: dict[bytes, bytes], changes: Iterable[tuple[bytes, bytes | None]]) -> None:
    """Put changed rows into a view, in their order; None takes a row out."""
    for key, packed in changes:
        if packed is None:
            rows.pop(key, None)
        else:
            rows[key] = packed
