"""One row of the table: what was measured, the goal, the figure, the ratio, how to see it again."""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Row(msgspec.Struct, frozen=True):
    """One line of the table of goals.

    `figure` is ours and the floor's in words; `ratio` is what the goal is about, None where it
    could not be measured (then `figure` says why).
    """

    name: str
    what: str
    goal: str
    figure: str
    ratio: float | None
    met: bool | None

    def line(self) -> str:
        """The row in Markdown, with the command that measures it again."""
        ratio = "" if self.ratio is None else f"{self.ratio:.3g}"
        met = {True: "yes", False: "no", None: "not measured"}[self.met]
        command = f"`make bench ROWS={self.name}`"
        cells = (self.what, self.goal, self.figure, ratio, met, command)
        return f"| {' | '.join(cells)} |"


HEAD = f"| what | goal | figure (floor) | ratio | met | command |\n|{' --- |' * 6}"


def at_most(name: str, what: str, most: float, figure: str, ratio: float) -> Row:
    """A row whose ratio must not exceed `most`."""
    return Row(name, what, f"≤ {most:g} ×", figure, ratio, ratio <= most)


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def spread(values: Sequence[float], unit: str, digits: int = 2) -> str:
    """'4.20 ms (4.10 to 4.33)': the median of the rounds, the least and the most."""
    least, most = min(values), max(values)
    return f"{median(values):.{digits}f} {unit} ({least:.{digits}f} to {most:.{digits}f})"


def timed(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int = 15, budget: float = 4.0
) -> dict[str, float]:
    """Seconds of CPU a call: the contenders take turns, and the median of the rounds is taken.

    What slows the machine down for a while so slows all of them alike.
    """
    loops = {}
    for name, call in contenders.items():
        call()
        began = time.process_time()
        call()
        once = max(1e-7, time.process_time() - began)
        loops[name] = max(1, int(budget / rounds / len(contenders) / once))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            gc.collect()
            began = time.process_time()
            for _ in range(loops[name]):
                call()
            times[name].append((time.process_time() - began) / loops[name])
    return {name: median(found) for name, found in times.items()}
