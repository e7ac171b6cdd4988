"""Worlds for hypothesis: a history of few accounts in which much happens, at instants that often coincide."""

from builders import (
    MISSING,
    OTHER_PLATFORM,
    PLATFORM,
    Stream,
    answered,
    count_of,
    day,
    display_said,
    phase_tables,
    policy_tables,
    profile_said,
    ruled,
)
from hypothesis import strategies as st

from schemas.instant import text

ACCOUNTS = ("acc-a", "acc-b", "acc-c", "acc-d")
LENGTH = 40
"""Days that a world lasts."""

policies = st.fixed_dictionaries(
    {
        "confirm": st.fixed_dictionaries(
            {"dwell_days": st.sampled_from([0, 0, 1, 3]), "hysteresis_pct": st.sampled_from([0, 0, 10])}
        ),
        "below": st.fixed_dictionaries(
            {"pending": st.sampled_from(["cancel", "keep"]), "measures": st.sampled_from(["lift", "keep"])}
        ),
        "measures": st.fixed_dictionaries({"on_decline": st.sampled_from(["at-deadline", "at-once"])}),
        "purge": st.sampled_from([MISSING, {"drop_share": 0.2, "within_days": 7}]),
    }
)


@st.composite
def phases(draw):
    """Draw one or two phases; the second begins, and the first ends, on days of the world."""
    grace = {
        "days": draw(st.integers(1, 6)),
        "min_days": draw(st.integers(0, 3)),
        "reminders_days_before": [1, 3],
    }
    if draw(st.booleans()):
        grace["deadline"] = text(day(draw(st.integers(5, 20))))
    first = phase_tables(grace=grace, op=draw(st.sampled_from([">=", ">"])))
    if draw(st.booleans()):
        first["from"] = text(day(draw(st.integers(0, 10))))
    if draw(st.booleans()):
        first["until"] = text(day(draw(st.integers(11, 30))))
    begins = text(day(draw(st.integers(3, 25))))
    second = phase_tables(id="p2", threshold=draw(st.sampled_from([500, 1500])), **{"from": begins})
    return [first, second] if draw(st.booleans()) else [first]


@st.composite
def tables(draw, platform):
    """Draw the tables of one policy."""
    given = draw(policies)
    return policy_tables(**given, platform=platform, phase=draw(phases()))


@st.composite
def books(draw):
    """Draw the policies of a book: of one platform or of two."""
    names = [PLATFORM, OTHER_PLATFORM] if draw(st.booleans()) else [PLATFORM]
    return [draw(tables(name)) for name in names]


@st.composite
def records(draw, at, number):
    """Draw a count or a fact of an instant."""
    place = {
        "account_id": draw(st.sampled_from(ACCOUNTS)),
        "platform": draw(st.sampled_from([PLATFORM, PLATFORM, OTHER_PLATFORM])),
        "event_id": f"e{number}",
    }
    kind = draw(st.sampled_from(["count"] * 6 + ["profile", "answer", "display", "ruling"]))
    own = at - draw(st.sampled_from([0, 0, 0, 0, day(1) - day(0), day(31) - day(0)]))
    if kind == "count":
        followers = draw(
            st.sampled_from([0, 300, 399, 400, 499, 500, 501, 799, 800, 999, 1000, 1001, 1500, 2000])
        )
        return count_of(followers, own, **place)
    if kind == "profile":
        said = draw(
            st.sampled_from(
                [
                    {"status": "suspended"},
                    {"status": "active"},
                    {"status": "deleted"},
                    {"owner": "government"},
                    {},
                ]
            )
        )
        return profile_said(own, **said, **place)
    if kind == "answer":
        return answered(draw(st.sampled_from(["agree", "decline"])), own, **place)
    if kind == "display":
        return display_said(draw(st.booleans()), own, **place)
    ruling = draw(st.sampled_from(["waive", "waive-until", "revoke", "hold", "release", "extend"]))
    until = {}
    if ruling in ("waive-until", "extend"):
        until = {"until": at + draw(st.integers(-2, 8)) * (day(1) - day(0))}
    return ruled(ruling.removesuffix("-until"), own, **until, **place)


@st.composite
def worlds(draw, time):
    """Draw a stream, the books in it by hash, and where its history ends."""
    stream, found = Stream(), {}
    first = stream.book(*draw(books()))
    found[first.hash] = first
    hour = 0
    if time == "clock":
        stream.tick(day(0))
    for number in range(draw(st.integers(3, 25))):
        step = draw(st.sampled_from([0, 0, 0, 6, 24, 24, 72]))
        hour += step
        at = day(hour / 24)
        kind = draw(st.sampled_from(["record"] * 10 + ["quiet"] * 3 + ["book", "dead"]))
        if time == "clock" and step:
            stream.tick(at)
        if kind == "book":
            book = stream.book(*draw(books()))
            found[book.hash] = book
        elif kind == "dead":
            stream.raw(
                draw(st.sampled_from(["follower-counts", "account-facts", "clock", "policy-book"])), b"{"
            )
        elif kind == "quiet":
            stream.add(
                count_of(draw(st.sampled_from([0, 300])), at, account_id="acc-z", event_id=f"e{number}")
            )
        else:
            stream.add(draw(records(at, number)))
    return stream.records, found, day(draw(st.integers(hour // 24, LENGTH)))
