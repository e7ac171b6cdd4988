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
    Platform,
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
        """Return the value as it stands on the wire, the instant in UTC, in canonical order."""
        return {
            "account_id": self.account_id,
            "event_id": self.event_id,
            "followers": self.followers,
            "observed_at": instant.text(self.observed_at),
            "platform": self.platform,
        }


class Record(BaseModel):
    """Frozen, strict and closed; what is refused is not repeated in an error."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    def as_value(self) -> dict[str, Any]:
        """Return the value as it stands on the wire: only what was given, instants in UTC."""
        return self.model_dump(exclude_none=True)


class FollowerCount(Record):
    """How many people followed an account at an instant.

    The wire's form of `FollowerCountChanged`: for its schema, and for the code of one that is refused.
    """

    event_id: EventId
    """The sender's own name of this record, the same when it is sent again."""
    platform: Platform
    """One of the policy book, for example weibo."""
    account_id: AccountId
    """The account's opaque id on its platform; never a name."""
    followers: Annotated[int, Field(ge=0, le=MOST_FOLLOWERS)]
    """People, not thousands or wan. A count that is written with a point (1000000.0) is refused."""
    observed_at: Instant
    """When it was so; with an offset, to the microsecond."""

    def changed(self) -> FollowerCountChanged:
        """Return the struct that the core decides on."""
        return FollowerCountChanged(
            self.event_id, self.platform, self.account_id, self.followers, self.observed_at
        )


class Fact(Record):
    """Something said of one account."""

    event_id: EventId
    """The sender's own name of this record, the same when it is sent again."""
    platform: Platform
    """One of the policy book, for example weibo."""
    account_id: AccountId
    """The account's opaque id on its platform; never a name."""
    occurred_at: Instant
    """When it happened; with an offset, to the microsecond. Of two facts of one type the later one counts."""

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
    """Who runs the account; individual until something else is said."""
    self_media: Optional[bool] = Field(None, json_schema_extra=without_null)
    """Whether it publishes as self-media; so until something else is said."""
    subjects: Optional[Subjects] = Field(None, json_schema_extra=without_null)
    """Subject to its share of what is published, 0 to 1 with at most 4 fraction digits; replaced whole."""
    daily_life: Optional[bool] = Field(None, json_schema_extra=without_null)
    """Whether it shows daily life only; not so until something else is said."""
    verified: Optional[bool] = Field(None, json_schema_extra=without_null)
    """Recorded, decides nothing."""
    status: Optional[Status] = Field(None, json_schema_extra=without_null)
    """Of the account itself: deleted ends duties, suspended stops their clock."""


class AnswerGiven(Fact):
    """What the account answered to the notice."""

    type: Literal["answer-given"]
    answer: Answer
    """Counts while a grace period is open; the last one stands."""


class NameDisplayChanged(Fact):
    """Whether the profile page shows the name, said by the service that shows it."""

    type: Literal["name-display-changed"]
    displayed: bool
    """True meets the duty; false may begin a new one."""


class AdjudicationMade(Fact):
    """What somebody with the right to it ruled for one account."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {
                    "if": {"properties": {"ruling": {"const": "extend"}}},
                    "then": {"required": ["until"], "properties": {"until": True}},
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
    """waive and revoke: leave from the duty. hold and release: the clock. extend: a later deadline."""
    until: Until = Field(default_factory=lambda: LEFT_OUT, validate_default=True)
    """Of a waiver: its end, left out for good. Of an extension: the new deadline. Of no other ruling."""
    reason_code: ReasonCode
    """The case, as a code; it is repeated in the reasons of what follows."""


class ClockTicked(Record):
    """A tick as its worker wrote it; the broker's append time stands beside it."""

    at: Instant
    """The worker's own clock; T is the earlier of it and the broker's append time."""

    @property
    def key(self) -> None:
        """A tick is about no account."""
        return


class BookTables(Record):
    """The outermost table of a book; what stands inside a policy is `schemas.policy`'s to check."""

    policies: dict[str, Tables]
    """The merged tables of each platform, by its name."""


class PolicyBook(Record):
    """A policy book as the wire says it."""

    book: BookTables
    """What is published; kept and journaled whole."""
    hash: Hash
    """SHA-256 of the canonical JSON (RFC 8785) of `book`: the name of the book."""


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
