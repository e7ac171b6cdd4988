"""What the oracle knows of an account, and the questions that the law asks of it."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from oracle_book import Phase, Policy
from oracle_inputs import DAY, said


@dataclass
class Obligation:
    number: int
    phase: Phase
    deadline: int
    reminders_after: int
    reminded: set[int] = field(default_factory=set)
    answer: str | None = None
    restricted: bool = False
    stopped_by: list[str] = field(default_factory=list)
    was_held: bool = False
    left: int = 0
    imposed: list[str] = field(default_factory=list)


@dataclass
class Row:
    """What is known of an account. A forgotten row is replaced by none at all."""

    platform: str
    account_id: str
    policy: Policy
    counts: list[tuple[int, int]] = field(default_factory=list)
    """(observed_at, followers) of every count taken, in the order of taking."""
    facts: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By type: (occurred_at, event_id) of the last one taken."""
    profile: dict[str, Any] = field(default_factory=dict)
    displayed: bool = False
    waived_until: int | None = None
    obligation: Obligation | None = None
    last_end: str = ""
    known_from: dict[tuple[int, str], int] = field(default_factory=dict)
    """By line of a later book the first count that is remembered for it."""

    def of(self, name: str) -> Any:
        unknown = {
            "owner": "individual",
            "self_media": True,
            "daily_life": False,
            "subjects": {},
            "status": "active",
        }
        return self.profile.get(name, unknown[name])

    def covers(self, phase: Phase) -> bool:
        """Whether a phase covers an account by its profile."""
        policy = self.policy
        listed = policy.subjects if phase.subjects is None else phase.subjects
        shares = sum(Fraction(self.of("subjects").get(subject, 0)) for subject in set(listed))
        return (
            self.of("owner") in policy.owners
            and self.of("self_media")
            and self.of("status") != "deleted"
            and not (self.of("daily_life") and policy.exempt_daily_life)
            and (not listed or shares >= policy.share)
        )

    def reached_since(self, phase: Phase) -> int | None:
        """Since when the counts taken have stood on the reached side, by their observed_at."""
        since = None
        first = self.known_from.get((phase.threshold, phase.op), 0)
        for observed_at, followers in reversed(self.counts[first:]):
            if not phase.on_reached_side(followers):
                break
            since = observed_at
        return since

    def covering(self, instant: int) -> list[Phase]:
        phases = self.policy.phases
        return [phase for phase in phases if phase.in_force(instant) and self.covers(phase)]

    def stands(self, instant: int) -> bool:
        """Whether the count is not below some phase in force that covers the account."""
        policy, followers = self.policy, self.counts[-1][1]
        return any(not policy.is_below(phase, followers) for phase in self.covering(instant))

    def purge(self) -> list[int]:
        """Both numbers, where the fall looks like a purge."""
        policy = self.policy
        if policy.purge is None:
            return []
        (drop_share, within_days), (observed_at, followers) = policy.purge, self.counts[-1]
        first_day = observed_at // DAY - within_days
        earlier = [count for when, count in self.counts[:-1] if when // DAY >= first_day]
        highest = max(earlier, default=0)
        return [highest, followers] if earlier and highest - followers >= drop_share * highest else []

    def is_forgotten(self, T: int) -> bool:
        if (
            "profile-changed" in self.facts
            or self.displayed
            or self.waived_until is not None
            or self.obligation
        ):
            return False
        if not self.counts:
            return False
        observed_at, followers = self.counts[-1]
        return followers < self.policy.floor and observed_at < T - 30 * DAY

    def status(self, T: int) -> dict[str, Any]:
        obligation, one = self.obligation, {"displayed": self.displayed, "measures": []}
        one["stage"] = self.stage(T)
        if self.counts:
            one |= {"followers": self.counts[-1][1], "observed_at": said(self.counts[-1][0])}
        if obligation:
            one["phase"] = obligation.phase.id
            if obligation.restricted:
                one["measures"] = obligation.imposed
            else:
                one["deadline_at"] = said(obligation.deadline)
        return one

    def stage(self, T: int) -> str | None:
        if self.obligation:
            running = "stopped" if self.obligation.stopped_by else "grace"
            return "restricted" if self.obligation.restricted else running
        if self.waived_until is not None:
            return "waived"
        if self.displayed:
            return None  # met, or clear where nothing was ever due: the contract does not say
        policy = self.policy
        phases = [phase for phase in policy.phases if self.reached_since(phase) is not None]
        if not policy.dwell or not phases:
            return "clear"
        now = [phase for phase in phases if phase.in_force(T) and self.covers(phase)]
        return "confirming" if now and self.of("status") == "active" else None
