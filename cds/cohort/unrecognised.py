"""Codes and names of one record that no list knows: that is how a site finds its mapping gaps."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from cds.core.answer import Gap
from cds.fhir.loose import NOTHING, concept_in
from cds.fhir.observations import Results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cds.core.facts import Facts, Mark
    from cds.core.terminology import Coded, Terminology
    from cds.fhir.record import Record
    from cds.fhir.resources import CodeableConcept

_LONGEST = 200
"""Characters of a name; what is longer is prose, and not a name."""

_LOINC = "LOINC"
_CODED = ("Condition", "Procedure")

_AMOUNT = re.compile(r"^[^0-9]*[0-9][0-9.,]*")

Key = tuple[str, str, str, str]
"""Kind of entry, code system, code, display."""


def unknown_units(results: Mapping[str, object], concepts: Iterable[str]) -> Counter[Key]:
    """How often each unit could not be converted; the key's system is the lab concept."""
    found: Counter[Key] = Counter()
    if isinstance(results, Results):
        for concept, display in results.unusable(concepts, Gap.UNIT):
            unit = _AMOUNT.sub("", display).strip()
            found["Unit", concept, "", unit[:_LONGEST]] += 1
    return found


def unrecognised(record: Record, facts: Facts, terminology: Terminology) -> Counter[Key]:
    """How often each code (its first, where an entry has several) or name was not recognised."""
    found: Counter[Key] = Counter()
    for kind in _CODED:
        for entry in record.entries.get(kind, ()):
            key = unrecognised_entry(kind, getattr(entry.resource, "code", None), terminology)
            if key is not None:
                found[key] += 1
    for observation in facts.results.unknown if isinstance(facts.results, Results) else ():
        key = _unrecognised_result(bytes(observation.code), terminology)
        if key is not None:
            found[key] += 1
    for exposure in facts.unrecognised_drugs:
        found["Medication", "", "", exposure.display[:_LONGEST]] += 1
    return found


def unrecognised_entry(
    kind: str, concept: CodeableConcept | None, terminology: Terminology
) -> Key | None:
    """The code or name of a diagnosis or procedure, if no list knows it."""
    if concept is None:
        return None
    if kind == "Condition":
        known = _known(concept, terminology.condition, terminology.condition_names)
    else:
        known = _known(concept, terminology.procedure, terminology.procedure_names)
    return None if known else _key(kind, concept)


@lru_cache(maxsize=4096)
def _unrecognised_result(code: bytes, terminology: Terminology) -> Key | None:
    """The code or name of a result, if no list knows it."""
    concept = concept_in(code)
    if concept is None or concept is NOTHING or _measured(concept, terminology):
        return None
    return _key("Observation", concept)


def _known(
    concept: CodeableConcept,
    by_code: Callable[[str, str], Coded],
    by_name: Callable[[str], Mapping[str, Mark]],
) -> bool:
    codings = concept.coding or ()
    if any(by_code(coding.system or "", coding.code or "").known for coding in codings):
        return True
    return any(by_name(text) for text in (concept.text, *(c.display for c in codings)) if text)


def _measured(concept: CodeableConcept, terminology: Terminology) -> bool:
    """Whether a result has a code of ours, or a LOINC code: then it is known to be something else.

    What is left are local codes; a site maps them, or sends LOINC beside them.
    """
    for coding in concept.coding or ():
        system = coding.system or ""
        if terminology.system(system) == _LOINC or terminology.lab(system, coding.code or ""):
            return True
    return False


def _key(kind: str, concept: CodeableConcept) -> Key:
    for coding in concept.coding or ():
        if coding.code:
            name = coding.display or concept.text or ""
            return kind, coding.system or "", coding.code, name[:_LONGEST]
    return kind, "", "", (concept.text or "")[:_LONGEST]
