"""What was generated, counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from schemas import topics
from schemas.dead_letters import CODES
from schemas.instant import DAY

What = tuple[str, str, str]
"""What a line is: its topic, or the type of its fact; the platform, "" for a tick; and what is odd about it:
"", "late", "doubled", or the code of a broken one."""
Crossing = tuple[int, int, str, str]
"""When, over which threshold, on which platform, `up` or `down`."""


class Tally:
    """Counts of what was generated; `generate` fills it as it goes."""

    def __init__(self) -> None:
        self.start = 0
        """The first day's first instant, in µs."""
        self.platforms: tuple[str, ...] = ()
        self.days: list[Counter[What]] = []
        self.crossings: Counter[tuple[int, str, str]] = Counter()
        """By threshold, platform, and `up` or `down`; the first count of an account crosses nothing."""
        self.at_start: list[int] = []
        self.at_end: list[int] = []
        """Followers of each account before the first day, and where the stream ended."""
        self.lines: dict[str, tuple[int, ...]] = {}
        """The thresholds of each platform, rising."""

    def begin(self, start: int, lines: dict[str, tuple[int, ...]], followers: list[int]) -> None:
        """Note what there is before the first day."""
        self.start, self.lines, self.platforms = start, lines, tuple(lines)
        self.at_start = followers

    def count(self, at: int, whats: Iterable[What]) -> None:
        """Count lines of one hour."""
        day = (at - self.start) // DAY
        while len(self.days) <= day:
            self.days.append(Counter())
        self.days[day].update(whats)

    def cross(self, crossings: Iterable[Crossing], until: int) -> None:
        """Count the crossings up to an instant."""
        self.crossings.update(crossing[1:] for crossing in crossings if crossing[0] <= until)

    @property
    def records(self) -> int:
        """How many lines there were."""
        return sum(day.total() for day in self.days)

    def rows(self) -> Iterator[tuple[str, str, int]]:
        """Yield part, name and number, for a list: by topic, type, oddity, code, crossing and platform."""
        total: Counter[What] = sum(self.days, Counter())
        for part, named in _PARTS.items():
            found: Counter[str] = Counter()
            for what, number in total.items():
                found[named(what) or ""] += number
            del found[""]
            yield from ((part, name, found[name]) for name in sorted(found, key=_place))
        crossed: Counter[tuple[int, str]] = Counter()
        for (line, _, way), number in self.crossings.items():
            crossed[line, way] += number
        yield from (("crossed", f"{line} {way}", crossed[line, way]) for line, way in sorted(crossed))
        yield "all", "records", total.total()


_PARTS: dict[str, Callable[[What], str | None]] = {
    "topic": lambda what: what[0] if what[0] in topics.INPUTS else topics.FACTS,
    "type": lambda what: None if what[0] in topics.INPUTS else what[0],
    "oddity": lambda what: "broken" if what[2] in CODES else what[2],
    "broken": lambda what: what[2] if what[2] in CODES else None,
    "platform": lambda what: what[1],
}


def _place(name: str) -> tuple[int, str]:
    """Return where a name stands in its part: topics and codes in their own order, all others by name."""
    order = (*topics.INPUTS, *CODES)
    return (order.index(name) if name in order else len(order)), name
