"""A progress bar with rate and time left, for terminals."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Rate(ProgressColumn):
    """'812/s'."""

    def render(self, task: Task) -> Text:
        """The speed over the last half minute; nothing as long as none is known."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


class Bars:
    """One bar for each step."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars

    def step(self, what: str, total: int, done: int = 0) -> Callable[[int], None]:
        """A step begins."""
        self._bars.start()
        task = self._bars.add_task(what, total=total, completed=done)
        return lambda number: self._bars.advance(task, number)


@contextmanager
def bars_on(out: TextIO) -> Iterator[Bars]:
    """Bars on a terminal; their thread begins with the first of them."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    bars = Progress(*columns, console=Console(file=out))
    try:
        yield Bars(bars)
    finally:
        bars.stop()
