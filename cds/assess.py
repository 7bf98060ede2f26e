"""One patient's way: from content and a record, through facts, to determinations."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.cards.orders import Orderable
from cds.content.fault import ContentFaults, Fault
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.trials import TrialFolder, load_trials
from cds.core.assessment import Assessment
from cds.engine.evaluate import determine
from cds.fhir.facts import facts_from
from cds.fhir.unit_tables import UnitTableFault, load_units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cds.core.criterion import Trial
    from cds.core.facts import Facts
    from cds.core.terminology import Terminology
    from cds.core.when import Evaluation
    from cds.fhir.record import Record
    from cds.fhir.units import Units


@dataclass(frozen=True, slots=True)
class Content:
    """Trials and mappings, ready to evaluate. `digest` names exactly this content."""

    terminology: Terminology
    units: Units
    folders: tuple[TrialFolder, ...]
    digest: str

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trials, sorted by id."""
        return tuple(folder.trial for folder in self.folders)

    @property
    def labels(self) -> Mapping[str, str]:
        """What a clinician calls each concept."""
        return self.terminology.labels

    def orderable(self) -> dict[str, Orderable]:
        """The LOINC code with which each lab, vital or score is ordered."""
        return {
            concept: Orderable(self.labels[concept], code, display)
            for concept, (code, display) in self.terminology.primary_loinc.items()
        }


def load_content(folders: Sequence[Path], *, only: Sequence[str] = ()) -> Content:
    """Read mappings and trials; later folders override earlier ones.

    Raises:
        ContentFaults: every fault of every file, at once.
    """
    terminology = load_terminology(folders)
    try:
        units = load_units(folders)
    except UnitTableFault as problem:
        fault = Fault(problem.file, problem.line, problem.says, problem.try_this)
        raise ContentFaults([fault]) from None
    loaded = load_trials(folders, concept_infos(terminology), terminology.digest, only=only)
    content = hashlib.sha256(terminology.digest.encode())
    for folder in loaded:
        content.update(folder.trial.digest.encode())
    return Content(terminology, units, tuple(loaded), f"sha256:{content.hexdigest()}")


def assess(
    record: Record, content: Content, asked: Evaluation, only: Sequence[str] = ()
) -> Assessment:
    """Everything that the trials say about one record on one day."""
    facts = facts_from(record, content.terminology, asked.zone, content.units)
    return assess_facts(facts, content, asked, only)


def assess_facts(
    facts: Facts, content: Content, asked: Evaluation, only: Sequence[str] = ()
) -> Assessment:
    """Everything that the trials say about known facts on one day."""
    patient = facts.patient
    trials = [trial for trial in content.trials if not only or trial.id in only]
    determinations = (
        () if patient.deceased else tuple(determine(trial, facts, asked) for trial in trials)
    )
    return Assessment(
        patient.reference, asked.on, tuple(facts.problems), determinations, patient.deceased
    )
