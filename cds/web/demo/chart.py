"""A patient's chart for the eye, read from the embedded endpoint's store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.web.demo.reading import Json, age, at, concept_text, items, spoken, when_of
from cds.web.demo.results import LabTest, lab_tests_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from cds.web.fhir_endpoint import Store

_RUNNING = frozenset({"active", "intended", "on-hold", "in-progress", "unknown"})
_VITALS, _SCORES = {"vital-signs"}, {"exam", "survey", "social-history"}


@dataclass(frozen=True, slots=True)
class Person:
    """The banner of a chart."""

    key: str
    name: str
    age: str
    sex: str
    born: str
    died: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list: what, since when, in which state, and a remark."""

    what: str
    when: str
    state: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Medication:
    """A medicine; `reference` leads to the resource, `running` says that it can be stopped."""

    reference: str
    what: str
    state: str
    when: str
    remark: str
    running: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the page shows of one patient."""

    person: Person
    problems: tuple[Line, ...]
    medications: tuple[Medication, ...]
    labs: tuple[LabTest, ...]
    vitals: tuple[LabTest, ...]
    scores: tuple[LabTest, ...]
    procedures: tuple[Line, ...]
    orders: tuple[Line, ...]


def person_of(patient: Json, on: date) -> Person:
    """The banner of a Patient resource."""
    name = at(patient, "name", 0)
    given = " ".join(str(one) for one in at(name, "given") or [])
    spelled = at(name, "text") or f"{given} {at(name, 'family') or ''}".strip()
    ids = [
        f"{concept_text(one.get('type')) or 'Id'} {one['value']}"
        for one in items(at(patient, "identifier"))
        if isinstance(one.get("value"), str)
    ]
    died = at(patient, "deceasedDateTime")
    return Person(
        str(at(patient, "id")),
        spelled or "No name recorded",
        age(at(patient, "birthDate"), on),
        str(at(patient, "gender") or "sex not recorded"),
        spoken(at(patient, "birthDate")),
        spoken(died) if died else ("yes" if at(patient, "deceasedBoolean") is True else ""),
        tuple(ids),
    )


def chart_of(store: Store, patient: Json, on: date) -> Chart:
    """The chart of a Patient resource in a store."""
    key = patient["id"]

    def of(kind: str) -> list[Json]:
        return sorted(store.of_patient(kind, key), key=when_of, reverse=True)

    observations = store.of_patient("Observation", key)  # in the order of the laboratory's panels
    return Chart(
        person_of(patient, on),
        tuple(_problem(one) for one in sorted(of("Condition"), key=_is_over)),
        tuple(_medications(store, of)),
        tuple(
            lab_tests_of(one for one in observations if not _category(one) & (_VITALS | _SCORES))
        ),
        tuple(lab_tests_of(one for one in observations if _category(one) & _VITALS)),
        tuple(lab_tests_of(one for one in observations if _category(one) & _SCORES)),
        tuple(_procedure(one) for one in of("Procedure")),
        tuple(_order(one) for one in of("ServiceRequest")),
    )


def _category(observation: Json) -> set[str]:
    codings = [c for one in items(observation.get("category")) for c in items(one.get("coding"))]
    return {str(coding.get("code")) for coding in codings}


def _is_over(condition: Json) -> bool:
    state = at(condition, "clinicalStatus", "coding", 0, "code")
    return state in {"resolved", "inactive", "remission"}


def _problem(condition: Json) -> Line:
    states = (concept_text(condition.get(f"{kind}Status")) for kind in ("clinical", "verification"))
    return Line(
        concept_text(condition.get("code")) or "Unnamed problem",
        spoken(when_of(condition)),
        ", ".join(state.lower() for state in states if state),
        _note(condition),
    )


def _procedure(procedure: Json) -> Line:
    name = concept_text(procedure.get("code")) or "Unnamed procedure"
    state = str(procedure.get("status", ""))
    return Line(name, spoken(when_of(procedure)), state, _note(procedure))


def _order(order: Json) -> Line:
    name = concept_text(order.get("code")) or "Unnamed order"
    return Line(name, spoken(when_of(order)), str(order.get("status", "")), _note(order))


def _note(resource: Json) -> str:
    return " ".join(str(one.get("text", "")) for one in items(resource.get("note"))).strip()


def _medications(store: Store, of: Callable[[str], list[Json]]) -> Iterable[Medication]:
    kinds = ("MedicationRequest", "MedicationStatement", "MedicationAdministration")
    found = [_medication(store, one) for kind in kinds for one in of(kind)]
    return sorted(found, key=lambda one: not one.running)


def _medication(store: Store, entry: Json) -> Medication:
    state = str(entry.get("status", ""))
    kind = str(entry["resourceType"])
    dosage = at(entry, "dosageInstruction", 0) or at(entry, "dosage", 0) or at(entry, "dosage")
    ends = [at(entry, "effectivePeriod", "end"),
            at(entry, "dispenseRequest", "validityPeriod", "end")]  # fmt: skip
    ended = next((spoken(end) for end in ends if end), "")
    return Medication(
        f"{kind}/{entry['id']}",
        _drug(store, entry),
        state,
        spoken(when_of(entry)) + (f" – {ended}" if ended else ""),
        str(at(dosage, "text") or ""),
        state in _RUNNING and kind != "MedicationAdministration",
    )


def _drug(store: Store, entry: Json) -> str:
    """The name of a medicine: inline, contained, or in a Medication of its own."""
    reference = entry.get("medicationReference")
    pointed = at(reference, "reference")
    local = [m for m in items(entry.get("contained")) if f"#{m.get('id')}" == pointed]
    medication = local[0] if local else store.resolve(reference)
    said = (
        concept_text(entry.get("medicationCodeableConcept")),
        at(reference, "display"),
        concept_text(at(medication, "code")),
    )
    return next((str(one) for one in said if one), "Unnamed medicine")
