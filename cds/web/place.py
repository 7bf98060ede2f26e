"""Who asks and where: the practitioner's role and the encounter's department, as far as it matters.

Both are read from the prefetch keys `user` and `encounter`, else from the FHIR server that the
request names. What cannot be read is not known, and a trial that is for some only is not shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from cds.fhir.faults import FhirFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.fhir.outbound import Deadline
    from cds.fhir.server import FhirServers
    from cds.web.request import HookRequest

TEMPLATES = {"user": "{{context.userId}}", "encounter": "Encounter/{{context.encounterId}}"}
"""What a site with such switches asks of the EHR besides the chart."""

_REFERENCE = re.compile(r"(Practitioner|PractitionerRole)/([A-Za-z0-9\-.]{1,64})", re.ASCII)
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Roles as code, system|code or name; departments as reference, name, or code; folded case."""

    roles: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()


def place_of(request: HookRequest, servers: FhirServers, deadline: Deadline) -> Place:
    """Who asks and where, from the prefetch or the server."""
    reading = _Reading(request, servers, deadline)
    roles = {word for role in reading.roles() for word in _role_words(role)}
    departments = {word for one in reading.encounters() for word in _department_words(one)}
    return Place(_folded(roles), _folded(departments))


class _Reading:
    def __init__(self, request: HookRequest, servers: FhirServers, deadline: Deadline) -> None:
        self._request = request
        self._servers = servers
        self._deadline = deadline

    def roles(self) -> list[dict[str, Any]]:
        found = self._sent("user", "PractitionerRole")
        named = _REFERENCE.fullmatch(_text(self._request.user))
        if found or named is None:
            return found
        if named[1] == "PractitionerRole":
            return self._read(f"PractitionerRole/{named[2]}", "PractitionerRole")
        query = f"PractitionerRole?practitioner=Practitioner/{named[2]}&active=true"
        return self._read(query, "PractitionerRole")

    def encounters(self) -> list[dict[str, Any]]:
        found = self._sent("encounter", "Encounter")
        named = _text(self._request.encounter)
        if found or not _FHIR_ID.fullmatch(named):
            return found
        return self._read(f"Encounter/{named}", "Encounter")

    def _sent(self, key: str, kind: str) -> list[dict[str, Any]]:
        value = (self._request.prefetch or {}).get(key)
        return [] if value is None else _of_kind(bytes(value), kind)

    def _read(self, path: str, kind: str) -> list[dict[str, Any]]:
        request = self._request
        if request.fhir_server is None:
            return []
        grant = request.fhir_authorization
        token = None if grant is None else grant.access_token
        try:
            with self._servers.connect(request.fhir_server, token, self._deadline) as connection:
                return _of_kind(connection.read(path), kind)
        except FhirFault:
            return []


def _of_kind(body: bytes, kind: str) -> list[dict[str, Any]]:
    """A resource, or the entries of a Bundle, where they are of this kind."""
    try:
        resource = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    entries = [resource, *(one.get("resource") for one in _dicts(_get(resource, "entry")))]
    return [one for one in _dicts(entries) if one.get("resourceType") == kind]


def _role_words(role: dict[str, Any]) -> Iterator[str]:
    for member in ("code", "specialty"):
        for concept in _dicts(role.get(member)):
            yield from _concept_words(concept)


def _department_words(encounter: dict[str, Any]) -> Iterator[str]:
    places = [one.get("location") for one in _dicts(encounter.get("location"))]
    for reference in _dicts([*places, encounter.get("serviceProvider")]):
        for member in ("reference", "display"):
            if isinstance(reference.get(member), str):
                yield reference[member]
    for concept in _dicts([encounter.get("serviceType")]):
        yield from _concept_words(concept)


def _concept_words(concept: dict[str, Any]) -> Iterator[str]:
    if isinstance(concept.get("text"), str):
        yield concept["text"]
    for coding in _dicts(concept.get("coding")):
        code, system = coding.get("code"), coding.get("system")
        if isinstance(code, str):
            yield code
            if isinstance(system, str):
                yield f"{system}|{code}"
        if isinstance(coding.get("display"), str):
            yield coding["display"]


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _get(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _text(raw: str) -> str:
    """A JSON text without its quotes; '' for anything else."""
    try:
        return msgspec.json.decode(raw.encode(), type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _folded(words: set[str]) -> frozenset[str]:
    return frozenset(word.strip().casefold() for word in words)
