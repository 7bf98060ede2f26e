"""Proportions of few: with an interval, because 9 of 10 may be 6 of 10 in truth."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

_Z = 1.959964  # 97.5 % of the normal distribution


class Share(NamedTuple):
    """So many of so many."""

    part: int
    of: int

    @property
    def value(self) -> float | None:
        """The share itself; None of nothing."""
        return self.part / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval after Wilson (1927); None of nothing."""
        if not self.of:
            return None
        share, z2 = self.part / self.of, _Z * _Z
        middle = (share + z2 / (2 * self.of)) / (1 + z2 / self.of)
        half = _Z * sqrt(share * (1 - share) / self.of + z2 / (4 * self.of**2)) / (1 + z2 / self.of)
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        """'9 of 10 (90 %; 60–98 %)'."""
        if self.value is None or self.interval is None:
            return "0 of 0"
        low, high = self.interval
        return f"{self.part} of {self.of} ({self.value:.0%}; {low:.0%}–{high:.0%})".replace(
            "%", " %"
        )
