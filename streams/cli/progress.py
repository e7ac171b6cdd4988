"""How far long work is, how fast it goes and how long it will take: on standard error, where somebody looks.

The work is not slowed down: it only counts, and the thread that draws asks ten times a second how much is done.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from rich.console import RenderableType
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from streams.cli.screen import err

BAR_WIDTH = 20
"""So that a bar with all that stands beside it fits into 80 columns."""
BYTES = "bytes"

_Item = TypeVar("_Item")


class Meter:
    """Bars, one below the other, that go when the work is done; none where nobody looks. A context manager."""

    def __init__(self) -> None:
        self._bars = _Bars(
            TextColumn("{task.description}"),
            BarColumn(BAR_WIDTH),
            TaskProgressColumn(),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def items(self, what: str, items: Sequence[_Item], unit: str = "entries") -> Iterable[_Item]:
        """Return items that are worked on one after the other."""
        return items if self._bars.disable else self._counted(what, items, unit)

    def _counted(self, what: str, items: Sequence[_Item], unit: str) -> Iterator[_Item]:
        done = 0
        self._bars.begin(what, unit, len(items), lambda: done)
        for item in items:
            yield item
            done += 1

    def steps(self, what: str, unit: str, total: int | None = None) -> Callable[..., None]:
        """Return what is to be told how much more is done, and of how much where that is known only then."""
        task = self._bars.begin(what, unit, total)

        def step(more: int, of: int | None = None) -> None:
            self._bars.update(task, advance=more, total=of)

        return step

    def files(self, what: str, paths: Sequence[Path]) -> Callable[[Callable[[], int]], None]:
        """Return what is to be given, when each of the files is opened, who can be asked how far it is read."""
        reading = _Reading([path.stat().st_size if path.exists() else 0 for path in paths])
        self._bars.begin(what, BYTES, sum(reading.sizes), reading.done)
        return reading.begin


class _Reading:
    """How far files are read, one after the other."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes
        self._number = 0
        self._tell: Callable[[], int] | None = None

    def begin(self, tell: Callable[[], int]) -> None:
        self._number += self._tell is not None
        self._tell = tell

    def done(self) -> int:
        try:
            at = self._tell() if self._tell is not None else 0
        except ValueError:  # it was closed
            at = self.sizes[self._number]
        return sum(self.sizes[: self._number]) + at


class _Bars(Progress):
    """Bars that ask how much is done whenever they are drawn."""

    def __init__(self, *columns: ProgressColumn, **settings: Any) -> None:
        self._ask: dict[TaskID, Callable[[], int]] = {}  # before the first drawing
        super().__init__(*columns, **settings)

    def begin(self, what: str, unit: str, total: int | None, ask: Callable[[], int] | None = None) -> TaskID:
        task = self.add_task(what, total=total, unit=unit)
        if ask is not None:
            self._ask[task] = ask
        return task

    def get_renderables(self) -> Iterable[RenderableType]:
        for task, ask in list(self._ask.items()):
            self.update(task, completed=ask())
        return super().get_renderables()


class _Rate(ProgressColumn):
    """How much is done in a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        unit = task.fields["unit"]
        return Text(f"{decimal(int(speed))}/s" if unit == BYTES else f"{speed:,.0f} {unit}/s")
