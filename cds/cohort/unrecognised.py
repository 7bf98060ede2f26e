"""Codes and names of one record that no list knows: that is how a site finds its mapping gaps."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cds.core.facts import Facts
    from cds.core.terminology import Terminology
    from cds.fhir.record import Record
    from cds.fhir.resources import CodeableConcept

_LONGEST = 200
"""Characters of a name; what is longer is prose, and not a name."""

_LOINC = "LOINC"

Key = tuple[str, str, str, str]
"""Kind of entry, code system, code, display."""


def unrecognised(record: Record, facts: Facts, terminology: Terminology) -> Counter[Key]:
    """How often each code (its first, where an entry has several) or name was not recognised."""
    found: Counter[Key] = Counter()
    for entry in record.entries.get("Observation", ()):
        concept = getattr(entry.resource, "code", None)
        if concept is not None and not _measured(concept, terminology):
            found[_key("Observation", concept)] += 1
    for kind, known in (("Condition", terminology.condition), ("Procedure", terminology.procedure)):
        for entry in record.entries.get(kind, ()):
            concept = getattr(entry.resource, "code", None)
            codings = (concept.coding or ()) if concept is not None else ()
            if concept is not None and not any(
                known(coding.system or "", coding.code or "").known for coding in codings
            ):
                found[_key(kind, concept)] += 1
    for exposure in facts.unrecognised_drugs:
        found["Medication", "", "", exposure.display[:_LONGEST]] += 1
    return found


def _measured(concept: CodeableConcept, terminology: Terminology) -> bool:
    """Whether a result has a code of ours, or a LOINC code: then it is known to be something else.

    What is left are local codes; a site maps them, or sends LOINC beside them.
    """
    return any(
        terminology.system(coding.system or "") == _LOINC
        or terminology.lab(coding.system or "", coding.code or "") is not None
        for coding in concept.coding or ()
    )


def _key(kind: str, concept: CodeableConcept) -> Key:
    for coding in concept.coding or ():
        if coding.code:
            name = coding.display or concept.text or ""
            return kind, coding.system or "", coding.code, name[:_LONGEST]
    return kind, "", "", (concept.text or "")[:_LONGEST]
