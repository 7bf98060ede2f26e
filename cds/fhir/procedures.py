"""Procedures → what each is evidence of, and when it was done."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cds.core.facts import Mark, Procedure
from cds.fhir import resources
from cds.fhir.concepts import Meant, codings, shown, texts
from cds.fhir.dates import NEVER_SAID, day_or_period, on_a_day_at_age
from cds.fhir.lazily import there
from cds.fhir.retrieved import reference_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from cds.core.terminology import Terminology
    from cds.core.when import When
    from cds.fhir.resources import CodeableConcept, Entry

_NO_FACT = frozenset({"not-done", "entered-in-error", "preparation"})
_DONE = frozenset({"completed", "in-progress", "stopped"})

Pairs = dict[str, list[tuple[Procedure, Mark]]]


def procedures_by_concept(
    entries: Sequence[Entry], terminology: Terminology, birth: When | None, zone: tzinfo
) -> tuple[Pairs, int]:
    """Procedure entries by concept key, and how many nobody could recognise."""
    found: Pairs = {}
    unrecognised = 0
    for entry in entries:
        resource = entry.resource
        if not isinstance(resource, resources.Procedure) or resource.status in _NO_FACT:
            continue
        meant = _meant(resource.code, resource.category, terminology)
        unrecognised += not meant.recognised
        if not meant.marks:
            continue
        procedure = _procedure(entry, resource, meant, birth, zone)
        for concept, mark in meant.marks.items():
            found.setdefault(concept, []).append((procedure, mark))
    return found, unrecognised


@lru_cache(maxsize=4096)
def _meant(
    code: CodeableConcept | None, category: CodeableConcept | None, terminology: Terminology
) -> Meant:
    """What an entry says, by its codes, else by its words and its category."""
    marks, recognised = _marks(code, category, terminology)
    display = shown((code,), "a procedure without a name")
    return Meant.of(display, marks, recognised=recognised)


def _marks(
    code: CodeableConcept | None, category: CodeableConcept | None, terminology: Terminology
) -> tuple[Mapping[str, Mark], bool]:
    marks: dict[str, Mark] = {}
    known = False
    for coding in codings((code,)):
        coded = terminology.procedure(coding.system or "", coding.code or "")
        known = known or coded.known
        for concept, mark in coded.marks.items():
            if concept not in marks or (mark.decides and not marks[concept].decides):
                marks[concept] = mark
    if known:
        return marks, True
    for text in texts((code,)):
        marks.update(terminology.procedure_names(text))
    # A category ("surgical procedure", "radiotherapy") speaks for codes that no list holds.
    for coding in codings((category,)):
        coded = terminology.procedure(coding.system or "", coding.code or "")
        for concept, mark in coded.marks.items():
            if concept not in marks or mark.decides:
                marks[concept] = mark
    return marks, bool(marks)


def _procedure(
    entry: Entry,
    resource: resources.Procedure,
    meant: Meant,
    birth: When | None,
    zone: tzinfo,
) -> Procedure:
    done = day_or_period(resource.performed_date_time, resource.performed_period, zone)
    if done is NEVER_SAID and there(resource.performed_age):
        done = on_a_day_at_age(resource.performed_age, birth, zone)
    return Procedure(
        reference_of(entry),
        meant.display,
        # Half a period is not to be had: an unreadable end may be any day.
        start=None if done.lost else done.start or done.end,
        end=None if done.lost else done.end,
        running=resource.status == "in-progress" and done.end is None and not done.lost,
        doubtful=resource.status not in _DONE,
        concepts=meant.concepts,
        uncertain=meant.uncertain,
    )
