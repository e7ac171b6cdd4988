"""A card as a page for a terminal: what holds, in words, with how sure it is; below it, where that stands.

The words of one line point to numbered sources, so that the answer stays short and the evidence whole.
"""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from streams.policies.show import IN_FORCE, OVER, Card, Leaf, Section

_WIDTH_MOST = 120  # beyond it the eye loses the line between the words and their sources
_ABOUT_WIDTH = 14
_SURE_WIDTH = 22  # "notice_via_repost [99]"
_SURE = {"assumed": "yellow", "inferred": "yellow"}
"""What no platform, paper or law says is to be seen at a glance; colour only repeats the word."""

_Source = tuple[str | None, ...]
_Numbers = dict[_Source, tuple[int, list[str]]]
"""The number of each source, and the key paths that it stands for, in the order of the page."""


def page(card: Card, book: str) -> RenderableType:
    """Return a card drawn for a terminal of any width, from 60 columns on.

    Args:
        card: What a policy says at one instant.
        book: Hash of the policy book that it stands in.
    """
    numbers: _Numbers = {}
    head = Text.assemble((f"{card.platform} at {card.at}", "bold"), f"\npolicy {card.version}\nbook {book}")
    sections = [_section(section, numbers) for section in card.sections]
    evidence = (Text("\nWHERE IT STANDS", style="bold"), _sources(numbers))
    return Constrain(Group(head, *sections, *evidence), _WIDTH_MOST)


def _section(section: Section, numbers: _Numbers) -> RenderableType:
    title = Text(f"\n{section.title.upper()}", style="bold")
    if section.title.endswith(f": {IN_FORCE}"):
        title.stylize("green")
    elif section.title.endswith(f": {OVER}"):
        title.stylize("dim")
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(width=_ABOUT_WIDTH)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(width=_SURE_WIDTH)
    for line in section.lines:
        table.add_row(line.about, line.says, Text("\n").join(_marks(line.leaves, numbers)))
    return Group(title, table)


def _marks(leaves: tuple[Leaf, ...], numbers: _Numbers) -> Iterator[Text]:
    """Yield how sure the leaves of a line are, with the number of each source once."""
    seen: set[_Source] = set()
    for leaf in leaves:
        source = (leaf.status, leaf.text, leaf.publisher, leaf.date)
        if leaf.status is None:
            yield Text("uncited", style="yellow") if leaf.stated else Text("default", style="dim")
            continue
        number, paths = numbers.setdefault(source, (len(numbers) + 1, []))
        if leaf.leaf not in paths:
            paths.append(leaf.leaf)
        if source not in seen:
            yield Text(f"{leaf.status} [{number}]", style=_SURE.get(leaf.status, "cyan"))
        seen.add(source)


def _sources(numbers: _Numbers) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for (status, text, publisher, date), (number, paths) in numbers.items():
        sure = (str(status), _SURE.get(str(status), "cyan"))
        leaves = (f"\n{', '.join(paths)}", "dim")
        table.add_row(f"[{number}]", Text.assemble(sure, f", {publisher}, {date}\n{text}", leaves))
    return table
