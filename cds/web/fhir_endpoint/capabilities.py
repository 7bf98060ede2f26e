"""The CapabilityStatement: what the endpoint says of itself."""

from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from cds.web.fhir_endpoint.dates import JsonObject
from cds.web.fhir_endpoint.faults import Faults
from cds.web.fhir_endpoint.parameters import KNOWN_TYPES, parameters_of

_PUBLISHED = "2026-11-01"


def capability_statement(types: list[str], *, writable: bool, faults: Faults) -> JsonObject:
    """What can be read, searched and written; valid R4B whatever version it claims to be.

    `types` are the resource types stored, listed beside those with search parameters. Those
    that the faults forbid are listed too: a server says what it can do, not what one may ask.
    """
    interactions = ["read", "search-type", *(["create", "update"] if writable else [])]
    resources = [_resource(name, interactions, faults) for name in sorted({*types, *KNOWN_TYPES})]
    rest: JsonObject = {"mode": "server", "resource": resources}
    if not faults.no_batch:
        rest["interaction"] = [{"code": "batch"}]
    statement = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _PUBLISHED,
        "kind": "instance",
        "software": {"name": "trial-cds embedded FHIR endpoint"},
        "implementation": {"description": "Invented patients, in memory"},
        "fhirVersion": faults.fhir_version,
        "format": ["application/fhir+json"],
        "rest": [rest],
    }
    written: JsonObject = CapabilityStatement.model_validate(statement).model_dump(mode="json")
    return written


def _resource(name: str, interactions: list[str], faults: Faults) -> JsonObject:
    parameters = parameters_of(name)
    resource: JsonObject = {
        "type": name,
        "interaction": [{"code": code} for code in interactions],
        "searchParam": [
            {"name": key, "type": parameter.kind}
            for key, parameter in sorted(parameters.items())
            if not (key == "combo-code" and faults.no_combo_code)
        ],
    }
    references = sorted(key for key, value in parameters.items() if value.kind == "reference")
    if references and faults.include == "honoured":
        resource["searchInclude"] = [f"{name}:{reference}" for reference in references]
    return resource
