"""The race as a picture: two bars a contestant, readable on light and on dark pages."""

from html import escape

from bench.contestants import CONTESTANTS
from bench.results import Race, Spread, rates

WIDTH = 860
LEFT = 270
"""Where the bars begin."""
RIGHT = 130
"""Room for the figures."""
ROW, BAR = 44, 14
TOP, BOTTOM = 44, 12
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px; fill: #57606a }
.ours .cpu { fill: #0969da } .ours .wall { fill: #80b3ee } .cpu { fill: #6e7781 } .wall { fill: #b6bdc4 }
line { stroke: #24292f; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
 text { fill: #e6edf3 } .small { fill: #9198a1 }
 .ours .cpu { fill: #4493f8 } .ours .wall { fill: #285a99 } .cpu { fill: #9198a1 } .wall { fill: #50565e }
 line { stroke: #e6edf3 }
}"""


def svg(race: Race) -> str:
    """Return the picture."""
    found = [(one, rate) for one in CONTESTANTS if (rate := rates(race, one.name)) is not None]
    longest = max((each.most for _, rate in found for each in rate), default=1.0)
    scale = (WIDTH - LEFT - RIGHT) / longest
    height = TOP + ROW * len(found) + BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Counts per second of CPU and of wall time</title>",
        f"<style>{STYLE}</style>",
        f'<text x="{LEFT}" y="18">Counts a second: upper bar of CPU, lower bar of wall time</text>',
        f'<text x="{LEFT}" y="34" class="small">median; the line goes from the least to the most</text>',
    ]
    for number, (one, rate) in enumerate(found):
        y = TOP + ROW * number
        lines += [
            f'<g class="{"" if one.peer else "ours"}">',
            f'<text x="{LEFT - 10}" y="{y + BAR + 5}" text-anchor="end">{escape(one.title)}</text>',
            *_bar("cpu", y, rate[0], scale),
            *_bar("wall", y + BAR + 2, rate[1], scale),
            "</g>",
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _bar(kind: str, y: int, rate: Spread, scale: float) -> list[str]:
    median, least, most = (round(value * scale, 1) for value in rate)
    middle = y + BAR / 2
    return [
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{max(median, 1)}" height="{BAR}"/>',
        f'<line x1="{LEFT + least}" x2="{LEFT + most}" y1="{middle}" y2="{middle}"/>',
        f'<text class="small" x="{LEFT + most + 6}" y="{y + BAR - 3}">{rate.median:,.0f}</text>',
    ]
