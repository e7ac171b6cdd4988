"""What would change the state of an account, and what changes it by itself: asked of the core.

No rule stands here. What may come is decided by `decide` on hypothetical records, and what comes by
itself by the core's own agenda of dues; an answer that changes nothing for the duty is left out.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Literal, NamedTuple

import msgspec

from schemas.account import Row
from schemas.instant import FOREVER, text
from schemas.policy import Policy, PolicyBook
from streams.core.agenda import Agenda
from streams.core.deadlines import Due
from streams.core.decide import Decision, decide
from streams.core.sealing import shown_stage
from streams.explain.needs import Need, needs_of, record_of

LARGEST_COMBINATION = 4
"""Of needs with an effect together: one for each kind but the answer, which begins no duty."""

Effect = Literal["ends", "stops", "resumes", "later", "begins", "prevents", "watched"]
"""`ends`, `stops`, `resumes` and `later`: of an open duty, its clock and its deadline. `prevents`: of a duty
that would begin by itself. `watched`: the account gets a row."""


class Situation(NamedTuple):
    """An account at an instant."""

    book: PolicyBook
    platform: str
    account_id: str
    row: Row | None
    at: int
    """The instant that is asked about."""
    decided_upto: int
    """The time of the partition then: what was due at or before it is decided."""

    @property
    def policy(self) -> Policy | None:
        """The policy of the account's platform."""
        return self.book.policies.get(self.platform)


class Step(NamedTuple):
    """One thing that comes by itself."""

    at: int
    due: Due
    decision: Decision


class Outcome(NamedTuple):
    """What needs do to the duty, and when; None: where they come at once."""

    effect: Effect
    at: int | None = None
    deadline_at: int | None = None
    phase: str | None = None
    measures: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True):
    """Something that would change the state, all of its needs together."""

    effect: Effect
    needs: tuple[Need, ...]
    at: str | None
    """When it takes effect; None: at once."""
    deadline_at: str | None
    """The deadline afterwards, where it moves."""
    phase: str | None
    """The phase of the duty that begins."""
    measures: tuple[str, ...]
    """What is lifted with the duty."""


# What comes by itself --------------------------------------------------------------------------------


def ahead(here: Situation) -> tuple[Step, ...]:
    """Return what happens if nothing more is said of the account and the policy book stays."""
    key = f"{here.platform}:{here.account_id}".encode()
    row = here.row
    if row is None:
        return ()
    agenda = Agenda(lambda: [key])
    agenda.rebuild(here.book, [(key, row)], here.decided_upto, None)
    steps = []
    while (due := agenda.pop(FOREVER - 1)) is not None:
        at = max(here.at, due.due)
        decision = decide(row, due, here.book, at)
        agenda.plan(here.book, key, decision.row, due.due)
        if decision.row is None:
            break
        stage, row = shown_stage(here.policy, row, due.due - 1), decision.row
        if decision.changed or decision.said or shown_stage(here.policy, row, due.due) != stage:
            steps.append(Step(at, due, decision))
    return tuple(steps)


# What would change it --------------------------------------------------------------------------------


def changes_of(here: Situation) -> tuple[Change, ...]:
    """Return what would end, stop or begin a duty: each single thing, else the least combination that would.

    Of several counts with one effect only the nearest is said, of the others those that do it earlier. That any
    first fact makes an account watched is not said of each.
    """
    here = _settled(here)
    plain = ahead(here)
    needs = tuple(needs_of(here.policy, here.row)) if here.policy is not None else ()
    found: list[tuple[tuple[Need, ...], Outcome]] = []
    for need in needs:
        outcome = _tried(here, plain, (need,))
        if outcome is not None and not _is_said(outcome, need, found):
            found.append(((need,), outcome))
    wanted = _wanted(here.row, plain)
    if wanted is not None and not any(outcome.effect == wanted for _, outcome in found):
        found += _least_combination(here, plain, needs, wanted)
    return tuple(_change(together, outcome) for together, outcome in found)


def _settled(here: Situation) -> Situation:
    """Return the situation after what is due at its instant: that comes before any record."""
    row = here.row
    for step in ahead(here):
        if step.due.due <= here.at:
            row = step.decision.row
    return here._replace(row=row, decided_upto=max(here.at, here.decided_upto))


def _is_open(row: Row | None) -> bool:
    return row is not None and row.obligation is not None


def _is_said(outcome: Outcome, need: Need, found: Iterable[tuple[tuple[Need, ...], Outcome]]) -> bool:
    """Return whether a nearer need of the same kind does the same, and no later."""
    if need.kind != "count" and outcome.effect == "watched":
        return True
    if need.kind != "count" and not need.is_whole:
        return False
    return any(
        other.effect == outcome.effect
        and nearer[0].kind == need.kind
        and (need.kind != "count" or nearer[0].is_more == need.is_more)
        and (other.at is None or (outcome.at is not None and other.at <= outcome.at))
        for nearer, other in found
    )


def _wanted(row: Row | None, plain: tuple[Step, ...]) -> Effect | None:
    """Return what several things together are asked for, where no single one does it; None: each end is single."""
    if row is not None and row.obligation is not None:
        return "resumes" if row.obligation.stage == "stopped" else None
    return None if any(_is_open(step.decision.row) for step in plain) else "begins"


def _least_combination(
    here: Situation, plain: tuple[Step, ...], needs: tuple[Need, ...], wanted: Effect
) -> Iterator[tuple[tuple[Need, ...], Outcome]]:
    """Yield the smallest sets of needs, one of a kind, with an effect: the first, then those that have it earlier."""
    earliest = FOREVER
    for size in range(2, LARGEST_COMBINATION + 1):
        for together in combinations(needs, size):
            if len({need.kind for need in together}) < size:
                continue
            outcome = _tried(here, plain, together)
            if outcome is None or outcome.effect != wanted:
                continue
            at = outcome.at if outcome.at is not None else here.at
            if at < earliest:
                earliest = at
                yield together, outcome
        if earliest < FOREVER:
            return


def _tried(here: Situation, plain: tuple[Step, ...], needs: tuple[Need, ...]) -> Outcome | None:
    row = here.row
    for need in needs:
        row = decide(
            row, record_of(need, here.platform, here.account_id, row, here.at), here.book, here.at
        ).row
    return _compared(here.row, plain, row, ahead(here._replace(row=row)))


def _compared(
    before: Row | None, plain: tuple[Step, ...], after: Row | None, then: tuple[Step, ...]
) -> Outcome | None:
    """Return how the duty fares otherwise than it would by itself."""
    if before is not None and before.obligation is not None:
        return _of_open(before, plain, after, then)
    if after is not None and after.obligation is not None:
        return Outcome("begins", None, after.obligation.deadline_at, after.obligation.phase)
    would, now = _first_open(plain), _first_open(then)
    if now is not None and (would is None or now.at < would.at):
        begun = now.decision.row
        if begun is not None and begun.obligation is not None:
            return Outcome("begins", now.at, begun.obligation.deadline_at, begun.obligation.phase)
    if would is not None and now is None:
        return Outcome("prevents", would.at)
    return Outcome("watched") if before is None and after is not None else None


def _of_open(
    before: Row, plain: tuple[Step, ...], after: Row | None, then: tuple[Step, ...]
) -> Outcome | None:
    duty, now = before.obligation, after.obligation if after is not None else None
    if duty is None:
        return None
    if now is None or now.id != duty.id:
        return Outcome("ends", measures=duty.measures)
    match (duty.stage, now.stage):
        case ("grace", "stopped"):
            return Outcome("stops")
        case ("stopped", "grace"):
            return Outcome("resumes", None, now.deadline_at)
        case _ if now.deadline_at > duty.deadline_at:
            return Outcome("later", None, now.deadline_at)
    would, ends = _end_of(duty.id, plain), _end_of(duty.id, then)
    if ends is not None and (would is None or ends.at < would.at):
        return Outcome("ends", ends.at, measures=duty.measures)
    return None


def _first_open(steps: tuple[Step, ...]) -> Step | None:
    return next((step for step in steps if _is_open(step.decision.row)), None)


def _end_of(obligation_id: str, steps: tuple[Step, ...]) -> Step | None:
    for step in steps:
        row = step.decision.row
        if row is None or row.obligation is None or row.obligation.id != obligation_id:
            return step
    return None


def _change(needs: tuple[Need, ...], outcome: Outcome) -> Change:
    return Change(
        effect=outcome.effect,
        needs=needs,
        at=text(outcome.at) if outcome.at is not None else None,
        deadline_at=text(outcome.deadline_at) if outcome.deadline_at is not None else None,
        phase=outcome.phase,
        measures=outcome.measures,
    )
