"""Until when the results behind a determination count."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from cds.core.criterion import Status
from cds.engine.lab import Lab

if TYPE_CHECKING:
    from cds.core.criterion import Decision, Determination

_DAY = timedelta(days=1)


def counts_until(determination: Determination) -> tuple[str, date] | None:
    """The result that will be too old first, and the last day on which it counts.

    Looked at are criteria that one result decides; None where there is none.
    """
    found = [last for decision in determination.decisions if (last := _last_day(decision))]
    return min(found, key=lambda one: one[1], default=None)


def _last_day(decision: Decision) -> tuple[str, date] | None:
    form = decision.criterion.form
    if decision.status is not Status.PASS or not isinstance(form, Lab) or form.look_back is None:
        return None
    days = [_day(evidence.date) for evidence in decision.evidence]
    known = [day for day in days if day is not None]
    if not known or len(known) < len(days):
        return None
    return form.label, form.look_back.first_day_clear_of(max(known)) - _DAY


def _day(text: str | None) -> date | None:
    """A day as received; one known in part is none."""
    try:
        return None if text is None else date.fromisoformat(text[:10])
    except ValueError:
        return None
