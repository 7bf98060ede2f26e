"""The charts that the endpoint serves, in memory."""

import secrets
from collections.abc import Iterator
from threading import Lock

from cds.web.fhir_endpoint.dates import Json, JsonObject
from cds.web.fhir_endpoint.matching import reference_key


class Store:
    """Resources by type and id, in the order in which they came; safe to use from threads."""

    def __init__(self) -> None:
        self._by_type: dict[str, dict[str, JsonObject]] = {}
        self._filed_under: dict[tuple[str, str], str] = {}
        self._by_subject: dict[str, tuple[dict[str, JsonObject], dict[str, list[JsonObject]]]] = {}
        self._writing = Lock()

    def put(self, resource: JsonObject, *, filed_under: str = "") -> bool:
        """Keep a resource, in place of an older one of the same type and id.

        `filed_under` is the id of the patient in whose file the resource stood, whoever its
        subject is. Answers whether the resource is new. Raises TypeError without type or id.
        """
        resource_type, key = resource.get("resourceType"), resource.get("id")
        if not isinstance(resource_type, str) or not isinstance(key, str):
            message = "A resource needs a resourceType and an id, both text, to be kept."
            raise TypeError(message)
        with self._writing:
            # Copied before it changes: a search in another thread may be walking through it.
            of_type = dict(self._by_type.get(resource_type, {}))
            new = key not in of_type
            of_type[key] = resource
            self._by_type = self._by_type | {resource_type: of_type}
            if filed_under:
                self._filed_under[resource_type, key] = filed_under
        return new

    def add(self, resources: list[tuple[JsonObject, str]]) -> None:
        """Keep many new resources at once, each with the patient in whose file it stood.

        Raises ValueError where a resource has no type or id, or a type and id that is taken.
        """
        with self._writing:
            by_type = {name: dict(of_type) for name, of_type in self._by_type.items()}
            for resource, filed_under in resources:
                resource_type, key = resource["resourceType"], resource["id"]
                of_type = by_type.setdefault(resource_type, {})
                if key in of_type:
                    message = f"{resource_type}/{key} is there twice; ids must be unique."
                    raise ValueError(message)
                of_type[key] = resource
                if filed_under:
                    self._filed_under[resource_type, key] = filed_under
            self._by_type = by_type

    def create(self, resource: JsonObject) -> JsonObject:
        """Keep a resource under a new id, whatever id it has; answers it as it is kept."""
        kept = resource | {"id": secrets.token_hex(8)}
        self.put(kept)
        return kept

    def types(self) -> list[str]:
        """The resource types that have an entry, sorted."""
        return sorted(self._by_type)

    def read(self, resource_type: str, key: str) -> JsonObject | None:
        """One resource, or None."""
        return self._by_type.get(resource_type, {}).get(key)

    def of_type(self, resource_type: str) -> list[JsonObject]:
        """All resources of a type."""
        return list(self._by_type.get(resource_type, {}).values())

    def of_patient(self, resource_type: str, patient: str) -> list[JsonObject]:
        """The resources of a type whose subject, patient or individual is the one with this id."""
        of_type = self._by_type.get(resource_type, {})
        indexed, by_subject = self._by_subject.get(resource_type, ({}, {}))
        if indexed is not of_type:  # a write puts a new dict in place, so the index is stale
            by_subject = {}
            for resource in of_type.values():
                named = [resource.get(one) for one in ("subject", "patient", "individual")]
                for key in {reference_key(reference) for reference in named}:
                    if key is not None and key[0] == "Patient":
                        by_subject.setdefault(key[1], []).append(resource)
            self._by_subject[resource_type] = of_type, by_subject
        return list(by_subject.get(patient, []))

    def resolve(self, reference: Json) -> JsonObject | None:
        """What a Reference names, or None: contained, elsewhere, or no reference at all."""
        key = reference_key(reference)
        return None if key is None else self.read(*key)

    def strays(self, resource_type: str, patient: str) -> Iterator[JsonObject]:
        """What stood in a patient's file under no subject or under another's."""
        for resource in self.of_type(resource_type):
            subject = resource.get("subject") or resource.get("patient")
            if self._filed_under.get((resource_type, resource["id"])) == patient and reference_key(
                subject
            ) != ("Patient", patient):
                yield resource
