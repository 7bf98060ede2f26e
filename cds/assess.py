"""One patient's way: from content and a record, through facts, to determinations."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.cards.orders import Orderable
from cds.content.compiled import CompiledTrials, open_compiled
from cds.content.fault import ContentFaults, Fault
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.trials import TrialFolder, load_trials
from cds.core.assessment import Assessment
from cds.core.criterion import Status
from cds.engine.concern import TrialIndex, target_concepts
from cds.engine.evaluate import decide_target, determine, target_alone
from cds.engine.sharing import Sharing
from cds.engine.silence import with_silence
from cds.fhir.facts import facts_from
from cds.fhir.unit_tables import UnitTableFault, load_units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cds.core.criterion import Determination, Trial
    from cds.core.facts import Facts
    from cds.core.terminology import Terminology
    from cds.core.when import Evaluation
    from cds.fhir.record import Record
    from cds.fhir.units import Units


@dataclass(frozen=True, slots=True)
class Content:
    """Trials and mappings, ready to evaluate. `digest` names exactly this content.

    `folders` are the trials, sorted by id. Compiled ones are understood when they are asked for;
    `heads`, in the same order, then hold the target diagnosis, age and sex alone.
    """

    terminology: Terminology
    units: Units
    folders: Sequence[TrialFolder]
    heads: Sequence[Trial]
    index: TrialIndex
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
            concept: Orderable(
                self.labels[concept],
                code,
                display,
                self.terminology.analytes_of(concept)[0].category,
            )
            for concept, (code, display) in self.terminology.primary_loinc.items()
        }


def load_content(
    folders: Sequence[Path], *, only: Sequence[str] = (), compiled: Path | None = None
) -> Content:
    """Read mappings and trials; later folders override earlier ones.

    Where the folder `compiled` holds exactly these trials, compiled, they come from there.

    Raises:
        ContentFaults: every fault of every file, at once.
    """
    terminology = load_terminology(folders)
    try:
        units = load_units(folders)
    except UnitTableFault as problem:
        fault = Fault(problem.file, problem.line, problem.says, problem.try_this)
        raise ContentFaults([fault]) from None
    loaded: Sequence[TrialFolder] | None = None
    if compiled is not None and not only:
        loaded = open_compiled(compiled, folders, concept_infos(terminology), terminology.digest)
    if loaded is None:
        concepts = concept_infos(terminology)
        sharing = Sharing()
        loaded = tuple(
            dataclasses.replace(folder, trial=with_silence(sharing.trial(folder.trial)))
            for folder in load_trials(folders, concepts, terminology.digest, only=only)
        )
    if isinstance(loaded, CompiledTrials):
        heads = loaded.heads
    else:
        heads = tuple(folder.trial for folder in loaded)
    content = hashlib.sha256(terminology.digest.encode())
    for head in heads:
        content.update(head.digest.encode())
    digest = f"sha256:{content.hexdigest()}"
    terminology = terminology.looking_for(target_concepts(heads))
    return Content(terminology, units, loaded, heads, TrialIndex(heads), digest)


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
    determinations: list[Determination] = []
    if not facts.patient.deceased:
        for place, head in enumerate(content.heads):
            if only and head.id not in only:
                continue
            first = decide_target(head, facts, asked)
            if first.status is Status.FAIL:
                determinations.append(target_alone(head, first))
            else:
                trial = content.folders[place].trial
                determinations.append(determine(trial, facts, asked, first))
    return _assessment(facts, asked, determinations)


def assess_for_cards(
    facts: Facts, content: Content, asked: Evaluation, near_days: int | None
) -> Assessment:
    """What cards need: as `assess_facts`, without the trials that could not give one.

    Left out are trials whose target diagnosis fails and, unless `near_days` is None, those whose
    age or sex fails and will not cease to within as many days. Where nobody can tell whether the
    target diagnosis stands, it is the only decision.
    """
    if facts.patient.deceased:
        return _assessment(facts, asked, ())
    determinations: list[Determination] = []
    concern = content.index.concern(facts, asked, near_days)
    untold = frozenset(concern.untold)
    for place in sorted((*concern.possible, *concern.untold)):
        head = content.heads[place]
        if place in untold:
            determination = target_alone(head, decide_target(head, facts, asked))
        else:
            determination = determine(content.folders[place].trial, facts, asked)
        determinations.append(determination)
    ruled_out = tuple(content.heads[place].id for place in concern.ruled_out)
    return _assessment(facts, asked, determinations, ruled_out)


def _assessment(
    facts: Facts,
    asked: Evaluation,
    determinations: Sequence[Determination],
    ruled_out: tuple[str, ...] = (),
) -> Assessment:
    patient = facts.patient
    return Assessment(
        patient.reference,
        asked.on,
        tuple(facts.problems),
        tuple(determinations),
        patient.deceased,
        ruled_out,
    )
