"""A calendar that can be moved, so that a washout can be seen to run out."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MOST_DAYS = 3660
"""How far, in days either way, the day may be moved: some washouts last five years."""


class DemoClock:
    """Today in a zone, moved by whole days; the same for everybody who looks at this demo."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._moved = timedelta()

    @property
    def moved_days(self) -> int:
        """By how many days the demo's day is ahead of the real one."""
        return self._moved.days

    def real_today(self) -> date:
        """The day that it is."""
        return datetime.now(self._zone).date()

    def today(self) -> date:
        """The day that the demo and the service take for today."""
        return self.real_today() + self._moved

    def move_to(self, day: date | None) -> None:
        """Take `day` for today; None goes back to the real one.

        Raises:
            ValueError: the day is further away than the demo goes.
        """
        moved = day - self.real_today() if day is not None else timedelta()
        if abs(moved.days) > MOST_DAYS:
            message = f"The day can be moved by up to {MOST_DAYS} days; choose a nearer one."
            raise ValueError(message)
        self._moved = moved
