"""One line of an export: what it is and whose, without reading the rest of it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from cds.cohort.source import NEEDED_TYPES, RESEARCH_TYPES
from cds.fhir.decode import BROKEN
from cds.fhir.loose import loose_reference

if TYPE_CHECKING:
    from cds.fhir.resources import Reference

_LITERAL = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://.*/)?(Patient|Medication)/([^/?#]+)(?:/_history/[^/]+)?"
)
_NAMED = re.compile(rb'"Patient/([A-Za-z0-9.-]{1,64})"')
_PRODUCT = "Medication"


class _Pointer(msgspec.Struct, frozen=True, gc=False):
    reference: str | None = None


class _Ingredient(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    item_reference: _Pointer | None = None


class _Key(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The fields that say what a line is, whose it is, and which product it refers to."""

    resource_type: str | None = None
    id: str | None = None
    subject: _Pointer | None = None
    individual: _Pointer | None = None
    patient: _Pointer | None = None
    medication_reference: _Pointer | None = None
    issue: Raw = Raw()
    ingredient: Raw = Raw()


class Line(msgspec.Struct, frozen=True, gc=False):
    """What one line is.

    `patient` is the id of the patient it belongs to. `product` is the id of a Medication that the
    line itself is. `refers` are ids of Medications that it needs. `broken` says why it goes to
    the rejects; a broken line that names one patient is still given to them, so that their
    record is known to be incomplete. `concerns` is whose research subject, consent or flag it is:
    these are no part of the chart.
    """

    kind: str | None
    patient: str | None = None
    product: str | None = None
    refers: tuple[str, ...] = ()
    broken: str = ""
    issue: Raw = Raw()
    concerns: str | None = None


_key = msgspec.json.Decoder(_Key)
_fields = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)
_ingredients = msgspec.json.Decoder(list[_Ingredient])


def read_line(data: bytes) -> Line:
    """What a line of an export is; never raises for anything that stands in it."""
    try:
        line = _line_of(_key.decode(data))
    except BROKEN:
        line = _loosely(data)
    if line.broken and line.kind != "Patient":
        patients = set(_NAMED.findall(data))
        if len(patients) == 1:
            return msgspec.structs.replace(line, patient=patients.pop().decode("ascii"))
    return line


def _line_of(key: _Key) -> Line:
    kind = key.resource_type
    if kind is None:
        return Line(None, broken="it has no resourceType")
    if kind not in NEEDED_TYPES:
        return Line(kind, concerns=_concerned(key) if kind in RESEARCH_TYPES else None)
    if kind == "Patient":
        return Line(kind, key.id, broken="" if key.id else "the Patient has no id")
    if kind == _PRODUCT:
        return Line(kind, product=key.id, refers=_parts_of(key.ingredient))
    if kind == "OperationOutcome":
        return Line(kind, issue=key.issue)
    return _entry(kind, key)


def _concerned(key: _Key) -> str | None:
    """Whose research subject, consent or flag it is."""
    pointer = key.individual or key.patient or key.subject
    return named("Patient", pointer.reference) if pointer and pointer.reference else None


def _entry(kind: str, key: _Key) -> Line:
    """A line that says something about a patient."""
    reference = key.subject.reference if key.subject is not None else None
    patient = named("Patient", reference) if reference else None
    if patient is None:
        return Line(kind, broken="it does not say which patient it belongs to")
    pointer = key.medication_reference
    product = named(_PRODUCT, pointer.reference) if pointer and pointer.reference else None
    return Line(kind, patient, refers=(product,) if product else ())


@lru_cache(maxsize=4096)
def named(kind: str, reference: str) -> str | None:
    """The id in a relative, absolute or versioned reference to a Patient or Medication."""
    literal = _LITERAL.fullmatch(reference)
    return literal[2] if literal is not None and literal[1] == kind else None


def _parts_of(raw: Raw) -> tuple[str, ...]:
    """The products that a Medication is made of."""
    if not raw:
        return ()
    try:
        ingredients = _ingredients.decode(raw)
    except BROKEN:
        return ()
    pointers = (one.item_reference for one in ingredients)
    found = (named(_PRODUCT, p.reference) for p in pointers if p and p.reference)
    return tuple(product for product in found if product)


def _loosely(data: bytes) -> Line:
    """A line of which a field that says whose it is has the wrong shape, or that is no JSON."""
    try:
        fields = _fields.decode(data)
    except BROKEN:
        return Line(None, broken="it is not a JSON object")
    key = _Key(
        _read(fields.get("resourceType")),
        _read(fields.get("id")),
        _pointer(fields.get("subject")),
        _pointer(fields.get("individual")),
        _pointer(fields.get("patient")),
        _pointer(fields.get("medicationReference")),
        fields.get("issue", Raw()),
        fields.get("ingredient", Raw()),
    )
    return _line_of(key)


def _read(raw: Raw | None) -> str | None:
    if not raw:
        return None
    try:
        return _text.decode(raw)
    except BROKEN:
        return None


def _pointer(raw: Raw | None) -> _Pointer | None:
    found: Reference | None = loose_reference(raw) if raw else None
    return _Pointer(found.reference) if found is not None else None
