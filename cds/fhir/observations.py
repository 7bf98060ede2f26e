"""Observations → results by concept, normalised only for the concepts that are asked for."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Raw

from cds.core.answer import Gap
from cds.core.facts import LazyResults, Result
from cds.core.terminology import LabCode
from cds.fhir import lazily
from cds.fhir.dates import read_date, read_period
from cds.fhir.lazily import UNREADABLE, Lost, there
from cds.fhir.loose import concept_in
from cds.fhir.resources import ABSENT, Entry, Observation, Reference, Valued
from cds.fhir.retrieved import reference_of
from cds.fhir.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import tzinfo

    from cds.core.terminology import Terminology
    from cds.core.when import When
    from cds.fhir.values import ValueReader

_COUNTS = frozenset({"final", "amended", "corrected"})
_components = msgspec.json.Decoder(tuple[Valued, ...])
_component = msgspec.json.Decoder(Valued)
_members = msgspec.json.Decoder(tuple[Observation, ...])
_contained = msgspec.json.Decoder(Observation)
_references = msgspec.json.Decoder(tuple[Reference, ...])
P = TypeVar("P", Valued, Observation)
_surely_readable = re.compile(
    rb'"([12]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8]))'
    rb'(?:T(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6}|)|)(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d|)|)"'
).fullmatch
"""Tells a day, or an instant of one, that needs no calendar to be known as a date; its first group
is the day as written, whatever its zone. A day after the 28th is looked at more closely. `(…|)` is
found faster than `(…)?`."""
_NONE: frozenset[str] = frozenset()
_CLOSE_DAYS = 2
"""So many written days apart, the later day may still be the earlier instant (offsets, zones)."""
_VAGUE = b"~"
"""Sorts behind every written day: a date that is vague or odd may be the newest."""


class _Found(msgspec.Struct, frozen=True, gc=False):
    """One place where a result stands: an observation, or one of its components or members."""

    entry: Entry
    observation: Observation
    valued: Valued
    lab: LabCode


class Results(LazyResults):
    """Results by concept key, each made when somebody first asks for it."""

    def __init__(
        self, entries: Sequence[Entry], terminology: Terminology, reader: ValueReader, zone: tzinfo
    ) -> None:
        """Index the codes of all entries; nothing else of them is read yet."""
        self._reader = reader
        self._zone = zone
        self._made: dict[int, Result] = {}
        self._whole: dict[str, tuple[Result, ...]] = {}
        self._found: dict[str, list[_Found]] = {}
        self._terminology = terminology
        self.unknown: list[Observation] = []
        """Those of which no list knows what they measure; a part of one may be known."""
        for entry in entries:
            observation = entry.resource
            if not isinstance(observation, Observation):
                continue
            measured = self._index(entry, observation, observation, _NONE)
            if not measured:
                self.unknown.append(observation)
            if observation.component or observation.contained:
                self._index_parts(entry, observation, measured)

    def __getitem__(self, concept: str) -> tuple[Result, ...]:
        whole = self._whole.get(concept)
        if whole is None:
            whole = tuple(self._made_of(found) for found in self._found[concept])
            self._whole[concept] = whole
        return whole

    def latest(self, concept: str, end: int) -> tuple[Result, ...]:
        """Enough of a concept's results to know the newest with a value; see `LazyResults`.

        The written days tell most of a chart's results apart without reading them. One whose date
        is vague or odd is always among the answer: it may be the newest.
        """
        listed = self._found.get(concept, ())
        if len(listed) <= 1:
            return tuple([self._made_of(found) for found in listed])
        matches = [_surely_readable(found.observation.effective_date_time) for found in listed]
        days = [match[1] if match else _VAGUE for match in matches]
        newest = max(days)
        if newest is not _VAGUE and self._counts_by(listed[days.index(newest)], end):
            until = _days_before(newest)  # nearly always: the others need not be put in order
            rows = zip(days, listed, strict=True)
            return tuple([self._made_of(found) for day, found in rows if day >= until])
        chosen: list[int] = []
        until = b""
        for at in sorted(range(len(days)), key=days.__getitem__, reverse=True):
            day = days[at]
            if day < until:
                break
            chosen.append(at)
            if not until and day is not _VAGUE and self._counts_by(listed[at], end):
                until = _days_before(day)
        return tuple(self._made_of(listed[at]) for at in sorted(chosen))

    def _counts_by(self, found: _Found, end: int) -> bool:
        """Whether a result has a value and a date that is not after `end`."""
        result = self._made_of(found)
        return result.skipped is None and result.when is not None and result.when.start <= end

    def unusable(self, concepts: Iterable[str], gap: Gap) -> Iterator[tuple[str, str]]:
        """The values of some concepts, as received, that cannot be used for one reason.

        Their dates are not read.
        """
        may_lack = self._reader.may_lack
        for concept in concepts:
            for found in self._found.get(concept, ()):
                if found.observation.status in _COUNTS and may_lack(gap, found.valued, found.lab):
                    value, _ = self._value(found)
                    if value.unusable is gap:
                        yield concept, value.display

    def sources(self) -> tuple[Entry, ...]:
        """The entries that results are made of, as they came: the same results can be made again.

        To encode them costs a fraction of reading them.
        """
        rows = {id(row.entry): row.entry for found in self._found.values() for row in found}
        return tuple(rows.values())

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, concept: object) -> bool:
        return concept in self._found

    def _index(
        self, entry: Entry, observation: Observation, valued: Valued, known: frozenset[str]
    ) -> tuple[LabCode, ...]:
        """Note what an observation measures.

        `known` are analytes that its parent measures already.
        """
        labs = _labs_of(bytes(valued.code), self._terminology)
        for lab in labs:
            if lab.analyte.key not in known:
                found = _Found(entry, observation, valued, lab)
                for concept in lab.concepts:
                    self._found.setdefault(concept, []).append(found)
        return labs

    def _index_parts(
        self, entry: Entry, observation: Observation, measured: Iterable[LabCode]
    ) -> None:
        """Components and contained panel members count as observations of their own code.

        A component of what the observation itself measures is not a second result.
        """
        own = frozenset(lab.analyte.key for lab in measured)
        for component in _parts(observation.component, _components, _component):
            self._index(entry, observation, component, own)
        for member in _parts(observation.contained, _members, _contained):
            if member.subject is None or member.subject == observation.subject:
                merged = _as_member(member, observation)
                self._index(entry, merged, merged, frozenset())

    def _made_of(self, found: _Found) -> Result:
        made = self._made.get(id(found))
        if made is None:
            made = self._made[id(found)] = self._result(found)
        return made

    def _value(self, found: _Found) -> tuple[Value, Valued]:
        """The value of a result, and what holds it: the observation itself or a component."""
        observation = found.observation
        value = self._reader.value(found.valued, found.lab)
        if value.skipped is not None and found.valued is observation and observation.component:
            return self._value_in_components(found) or (value, found.valued)
        return value, found.valued

    def _result(self, found: _Found) -> Result:
        observation, lab = found.observation, found.lab
        value, valued = self._value(found)
        reference = reference_of(found.entry)
        when = _effective(observation, self._zone)
        issued = read_date(observation.issued, self._zone)
        if observation.status not in _COUNTS:
            status = observation.status or "status not stated"
            return Result(reference, when, value.display, skipped=status)
        if observation.focus is not ABSENT and _is_about_another(observation):
            return Result(reference, when, value.display, skipped="not about the patient")
        if value.skipped is not None:
            return Result(reference, when, value.display, skipped=value.skipped)
        unusable = value.unusable
        if when is None and unusable is None:
            unusable = Gap.DATE
        if valued is not found.valued and not there(valued.reference_range):
            valued = found.valued
        ranges, has_high = self._reader.ranges(valued, lab)
        return Result(
            reference,
            when,
            value.display,
            reading=value.reading if unusable is None else None,
            unusable=unusable,
            issued=None if issued is None or isinstance(issued, Lost) else issued.start,
            ranges=ranges,
            has_high=has_high,
        )

    def _value_in_components(self, found: _Found) -> tuple[Value, Valued] | None:
        """The value that an observation without one leaves to its components, and which holds it.

        Some EHRs put it there under the observation's own code; a score also as the only component,
        under a code that nobody else knows. A code that is known means something else.
        """
        parts = _parts(found.observation.component, _components, _component)
        same = [part for part in parts if found.lab.analyte.key in self._analytes(part.code)]
        if not same and len(parts) == 1 and found.lab.analyte.scale == "score":
            same = [part for part in parts if self._is_local(part.code)]
        values = [(self._reader.value(part, found.lab), part) for part in same]
        given = [(value, part) for value, part in values if value.skipped is None]
        if len({(value.reading, value.unusable) for value, _ in given}) > 1:
            display = " / ".join(value.display for value, _ in given)
            return Value(display, unusable=Gap.CONFLICTING), found.valued
        return given[0] if given else None

    def _analytes(self, code: Raw) -> set[str]:
        """The analytes that a code names."""
        return {lab.analyte.key for lab in _labs_of(bytes(code), self._terminology)}

    def _is_local(self, code: Raw) -> bool:
        """Whether a code has no coding of a system that everybody shares."""
        concept = concept_in(bytes(code))
        codings = (concept and concept.coding) or ()
        return not any(one.system and self._terminology.system(one.system) for one in codings)


def _is_about_another(observation: Observation) -> bool:
    """Whether an observation says that its focus is somebody or something else: donor, fetus."""
    if not there(observation.focus):
        return False
    focuses = lazily.readable(_references, observation.focus)
    subject = observation.subject and observation.subject.reference
    return focuses is None or any(one.reference != subject for one in focuses)


@lru_cache(maxsize=2048)
def _labs_of(code: bytes, terminology: Terminology) -> tuple[LabCode, ...]:
    """What a code measures; several codings of one analyte are one."""
    concept = concept_in(code)
    found: dict[str, LabCode] = {}
    for coding in (concept and concept.coding) or ():
        if coding.system is not None and coding.code is not None:
            lab = terminology.lab(coding.system, coding.code)
            if lab is not None:
                found.setdefault(lab.analyte.key, lab)
    return tuple(found.values())


def _parts(
    raw: Raw, whole: msgspec.json.Decoder[tuple[P, ...]], single: msgspec.json.Decoder[P]
) -> tuple[P, ...]:
    """The components or contained members that can be read, at once or one by one."""
    if not there(raw):
        return ()
    parts: Iterable[P | None] | None = lazily.readable(whole, raw)
    if parts is None:
        rows = lazily.readable(lazily.items, raw) or ()
        parts = (lazily.readable(single, row) for row in rows)
    return tuple(
        part
        for part in parts
        if part is not None and lazily.read(lazily.concept, part.code) is not UNREADABLE
    )


def _as_member(member: Observation, panel: Observation) -> Observation:
    """A contained member with what it leaves to its panel: status and date."""
    own_date = any(
        there(raw)
        for raw in (
            member.effective_date_time,
            member.effective_period,
            member.effective_instant,
            member.effective_timing,
        )
    )
    dated = member if own_date else panel
    return msgspec.structs.replace(
        member,
        status=member.status or panel.status,
        effective_date_time=dated.effective_date_time,
        effective_period=dated.effective_period,
        effective_instant=dated.effective_instant,
        effective_timing=dated.effective_timing,
        issued=member.issued if there(member.issued) else panel.issued,
    )


class _Timing(msgspec.Struct, frozen=True):
    event: tuple[Raw, ...] | None = None


_timing = msgspec.json.Decoder(_Timing)


def _effective(observation: Observation, zone: tzinfo) -> When | None:
    """When a result was true: its effective time, at the end of a period, else when it was issued.

    None where that is missing or cannot be read; an effective time that cannot be read is not
    replaced by another date.
    """
    for raw in (observation.effective_date_time, observation.effective_instant):
        when = read_date(raw, zone)
        if when is not None:
            return _kept(when)
    if there(observation.effective_period):
        period = read_period(observation.effective_period, zone)
        if period is not None:
            return None if period.lost else period.end or period.start
    if there(observation.effective_timing):
        timing = lazily.readable(_timing, observation.effective_timing)
        events = timing.event or () if timing is not None else ()
        dates = [_kept(read_date(event, zone)) for event in events]
        known = [when for when in dates if when is not None]
        return max(known, key=lambda when: when.end) if len(known) == len(dates) > 0 else None
    return _kept(read_date(observation.issued, zone))


@lru_cache(maxsize=1024)
def _days_before(day: bytes) -> bytes:
    """The earliest written day whose instants may still lie after those of `day`."""
    first = date.fromisoformat(day.decode()).toordinal() - _CLOSE_DAYS
    return date.fromordinal(first).isoformat().encode()


def _kept(when: When | Lost | None) -> When | None:
    return None if isinstance(when, Lost) else when
