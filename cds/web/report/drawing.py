"""Where the marks of a picture stand.

The templates draw them; every picture has its text beside it. Timelines are drawn in
percent of the width, so that they fit a side panel and a sheet of paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from cds.web.report.model import Point, Row, Trend

_LEAST_DAYS, _MOST_DAYS = 14, 120
_EDGE_DAYS = 3
_MOST_TICKS = 7
_STEPS = (1, 2, 7, 14, 28, 56, 112)

_LEAST_TREND_DAYS = 28
WIDTH, HEIGHT = 300, 104
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 16, 26
_LINE = 11  # the height of a label


@dataclass(frozen=True, slots=True)
class Axis:
    """The days that a timeline shows; positions are percent of its width."""

    first: date
    last: date
    today: float
    ticks: tuple[tuple[float, date], ...]

    def at(self, day: date) -> float:
        """Where a day stands; days outside stand at the edge."""
        part = (day - self.first).days / (self.last - self.first).days
        return round(100 * min(max(part, 0.0), 1.0), 2)


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: the time of the thing itself, the window behind it, and the day it is clear.

    `use` and `tail` are (from, width). `clear` is None where that day is not in the picture.
    """

    use: tuple[float, float]
    tail: tuple[float, float] | None
    clear: float | None
    goes_on: bool


def axis_of(rows: Sequence[Row], on: date) -> Axis:
    """Days around `on` in which the rows' last and clear days lie, as far as they fit."""
    back = [(on - (row.ended or row.began or on)).days for row in rows]
    ahead = [(row.clear_on - on).days for row in rows if row.clear_on is not None]
    first = on - timedelta(days=_span(back))
    last = on + timedelta(days=_span(ahead))
    axis = Axis(first, last, 0.0, ())
    days = (last - first).days
    step = next((s for s in _STEPS if days / s <= _MOST_TICKS), _STEPS[-1])
    offsets = range(-((on - first).days // step) * step, (last - on).days + 1, step)
    marks = [on + timedelta(days=offset) for offset in offsets]
    return Axis(first, last, axis.at(on), tuple((axis.at(day), day) for day in marks))


def _span(days: Sequence[int]) -> int:
    return min(max([_LEAST_DAYS, *(day + _EDGE_DAYS for day in days)]), _MOST_DAYS)


def bar_of(row: Row, axis: Axis, on: date) -> Bar:
    """The marks of one row."""
    began = axis.at(row.began or on)
    over = axis.at(on if row.running else row.ended or row.began or on)
    tail = None
    clear = None
    if row.clear_on is not None:
        clear_at = axis.at(row.clear_on)
        tail = (over, round(clear_at - over, 2))
        clear = clear_at if axis.first < row.clear_on < axis.last else None
    return Bar((began, round(over - began, 2)), tail, clear, row.running)


@dataclass(frozen=True, slots=True)
class Dot:
    """One result: its place, and its shape (meets, misses, open)."""

    x: float
    y: float
    shape: str


@dataclass(frozen=True, slots=True)
class Label:
    """A number in a chart: `kind` is bound or newest; `anchor` says which end is at x."""

    kind: str
    x: float
    y: float
    anchor: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class Chart:
    """A trend within WIDTH × HEIGHT: line and dots of the results, steps of the threshold.

    `first` is the day at its left edge. `good` is the (y, height) of the side that lets a patient
    in, where the threshold is one line. `labels` stand beside what they name: the newest result and
    its threshold.
    """

    first: date
    line: str
    dots: tuple[Dot, ...]
    threshold: str
    good: tuple[float, float] | None
    labels: tuple[Label, ...]


def chart_of(trend: Trend, on: date) -> Chart:
    """The marks of one trend, from its first result (at least four weeks back) to `on`."""
    points = trend.points
    limits = [limit for point in points for limit in point.limits]
    low, high = _range([*(point.value for point in points), *limits])
    first = min(points[0].day, on - timedelta(days=_LEAST_TREND_DAYS))
    days = (on - first).days

    def across(day: date) -> float:
        return round(_LEFT + (day - first).days / days * (WIDTH - _LEFT - _RIGHT), 1)

    def up(value: Decimal) -> float:
        part = (float(value) - low) / (high - low)
        return round(HEIGHT - _BOTTOM - part * (HEIGHT - _TOP - _BOTTOM), 1)

    dots = tuple(Dot(across(p.day), up(p.value), _shape(p)) for p in points)
    if trend.too_old:
        dots = (*dots[:-1], Dot(dots[-1].x, dots[-1].y, "open"))
    same = {point.limits for point in points}
    only = next(iter(same)) if len(same) == 1 else ()
    good = None
    if len(only) == 1:
        across_at = up(only[0])
        threshold = f"{_LEFT},{across_at} {WIDTH - _RIGHT},{across_at}"
        good = _good_side(trend, across_at)
    else:
        steps = [(across(p.day), up(p.limits[0])) for p in points if len(p.limits) == 1]
        threshold = _steps(steps)
    line = " ".join(f"{dot.x},{dot.y}" for dot in dots)
    newest = points[-1]
    bound = newest.limits[0] if len(newest.limits) == 1 else None
    level = None if bound is None else up(bound)
    labels = [_newest_label(dots[-1], newest.value, level)]
    if bound is not None and level is not None:
        labels.append(Label("bound", _LEFT + 2, _beside(level), "start", bound))
    return Chart(first, line, dots, threshold, good, tuple(labels))


def _newest_label(dot: Dot, value: Decimal, level: float | None) -> Label:
    """Above its dot; below where the picture or the line of the threshold is in the way."""
    above = dot.y - _LINE / 2 - 2
    crossed = level is not None and above - _LINE <= level <= dot.y
    y = dot.y + _LINE + 3 if above < _LINE or crossed else above
    anchor = "end" if dot.x > WIDTH - 4 * _LINE else "start" if dot.x < 4 * _LINE else "middle"
    return Label("newest", dot.x, round(y, 1), anchor, value)


def _beside(level: float) -> float:
    """Above its line, or below where the picture ends."""
    return round(level - 4 if level > 2 * _LINE else level + _LINE, 1)


def _range(values: Sequence[Decimal]) -> tuple[float, float]:
    low, high = float(min(values)), float(max(values))
    pad = (high - low) * 0.15 or abs(high) * 0.15 or 1.0
    return low - pad, high + pad


def _shape(point: Point) -> str:
    if point.meets is None:
        return "open"
    return "meets" if point.meets else "misses"


def _steps(places: Sequence[tuple[float, float]]) -> str:
    """A threshold that differs from result to result holds from each to the next."""
    said: list[str] = []
    for number, (x, y) in enumerate(places):
        if number:
            said.append(f"{x},{places[number - 1][1]}")
        said.append(f"{x},{y}")
    if said:
        said.append(f"{WIDTH - _RIGHT},{places[-1][1]}")
    return " ".join(said)


def _good_side(trend: Trend, level: float) -> tuple[float, float]:
    upward = trend.needs.startswith(("≥", ">"))
    if upward is not trend.excluding:
        return 0.0, level
    return level, round(HEIGHT - _BOTTOM + 6 - level, 1)
