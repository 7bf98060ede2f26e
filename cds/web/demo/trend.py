"""A trend as a small picture: points of an SVG, and the same in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.web.demo.reading import spoken

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from decimal import Decimal

WIDTH, HEIGHT, _EDGE = 120, 30, 4
_MOST_POINTS = 60


@dataclass(frozen=True, slots=True)
class Point:
    """One number on one day."""

    day: date
    number: Decimal


@dataclass(frozen=True, slots=True)
class Trend:
    """SVG coordinates within WIDTH × HEIGHT: the line, its newest point, and the range's band."""

    line: str
    x: float
    y: float
    band_y: float | None
    band_height: float
    says: str


def trend_of(
    name: str, points: Sequence[Point], unit: str, low: Decimal | None, high: Decimal | None
) -> Trend | None:
    """The picture of at least two points, oldest first; None for fewer."""
    points = points[-_MOST_POINTS:]
    if len(points) < 2:  # noqa: PLR2004 - one point is no trend
        return None
    numbers = [float(point.number) for point in points]
    ends = [float(end) for end in (low, high) if end is not None]
    bottom, top = min(numbers + ends), max(numbers + ends)
    first, days = points[0].day, (points[-1].day - points[0].day).days

    def across(day: date, number: int) -> float:
        part = (day - first).days / days if days else number / (len(points) - 1)
        return round(_EDGE + part * (WIDTH - 2 * _EDGE), 1)

    def up(value: float) -> float:
        part = (value - bottom) / (top - bottom) if top > bottom else 0.5
        return round(HEIGHT - _EDGE - part * (HEIGHT - 2 * _EDGE), 1)

    places = [(across(p.day, n), up(float(p.number))) for n, p in enumerate(points)]
    band_top = up(float(high)) if high is not None else 0.0
    band_bottom = up(float(low)) if low is not None else float(HEIGHT)
    return Trend(
        " ".join(f"{x},{y}" for x, y in places),
        *places[-1],
        band_top if ends else None,
        round(band_bottom - band_top, 1),
        _words(name, points, unit),
    )


def _words(name: str, points: Sequence[Point], unit: str) -> str:
    first, last = points[0], points[-1]
    lowest, highest = (pick(point.number for point in points) for pick in (min, max))
    return (
        f"{name}: {len(points)} results, from {first.number:f} on "
        f"{spoken(first.day.isoformat())} to {last.number:f} {unit} on "
        f"{spoken(last.day.isoformat())}; lowest {lowest:f}, highest {highest:f}."
    )
