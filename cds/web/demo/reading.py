"""Reading FHIR JSON for the eye: tolerant, since some invented charts are broken on purpose."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

Json = Any
LOINC = "http://loinc.org"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATED = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


def at(value: Json, *path: str | int) -> Json:
    """What lies at a path of names and positions, or None where the path breaks off."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def items(value: Json) -> list[Json]:
    """The objects of a list, or none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def concept_text(concept: Json) -> str:
    """What a CodeableConcept says: its text, else the first display, else the first code."""
    codings = items(at(concept, "coding"))
    said = [at(concept, "text")]
    said += [coding.get("display") for coding in codings]
    said += [coding.get("code") for coding in codings]
    return next((one for one in said if isinstance(one, str) and one), "")


def code_of(concept: Json, system: str) -> str:
    """The first code of a CodeableConcept in a system, or ''."""
    codes = (c.get("code") for c in items(at(concept, "coding")) if c.get("system") == system)
    return next((code for code in codes if isinstance(code, str)), "")


def spoken(when: Json) -> str:
    """A FHIR date for the eye: '3 Mar 2026', 'Mar 2026', '2026'; anything else is ''."""
    found = _DATED.match(when) if isinstance(when, str) else None
    if found is None:
        return ""
    year, month, day = found.groups()
    if month is None or not 1 <= int(month) <= 12:  # noqa: PLR2004 - months of a year
        return year
    named = f"{_MONTHS[int(month) - 1]} {year}"
    return f"{int(day)} {named}" if day else named


def day_of(when: Json) -> date | None:
    """The calendar day of a FHIR date that is known to the day."""
    try:
        return date.fromisoformat(when[:10])
    except (TypeError, ValueError):
        return None


def when_of(resource: Json) -> str:
    """The date that a clinician would put beside a resource, as FHIR writes it."""
    paths = (
        ("effectiveDateTime",), ("effectiveInstant",), ("effectivePeriod", "start"),
        ("performedDateTime",), ("performedPeriod", "start"), ("onsetDateTime",),
        ("onsetPeriod", "start"), ("authoredOn",), ("recordedDate",), ("dateAsserted",),
    )  # fmt: skip
    return next((when for path in paths if isinstance(when := at(resource, *path), str)), "")


def number_of(value: Json) -> Decimal | None:
    """A JSON number; text that looks like one is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return Decimal(str(value))


def quantity_text(quantity: Json) -> str:
    """'< 0.5 mg/dL'."""
    number, unit = number_of(at(quantity, "value")), at(quantity, "unit") or at(quantity, "code")
    said = [at(quantity, "comparator"), None if number is None else f"{number:f}", unit]
    return " ".join(str(one) for one in said if one and not _is_annotation(str(one)))


def _is_annotation(unit: str) -> bool:
    """Whether a UCUM unit only says what is counted: {INR}, {score}."""
    return unit.startswith("{") and unit.endswith("}")


def age(born: Json, on: date) -> str:
    """Completed years, '9 or 10' where only the year of birth is known, '' where nothing is."""
    day = day_of(born)
    if day is not None:
        return str(on.year - day.year - ((on.month, on.day) < (day.month, day.day)))
    if isinstance(born, str) and re.fullmatch(r"\d{4}", born):
        years = on.year - int(born)
        return f"{years - 1} or {years}"
    return ""
