"""The benchmark patient: one invented chart of any size as a patient-view request.

    python -m tests.benchmarks.patient --number 1 > request.json

391 resources at scale 1: the Patient, 30 Conditions, 300 Observations, 40 MedicationStatements and
20 Procedures, each as wordy as an EHR sends it. The patient is fifteen, has the diagnosis of both
trials (one of them long resolved, which the other trial allows) and nothing that speaks against
either, so that each trial gives a card and evaluates every criterion. There are as many such
patients as one wants, each with a number; a number always gives the same chart.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.benchmarks.charts import DAY, DESMOID, PRESENCE, RHABDOMYOSARCOMA, TESTS, Test

if TYPE_CHECKING:
    from collections.abc import Sequence

Named: TypeAlias = tuple[str, str, str]
BOTH = (DESMOID, RHABDOMYOSARCOMA)
BORN = date(2010, 7, 14)
_LOINC = "http://loinc.org"
_SNOMED = "http://snomed.info/sct"
_ICD = "http://hl7.org/fhir/sid/icd-10-cm"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_UCUM = "http://unitsofmeasure.org"
_TERMS = "http://terminology.hl7.org/CodeSystem"
_OTHER_UNITS = {"10*3/uL": ("10*9/L", 1.0), "g/dL": ("g/L", 10.0)}
_PROBLEMS = (
    ("271737000", "Anemia", "D64.9"),
    ("422587007", "Nausea", "R11.0"),
    ("195662009", "Acute viral pharyngitis", "J02.9"),
    ("10509002", "Acute bronchitis", "J20.9"),
    ("444814009", "Viral sinusitis", "J01.90"),
    ("65363002", "Otitis media", "H66.90"),
)
_DRUGS = (
    ("161", "acetaminophen"),
    ("26225", "ondansetron"),
    ("7646", "omeprazole"),
    ("5640", "ibuprofen"),
    ("6809", "metformin"),
)
_OLD_DRUGS = (("21212", "clarithromycin"), ("11202", "vincristine"))
_PROCEDURES = (
    ("77477000", "Computed tomography"),
    ("113091000", "Magnetic resonance imaging"),
    ("86273004", "Biopsy"),
)
_KEYS = {
    "conditions": "Condition",
    "labs": "Observation",
    "vitals": "Observation",
    "exam": "Observation",
    "survey": "Observation",
    "social": "Observation",
    "medreq": "MedicationRequest",
    "medstmt": "MedicationStatement",
    "medadmin": "MedicationAdministration",
    "procedures": "Procedure",
}
_CATEGORIES = {
    "labs": "laboratory",
    "vitals": "vital-signs",
    "exam": "exam",
    "survey": "survey",
    "social": "social-history",
}


def request(
    number: int = 1, *, scale: int = 1, dirty: float = 0.0, targets: Sequence[Named] = BOTH
) -> dict[str, Any]:
    """The request of one of many such patients, as plain data.

    Patients differ in ids, dates, values and drugs. `dirty` is the share of entries with a field of
    a wrong type. `targets` are the trials' diagnoses that the chart holds.
    """
    who = f"p{number}"
    chart = _chart(number, scale, targets)
    resources = [one for held in chart.values() for one in held]
    for one in resources:
        one["id"] = f"{who}-{one['id']}"
        one["subject"] = {"reference": f"Patient/{who}", "display": "Invented, Sam"}
    if dirty:
        _spoil(resources, dirty)
    prefetch: dict[str, Any] = {"patient": _patient(who)}
    for key, kind in _KEYS.items():
        prefetch[key] = _bundle(who, key, kind, chart.get(key, []))
    return {
        "hook": "patient-view",
        "hookInstance": "4c7f4a9e-5d2b-4f6e-9a55-1d8a35b8c001",
        "fhirServer": "https://ehr.example.org/r4",
        "context": {"userId": "Practitioner/dr1", "patientId": who},
        "prefetch": prefetch,
    }


def body(number: int = 1, **more: Any) -> bytes:
    """The request as it is sent: compact JSON."""
    return json.dumps(request(number, **more), separators=(",", ":")).encode()


def bodies(count: int, **more: Any) -> list[bytes]:
    """The requests of so many patients: nobody opens the same chart all day."""
    return [body(number, **more) for number in range(1, count + 1)]


def bundle_of(made: dict[str, Any]) -> dict[str, Any]:
    """The same chart as one Bundle, as `trial-cds evaluate` reads it."""
    prefetch = made["prefetch"]
    entries = [{"resource": prefetch["patient"]}]
    entries += [entry for key in _KEYS for entry in prefetch[key]["entry"]]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _bundle(who: str, key: str, kind: str, resources: list[dict[str, Any]]) -> dict[str, Any]:
    base = "https://ehr.example.org/r4"
    category = f"&category={_CATEGORIES[key]}" if key in _CATEGORIES else ""
    return {
        "resourceType": "Bundle",
        "id": f"search-{key}",
        "type": "searchset",
        "total": len(resources),
        "link": [{"relation": "self", "url": f"{base}/{kind}?patient={who}{category}"}],
        "entry": [
            {
                "fullUrl": f"{base}/{kind}/{one['id']}",
                "resource": one,
                "search": {"mode": "match"},
            }
            for one in resources
        ],
    }


def _chart(number: int, scale: int, targets: Sequence[Named]) -> dict[str, list[dict[str, Any]]]:
    """The resources by prefetch key."""
    draw = random.Random(f"patient {number}")  # noqa: S311 - a seeded draw is the point
    found: dict[str, list[dict[str, Any]]] = {}
    answered = [_presence(draw, n, *test) for n, test in enumerate(PRESENCE)]
    found["labs"] = answered
    for place in range(300 * scale - len(answered)):
        test = TESTS[place % len(TESTS)]
        # The first of each test is recent and in order; the others are older and may be anything.
        first = place < len(TESTS)
        back = 2 + place % 19 if first else draw.randint(21, 900)
        value = test.mean if first else max(0.05, draw.gauss(test.mean, test.spread))
        made = _observation(draw, place, test, round(value, 2), back)
        key = next(k for k, category in _CATEGORIES.items() if category == test.category)
        found.setdefault(key, []).append(made)
    problems = [*targets, *draw.choices(_PROBLEMS, k=30 * scale - len(targets))]
    found["conditions"] = [_condition(draw, n, row) for n, row in enumerate(problems)]
    found["medstmt"] = [_statement(draw, n) for n in range(40 * scale)]
    found["procedures"] = [_procedure(draw, n) for n in range(20 * scale)]
    return found


def _patient(who: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": who,
        "meta": {"versionId": "3", "lastUpdated": "2026-02-01T08:15:42.113+00:00"},
        "identifier": [{"use": "usual", "system": "urn:oid:2.999.1", "value": "00004711"}],
        "active": True,
        "name": [{"use": "official", "family": "Invented", "given": ["Sam"]}],
        "telecom": [{"system": "phone", "value": "555-0100", "use": "home"}],
        "gender": "female",
        "birthDate": BORN.isoformat(),
        "address": [{"line": ["1 Example Way"], "city": "Exampleton", "country": "XX"}],
    }


def _meta(draw: random.Random, day: str) -> dict[str, Any]:
    return {
        "versionId": str(draw.randint(1, 4)),
        "lastUpdated": f"{day}T09:15:42.113+00:00",
        "source": f"#{draw.getrandbits(64):016x}",
        "profile": ["http://hl7.org/fhir/StructureDefinition/example-profile"],
    }


def _day(back: int) -> str:
    return (DAY - timedelta(days=back)).isoformat()


def _coded(text: str, *codings: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "coding": [{"system": s, "code": c, "display": d} for s, c, d in codings],
        "text": text,
    }


def _one(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{_TERMS}/{system}", "code": code, "display": display}]}


def _observation(
    draw: random.Random, number: int, test: Test, value: float, back: int
) -> dict[str, Any]:
    day, unit, factor = _day(back), test.unit, 1.0
    if unit in _OTHER_UNITS and draw.random() < 0.3:
        unit, factor = _OTHER_UNITS[unit]
    number_said = round(value * factor) if unit == "{score}" else round(value * factor, 2)
    quantity = {"unit": unit, "system": _UCUM, "code": unit}
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": f"o{number}",
        "meta": _meta(draw, day),
        "status": "final" if back < 21 or draw.random() < 0.95 else "preliminary",
        "category": [_one("observation-category", test.category, test.category)],
        "code": _coded(
            test.name,
            (_LOINC, test.code, test.name),
            ("urn:oid:2.999.8.1", f"LAB{number % 97}", test.name[:20]),
        ),
        "encounter": {"reference": f"Encounter/e{number // 12}"},
        "effectiveDateTime": f"{day}T{7 + number % 12:02}:{draw.randrange(60):02}:00+00:00",
        "issued": f"{day}T{8 + number % 12:02}:02:11.000+00:00",
        "performer": [{"reference": "Organization/lab-1", "display": "Main laboratory"}],
        "valueQuantity": {"value": number_said, **quantity},
    }
    if test.high is not None and test.low is not None:
        low, high = round(test.low * factor, 2), round(test.high * factor, 2)
        made["interpretation"] = [_one("v3-ObservationInterpretation", "N", "Normal")]
        made["referenceRange"] = [
            {
                "low": {"value": low, **quantity},
                "high": {"value": high, **quantity},
                "text": f"{low:g} - {high:g} {unit}",
            }
        ]
    return made


def _presence(draw: random.Random, number: int, code: str, name: str) -> dict[str, Any]:
    day = _day(3 + number)
    return {
        "resourceType": "Observation",
        "id": f"a{number}",
        "meta": _meta(draw, day),
        "status": "final",
        "category": [_one("observation-category", "laboratory", "laboratory")],
        "code": _coded(name, (_LOINC, code, name)),
        "effectiveDateTime": f"{day}T08:30:00+00:00",
        "valueCodeableConcept": _coded("Negative", (_SNOMED, "260385009", "Negative")),
    }


def _condition(draw: random.Random, number: int, row: tuple[str, str, str]) -> dict[str, Any]:
    snomed, display, icd = row
    day = _day(draw.randint(10, 2000))
    status = draw.choice(["active", "active", "resolved"])
    dated: dict[str, Any] = {"onsetDateTime": f"{day}T00:00:00+00:00", "recordedDate": day}
    if row == DESMOID:
        status = "active"
    elif row == RHABDOMYOSARCOMA:
        status = "resolved"
        dated = {"onsetDateTime": "2016-05-02", "abatementDateTime": "2018-03-09"}
    return {
        "resourceType": "Condition",
        "id": f"c{number}",
        "meta": _meta(draw, day),
        "clinicalStatus": _one("condition-clinical", status, status.title()),
        "verificationStatus": _one("condition-ver-status", "confirmed", "Confirmed"),
        "category": [_one("condition-category", "problem-list-item", "Problem List Item")],
        "code": _coded(display, (_SNOMED, snomed, display), (_ICD, icd, display)),
        "encounter": {"reference": f"Encounter/e{number}"},
        **dated,
    }


def _statement(draw: random.Random, number: int) -> dict[str, Any]:
    # Every twentieth is a drug that a criterion asks about, long washed out.
    old = number % 20 == 0
    code, display = draw.choice(_OLD_DRUGS if old else _DRUGS)
    back = draw.randint(300, 900) if old else draw.randint(1, 700)
    start, end = _day(back), _day(max(1, back - draw.randint(1, 60)))
    return {
        "resourceType": "MedicationStatement",
        "id": f"m{number}",
        "meta": _meta(draw, start),
        "status": "completed" if old else draw.choice(["completed", "active", "stopped"]),
        "medicationCodeableConcept": _coded(display, (_RXNORM, code, display)),
        "effectivePeriod": {"start": start, "end": end},
        "dateAsserted": start,
        "dosage": [
            {
                "text": "1 tablet twice daily",
                "route": {"coding": [{"system": _SNOMED, "code": "26643006", "display": "Oral"}]},
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet", "code": "{tbl}"}}],
            }
        ],
    }


def _procedure(draw: random.Random, number: int) -> dict[str, Any]:
    code, display = draw.choice(_PROCEDURES)
    day = _day(draw.randint(35, 900))
    return {
        "resourceType": "Procedure",
        "id": f"p{number}",
        "meta": _meta(draw, day),
        "status": "completed",
        "code": _coded(display, (_SNOMED, code, display)),
        "performedPeriod": {"start": f"{day}T09:00:00+00:00", "end": f"{day}T10:00:00+00:00"},
    }


def _spoil(resources: list[dict[str, Any]], share: float) -> None:
    """Give every so-manieth resource one field that no decoder of its type accepts."""
    faults: tuple[tuple[str, Any], ...] = (
        ("status", 7),
        ("valueQuantity", "see report"),
        ("code", {"coding": "unknown", "text": "x"}),
        ("subject", "Patient/p1"),
        ("meta", 3),
    )
    step = round(1 / share)
    for number, resource in enumerate(resources[step // 2 :: step]):
        name, value = faults[number % len(faults)]
        resource[name] = value


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description="Write the benchmark patient's request.")
    asked.add_argument("--number", type=int, default=1)
    asked.add_argument("--scale", type=int, default=1)
    asked.add_argument("--dirty", type=float, default=0.0)
    given = asked.parse_args()
    sys.stdout.buffer.write(body(given.number, scale=given.scale, dirty=given.dirty))
