"""The records that leave: closed, strict, without names (contract, section 4).

These models are the schema for others and the gate for ourselves: nothing is journaled or
published that one of them refuses.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from schemas import instant, topics
from schemas.errors import InvariantBroken

InstantText = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ShortHash = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
AccountId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{2,63}$")]
Followers = Annotated[int, Field(ge=0, le=2**53 - 1)]
CancelledWhy = Literal["fell-below", "out-of-scope", "account-deleted", "waived", "policy-changed"]


class Record(BaseModel):
    """Frozen, strict and closed."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


class RecordCause(Record):
    """A count or a fact."""

    topic: Literal["follower-counts", "account-facts"]
    event_id: str


class DueCause(Record):
    """An instant that came."""

    due: InstantText


class BookCause(Record):
    """A policy book that was adopted."""

    book: Hash


class Output(Record):
    """What every output says."""

    id: ShortHash
    seq: Annotated[int, Field(ge=0)]
    partition: Annotated[int, Field(ge=0)]
    platform: Identifier
    account_id: AccountId
    obligation_id: ShortHash
    phase: str
    policy_version: str
    book: Hash
    decided_at: InstantText
    effective_at: InstantText
    cause: RecordCause | DueCause | BookCause
    reasons: Annotated[list[dict[str, Any]], Field(min_length=1)]


class DisclosureRequired(Output):
    """The account has to display its name, and is told so."""

    type: Literal["disclosure-required"]
    followers: Followers
    observed_at: InstantText
    threshold: Followers
    op: Literal[">=", ">"]
    display: Identifier
    deadline_at: InstantText
    notice_channel: Identifier


class DisclosureMet(Output):
    """The name is displayed."""

    type: Literal["disclosure-met"]
    by: Literal["displayed"]


class DisclosureCancelled(Output):
    """The duty ended without a display."""

    type: Literal["disclosure-cancelled"]
    why: CancelledWhy


class GraceStarted(Output):
    """The clock of a grace period runs."""

    type: Literal["grace-started"]
    notified_at: InstantText
    deadline_at: InstantText


class GraceReminder(Output):
    """So many days before the deadline."""

    type: Literal["grace-reminder"]
    deadline_at: InstantText
    days_left: Annotated[int, Field(ge=1)]


class GraceExtended(Output):
    """An adjudication moved the deadline later."""

    type: Literal["grace-extended"]
    previous_deadline_at: InstantText
    deadline_at: InstantText


class GraceSuspended(Output):
    """The clock stands."""

    type: Literal["grace-suspended"]
    why: Literal["agreed", "held", "account-suspended"]


class GraceResumed(Output):
    """The clock runs again with what was left."""

    type: Literal["grace-resumed"]
    deadline_at: InstantText


class GraceEnded(Output):
    """The grace period is over."""

    type: Literal["grace-ended"]
    outcome: Literal["met", "cancelled", "expired", "declined"]


class RestrictionImposed(Output):
    """Measures are in force."""

    type: Literal["restriction-imposed"]
    measures: list[Identifier]
    untouched: list[Identifier]
    why: Literal["no-reply", "declined"]


class RestrictionLifted(Output):
    """Measures are in force no more."""

    type: Literal["restriction-lifted"]
    measures: list[Identifier]
    why: Literal["displayed", "fell-below", "out-of-scope", "account-deleted", "waived", "policy-changed"]


class AccountStatus(Record):
    """The state of one watched account now; the value of the compacted status topic."""

    platform: Identifier
    account_id: AccountId
    stage: Literal["clear", "confirming", "grace", "stopped", "restricted", "met", "waived"]
    obligation_id: ShortHash | None = None
    phase: str | None = None
    deadline_at: InstantText | None = None
    measures: list[Identifier]
    followers: Followers | None = None
    observed_at: InstantText | None = None
    displayed: bool
    as_of: InstantText
    entry: Annotated[int, Field(ge=0)]


class DeadLetter(Record):
    """What could not be read: hash, length and reason, never the payload."""

    topic: str
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]
    sha256: Hash
    bytes: Annotated[int, Field(ge=0)]
    code: str
    at: InstantText | None


OF_TYPE: dict[str, type[Output]] = {
    "disclosure-required": DisclosureRequired,
    "disclosure-met": DisclosureMet,
    "disclosure-cancelled": DisclosureCancelled,
    "grace-started": GraceStarted,
    "grace-reminder": GraceReminder,
    "grace-extended": GraceExtended,
    "grace-suspended": GraceSuspended,
    "grace-resumed": GraceResumed,
    "grace-ended": GraceEnded,
    "restriction-imposed": RestrictionImposed,
    "restriction-lifted": RestrictionLifted,
}
TOPIC_OF_TYPE: dict[str, str] = {
    **{name: topics.DISCLOSURE for name in OF_TYPE if name.startswith("disclosure-")},
    **{name: topics.GRACE for name in OF_TYPE if name.startswith("grace-")},
    **{name: topics.RESTRICTIONS for name in OF_TYPE if name.startswith("restriction-")},
}
_ADAPTERS = {name: TypeAdapter(model) for name, model in OF_TYPE.items()}


def check(fields: dict[str, Any]) -> None:
    """Make sure that an output is what the schema says, before anything of it is journaled.

    Raises:
        InvariantBroken: it is not; the message names the fields, never their values.
    """
    try:
        _ADAPTERS[fields["type"]].validate_python(fields)
    except ValueError as error:
        raise InvariantBroken(f"an output is not of its schema: {error}") from None


def time_text(at: int | None) -> str | None:
    """Return an instant as text, None for a time that has not begun."""
    return None if at is None else instant.text(at)
