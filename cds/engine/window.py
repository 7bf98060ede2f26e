"""Look-back windows in the two senses that protocols use."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec

from cds.core.truth import Truth
from cds.core.when import Span

if TYPE_CHECKING:
    from cds.core.when import When

_DAY = timedelta(days=1)


class Window(msgspec.Struct, frozen=True, gc=False):
    """The days before an evaluation date.

    `inclusive` True is "within 12 days": the 12th day is inside. False is "at least 21 days
    after": the 21st day is outside already.
    """

    span: Span
    inclusive: bool = True

    def first_day(self, on: date) -> date:
        """The first day inside the window of `on`."""
        start = self.span.before(on)
        return start if self.inclusive else start + _DAY

    def covers(self, when: When, on: date) -> Truth:
        """Whether `when` lies inside; UNKNOWN where its possible dates disagree."""
        first = self.first_day(on)
        if when.first >= first:
            return Truth.MET
        return Truth.NOT_MET if when.last < first else Truth.UNKNOWN

    def clear_of(self, last: date) -> date:
        """The first evaluation date whose window no longer contains `last`."""
        if self.inclusive:
            return self.span.first_day_clear_of(last)
        day = self.span.after(last)
        while self.first_day(day) <= last:
            day += _DAY
        return day

    def __str__(self) -> str:
        return f"within {self.span}" if self.inclusive else f"less than {self.span} ago"
