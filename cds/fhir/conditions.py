"""Conditions → what each is evidence of, and how it stands."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cds.core.facts import Clinical, Condition, Mark
from cds.fhir import lazily, resources
from cds.fhir.concepts import Meant, codings, shown, status_codes, texts
from cds.fhir.dates import Interval, at_age, between, read_date, read_period
from cds.fhir.lazily import Lost, there
from cds.fhir.retrieved import reference_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from msgspec import Raw

    from cds.core.terminology import Terminology
    from cds.core.when import When
    from cds.fhir.resources import CodeableConcept, Entry

_ACTIVE = frozenset({"active", "recurrence", "relapse"})
_INACTIVE = frozenset({"inactive", "remission", "resolved"})
_NO_FACT = frozenset({"refuted", "entered-in-error"})
_CONFIRMED = frozenset({"confirmed"})
_SNOMED = "SNOMED CT"
_ANY_MALIGNANCY = "other_malignancy"
_UNSPECIFIC = "soft_tissue_malignancy_unspecific"
"""Words for a malignancy of soft tissue that do not say of which kind."""
_BY_WORD = Mark(decides=False)

Pairs = dict[str, list[tuple[Condition, Mark]]]


def conditions_by_concept(
    entries: Sequence[Entry], terminology: Terminology, birth: When | None, zone: tzinfo
) -> tuple[Pairs, int]:
    """Condition entries by concept key, and how many nobody could recognise."""
    found: Pairs = {}
    unrecognised = 0
    for entry in entries:
        resource = entry.resource
        if not isinstance(resource, resources.Condition):
            continue
        verification = status_codes(resource.verification_status)
        if verification & _NO_FACT:
            continue
        meant = _meant(resource.code, terminology)
        unrecognised += not meant.recognised
        if not meant.marks:
            continue
        condition = _condition(entry, resource, verification, meant, birth, zone)
        for concept, mark in meant.marks.items():
            found.setdefault(concept, []).append((condition, mark))
    return found, unrecognised


@lru_cache(maxsize=4096)  # a problem list repeats itself, and so do the lists of a hospital
def _meant(code: CodeableConcept | None, terminology: Terminology) -> Meant:
    """What an entry says, by its codes, else by its words; a trial's target by its words too."""
    marks, recognised = _marks(code, terminology)
    display = shown((code,), "a condition without a name")
    names: tuple[frozenset[str], ...] = ()
    if marks and not any(mark.decides for mark in marks.values()):
        names = _names(code, terminology)
    return Meant.of(display, marks, recognised=recognised, names=names)


def _names(code: CodeableConcept | None, terminology: Terminology) -> tuple[frozenset[str], ...]:
    """What each name in the words stands for; nothing where a code is known, or says no kind."""
    for coding in codings((code,)):
        if terminology.condition(coding.system or "", coding.code or "").known:
            return ()
    found = [name for text in texts((code,)) for name in terminology.condition_names_apart(text)]
    return tuple(found) if not any(_UNSPECIFIC in name for name in found) else ()


def _marks(
    code: CodeableConcept | None, terminology: Terminology
) -> tuple[Mapping[str, Mark], bool]:
    marks: dict[str, Mark] = {}
    known = unlisted_snomed = False
    for coding in codings((code,)):
        assert coding.system is not None  # noqa: S101 - codings() gives no other
        assert coding.code is not None  # noqa: S101 - codings() gives no other
        coded = terminology.condition(coding.system, coding.code)
        known = known or coded.known
        unlisted_snomed |= not coded.known and terminology.system(coding.system) == _SNOMED
        for concept, mark in coded.marks.items():
            marks[concept] = _stronger(marks.get(concept), mark)
    said = texts((code,))
    if known:
        # A site or a group of tumours is often all that a code says of a rare one. What a trial
        # is about is looked for in the words too: whoever is overlooked there gets no card.
        for text in said:
            for concept, mark in terminology.target_names(text).items():
                marks.setdefault(concept, mark)
        return marks, True
    for text in said:
        marks.update(terminology.condition_names(text))
    if unlisted_snomed and any(terminology.malignancy_words(text) for text in said):
        marks.setdefault(_ANY_MALIGNANCY, _BY_WORD)
    return marks, bool(marks)


def _stronger(one: Mark | None, other: Mark) -> Mark:
    """Of several codings of one entry the one that says more."""
    if one is None or (other.decides, not other.history) > (one.decides, not one.history):
        return other
    return one


def _condition(  # noqa: PLR0913 - everything that is known of it
    entry: Entry,
    resource: resources.Condition,
    verification: frozenset[str],
    meant: Meant,
    birth: When | None,
    zone: tzinfo,
) -> Condition:
    onset, _ = _date(
        resource.onset_date_time,
        resource.onset_period,
        resource.onset_age,
        (resource.onset_range, resource.onset_string),
        (birth, zone),
    )
    said_onset = any(map(there, _onset_fields(resource)))
    event = onset
    if not said_onset:
        recorded = read_date(resource.recorded_date, zone)
        event = None if isinstance(recorded, Lost) else recorded
    ended, ended_unreadable = _date(
        resource.abatement_date_time,
        resource.abatement_period,
        resource.abatement_age,
        (resource.abatement_range, resource.abatement_string),
        (birth, zone),
        to_its_end=True,
    )
    clinical = _clinical(entry, status_codes(resource.clinical_status))
    doubtful = clinical is Clinical.UNCLEAR or "verificationStatus" in entry.unreadable
    return Condition(
        reference_of(entry),
        meant.display,
        clinical,
        doubtful=doubtful or not verification <= _CONFIRMED,
        event=event,
        ended=ended,
        ended_unreadable=ended_unreadable,
        concepts=meant.concepts,
        uncertain=meant.uncertain,
        names=meant.names,
    )


def _onset_fields(resource: resources.Condition) -> tuple[Raw, ...]:
    return (
        resource.onset_date_time,
        resource.onset_period,
        resource.onset_age,
        resource.onset_range,
        resource.onset_string,
    )


def _clinical(entry: Entry, codes: frozenset[str]) -> Clinical:
    """The class of a clinicalStatus. Without one, whether it is over depends on the day asked."""
    if "clinicalStatus" in entry.unreadable:
        return Clinical.UNCLEAR
    if not codes:
        return Clinical.NOT_STATED
    active, inactive = bool(codes & _ACTIVE), bool(codes & _INACTIVE)
    if active == inactive:
        return Clinical.UNCLEAR
    return Clinical.ACTIVE if active else Clinical.INACTIVE


def _date(  # noqa: PLR0913 - every way in which FHIR dates a condition
    date_time: Raw,
    period: Raw,
    age: Raw,
    others: tuple[Raw, ...],
    born: tuple[When | None, tzinfo],
    *,
    to_its_end: bool = False,
) -> tuple[When | None, bool]:
    """onset[x] or abatement[x] as a range of dates, and whether it is there but unreadable.

    `to_its_end`: of a period without an end nobody knows when it is over.
    """
    birth, zone = born
    if there(date_time):
        read = read_date(date_time, zone)
        return (None, True) if isinstance(read, Lost) else (read, False)
    if there(period):
        interval = read_period(period, zone)
        if interval is not None and to_its_end and interval.end is None:
            return None, True
        return _of_period(interval) if interval is not None else (None, False)
    if there(age):
        quantity = lazily.readable(lazily.quantity, age)
        when = at_age(quantity, birth, zone) if quantity is not None else None
        return when, when is None
    return None, any(map(there, others))


def _of_period(interval: Interval) -> tuple[When | None, bool]:
    if interval.lost:
        return None, True
    if interval.start is not None and interval.end is not None:
        return between(interval.start, interval.end), False
    return interval.start or interval.end, False
