"""What was retrieved of one patient, type by type, and what could not be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from cds.core.facts import Problem, Retrieval
from cds.core.when import read_when
from cds.fhir.resources import (
    Condition,
    Entry,
    Medication,
    MedicationAdministration,
    MedicationEntry,
    MedicationRequest,
    MedicationStatement,
    Observation,
    Procedure,
)
from cds.fhir.search import MEDICATION_TYPES, OLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cds.fhir.resources import Reference
    from cds.fhir.search import Fetched

OBSERVATION_CATEGORIES = ("laboratory", "vital-signs", "exam", "survey", "social-history")
"""The Observation categories that are asked for one by one."""

KINDS: dict[type, str] = {
    Observation: "Observation",
    Condition: "Condition",
    Procedure: "Procedure",
    MedicationRequest: "MedicationRequest",
    MedicationStatement: "MedicationStatement",
    MedicationAdministration: "MedicationAdministration",
}
"""The resource types that say something about a patient."""

NEEDED = (
    "Condition",
    *(f"Observation:{category}" for category in OBSERVATION_CATEGORIES),
    "MedicationRequest",
    "MedicationStatement",
    "Procedure",
)
"""What must have been read before absence proves anything. A *coverage* is a resource type, or one
category of Observation as `Observation:laboratory`."""

_ALONG = "MedicationAdministration"

_ORDER = {
    Retrieval.NOT_RETRIEVED: 0,
    Retrieval.NOT_KEPT: 1,
    Retrieval.CUT_OFF: 2,
    Retrieval.PARTIAL: 3,
    Retrieval.COMPLETE: 4,
}
SHORT = frozenset({Retrieval.NOT_RETRIEVED, Retrieval.CUT_OFF, Retrieval.PARTIAL})
"""The states of a list that something is missing from."""


class Coverage(msgspec.Struct, frozen=True):
    """How much of one type or category was read.

    `why` says in words what is missing. `again`: asking the server once more may bring it.
    `since`: the day since when a list that was cut off came whole, if there is one; a list that is
    COMPLETE, or PARTIAL, with such a day is so since then: no older entries were asked for, but
    those with one of `codes`.
    """

    state: Retrieval
    why: str = ""
    again: bool = False
    since: date | None = None
    codes: frozenset[str] = frozenset()


COMPLETE = Coverage(Retrieval.COMPLETE)
NOT_RETRIEVED = Coverage(Retrieval.NOT_RETRIEVED, "nothing was sent", again=True)


class Record(msgspec.Struct, frozen=True):
    """One patient's resources as received.

    `patient` is None as long as nobody sent the Patient. `entries` are by resource type and this
    patient's only. `medications` are the products that entries refer to, by every address under
    which they are known. `coverage` holds what was read and how completely; what it does not name
    was not retrieved. `problems` are those of single entries; `all_problems` adds the missing
    types. `others` are the names of types among the entries that decide no criterion.
    """

    patient_id: str
    patient: Entry | None
    entries: Mapping[str, tuple[Entry, ...]]
    medications: Mapping[str, Medication]
    coverage: Mapping[str, Coverage]
    problems: tuple[Problem, ...] = ()
    others: frozenset[str] = frozenset()

    def covered(self, name: str) -> Coverage:
        """How a type or `Observation:category` was read."""
        found = self.coverage.get(name)
        if name.startswith("Observation:"):
            whole = self.coverage.get("Observation")
            if whole is not None and (found is None or rank(whole) > rank(found)):
                found = whole
        return found or NOT_RETRIEVED

    def retrieval(self) -> dict[str, Retrieval]:
        """The states in the form that facts carry them."""
        states = {kind: self.covered(kind).state for kind in KINDS.values()}
        for name in {*NEEDED, *self.coverage}:
            states[name] = self.covered(name).state
        return states

    def whole_since(self) -> dict[str, date]:
        """The days since when lists that were cut off came whole, in the form of facts."""
        if all(covered.since is None for covered in self.coverage.values()):
            return {}
        found = {name: self.covered(name).since for name in (*NEEDED, *self.coverage)}
        return {name: since for name, since in found.items() if since is not None}

    def whole_codes(self) -> frozenset[str]:
        """The codes of which every Observation came, where no other older ones were asked for."""
        return self.covered("Observation").codes

    def all_problems(self) -> tuple[Problem, ...]:
        """Every problem of the record: single entries first, then what was not read."""
        return (*self.problems, *self._nameless(), *self._gaps())

    def _nameless(self) -> Iterable[Problem]:
        """The entries of which nobody knows the drug, because its Medication is not there."""
        covered = self.coverage.get("Medication", COMPLETE)
        why = f": {covered.why}" if covered.why else ""
        for entry, reference in _without_product(self):
            if not reference.display:
                says = f"its Medication could not be read{why}"
                yield Problem("not-read", reference_of(entry), says)

    def _gaps(self) -> Iterable[Problem]:
        for name in NEEDED:
            covered = self.covered(name)
            if covered.state is Retrieval.NOT_RETRIEVED:
                yield Problem("not-retrieved", None, f"{_said(name)} not read: {covered.why}")
            elif covered.state in SHORT:
                yield Problem("incomplete", None, f"{_said(name)} incomplete: {covered.why}")


def _said(coverage: str) -> str:
    """'Condition', 'Observation (laboratory)'."""
    kind, _, category = coverage.partition(":")
    return f"{kind} ({category})" if category else kind


def missing(record: Record) -> frozenset[str]:
    """What must still be asked: coverages (`Condition`, `Observation:laboratory`) and `Patient`.

    Administrations are no list that absence could be read from, but what is there counts: they are
    asked for along with the rest, never for their own sake.
    """
    wanted = {name for name in NEEDED if _may_come(record.covered(name))}
    if wanted and _may_come(record.covered(_ALONG)):
        wanted.add(_ALONG)
    if record.patient is None:
        wanted.add("Patient")
    return frozenset(wanted)


def unread_medications(record: Record) -> list[str]:
    """The Medications that entries refer to and that did not come along, each once."""
    found = (reference.reference for _, reference in _without_product(record))
    return list(dict.fromkeys(one for one in found if one))


def is_lacking(record: Record) -> bool:
    """Whether asking a server may add to the record."""
    return bool(missing(record) or unread_medications(record))


def _without_product(record: Record) -> Iterable[tuple[Entry, Reference]]:
    """The medication entries that only a reference names, which leads nowhere in the record."""
    for kind in MEDICATION_TYPES:
        for entry in record.entries.get(kind, ()):
            resource = entry.resource
            assert isinstance(resource, MedicationEntry)  # noqa: S101 - these types alone
            reference = resource.medication_reference
            if reference is None or resource.medication_codeable_concept is not None:
                continue
            text = reference.reference or "#"
            short = "/".join(text.partition("/_history/")[0].rsplit("/", 2)[-2:])
            contained = text.startswith("#")
            if not contained and record.medications.keys().isdisjoint((text, short)):
                yield entry, reference


def _may_come(covered: Coverage) -> bool:
    """Whether asking the server once more may bring what was not read."""
    return covered.again and covered.state in SHORT


def reference_of(entry: Entry) -> str:
    """`Type/id`; for an entry without id the Bundle's address for it, else its type."""
    resource = entry.resource
    kind = type(resource).__name__
    name = getattr(resource, "id", None)
    if name:
        return f"{kind}/{name}"
    return entry.full_url or f"{kind} without id"


def merge(record: Record, other: Record) -> Record:
    """The record with what a server added.

    A resource that both have is taken in the version that was updated last; where that is not
    known, as the server (`other`) has it.
    """
    entries = {
        kind: newest((*record.entries.get(kind, ()), *other.entries.get(kind, ())))
        for kind in {**record.entries, **other.entries}
    }
    coverage = dict(record.coverage)
    for name, covered in other.coverage.items():
        coverage[name] = better(coverage.get(name), covered)
    return Record(
        record.patient_id,
        other.patient or record.patient,
        entries,
        {**record.medications, **other.medications},
        coverage,
        tuple(dict.fromkeys((*record.problems, *other.problems))),
        record.others | other.others,
    )


def with_older(record: Record, older: Record, answers: Sequence[Fetched]) -> Record:
    """A record of recent Observations with those of some codes, of any date, that `answers` hold.

    Without any codes the answers are the whole list. What did not come leaves the list cut off.
    The order is that of a list read whole: of each code either the older ones, which are all, stand
    first, or there are recent ones only.
    """
    merged = merge(older, record)
    known = record.covered("Observation")
    short = [answer for answer in answers if answer.state is not Retrieval.COMPLETE]
    if not short and not any(answer.codes for answer in answers):
        return merged
    codes = frozenset(code for answer in answers if answer not in short for code in answer.codes)
    covered = msgspec.structs.replace(known, codes=codes)
    if older.covered(OLDER).state is Retrieval.PARTIAL and not short:
        covered = msgspec.structs.replace(covered, state=Retrieval.PARTIAL)
    if short:
        why = "" if short[0].why is None else short[0].why.value
        covered = msgspec.structs.replace(covered, state=Retrieval.CUT_OFF, why=why)
    coverage = {name: one for name, one in merged.coverage.items() if name != OLDER}
    return msgspec.structs.replace(merged, coverage=coverage | {"Observation": covered})


def better(one: Coverage | None, other: Coverage) -> Coverage:
    """The more complete of two readings of the same type; of equals the later."""
    return one if one is not None and rank(one) > rank(other) else other


def rank(covered: Coverage) -> tuple[int, int]:
    """Sorts readings of one type; a list of which a part came is the better the more came whole."""
    whole = covered.state in {Retrieval.COMPLETE, Retrieval.PARTIAL}
    since = covered.since or (date.min if whole else date.max)
    return _ORDER[covered.state], -since.toordinal()


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    last_updated: str | None = None
    version_id: str | None = None


_meta = msgspec.json.Decoder(_Meta)


def newest(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Each resource once: of several versions the one updated last, else the last one given."""
    names = [getattr(entry.resource, "id", None) for entry in entries]
    if None not in names and len(set(names)) == len(names):
        return tuple(entries)
    kept: dict[str, Entry] = {}
    nameless: list[Entry] = []
    for entry in entries:
        name = getattr(entry.resource, "id", None) or entry.full_url
        if name is None:
            nameless.append(entry)
            continue
        earlier = kept.get(name)
        if earlier is None or _version(entry) >= _version(earlier):
            kept[name] = entry
    return (*kept.values(), *nameless)


def _version(entry: Entry) -> tuple[float, int]:
    """Sorts versions of one resource; unreadable or absent meta comes first."""
    try:
        meta = _meta.decode(getattr(entry.resource, "meta", b""))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return (float("-inf"), -1)
    updated = read_when(meta.last_updated) if meta.last_updated else None
    version = meta.version_id or ""
    number = int(version) if version.isdecimal() and version.isascii() else -1
    return (updated.start if updated else float("-inf"), number)
