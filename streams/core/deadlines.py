"""When something falls due: grace arithmetic, reminders, and the dues of a row in their order."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from schemas.account import Obligation, Row
from schemas.instant import DAY, after
from schemas.policy import Grace, Policy
from streams.core.scope import dwell_end

Kind = Literal["reminder", "deadline", "waiver-end", "phase-end", "phase-begin", "dwell-end"]
KINDS: tuple[Kind, ...] = ("reminder", "deadline", "waiver-end", "phase-end", "phase-begin", "dwell-end")
"""In the order in which they are decided at one instant for one account."""

REMINDER, DEADLINE, WAIVER_END, PHASE_END, PHASE_BEGIN, DWELL_END = range(len(KINDS))


class Due(msgspec.Struct, frozen=True, order=True, gc=False):
    """Something of one account that falls due; dues sort as they are decided."""

    due: int
    platform: str
    account_id: str
    rank: int

    @property
    def kind(self) -> Kind:
        """What falls due."""
        return KINDS[self.rank]

    @property
    def key(self) -> str:
        """The key of the account."""
        return f"{self.platform}:{self.account_id}"


def deadline_of(grace: Grace, notified_at: int) -> int:
    """Return when a grace period that starts now ends.

    An absolute deadline counts where it leaves at least `min_days`; else it is `days` from the notice.
    """
    if grace.deadline is not None and grace.deadline - notified_at >= grace.min_days * DAY:
        return grace.deadline
    return after(notified_at, grace.days * DAY)


def reminders_of(grace: Grace | None, deadline_at: int, since: int) -> tuple[tuple[int, int], ...]:
    """Return the reminders of a deadline that lie strictly after an instant, earliest first.

    None (a new book has no such phase any more) plans none.
    """
    if grace is None:
        return ()
    days_before = grace.reminders_days_before
    return tuple(sorted([(at, days) for days in days_before if (at := deadline_at - days * DAY) > since]))


def _of_obligation(obligation: Obligation) -> list[tuple[int, int]]:
    if obligation.stage != "grace":
        return []
    deadline = (obligation.deadline_at, DEADLINE)
    return [(obligation.reminders[0][0], REMINDER), deadline] if obligation.reminders else [deadline]


def dues_of(policy: Policy | None, row: Row) -> list[tuple[int, int]]:
    """Return (instant, rank) of what is due of a row by itself; phases begin and end for all rows at once."""
    found: list[tuple[int, int]] = []
    if row.obligation is not None:
        found = _of_obligation(row.obligation)
    elif policy is not None and policy.confirm.dwell_days:
        reached = [phase for phase in policy.phases if phase.reached(row.followers)]
        found = [(dwell_end(policy, row, phase), DWELL_END) for phase in reached]
    if row.waived_until is not None:
        found.append((row.waived_until, WAIVER_END))
    return found


def next_due(policy: Policy | None, row: Row, looked_at: int) -> tuple[int, int] | None:
    """Return the first (instant, rank) that is still to be decided for a row, None for none.

    What a row keeps (reminders, deadline, end of a waiver) is there until it was decided. The end
    of a dwell is not kept: it is still to come only if it lies strictly after `looked_at`, the
    instant up to which everything was looked at.
    """
    dues = dues_of(policy, row)
    if row.obligation is None:
        dues = [due for due in dues if due[1] != DWELL_END or due[0] > looked_at]
    return min(dues) if dues else None


def phase_bounds(policies: Iterable[Policy]) -> list[tuple[int, str, int]]:
    """Return (instant, platform, rank) of every begin and end of a phase, sorted, each once."""
    found: set[tuple[int, str, int]] = set()
    for policy in policies:
        if not policy.enabled:
            continue
        for phase in policy.phases:
            found.add((phase.begins, policy.platform, PHASE_BEGIN))
            if phase.until is not None:
                found.add((phase.until, policy.platform, PHASE_END))
    return sorted(found)
