"""Telling FHIR R4 from its neighbours, by resource types and elements that only they have.

A stray old-fashioned field is forgiven (real R4 feeds carry some); a type of which every entry is
of another version is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.fhir.resources import (
    Condition,
    MedicationAdministration,
    MedicationEntry,
    MedicationRequest,
    MedicationStatement,
    Patient,
    Procedure,
    Repaired,
)
from cds.fhir.unusable import WrongVersion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cds.fhir.resources import Entry

OLDER_STATUSES = frozenset(
    {
        "active",
        "recurrence",
        "relapse",
        "inactive",
        "remission",
        "resolved",
        "provisional",
        "differential",
        "confirmed",
        "refuted",
        "entered-in-error",
        "unknown",
    }
)
"""Condition statuses that STU3 and DSTU2 write as plain strings."""

_WORDS_DSTU2 = """
Conformance DiagnosticOrder DeviceUseRequest ImagingObjectSelection MedicationOrder
NutritionRequest Order OrderResponse
"""
_DSTU2 = frozenset(_WORDS_DSTU2.split())
_WORDS_STU3 = """
BodySite DataElement DeviceComponent EligibilityRequest EligibilityResponse ExpansionProfile
ImagingManifest ProcedureRequest ProcessRequest ProcessResponse ReferralRequest Sequence
ServiceDefinition
"""
_STU3 = frozenset(_WORDS_STU3.split())
_WORDS_R5 = """
ActorDefinition ArtifactAssessment BiologicallyDerivedProductDispense ConditionDefinition
DeviceAssociation DeviceDispense DeviceUsage EncounterHistory FormularyItem GenomicStudy
ImagingSelection InventoryItem InventoryReport MedicationUsage NutritionIntake Permission
Requirements TestPlan Transport
"""
_R5 = frozenset(_WORDS_R5.split())


def refuse_foreign_type(kind: str) -> None:
    """Raise WrongVersion for a resource type that only another FHIR version has."""
    for version, kinds in (("DSTU2", _DSTU2), ("STU3", _STU3), ("R5", _R5)):
        if kind in kinds:
            raise WrongVersion(version, f"a resource of the type {kind}")


def refuse_foreign_shapes(kind: str, entries: Iterable[Entry]) -> None:
    """Raise WrongVersion if every entry of a type has an element that R4 does not have there."""
    found: tuple[str, str] | None = None
    for entry in entries:
        sign = _sign(entry)
        if sign is None:
            return
        found = found or sign
    if found is not None:
        version, element = found
        raise WrongVersion(version, f"{kind}.{element}")


def _sign(entry: Entry) -> tuple[str, str] | None:
    """The version and the element that shows it, for one entry; None for R4."""
    resource = entry.resource
    if isinstance(entry, Repaired) and entry.older and isinstance(resource, Condition):
        return "STU3 or DSTU2", f"{entry.lost[0]} written as a plain string"
    for element, raw, version in _foreign(resource):
        if raw:
            return version, element
    return None


def _foreign(resource: object) -> Iterable[tuple[str, object, str]]:
    if isinstance(resource, MedicationEntry):
        yield "medication", resource.medication, "R5"
        if resource.subject is None:
            yield "patient", resource.patient, "DSTU2"
    if isinstance(resource, MedicationStatement):
        yield "taken", resource.taken, "STU3"
        yield "wasNotTaken", resource.was_not_taken, "DSTU2"
    elif isinstance(resource, MedicationRequest):
        yield "context", resource.context, "STU3"
    elif isinstance(resource, MedicationAdministration):
        yield "notGiven", resource.not_given, "STU3"
    elif isinstance(resource, Procedure):
        yield "notDone", resource.not_done, "STU3"
        yield "notPerformed", resource.not_performed, "DSTU2"
        yield "occurrenceDateTime", resource.occurrence_date_time, "R5"
        yield "occurrencePeriod", resource.occurrence_period, "R5"
    elif isinstance(resource, Patient):
        yield "animal", resource.animal, "STU3 or DSTU2"
    elif isinstance(resource, Condition) and resource.subject is None:
        yield "patient", resource.patient, "DSTU2"
