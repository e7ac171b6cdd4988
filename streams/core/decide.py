"""What one record, due instant or new book means for one account.

Laws of this file:
- `decide` is a function of its arguments. It reads no clock: time is `at`.
- It raises only `InvariantBroken`. A repeated fact, a late count, an exempt account, a day before
  any policy is a decision with a reason.
- The order of the rules is the order of the lines.

Source:
    Contract, section 3; each branch names its paragraph.
"""

from typing import Literal, NamedTuple, assert_never

import msgspec

from schemas import topics
from schemas.account import NO_COUNT, Profile, Row
from schemas.inputs import (
    AdjudicationMade,
    AnswerGiven,
    FollowerCountChanged,
    NameDisplayChanged,
    ProfileChanged,
)
from schemas.instant import DAY, text
from schemas.policy import Phase, Policy, PolicyBook
from schemas.reasons import Reason, reason
from schemas.wire import in_order, sha256_hex
from streams.core import obligations
from streams.core.band import KEPT_BEFORE_T, bounds, forgotten_after
from streams.core.deadlines import Due
from streams.core.obligations import CancelWhy, Case, Saying
from streams.core.rolling import purge_from, with_count
from streams.core.scope import (
    covering,
    is_below_all,
    named_phase,
    phases_in_force,
    profile_of,
    reached_since,
)

Fact = ProfileChanged | AnswerGiven | NameDisplayChanged | AdjudicationMade


class BookAdopted(NamedTuple):
    """A new policy book, looked at for one account."""

    platform: str
    account_id: str
    book: str


Input = FollowerCountChanged | Fact | Due | BookAdopted

NOTHING_KNOWN = Row()
SHORT_ID_DIGITS = 32
CHANGES_OF_POLICY = ("phase-ended", "book-adopted")


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What is decided of one account.

    `row` is the account afterwards (None: not watched, or forgotten). A decision that changes no row
    and says nothing leaves no trace anywhere: it is quiet.
    """

    row: Row | None
    changed: bool
    said: tuple[Saying, ...]
    reasons: tuple[Reason, ...]


def decide(row: Row | None, record: Input, book: PolicyBook, at: int) -> Decision:
    """Decide what a record means for the account that it is about.

    Args:
        row: The account so far, None where it is not watched.
        record: A count, a fact, something that falls due, or a new book.
        book: The policy book that the partition has adopted.
        at: T, the time of the partition, in µs. Everything due before the record was decided before.

    Returns:
        The row afterwards, what is said outside in its order, and why.

    Raises:
        InvariantBroken: an obligation was asked for a transition that the table does not have.
    """
    policy = book.policies.get(record.platform)
    before, forgotten = _forget(row, policy, record, at)
    effective_at = record.due if isinstance(record, Due) else at
    case = Case(before if before is not None else NOTHING_KNOWN, policy, at, effective_at)
    case.because(*forgotten)
    taken = _take(case, record, before)
    if taken:
        _look_again(case, record)
    after = case.row if taken or before is not None else None
    return Decision(after, after != row, tuple(case.said), tuple(case.reasons))


def _forget(
    row: Row | None, policy: Policy | None, record: Input, at: int
) -> tuple[Row | None, tuple[Reason, ...]]:
    """A row of counts alone is forgotten at the next record of its account, before that is looked at."""
    if row is None or policy is None or isinstance(record, (Due, BookAdopted)):
        return row, ()
    if at <= forgotten_after(policy, row):
        return row, ()
    return None, (reason("row-forgotten", followers=row.followers, observed_at=text(row.observed_at)),)


def _take(case: Case, record: Input, before: Row | None) -> bool:
    """Let a record change the row; return whether everything is to be looked at again."""
    match record:
        case FollowerCountChanged():
            return _take_count(case, record, before)
        case Due():
            return _fall_due(case, record)
        case BookAdopted():
            case.because(reason("book-adopted", book=record.book))
            return True
        case ProfileChanged() | AnswerGiven() | NameDisplayChanged() | AdjudicationMade():
            return _take_fact(case, record)
        case _:
            assert_never(record)


# What is taken: counts -------------------------------------------------------------------------------


def _take_count(case: Case, count: FollowerCountChanged, before: Row | None) -> bool:
    policy, row = case.policy, case.row
    if policy is None:
        return False
    not_taken = _why_not_taken(policy, before, count, case.at)
    if not_taken is not None:
        case.because(not_taken)
        return False
    case.set(
        followers=count.followers,
        observed_at=count.observed_at,
        days=with_count(row.days, count.observed_at, count.followers),
        sides=_sides(policy, row, count),
    )
    case.because(reason("count-recorded", followers=count.followers))
    return True


def _why_not_taken(policy: Policy, row: Row | None, count: FollowerCountChanged, at: int) -> Reason | None:
    last = row if row is not None and row.followers != NO_COUNT else None
    if last is not None and count.observed_at < last.observed_at:
        return reason("older-observation", observed_at=text(last.observed_at))
    if count.observed_at < at - KEPT_BEFORE_T:
        return reason("too-old")
    watched = count.followers >= policy.watch_from
    if last is None:
        return None if watched or row is not None else reason("quiet")
    lo, hi = bounds(policy, last.followers)
    if not lo <= count.followers <= hi:
        return None
    if watched and count.observed_at // DAY > last.observed_at // DAY:
        return None
    return reason("quiet")


def _sides(policy: Policy, row: Row, count: FollowerCountChanged) -> tuple[tuple[int, str, int], ...]:
    """Return since when the counts taken have reached each threshold, this count included."""
    sides = []
    for phase in policy.phases:
        if phase.reached(count.followers):
            since = reached_since(row, phase) if phase.reached(row.followers) else count.observed_at
            side = (phase.threshold, phase.op, since)
            if side not in sides:
                sides.append(side)
    return tuple(sorted(sides))


# What is taken: facts --------------------------------------------------------------------------------


def _take_fact(case: Case, fact: Fact) -> bool:
    for kind, occurred_at, event_id in case.row.facts:
        if kind != fact.type:
            continue
        if occurred_at > fact.occurred_at:
            case.because(reason("older-fact", occurred_at=text(occurred_at)))
            return False
        if event_id == fact.event_id:
            case.because(reason("repeated-fact"))
            return False
    others = tuple(entry for entry in case.row.facts if entry[0] != fact.type)
    case.set(facts=tuple(sorted((*others, (fact.type, fact.occurred_at, fact.event_id)))))
    match fact:
        case ProfileChanged():
            _record_profile(case, fact)
        case AnswerGiven():
            _record_answer(case, fact)
        case NameDisplayChanged():
            _record_display(case, fact)
        case AdjudicationMade():
            _record_ruling(case, fact)
        case _:
            assert_never(fact)
    return True


def _record_profile(case: Case, fact: ProfileChanged) -> None:
    said = {name: getattr(fact, name) for name in Profile.__struct_fields__}
    given = {name: value for name, value in said.items() if value is not None}
    case.set(profile=msgspec.structs.replace(profile_of(case.row), **given))
    case.because(reason("profile-recorded"))


def _record_display(case: Case, fact: NameDisplayChanged) -> None:
    case.set(displayed=fact.displayed, met=case.row.met and fact.displayed)
    case.because(reason("display-recorded", displayed=fact.displayed))
    if fact.displayed and case.row.obligation is not None:
        obligations.meet(case, reason("displayed", occurred_at=text(fact.occurred_at)))


def _has_grace(case: Case) -> bool:
    return obligations.stage_of(case.row) in ("grace", "stopped")


def _record_answer(case: Case, fact: AnswerGiven) -> None:
    if not _has_grace(case):
        case.because(reason("no-open-grace"))
        return
    because = reason("answered", answer=fact.answer, occurred_at=text(fact.occurred_at))
    obligations.answer(case, fact.answer)
    if fact.answer == "agree":
        obligations.stop(case, "agreed", because)
    elif _refuses_at_once(case) and "held" not in case.open.holds:
        _end_grace(case, "declined", because)
    else:
        obligations.release(case, "agreed", because)


def _refuses_at_once(case: Case) -> bool:
    return case.open.answer == "decline" and case.ruled_by.measures.on_decline == "at-once"


def _record_ruling(case: Case, fact: AdjudicationMade) -> None:
    code = fact.reason_code
    match fact.ruling:
        case "waive":
            case.set(waived=True, waived_until=fact.until)
            case.because(_waived(fact))
        case "revoke":
            case.set(waived=False, waived_until=None)
            case.because(reason("waiver-revoked", reason_code=code))
        case _ if not _has_grace(case):
            case.because(reason("no-open-grace"))
        case "hold":
            obligations.stop(case, "held", reason("held", reason_code=code))
        case "release":
            _end_hold(case, reason("released", reason_code=code))
        case "extend":
            obligations.extend(case, fact.until if fact.until is not None else case.open.deadline_at, code)
        case _:
            assert_never(fact.ruling)


def _waived(fact: AdjudicationMade) -> Reason:
    if fact.until is None:
        return reason("waived", reason_code=fact.reason_code)
    return reason("waived-until", reason_code=fact.reason_code, until=text(fact.until))


def _end_hold(case: Case, because: Reason) -> None:
    if "held" in case.open.holds and _refuses_at_once(case):
        _end_grace(case, "declined", because)
    else:
        obligations.release(case, "held", because)


# What falls due --------------------------------------------------------------------------------------


def _fall_due(case: Case, due: Due) -> bool:
    match due.kind:
        case "reminder":
            obligations.remind(case)
            return False
        case "deadline":
            passed = reason("deadline-passed", deadline_at=text(case.open.deadline_at))
            _end_grace(case, "expired", passed)
            return False
        case "phase-end":
            case.because(reason("phase-ended"))
        case "phase-begin":
            case.because(reason("phase-began"))
        case "waiver-end" | "dwell-end":
            pass  # what follows of either is looked at again
        case _:
            assert_never(due.kind)
    return True


def _end_grace(case: Case, outcome: Literal["expired", "declined"], because: Reason) -> None:
    """End a grace that lapsed or was refused; who is below then is not restricted where measures would be lifted.

    Nobody is below where no phase in force covers the account: a phase that ends at this very instant does so after
    the deadline, and the end is what cancels.

    Source:
        Contract, section 3, "Deadline" and "Answers".
    """
    policy = case.ruled_by
    if policy.below.pending == "keep" and policy.below.measures == "lift":
        phases = covering(policy, case.row, case.effective_at)
        if phases and is_below_all(policy, phases, case.row):
            reasons = (*case.because(because), *_fell_below(case, phases))
            obligations.cancel(case, "fell-below", reasons)
            return
    if case.open.answer == "decline":
        told = reason("last-answer", answer="decline")
    else:
        told = reason("no-answer", notified_at=text(case.open.notified_at))
    obligations.impose(case, outcome, case.because(because, told))


# What is looked at again -----------------------------------------------------------------------------


def _look_again(case: Case, record: Input) -> None:
    """End what does not stand any more, stop or resume the clock for a profile, begin what has to begin."""
    if case.row.obligation is not None:
        _close_what_fell(case, record)
    if _has_grace(case):
        _follow_status(case)
    if case.row.waived_until is not None and case.row.waived_until <= case.effective_at:
        case.set(waived=False, waived_until=None)
        case.because(reason("waiver-ended"))
    if case.row.obligation is None:
        _begin(case, record)


def _close_what_fell(case: Case, record: Input) -> None:
    why = _why_cancelled(case, record)
    if why is None:
        return
    if why == "fell-below":
        reasons = _fell_below(case, covering(case.ruled_by, case.row, case.effective_at))
    elif why == "waived":
        reasons = tuple(case.reasons)  # a waiver ends at once what is open, so it was said just now
    else:
        cause = tuple(given for given in case.reasons if given["code"] in CHANGES_OF_POLICY)
        reasons = case.because(reason(why), *cause)
    obligations.cancel(case, why, reasons)


def _why_cancelled(case: Case, record: Input) -> CancelWhy | None:
    """Return why the open obligation ends, the first of the contract's order; None where it stands."""
    row, policy = case.row, case.policy
    if profile_of(row).status == "deleted":
        return "account-deleted"
    if row.waived:
        return "waived"
    if policy is None:
        return "policy-changed"
    phases = covering(policy, row, case.effective_at)
    if not phases:
        return "out-of-scope" if phases_in_force(policy, case.effective_at) else "policy-changed"
    if not is_below_all(policy, phases, row):
        return None
    if isinstance(record, BookAdopted) or (isinstance(record, Due) and record.kind == "phase-end"):
        return "policy-changed"
    restricted = case.open.stage == "restricted"
    falls = policy.below.measures == "lift" if restricted else policy.below.pending == "cancel"
    return "fell-below" if falls else None


def _fell_below(case: Case, phases: tuple[Phase, ...]) -> tuple[Reason, ...]:
    followers, purge = case.row.followers, case.ruled_by.purge
    lowest = min(phase.threshold for phase in phases)
    reasons = [reason("below-every-phase", followers=followers, below=lowest)]
    if purge is not None and (highest := purge_from(purge, case.row)) is not None:
        within_days = purge.within_days
        reasons.append(
            reason("suspected-purge", highest=highest, followers=followers, within_days=within_days)
        )
    return case.because(*reasons)


def _follow_status(case: Case) -> None:
    suspended = profile_of(case.row).status == "suspended"
    if suspended and "account-suspended" not in case.open.holds:
        obligations.stop(case, "account-suspended", reason("account-suspended"))
    elif not suspended and "account-suspended" in case.open.holds:
        obligations.release(case, "account-suspended", reason("account-active"))


def _begin(case: Case, record: Input) -> None:
    policy, row = case.policy, case.row
    if policy is None:
        return
    phase = named_phase(policy, row, case.effective_at, case.at)
    if phase is None:
        return
    reasons = [
        reason(
            "threshold-reached",
            followers=row.followers,
            op=phase.op,
            threshold=phase.threshold,
            phase=phase.id,
        )
    ]
    if policy.confirm.dwell_days:
        since = text(reached_since(row, phase))
        reasons.append(reason("dwell-over", since=since, dwell_days=policy.confirm.dwell_days))
    opening = {
        "account_id": record.account_id,
        "cause": cause_of(record),
        "opened_at": text(case.at),
        "phase": phase.id,
        "platform": record.platform,
    }
    obligation_id = sha256_hex(in_order(opening))[:SHORT_ID_DIGITS]
    obligations.notify(case, policy, phase, obligation_id, case.because(*reasons))


def cause_of(record: Input) -> dict[str, str]:
    """Return the cause of a decision as its outputs show it, in canonical order."""
    match record:
        case FollowerCountChanged():
            return {"event_id": record.event_id, "topic": topics.COUNTS}
        case Due():
            return {"due": text(record.due)}
        case BookAdopted():
            return {"book": record.book}
        case _:
            return {"event_id": record.event_id, "topic": topics.FACTS}
