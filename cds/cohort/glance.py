"""A glance at a chart: most hold nothing that a trial is looking for, and a glance tells.

What a diagnosis says about the target concepts depends on its codes and words alone, and the same
ones come again and again: each is looked up once. A chart whose diagnoses have nothing to do with
any target differs from the next one only in how many there are. So it is never made into facts;
what the engine says of so many diagnoses is kept too.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Raw

from cds.cohort.unrecognised import unrecognised_entry
from cds.core.criterion import Determination, Status
from cds.core.facts import Facts
from cds.core.facts import Patient as Person
from cds.engine.evaluate import decide_target, target_alone
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf
from cds.fhir.conditions import conditions_by_concept
from cds.fhir.decode import BROKEN
from cds.fhir.resources import ABSENT, CodeableConcept, Condition, Entry, Patient
from cds.fhir.retrieved import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cds.assess import Content
    from cds.cohort.possible import Possible
    from cds.cohort.unrecognised import Key
    from cds.core.criterion import Characteristic, Criterion, Trial
    from cds.core.when import Evaluation
    from cds.fhir.retrieved import Coverage


class _Subject(msgspec.Struct, frozen=True, gc=False):
    reference: str | None = None


class _Entry(
    msgspec.Struct, frozen=True, gc=False, rename="camel", tag_field="resourceType", kw_only=True
):
    """What decides whether an entry is plain; its codes and words stay undecoded."""

    id: str | None = None
    subject: _Subject | None = None
    code: Raw = ABSENT


class _Condition(_Entry, tag="Condition", frozen=True, gc=False, rename="camel", kw_only=True):
    verification_status: Raw = ABSENT
    clinical_status: Raw = ABSENT


class _Procedure(_Entry, tag="Procedure", frozen=True, gc=False, rename="camel", kw_only=True):
    status: str | None = None
    category: Raw = ABSENT
    not_done: Raw = ABSENT
    not_performed: Raw = ABSENT
    occurrence_date_time: Raw = ABSENT
    occurrence_period: Raw = ABSENT


_read = msgspec.json.Decoder(Patient | _Condition | _Procedure)
_concept = msgspec.json.Decoder(CodeableConcept | None)
_REMEMBERED = 50_000
"""Different diagnoses and procedures that are remembered, with their words."""


class Glimpse(NamedTuple):
    """A chart that concerns no trial: why not, its entries by type, and what no list knows."""

    determinations: tuple[Determination, ...]
    entries: dict[str, int]
    unrecognised: Counter[Key]


class Look(Enum):
    """How a chart of which a glance does not tell must be looked at."""

    EARLY = "what was glanced at, read properly, may tell"
    WHOLE = "its results and medications may matter"


class _Said(NamedTuple):
    """What one entry's codes and words say.

    `stranger`: its name, if no list knows it. `unknown`: it counts as one that nobody could
    recognise. `next`: it is not plain, or may have to do with a target.
    """

    stranger: Key | None
    unknown: bool = False
    next: Look | None = None


_NOT_PLAIN = _Said(None, next=Look.EARLY)
"""What may be made of it is for the record to say."""


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

    def at(self, patient: str, lines: Sequence[bytes]) -> Glimpse | Look:
        """What can be told at a glance, or how the chart must be looked at instead.

        `patient` is the id of whom the lines were found to belong to. Whatever is not plain is for
        the record to sort out: an entry must be certainly theirs, R4, and there once.
        """
        try:
            resources = list(map(_read.decode, lines))
        except BROKEN:
            return Look.EARLY
        owner = f"Patient/{patient}"
        persons: list[Patient] = []
        names: list[tuple[type, str | None]] = []
        strangers: Counter[Key] = Counter()
        unknown = 0
        plain = True
        for one in resources:
            if isinstance(one, Patient):
                persons.append(one)
                continue
            said = self._said(one, owner)
            if said.next is Look.WHOLE:
                return Look.WHOLE
            plain = plain and said.next is None
            names.append((type(one), one.id))
            unknown += said.unknown
            if said.stranger is not None:
                strangers[said.stranger] += 1
        if not plain or len(set(names)) < len(names) or not _is_plain(patient, persons):
            return Look.EARLY
        conditions = sum(kind is _Condition for kind, _ in names)
        determinations = self._without(conditions, unknown)
        if determinations is None:
            return Look.WHOLE
        entries = {"Condition": conditions, "Procedure": len(names) - conditions}
        return Glimpse(determinations, entries, strangers)

    def _said(self, one: _Condition | _Procedure, owner: str) -> _Said:
        subject = one.subject
        if not one.id or subject is None or subject.reference != owner:
            return _NOT_PLAIN
        if isinstance(one, _Condition):
            # Nothing but these fields decides: their bytes are looked up, undecoded.
            return self._condition(
                bytes(one.code), bytes(one.verification_status), bytes(one.clinical_status)
            )
        if _is_foreign(one):
            return _NOT_PLAIN
        return self._procedure(bytes(one.code), bytes(one.category))

    def _determine_without(self, conditions: int, unknown: int) -> tuple[Determination, ...] | None:
        """What is said of the targets with so many conditions that have nothing to do with them.

        None unless all of them fail.
        """
        facts = Facts(
            Person(""),
            totals={"Condition": conditions},
            unrecognised={"Condition": unknown},
            retrieval=self._retrieval,
        )
        found = tuple(
            target_alone(head, decide_target(head, facts, self._asked))
            for head in self._content.heads
        )
        return found if all(one.target.status is Status.FAIL for one in found) else None

    def _look_up_condition(self, *raw: bytes) -> _Said:
        """What a Condition's code, verificationStatus and clinicalStatus say."""
        try:
            code, verification, _ = map(_read_concept, raw)
        except BROKEN:
            return _NOT_PLAIN
        terminology = self._content.terminology
        resource = Condition(code=code, verification_status=verification)
        found, unknown = conditions_by_concept(
            [Entry(resource)], terminology, None, self._asked.zone
        )
        look = None
        if not self._watched.isdisjoint(found):
            look = Look.WHOLE
        elif self._possible.may_concern(resource, found):
            look = Look.EARLY
        return _Said(unrecognised_entry("Condition", code, terminology), bool(unknown), look)

    def _look_up_procedure(self, *raw: bytes) -> _Said:
        """What a Procedure's code and category say."""
        try:
            code, _ = map(_read_concept, raw)
        except BROKEN:
            return _NOT_PLAIN
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


def _read_concept(raw: bytes) -> CodeableConcept | None:
    return _concept.decode(raw) if raw else None


def _is_plain(patient: str, persons: Sequence[Patient]) -> bool:
    """Whether there is one Patient, who is alive."""
    if len(persons) != 1 or persons[0].id != patient:
        return False
    person = persons[0]
    return not (person.deceased_boolean or person.deceased_date_time or person.animal)


def _is_foreign(procedure: _Procedure) -> bool:
    """Whether a Procedure has an element that only other FHIR versions have."""
    return bool(
        procedure.not_done
        or procedure.not_performed
        or procedure.occurrence_date_time
        or procedure.occurrence_period
    )
