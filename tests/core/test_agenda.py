"""The agenda gives what a sorted scan of all rows gives, however rows change and wherever it is made anew."""

from builders import (
    OTHER_PLATFORM,
    PLATFORM,
    book_of,
    day,
    obligation_of,
    phase_tables,
    policy_tables,
    row_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.instant import text
from streams.core.agenda import Agenda
from streams.core.band import FOREVER
from streams.core.deadlines import DWELL_END, KINDS, Due, dues_of, phase_bounds

KEYS = [f"{platform}:acc-{letter}".encode() for platform in (PLATFORM, OTHER_PLATFORM) for letter in "ab"]
LAST = day(40)
EVENT = KINDS.index("phase-end"), KINDS.index("phase-begin")


@st.composite
def books(draw):
    def phase(platform):
        begins, lasts = draw(st.integers(0, 9)), draw(st.integers(1, 4))
        return phase_tables(**{"from": text(day(begins)), "until": text(day(begins + lasts))})

    return book_of(
        *(
            policy_tables(platform=name, phase=[phase(name)], confirm={"dwell_days": draw(st.integers(0, 3))})
            for name in (PLATFORM, OTHER_PLATFORM)
        )
    )


@st.composite
def rows(draw, after):
    """Draw a row of which nothing that it keeps is due up to an instant, or none."""
    first = (after - day(0)) // (day(1) - day(0)) + 1

    def later():
        return day(first + draw(st.integers(0, 5)))

    kind = draw(st.sampled_from(["none", "plain", "waived", "grace", "grace", "both"]))
    if kind == "none":
        return None
    changes = {}
    if kind in ("waived", "both"):
        changes |= {"waived": True, "waived_until": later()}
    if kind in ("grace", "both"):
        deadline_at = later()
        reminder = min(later(), deadline_at - 1)
        reminders = ((reminder, 1),) if reminder > after and draw(st.booleans()) else ()
        changes |= {"obligation": obligation_of(deadline_at=deadline_at, reminders=reminders)}
    observed_at = day(draw(st.integers(0, 9)))
    return row_of(observed_at=observed_at, sides=((1000, ">=", observed_at),), **changes)


def decided(row, due):
    """Return a row after something of it was decided, as far as its dues are concerned."""
    change = {}
    match due.kind:
        case "reminder":
            change = {"obligation": obligation_of(deadline_at=row.obligation.deadline_at)}
        case "deadline":
            change = {"obligation": obligation_of(stage="restricted")}
        case "waiver-end":
            change = {"waived": False, "waived_until": None}
    return row_of(observed_at=row.observed_at, sides=row.sides, **{**kept(row), **change})


def kept(row):
    return {"waived": row.waived, "waived_until": row.waived_until, "obligation": row.obligation}


class Scan:
    """The same as an agenda, by looking at everything each time."""

    def __init__(self, book, rows, after):
        self.book, self.rows = book, rows
        self.seen = dict.fromkeys(rows, after)
        self.last = Due(after, "~", "~", 0)
        self.bounds = phase_bounds(book.policies.values())

    def all(self):
        for key, row in self.rows.items():
            platform, _, account = key.decode().partition(":")
            for at, rank in dues_of(self.book.policies[platform], row):
                if rank != DWELL_END or at > self.seen[key]:
                    yield Due(at, platform, account, rank)
            for at, of, rank in self.bounds:
                due = Due(at, platform, account, rank)
                if of == platform and due > self.last:
                    yield due

    def pop(self, until):
        due = min(self.all(), default=None)
        if due is None or due.due > until:
            self.last = Due(until, "~", "~", 0)
            return None
        self.last = due
        return due


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_it_pops_what_a_sorted_scan_of_all_rows_finds(data):
    book = data.draw(books())
    T = day(0)
    view = {key: row for key in KEYS if (row := data.draw(rows(T))) is not None}
    agenda = Agenda(lambda: list(view))
    agenda.rebuild(book, view.items(), T, None)
    scan = Scan(book, view, T)
    while T < LAST:
        until = data.draw(st.sampled_from([T + (day(1) - day(0)), T + (day(4) - day(0)), LAST]))
        while True:
            due = scan.pop(until)
            assert agenda.pop(until) == due
            if due is None:
                break
            key = due.key.encode()
            view[key] = decided(view[key], due)
            scan.seen[key] = due.due
            if data.draw(st.integers(0, 3)) == 0:
                agenda = Agenda(lambda: list(view))
                agenda.rebuild(book, view.items(), until, due)
            else:
                agenda.plan(book, key, view[key], due.due)
        T = until
        assert agenda.next_at > T
        key = data.draw(st.sampled_from(KEYS))
        row = data.draw(rows(T))
        view.pop(key, None)
        if row is not None:
            view[key] = row
            scan.seen[key] = T
        agenda.plan(book, key, row, T)
        if data.draw(st.booleans()):
            agenda = Agenda(lambda: list(view))
            agenda.rebuild(book, view.items(), T, None)


def test_next_at_is_never_later_than_what_is_due():
    book = book_of()
    view = {KEYS[0]: row_of(obligation=obligation_of())}
    agenda = Agenda(lambda: list(view))
    assert agenda.next_at == FOREVER
    agenda.rebuild(book, view.items(), day(0), None)
    assert agenda.next_at == day(10)
    agenda.plan(book, KEYS[0], row_of(obligation=obligation_of(deadline_at=day(3))), day(0))
    assert agenda.next_at == day(3)
    assert agenda.pop(day(3) - 1) is None
    assert agenda.pop(day(3)) == Due(day(3), PLATFORM, "acc-a", KINDS.index("deadline"))


def test_a_due_that_was_planned_anew_does_not_come_twice():
    book = book_of()
    row, other = row_of(obligation=obligation_of()), row_of(obligation=obligation_of(deadline_at=day(4)))
    view = {KEYS[0]: row}
    agenda = Agenda(lambda: list(view))
    agenda.rebuild(book, view.items(), day(0), None)
    for changed in (other, row, other, row):
        agenda.plan(book, KEYS[0], changed, day(0))
    assert agenda.pop(LAST).due == day(10)
    assert agenda.pop(LAST) is None


def test_a_due_that_was_decided_comes_again_where_it_is_planned_again():
    book = book_of()
    row = row_of(waived=True, waived_until=day(3))
    agenda = Agenda(lambda: [KEYS[0]])
    agenda.rebuild(book, [(KEYS[0], row)], day(0), None)
    for _ in range(2):  # somebody waives until an instant that has passed
        assert agenda.pop(day(3)).due == day(3)
        assert agenda.pop(day(3)) is None
        agenda.plan(book, KEYS[0], row, day(3))


def test_made_anew_where_a_record_stopped_it_holds_what_comes_after_that_place():
    phases = [
        phase_tables(until=text(day(5))),
        phase_tables(id="p2", threshold=900, **{"from": text(day(5)), "until": text(day(8))}),
    ]
    book = book_of(policy_tables(phase=phases, confirm={"dwell_days": 2}))
    rows = {key: row_of(observed_at=day(3), sides=((900, ">=", day(3)),)) for key in KEYS[:2]}
    rows[b"weibo:acc-c"] = row_of(waived=True, waived_until=day(6))
    rows[b"weibo:acc-d"] = row_of(obligation=obligation_of(deadline_at=day(5.5)))
    agenda = Agenda(lambda: list(rows))

    def popped(until):
        found = []
        while (due := agenda.pop(until)) is not None:
            found.append(((due.due - day(0)) / (day(1) - day(0)), due.account_id, due.kind))
        return found

    agenda.rebuild(book, rows.items(), day(9), Due(day(5), PLATFORM, "acc-a", KINDS.index("phase-end")))
    assert agenda.next_at == day(5)
    assert popped(day(7)) == [
        (5, "acc-a", "phase-begin"),  # its dwell was looked at with the end of the phase
        (5, "acc-b", "phase-end"),
        (5, "acc-b", "phase-begin"),
        (5, "acc-b", "dwell-end"),
        (5, "acc-c", "phase-end"),
        (5, "acc-c", "phase-begin"),
        (5, "acc-d", "phase-end"),
        (5, "acc-d", "phase-begin"),
        (5.5, "acc-d", "deadline"),
        (6, "acc-c", "waiver-end"),
    ]
    assert agenda.next_at == day(8)
    assert popped(day(8)) == [(8, f"acc-{letter}", "phase-end") for letter in "abcd"]
    agenda.rebuild(book, rows.items(), day(5), None)
    assert popped(day(5)) == []
    assert popped(day(7)) == [(5.5, "acc-d", "deadline"), (6, "acc-c", "waiver-end")]


def test_an_account_that_is_forgotten_has_nothing_due():
    book = book_of()
    view = {KEYS[0]: row_of(obligation=obligation_of())}
    agenda = Agenda(lambda: list(view))
    agenda.rebuild(book, view.items(), day(0), None)
    view.clear()
    agenda.plan(book, KEYS[0], None, day(0))
    assert agenda.pop(LAST) is None
