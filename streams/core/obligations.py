"""The stages of an obligation: a table of transitions, and what each change says outside.

Laws of this file:
- An obligation is nowhere changed but here, and only along `NEXT`. A pair that is not in it cannot
  come from any record, however odd; if one comes, it is our bug and the worker stops.
- Every change names its reasons; what it says outside carries the same ones.
"""

from typing import Any, Literal

import msgspec

from schemas.account import HoldReason, Obligation, Row
from schemas.errors import InvariantBroken
from schemas.instant import DAY, SECOND, after, text
from schemas.policy import Grace, Phase, Policy
from schemas.reasons import Reason, reason
from streams.core.deadlines import deadline_of, reminders_of
from streams.core.scope import profile_of

Stage = Literal["none", "grace", "stopped", "restricted"]
Change = Literal["notify", "remind", "extend", "stop", "go-on", "resume", "impose", "meet", "cancel"]
CancelWhy = Literal["account-deleted", "waived", "out-of-scope", "policy-changed", "fell-below"]

NEXT: dict[tuple[Stage, Change], Stage] = {
    ("none", "notify"): "grace",
    ("grace", "remind"): "grace",
    ("grace", "extend"): "grace",
    ("grace", "stop"): "stopped",
    ("grace", "go-on"): "grace",
    ("grace", "impose"): "restricted",
    ("grace", "meet"): "none",
    ("grace", "cancel"): "none",
    ("stopped", "extend"): "stopped",
    ("stopped", "go-on"): "stopped",
    ("stopped", "resume"): "grace",
    ("stopped", "impose"): "restricted",
    ("stopped", "meet"): "none",
    ("stopped", "cancel"): "none",
    ("restricted", "meet"): "none",
    ("restricted", "cancel"): "none",
}
"""`go-on` changes what an obligation remembers (its answer, its holds) but not its stage."""


class Saying(msgspec.Struct, frozen=True, gc=False):
    """An output as the core makes it: its type, the fields of that type, its obligation and its reasons."""

    type: str
    fields: dict[str, Any]
    obligation_id: str
    phase: str
    reasons: tuple[Reason, ...]


class Case:
    """One account while it is decided: its row so far, and what was said.

    The only thing in the core that changes in place; it lives for one call of `decide`.

    Args:
        row: The account before the decision.
        policy: The policy of its platform; None where the book has none any more.
        at: T, the time of the partition.
        effective_at: The due instant that is decided, or T.
    """

    __slots__ = ("at", "effective_at", "policy", "reasons", "row", "said")

    def __init__(self, row: Row, policy: Policy | None, at: int, effective_at: int) -> None:
        self.row = row
        self.policy = policy
        self.at = at
        self.effective_at = effective_at
        self.said: list[Saying] = []
        self.reasons: list[Reason] = []

    def because(self, *reasons: Reason) -> tuple[Reason, ...]:
        """Note reasons of the decision and return them, to be said with an output."""
        for given in reasons:
            if given not in self.reasons:
                self.reasons.append(given)
        return reasons

    def set(self, **changes: Any) -> None:
        """Change fields of the row."""
        self.row = msgspec.structs.replace(self.row, **changes)

    @property
    def open(self) -> Obligation:
        """The open obligation.

        Raises:
            InvariantBroken: none is open.
        """
        if self.row.obligation is None:
            raise InvariantBroken("no obligation is open")
        return self.row.obligation

    @property
    def ruled_by(self) -> Policy:
        """The policy under which the obligation is open.

        Raises:
            InvariantBroken: the book has none for the platform, and its obligations ended with that.
        """
        if self.policy is None:
            raise InvariantBroken("an open obligation without a policy")
        return self.policy


def advance(stage: Stage, change: Change) -> Stage:
    """Return the stage after a change.

    Raises:
        InvariantBroken: the pair is not in the table.
    """
    following = NEXT.get((stage, change))
    if following is None:
        raise InvariantBroken(f"an obligation in stage {stage!r} cannot {change!r}")
    return following


def stage_of(row: Row) -> Stage:
    """Return the stage of the open obligation, `none` where none is open."""
    return row.obligation.stage if row.obligation is not None else "none"


def _change(case: Case, change: Change, **changes: Any) -> None:
    stage = advance(stage_of(case.row), change)
    case.set(obligation=msgspec.structs.replace(case.open, stage=stage, **changes))


def _close(case: Case, change: Literal["meet", "cancel"], *, met: bool) -> None:
    advance(stage_of(case.row), change)
    case.set(obligation=None, met=met)


def _say(case: Case, kind: str, reasons: tuple[Reason, ...], **fields: Any) -> None:
    obligation = case.open
    case.said.append(Saying(kind, fields, obligation.id, obligation.phase, reasons))


def notify(case: Case, policy: Policy, phase: Phase, obligation_id: str, reasons: tuple[Reason, ...]) -> None:
    """Begin a duty: the notice goes out and the clock of the grace period starts."""
    advance(stage_of(case.row), "notify")
    deadline_at = deadline_of(phase.grace, case.at)
    obligation = Obligation(
        id=obligation_id,
        phase=phase.id,
        stage="grace",
        notified_at=case.at,
        deadline_at=deadline_at,
        reminders=reminders_of(phase.grace, deadline_at, case.at),
    )
    case.set(obligation=obligation, met=False)
    is_individual = profile_of(case.row).owner == "individual"
    display = policy.display.individual if is_individual else policy.display.organisation
    _say(
        case,
        "disclosure-required",
        reasons,
        followers=case.row.followers,
        observed_at=text(case.row.observed_at),
        threshold=phase.threshold,
        op=phase.op,
        display=display,
        deadline_at=text(deadline_at),
        notice_channel=policy.notice.channel,
    )
    _say(case, "grace-started", reasons, notified_at=text(case.at), deadline_at=text(deadline_at))


def remind(case: Case) -> None:
    """Say that so many days are left; the reminder is planned no more."""
    obligation = case.open
    if not obligation.reminders:
        raise InvariantBroken("a reminder of an obligation that has none to come")
    (_, days_left), deadline_at = obligation.reminders[0], text(obligation.deadline_at)
    _change(case, "remind", reminders=obligation.reminders[1:])
    reasons = case.because(reason("reminder-due", deadline_at=deadline_at, days_left=days_left))
    _say(case, "grace-reminder", reasons, deadline_at=deadline_at, days_left=days_left)


def answer(case: Case, given: Literal["agree", "decline"]) -> None:
    """Remember the last answer of an open grace."""
    _change(case, "go-on", answer=given)


def stop(case: Case, why: HoldReason, because: Reason) -> None:
    """Stop the clock, or add a reason to those for which it stands already."""
    obligation = case.open
    if why in obligation.holds:
        case.because(because, reason("clock-stopped", by=why))
        return
    was_held = obligation.was_held or why == "held"
    holds = (*obligation.holds, why)
    if obligation.stage == "stopped":
        _change(case, "go-on", holds=holds, was_held=was_held)
        case.because(because, reason("clock-stopped", by=obligation.holds[0]))
        return
    _change(case, "stop", holds=holds, was_held=was_held, stopped_at=case.at, reminders=())
    _say(case, "grace-suspended", case.because(because), why=why)


def release(case: Case, why: HoldReason, because: Reason) -> None:
    """Take away a reason for which the clock stands; with the last one it runs again with what was left."""
    obligation = case.open
    if why not in obligation.holds:
        case.because(because)
        return
    holds = tuple(held for held in obligation.holds if held != why)
    if holds:
        _change(case, "go-on", holds=holds)
        case.because(because, reason("clock-stopped", by=holds[0]))
        return
    left, reasons = _time_left(case)
    deadline_at = after(case.at, left)
    _change(
        case,
        "resume",
        holds=(),
        was_held=False,
        stopped_at=None,
        deadline_at=deadline_at,
        reminders=reminders_of(_grace(case), deadline_at, case.at),
    )
    _say(case, "grace-resumed", case.because(because, *reasons), deadline_at=text(deadline_at))


def _time_left(case: Case) -> tuple[int, tuple[Reason, ...]]:
    obligation = case.open
    if obligation.stopped_at is None:
        raise InvariantBroken("a stopped clock without the instant at which it stopped")
    left = obligation.deadline_at - obligation.stopped_at
    reasons = [reason("time-left", left_s=left // SECOND)]
    grace = _grace(case)
    if obligation.was_held and grace is not None and left < grace.min_days * DAY:
        left = grace.min_days * DAY
        reasons.append(reason("at-least-min-days", min_days=grace.min_days))
    return left, tuple(reasons)


def _grace(case: Case) -> Grace | None:
    """Return the grace rules of the obligation's phase, None where a new book has no such phase."""
    return next((phase.grace for phase in case.ruled_by.phases if phase.id == case.open.phase), None)


def extend(case: Case, until: int, reason_code: str) -> None:
    """Move the deadline of an open grace later, never earlier."""
    previous = case.open.deadline_at
    if until <= previous:
        case.because(reason("not-extended", until=text(until), deadline_at=text(previous)))
        return
    reminders = reminders_of(_grace(case), until, case.at) if case.open.stage == "grace" else ()
    _change(case, "extend", deadline_at=until, reminders=reminders)
    reasons = case.because(reason("extended", reason_code=reason_code, until=text(until)))
    _say(case, "grace-extended", reasons, previous_deadline_at=text(previous), deadline_at=text(until))


def impose(case: Case, outcome: Literal["expired", "declined"], reasons: tuple[Reason, ...]) -> None:
    """End the grace and put the measures of the policy in force."""
    imposed = case.ruled_by.measures
    why = "declined" if case.open.answer == "decline" else "no-reply"
    _change(
        case,
        "impose",
        measures=imposed.impose,
        reminders=(),
        holds=(),
        was_held=False,
        stopped_at=None,
    )
    _say(case, "grace-ended", reasons, outcome=outcome)
    measures, untouched = list(imposed.impose), list(imposed.untouched)
    _say(case, "restriction-imposed", reasons, measures=measures, untouched=untouched, why=why)


def meet(case: Case, because: Reason) -> None:
    """End the obligation because the name is displayed."""
    reasons = case.because(because)
    restricted = case.open.stage == "restricted"
    if not restricted:
        _say(case, "grace-ended", reasons, outcome="met")
    _say(case, "disclosure-met", reasons, by="displayed")
    if restricted:
        _say(case, "restriction-lifted", reasons, measures=list(case.open.measures), why="displayed")
    _close(case, "meet", met=True)


def cancel(case: Case, why: CancelWhy, reasons: tuple[Reason, ...]) -> None:
    """End the obligation without a display; what was imposed is lifted."""
    restricted = case.open.stage == "restricted"
    if not restricted:
        _say(case, "grace-ended", reasons, outcome="cancelled")
    _say(case, "disclosure-cancelled", reasons, why=why)
    if restricted:
        _say(case, "restriction-lifted", reasons, measures=list(case.open.measures), why=why)
    _close(case, "cancel", met=False)
