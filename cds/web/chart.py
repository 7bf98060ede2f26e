"""Reading a chart from a FHIR server: what decides first, and the rest only where it matters.

Most charts hold no target diagnosis of any trial. For those two requests are enough. For the others
the searches stand in the order of how many undecided criteria wait for them, so that what there is
no time for is what matters least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from cds.core.criterion import Status
from cds.core.facts import Retrieval
from cds.engine.evaluate import decide
from cds.engine.lab import Lab
from cds.engine.medication import Medication
from cds.engine.procedure import ProcedureDone
from cds.fhir.facts import facts_from
from cds.fhir.fetching import NOT_TOLD
from cds.fhir.record import Record, merge, missing, record_from_fetched, unread_medications
from cds.fhir.resources import MedicationEntry, Observation
from cds.fhir.retrieved import Coverage, reference_of, with_older
from cds.fhir.search import FIRST, MEDICATION_TYPES, only_coded, reads_of, searches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cds.assess import Content
    from cds.core.criterion import Characteristic, Criterion, Decision
    from cds.core.when import Evaluation
    from cds.fhir.search import Fetched, Search

    Fetch = Callable[[Sequence[Search]], Sequence[Fetched]]
    """Asks a FHIR server about the patient whose record it is."""

_NO_TARGET = Coverage(
    Retrieval.NOT_RETRIEVED, "no trial's target diagnosis is recorded, so nobody asked for it"
)
_SETTLED = Coverage(
    Retrieval.NOT_RETRIEVED, "it could not change what is shown, so nobody asked for it"
)
_OPEN = frozenset({Status.UNKNOWN, Status.REVIEW})
_LISTS = MEDICATION_TYPES[:2]
_MOST_SEARCHES = 4
"""Searches by code that are fewer than the pages that they save."""


class Need(msgspec.Struct, frozen=True):
    """What the undecided criteria wait for.

    `waiting`: how many of them wait for a type, or a category of Observation. `recent`: the day
    since when results count for most of those that look back for some time only. `settled`:
    nothing that could be asked changes the answer, in words for the record. `labs`: every
    statement about results that may be decided.
    """

    waiting: Mapping[str, int] = msgspec.field(default_factory=dict)
    recent: date | None = None
    settled: Coverage | None = None
    labs: tuple[Lab, ...] = ()

    def rank(self, search: Search) -> int:
        """Sorts searches: those that can settle the most come first."""
        if search.is_unfiltered:
            return -sum(n for name, n in self.waiting.items() if name.startswith("Observation:"))
        return -self.waiting.get(search.covers, 0)


def completed_chart(
    record: Record,
    fetch: Fetch,
    content: Content,
    asked: Evaluation,
    near_days: int | None = None,
) -> Record:
    """The record with what it lacks, as far as the server gives it.

    The Patient and the Conditions come first. Where they rule out every trial's target diagnosis,
    or there is no Patient to evaluate, nothing else is asked, and the record says so. With
    `near_days` only cards are wanted: nothing more is asked either for a trial that fails already
    and will for longer than so many days. Medications that prefetched entries only refer to are
    read last, where a criterion on drugs is then open.

    Raises:
        UnusableInput: an answer is no FHIR R4.
    """
    record = _with(record, fetch, searches(missing(record).intersection(FIRST)))
    rest = missing(record).difference(FIRST)
    products = unread_medications(record)
    if not rest and not products:
        return record
    need = needed(record, content, asked, near_days)
    if need.settled is not None:
        coverage = {**record.coverage, **dict.fromkeys(rest, need.settled)}
        return msgspec.structs.replace(record, coverage=coverage)
    wanted = searches(rest, recent=need.recent, suffices=True)
    wanted.sort(key=need.rank)
    record = _with(record, fetch, wanted)
    record = _with_older(record, fetch, need.labs, content, asked)
    if wanted and products:  # the lists may have brought them, or settled what waits for them
        products = [one for one in unread_medications(record) if one in products]
        need = needed(record, content, asked, near_days) if products else need
    if not products or need.waiting.keys().isdisjoint(_LISTS):
        return record
    return _with(record, fetch, reads_of(_nameless_first(products, record, content, asked)))


def _nameless_first(
    products: Sequence[str], record: Record, content: Content, asked: Evaluation
) -> list[str]:
    """Medications in the order of their use: a drug that is known by its name needs none.

    Not all may come: their number is bounded, and so is the time.
    """
    facts = facts_from(record, content.terminology, asked.zone, content.units)
    unknown = {one.reference for one in facts.unrecognised_drugs}
    nameless = {
        entry.resource.medication_reference.reference
        for kind in MEDICATION_TYPES
        for entry in record.entries.get(kind, ())
        if isinstance(entry.resource, MedicationEntry)
        and entry.resource.medication_reference is not None
        and reference_of(entry) in unknown
    }
    return sorted(products, key=lambda one: one not in nameless)


def _with_older(
    record: Record, fetch: Fetch, labs: Sequence[Lab], content: Content, asked: Evaluation
) -> Record:
    """The record with the older results that may change what is said.

    Where only recent ones were asked for, they settle what looks at the newest. Of the other
    concepts all results are asked for; of all concepts where they cannot be asked for by code.
    """
    covered = record.covered("Observation")
    if covered.since is None or covered.state not in {Retrieval.COMPLETE, Retrieval.PARTIAL}:
        return record
    facts = facts_from(record, content.terminology, asked.zone, content.units)
    codes = content.terminology.lab_codes
    wanted = {
        code
        for lab in labs
        if lab.wants_older(facts, asked)
        for concept in lab.concepts
        for code in codes.get(concept, ())
    }
    if not wanted:
        return record
    coded = only_coded(wanted)
    if len(coded) <= _MOST_SEARCHES and not _has_members(record):
        answers = fetch(coded)
        if not any(one.why in NOT_TOLD for one in answers):
            return with_older(record, record_from_fetched(answers, record.patient_id), answers)
    answers = fetch(searches({"Observation"}, recent=covered.since))
    return with_older(record, record_from_fetched(answers, record.patient_id), answers)


def _has_members(record: Record) -> bool:
    """Whether results stand inside of others, where no search by code finds them."""
    resources = (entry.resource for entry in record.entries.get("Observation", ()))
    return any(isinstance(one, Observation) and one.contained for one in resources)


def needed(record: Record, content: Content, asked: Evaluation, near_days: int | None) -> Need:
    """What can still change the answer, given the Patient and the Conditions."""
    if record.patient is None:
        return Need(settled=_NO_TARGET)
    facts = facts_from(record, content.terminology, asked.zone, content.units)
    if facts.patient.deceased:
        return Need(settled=_NO_TARGET)
    concern = content.index.concern(facts, asked, near_days)
    if not concern.possible and not concern.untold:
        anyone = near_days is not None and content.index.concern(facts, asked, None)
        has_target = anyone and (anyone.possible or anyone.untold)
        return Need(settled=_SETTLED if has_target else _NO_TARGET)
    undecided: list[Criterion] = []
    judged: list[Criterion] = []
    for place in concern.possible:
        criteria = content.folders[place].trial.criteria
        judged += criteria
        decisions = [decide(one, facts, asked) for one in criteria]
        if near_days is None or not _ruled_out(decisions, asked, near_days):
            undecided += [one.criterion for one in decisions if one.status in _OPEN]
    for place in concern.untold:  # nobody can tell whether it is about this patient
        head = content.heads[place]
        trial = head if near_days is not None else content.folders[place].trial
        judged += trial.criteria
        undecided += [one for one in trial.criteria if near_days is None or one.id == head.target]
    waiting = Counter(name for one in undecided for name in set(asks_about(one.form)))
    may_come = missing(record).difference(FIRST)
    if unread_medications(record):
        may_come = may_come.union(_LISTS)
    if near_days is not None and may_come.isdisjoint(waiting):
        return Need(settled=_SETTLED)
    labs = tuple(dict.fromkeys(lab for one in judged for lab in _labs(one.form)))
    return Need(waiting, _recent(undecided, asked), labs=labs)


def _ruled_out(decisions: Iterable[Decision], asked: Evaluation, near_days: int) -> bool:
    """Whether one of them fails, and will for longer than `near_days`.

    The rest of the chart cannot undo that: it only adds reasons, and each puts the day off.
    """
    return any(
        one.clears_on is None or (one.clears_on - asked.on).days > near_days
        for one in decisions
        if one.status is Status.FAIL
    )


def asks_about(form: Characteristic) -> Iterator[str]:
    """The types, or categories of Observation, that a statement reads."""
    if isinstance(form, Lab):
        yield from (f"Observation:{category}" for category in form.categories)
    elif isinstance(form, Medication):
        yield from _LISTS
    elif isinstance(form, ProcedureDone):
        yield from form.types
    for part in form.parts():
        yield from asks_about(part)


def _recent(criteria: Iterable[Criterion], asked: Evaluation) -> date | None:
    """The first day of the look-back that most of the criteria share."""
    labs = [lab for criterion in criteria for lab in _labs(criterion.form)]
    spans = Counter(lab.look_back for lab in labs if lab.look_back is not None)
    return spans.most_common(1)[0][0].before(asked.on) if spans else None


def _labs(form: Characteristic) -> Iterator[Lab]:
    """The statements about results that a form is made of."""
    if isinstance(form, Lab):
        yield form
    for part in form.parts():
        yield from _labs(part)


def _with(record: Record, fetch: Fetch, wanted: Sequence[Search]) -> Record:
    if not wanted:
        return record
    return merge(record, record_from_fetched(fetch(wanted), record.patient_id))
