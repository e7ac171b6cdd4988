"""What happens to an account: a table of lives, each a row of steps, so many days one after the other.

A life begins when a count reached a line whose phase is in force and covers the account, for all that a
producer can know: nobody tells it when the notice came. How many answer, agree, decline or flee is in no
source (`facts/policies.md`, section 11: "share that complied: NF"), so the weights are assumed; what
people did was seen: they agreed and were shown [S8 S19], removed their followers [S17 S18 S20 S21],
or deleted the account [S18].
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from schemas import instant
from schemas.instant import DAY, SECOND

PROFILE, ANSWER, DISPLAY, RULING = (
    "profile-changed",
    "answer-given",
    "name-display-changed",
    "adjudication-made",
)
PURGE = "purge"
"""No fact: the owner removes followers, down to just under the lowest line, within a day."""


class Step(NamedTuple):
    """Something that happens, so many days after what happened before."""

    days: tuple[float, float]
    type: str
    """Of the fact; or `PURGE`."""
    says: str = ""
    """Its own fields, as members of a JSON object."""
    chance: float = 1.0
    """Otherwise the life ends before this step."""
    until: tuple[float, float] | None = None
    """The field `until`, so many days later still."""


class Event(NamedTuple):
    """A step with its instant."""

    at: int
    type: str
    says: str


AGREES, DECLINES = '"answer":"agree"', '"answer":"decline"'
SHOWN, HIDDEN = '"displayed":true', '"displayed":false'
SUSPENDED, ACTIVE, DELETED = '"status":"suspended"', '"status":"active"', '"status":"deleted"'


def rules(ruling: str, reason: str) -> str:
    """Return the fields of an adjudication but for `until`."""
    return f'"ruling":"{ruling}","reason_code":"{reason}"'


LIVES: tuple[tuple[int, tuple[Step, ...]], ...] = (
    # agrees, and the platform shows the name; some take it back later
    (
        30,
        (
            Step((0.5, 6), ANSWER, AGREES),
            Step((0.2, 4), DISPLAY, SHOWN),
            Step((9, 25), DISPLAY, HIDDEN, 0.08),
        ),
    ),
    # shows it without a word
    (10, (Step((0.5, 9), DISPLAY, SHOWN),)),
    # never answers; some give in after the deadline
    (20, (Step((11, 30), DISPLAY, SHOWN, 0.4),)),
    # declines; some give in
    (10, (Step((0.5, 8), ANSWER, DECLINES), Step((12, 25), DISPLAY, SHOWN, 0.3))),
    # agrees, then thinks otherwise
    (
        6,
        (
            Step((0.5, 4), ANSWER, AGREES),
            Step((0.5, 3), ANSWER, DECLINES),
            Step((2, 12), DISPLAY, SHOWN, 0.5),
        ),
    ),
    # removes its followers
    (9, (Step((0.5, 14), PURGE),)),
    # deletes the account
    (2, (Step((1, 12), PROFILE, DELETED),)),
    # appeals: the clock is held, then goes on or the account is let off
    (
        4,
        (
            Step((1, 6), RULING, rules("hold", "appeal-filed")),
            Step((1, 9), RULING, rules("release", "appeal-lost")),
        ),
    ),
    (
        2,
        (
            Step((1, 6), RULING, rules("hold", "appeal-filed")),
            Step((1, 9), RULING, rules("waive", "appeal-won")),
            Step((8, 30), RULING, rules("revoke", "waiver-misused"), 0.3),
        ),
    ),
    (2, (Step((1, 8), RULING, rules("waive", "protected-person"), until=(5, 40)),)),
    # gets more time
    (
        4,
        (
            Step((2, 8), RULING, rules("extend", "papers-late"), until=(8, 20)),
            Step((3, 14), DISPLAY, SHOWN, 0.6),
        ),
    ),
    # is suspended for a while for something else
    (3, (Step((0.5, 7), PROFILE, SUSPENDED), Step((1, 10), PROFILE, ACTIVE))),
)
"""(weight, steps) of what follows when a line was reached."""

TURNS: tuple[tuple[int, tuple[Step, ...]], ...] = (
    (4, (Step((0, 1), PROFILE, '"daily_life":true,"subjects":{"food":0.7,"pets":0.1025}'),)),
    (3, (Step((0, 1), PROFILE, '"subjects":{"finance":0.3333,"law":0.3333,"travel":0.3334}'),)),
    (2, (Step((0, 1), PROFILE, '"owner":"organisation","verified":true'),)),
    (1, (Step((0, 1), PROFILE, '"self_media":false'),)),
    (2, (Step((0, 1), PROFILE, SUSPENDED), Step((1, 20), PROFILE, ACTIVE))),
    (1, (Step((0, 1), PROFILE, DELETED), Step((2, 15), PROFILE, ACTIVE, 0.2))),
)
"""(weight, steps) of what happens to an account near a line for reasons of its own."""


def life(lives: tuple[tuple[int, tuple[Step, ...]], ...], begins: int, draw: Random) -> Iterator[Event]:
    """Yield what happens to one account, by time, in whole seconds.

    Args:
        lives: `LIVES` or `TURNS`.
        begins: The instant from which the first step's days are counted.
        draw: Where chance comes from.
    """
    weights, ways = zip(*lives, strict=True)
    at = begins
    for step in draw.choices(ways, weights)[0]:
        if draw.random() >= step.chance:
            return
        at += _days(step.days, draw)
        says = step.says
        if step.until is not None:
            says += f',"until":"{instant.text(at + _days(step.until, draw))}"'
        yield Event(at, step.type, says)


def _days(span: tuple[float, float], draw: Random) -> int:
    """Return a time from a span of days, in µs, a whole number of seconds."""
    return int(draw.uniform(*span) * DAY) // SECOND * SECOND
