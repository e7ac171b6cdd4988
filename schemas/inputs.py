"""The records that come in: closed, strict, without names (contract, section 2).

Counts are the firehose and are structs; facts, books and ticks are rare and are pydantic models.
All say `at` (the record's own instant) and `key`; instants are whole microseconds since 1970 UTC,
shares whole ten-thousandths. A field that is None was left out: a null on the wire is refused.
"""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from schemas import instant
from schemas.fields import (
    LEFT_OUT,
    MOST_FOLLOWERS,
    WITHOUT_UNTIL,
    AccountId,
    EventId,
    Hash,
    Instant,
    Optional,
    ReasonCode,
    Subjects,
    Tables,
    Until,
    without_null,
)

Owner = Literal["individual", "organisation", "government", "news_media"]
Status = Literal["active", "suspended", "deleted"]
Answer = Literal["agree", "decline"]
Ruling = Literal["waive", "revoke", "hold", "release", "extend"]


class FollowerCountChanged(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """How many people followed an account at an instant: the hot path."""

    event_id: str
    platform: str
    account_id: str
    followers: int
    """0 to 2^53 - 1."""
    observed_at: int

    @property
    def at(self) -> int:
        """The record's own instant."""
        return self.observed_at

    @property
    def key(self) -> str:
        """`platform:account_id`."""
        return f"{self.platform}:{self.account_id}"

    def as_value(self) -> dict[str, Any]:
        """Return the value as it stands on the wire, the instant in UTC."""
        return {**msgspec.structs.asdict(self), "observed_at": instant.text(self.observed_at)}


class Record(BaseModel):
    """Frozen, strict and closed; what is refused is not repeated in an error."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    def as_value(self) -> dict[str, Any]:
        """Return the value as it stands on the wire: only what was given, instants in UTC."""
        return self.model_dump(exclude_none=True)


class FollowerCount(Record):
    """A follower count as the wire says it: for its schema, and for the code of one that is refused."""

    event_id: EventId
    platform: str
    account_id: AccountId
    followers: Annotated[int, Field(ge=0, le=MOST_FOLLOWERS)]
    observed_at: Instant

    def changed(self) -> FollowerCountChanged:
        """Return the struct that the core decides on."""
        return FollowerCountChanged(
            self.event_id, self.platform, self.account_id, self.followers, self.observed_at
        )


class Fact(Record):
    """Something said of one account."""

    event_id: EventId
    platform: str
    account_id: AccountId
    occurred_at: Instant

    @property
    def at(self) -> int:
        """The record's own instant."""
        return self.occurred_at

    @property
    def key(self) -> str:
        """`platform:account_id`."""
        return f"{self.platform}:{self.account_id}"


class FactOfNoType(Fact):
    """What a fact without a readable type is held to: it has the fields of every type, unread."""

    type: str
    owner: Any = None
    self_media: Any = None
    subjects: Any = None
    daily_life: Any = None
    verified: Any = None
    status: Any = None
    answer: Any = None
    displayed: Any = None
    ruling: Any = None
    until: Any = None
    reason_code: Any = None


class ProfileChanged(Fact):
    """What the platform says of the account; a field left out keeps its value."""

    type: Literal["profile-changed"]
    owner: Optional[Owner] = Field(None, json_schema_extra=without_null)
    self_media: Optional[bool] = Field(None, json_schema_extra=without_null)
    subjects: Optional[Subjects] = Field(None, json_schema_extra=without_null)
    """(subject, share in ten-thousandths), by name; replaced whole."""
    daily_life: Optional[bool] = Field(None, json_schema_extra=without_null)
    verified: Optional[bool] = Field(None, json_schema_extra=without_null)
    status: Optional[Status] = Field(None, json_schema_extra=without_null)


class AnswerGiven(Fact):
    """What the account answered to the notice."""

    type: Literal["answer-given"]
    answer: Answer


class NameDisplayChanged(Fact):
    """Whether the profile page shows the name, said by the service that shows it."""

    type: Literal["name-display-changed"]
    displayed: bool


class AdjudicationMade(Fact):
    """What somebody with the right to it ruled for one account."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {
                    "if": {"properties": {"ruling": {"const": "extend"}}},
                    "then": {"required": ["until"]},
                },
                {
                    "if": {"properties": {"ruling": {"enum": list(WITHOUT_UNTIL)}}},
                    "then": {"properties": {"until": False}},
                },
            ]
        }
    )

    type: Literal["adjudication-made"]
    ruling: Ruling
    until: Until = Field(default_factory=lambda: LEFT_OUT, validate_default=True)
    """Of a waiver: None is for good. Of an extension: the new deadline. None of any other ruling."""
    reason_code: ReasonCode


class ClockTicked(Record):
    """A tick as its worker wrote it; the broker's append time stands beside it."""

    at: Instant

    @property
    def key(self) -> None:
        """A tick is about no account."""
        return


class BookTables(Record):
    """The outermost table of a book; what stands inside a policy is `schemas.policy`'s to check."""

    policies: dict[str, Tables]


class PolicyBook(Record):
    """A policy book as the wire says it."""

    book: BookTables
    hash: Hash


class PolicyBookPublished(msgspec.Struct, frozen=True):
    """A whole policy book whose hash and tables were checked."""

    book: dict[str, Any]
    """`{"policies": {platform: tables}}` as on the wire, fractions as decimals."""
    hash: str
    """SHA-256 of the canonical JSON of `book`, 64 hex digits."""

    @property
    def at(self) -> None:
        """A book has no instant of its own: it is adopted when it is read."""
        return

    @property
    def key(self) -> None:
        """A book is about no account."""
        return

    def as_value(self) -> dict[str, Any]:
        """Return the value as it stands on the wire."""
        return msgspec.structs.asdict(self)


AccountFact = Annotated[
    ProfileChanged | AnswerGiven | NameDisplayChanged | AdjudicationMade, Field(discriminator="type")
]
FACTS: dict[str, type[Fact]] = {
    "profile-changed": ProfileChanged,
    "answer-given": AnswerGiven,
    "name-display-changed": NameDisplayChanged,
    "adjudication-made": AdjudicationMade,
}
InputRecord = FollowerCountChanged | Fact | ClockTicked | PolicyBookPublished
