"""A glance at a chart: most hold nothing that a trial is looking for, and a glance tells.

What a diagnosis says about the target concepts depends on its codes and words alone, and the same
ones come again and again: each is looked up once. A chart whose diagnoses have nothing to do with
any target differs from the next one only in how many there are. So it is never made into facts;
what the engine says of so many diagnoses is kept too.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cds.cohort.unrecognised import unrecognised_entry
from cds.core.criterion import Determination, Status
from cds.core.facts import Facts
from cds.core.facts import Patient as Person
from cds.engine.evaluate import decide_target, target_alone
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf
from cds.fhir.conditions import conditions_by_concept
from cds.fhir.decode import BROKEN
from cds.fhir.resources import Condition, Entry, Patient, Procedure
from cds.fhir.retrieved import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cds.assess import Content
    from cds.cohort.possible import Possible
    from cds.cohort.unrecognised import Key
    from cds.core.criterion import Characteristic, Criterion, Trial
    from cds.core.when import Evaluation
    from cds.fhir.resources import CodeableConcept
    from cds.fhir.retrieved import Coverage

_read = msgspec.json.Decoder(Patient | Condition | Procedure)
_REMEMBERED = 50_000
"""Different diagnoses and procedures that are remembered, with their words."""


class Glimpse(NamedTuple):
    """A chart that concerns no trial: why not, its entries by type, and what no list knows."""

    determinations: tuple[Determination, ...]
    entries: dict[str, int]
    unrecognised: Counter[Key]


class _Said(NamedTuple):
    """What one entry's codes and words say.

    `stranger`: its name, if no list knows it. `close`: it may have to do with a target.
    `unknown`: it counts as one that nobody could recognise.
    """

    stranger: Key | None
    close: bool = False
    unknown: bool = False


class Glance:
    """Looks at the Patient, the Conditions and the Procedures of charts, with some content."""

    def __init__(
        self,
        content: Content,
        asked: Evaluation,
        possible: Possible,
        coverage: Mapping[str, Coverage],
    ) -> None:
        self._content = content
        self._asked = asked
        self._possible = possible
        self._retrieval = Record("", None, {}, {}, coverage).retrieval()
        targets = [_target(head) for head in content.heads]
        parts = [part for target in targets for part in _leaves(target.form)]
        found = [part for part in parts if isinstance(part, Finding)]
        self._watched = frozenset(key for part in found for key in part.concepts)
        self.suffices = len(found) == len(parts) > 0
        self._condition = lru_cache(_REMEMBERED)(self._look_up_condition)
        self._procedure = lru_cache(_REMEMBERED)(self._look_up_procedure)
        self._without = lru_cache(_REMEMBERED)(self._determine_without)

    def at(self, patient: str, lines: Sequence[bytes]) -> Glimpse | None:
        """What can be told at a glance; None for a chart that must be read properly.

        `patient` is the id of whom the lines were found to belong to.
        """
        try:
            resources = [_read.decode(line) for line in lines]
        except BROKEN:
            return None
        persons = [one for one in resources if isinstance(one, Patient)]
        entries = [one for one in resources if not isinstance(one, Patient)]
        if not _is_plain(patient, persons, entries):
            return None
        said = [self._said(one) for one in entries]
        if any(one.close for one in said):
            return None
        conditions = sum(isinstance(one, Condition) for one in entries)
        unknown = sum(one.unknown for one in said)
        determinations = self._without(conditions, unknown)
        if any(one.target.status is not Status.FAIL for one in determinations):
            return None
        count = {"Condition": conditions, "Procedure": len(entries) - conditions}
        strangers = Counter(one.stranger for one in said if one.stranger is not None)
        return Glimpse(determinations, count, strangers)

    def _said(self, entry: Condition | Procedure) -> _Said:
        if isinstance(entry, Condition):
            return self._condition(entry.code, entry.verification_status)
        return self._procedure(entry.code)

    def _determine_without(self, conditions: int, unknown: int) -> tuple[Determination, ...]:
        """What is said of the targets with so many conditions that have nothing to do with them."""
        facts = Facts(
            Person(""),
            totals={"Condition": conditions},
            unrecognised={"Condition": unknown},
            retrieval=self._retrieval,
        )
        return tuple(
            target_alone(head, decide_target(head, facts, self._asked))
            for head in self._content.heads
        )

    def _look_up_condition(
        self, code: CodeableConcept | None, verification: CodeableConcept | None
    ) -> _Said:
        terminology = self._content.terminology
        resource = Condition(code=code, verification_status=verification)
        found, unknown = conditions_by_concept(
            [Entry(resource)], terminology, None, self._asked.zone
        )
        close = not self._watched.isdisjoint(found) or self._possible.may_concern(resource, found)
        return _Said(unrecognised_entry("Condition", code, terminology), close, bool(unknown))

    def _look_up_procedure(self, code: CodeableConcept | None) -> _Said:
        return _Said(unrecognised_entry("Procedure", code, self._content.terminology))


def _target(trial: Trial) -> Criterion:
    return next(one for one in trial.criteria if one.id == trial.target)


def _leaves(form: Characteristic) -> Iterator[Characteristic]:
    """The statements that a form is made of in the end."""
    if isinstance(form, AllOf | AnyOf):
        for part in form.parts():
            yield from _leaves(part)
    else:
        yield form


def _is_plain(
    patient: str, persons: Sequence[Patient], entries: Sequence[Condition | Procedure]
) -> bool:
    """One Patient who is alive, and entries of which each is certainly theirs, R4, and there once.

    Whatever is not so plain is for the record to sort out.
    """
    if len(persons) != 1 or persons[0].id != patient:
        return False
    person, owner = persons[0], f"Patient/{patient}"
    if person.deceased_boolean or person.deceased_date_time or person.animal:
        return False
    names = {(type(one), one.id) for one in entries}
    return (
        len(names) == len(entries)
        and all(
            one.id and one.subject is not None and one.subject.reference == owner for one in entries
        )
        and not any(_is_foreign(one) for one in entries if isinstance(one, Procedure))
    )


def _is_foreign(procedure: Procedure) -> bool:
    """Whether a Procedure has an element that only other FHIR versions have."""
    return bool(
        procedure.not_done
        or procedure.not_performed
        or procedure.occurrence_date_time
        or procedure.occurrence_period
    )
