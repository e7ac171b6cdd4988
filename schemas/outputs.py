"""The records that leave: closed, strict, without names (contract, section 4).

These models are the schema for others and the gate for ourselves: nothing is journaled or
published that one of them refuses.
"""

from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from schemas import instant, topics
from schemas.dead_letters import CODES
from schemas.errors import InvariantBroken
from schemas.fields import IDENTIFIER, LABEL, MOST_FOLLOWERS, UTC_INSTANT, VERSION, AccountId, EventId, Hash
from schemas.plain_forms import Form, form_of

InstantText = Annotated[str, Field(pattern=UTC_INSTANT, json_schema_extra={"format": "date-time"})]
ShortHash = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
PhaseId = Annotated[str, Field(pattern=LABEL)]
Place = Annotated[int, Field(ge=0)]
Followers = Annotated[int, Field(ge=0, le=MOST_FOLLOWERS)]
CancelledWhy = Literal["fell-below", "out-of-scope", "account-deleted", "waived", "policy-changed"]


class Record(BaseModel):
    """Frozen, strict and closed."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


class RecordCause(Record):
    """A count or a fact."""

    topic: Literal["follower-counts", "account-facts"]
    """Where it came from, without prefix and version."""
    event_id: EventId
    """As its sender named it."""


class DueCause(Record):
    """An instant that came."""

    due: InstantText
    """The instant."""


class BookCause(Record):
    """A policy book that was adopted."""

    book: Hash
    """Its hash."""


class Output(Record):
    """What every output says."""

    id: ShortHash
    """SHA-256 of the canonical record without id, seq and partition, its first 32 hex digits."""
    seq: Place
    """Dense per topic and partition, from 0: whoever keeps the last one sees repetitions and gaps."""
    partition: Place
    """The Kafka partition in which the record stands."""
    platform: Identifier
    """The platform of the account."""
    account_id: AccountId
    """The account's opaque id; never a name."""
    obligation_id: ShortHash
    """The duty that this is about, the same from its notice to its end."""
    phase: PhaseId
    """The policy's phase that was named when the duty began; it keeps this name."""
    policy_version: Annotated[str, Field(pattern=VERSION)]
    """The version that the policy in force gives itself."""
    book: Hash
    """The policy book that was in force, by its hash."""
    decided_at: InstantText
    """T, the time of the partition, when this was decided."""
    effective_at: InstantText
    """From when on it holds: the instant that was due, else T."""
    cause: Annotated[RecordCause | DueCause | BookCause, Field(union_mode="left_to_right")]
    """What made it decided: a record, an instant that came, or a policy book."""
    reasons: Annotated[list[dict[str, Any]], Field(min_length=1)]
    """Why, in order, with the values that were compared."""


class DisclosureRequired(Output):
    """The account has to display its name, and is told so."""

    type: Literal["disclosure-required"]
    followers: Followers
    """The last count taken."""
    observed_at: InstantText
    """When that count was observed."""
    threshold: Followers
    """Of the phase."""
    op: Literal[">=", ">"]
    """How the count stands to the threshold."""
    display: Identifier
    """What the account has to display, for example real_name."""
    deadline_at: InstantText
    """Until when."""
    notice_channel: Identifier
    """How the account is to be told."""


class DisclosureMet(Output):
    """The name is displayed."""

    type: Literal["disclosure-met"]
    by: Literal["displayed"]
    """How it was met."""


class DisclosureCancelled(Output):
    """The duty ended without a display."""

    type: Literal["disclosure-cancelled"]
    why: CancelledWhy
    """Where several hold: account-deleted, waived, out-of-scope, policy-changed, fell-below, in this order."""


class GraceStarted(Output):
    """The clock of a grace period runs."""

    type: Literal["grace-started"]
    notified_at: InstantText
    """T of the notice."""
    deadline_at: InstantText
    """When the grace period ends."""


class GraceReminder(Output):
    """So many days before the deadline."""

    type: Literal["grace-reminder"]
    deadline_at: InstantText
    """When the grace period ends."""
    days_left: Annotated[int, Field(ge=1)]
    """Days of 86,400 s from effective_at to deadline_at."""


class GraceExtended(Output):
    """An adjudication moved the deadline later."""

    type: Literal["grace-extended"]
    previous_deadline_at: InstantText
    """The deadline until now; while the clock stands, as it stood when it stopped."""
    deadline_at: InstantText
    """The later one."""


class GraceSuspended(Output):
    """The clock stands."""

    type: Literal["grace-suspended"]
    why: Literal["agreed", "held", "account-suspended"]
    """The first reason; more may join it without a word."""


class GraceResumed(Output):
    """The clock runs again with what was left."""

    type: Literal["grace-resumed"]
    deadline_at: InstantText
    """The new deadline."""


class GraceEnded(Output):
    """The grace period is over."""

    type: Literal["grace-ended"]
    outcome: Literal["met", "cancelled", "expired", "declined"]
    """How: displayed, withdrawn, run out, or refused where a refusal ends it at once."""


class RestrictionImposed(Output):
    """Measures are in force."""

    type: Literal["restriction-imposed"]
    measures: list[Identifier]
    """What is imposed, by name."""
    untouched: list[Identifier]
    """What the policy names as left alone."""
    why: Literal["no-reply", "declined"]
    """Told and silent, or the last answer was decline."""


class RestrictionLifted(Output):
    """Measures are in force no more."""

    type: Literal["restriction-lifted"]
    measures: list[Identifier]
    """What was in force."""
    why: Literal["displayed", "fell-below", "out-of-scope", "account-deleted", "waived", "policy-changed"]
    """What ended them."""


class AccountStatus(Record):
    """The state of one watched account now; the value of the compacted status topic."""

    platform: Identifier
    """The platform of the account."""
    account_id: AccountId
    """The account's opaque id; never a name."""
    stage: Literal["clear", "confirming", "grace", "stopped", "restricted", "met", "waived"]
    """Of the open obligation, else waived, else met, else confirming, else clear."""
    obligation_id: ShortHash | None = None
    """The open one; left out where none is."""
    phase: PhaseId | None = None
    """Of the open obligation."""
    deadline_at: InstantText | None = None
    """In grace and stopped; there as it stood when the clock stopped."""
    measures: list[Identifier]
    """In force; empty unless restricted."""
    followers: Followers | None = None
    """The last count taken; left out where only facts are known."""
    observed_at: InstantText | None = None
    """When that count was observed."""
    displayed: bool
    """Whether the name is displayed."""
    as_of: InstantText
    """T of the decision that left the account so."""
    entry: Place
    """The number of the journal entry of that decision; of two states of one key the higher one holds."""


class DeadLetter(Record):
    """What could not be read: hash, length and reason, never the payload."""

    topic: Annotated[str, Field(json_schema_extra={"enum": list(topics.INPUTS)})]
    """The input topic, without prefix and version."""
    partition: Place
    """Whose: a policy book that cannot be read is a dead letter of every partition."""
    offset: Place
    """Where in the topic."""
    sha256: Hash
    """Of the value's bytes, of none where there is no value."""
    bytes: Place
    """The length of the value."""
    code: Annotated[str, Field(json_schema_extra={"enum": list(CODES)})]
    """Why; where several hold, the first of this list."""
    at: InstantText | None
    """T when it was read; null before anything has moved it."""


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
_VALIDATORS = {name: TypeAdapter(model).validator for name, model in OF_TYPE.items()}


@cache
def plain_form(kind: str) -> Form:
    """Return the form of the canonical bytes of nearly every output of a type, and of nothing that is none."""
    return form_of(OF_TYPE[kind].model_json_schema())


@cache
def ordered(model: type[Record]) -> Any:
    """Return a struct type of a record's fields in canonical order; what is left out of one is not written.

    Nothing is checked of it: that is done once, of what is written.
    """
    fields = [(name, Any, msgspec.UNSET) for name in sorted(model.model_fields)]
    return msgspec.defstruct(model.__name__, fields, gc=False)


def check_written(kind: str, written: bytes) -> None:
    """Make sure of an output as `check` does, at a third of the price: the gate before the journal.

    Args:
        kind: Its type.
        written: Its canonical bytes.

    Raises:
        InvariantBroken: as `check`.
    """
    if not plain_form(kind).is_of(written):
        check(msgspec.json.decode(written))


def check(fields: dict[str, Any]) -> None:
    """Make sure that a whole output is what the schema says.

    Raises:
        InvariantBroken: it is not; the message names the fields, never their values.
    """
    try:
        _VALIDATORS[fields["type"]].validate_python(fields)
    except ValueError as error:
        raise InvariantBroken(f"an output is not of its schema: {error}") from None


def time_text(at: int | None) -> str | None:
    """Return an instant as text, None for a time that has not begun."""
    return None if at is None else instant.text(at)
