"""Dates as ranges, and the spans that windows are made of.

A FHIR date may be a year, a month, a day or an instant; a `When` is every instant that the text
allows. Windows count back in calendar days of the configured zone; months clamp to the last day
of the month (31 August minus 6 months is 28 or 29 February).
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache

import msgspec

_PARTIAL = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class When(msgspec.Struct, frozen=True, gc=False):
    """Every instant that a FHIR date, dateTime or instant allows.

    `text` is the date as received; `first` and `last` are the first and last possible calendar
    days in the configured zone; `start` and `end` the first and last possible instants in
    microseconds since 1970-01-01T00:00Z, both inclusive.
    """

    text: str
    first: date
    last: date
    start: int
    end: int


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def day_range(first: date, last: date, zone: tzinfo) -> tuple[int, int]:
    """First and last instant (microseconds) of the days `first` to `last` in `zone`."""
    start = datetime.combine(first, time.min, zone)
    end = datetime.combine(last, time.max, zone)
    return microseconds(start), microseconds(end)


@lru_cache(maxsize=8192)  # half a kilobyte each, and most are met in one chart only
def read_when(text: str, zone: tzinfo = UTC) -> When | None:
    """Read a FHIR date, dateTime or instant; None when it is none.

    A dateTime without an offset (real feeds send them) is read in `zone`.
    """
    try:
        if _INSTANT.fullmatch(text):
            return _read_instant(text, zone)
        parts = _PARTIAL.fullmatch(text)
        if parts is None:
            return None
        year, month, day = (int(part) if part else None for part in parts.groups())
        first = date(year or 0, month or 1, day or 1)
        last_month = month or 12
        last = date(first.year, last_month, day or monthrange(first.year, last_month)[1])
        start, end = day_range(first, last, zone)
    except (ValueError, OverflowError):
        return None
    return When(text, first, last, start, end)


def _read_instant(text: str, zone: tzinfo) -> When:
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
    instant = microseconds(moment)
    return When(text, moment.date(), moment.date(), instant, instant)


class Span(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A length of time in calendar days and months (a year is twelve months)."""

    days: int = 0
    months: int = 0

    def before(self, day: date) -> date:
        """The day this long before `day`."""
        return _before(self, day)

    def after(self, day: date) -> date:
        """The day this long after `day`."""
        return _add_months(day, self.months) + timedelta(days=self.days)

    def first_day_clear_of(self, last: date) -> date:
        """The first evaluation date whose look-back of this span no longer contains `last`.

        Within 7 days of 1 March: 9 March. Months are searched, not computed: clamping makes
        several evaluation dates share one window start.
        """
        day = self.after(last)
        while self.before(day) <= last:
            day += timedelta(days=1)
        return day

    def __str__(self) -> str:
        if self.days:
            return f"{self.days} day{'s' * (self.days != 1)}"
        if self.months % 12 == 0 and self.months:
            years = self.months // 12
            return f"{years} year{'s' * (years != 1)}"
        return f"{self.months} month{'s' * (self.months != 1)}"


@lru_cache(maxsize=1024)  # every criterion asks for the same few look-backs of the same day
def _before(span: Span, day: date) -> date:
    return _add_months(day, -span.months) - timedelta(days=span.days)


_SPAN = re.compile(r"(\d+) (day|week|month|year)s?")


def read_span(text: str) -> Span:
    """Read '28 days', '4 weeks', '6 months' or '5 years'.

    Raises:
        ValueError: the text is none of these.
    """
    parts = _SPAN.fullmatch(text.strip())
    if parts is None:
        message = f"{text!r} is not a length of time such as '28 days', '6 months' or '5 years'."
        raise ValueError(message)
    number, unit = int(parts[1]), parts[2]
    if unit == "day":
        return Span(days=number)
    if unit == "week":
        return Span(days=7 * number)
    return Span(months=number if unit == "month" else 12 * number)


def _add_months(day: date, months: int) -> date:
    if months == 0:
        return day
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def completed_years(birth: date, on: date) -> int:
    """Age in completed years; who is born on 29 February ages on 1 March in common years."""
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


class Age(msgspec.Struct, frozen=True, gc=False):
    """An age at which something begins or ends, counted in completed `unit`: years, months, days.

    Somebody of 82 months is 6 years old: ages can only be compared in the unit of the limit.
    """

    number: Decimal
    unit: str = "years"

    def completed(self, birth: date, on: date) -> int:
        """How many of the unit somebody born at `birth` has completed on a day."""
        if self.unit == "days":
            return (on - birth).days
        years = completed_years(birth, on)
        if self.unit == "years":
            return years
        return (on.year - birth.year) * 12 + on.month - birth.month - (on.day < birth.day)


class Evaluation(msgspec.Struct, frozen=True, gc=False):
    """The day that is asked about: `on`, whose instant is the end of that day in `zone`."""

    on: date
    zone: tzinfo
    end: int

    @classmethod
    def of(cls, on: date, zone: tzinfo = UTC) -> Evaluation:
        """The evaluation of the day `on` in `zone`."""
        return cls(on, zone, day_range(on, on, zone)[1])
