"""What criteria come to where the record holds none of their concepts, worked out beforehand.

Two thirds of a trial's criteria look for something that hardly anybody has. What they come to then
differs only in how many entries were read. So it is worked out when the trial is loaded, by
deciding the criterion for a record without entries, and for a patient the numbers are filled in.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from cds.core.answer import Missing
from cds.core.criterion import Criterion, Decision, Status
from cds.core.facts import Facts, Patient
from cds.core.when import Evaluation
from cds.engine.entries import DRUGS, Sources, lists
from cds.engine.evaluate import decide
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.judgement import Judgement
from cds.engine.medication import Medication
from cds.engine.procedure import ProcedureDone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cds.core.criterion import Characteristic, Trial

_ANY_DAY = Evaluation.of(date(2000, 1, 1))
_LENGTHS = {
    kind: 10**9 + 2**place for place, kind in enumerate((*DRUGS.types, "Condition", "Procedure"))
}
"""How many entries nobody's lists have: numbers that no reason holds, nor their sums."""


class Nothing(msgspec.Struct, frozen=True):
    """A criterion's decision on a record that holds none of `concepts`.

    All of `sources` must have been read. `said` is the reason, cut where it says how much was read,
    of `reads` in their order. `of` is the criterion that was decided; what holds of it holds of no
    copy with another form.
    """

    of: Criterion
    concepts: frozenset[str]
    sources: tuple[Sources, ...]
    status: Status
    said: tuple[str, ...]
    reads: tuple[Sources, ...]
    gaps: tuple[Missing, ...]

    def decision(self, criterion: Criterion, facts: Facts, asked: Evaluation) -> Decision | None:
        """What deciding the criterion's form comes to; None where it must be asked."""
        of = self.of
        if (
            criterion.form is not of.form
            or criterion.kind is not of.kind
            or criterion.reviewed is not of.reviewed
        ):
            return None
        recorded, words = facts.worked_out(asked).get(Nothing) or _chart(facts, asked)
        if not self.concepts.isdisjoint(recorded):
            return None
        if _words_of(self.sources, words, facts, asked) is None:
            return None
        return self.filled_in(criterion, words)

    def filled_in(self, criterion: Criterion, words: Mapping[Sources, str | None]) -> Decision:
        """The decision where so much was read."""
        reason = self.said[0]
        for sources, more in zip(self.reads, self.said[1:], strict=True):
            reason += f"{words[sources]}{more}"
        return Decision(criterion, self.status, reason, (), self.gaps, None)


class _Group:
    """Criteria of one trial that ask for the same lists. Told apart from others by identity."""

    __slots__ = ("criteria", "sources")

    def __init__(self, sources: tuple[Sources, ...]) -> None:
        self.sources = sources
        self.criteria: list[tuple[int, Criterion, Nothing]] = []


@lru_cache(maxsize=2048)
def _decisions(group: _Group, words: tuple[str, ...]) -> tuple[tuple[int, Decision], ...]:
    """Place and decision of each criterion of a group where so much was read.

    Patients with as many entries share them: they say nothing else of anybody.
    """
    said = dict(zip(group.sources, words, strict=True))
    return tuple((place, known.filled_in(of, said)) for place, of, known in group.criteria)


class SilentTrial(msgspec.Struct, frozen=True, dict=True):
    """What the criteria of a trial come to where the record holds none of their concepts."""

    of: tuple[Criterion, ...]

    def decisions(self, trial: Trial, facts: Facts, asked: Evaluation) -> list[Decision | None]:
        """A decision for each criterion in order; None where it must be asked."""
        found: list[Decision | None] = [None] * len(trial.criteria)
        if trial.criteria is not self.of:
            return found
        recorded, words = facts.worked_out(asked).get(Nothing) or _chart(facts, asked)
        for group in self._groups:
            read = _words_of(group.sources, words, facts, asked)
            if read is not None:
                for place, decision in _decisions(group, read):
                    found[place] = decision
        for concept in recorded & self._by_concept.keys():
            for place in self._by_concept[concept]:
                found[place] = None
        return found

    @cached_property
    def _known(self) -> tuple[tuple[int, Criterion, Nothing], ...]:
        return tuple(
            (place, one, one.silence)
            for place, one in enumerate(self.of)
            if isinstance(one.silence, Nothing)
        )

    @cached_property
    def _groups(self) -> tuple[_Group, ...]:
        groups: dict[tuple[Sources, ...], _Group] = {}
        for place, criterion, known in self._known:
            group = groups.setdefault(known.sources, _Group(known.sources))
            group.criteria.append((place, criterion, known))
        return tuple(groups.values())

    @cached_property
    def _by_concept(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, _, known in self._known:
            for concept in known.concepts:
                places.setdefault(concept, []).append(place)
        return places


def with_silence(trial: Trial) -> Trial:
    """The same trial, with what its criteria come to where nothing is recorded."""
    criteria = tuple(
        msgspec.structs.replace(criterion, silence=silence_of(criterion))
        for criterion in trial.criteria
    )
    return msgspec.structs.replace(trial, criteria=criteria, silence=SilentTrial(criteria))


def silence_of(criterion: Criterion) -> Nothing | None:
    """What the criterion comes to where nothing is recorded; None if it asks more than lists."""
    leaves = list(_leaves(criterion.form))
    if not all(isinstance(one, Finding | ProcedureDone | Medication | Judgement) for one in leaves):
        return None
    nobody = Facts(Patient("Patient/nobody"), totals=_LENGTHS)
    decision = decide(criterion, nobody, _ANY_DAY)
    sources = [key for key in nobody.worked_out(_ANY_DAY) if isinstance(key, Sources)]
    by_words = {lists(nobody, _ANY_DAY, one).read: one for one in sources}
    said, reads = _cut(decision.reason, by_words)
    concepts = frozenset(concept for one in leaves for concept in getattr(one, "concepts", ()))
    return Nothing(criterion, concepts, tuple(sources), decision.status, said, reads, decision.gaps)


def _cut(
    reason: str, by_words: Mapping[str, Sources]
) -> tuple[tuple[str, ...], tuple[Sources, ...]]:
    """A reason without its words on how much was read, and whose words these were."""
    if not by_words:
        return (reason,), ()
    pieces = re.split(f"({'|'.join(map(re.escape, by_words))})", reason)
    return tuple(pieces[::2]), tuple(by_words[words] for words in pieces[1::2])


def _leaves(form: Characteristic) -> Iterator[Characteristic]:
    """The statements that are not made of others, and questions with what is shown with them."""
    if not isinstance(form, AllOf | AnyOf | Not):
        yield form
    for part in form.parts():
        yield from _leaves(part)


_Chart: TypeAlias = tuple[frozenset[str], dict[Sources, str | None]]
"""The concepts of which some list holds an entry, and how much was read of each source asked for.

That is None where what was not read, or not recognised, may belong to any concept.
"""


def _chart(facts: Facts, asked: Evaluation) -> _Chart:
    """What every criterion asks of the same facts; worked out once."""
    recorded = frozenset((*facts.conditions, *facts.procedures, *facts.exposures))
    found: _Chart = recorded, {}
    facts.worked_out(asked)[Nothing] = found
    return found


def _words_of(
    all_sources: tuple[Sources, ...],
    words: dict[Sources, str | None],
    facts: Facts,
    asked: Evaluation,
) -> tuple[str, ...] | None:
    """How much was read of some lists; None where one of them may hold what nobody saw."""
    found: list[str] = []
    for sources in all_sources:
        if sources not in words:
            words[sources] = _words(sources, facts, asked)
        said = words[sources]
        if said is None:
            return None
        found.append(said)
    return tuple(found)


def _words(sources: Sources, facts: Facts, asked: Evaluation) -> str | None:
    read = lists(facts, asked, sources)
    strangers = sources == DRUGS and facts.unrecognised_drugs
    return None if read.unread or strangers else read.read
