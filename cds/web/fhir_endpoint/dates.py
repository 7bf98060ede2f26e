"""Moving a story in time: every date of a FHIR resource, shifted by whole days.

The fixtures are written for one day each. Served as they stand, their "twelve days ago" would
grow older with the calendar; shifted so that the story's day is today, they look the same next
year. A time of day, its zone and the precision of a date are kept.
"""

import re
from datetime import date, timedelta
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Any JSON value."""
JsonObject: TypeAlias = dict[str, Json]
"""A FHIR resource or part of one, as JSON gives it."""

_DATED = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})([T ].*)?)?)?", re.DOTALL)
_DAY_IN_PROSE = re.compile(r"(?<![\d-])\d{4}-\d{2}-\d{2}(?![\d-])")
_DATE_ENDINGS = ("Date", "DateTime", "Instant")
_DATE_ELEMENTS = frozenset(
    {
        "authored", "authoredOn", "created", "creation", "date", "dateAccessed", "dateAsserted",
        "dateTime", "dateWritten", "detected", "end", "event", "expiry", "issued", "lastModified",
        "lastPerformed", "lastUpdated", "nextScheduled", "received", "receivedTime", "recorded",
        "recordedOn", "sent", "start", "started", "time", "timestamp", "useBy", "validTo",
        "whenHandedOver", "whenPrepared",
    }
)  # fmt: skip
_PROSE_ELEMENTS = frozenset({"comment", "conclusion", "div", "text", "valueString"})
_BIRTH_ELEMENTS = frozenset({"birthDate", "_birthDate"})
_MID_MONTH = 15
_MID_YEAR = (7, 2)


def shift_dates(resource: JsonObject, delta_days: int, *, day: date | None = None) -> JsonObject:
    """Return a copy of a FHIR resource with every date moved by `delta_days` days.

    Full dates, dateTimes and instants move by exactly that many days, so they come back when
    moved the other way. A date known only in part cannot: with `day` (the day of the story,
    before shifting) it keeps its distance in calendar years or months from that day, so that a
    year of birth gives the same ages; without, the year or month nearest to the shifted middle
    is taken. With `day` a full birthDate moves by one day more or less where a leap day would
    otherwise change the age in completed years.

    Only elements that hold dates in FHIR are moved, and full dates that stand in notes,
    narratives and text values; ids, codes and identifiers that look like dates are not. What is
    not a calendar date (2026-02-30) or would leave the years 1 to 9999 stays as it is.
    """
    return _shift_object(resource, _Shift(delta_days, day))


class _Shift:
    """By how much to move, and the day from which parts of dates are counted."""

    def __init__(self, days: int, day: date | None) -> None:
        self.days = days
        self.delta = timedelta(days=days)
        self.day = day

    def text(self, written: str) -> str:
        """One date as FHIR writes it, moved; anything else as it stands."""
        found = _DATED.fullmatch(written)
        if found is None:
            return written
        year, month, day_of_month, rest = found.groups()
        try:
            if day_of_month is not None:
                moved = date(int(year), int(month), int(day_of_month)) + self.delta
                return moved.isoformat() + (rest or "")
            if month is not None:
                return self._month(int(year), int(month))
            return f"{self._year(int(year)):04d}"
        except (ValueError, OverflowError):
            return written  # no such day, or beyond the calendar: left for the reader to judge

    def _month(self, year: int, month: int) -> str:
        if self.day is None:
            return (date(year, month, _MID_MONTH) + self.delta).isoformat()[:7]
        new_day = self.day + self.delta
        gone_by = (new_day.year - self.day.year) * 12 + new_day.month - self.day.month
        months = date(year, month, 1).year * 12 + month - 1 + gone_by
        return date(months // 12, months % 12 + 1, 1).isoformat()[:7]

    def _year(self, year: int) -> int:
        if self.day is None:
            return (date(year, *_MID_YEAR) + self.delta).year
        return date(year + (self.day + self.delta).year - self.day.year, 1, 1).year

    def for_birth(self, birth: str) -> "_Shift":
        """The shift for a date of birth: the same, or a day off where that keeps the age."""
        try:
            born = date.fromisoformat(birth)
        except ValueError:
            return self  # known in part: its own way of shifting keeps the age
        if self.day is None:
            return self
        age, new_day = _age(born, self.day), self.day + self.delta
        for days in (self.days, self.days - 1, self.days + 1):
            if _age(born + timedelta(days=days), new_day) == age:
                return _Shift(days, self.day)
        return self


def _age(born: date, on: date) -> int:
    """Completed years on a day."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _shift_part(part: Json, name: str, shift: _Shift) -> Json:
    """One value under its element's name; a list hands its name to its members."""
    if isinstance(part, dict):
        return _shift_object(part, shift)
    if isinstance(part, list):
        return [_shift_part(member, name, shift) for member in part]
    if not isinstance(part, str):
        return part
    if name in _DATE_ELEMENTS or name.endswith(_DATE_ENDINGS):
        return shift.text(part)
    if name in _PROSE_ELEMENTS:
        return _DAY_IN_PROSE.sub(lambda found: shift.text(found.group()), part)
    return part


def _shift_object(part: JsonObject, shift: _Shift) -> JsonObject:
    born = part.get("birthDate")
    birth_shift = shift.for_birth(born) if isinstance(born, str) else shift
    return {
        # `_birthDate` can carry the time of birth, which must stay on the day of birth.
        name: _shift_part(value, name, birth_shift if name in _BIRTH_ELEMENTS else shift)
        for name, value in part.items()
    }
