"""The contract's section 3 once more, as naively as it can be said.

Written from the contract alone and kept apart from `streams.core` on purpose: no bands, no heaps, no planned
work. Every account keeps all its taken counts, every instant scans all accounts, and the next due instant is
found by looking at all of them. Where the contract has two readings, an expected field lists both, as in
`"out-of-scope|policy-changed"`, or the stage of a status is left out.
"""

from collections.abc import Iterable
from typing import Any

from oracle_book import FOR_GOOD, Phase, Policy
from oracle_inputs import DAY, at, read, said
from oracle_rows import Obligation, Row

REMINDER, DEADLINE, WAIVER_END, PHASE_END, PHASE_BEGIN, DWELL_END = range(6)


class World:
    """All rows, one T, and what was put out."""

    def __init__(self, book: dict[str, Policy], *, clock: bool) -> None:
        self.book = book
        self.clock = clock
        self.T: int | None = None
        self.rows: dict[tuple[str, str], Row] = {}
        self.known: set[tuple[str, str]] = set()
        self.opened: dict[tuple[str, str], int] = {}
        self.outputs: list[dict[str, Any]] = []
        self.dead: list[str] = []

    # ------------------------------------------------------------------------------------------- time

    def go_to(self, target: int) -> None:
        """Move T, and fire whatever is due at or before it."""
        if self.T is None:
            self.T = target
        self._arrive(self.T)  # a decision may have planned something for its own T
        target = max(self.T, target)
        while not self.clock and (stop := self._next_stop(target)) is not None:
            self._arrive(max(self.T, stop))
        self._arrive(target)

    def _next_stop(self, target: int) -> int | None:
        assert self.T is not None
        instants = [due[0] for row in self.rows.values() for due in self._dues(row, self.T, target)]
        return min(instants, default=None)

    def _arrive(self, new: int) -> None:
        before, self.T = self.T, new
        fired = set()
        while True:
            dues = [
                (due[0], row.platform, row.account_id, due[1], due[2])
                for row in self.rows.values()
                for due in self._dues(row, before, new)
            ]
            due = min((one for one in dues if one not in fired), default=None)
            if due is None:
                return
            instant, platform, account_id, kind, number = due
            if kind in (PHASE_END, PHASE_BEGIN, DWELL_END):
                fired.add(due)
            self._fire(self.rows[platform, account_id], instant, kind, number)

    def _dues(self, row: Row, before: int, new: int) -> list[tuple[int, int, int]]:
        """(instant, kind, days before or number of the phase) of all that is due to a row by `new`."""
        policy, found = row.policy, []
        obligation = row.obligation
        if obligation and not obligation.restricted and not obligation.stopped_by:
            found.append((obligation.deadline, DEADLINE, 0))
            for days in obligation.phase.reminders:
                instant = obligation.deadline - days * DAY
                if instant > obligation.reminders_after and days not in obligation.reminded:
                    found.append((instant, REMINDER, days))
        if row.waived_until is not None:
            found.append((row.waived_until, WAIVER_END, 0))
        for number, phase in enumerate(policy.phases):
            once = [(phase.ends, PHASE_END, number), (phase.begins, PHASE_BEGIN, number)]
            if policy.dwell > 0 and (since := row.reached_since(phase)) is not None:
                once.append((since + policy.dwell, DWELL_END, number))
            found += [due for due in once if before < due[0]]
        return [due for due in found if due[0] <= new]

    def _fire(self, row: Row, instant: int, kind: int, number: int) -> None:
        obligation = row.obligation
        if kind == REMINDER:
            assert obligation is not None
            obligation.reminded.add(number)
            self._put(row, instant, "grace-reminder", deadline_at=said(obligation.deadline), days_left=number)
        elif kind == DEADLINE:
            self._end_grace(row, instant, "expired")
        elif kind == PHASE_END:
            self._look_at_the_end_of_a_phase(row, instant)
        else:
            if kind == WAIVER_END:
                row.waived_until = None
            self._look_whether_a_duty_begins(row, instant)

    # ---------------------------------------------------------------------------------------- records

    def take(self, record: dict[str, Any]) -> None:
        """Decide on a record, T being where it has moved it."""
        key = record["platform"], record["account_id"]
        self.known.add(key)
        if key in self.rows and self.rows[key].is_forgotten(self.T):
            del self.rows[key]
        if "followers" in record:
            self._take_count(key, record)
        else:
            self._take_fact(key, record)

    def _take_count(self, key: tuple[str, str], record: dict[str, Any]) -> None:
        policy, row = self.book[key[0]], self.rows.get(key)
        followers, observed_at = record["followers"], at(record["observed_at"])
        if observed_at < self.T - 30 * DAY:
            return
        watched = followers >= policy.floor
        if row is None or not row.counts:
            is_taken = row is not None or watched
        else:
            last_at, last = row.counts[-1]
            crossed = policy.sides(followers) != policy.sides(last)
            is_daily = watched and observed_at // DAY > last_at // DAY
            is_taken = observed_at >= last_at and (crossed or is_daily)
        if not is_taken:
            return
        row = self.rows.setdefault(key, Row(*key, self.book[key[0]]))
        row.counts.append((observed_at, followers))
        self._look_whether_it_stands(row, self.T)
        self._look_whether_a_duty_begins(row, self.T)

    def _take_fact(self, key: tuple[str, str], fact: dict[str, Any]) -> None:
        row = self.rows.setdefault(key, Row(*key, self.book[key[0]]))
        kind, occurred_at, event_id = fact["type"], at(fact["occurred_at"]), fact["event_id"]
        if kind in row.facts:
            last_at, last_id = row.facts[kind]
            if occurred_at < last_at or event_id == last_id:
                return
        row.facts[kind] = occurred_at, event_id
        if kind == "profile-changed":
            self._change_profile(row, fact)
        elif kind == "answer-given":
            self._answer(row, fact["answer"])
        elif kind == "name-display-changed":
            row.displayed = fact["displayed"]
            if row.displayed and row.obligation:
                self._close(row, self.T, "displayed")
        else:
            self._rule(row, fact)
        self._look_whether_a_duty_begins(row, self.T)

    def _change_profile(self, row: Row, fact: dict[str, Any]) -> None:
        names = ("owner", "self_media", "subjects", "daily_life", "verified", "status")
        row.profile.update({name: fact[name] for name in names if name in fact})
        self._look_whether_it_stands(row, self.T)
        if self._has_open_grace(row):
            if row.of("status") == "suspended":
                self._stop(row, "account-suspended")
            else:
                self._go_on(row, "account-suspended")

    def _answer(self, row: Row, answer: str) -> None:
        if not self._has_open_grace(row):
            return
        obligation = row.obligation
        obligation.answer = answer
        if answer == "agree":
            self._stop(row, "agreed")
        elif row.policy.at_once and "held" not in obligation.stopped_by:
            self._end_grace(row, self.T, "declined")
        else:
            self._go_on(row, "agreed")

    def _rule(self, row: Row, fact: dict[str, Any]) -> None:
        ruling, obligation = fact["ruling"], row.obligation
        until = at(fact["until"]) if "until" in fact else FOR_GOOD
        if ruling == "waive":
            row.waived_until = until
            if obligation:
                self._close(row, self.T, "waived")
            if until <= self.T:
                row.waived_until = None
        elif ruling == "revoke":
            row.waived_until = None
        elif not self._has_open_grace(row):
            return
        elif ruling == "hold":
            self._stop(row, "held")
            obligation.was_held = True
        elif ruling == "release":
            is_over = row.policy.at_once and obligation.answer == "decline"
            if "held" in obligation.stopped_by and is_over:
                self._end_grace(row, self.T, "declined")
            else:
                self._go_on(row, "held")
        elif ruling == "extend" and until > obligation.deadline:
            before, obligation.deadline = obligation.deadline, until
            obligation.left += until - before
            self._plan_reminders(obligation)
            self._put(
                row, self.T, "grace-extended", previous_deadline_at=said(before), deadline_at=said(until)
            )

    # -------------------------------------------------------------------------------------- the clock

    def _has_open_grace(self, row: Row) -> bool:
        return row.obligation is not None and not row.obligation.restricted

    def _plan_reminders(self, obligation: Obligation) -> None:
        obligation.reminders_after = self.T
        obligation.reminded = set()

    def _stop(self, row: Row, reason: str) -> None:
        obligation = row.obligation
        if reason in obligation.stopped_by:
            return
        obligation.stopped_by.append(reason)
        if len(obligation.stopped_by) == 1:
            obligation.left = obligation.deadline - self.T
            self._put(row, self.T, "grace-suspended", why=reason)

    def _go_on(self, row: Row, reason: str) -> None:
        obligation = row.obligation
        if reason not in obligation.stopped_by:
            return
        obligation.stopped_by.remove(reason)
        if obligation.stopped_by:
            return
        if obligation.was_held:
            obligation.left = max(obligation.left, obligation.phase.min_days * DAY)
        obligation.was_held = False
        obligation.deadline = self.T + obligation.left
        self._plan_reminders(obligation)
        self._put(row, self.T, "grace-resumed", deadline_at=said(obligation.deadline))

    # ---------------------------------------------------------------------------------------- looking

    def _look_whether_a_duty_begins(self, row: Row, instant: int) -> None:
        """`instant` is a due one or T; a phase must be in force at both."""
        policy = row.policy
        if not policy.enabled or row.obligation or row.displayed or row.of("status") != "active":
            return
        if row.waived_until is not None:
            return
        reached = []
        for phase in policy.phases:
            since = row.reached_since(phase)
            is_confirmed = since is not None and (not policy.dwell or since + policy.dwell <= instant)
            if is_confirmed and phase.in_force(instant) and phase.in_force(self.T) and row.covers(phase):
                reached.append(phase)
        if reached:
            self._open(row, instant, max(reached, key=lambda phase: phase.threshold))

    def _open(self, row: Row, instant: int, phase: Phase) -> None:
        policy, (observed_at, followers) = row.policy, row.counts[-1]
        key = row.platform, row.account_id
        self.opened[key] = self.opened.get(key, 0) + 1
        deadline = self.T + phase.days * DAY
        if phase.deadline is not None and phase.deadline - self.T >= phase.min_days * DAY:
            deadline = phase.deadline
        row.obligation = Obligation(self.opened[key], phase, deadline, self.T)
        self._put(
            row,
            instant,
            "disclosure-required",
            followers=followers,
            observed_at=said(observed_at),
            threshold=phase.threshold,
            op=phase.op,
            display=policy.display[row.of("owner")],
            deadline_at=said(deadline),
            notice_channel=policy.channel,
        )
        self._put(row, instant, "grace-started", notified_at=said(self.T), deadline_at=said(deadline))

    def _look_whether_it_stands(self, row: Row, instant: int) -> None:
        """Deleted, out of scope, fallen below: after a count or a change of profile."""
        if not row.obligation or row.counts == []:
            return
        policy = row.policy
        is_kept = policy.keep_measures if row.obligation.restricted else policy.keep_pending
        if row.of("status") == "deleted":
            self._close(row, instant, "account-deleted")
        elif not row.covering(instant):
            self._close(row, instant, "out-of-scope")
        elif not row.stands(instant) and not is_kept:
            self._close(row, instant, "fell-below")

    def _look_at_the_end_of_a_phase(self, row: Row, instant: int) -> None:
        if not row.obligation or row.stands(instant):
            return
        others = any(phase.in_force(instant) for phase in row.policy.phases)
        is_unclear = others and not row.covering(instant)
        self._close(row, instant, "out-of-scope|policy-changed" if is_unclear else "policy-changed")

    # ----------------------------------------------------------------------------------------- ending

    def _end_grace(self, row: Row, instant: int, outcome: str) -> None:
        """The deadline, or a decline at once."""
        policy, obligation = row.policy, row.obligation
        keeps_then_lifts = policy.keep_pending and not policy.keep_measures
        if keeps_then_lifts and row.covering(instant) and not row.stands(instant):  # README, Decisions
            self._close(row, instant, "fell-below")
            return
        why = "declined" if obligation.answer == "decline" else "no-reply"
        self._put(row, instant, "grace-ended", outcome=outcome)
        self._put(
            row, instant, "restriction-imposed", measures=policy.impose, untouched=policy.untouched, why=why
        )
        obligation.restricted, obligation.imposed = True, policy.impose
        obligation.stopped_by = []

    def _close(self, row: Row, instant: int, why: str) -> None:
        purge = row.purge() if why == "fell-below" else []
        is_met = why == "displayed"
        if not row.obligation.restricted:
            self._put(row, instant, "grace-ended", purge, outcome="met" if is_met else "cancelled")
        if is_met:
            self._put(row, instant, "disclosure-met", by="displayed")
        else:
            self._put(row, instant, "disclosure-cancelled", purge, why=why)
        if row.obligation.restricted:
            measures = row.obligation.imposed
            self._put(row, instant, "restriction-lifted", purge, measures=measures, why=why)
        row.obligation, row.last_end = None, why

    def _put(self, row: Row, instant: int, kind: str, purge: Iterable[int] = (), **fields: Any) -> None:
        topic = kind.partition("-")[0]
        topic = {"disclosure": "disclosure-required", "grace": "grace-periods"}.get(topic, "restrictions")
        self.outputs.append(
            {
                "topic": topic,
                "type": kind,
                "platform": row.platform,
                "account_id": row.account_id,
                "obligation": row.obligation.number,
                "phase": row.obligation.phase.id,
                "policy_version": row.policy.version,
                "decided_at": said(self.T),
                "effective_at": said(instant),
                "purge": list(purge),
                **fields,
            }
        )

    # ----------------------------------------------------------------------------------------- status

    def status(self) -> list[dict[str, Any]]:
        """The last account-status of every account that a readable record named."""
        found = []
        for key in sorted(self.known):
            one: dict[str, Any] = {"platform": key[0], "account_id": key[1]}
            found.append(
                {**one, **self.rows[key].status(self.T)} if key in self.rows else {**one, "gone": True}
            )
        return found


def expected(
    book: dict[str, Policy], lines: Iterable[dict[str, Any]], until: str | None, partitions: int = 1
) -> World:
    """Return the world after all lines: its `outputs`, `status()` and codes of `dead` letters.

    Args:
        book: As `load` returns it.
        lines: Of the replay files, in order, numbers with a point as Decimal.
        until: Where T goes at the end.
        partitions: Any number: the outputs of an account are the same.
    """
    del partitions
    lines = list(lines)
    world = World(book, clock=any(line["topic"] == "clock" for line in lines))
    for line in lines:
        record, code, own = read(line, book, world.T if world.clock else None)
        if code:
            world.dead.append(code)
        elif line["topic"] == "clock":
            world.go_to(own)
        else:
            if not world.clock or world.T is not None:
                world.go_to(world.T if world.clock else own)
            world.take(record)
    if until is not None:
        world.go_to(at(until))
    return world
