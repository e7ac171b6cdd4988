"""A picture of what was generated: one SVG file, no library, readable in any browser.

Three panels: how many accounts have how many followers, before the first day and where the stream ended,
both axes logarithmic, with the policies' lines; the follower counts of each day; everything else of each
day, stacked by kind.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from math import ceil, floor, log10

from schemas import instant, topics
from schemas.dead_letters import CODES
from schemas.instant import DAY
from streams.generate.tally import Tally, What

WIDTH, HEIGHT = 960, 880
LEFT, RIGHT = 70, 930
PER_DECADE = 12
"""Bars of the histogram for each factor of ten."""

INK, PALE, BARS, LATER, LINE = "#333", "#ddd", "#9ecae1", "#08519c", "#d55e00"
COLOURS = {
    "profile-changed": "#999999",
    "answer-given": "#56b4e9",
    "name-display-changed": "#009e73",
    "adjudication-made": "#f0e442",
    "late": "#cc79a7",
    "doubled": "#e69f00",
    "broken": "#d55e00",
}
"""Of everything but sound counts; told apart also by who does not see red or green."""

Scale = Callable[[float], float]


def svg(tally: Tally) -> str:
    """Return the picture as the text of an SVG file."""
    counts = [sum(n for what, n in day.items() if _kind(what) == topics.COUNTS) for day in tally.days]
    others = [_others(day) for day in tally.days]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *_followers(tally, top=85, bottom=345),
        *_days(tally, "follower counts a day", counts, [(BARS, counts)], top=440, bottom=515),
        *_days(
            tally,
            "facts a day, and what is odd",
            [day.total() for day in others],
            [(colour, [day[kind] for day in others]) for kind, colour in COLOURS.items()],
            top=585,
            bottom=810,
        ),
        *_legend({kind: colour for kind, colour in COLOURS.items() if any(day[kind] for day in others)}, 855),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _kind(what: What) -> str:
    """Return by what a line is coloured: what is odd about it, else its topic or type."""
    kind, _, odd = what
    return "broken" if odd in CODES else odd or kind


def _others(day: Counter[What]) -> Counter[str]:
    found: Counter[str] = Counter()
    for what, number in day.items():
        found[_kind(what)] += number
    return found & Counter(dict.fromkeys(COLOURS, 2**53))


# How many followers --------------------------------------------------------------------------------


def _followers(tally: Tally, *, top: int, bottom: int) -> Iterable[str]:
    before, after = _histogram(tally.at_start), _histogram(tally.at_end)
    lines = _histogram(line for of_platform in tally.lines.values() for line in of_platform)
    first, last = min((*before, *after, *lines)), max((*before, *after, *lines)) + 1
    most = max((*before.values(), *after.values(), 9))
    x = _linear(first, last, LEFT, RIGHT)
    y = _linear(log10(0.7), log10(most * 1.3), bottom, top)
    yield _title("accounts by followers", 50)
    for tick in range(ceil(log10(most)) + 1):
        if 10**tick <= most * 1.3:
            yield from _level(y(tick), f"{10**tick:,}")
    for slot in range(first, last):
        if before[slot]:
            yield _bar(x(slot), y(log10(before[slot])), x(slot + 1) - x(slot), bottom, BARS)
    steps = [(x(slot + end), y(log10(after[slot] or 0.7))) for slot in range(first, last) for end in (0, 1)]
    yield _path(steps, LATER)
    for decade in range(ceil(first / PER_DECADE), floor(last / PER_DECADE) + 1):
        yield _text(x(decade * PER_DECADE), bottom + 16, f"{10**decade:,}", "middle")
    yield from _lines(tally.lines, x, top, bottom)
    yield f'<rect x="{LEFT}" y="{bottom + 28}" width="12" height="10" fill="{BARS}"/>'
    yield _text(LEFT + 18, bottom + 37, "before the first day")
    yield _path([(LEFT + 160, bottom + 33), (LEFT + 172, bottom + 33)], LATER)
    yield _text(LEFT + 178, bottom + 37, "where the stream ends")


def _histogram(followers: Iterable[int]) -> Counter[int]:
    """Return how many accounts stand in each slot of the logarithmic axis; nobody at all stands at one."""
    return Counter(floor(log10(max(1, count)) * PER_DECADE) for count in followers)


def _lines(lines: Mapping[str, tuple[int, ...]], x: Scale, top: int, bottom: int) -> Iterable[str]:
    thresholds = sorted({line for of_platform in lines.values() for line in of_platform})
    for row, line in enumerate(thresholds):
        at = x(log10(line) * PER_DECADE)
        named = ", ".join(platform for platform, of_platform in lines.items() if line in of_platform)
        yield f'<path d="M{at:.1f} {top}V{bottom}" stroke="{LINE}" stroke-dasharray="5 3"/>'
        above = len(thresholds) - row
        yield _text(RIGHT, top + 7 - 15 * above, f"line of {line:,}: {named}", "end", LINE)


# What happened day by day ----------------------------------------------------------------------------


def _days(
    tally: Tally,
    title: str,
    totals: Sequence[int],
    stacked: Sequence[tuple[str, Sequence[int]]],
    *,
    top: int,
    bottom: int,
) -> Iterable[str]:
    most = _highest(totals)
    x, y = _linear(0, max(1, len(totals)), LEFT, RIGHT), _linear(0, most * 1.05, bottom, top)
    yield _title(title, top)
    step = _round_step(most / 3)
    for level in range(0, most + 1, step):
        yield from _level(y(level), f"{level:,}")
    wide = (x(1) - x(0)) * 0.85
    for day in range(len(totals)):
        height = 0
        for colour, numbers in stacked:
            drawn = min(numbers[day], most - height)
            if drawn > 0:
                yield _bar(x(day), y(height + drawn), wide, y(height), colour)
                height += drawn
        if totals[day] > most:
            yield _text(x(day), top - 3, f"↑ {totals[day]:,}")
    for day in range(0, len(totals), max(1, _round_step(len(totals) / 8))):
        label = instant.text(tally.start + day * DAY)[:10]
        yield _text(x(day), bottom + 16, label)


def _highest(totals: Sequence[int]) -> int:
    """Return up to where a panel reaches: the highest bar, but for a first day that would flatten all others.

    On the first day the profiles of all accounts near a line are said.
    """
    others = max((*totals[1:], 1))
    first = totals[0] if totals else 1
    return others if len(totals) > 1 and first > 3 * others else max(first, others)


def _round_step(about: float) -> int:
    """Return a round number near the one given: 1, 2 or 5 times a power of ten."""
    power = int(10 ** floor(log10(max(1.0, about))))
    return next((step * power for step in (1, 2, 5) if step * power >= about), 10 * power)


# Pieces ----------------------------------------------------------------------------------------------


def _linear(first: float, last: float, low: float, high: float) -> Scale:
    return lambda value: low + (value - first) / (last - first) * (high - low)


def _bar(x: float, y: float, width: float, bottom: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{bottom - y:.1f}" fill="{colour}"/>'


def _path(points: Iterable[tuple[float, float]], colour: str) -> str:
    drawn = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{drawn}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _level(y: float, label: str) -> Iterable[str]:
    yield f'<path d="M{LEFT} {y:.1f}H{RIGHT}" stroke="{PALE}"/>'
    yield _text(LEFT - 8, y + 4, label, "end")


def _title(text: str, top: int) -> str:
    return f'<text x="{LEFT}" y="{top - 20}" font-size="15" font-weight="bold">{escape(text)}</text>'


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _legend(colours: Mapping[str, str], y: int) -> Iterable[str]:
    at = float(LEFT)
    for kind, colour in colours.items():
        yield f'<rect x="{at:.0f}" y="{y - 10}" width="12" height="12" fill="{colour}"/>'
        yield _text(at + 18, y, kind)
        at += 40 + 6.6 * len(kind)
