"""Medication entries → exposures: which drug, from when to when, by which route."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from cds.core.facts import Course, Exposure, Mark, Problem
from cds.core.when import Span
from cds.fhir import lazily, resources
from cds.fhir.concepts import codings, texts
from cds.fhir.dates import (
    NEVER_SAID,
    Interval,
    day_or_period,
    last_day_after,
    read_date,
    read_period,
    whole_day,
)
from cds.fhir.drugs import Identified, identified
from cds.fhir.lazily import Lost, Quantity, there
from cds.fhir.resources import CodeableConcept
from cds.fhir.retrieved import reference_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from cds.core.terminology import Terminology
    from cds.core.when import When
    from cds.fhir.resources import Entry, MedicationEntry

_ACTIVE, _PAST, _UNCERTAIN = Course.ACTIVE, Course.PAST, Course.UNCERTAIN
_INTENDED = Course.INTENDED
_COURSES: Mapping[str, Mapping[str, Course | None]] = {
    "MedicationStatement": {
        "active": _ACTIVE, "completed": _PAST, "stopped": _PAST, "on-hold": _UNCERTAIN,
        "unknown": _UNCERTAIN, "intended": _INTENDED, "not-taken": None, "entered-in-error": None,
    },
    "MedicationRequest": {
        "active": _ACTIVE, "completed": _PAST, "stopped": _PAST, "on-hold": _UNCERTAIN,
        "draft": None, "cancelled": None, "entered-in-error": None,
    },
    "MedicationAdministration": {
        "in-progress": _ACTIVE, "completed": _PAST, "stopped": _PAST,
        "not-done": None, "entered-in-error": None,
    },
}  # fmt: skip
"""What a status says; None: the entry is no exposure. What is not listed is for a human."""

_ORDERS = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
_NO_ORDERS = frozenset({"proposal", "option"})
_LONGEST_SUPPLY = Span(months=12)

Pairs = dict[str, list[tuple[Exposure, Mark]]]


class _Dosage(msgspec.Struct, frozen=True):
    route: CodeableConcept | None = None
    timing: Raw = Raw()


class _Timing(msgspec.Struct, frozen=True):
    repeat: Raw = Raw()


class _Repeat(msgspec.Struct, frozen=True, rename="camel"):
    bounds_period: Raw = Raw()


class _Dispense(msgspec.Struct, frozen=True, rename="camel"):
    validity_period: Raw = Raw()
    number_of_repeats_allowed: Raw = Raw()
    expected_supply_duration: Raw = Raw()


_dosages = msgspec.json.Decoder(tuple[_Dosage, ...])
_dosage = msgspec.json.Decoder(_Dosage)
_timing = msgspec.json.Decoder(_Timing)
_repeat = msgspec.json.Decoder(_Repeat)
_dispense = msgspec.json.Decoder(_Dispense)


class Medications(msgspec.Struct):
    """What the medication entries of a record come to."""

    exposures: Pairs
    unrecognised: list[Exposure]
    problems: list[Problem]


def medications_of(
    entries: Sequence[Entry],
    products: Mapping[str, resources.Medication],
    terminology: Terminology,
    zone: tzinfo,
) -> Medications:
    """Every entry that counts, by the concepts that its drug meets; and those nobody recognises."""
    found = Medications({}, [], [])
    for entry in entries:
        resource = entry.resource
        if not isinstance(resource, resources.MedicationEntry):
            continue
        course, certain = _course(resource)
        if course is None:
            continue
        drug = identified(resource, products, terminology)
        if not drug.marks and drug.recognised:
            continue
        exposure = _exposure(entry, resource, course, drug, terminology, zone)
        if not drug.recognised:
            _note_unrecognised(exposure, found)
        for concept, marks in drug.marks.items():
            for mark in marks:
                sure = mark if certain else msgspec.structs.replace(mark, decides=False)
                found.exposures.setdefault(concept, []).append((exposure, sure))
    return found


def _note_unrecognised(exposure: Exposure, found: Medications) -> None:
    found.unrecognised.append(exposure)
    says = f"'{exposure.display}' is not in any list"
    found.problems.append(Problem("not-recognised", exposure.reference, says))


def _course(resource: MedicationEntry) -> tuple[Course | None, bool]:
    """How an entry stands (None: it is no exposure), and whether that is certain."""
    kind = type(resource).__name__
    courses = _COURSES[kind]
    course = courses.get(resource.status or "", _UNCERTAIN)
    certain = (resource.status or "") in courses
    if isinstance(resource, resources.MedicationRequest):
        if _says_yes(resource.do_not_perform):
            return None, True
        intent = resource.intent
        if intent in _NO_ORDERS or (intent == "plan" and not _reported(resource)):
            return None, True
        certain = certain and intent in _ORDERS
    if resource.status == "intended" and not _has_start(resource):
        return None, True
    return course, certain


def _has_start(resource: MedicationEntry) -> bool:
    """Whether an intended medication may be in force by its dates."""
    assert isinstance(resource, resources.MedicationStatement)  # noqa: S101 - only there
    return there(resource.effective_date_time) or there(resource.effective_period)


def _reported(resource: resources.MedicationRequest) -> bool:
    """What a patient takes at home, which some EHRs keep as a reported plan."""
    return _says_yes(resource.reported_boolean) or there(resource.reported_reference)


def _says_yes(raw: Raw) -> bool:
    return lazily.readable(lazily.boolean, raw) is True


def _exposure(  # noqa: PLR0913 - everything that is known of it
    entry: Entry,
    resource: MedicationEntry,
    course: Course,
    drug: Identified,
    terminology: Terminology,
    zone: tzinfo,
) -> Exposure:
    dosages = _dosages_of(resource)
    interval = _taken(resource, zone)
    assumed = None
    if isinstance(resource, resources.MedicationRequest):
        interval, assumed = _ordered(resource, dosages, course, zone)
    route, stated = _route(dosages, terminology)
    local = route if route is not None else drug.local if not stated else False
    return Exposure(
        reference_of(entry),
        drug.display,
        course,
        start=interval.start,
        end=interval.end,
        assumed_end=assumed,
        local=bool(local),
        flush=drug.flush,
        route_stated=stated or drug.local is not None,
        recognised=drug.recognised,
        dates_unreadable=interval.lost,
    )


# Dates


def _taken(resource: MedicationEntry, zone: tzinfo) -> Interval:
    """effective[x] of what was taken or given."""
    if isinstance(resource, resources.MedicationStatement | resources.MedicationAdministration):
        return day_or_period(resource.effective_date_time, resource.effective_period, zone)
    return NEVER_SAID


def _ordered(
    request: resources.MedicationRequest,
    dosages: Sequence[_Dosage],
    course: Course,
    zone: tzinfo,
) -> tuple[Interval, When | None]:
    """An order's dates: its validity, else from when it was written; and its assumed end.

    An order that is over ends with the dosage's own period where that is given, else with its
    supply: the day is an assumption, at the latest twelve months after it was written.
    """
    dispense = lazily.read(_dispense, request.dispense_request)
    lost = isinstance(dispense, Lost)
    given = None if dispense is None or isinstance(dispense, Lost) else dispense
    written = read_date(request.authored_on, zone)
    authored = None if isinstance(written, Lost) else written
    valid = (read_period(given.validity_period, zone) if given else None) or NEVER_SAID
    start = valid.start or (authored if not valid.lost else None)
    end = valid.end
    lost = lost or valid.lost or (isinstance(written, Lost) and valid.start is None)
    if course is Course.ACTIVE:
        return Interval(start, end, lost), None
    end = end or _dosage_end(dosages, zone)
    if end is not None or lost:
        return Interval(start, end, lost), None
    return Interval(start, end, lost), _supply_end(start, authored, given)


def _dosage_end(dosages: Sequence[_Dosage], zone: tzinfo) -> When | None:
    """The latest end of the periods that the dosages name; None where one of them names none."""
    ends: list[When | None] = []
    for dosage in dosages:
        timing = lazily.readable(_timing, dosage.timing)
        repeat = lazily.readable(_repeat, timing.repeat) if timing is not None else None
        period = read_period(repeat.bounds_period, zone) if repeat is not None else None
        ends.append(None if period is None or period.lost else period.end)
    known = [end for end in ends if end is not None]
    return max(known, key=lambda end: end.end) if known and len(known) == len(ends) else None


def _supply_end(start: When | None, authored: When | None, given: _Dispense | None) -> When | None:
    """The last day of an order's supply, at most twelve months after it was written."""
    written = authored or start
    if written is None or start is None:
        return None
    try:
        latest = _LONGEST_SUPPLY.after(written.last)
    except (ValueError, OverflowError):
        return None
    supply = lazily.readable(lazily.quantity, given.expected_supply_duration) if given else None
    if given is None or not isinstance(supply, Quantity):
        return whole_day(latest)
    repeats = lazily.readable(lazily.integer, given.number_of_repeats_allowed)
    unclear = there(given.number_of_repeats_allowed) and (repeats is None or not 0 <= repeats <= 99)  # noqa: PLR2004 - no order has more
    if unclear:
        return whole_day(latest)
    over = last_day_after(start.last, supply, 1 + (repeats or 0))
    return whole_day(latest if over is None else min(over, latest))


# Route


def _dosages_of(resource: MedicationEntry) -> tuple[_Dosage, ...]:
    """The dosages that can be read; MedicationAdministration has one, the others a list."""
    raw = (
        resource.dosage_instruction
        if isinstance(resource, resources.MedicationRequest)
        else resource.dosage
        if isinstance(resource, resources.MedicationStatement | resources.MedicationAdministration)
        else Raw()
    )
    if not there(raw):
        return ()
    many = lazily.readable(_dosages, raw)
    if many is not None:
        return many
    one = lazily.readable(_dosage, raw)
    if one is not None:
        return (one,)
    rows = lazily.readable(lazily.items, raw) or ()
    read = (lazily.readable(_dosage, row) for row in rows)
    return tuple(dosage for dosage in read if dosage is not None)


def _route(dosages: Sequence[_Dosage], terminology: Terminology) -> tuple[bool | None, bool]:
    """Whether the stated routes are local (None: we cannot tell), and whether any is stated.

    One route that is not local, or not known, makes the entry count.
    """
    routes = [dosage.route for dosage in dosages if dosage.route is not None]
    routes = [route for route in routes if route.coding or route.text]
    if not routes:
        return None, False
    return all(_is_local(route, terminology) for route in routes), True


def _is_local(route: CodeableConcept, terminology: Terminology) -> bool:
    said = [terminology.route(c.system, c.code, None) for c in codings((route,))]
    known = [local for local in said if local is not None]
    if not known:
        named = [terminology.route(None, None, text) for text in texts((route,))]
        known = [local for local in named if local is not None]
    return bool(known) and all(known)
