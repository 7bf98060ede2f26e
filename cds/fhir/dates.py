"""FHIR dates, periods and ages as ranges of instants."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING

import msgspec

from cds.core.when import Age, Span, When, day_range, read_when
from cds.fhir import lazily
from cds.fhir.lazily import UNREADABLE, Lost, Quantity

if TYPE_CHECKING:
    from datetime import tzinfo

    from msgspec import Raw

_TIME_UNITS = {
    "a": "years", "yr": "years", "yrs": "years", "y": "years", "year": "years", "years": "years",
    "mo": "months", "mos": "months", "month": "months", "months": "months",
    "wk": "weeks", "wks": "weeks", "week": "weeks", "weeks": "weeks",
    "d": "days", "day": "days", "days": "days",
    "h": "hours", "hr": "hours", "hrs": "hours", "hour": "hours", "hours": "hours",
}  # fmt: skip
_IN_DAYS = {"weeks": Decimal(7), "days": Decimal(1), "hours": Decimal(1) / Decimal(24)}
_IN_SMALLER = {
    "years": (Decimal(12), "months"),
    "months": (Decimal("365.25") / 12, "days"),
    "weeks": (Decimal(7), "days"),
    "hours": (Decimal(1) / Decimal(24), "days"),
}
_LONGEST_YEARS = 150
_LONGEST_AGE = 1_500_000
"""Hours in more than 150 years."""
_LONGEST_SUPPLY = 10_000


class Interval(msgspec.Struct, frozen=True, gc=False):
    """When something began and ended. `lost`: a date is there that cannot be read."""

    start: When | None = None
    end: When | None = None
    lost: bool = False


NEVER_SAID = Interval()


def read_date(raw: Raw, zone: tzinfo) -> When | Lost | None:
    """A date, dateTime or instant; None where there is none."""
    text = lazily.read(lazily.text, raw)
    if not isinstance(text, str):
        return text
    return read_when(text, zone) or UNREADABLE


def read_period(raw: Raw, zone: tzinfo) -> Interval | None:
    """A Period; None where there is none, or neither of its dates is given."""
    period = lazily.read(lazily.period, raw)
    if period is None:
        return None
    if isinstance(period, Lost):
        return Interval(lost=True)
    start, end = read_date(period.start, zone), read_date(period.end, zone)
    if start is None and end is None:
        return None
    first, last = _kept(start), _kept(end)
    if first is not None and last is not None and last.end < first.start:
        return Interval(lost=True)  # it ends before it begins: one of the two is wrong
    return Interval(first, last, isinstance(start, Lost) or isinstance(end, Lost))


def day_or_period(date_time: Raw, period: Raw, zone: tzinfo) -> Interval:
    """`xDateTime` as one day that is start and end, else `xPeriod`; NEVER_SAID without either."""
    day = read_date(date_time, zone)
    if isinstance(day, Lost):
        return Interval(lost=True)
    if day is not None:
        return Interval(day, day)
    return read_period(period, zone) or NEVER_SAID


def between(first: When, last: When) -> When:
    """One date of which only the range is known."""
    return When(f"{first.text}/{last.text}", first.first, last.last, first.start, last.end)


def at_age(age: Quantity, birth: When | None, zone: tzinfo) -> When | None:
    """The range of dates on which somebody born at `birth` has an age in completed units.

    5.5 years are any day of the sixth year, because nobody knows how the fraction was rounded.
    """
    unit = _unit(age)
    if birth is None or age.value is None or age.comparator or unit is None:
        return None
    if not 0 <= age.value <= _LONGEST_AGE:
        return None
    completed = int(age.value)
    try:
        first = _aged(birth.first, completed, unit)
        last = _aged(birth.last, completed + 1, unit) - timedelta(days=1)
        if unit == "hours":  # the hour of birth is not known: it may be the next day already
            last = _aged(birth.last, completed, unit) + timedelta(days=1)
        start, end = day_range(first, last, zone)
        longest = _aged(birth.last, _LONGEST_YEARS + 1, "years")
    except (ValueError, OverflowError):
        return None
    if first >= longest:
        return None
    said = f"{age.value.normalize():f} {unit.removesuffix('s') if age.value == 1 else unit}"
    return When(f"at {said} of age", first, last, start, end)


def on_a_day_at_age(raw: Raw, birth: When | None, zone: tzinfo) -> Interval:
    """An Age as the one day on which something was done."""
    quantity = lazily.readable(lazily.quantity, raw)
    when = at_age(quantity, birth, zone) if quantity is not None else None
    return Interval(lost=True) if when is None else Interval(when, when)


def _aged(born: date, completed: int, unit: str) -> date:
    """The day on which somebody born on a day has completed so many units."""
    if unit in _IN_DAYS:
        return born + timedelta(days=int(completed * _IN_DAYS[unit]))
    return Span(months=completed * (12 if unit == "years" else 1)).after(born)


def age_of(age: Quantity | None) -> Age | None:
    """An age as a limit, in a unit of which it is a whole number; None where it is not known."""
    unit = _unit(age) if age is not None else None
    if age is None or age.value is None or unit is None or abs(age.value) > _LONGEST_AGE:
        return None
    number = age.value
    while unit in {"weeks", "hours"} or (number != int(number) and unit != "days"):
        times, unit = _IN_SMALLER[unit]
        number *= times
    return Age(number, unit)


def last_day_after(first: date, duration: Quantity, times: int) -> date | None:
    """The day on which `times` lengths of a duration from `first` are over; None: not known."""
    unit = _unit(duration)
    if duration.value is None or unit is None or not 0 <= duration.value <= _LONGEST_SUPPLY:
        return None
    amount = duration.value * times
    try:
        if unit in _IN_DAYS:
            return first + timedelta(days=ceil(amount * _IN_DAYS[unit]))
        return Span(months=ceil(amount * (12 if unit == "years" else 1))).after(first)
    except (ValueError, OverflowError):
        return None


def whole_day(day: date) -> When:
    """A calendar day."""
    start, end = day_range(day, day, UTC)
    return When(day.isoformat(), day, day, start, end)


def _unit(quantity: Quantity) -> str | None:
    for said in (quantity.code, quantity.unit):
        if said and said.strip().lower() in _TIME_UNITS:
            return _TIME_UNITS[said.strip().lower()]
    return None


def _kept(when: When | Lost | None) -> When | None:
    return None if isinstance(when, Lost) else when
