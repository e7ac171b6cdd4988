"""A move, and how a trace tells it."""

from typing import Any, NamedTuple

from .broker import APPEND, HEAD, PUBLISH, Journal, Request
from .owner import Owner
from .partition import State


class Move(NamedTuple):
    """What may happen next."""

    state: State
    fault: bool
    text: str
    """May name `{who}` and `{what}`."""
    who: Owner | None = None
    what: Any = None

    def told(self) -> str:
        """Return the move in words."""
        who = "nobody" if self.who is None else self.who.name or "a new owner"
        if self.who is not None and not self.who.mine:
            who += " (paused)"
        return ("* " if self.fault else "  ") + self.text.format(who=who, what=_told(self.what))


def _told(what: Any) -> str:
    match what:
        case Journal():
            return f"{last_of(what)} at offset {what.length - 1}"
        case Request(kind=kind, payload=payload) if kind == PUBLISH:
            return "; ".join(
                f"{topic} {b' '.join(value or b'-' for _, value, _ in records).decode()}"
                for topic, records in payload
            )
        case Request(kind=kind, payload=payload) if kind == HEAD:
            return f"head pointer {payload.hash[:8]}, {payload.offset}"
        case Request(kind=kind, payload=payload) if kind == APPEND:
            return "entry"
        case Request(kind=kind, payload=payload):
            return f"{kind} {payload}"
        case _:
            return str(what)


def last_of(journal: Journal) -> str:
    """Return what stands last in a journal."""
    tip = journal.tip
    if journal.parent is None:
        return "nothing"
    if tip is journal.parent.tip:
        return "a void entry"
    assert tip.content is not None
    what = (
        "takeover"
        if tip.is_takeover
        else ", ".join(f"{run.topic}[{run.start}:{run.end}]" for run in tip.content.runs)
    )
    return f"entry {tip.n} ({what or 'part'}{', more' if tip.content.more else ''}) {tip.hash[:8]}"
