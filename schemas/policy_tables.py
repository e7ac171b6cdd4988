"""The tables of a policy: each `[table]` of a policy file as one closed, immutable value.

What a file leaves out has its documented default here (contract, section 5). A key that is no name in
Python, or a poor one, is an alias: `from` is read as `begins`, `hysteresis_pct` as `hysteresis`.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.policy_leaves import (
    Day,
    Days,
    DaysOrNone,
    Followers,
    Identifier,
    Identifiers,
    Instant,
    Label,
    Op,
    Owners,
    Percentage,
    Prose,
    Share,
    SomeDays,
    Status,
)


class Part(BaseModel):
    """A table: closed, strict, immutable; built by name in code, by alias from tables."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )


class Grace(Part):
    """How long an account has after its notice."""

    days: Days
    """Days of 86,400 s from the notice to the deadline; at least 1."""
    deadline: Instant | None = None
    """An absolute deadline, where it leaves at least `min_days`."""
    min_days: DaysOrNone = 0
    """What an absolute deadline, or a hold that ends, leaves at least."""
    reminders_days_before: SomeDays = ()
    """Days before the deadline on which to remind; each at least 1, none twice, in the file's order."""


def _some_subjects(subjects: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if subjects == ():
        raise ValueError(
            "is empty, which would be read as every account. "
            "Name at least one subject, or take the key out to use scope.subjects"
        )
    return subjects


class Phase(Part):
    """A dated stage of a policy: one threshold, from one instant on."""

    id: Label
    """Its name in key paths and outputs, for example p1."""
    threshold: Followers
    """Followers of one account; whether the number itself is in, `op` says."""
    op: Op
    """Whether the threshold itself is in: >= includes it, > does not."""
    begins: Instant = Field(alias="from")
    """The first instant in force."""
    until: Instant | None = None
    """The first instant no longer in force; left out: no end is known."""
    subjects: Annotated[Identifiers | None, AfterValidator(_some_subjects)] = Field(
        None, json_schema_extra={"minItems": 1}
    )
    """Replaces the scope's list in this phase; left out: the scope's list holds. Never empty."""
    grace: Grace
    """How long an account has after its notice."""

    def reached(self, followers: int) -> bool:
        """Return whether a follower count is on the duty's side of the threshold.

        Examples:
            >>> half = Phase(id="p", threshold=500, op=">", begins=0, grace=Grace(days=10))
            >>> half.reached(500), half.reached(501)
            (False, True)

        Source:
            Civil Code art. 1259: 以上 and 达到 include the number, 超过 does not.
        """
        return followers >= self.threshold if self.op == ">=" else followers > self.threshold

    def in_force(self, at: int) -> bool:
        """Return whether the phase is in force at an instant (microseconds): `from` is in, `until` is out."""
        return self.begins <= at and (self.until is None or at < self.until)


class Scope(Part):
    """Whom a policy is about."""

    owners: Owners = ("individual", "organisation")
    """Whose accounts are meant."""
    subjects: Identifiers = ()
    """Subjects whose shares are added up; empty: every account is covered."""
    min_subject_share: Share = Field(default=3000, json_schema_extra={"default": 0.3})
    """The least sum of these shares that makes an account covered."""
    exempt_daily_life: bool = False
    """Accounts that show daily life only are not covered."""


class Confirm(Part):
    """How long and how far a count must be over or under the line."""

    dwell_days: DaysOrNone = 0
    """For how many days every count taken must have reached the threshold before a duty begins."""
    hysteresis: Percentage = Field(default=0, alias="hysteresis_pct")
    """How far below the threshold a duty ends, in percent of the threshold."""


class Measures(Part):
    """What the platform may do, by name, and what it leaves alone."""

    impose: Identifiers = ()
    """Imposed where the duty is not met in time."""
    untouched: Identifiers = ()
    """What stays as it is all the same; said in each restriction."""
    on_decline: Literal["at-deadline", "at-once"] = "at-deadline"
    """When the measures come where the account declines."""


class Below(Part):
    """What a fall below the line does to an open grace, and to measures in force."""

    pending: Literal["cancel", "keep"] = "cancel"
    """Whether an open grace ends or runs on."""
    measures: Literal["lift", "keep"] = "lift"
    """Whether measures in force are lifted."""


class Purge(Part):
    """A fall that is named as a suspected purge of followers."""

    drop_share: Share
    """The least fall from the days' highest count, as a share of it."""
    within_days: Annotated[int, Field(ge=1, le=30)]
    """UTC days before the count of which the highest is looked for."""


class Display(Part):
    """What is shown, and where."""

    individual: Identifier = "real_name"
    """What an individual's account shows."""
    organisation: Identifier = "organisation_name"
    """What an organisation's account shows."""
    where: Identifier = "profile"
    """Where it is shown."""


class Notice(Part):
    """How an account is told."""

    channel: Identifier = "in_app_message"
    """By which channel."""


class Viewer(Part):
    """Who may not look at a displayed name."""

    deny: Identifiers = ()
    """The kinds of viewers who may not."""


class Floor(Part):
    """The lowest threshold that was pledged in public."""

    followers: Followers
    """No threshold below it was to come."""
    override: bool = False
    """True, with a source, where the policy goes below the pledge on purpose."""


class Watch(Part):
    """From which count on accounts are watched."""

    floor_share: Share = Field(default=8000, json_schema_extra={"default": 0.8})
    """As a share of the policy's lowest threshold."""


class Rule(Part):
    """A dated rule for everybody, without a threshold; shown, decides nothing."""

    id: Label
    """Its name."""
    begins: Instant = Field(alias="from")
    """The first instant in force."""
    text: Prose
    """The rule in words."""


class Source(Part):
    """Where a leaf stands, and how sure it is."""

    status: Status
    """How sure it is: said in a notice, in a repost of one, in the news, in a law; inferred; assumed."""
    text: Prose
    """What was said, or why it is inferred or assumed."""
    publisher: Prose
    """Who said it."""
    date: Day
    """The day on which it was published."""
