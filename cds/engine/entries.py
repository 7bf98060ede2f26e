"""From single entries of a record (conditions, procedures, drugs) to one answer.

Each entry weighs in one of four ways; the heaviest decides. What is not there counts as absent
only where the resource types were read completely (closed world over what was retrieved).
"""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from cds.core.answer import Answer, Evidence, Gap, Missing
from cds.core.facts import Condition, Retrieval
from cds.core.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cds.core.facts import Facts, Procedure
    from cds.core.when import Evaluation, When


class Weight(Enum):
    """What one entry says about the statement."""

    DECIDES = "it holds"
    UNDATED = "it may hold: a date is missing or too vague"
    REVIEW = "a human must say whether it holds"
    AGAINST = "it does not count"


class Weighed(msgspec.Struct, frozen=True, gc=False):
    """One entry with its weight, what to say about it, and when it stops counting."""

    weight: Weight
    evidence: Evidence
    says: str
    changes_on: date | None = None


def is_later(event: When | None, asked: Evaluation) -> bool:
    """Whether all of it lies after the day asked about: it is no fact yet."""
    return event is not None and event.start > asked.end


def is_excepted(entry: Condition | Procedure, excluding: Collection[str]) -> Truth:
    """Whether an entry also meets one of some concepts, and so does not count.

    UNKNOWN where no code decides it: "breast cancer with metastases" names a metastasis, and is
    more than that. Such words drop nothing, a human reads them, unless each name among them is one
    of those concepts.
    """
    also = entry.concepts.intersection(excluding) if excluding else None
    if not also:
        return Truth.NOT_MET
    if not also <= entry.uncertain:
        return Truth.MET
    names = entry.names if isinstance(entry, Condition) else ()
    only = bool(names) and not any(name.isdisjoint(excluding) for name in names)
    return Truth.MET if only else Truth.UNKNOWN


def conclude(
    weighed: Sequence[Weighed], *, concept: str, absent: str, unread: Sequence[str]
) -> Answer:
    """One answer from weighed entries.

    `absent` is the reason where nothing counts; `unread` names the resource types that were not
    read completely and without which absence proves nothing.
    """
    if not weighed and not unread:
        return Answer(Truth.NOT_MET, absent)
    deciding = [entry for entry in weighed if entry.weight is Weight.DECIDES]
    if deciding:
        dates = [entry.changes_on for entry in deciding]
        known = [day for day in dates if day is not None]
        changes_on = max(known) if len(known) == len(dates) else None
        return Answer(Truth.MET, _say(deciding), _evidence(deciding), (), changes_on)
    undated = [entry for entry in weighed if entry.weight is Weight.UNDATED]
    review = [entry for entry in weighed if entry.weight is Weight.REVIEW]
    gaps: list[Missing] = []
    says: list[str] = []
    if unread:
        gaps.append(Missing(concept, Gap.NOT_RETRIEVED))
        says.append(f"{' and '.join(unread)} could not be read completely")
    if undated:
        gaps.append(Missing(concept, Gap.DATE))
        says.append(_say(undated))
    if review:
        gaps.append(Missing(concept, Gap.JUDGEMENT))
        says.append(_say(review))
    if gaps:
        return Answer(Truth.UNKNOWN, "; ".join(says), _evidence([*undated, *review]), tuple(gaps))
    return Answer(Truth.NOT_MET, _say(weighed), _evidence(weighed))


class Sources(msgspec.Struct, frozen=True, cache_hash=True):
    """The resource types on whose lists entries of one sort stand, and what those are called.

    `either`: a list that is not kept there needs no answer, but one of them must have been read.
    """

    words: str
    types: tuple[str, ...]
    either: bool = False

    def read(self, facts: Facts) -> Lists:
        """How much of the lists was read."""
        total = sum(facts.totals.get(kind, 0) for kind in self.types)
        if self.either:
            unrecognised = len(facts.unrecognised_drugs)
        else:
            unrecognised = sum(facts.unrecognised.get(kind, 0) for kind in self.types)
        read = f"{total} {self.words} read, {unrecognised} not recognised"
        return Lists(self._unread(facts), read)

    def _unread(self, facts: Facts) -> tuple[str, ...]:
        """The lists without which absence proves nothing."""
        states = {kind: facts.retrieved(kind) for kind in self.types}
        enough = {Retrieval.COMPLETE, Retrieval.NOT_KEPT} if self.either else {Retrieval.COMPLETE}
        unread = tuple(kind for kind, state in states.items() if state not in enough)
        return unread if unread or Retrieval.COMPLETE in states.values() else self.types


CONDITIONS = Sources("conditions", ("Condition",))
DRUGS = Sources("medication entries", ("MedicationRequest", "MedicationStatement"), either=True)


class Lists(msgspec.Struct, frozen=True, gc=False):
    """What the lists that entries stand on say of what is not there.

    `unread` are the resource types that were not read completely; `read` is how much was read, in
    words: '12 conditions read, 1 not recognised'.
    """

    unread: tuple[str, ...]
    read: str

    def without(self, label: str, concept: str) -> Answer:
        """The answer of lists that hold no entry of a concept."""
        if self.unread:
            says = f"{' and '.join(self.unread)} could not be read completely"
            return Answer(Truth.UNKNOWN, says, (), (Missing(concept, Gap.NOT_RETRIEVED),))
        return Answer(Truth.NOT_MET, self.none_of(label))

    def none_of(self, label: str) -> str:
        """'no hypertension recorded (12 conditions read, 1 not recognised)'."""
        return f"no {label} recorded ({self.read})"


def lists(facts: Facts, asked: Evaluation, sources: Sources) -> Lists:
    """How much of some lists was read.

    Most criteria look for something that is not there, and all of them ask this.
    """
    known = facts.worked_out(asked)
    found: Lists | None = known.get(sources)
    if found is None:
        found = known[sources] = sources.read(facts)
    return found


def _say(entries: Sequence[Weighed]) -> str:
    if len(entries) == 1:
        return entries[0].says
    return "; ".join(dict.fromkeys(entry.says for entry in entries))


def _evidence(entries: Sequence[Weighed]) -> tuple[Evidence, ...]:
    if len(entries) == 1:
        return (entries[0].evidence,)
    return tuple(dict.fromkeys(entry.evidence for entry in entries))
