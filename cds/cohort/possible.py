"""Diagnoses that may be a trial's target though no code says so: C49.- or D48.1, for instance.

A patient with only such a code fails the target criterion, and would stay invisible. The trial's
`may_be_target` names the findings; the codes above the target's own are found in its lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.core.criterion import Status
from cds.core.truth import Truth
from cds.engine.entries import is_excepted

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from cds.assess import Content
    from cds.content.trial_head import MayBeTarget
    from cds.core.assessment import Assessment
    from cds.core.facts import Facts
    from cds.core.terminology import Terminology
    from cds.fhir.record import Record
    from cds.fhir.resources import CodeableConcept, Condition

Row = tuple[str, str, str, str, str]
"""Patient, trial, reference, display, code or name of the list."""

_SHORTEST = 4
"""Characters of an ICD-10 code that is specific enough to ask about (D48.1 without its dot)."""

_NOT_HELD = frozenset({"refuted", "entered-in-error"})


class Possible:
    """Finds diagnoses that leave open whether they are a trial's target."""

    def __init__(self, content: Content) -> None:
        terminology = content.terminology
        self._terminology = terminology
        self._open: dict[str, MayBeTarget] = {}
        self._codes: dict[str, frozenset[tuple[str, str]]] = {}
        for folder in content.folders:
            targets = folder.concepts.get(folder.trial.target, frozenset())
            self._open[folder.trial.id] = folder.may_be_target
            self._codes[folder.trial.id] = frozenset(_wider(targets, terminology))

    def rows(self, record: Record, facts: Facts, assessment: Assessment) -> Iterator[Row]:
        """Each diagnosis, for each trial whose target was not found."""
        for determination in assessment.determinations:
            trial = determination.trial.id
            if determination.target.status is not Status.FAIL:
                continue
            head = assessment.patient, trial
            found: dict[str, Row] = {}
            may_be = self._open[trial]
            for concept in may_be.findings:
                for condition, _ in facts.conditions.get(concept, ()):
                    # Another code of the same entry may say that it is another tumour.
                    if is_excepted(condition, may_be.excluding) is not Truth.MET:
                        row = (*head, condition.reference, condition.display, concept)
                        found[condition.reference] = row
            for reference, name, code in self._wide_codes(record, self._codes[trial]):
                found.setdefault(reference, (*head, reference, name, code))
            yield from found.values()

    def may_concern(self, condition: Condition, concepts: Container[str]) -> bool:
        """Whether one diagnosis of some concepts may be any trial's target."""
        return any(
            any(key in concepts for key in self._open[trial].findings)
            or any(coding in codes for coding in self._codings(condition))
            for trial, codes in self._codes.items()
        )

    def _codings(self, condition: Condition) -> Iterator[tuple[str, str]]:
        coding = condition.code.coding if condition.code is not None else None
        for one in coding or ():
            yield self._terminology.system(one.system or "") or "", _plain(one.code or "")

    def _wide_codes(
        self, record: Record, codes: frozenset[tuple[str, str]]
    ) -> Iterator[tuple[str, str, str]]:
        if not codes:
            return
        for entry in record.entries.get("Condition", ()):
            concept: CodeableConcept | None = getattr(entry.resource, "code", None)
            if concept is None or _is_not_held(entry.resource):
                continue
            for coding in concept.coding or ():
                system = self._terminology.system(coding.system or "") or ""
                if (system, _plain(coding.code or "")) in codes:
                    name = getattr(entry.resource, "id", None) or entry.full_url or ""
                    said = coding.display or concept.text or ""
                    yield f"Condition/{name}", said, f"{system} {coding.code}"


def _wider(targets: Iterable[str], terminology: Terminology) -> Iterator[tuple[str, str]]:
    """The codes above the targets' own ICD-10 codes: D48.1 above D48.11."""
    sets = {key for target in targets for key in terminology.concepts[target].made_of}
    own = {
        (member.system, _plain(member.code))
        for member in terminology.lists.conditions
        if member.set_key in sets and member.system.startswith("ICD-10")
    }
    for system, code in own:
        for length in range(_SHORTEST, len(code)):
            if (system, code[:length]) not in own:
                yield system, code[:length]


def _plain(code: str) -> str:
    return code.strip().upper().replace(".", "")


def _is_not_held(resource: object) -> bool:
    status: CodeableConcept | None = getattr(resource, "verification_status", None)
    codings = (status.coding or ()) if status is not None else ()
    return any(coding.code in _NOT_HELD for coding in codings)
