"""What the record says of taking part in research: trials joined already, and a refusal.

These resources decide no criterion. They decide whether anybody should be reminded at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import date

    from msgspec import Raw

TEMPLATES = {
    "research": "ResearchSubject?patient={{context.patientId}}",
    "consents": "Consent?patient={{context.patientId}}",
    "flags": "Flag?patient={{context.patientId}}",
}
"""Prefetch key → query, for sites that keep these resources."""

# ResearchSubject.status of R4 in which somebody is, or may soon be, on the study.
_WORDS_ON_STUDY = """
candidate eligible follow-up on-study on-study-intervention on-study-observation pending-on-study
potential-candidate screening
"""
_ON_STUDY = frozenset(_WORDS_ON_STUDY.split())
TYPES = frozenset({"ResearchSubject", "Consent", "Flag"})
_TYPES = tuple(f'"{kind}"'.encode() for kind in sorted(TYPES))
_REGISTRY_NUMBER = re.compile(r"NCT\d{8}", re.ASCII)
_RESEARCH = "research"


class Research(msgspec.Struct, frozen=True):
    """`joined`: registry numbers of trials that the patient is a candidate for, or takes part in.

    `refuses`: the record says that the patient is not to be asked about research.
    """

    joined: frozenset[str] = frozenset()
    refuses: bool = False


def research_in(
    documents: Iterable[Raw | bytes], patient_id: str, on: date, refusal_flags: Collection[str] = ()
) -> Research:
    """What resources and Bundles say about one patient and research on one day.

    `refusal_flags` are codes of Flags, as `system|code`, that mean a refusal at this site. What
    cannot be read says nothing here: the record's own reading reports it.
    """
    joined: set[str] = set()
    refuses = False
    for document in documents:
        data = bytes(document)
        if not any(kind in data for kind in _TYPES):
            continue
        try:
            resources = dict(_resources(msgspec.json.decode(data)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        for resource in resources.values():
            kind = resource.get("resourceType")
            if kind == "ResearchSubject" and _is_of(resource.get("individual"), patient_id):
                if resource.get("status") in _ON_STUDY:
                    joined.update(_trials(resource, resources))
            elif kind == "Consent" and _is_of(resource.get("patient"), patient_id):
                refuses |= _denies(resource, on)
            elif kind == "Flag" and _is_of(resource.get("subject"), patient_id):
                codes = set(_codes(resource.get("code")))
                refuses |= resource.get("status") == "active" and not codes.isdisjoint(
                    refusal_flags
                )
    return Research(frozenset(joined), refuses)


def _resources(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 - JSON
    """The resources of a document by every address under which they can be referred to."""
    for number, entry in enumerate(_objects(document, "entry")):
        resource = entry.get("resource")
        if isinstance(resource, dict):
            name = f"{resource.get('resourceType')}/{resource.get('id', f' {number}')}"
            yield name, resource
            if isinstance(entry.get("fullUrl"), str):
                yield entry["fullUrl"], resource
    if isinstance(document, dict) and document.get("resourceType") != "Bundle":
        yield "itself", document


def _trials(subject: dict[str, Any], resources: dict[str, dict[str, Any]]) -> set[str]:
    """Registry numbers of the study: in the reference itself, or in the study that it names."""
    study = subject.get("study")
    if not isinstance(study, dict):
        return set()
    found = [study.get("display"), *_values([study.get("identifier")])]
    reference = str(study.get("reference") or "")
    named = resources.get(reference) or resources.get("/".join(reference.split("/")[-2:]))
    contained = (
        one for one in _objects(subject, "contained") if reference == f"#{one.get('id', '')}"
    )
    for one in (named, *contained):
        if one is not None:
            found += [one.get("title"), *_values(_objects(one, "identifier"))]
    return {number for text in found for number in _REGISTRY_NUMBER.findall(str(text))}


def _denies(consent: dict[str, Any], on: date) -> bool:
    """Whether an active consent about research says no on the day."""
    provision = consent.get("provision")
    if consent.get("status") != "active" or not isinstance(provision, dict):
        return False
    scope = {code.rpartition("|")[2] for code in _codes(consent.get("scope"))}
    if _RESEARCH not in scope or provision.get("type") != "deny":
        return False
    period = provision.get("period")
    end = period.get("end") if isinstance(period, dict) else None
    return not isinstance(end, str) or end[:10] >= on.isoformat()[: len(end[:10])]


def _is_of(reference: Any, patient_id: str) -> bool:  # noqa: ANN401 - JSON
    said = reference.get("reference") if isinstance(reference, dict) else None
    return isinstance(said, str) and said.split("/_history/")[0].endswith(f"Patient/{patient_id}")


def _codes(concept: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    for coding in _objects(concept, "coding"):
        yield f"{coding.get('system', '')}|{coding.get('code', '')}"


def _values(identifiers: list[Any]) -> list[Any]:
    return [one.get("value") for one in identifiers if isinstance(one, dict)]


def _objects(value: Any, key: str) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    found = value.get(key) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
