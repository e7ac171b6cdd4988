"""Whom a policy covers: pure questions about one row, one policy and one instant."""

from collections.abc import Iterable

from schemas.account import UNKNOWN_PROFILE, Profile, Row
from schemas.instant import DAY
from schemas.policy import Phase, Policy

WHOLE = 10_000
"""Shares are whole ten-thousandths, so that they add up and compare exactly."""


def profile_of(row: Row) -> Profile:
    """Return what is known of an account itself; of an unknown one what the contract has it be."""
    return row.profile if row.profile is not None else UNKNOWN_PROFILE


def covers(policy: Policy, phase: Phase, row: Row) -> bool:
    """Return whether a phase covers an account by what is known of its profile.

    Source:
        Contract, section 3, "Covered".
    """
    profile, scope = profile_of(row), policy.scope
    if profile.owner not in scope.owners or not profile.self_media or profile.status == "deleted":
        return False
    if profile.daily_life and scope.exempt_daily_life:
        return False
    listed = scope.subjects if phase.subjects is None else phase.subjects
    if not listed:
        return True
    return sum(share for subject, share in profile.subjects if subject in listed) >= scope.min_subject_share


def phases_in_force(policy: Policy, *instants: int) -> tuple[Phase, ...]:
    """Return the phases in force at every one of the instants, thresholds rising.

    A disabled policy has none.
    """
    if not policy.enabled:
        return ()
    first, last = min(instants), max(instants)
    return tuple([phase for phase in policy.phases if phase.in_force(first) and phase.in_force(last)])


def covering(policy: Policy, row: Row, *instants: int) -> tuple[Phase, ...]:
    """Return the phases in force at every one of the instants that cover the account."""
    return tuple([phase for phase in phases_in_force(policy, *instants) if covers(policy, phase, row)])


def is_below(policy: Policy, phase: Phase, followers: int) -> bool:
    """Return whether a count has fallen below a phase, hysteresis included.

    Without hysteresis this is the negation of `op`; with it, a count strictly below
    `threshold x (1 - hysteresis)`.

    Source:
        Contract, section 3, "Fallen below".
    """
    if policy.confirm.hysteresis == 0:
        return not phase.reached(followers)
    return followers * WHOLE < phase.threshold * (WHOLE - policy.confirm.hysteresis)


def is_below_all(policy: Policy, phases: Iterable[Phase], row: Row) -> bool:
    """Return whether the last count taken is below every one of the phases; True where there are none.

    No count at all is below every one.
    """
    return all(is_below(policy, phase, row.followers) for phase in phases)


def reached_since(row: Row, phase: Phase) -> int:
    """Return since when every count taken has reached a phase, by `observed_at`.

    A line that a new book brought has no history in the row: then it is the last count taken.
    The last count taken must have reached it.
    """
    for threshold, op, since in row.sides:
        if threshold == phase.threshold and op == phase.op:
            return since
    return row.observed_at


def dwell_end(policy: Policy, row: Row, phase: Phase) -> int:
    """Return when the dwell of a reached phase is over, by its counts alone."""
    return reached_since(row, phase) + policy.confirm.dwell_days * DAY


def has_dwelt(policy: Policy, row: Row, phase: Phase, at: int) -> bool:
    """Return whether a reached phase was reached for as long as the policy asks.

    Without a dwell it is, also where a producer's clock is ahead of T.
    """
    return policy.confirm.dwell_days == 0 or dwell_end(policy, row, phase) <= at


def named_phase(policy: Policy, row: Row, effective_at: int, at: int) -> Phase | None:
    """Return the phase under which a duty begins now, None where none does.

    It is the phase with the highest threshold that the last count taken has reached for as long as
    the policy asks, among those that cover the account and are in force both at the instant that is
    looked at and at the time of the partition (a jump may pass a whole phase).

    Args:
        policy: The account's policy.
        row: The account.
        effective_at: The due instant that is decided, or the time of the partition.
        at: The time of the partition.
    """
    if row.displayed or row.waived or profile_of(row).status != "active":
        return None
    if not policy.enabled:
        return None
    for phase in reversed(policy.phases):
        stands = phase.reached(row.followers) and phase.in_force(effective_at) and phase.in_force(at)
        if stands and has_dwelt(policy, row, phase, effective_at) and covers(policy, phase, row):
            return phase
    return None


def is_confirming(policy: Policy | None, row: Row, at: int) -> bool:
    """Return whether a phase is reached, but not yet for as long as the policy asks."""
    if policy is None or row.displayed or profile_of(row).status != "active":
        return False
    return any(
        phase.reached(row.followers) and not has_dwelt(policy, row, phase, at)
        for phase in covering(policy, row, at)
    )
