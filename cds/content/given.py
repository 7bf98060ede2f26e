"""The `given` of a case: facts in a clinician's short hand become the engine's facts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from cds.content.fault import Fault, did_you_mean
from cds.content.forms import DOMAINS
from cds.content.strict_yaml import Items, Table, Value
from cds.core.answer import Gap
from cds.core.facts import (
    Clinical,
    Condition,
    Course,
    Exposure,
    Facts,
    Mark,
    Patient,
    Procedure,
    Reading,
    ReferenceRange,
    Result,
    Retrieval,
)
from cds.core.truth import Truth
from cds.core.when import Age, When, read_when

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cds.content.forms import ConceptInfo

_DEFAULT_AGE = 12  # inside the age limits of both bundled trials
KEYS: Mapping[str, frozenset[str]] = {
    "age": frozenset(),
    "born": frozenset(),
    "sex": frozenset(),
    "deceased": frozenset(),
    "lab": frozenset({"value", "taken", "issued", "uln", "gap", "skipped"}),
    "finding": frozenset(
        {
            "onset", "recorded", "status", "ended", "verification", "verified", "history", "also",
            "named", "display",
        }
    ),
    "procedure": frozenset({"done", "status", "verified", "also", "display"}),
    "medication": frozenset(
        {
            "drug", "last_taken", "from", "to", "status", "supply_until", "local", "flush", "route",
            "verified", "also", "display",
        }
    ),
    "unrecognised_drug": frozenset({"from", "to", "last_taken", "status", "local"}),
    "not_read": frozenset(),
    "partly_read": frozenset(),
    "cut_off": frozenset(),
    "not_kept": frozenset(),
}  # fmt: skip
RANGE_KEYS = frozenset({"high", "sex", "age_from", "age_to"})
SEXES = ("female", "male", "other", "unknown")
DOUBTFUL = frozenset({"unconfirmed", "provisional", "differential"})
TYPES = frozenset(
    {
        "Condition", "Observation", "Procedure", "MedicationRequest", "MedicationStatement",
        "MedicationAdministration",
    }
)  # fmt: skip
_ABOUT_CONCEPTS = frozenset({"lab", "finding", "procedure", "medication"})
_GAPS = {gap.value for gap in Gap}
NOT_READ = {
    "not_read": Retrieval.NOT_RETRIEVED,
    "partly_read": Retrieval.PARTIAL,
    "cut_off": Retrieval.CUT_OFF,
    "not_kept": Retrieval.NOT_KEPT,
}
CLINICAL = {
    None: Clinical.NOT_STATED,
    "active": Clinical.ACTIVE,
    "recurrence": Clinical.ACTIVE,
    "relapse": Clinical.ACTIVE,
    "resolved": Clinical.INACTIVE,
    "inactive": Clinical.INACTIVE,
    "remission": Clinical.INACTIVE,
}
COURSE = {
    "active": Course.ACTIVE,
    "completed": Course.PAST,
    "stopped": Course.PAST,
    "on-hold": Course.UNCERTAIN,
    "intended": Course.INTENDED,
    "unknown": Course.UNCERTAIN,
}
_PRESENCE = {"positive": Truth.MET, "negative": Truth.NOT_MET, "indeterminate": Truth.UNKNOWN}


def _lists() -> defaultdict[str, list[Any]]:
    return defaultdict(list)


@dataclass(slots=True)
class _Record:
    """What a case has stated so far, sorted as the engine's facts are."""

    results: defaultdict[str, list[Result]] = field(default_factory=_lists)
    conditions: defaultdict[str, list[tuple[Condition, Mark]]] = field(default_factory=_lists)
    procedures: defaultdict[str, list[tuple[Procedure, Mark]]] = field(default_factory=_lists)
    exposures: defaultdict[str, list[tuple[Exposure, Mark]]] = field(default_factory=_lists)
    strangers: list[Exposure] = field(default_factory=list)
    retrieval: dict[str, Retrieval] = field(default_factory=dict)
    person: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class GivenReader:
    """Builds the facts of one case; faults are noted with file and line.

    Where `concepts` are known, a fact must be about one of them, a value in its unit.
    """

    file: str
    as_of: date
    faults: list[Fault]
    concepts: Mapping[str, ConceptInfo] = field(default_factory=dict)

    def facts(self, given: Items, *, target: str | None) -> Facts:
        """The facts that `given` states, with the target diagnosis `target` unless it is given."""
        record = _Record()
        for number, (row, line) in enumerate(zip(given, given.lines, strict=True)):
            if not isinstance(row, Table):
                self._fault(line, "A fact is a set of keys.", "Write '- {lab: anc, value: …}'.")
                continue
            head = self._head(row)
            if head is not None:
                self._known(row, head)
                self._add(record, head, str(row[head]), row, number)
        if target is not None and target not in record.conditions:
            concepts = frozenset({target})
            added = Condition("Condition/target", target, Clinical.ACTIVE, concepts=concepts)
            record.conditions[target].append((added, Mark()))
        return Facts(
            self._patient(record.person),
            results=record.results,
            conditions=record.conditions,
            procedures=record.procedures,
            exposures=record.exposures,
            unrecognised_drugs=record.strangers,
            retrieval=record.retrieval,
        )

    def _add(self, record: _Record, head: str, subject: str, row: Table, number: int) -> None:
        """Put one fact where it belongs."""
        if head == "lab":
            record.results[subject].append(self._result(row, number))
        elif head == "finding":
            condition, mark = self._condition(row, number)
            by_word = Mark(decides=False, history=mark.history)
            for concept in condition.concepts:
                how = by_word if concept in condition.uncertain else mark
                record.conditions[concept].append((condition, how))
        elif head == "procedure":
            procedure, mark = self._procedure(row, number)
            for concept in procedure.concepts:
                record.procedures[concept].append((procedure, mark))
        elif head == "medication":
            exposure, mark = self._exposure(row, number)
            for concept in (subject, *_list(row.get("also"))):
                record.exposures[concept].append((exposure, mark))
        elif head == "unrecognised_drug":
            record.strangers.append(self._exposure(row, number)[0])
        elif head in NOT_READ:
            self._word(row, head, TYPES, "resource type")
            record.retrieval[subject] = NOT_READ[head]
        else:
            self._person(head, subject, row.line)
            record.person[head] = subject

    def _person(self, head: str, subject: str, line: int) -> None:
        """What is said of the person can be meant."""
        if head == "sex" and subject not in SEXES:
            cure = did_you_mean(subject, SEXES) or f"Write one of {', '.join(SEXES)}."
            self._fault(line, f"'{subject}' is no sex.", cure)
        if head == "age" and subject != "unknown" and not subject.isdecimal():
            self._fault(line, f"'{subject}' is no age in completed years.", "Write 'age: 12'.")
        if head == "born" and read_when(subject, UTC) is None:
            self._fault(line, f"'{subject}' is no date.", "Write it as 2014-05-31, or 2014.")

    def _word(self, row: Table, key: str, allowed: Iterable[str], what: str) -> None:
        """The value of a key is one of a few words."""
        value, words = row.get(key), sorted(allowed)
        if value is not None and value not in words:
            cure = did_you_mean(str(value), words) or f"Write one of {', '.join(words)}."
            self._fault(row.line_of(key), f"'{value}' is no {what}.", cure)

    def _fault(self, line: int, says: str, cure: str) -> None:
        self.faults.append(Fault(self.file, line, says, cure))

    def _head(self, row: Table) -> str | None:
        head = next(iter(row), None)
        if head is None or head not in KEYS:
            near = did_you_mean(head or "", KEYS)
            cure = near or f"Known: {', '.join(KEYS)}."
            self._fault(row.line, f"No fact begins with '{head}'.", cure)
            return None
        for key in row:
            if key != head and key not in KEYS[head]:
                cure = did_you_mean(key, KEYS[head]) or f"Known: {', '.join(sorted(KEYS[head]))}."
                self._fault(row.line_of(key), f"'{head}' has no '{key}'.", cure)
        return head

    def _known(self, row: Table, head: str) -> None:
        """Each concept of a fact exists, and a value is in its unit."""
        if not self.concepts or head not in _ABOUT_CONCEPTS:
            return
        subject = str(row[head])
        for key in (subject, *_list(row.get("also")), *_list(row.get("named"))):
            if key not in self.concepts:
                cure = did_you_mean(key, self.concepts) or "Add it to mappings/concepts.tsv first."
                self._fault(row.line_of(head), f"No concept is called '{key}'.", cure)
        info = self.concepts.get(subject)
        if info is not None and not may_state(head, info):
            says = f"'{subject}' is a {info.domain}, not a {head}."
            self._fault(row.line_of(head), says, f"Write '{info.domain}: {subject}'.")
        drug = str(row.get("drug", ""))
        sure = info is not None and bool(info.drugs) and row.get("verified") != "no"
        if info is not None and sure and drug and drug.casefold() not in info.drugs:
            cure = did_you_mean(drug, info.drugs) or "See mappings/drugs.tsv for its ingredients."
            self._fault(row.line_of("drug"), f"No {info.label} is called '{drug}'.", cure)
        unit = str(row.get("value", "")).rpartition(" ")[2]
        number = str(row.get("value", "")).lstrip("<>=")[:1].isdigit()
        if info is not None and head == "lab" and number and unit not in {info.unit, row["value"]}:
            says = f"{info.label} is held in {info.unit or 'no unit'}, not in {unit!r}."
            self._fault(row.line_of("value"), says, f"Write the value in {info.unit or 'no unit'}.")

    def _patient(self, person: Mapping[str, str]) -> Patient:
        sex = person.get("sex", "female")
        deceased = person.get("deceased") == "yes"
        if "born" in person:
            birth = read_when(person["born"], UTC)
            return Patient("Patient/p", birth, sex, deceased, person["born"])
        if person.get("age") == "unknown":
            return Patient("Patient/p", None, sex, deceased)
        age = person.get("age", "")
        years = int(age) if age.isdecimal() else _DEFAULT_AGE
        born = f"{self.as_of.year - years - 1}-12-31"
        if self.as_of.isoformat()[5:] == "12-31":
            born = f"{self.as_of.year - years}-12-31"
        return Patient("Patient/p", read_when(born, UTC), sex, deceased, born)

    def _when(self, row: Table, key: str, default: str | None = None) -> When | None:
        text = row.get(key, default)
        if text is None:
            return None
        when = read_when(str(text), UTC)
        if when is None:
            says = f"{text!r} is no date."
            self._fault(row.line_of(key), says, "Write it as 2026-03-01, 2026-03 or 2026.")
        return when

    def _result(self, row: Table, number: int) -> Result:
        reference = f"Observation/o{number}"
        gap = row.get("gap")
        self._word(row, "gap", _GAPS, "gap")
        skipped = row.get("skipped")
        text = str(row.get("value", gap or skipped or ""))
        issued = self._when(row, "issued")
        when = None if gap == "date" else self._when(row, "taken", self.as_of.isoformat())
        ranges = self._ranges(row)
        return Result(
            reference,
            when,
            text,
            reading=None if gap or skipped else self._reading(text, row),
            unusable=Gap(gap) if gap in _GAPS else None,
            skipped=str(skipped) if skipped else None,
            issued=None if issued is None else issued.start,
            ranges=ranges,
            has_high=bool(ranges),
        )

    def _reading(self, text: str, row: Table) -> Reading | None:
        if text in _PRESENCE:
            grade = Decimal(0) if text == "negative" else None
            return Reading(grade, grade, presence=_PRESENCE[text])
        if text == "positive without grade":
            return Reading(low=Decimal(1), presence=Truth.MET)
        first, _, rest = text.partition(" ")
        if rest.startswith("to "):
            return Reading(self._number(first, row), self._number(rest.split()[1], row))
        if first[:1] in "<>":
            strict = not first.startswith(("<=", ">="))
            value = self._number(first.lstrip("<>="), row)
            if first.startswith("<"):
                return Reading(high=value, high_open=strict)
            return Reading(low=value, low_open=strict)
        value = self._number(first, row)
        presence = None if not rest.startswith("{plus}") else Truth.MET if value else Truth.NOT_MET
        return Reading(value, value, presence=presence)

    def _number(self, text: str, row: Table) -> Decimal:
        try:
            return Decimal(text)
        except InvalidOperation:
            self._fault(row.line, f"{text!r} is no number.", "Write 'value: 1.5 10*9/L'.")
            return Decimal(0)

    def _ranges(self, row: Table) -> tuple[ReferenceRange, ...]:
        value = row.get("uln")
        if isinstance(value, Items):
            return tuple(self._range(item, row) for item in value if isinstance(item, Table))
        return () if value is None else (ReferenceRange(self._number(str(value).split()[0], row)),)

    def _range(self, item: Table, row: Table) -> ReferenceRange:
        age = {
            key: Age(self._number(str(item[key]), row))
            for key in ("age_from", "age_to")
            if key in item
        }
        high = self._number(str(item.get("high", "")).split(" ")[0], row)
        sex = item.get("sex")
        return ReferenceRange(
            high, None if sex is None else str(sex), age.get("age_from"), age.get("age_to")
        )

    def _condition(self, row: Table, number: int) -> tuple[Condition, Mark]:
        concept = str(row["finding"])
        status = row.get("status")
        self._word(row, "status", filter(None, CLINICAL), "clinical status")
        self._word(row, "verification", DOUBTFUL, "verification that leaves doubt")
        mark, named = _mark(row), frozenset(_list(row.get("named")))
        concepts = frozenset({concept, *_list(row.get("also"))}) | named
        condition = Condition(
            f"Condition/c{number}",
            str(row.get("display", concept.replace("_", " "))),
            CLINICAL.get(status if isinstance(status, str) else None, Clinical.NOT_STATED),
            doubtful=row.get("verification") in DOUBTFUL,
            event=self._when(row, "onset") or self._when(row, "recorded"),
            ended=self._when(row, "ended"),
            concepts=concepts,
            uncertain=named if mark.decides else concepts,
        )
        return condition, mark

    def _procedure(self, row: Table, number: int) -> tuple[Procedure, Mark]:
        concept = str(row["procedure"])
        done = row.get("done")
        dates = [read_when(text, UTC) for text in _list(done)]
        if None in dates:
            says = f"{done!r} is no date."
            self._fault(row.line_of("done"), says, "Write it as 2026-03-01, or [first, last].")
        self._word(row, "status", ("in-progress", "unknown"), "status of a procedure")
        running = row.get("status") == "in-progress" and len(dates) < 2  # noqa: PLR2004
        mark, concepts = _mark(row), frozenset({concept, *_list(row.get("also"))})
        procedure = Procedure(
            f"Procedure/p{number}",
            str(row.get("display", concept.replace("_", " "))),
            start=dates[0] if dates else None,
            end=dates[-1] if dates and not running else None,
            running=running,
            doubtful=row.get("status") == "unknown",
            concepts=concepts,
            uncertain=frozenset() if mark.decides else concepts,
        )
        return procedure, mark

    def _exposure(self, row: Table, number: int) -> tuple[Exposure, Mark]:
        drug = str(row.get("drug", row.get("medication", row.get("unrecognised_drug"))))
        status = str(
            row.get("status", "completed" if "last_taken" in row or "to" in row else "active")
        )
        self._word(row, "status", COURSE, "status of a medication")
        exposure = Exposure(
            f"MedicationStatement/m{number}",
            str(row.get("display", drug)),
            COURSE.get(status, Course.UNCERTAIN),
            start=self._when(row, "from"),
            end=self._when(row, "last_taken") or self._when(row, "to"),
            assumed_end=self._when(row, "supply_until"),
            local=row.get("local") == "yes",
            flush=row.get("flush") == "yes",
            route_stated=row.get("route") != "not recorded",
            recognised="unrecognised_drug" not in row,
        )
        mark = _mark(row)
        return exposure, Mark(mark.decides, mark.history, drug)


def may_state(head: str, info: ConceptInfo) -> bool:
    """Whether a fact with this head may be about the concept: its codes arrive in such entries."""
    kind = {"finding": "Condition", "procedure": "Procedure"}.get(head, "")
    return info.domain in DOMAINS[head] or kind in info.types


def _mark(row: Table) -> Mark:
    return Mark(decides=row.get("verified") != "no", history=row.get("history") == "yes")


def _list(value: Value) -> list[str]:
    if isinstance(value, Items):
        return [str(item) for item in value]
    return [] if value is None else [str(value)]
