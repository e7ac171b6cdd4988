"""What `explain` says: an account at an instant, why, and what would lift it. The names are those of the JSON form.

Values stand as the journal has them, sentences beside them; instants are RFC 3339 texts in UTC.
"""

from typing import Any, Literal

import msgspec

from streams.explain.clauses import Clause
from streams.explain.lift import Change

Watched = Literal["now", "no-more", "not-yet", "never"]
"""Whether the account has a row; `no-more`: it was forgotten; `not-yet`: it gets one later in the journal."""


class Sentence(msgspec.Struct, frozen=True):
    """A reason or an output: its code or type, what it says, and the clauses behind it."""

    code: str
    sentence: str
    values: dict[str, Any]
    """As the journal has them."""
    clauses: tuple[int, ...]


class Decided(msgspec.Struct, frozen=True):
    """One decision of the account."""

    T: str
    effective_at: str
    """The due instant, or T."""
    cause: dict[str, Any]
    """As the journal has it."""
    cause_sentence: str
    reasons: tuple[Sentence, ...]
    outputs: tuple[Sentence, ...]
    stage: str | None
    """Afterwards; None where the account is not watched any more."""
    policy_version: str | None
    book: str
    entry: int
    entry_hash: str
    """Of the entry's bytes: what a complaint names."""
    place: int
    """Of the decision in its entry, from 0."""


class PhaseNow(msgspec.Struct, frozen=True):
    """One phase of the policy, held against the account."""

    id: str
    threshold: int
    op: str
    begins: str
    until: str | None
    in_force: bool
    covers: bool
    """Whether it covers the account by its profile."""
    reached: bool | None
    """Whether the last count taken has reached it; None without a count."""
    below: bool | None
    """Whether that count has fallen below it, hysteresis included."""
    dwell_ends: str | None
    """When it is reached for long enough, where the policy asks for a dwell."""
    clauses: tuple[int, ...]
    """Of its line and its dates."""
    scope_clauses: tuple[int, ...]
    """Of whom it covers, where it does not cover the account."""


class State(msgspec.Struct, frozen=True):
    """The account at the instant."""

    stage: str
    since: str
    followers: int | None
    observed_at: str | None
    obligation_id: str | None
    phase: str | None
    notified_at: str | None
    deadline_at: str | None
    """In grace and stopped; stopped: as it stood when the clock stopped."""
    left_s: int | None
    """Seconds until the deadline; of a stopped clock what was left when it stopped."""
    answer: str | None
    holds: tuple[str, ...]
    """Why the clock stands."""
    stopped_at: str | None
    reminders: tuple[str, ...]
    """Still to come."""
    measures: tuple[str, ...]
    profile: dict[str, Any] | None
    """As said; None where no profile is known."""
    displayed: bool
    waived: bool
    waived_until: str | None


class Ahead(msgspec.Struct, frozen=True):
    """What comes by itself, if nothing more is said."""

    at: str
    kind: str
    sentences: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True):
    """An account at an instant, and why."""

    account: str
    at: str | None
    """The instant that is explained: the one asked for, or the last of the journal."""
    watched: Watched
    notes: tuple[str, ...]
    partition: int | None
    policy_version: str | None
    book: str | None
    state: State | None
    decisions: tuple[Decided, ...]
    phases: tuple[PhaseNow, ...]
    ahead: tuple[Ahead, ...]
    changes: tuple[Change, ...]
    clauses: tuple[Clause, ...]
