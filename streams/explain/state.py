"""The account and the phases of its policy at an instant, as `explain` says them."""

from itertools import chain
from typing import Any

import msgspec

from schemas.account import NO_COUNT, Obligation, Row
from schemas.instant import SECOND, text
from schemas.policy import Phase, Policy
from streams.core.deadlines import phase_bounds
from streams.core.scope import WHOLE, covers, dwell_end, is_below, phases_in_force
from streams.core.sealing import shown_stage
from streams.explain.form import PhaseNow, State
from streams.explain.journal import Told


def state_of(policy: Policy | None, row: Row, at: int, since: int) -> State:
    """Return what is known of an account at an instant, its stage standing since another."""
    duty = row.obligation
    has_count = row.followers != NO_COUNT
    deadline_at = duty.deadline_at if duty is not None and duty.stage != "restricted" else None
    return State(
        stage=shown_stage(policy, row, at),
        since=text(since),
        followers=row.followers if has_count else None,
        observed_at=text(row.observed_at) if has_count else None,
        obligation_id=duty.id if duty is not None else None,
        phase=duty.phase if duty is not None else None,
        notified_at=text(duty.notified_at) if duty is not None else None,
        deadline_at=text(deadline_at) if deadline_at is not None else None,
        left_s=_left_s(duty, at) if duty is not None and deadline_at is not None else None,
        answer=duty.answer if duty is not None else None,
        holds=duty.holds if duty is not None else (),
        stopped_at=text(duty.stopped_at) if duty is not None and duty.stopped_at is not None else None,
        reminders=tuple(text(at) for at, _ in duty.reminders) if duty is not None else (),
        measures=duty.measures if duty is not None else (),
        profile=_profile(row),
        displayed=row.displayed,
        waived=row.waived,
        waived_until=text(row.waived_until) if row.waived_until is not None else None,
    )


def since(told: Told, platform: str, upto: int) -> int:
    """Return since when the account is in the stage of an instant, under the same obligation.

    A stage changes with a decision, or (to and from confirming) with a phase or a book alone.
    """
    policies = [adopted.book.policies.get(platform) for adopted in told.adopted]
    bounds = phase_bounds(policy for policy in policies if policy is not None)
    instants = chain(
        (taken.at for taken in told.taken),
        (adopted.at for adopted in told.adopted),
        (at for at, _, _ in bounds),
    )
    began, standing = upto, _standing(told, platform, upto)
    for at in sorted({at for at in instants if at <= upto}, reverse=True):
        if _standing(told, platform, at) != standing:
            break
        began = at
    return began


def _standing(told: Told, platform: str, at: int) -> tuple[str, str | None] | None:
    row, book = told.row_at(at), told.book_at(at)
    if row is None or book is None:
        return None
    obligation_id = row.obligation.id if row.obligation is not None else None
    return shown_stage(book.policies.get(platform), row, at), obligation_id


def phase_now(policy: Policy, phase: Phase, row: Row | None, at: int) -> PhaseNow:
    """Return one phase held against an account, an unknown one included; its clauses are not cited yet."""
    row = row if row is not None else Row()
    has_count = row.followers != NO_COUNT
    reached = phase.reached(row.followers) if has_count else None
    dwells = reached and policy.confirm.dwell_days
    return PhaseNow(
        id=phase.id,
        threshold=phase.threshold,
        op=phase.op,
        begins=text(phase.begins),
        until=text(phase.until) if phase.until is not None else None,
        in_force=phase in phases_in_force(policy, at),
        covers=covers(policy, phase, row),
        reached=reached,
        below=is_below(policy, phase, row.followers) if has_count else None,
        dwell_ends=text(dwell_end(policy, row, phase)) if dwells else None,
        clauses=(),
        scope_clauses=(),
    )


def _left_s(duty: Obligation, at: int) -> int:
    until = duty.stopped_at if duty.stopped_at is not None else at
    return max(0, duty.deadline_at - until) // SECOND


def _profile(row: Row) -> dict[str, Any] | None:
    if row.profile is None:
        return None
    said = msgspec.structs.asdict(row.profile)
    return {**said, "subjects": {name: share / WHOLE for name, share in row.profile.subjects}}
