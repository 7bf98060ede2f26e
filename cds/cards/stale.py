"""Until when the results behind a determination count."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from cds.core.criterion import Status
from cds.engine.lab import Lab

if TYPE_CHECKING:
    from cds.core.criterion import Decision, Determination
    from cds.core.when import Span

_DAY = timedelta(days=1)


def counts_until(determination: Determination) -> tuple[str, date] | None:
    """The result that will be too old first, and the last day on which it counts.

    Looked at are criteria that one result decides; None where there is none.
    """
    found = [
        (form.label, day)
        for decision in determination.with_status(Status.PASS)
        if isinstance(form := decision.criterion.form, Lab)
        and form.look_back is not None
        and (day := _last_day(decision, form.look_back)) is not None
    ]
    return min(found, key=lambda one: one[1], default=None)


def _last_day(decision: Decision, look_back: Span) -> date | None:
    days = [_day(evidence.date) for evidence in decision.evidence]
    known = [day for day in days if day is not None]
    if not known or len(known) < len(days):
        return None
    return look_back.first_day_clear_of(max(known)) - _DAY


def _day(text: str | None) -> date | None:
    """A day as received; one known in part is none."""
    try:
        return None if text is None else date.fromisoformat(text[:10])
    except ValueError:
        return None
