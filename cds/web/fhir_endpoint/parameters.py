"""The search parameters that the endpoint knows, and where in a resource each one looks.

R4, https://hl7.org/fhir/R4/searchparameter-registry.html. What is not listed here is unknown and
refused with 400, as a strict HAPI does: a misspelt filter must not silently match everything.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter: its kind of comparison and the elements that it reads.

    An element may be a path with dots; `name[x]` stands for every type of a choice.
    """

    kind: Literal["date", "reference", "string", "token"]
    elements: tuple[str, ...]


_PATIENT = Parameter("reference", ("subject", "patient"))
_ANY_TYPE = {
    "_id": Parameter("token", ("id",)),
    "_lastUpdated": Parameter("date", ("meta.lastUpdated",)),
}
_CLINICAL = {
    "patient": _PATIENT,
    "subject": _PATIENT,
    "identifier": Parameter("token", ("identifier",)),
    "code": Parameter("token", ("code",)),
    "category": Parameter("token", ("category",)),
    "status": Parameter("token", ("status",)),
}
_MEDICATED = _CLINICAL | {
    "code": Parameter("token", ("medicationCodeableConcept",)),
    "medication": Parameter("reference", ("medicationReference",)),
}

_BY_TYPE: dict[str, dict[str, Parameter]] = {
    "Patient": {
        "identifier": Parameter("token", ("identifier",)),
        "name": Parameter("string", ("name.text", "name.family", "name.given")),
        "family": Parameter("string", ("name.family",)),
        "given": Parameter("string", ("name.given",)),
        "gender": Parameter("token", ("gender",)),
        "birthdate": Parameter("date", ("birthDate",)),
    },
    "Observation": _CLINICAL
    | {
        "date": Parameter("date", ("effective[x]",)),
        "combo-code": Parameter("token", ("code", "component.code")),
    },
    "Condition": {name: parameter for name, parameter in _CLINICAL.items() if name != "status"}
    | {
        "clinical-status": Parameter("token", ("clinicalStatus",)),
        "verification-status": Parameter("token", ("verificationStatus",)),
        "onset-date": Parameter("date", ("onset[x]",)),
        "recorded-date": Parameter("date", ("recordedDate",)),
    },
    "Procedure": _CLINICAL | {"date": Parameter("date", ("performed[x]",))},
    "MedicationRequest": _MEDICATED
    | {
        "intent": Parameter("token", ("intent",)),
        "authoredon": Parameter("date", ("authoredOn",)),
    },
    "MedicationStatement": _MEDICATED | {"effective": Parameter("date", ("effective[x]",))},
    "MedicationAdministration": _MEDICATED
    | {"effective-time": Parameter("date", ("effective[x]",))},
    "Medication": {
        "identifier": Parameter("token", ("identifier",)),
        "code": Parameter("token", ("code",)),
        "status": Parameter("token", ("status",)),
    },
    "DiagnosticReport": _CLINICAL | {"date": Parameter("date", ("effective[x]",))},
    "Encounter": _CLINICAL | {"date": Parameter("date", ("period",))},
    "ServiceRequest": _CLINICAL | {"authored": Parameter("date", ("authoredOn",))},
    "ResearchSubject": {
        "patient": Parameter("reference", ("individual",)),
        "individual": Parameter("reference", ("individual",)),
        "status": Parameter("token", ("status",)),
        "study": Parameter("reference", ("study",)),
    },
    "Consent": {
        "patient": _PATIENT,
        "scope": Parameter("token", ("scope",)),
        "status": Parameter("token", ("status",)),
    },
    "Flag": {"patient": _PATIENT, "subject": _PATIENT},
    "AllergyIntolerance": {
        "patient": _PATIENT,
        "code": Parameter("token", ("code",)),
        "clinical-status": Parameter("token", ("clinicalStatus",)),
    },
}

KNOWN_TYPES = tuple(sorted(_BY_TYPE))
"""The resource types with parameters of their own; a stored type beyond them has `_id` alone."""


def parameters_of(resource_type: str) -> dict[str, Parameter]:
    """Every search parameter of a resource type by its name, those of all types included."""
    return _ANY_TYPE | _BY_TYPE.get(resource_type, {})
