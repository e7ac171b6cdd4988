"""Accounts in each stage, and every kind of record for them: what the tests of `decide` share."""

from collections.abc import Iterable
from typing import Any

from builders import (
    ACCOUNT,
    MEASURES,
    PLATFORM,
    THRESHOLD,
    answered,
    book_of,
    count_of,
    day,
    display_said,
    obligation_of,
    profile_of,
    profile_said,
    row_of,
    ruled,
    stopped,
)

from streams.core.deadlines import KINDS, Due
from streams.core.decide import BookAdopted

BOOK = book_of()
AT = day(5)
GRACE = row_of(obligation=obligation_of())
HELD = row_of(obligation=stopped("held"))
AGREED = row_of(obligation=stopped("agreed", answer="agree"))
RESTRICTED = row_of(obligation=obligation_of(stage="restricted", measures=tuple(MEASURES)))
MET = row_of(displayed=True, met=True)


def due_of(kind, at=AT):
    return Due(at, PLATFORM, ACCOUNT, KINDS.index(kind))


def adopted(book=BOOK):
    return BookAdopted(PLATFORM, ACCOUNT, book.hash)


def types(decision) -> list[str]:
    return [said.type for said in decision.said]


def codes(reasons: Iterable[dict[str, Any]]) -> list[str]:
    return [reason["code"] for reason in reasons]


def whys(decision) -> list[str]:
    return [said.fields["why"] for said in decision.said if "why" in said.fields]


NOTICE = ["disclosure-required", "grace-started"]
IMPOSED = ["grace-ended", "restriction-imposed"]
WAIVED = row_of(waived=True)
BELOW = row_of(followers=THRESHOLD - 1)
SUSPENDED = profile_of(status="suspended")

SAID = [
    # row, record, what is said outside, stage afterwards
    (None, count_of(1000, AT), NOTICE, "grace"),
    (None, count_of(999, AT), [], None),
    (BELOW, count_of(1000, AT), NOTICE, "grace"),
    (GRACE, count_of(1500, AT), [], "grace"),
    (GRACE, count_of(999, AT), ["grace-ended", "disclosure-cancelled"], None),
    (HELD, count_of(999, AT), ["grace-ended", "disclosure-cancelled"], None),
    (RESTRICTED, count_of(999, AT), ["disclosure-cancelled", "restriction-lifted"], None),
    (MET, count_of(1500, AT), [], None),
    (WAIVED, count_of(1500, AT), [], None),
    (GRACE, answered("agree", AT), ["grace-suspended"], "stopped"),
    (GRACE, answered("decline", AT), [], "grace"),
    (AGREED, answered("decline", AT), ["grace-resumed"], "grace"),
    (AGREED, answered("agree", AT), [], "stopped"),
    (HELD, answered("agree", AT), [], "stopped"),
    (HELD, answered("decline", AT), [], "stopped"),
    (RESTRICTED, answered("agree", AT), [], "restricted"),
    (BELOW, answered("agree", AT), [], None),
    (GRACE, display_said(True, AT), ["grace-ended", "disclosure-met"], None),
    (AGREED, display_said(True, AT), ["grace-ended", "disclosure-met"], None),
    (RESTRICTED, display_said(True, AT), ["disclosure-met", "restriction-lifted"], None),
    (BELOW, display_said(True, AT), [], None),
    (GRACE, display_said(False, AT), [], "grace"),
    (MET, display_said(False, AT), NOTICE, "grace"),
    (row_of(followers=999, displayed=True), display_said(False, AT), [], None),
    (GRACE, ruled("waive", AT), ["grace-ended", "disclosure-cancelled"], None),
    (RESTRICTED, ruled("waive", AT, until=day(9)), ["disclosure-cancelled", "restriction-lifted"], None),
    (GRACE, ruled("waive", AT, until=AT), ["grace-ended", "disclosure-cancelled", *NOTICE], "grace"),
    (WAIVED, ruled("revoke", AT), NOTICE, "grace"),
    (GRACE, ruled("revoke", AT), [], "grace"),
    (GRACE, ruled("hold", AT), ["grace-suspended"], "stopped"),
    (HELD, ruled("release", AT), ["grace-resumed"], "grace"),
    (AGREED, ruled("release", AT), [], "stopped"),
    (RESTRICTED, ruled("hold", AT), [], "restricted"),
    (GRACE, ruled("extend", AT, until=day(12)), ["grace-extended"], "grace"),
    (GRACE, ruled("extend", AT, until=day(10)), [], "grace"),
    (HELD, ruled("extend", AT, until=day(12)), ["grace-extended"], "stopped"),
    (BELOW, ruled("extend", AT, until=day(12)), [], None),
    (GRACE, profile_said(AT, status="suspended"), ["grace-suspended"], "stopped"),
    (RESTRICTED, profile_said(AT, status="suspended"), [], "restricted"),
    (GRACE, profile_said(AT, status="deleted"), ["grace-ended", "disclosure-cancelled"], None),
    (RESTRICTED, profile_said(AT, owner="government"), ["disclosure-cancelled", "restriction-lifted"], None),
    (GRACE, profile_said(AT, verified=True), [], "grace"),
    (row_of(profile=profile_of(status="deleted")), profile_said(AT, status="active"), NOTICE, "grace"),
    (row_of(profile=SUSPENDED), profile_said(AT, status="active"), NOTICE, "grace"),
    (
        row_of(profile=SUSPENDED, obligation=stopped("account-suspended")),
        profile_said(AT, status="active"),
        ["grace-resumed"],
        "grace",
    ),
    (row_of(obligation=obligation_of(reminders=((AT, 5),))), due_of("reminder"), ["grace-reminder"], "grace"),
    (GRACE, due_of("deadline"), IMPOSED, "restricted"),
    (row_of(waived=True, waived_until=AT), due_of("waiver-end"), NOTICE, "grace"),
    (row_of(), due_of("phase-begin"), NOTICE, "grace"),
    (GRACE, due_of("phase-begin"), [], "grace"),
    (row_of(), due_of("dwell-end"), NOTICE, "grace"),
    (GRACE, adopted(), [], "grace"),
    (row_of(), adopted(), NOTICE, "grace"),
    (
        row_of(followers=999, obligation=obligation_of()),
        adopted(),
        ["grace-ended", "disclosure-cancelled"],
        None,
    ),
]
