"""What stands in a searchset: the matches, and what a fault puts among them."""

from cds.web.fhir_endpoint.dates import Json, JsonObject
from cds.web.fhir_endpoint.faults import Faults
from cds.web.fhir_endpoint.matching import reference_key
from cds.web.fhir_endpoint.searching import Search
from cds.web.fhir_endpoint.store import Store

_OTHERS = 3
_FOREIGNER = "Patient/somebody-else"


def entries_of(search: Search, found: list[JsonObject], store: Store, faults: Faults) -> list[Json]:
    """The entries of a search: its matches, and what the faults put among them."""
    patient = search.patient
    resources = list(found)
    if patient and faults.strays:
        resources += store.strays(search.resource_type, patient)
    if patient and faults.other_patient:
        resources += _of_others(search.resource_type, patient, found, store)
    entries: list[Json] = [
        {"resource": resource, "search": {"mode": "match"}} for resource in resources
    ]
    if faults.broken_entries:
        # After the first match, so that a reader who gives up early loses the rest.
        entries[1:1] = _broken(search.resource_type, patient)
    return entries


def _of_others(
    resource_type: str, patient: str, found: list[JsonObject], store: Store
) -> list[JsonObject]:
    """Some resources of other patients; where the store has none, of an invented one."""
    others = [
        resource
        for resource in store.of_type(resource_type)
        if (key := reference_key(resource.get("subject"))) and key != ("Patient", patient)
    ]
    if others:
        return others[:_OTHERS]
    return [
        resource | {"id": f"{resource['id']}-elsewhere", "subject": {"reference": _FOREIGNER}}
        for resource in found[:_OTHERS]
    ]


def _broken(resource_type: str, patient: str | None) -> list[Json]:
    """Entries that no reader can use."""
    subject = {"reference": f"Patient/{patient}"} if patient else 7
    resource = {
        "resourceType": resource_type,
        "id": "wrong-types",
        "subject": subject,
        "status": 1,
        "code": "not a CodeableConcept",
        "medicationCodeableConcept": ["nor this"],
        "valueQuantity": {"value": "many", "unit": 5},
        "effectiveDateTime": {"year": 2026},
        "onsetDateTime": 2026,
        "performedDateTime": [],
    }
    return [
        {"resource": resource, "search": {"mode": "match"}},
        {"resource": {"resourceType": "Imagination", "id": "no-such-type"}},
        {"fullUrl": "urn:uuid:0b1f3c52-5f5e-4b52-9f0e-3a4c7a7d0d11"},
        "not an object",
    ]
