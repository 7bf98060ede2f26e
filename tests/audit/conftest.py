"""Charts written in a few words, changed one thing at a time, and the status that must follow.

Each table row is (promise, trial, criterion, status that the documents demand, changes). A change
is a resource: ("lab", "anc", 1.2), or ("without", "anc"). The promise stands in the words of a
person who reads the chart.
"""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from cds.assess import Content, assess, load_content
from cds.content.bundled import bundled_content
from cds.core.assessment import assessment_json
from cds.core.when import Evaluation
from cds.fhir.record import record_from_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
DESMOID, RMS = "NCT05490667", "NCT07137884"
SYSTEMS = {
    "loinc": "http://loinc.org",
    "icd": "http://hl7.org/fhir/sid/icd-10-cm",
    "icd-who": "http://hl7.org/fhir/sid/icd-10",
    "snomed": "http://snomed.info/sct",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "atc": "http://www.whocc.no/atc",
    "pcs": "http://www.cms.gov/Medicare/Coding/ICD10",
}
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
# key: LOINC code, a value that passes, unit, upper limit of normal
LABS: dict[str, tuple[str, float, str, float | None]] = {
    "hb": ("718-7", 130, "g/L", None),
    "anc": ("751-8", 3.0, "10*9/L", None),
    "plt": ("777-3", 200, "10*9/L", None),
    "cr": ("14682-9", 60, "umol/L", 100),
    "bun": ("14937-7", 4, "mmol/L", 8),
    "bil": ("14631-6", 8, "umol/L", 20),
    "ast": ("1920-8", 20, "U/L", 40),
    "alt": ("1742-6", 20, "U/L", 40),
    "alb": ("1751-7", 42, "g/L", None),
    "pt": ("5902-2", 12, "s", 14),
    "aptt": ("14979-9", 30, "s", 36),
    "lvef": ("10230-1", 60, "%", None),
    "qtc": ("76634-5", 410, "ms", None),
    "fbg": ("14771-0", 5, "mmol/L", None),
    "tsh": ("3016-3", 2, "m[IU]/L", None),
    "inr": ("6301-6", 1.0, "{INR}", None),
    "sbp": ("8480-6", 110, "mm[Hg]", None),
    "dbp": ("8462-4", 70, "mm[Hg]", None),
    "ecog": ("89247-1", 1, "{score}", None),
    "u24": ("2889-4", 0.1, "g/(24.h)", None),
    "dna": ("42595-9", 10, "[IU]/mL", 20),
}
ORDERED = ("u24", "dna")
"""Not part of a ready chart."""


def coded(system: str, code: str, text: str | None = None) -> Json:
    """A CodeableConcept of one coding; `system` is a short name or a URI."""
    out: Json = {"coding": [{"system": SYSTEMS.get(system, system), "code": code}]}
    return {**out, "text": text} if text else out


def lab(key: str, value: float | None = None, unit: str | None = None, **fields: Any) -> Json:
    """One result; `as_` keeps the chart's own beside it, `loinc`, `high` and `on` replace."""
    loinc, usual, own_unit, high = LABS[key]
    unit = unit or own_unit
    high = fields.pop("high", high)
    made: Json = {
        "resourceType": "Observation",
        "id": fields.pop("as_", key),
        "status": "final",
        "code": coded("loinc", fields.pop("loinc", loinc)),
        "effectiveDateTime": fields.pop("on", "2026-02-20"),
    }
    if not any(name.startswith("value") for name in fields):
        amount = usual if value is None else value
        made["valueQuantity"] = {"value": amount, "unit": unit, "code": unit} | {
            "system": "http://unitsofmeasure.org"
        }
    if high is not None and "referenceRange" not in fields:
        made["referenceRange"] = [{"high": {"value": high, "unit": unit}}]
    return {**made, **fields}


def result(loinc: str, value: Any, **fields: Any) -> Json:
    """One result in words, as a code or as a whole number."""
    kind = {str: "valueString", int: "valueInteger", bool: "valueBoolean"}.get(type(value))
    return {
        "resourceType": "Observation",
        "id": fields.pop("as_", loinc),
        "status": "final",
        "code": coded("loinc", loinc),
        "effectiveDateTime": fields.pop("on", "2026-02-20"),
        kind or "valueCodeableConcept": value,
        **fields,
    }


def condition(system: str, code: str, **fields: Any) -> Json:
    """One entry of the problem list; active and confirmed where nothing else is said."""
    clinical = fields.pop("clinical", "active")
    verified = fields.pop("verified", "confirmed")
    made: Json = {
        "resourceType": "Condition",
        "id": fields.pop("as_", "c"),
        "code": {"text": code} if system == "text" else coded(system, code),
        "verificationStatus": coded(VERIFICATION, verified),
        **({"clinicalStatus": coded(CLINICAL, clinical)} if clinical else {}),
    }
    for ours, theirs in (("onset", "onsetDateTime"), ("ended", "abatementDateTime")):
        if ours in fields:
            made[theirs] = fields.pop(ours)
    return {**made, **fields}


def drug(system: str, code: str) -> Json:
    """A drug by code, or by its text alone."""
    return {"text": code} if system == "text" else coded(system, code)


def took(system: str, code: str, status: str = "active", **fields: Any) -> Json:
    """A MedicationStatement with `start`, `end` and `route`."""
    made: Json = {
        "resourceType": "MedicationStatement",
        "id": fields.pop("as_", "m"),
        "status": status,
        "medicationCodeableConcept": drug(system, code),
    }
    period = {name: fields.pop(name) for name in ("start", "end") if name in fields}
    if period:
        made["effectivePeriod"] = period
    if "route" in fields:
        made["dosage"] = [{"route": {"text": fields.pop("route")}}]
    return {**made, **fields}


def ordered(system: str, code: str, status: str = "active", **fields: Any) -> Json:
    """A MedicationRequest."""
    return {
        "resourceType": "MedicationRequest",
        "id": "r",
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": drug(system, code),
        **fields,
    }


def given(system: str, code: str, on: str) -> Json:
    """A MedicationAdministration."""
    return {
        "resourceType": "MedicationAdministration",
        "id": "a",
        "status": "completed",
        "medicationCodeableConcept": drug(system, code),
        "effectiveDateTime": on,
    }


def procedure(system: str, code: str, on: str | None, status: str = "completed", **f: Any) -> Json:
    """A Procedure."""
    return {
        "resourceType": "Procedure",
        "id": "p",
        "status": status,
        "code": {"text": code} if system == "text" else coded(system, code),
        **({"performedDateTime": on} if on else {}),
        **f,
    }


def person(birth: str | None, gender: str | None, **fields: Any) -> Json:
    """The patient."""
    known = {"birthDate": birth, "gender": gender}
    return {"resourceType": "Patient", "id": "p1", **{k: v for k, v in known.items() if v}} | fields


BUILDERS: dict[str, Callable[..., Json]] = {
    "lab": lab,
    "result": result,
    "condition": condition,
    "took": took,
    "ordered": ordered,
    "given": given,
    "procedure": procedure,
    "person": person,
}


def built(change: tuple[Any, ...]) -> Json:
    """A change as a resource; a dict at its end holds what is said by name."""
    name, *words = change
    named = words.pop() if words and isinstance(words[-1], dict) and name != "result" else {}
    if name == "result" and len(words) > 2:
        named = words.pop()
    return BUILDERS[name](*words, **named)


def ready(trial: str) -> dict[str, Json]:
    """A chart in which everything passes or is for a human, by resource id."""
    made = [lab(key) for key in LABS if key not in ORDERED]
    made.append(result("20454-5", "negative", as_="dip"))
    if trial == DESMOID:
        made += [person("1991-07-19", "female"), condition("icd", "D48.113", as_="dx")]
    else:
        made += [
            person("2014-05-05", "male"),
            condition("snomed", "302847003", as_="dx", clinical="remission"),
            result("5196-1", "negative", as_="hbs"),
            result("13955-0", "negative", as_="hcv"),
            result("56888-1", "negative", as_="hiv"),
        ]
    return {one["id"]: one for one in made}


def chart_of(trial: str, *changes: tuple[Any, ...]) -> list[Json]:
    """The resources of a ready chart after the changes."""
    held = ready(trial)
    for change in changes:
        if change[0] == "without":
            del held[change[1]]
        else:
            one = built(change)
            held[one["id"]] = one
    mine = {"reference": "Patient/p1"}
    return [
        one if one["resourceType"] == "Patient" else {"subject": mine, **one}
        for one in held.values()
    ]


@pytest.fixture(scope="session")
def content() -> Content:
    """Both trials and all mappings."""
    return load_content([bundled_content()])


@pytest.fixture(scope="session")
def chart() -> Callable[..., list[Json]]:
    """The resources of a ready chart after changes."""
    return chart_of


@pytest.fixture(scope="session")
def said(content: Content) -> Callable[..., Json]:
    """What `evaluate --format json` says of a chart after changes."""

    def said(trial: str, *changes: tuple[Any, ...], on: str = "2026-03-01") -> Json:
        entries = [{"resource": one} for one in chart_of(trial, *changes)]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        record = record_from_bundle(json.dumps(bundle).encode())
        return assessment_json(assess(record, content, Evaluation.of(date.fromisoformat(on))))

    return said


@pytest.fixture(scope="session")
def decided(said: Callable[..., Json]) -> Callable[..., Json]:
    """What is said of one criterion."""

    def decided(trial: str, criterion: str, *changes: tuple[Any, ...], **how: Any) -> Json:
        (of_trial,) = (t for t in said(trial, *changes, **how)["trials"] if t["trial"] == trial)
        (found,) = (c for c in of_trial["criteria"] if c["id"] == criterion)
        return dict(found)

    return decided


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `row` runs once for each row of its module's TABLE."""
    if "row" in metafunc.fixturenames:
        table = metafunc.module.TABLE
        metafunc.parametrize("row", table, ids=[" ".join(one[:3]) for one in table])
