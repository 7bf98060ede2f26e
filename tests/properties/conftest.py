"""Charts for the properties: an invented patient, with entries that nobody wrote by hand.

A property is drawn from `charts`, changes the chart's JSON, and compares what both trials say.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import pytest
import yaml
from hypothesis import strategies as st

from cds.assess import Content, assess, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.when import Evaluation
from cds.fhir.record import record_from_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from cds.core.assessment import Assessment

Json: TypeAlias = dict[str, Any]
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_URI = {
    "SNOMED CT": "http://snomed.info/sct",
    "ICD-10-CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD-10-PCS": "http://www.cms.gov/Medicare/Coding/ICD10",
    "ICD-O-3": "http://terminology.hl7.org/CodeSystem/icd-o-3",
}
_COPIES = 3
"""A story is drawn three times as often as the bare one, because more can go wrong in it."""


@dataclass(frozen=True)
class Chart:
    """A patient's Bundle as plain JSON (numbers exact), and the day that is asked about.

    The first `written` entries are those of the story on disk.
    """

    story: str
    patient: str
    day: date
    entries: tuple[Any, ...]
    written: int

    def __repr__(self) -> str:
        """Only what was added: the story lies in its folder."""
        return f"{self.story} on {self.day} with {self.entries[self.written :]}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - hypothesis asks so
        """What hypothesis prints of a counterexample."""
        printer.text("a chart" if cycle else repr(self))

    @property
    def data(self) -> bytes:
        """The Bundle as bytes."""
        return bundle_of(self.entries)

    def having(self, entries: Sequence[Any]) -> Chart:
        """The same patient with other entries."""
        return replace(self, entries=tuple(entries))

    def plus(self, *resources: Any) -> Chart:
        """The chart with further resources at its end."""
        return self.having((*self.entries, *({"resource": one} for one in resources)))


class Told(tuple[Chart, ...]):
    """Charts that hypothesis need not print in full."""

    __slots__ = ()

    def __repr__(self) -> str:
        """How many there are."""
        return f"{len(self)} charts"


def bundle_of(entries: Sequence[Any], **more: Any) -> bytes:
    """A Bundle of these entries."""
    return _ENCODER.encode(
        {"resourceType": "Bundle", "type": "collection", "entry": list(entries), **more}
    )


def _stories() -> Iterator[Chart]:
    for path in sorted(bundled_fixtures().glob("*/story.yaml")):
        told = yaml.safe_load(path.read_text("utf-8"))
        text = (path.parent / "bundle.json").read_text("utf-8")
        entries = tuple(json.loads(text, parse_float=Decimal)["entry"])
        day = date.fromisoformat(told["day"])
        yield Chart(path.parent.name, told["patient"], day, entries, len(entries))


Sets: TypeAlias = list[list[dict[str, str]]]


def _by_set(rows: Sequence[dict[str, str]]) -> Sets:
    """The rows of each set: drawn set by set, so that a large one does not hide the others."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(row["set"], []).append(row)
    return list(found.values())


def _rows(name: str) -> list[dict[str, str]]:
    text = (bundled_content() / "mappings" / name).read_text("utf-8").splitlines()
    lines = [line for line in text if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


_SINGLE = frozenset({"exact", "descendants"})
_CONDITIONS = _by_set([row for row in _rows("conditions.tsv") if row["match"] in _SINGLE])
_PROCEDURES = _by_set(
    [row for row in _rows("procedures.tsv") if row["match"] in _SINGLE and row["system"] in _URI]
)
_DRUGS = _by_set([row for row in _rows("drugs.tsv") if row["set"] != "other"])
_LABS = [
    {**lab, "code": code["code"]}
    for lab in yaml.safe_load((bundled_content() / "mappings/labs.yaml").read_text()).values()
    for code in lab["loinc"]
    if code["role"] == "primary" and "plausible" in lab
]


@st.composite
def dates(draw: DrawFn, day: date, *, exact: bool = False) -> str:
    """A date on or before the day: mostly near it, to the day, or known in part only."""
    ago = draw(st.one_of(st.integers(0, 45), st.integers(0, 800)))
    text = (day - timedelta(days=ago)).isoformat()
    shape = 9 if exact else draw(st.integers(0, 9))
    if shape == 0:
        return text[:4]
    return text[:7] if shape == 1 else text


@st.composite
def _row(draw: DrawFn, sets: Sets) -> dict[str, str]:
    rows = sets[draw(st.integers(0, len(sets) - 1))]
    return rows[draw(st.integers(0, len(rows) - 1))]


@st.composite
def _coded(draw: DrawFn, sets: Sets) -> Json:
    row = draw(_row(sets))
    coding = [{"system": _URI[row["system"]], "code": row["code"]}]
    shape = draw(st.integers(0, 9))
    if shape == 0:
        return {"text": row["meaning"]}
    if shape == 1:  # the words of one set beside the code of another
        return {"coding": coding, "text": draw(_row(sets))["meaning"]}
    return {"coding": coding}


def _maybe(draw: DrawFn, resource: Json, name: str, values: SearchStrategy[Any]) -> None:
    if draw(st.booleans()):
        resource[name] = draw(values)


@st.composite
def _condition(draw: DrawFn, day: date, *, exact: bool) -> Json:
    status = st.sampled_from(["active", "recurrence", "inactive", "resolved", "remission"])
    verified = st.sampled_from(["confirmed", "provisional", "refuted", "unconfirmed"])
    made: Json = {"resourceType": "Condition", "code": draw(_coded(_CONDITIONS))}
    when = dates(day, exact=exact)
    _maybe(draw, made, "clinicalStatus", status.map(lambda code: {"coding": [{"code": code}]}))
    _maybe(draw, made, "verificationStatus", verified.map(lambda c: {"coding": [{"code": c}]}))
    _maybe(draw, made, "onsetDateTime", when)
    _maybe(draw, made, "recordedDate", when)
    _maybe(draw, made, "abatementDateTime", when)
    return made


@st.composite
def _procedure(draw: DrawFn, day: date, *, exact: bool) -> Json:
    status = st.sampled_from(["completed", "in-progress", "stopped", "not-done", "unknown"])
    made: Json = {"resourceType": "Procedure", "code": draw(_coded(_PROCEDURES))}
    made["status"] = draw(status)
    _maybe(draw, made, "performedDateTime", dates(day, exact=exact))
    return made


_DRUG_STATUS = {
    "MedicationStatement": ["active", "completed", "stopped", "on-hold", "unknown", "not-taken"],
    "MedicationRequest": ["active", "completed", "stopped", "on-hold", "cancelled", "draft"],
    "MedicationAdministration": ["in-progress", "completed", "stopped", "not-done"],
}


@st.composite
def _medication(draw: DrawFn, day: date, *, exact: bool) -> Json:
    kind = draw(st.sampled_from(sorted(_DRUG_STATUS)))
    drug = draw(_row(_DRUGS))
    coding = [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": drug["rxcui"]}]
    code: Json = {"coding": coding} if drug["rxcui"] else {"text": drug["ingredient"]}
    if draw(st.integers(0, 9)) == 0:
        code = {"text": "blue drops from the market"}
    made: Json = {"resourceType": kind, "medicationCodeableConcept": code}
    made["status"] = draw(st.sampled_from(_DRUG_STATUS[kind]))
    if kind == "MedicationRequest":
        made["intent"] = "order"
        _maybe(draw, made, "authoredOn", dates(day, exact=exact))
        supply = st.integers(1, 90).map(lambda n: {"value": n, "system": _UCUM, "code": "d"})
        supplied = supply.map(lambda quantity: {"expectedSupplyDuration": quantity})
        _maybe(draw, made, "dispenseRequest", supplied)
    elif draw(st.booleans()):
        made["effectiveDateTime"] = draw(dates(day, exact=exact))
    else:
        ends = sorted(draw(st.lists(dates(day, exact=True), min_size=2, max_size=2)))
        kept = draw(st.sampled_from([("start",), ("end",), ("start", "end")]))
        both = dict(zip(("start", "end"), ends, strict=True))
        made["effectivePeriod"] = {name: both[name] for name in kept}
    return made


_UCUM = "http://unitsofmeasure.org"


@st.composite
def _observation(draw: DrawFn, day: date, *, exact: bool) -> Json:
    lab = _LABS[draw(st.integers(0, len(_LABS) - 1))]
    low, high = (Decimal(bound) for bound in lab["plausible"])
    value = draw(st.decimals(low, high, places=1, allow_nan=False))
    made: Json = {
        "resourceType": "Observation",
        "status": draw(st.sampled_from(["final", "amended", "preliminary", "cancelled"])),
        "category": [{"coding": [{"code": lab["category"]}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": lab["code"]}]},
        "valueQuantity": {"value": value, "system": _UCUM, "code": lab["unit"]},
        "effectiveDateTime": draw(dates(day, exact=exact)),
    }
    ranged = st.decimals(low, high, places=1, allow_nan=False)
    limits = ranged.map(lambda most: [{"high": {**made["valueQuantity"], "value": most}}])
    _maybe(draw, made, "referenceRange", limits)
    return made


@st.composite
def _charts(draw: DrawFn, told: Told, *, exact: bool = False) -> Chart:
    chart = told[draw(st.integers(0, len(told) - 1))]
    kinds = [
        make(chart.day, exact=exact)
        for make in (_condition, _procedure, _medication, _medication, _observation)
    ]
    extras = draw(st.lists(st.one_of(kinds), max_size=4))
    for number, extra in enumerate(extras):
        extra["id"] = f"extra-{number}"
        extra["subject"] = {"reference": f"Patient/{chart.patient}"}
    return chart.plus(*extras)


@pytest.fixture(scope="session")
def content() -> Content:
    """Both trials and all mappings."""
    return load_content([bundled_content()])


@pytest.fixture(scope="session")
def told() -> Told:
    """The invented patients, those with much in their chart more often than the bare one."""
    every = tuple(_stories())
    return Told(one for one in every for _ in range(_COPIES if len(one.entries) > _COPIES else 1))


@pytest.fixture(scope="session")
def charts(told: Told) -> SearchStrategy[Chart]:
    """An invented patient with up to four more entries of any kind and date."""
    return _charts(told)


@pytest.fixture(scope="session")
def dated_charts(told: Told) -> SearchStrategy[Chart]:
    """The same, every added date known to the day."""
    return _charts(told, exact=True)


@pytest.fixture(scope="session")
def assessed(content: Content) -> Callable[..., Assessment]:
    """What `evaluate FILE` says of a chart, on its own day or another."""

    def assessed(chart: Chart, on: date | None = None) -> Assessment:
        return assess(record_from_bundle(chart.data), content, Evaluation.of(on or chart.day))

    return assessed


def _verdict(assessment: Assessment) -> dict[str, Any]:
    """What a change must not touch: each status, each overall, each day of clearing."""
    found: dict[str, Any] = {}
    for one in assessment.determinations:
        found[one.trial.id] = (one.overall.value, one.clears_on)
        for decision in one.decisions:
            key = f"{one.trial.id} {decision.criterion.id}"
            found[key] = (decision.status.value, decision.clears_on)
    return found


@pytest.fixture(scope="session")
def changes() -> Callable[[Assessment, Assessment], dict[str, Any]]:
    """What two assessments say differently: by trial or criterion, before and after."""

    def changes(before: Assessment, after: Assessment) -> dict[str, Any]:
        one, other = _verdict(before), _verdict(after)
        return {
            key: (one.get(key), other.get(key))
            for key in one | other
            if one.get(key) != other.get(key)
        }

    return changes


@pytest.fixture(scope="session")
def bundled() -> Callable[..., bytes]:
    """Makes a Bundle of entries."""
    return bundle_of
