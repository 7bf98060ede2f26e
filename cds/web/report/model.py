"""What a determination page shows, as plain data that can be kept for some minutes.

Nothing in here is worded for a language: the templates say it. Texts of the protocol, reasons and
values stay as they are.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """One resource that was read for a criterion.

    `received` is its value or name as received, `normal` the same in the unit (or as the state)
    that was compared, `limit` the upper limit of normal that was used, `counts_as` the concept
    that it belongs to, `remark` what else decided how it counts.
    """

    reference: str
    received: str
    date: str | None = None
    normal: str = ""
    limit: str = ""
    counts_as: str = ""
    remark: str = ""


class Lack(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing the record does not say.

    `gap` is the contract's word; `step` how one comes by it, as the cards say it: limit, order,
    measure, assess, ask, unit, implausible, conflict, date or unread; "" for a human's judgement.
    """

    label: str
    gap: str
    step: str = ""


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One criterion for this patient."""

    id: str
    kind: str
    status: str
    text: str
    reading: str
    reason: str
    also: tuple[str, ...] = ()
    question: str | None = None
    proofs: tuple[Proof, ...] = ()
    lacks: tuple[Lack, ...] = ()
    clears_on: date | None = None


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One bar of the timeline: something that happened, and the window that it lies in or left.

    `what` has several names where several results share a bar; `window` is "" where something that
    still runs is asked for in several. `began` and `ended` are its first
    and last day as far as they are known; `running`: no end. `clear_on` is the first evaluation
    date whose window no longer contains it. `look_back`: a result, which counts until then;
    otherwise an exposure or event, which stands in the way.
    """

    criteria: tuple[str, ...]
    what: tuple[str, ...]
    window: str
    status: str
    began: date | None = None
    ended: date | None = None
    running: bool = False
    clear_on: date | None = None
    look_back: bool = False


class Point(msgspec.Struct, frozen=True, omit_defaults=True):
    """One result of a trend.

    `value` is where it is drawn, `shown` how it is said. `limits` are what the bound came to for
    it, two where ranges contradict one another. `meets`: the side that lets a patient in.
    """

    day: date
    value: Decimal
    shown: str
    limits: tuple[Decimal, ...] = ()
    meets: bool | None = None


class Trend(msgspec.Struct, frozen=True, omit_defaults=True):
    """The results of one test against one bound, oldest first; `needs` is the bound in words.

    `too_old`: even the newest lies before the look-back, and does not count. `since`: older results
    than of that day were not all read, and none are drawn.
    """

    criteria: tuple[str, ...]
    label: str
    unit: str
    needs: str
    points: tuple[Point, ...]
    excluding: bool = False
    too_old: bool = False
    since: date | None = None


class TrialReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """One trial for this patient."""

    id: str
    version: str
    digest: str
    title: str
    short_title: str
    sponsor: str
    url: str
    recruitment: str
    recruitment_as_of: str
    signed_off: bool
    overall: str
    clears_on: date | None
    lines: tuple[Line, ...]
    tests: tuple[str, ...] = ()
    timeline: tuple[Row, ...] = ()
    trends: tuple[Trend, ...] = ()

    def with_status(self, status: str) -> tuple[Line, ...]:
        """The criteria of one status, in protocol order."""
        return tuple(line for line in self.lines if line.status == status)

    def lacking(self, step: str) -> tuple[str, ...]:
        """The data that unknown criteria lack and that one comes by in this way, each once."""
        lacks = (lack for line in self.with_status("unknown") for lack in line.lacks)
        return tuple(dict.fromkeys(lack.label for lack in lacks if lack.step == step))


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem of the record: kind (the contract's word), resource, and what it says."""

    kind: str
    says: str
    reference: str | None = None


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that stands behind the cards of one hook call.

    `dated`: the day was fixed by a setting, for a demonstration or a test.
    """

    patient: str
    on: date
    software: str
    content: str
    trials: tuple[TrialReport, ...]
    notices: tuple[Notice, ...] = ()
    dated: bool = False

    def trial(self, trial: str) -> TrialReport | None:
        """One trial of the report, or None where it is not in it."""
        return next((one for one in self.trials if one.id == trial), None)
