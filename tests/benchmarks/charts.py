"""A seeded generator of invented charts as a bulk export.

    python -m tests.benchmarks.charts 10000 export --seed 7

Every chart depends on the seed and its own number alone: the first 1,000 of 10,000 charts are the
1,000 charts. Some have a target diagnosis, some an unspecific one, most have neither. Results are
usually in order, sometimes old, missing, in another unit or without a unit that anybody knows.
"""

from __future__ import annotations

import argparse
import json
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

DAY = date(2026, 3, 1)
"""The day for which the charts are made."""

_LOINC = "http://loinc.org"
_SNOMED = "http://snomed.info/sct"
_ICD = "http://hl7.org/fhir/sid/icd-10-cm"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_UCUM = "http://unitsofmeasure.org"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


class Test(NamedTuple):
    """A kind of result: its code, unit, reference range and what is drawn."""

    code: str
    name: str
    unit: str
    low: float | None
    high: float | None
    mean: float
    spread: float
    category: str = "laboratory"


TESTS = (
    Test("751-8", "Neutrophils", "10*3/uL", 1.8, 7.5, 3.6, 1.3),
    Test("777-3", "Platelets", "10*3/uL", 150, 400, 230, 70),
    Test("718-7", "Hemoglobin", "g/dL", 11.5, 15.5, 12.2, 1.5),
    Test("2160-0", "Creatinine", "mg/dL", 0.5, 1.1, 0.8, 0.2),
    Test("1742-6", "ALT", "U/L", 7, 40, 30, 18),
    Test("1920-8", "AST", "U/L", 8, 40, 28, 15),
    Test("1975-2", "Bilirubin total", "mg/dL", 0.1, 1.2, 0.6, 0.3),
    Test("3094-0", "Urea nitrogen", "mg/dL", 7, 20, 13, 4),
    Test("1751-7", "Albumin", "g/dL", 3.5, 5.2, 4.1, 0.4),
    Test("6301-6", "INR", "{INR}", 0.8, 1.2, 1.05, 0.15),
    Test("5902-2", "Prothrombin time", "s", 11, 13.5, 12.2, 0.8),
    Test("14979-9", "aPTT", "s", 25, 36, 30, 3),
    Test("3016-3", "TSH", "m[IU]/L", 0.4, 4.2, 2.1, 0.9),
    Test("1558-6", "Fasting glucose", "mg/dL", 70, 100, 92, 14),
    Test("8480-6", "Systolic blood pressure", "mm[Hg]", None, None, 121, 13, "vital-signs"),
    Test("8462-4", "Diastolic blood pressure", "mm[Hg]", None, None, 76, 9, "vital-signs"),
    Test("10230-1", "LVEF", "%", None, None, 61, 5, "exam"),
    Test("76634-5", "QTc Fridericia", "ms", None, None, 415, 22, "exam"),
    Test("89247-1", "ECOG", "{score}", None, None, 0.8, 0.7, "survey"),
    # Results that no criterion reads.
    Test("6690-2", "Leukocytes", "10*3/uL", 4.5, 11, 6.8, 2),
    Test("2951-2", "Sodium", "mmol/L", 136, 145, 140, 2),
    Test("2823-3", "Potassium", "mmol/L", 3.5, 5.1, 4.2, 0.3),
    Test("8867-4", "Heart rate", "/min", None, None, 80, 11, "vital-signs"),
    Test("29463-7", "Body weight", "kg", None, None, 68, 14, "vital-signs"),
)
PRESENCE = (
    ("20454-5", "Protein in urine by test strip"),
    ("5196-1", "HBsAg"),
    ("13955-0", "Hepatitis C antibody"),
    ("56888-1", "HIV antigen and antibodies"),
    ("2106-3", "Pregnancy test, urine"),
)
_NO_CODE = Test("", "Serum ferritin (send-out)", "ng/mL", None, None, 120, 60)

DESMOID = ("399994005", "Desmoid fibromatosis", "D48.110")
RHABDOMYOSARCOMA = ("302847003", "Rhabdomyosarcoma", "C49.9")
UNSPECIFIC = (("D48.1", "Neoplasm of uncertain behavior of connective tissue"),
              ("C49.20", "Malignant neoplasm of connective tissue of lower limb"))  # fmt: skip
PROBLEMS = (
    ("271737000", "Anemia", "D64.9"),
    ("195967001", "Asthma", "J45.909"),
    ("44054006", "Type 2 diabetes mellitus", "E11.9"),
    ("38341003", "Hypertensive disorder", "I10"),
    ("195662009", "Acute viral pharyngitis", "J02.9"),
    ("65363002", "Otitis media", "H66.90"),
    ("128053003", "Deep venous thrombosis", "I82.409"),
    ("84757009", "Epilepsy", "G40.909"),
)
DRUGS = (
    ("161", "acetaminophen"),
    ("26225", "ondansetron"),
    ("29046", "lisinopril"),
    ("36567", "simvastatin"),
    ("7646", "omeprazole"),
    ("6809", "metformin"),
    ("5640", "ibuprofen"),
)
INTERACTING = (("21212", "clarithromycin"), ("28031", "itraconazole"), ("9384", "rifampin"))
PROCEDURES = (("86273004", "Biopsy"), ("77477000", "Computed tomography"),
              ("113091000", "Magnetic resonance imaging"))  # fmt: skip

KINDS = ("Patient", "Condition", "Observation", "MedicationRequest", "MedicationStatement",
         "Procedure")  # fmt: skip


TARGETS = 0.14
"""The share of charts with a target diagnosis, unless another one is asked for: a registry's."""
HOSPITAL = 0.01
"""More than a whole hospital has. Ten years of every new desmoid tumour (5.36 for each million
people in 2013, doi:10.1245/s10434-015-4632-y) and rhabdomyosarcoma (4.58 for each million below
20, doi:10.1002/cam4.5211) among ten million people come to some 640: all of them in one hospital
with a million charts are 0.0006."""


def chart(number: int, seed: int = 7, targets: float = TARGETS) -> dict[str, list[dict[str, Any]]]:
    """The resources of one invented patient, by type.

    `targets`: the share of charts with a target diagnosis, at most `TARGETS`; the others that would
    have one do without.
    """
    draw = random.Random(f"{seed}/{number}")  # noqa: S311 - a seeded draw is the point
    name = f"c{number:06}"
    kind = draw.random()
    if kind < TARGETS and kind * 100 % 1 >= targets / TARGETS:  # of each diagnosis alike
        kind += 1
    child = 0.08 <= kind < 0.14 or draw.random() < 0.2
    born = DAY - timedelta(days=draw.randint(1100, 6500) if child else draw.randint(6600, 29000))
    patient: dict[str, Any] = {
        "resourceType": "Patient",
        "id": name,
        "gender": draw.choice(["male", "female"]),
        "birthDate": born.isoformat(),
        "name": [{"family": "Invented", "given": [f"Number {number}"]}],
    }
    if draw.random() < 0.01:
        patient["deceasedBoolean"] = True
    return {
        "Patient": [patient],
        "Condition": _conditions(draw, name, kind),
        "Observation": _observations(draw, name),
        "MedicationRequest": _medications(draw, name, "MedicationRequest", 4),
        "MedicationStatement": _medications(draw, name, "MedicationStatement", 3),
        "Procedure": _procedures(draw, name),
    }


def write_export(folder: Path, count: int, seed: int = 7, targets: float = TARGETS) -> None:
    """Write `count` charts as one NDJSON file for each type."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {kind: (folder / f"{kind}.ndjson").open("w", encoding="utf-8") for kind in KINDS}
    try:
        for number in range(count):
            for kind, resources in chart(number, seed, targets).items():
                for resource in resources:
                    files[kind].write(json.dumps(resource, separators=(",", ":")) + "\n")
    finally:
        for file in files.values():
            file.close()


def _day(draw: random.Random, nearest: int, farthest: int) -> str:
    return (DAY - timedelta(days=draw.randint(nearest, farthest))).isoformat()


def _coded(*codings: tuple[str, str, str], text: str) -> dict[str, Any]:
    rows = [{"system": s, "code": c, "display": d} for s, c, d in codings]
    return {"coding": rows, "text": text} if rows else {"text": text}


def _subject(name: str) -> dict[str, str]:
    return {"reference": f"Patient/{name}", "display": "Invented"}


def _conditions(draw: random.Random, name: str, kind: float) -> list[dict[str, Any]]:
    found = []
    if kind < 0.08:
        found.append(_named(DESMOID))
    elif kind < 0.14:
        found.append(_named(RHABDOMYOSARCOMA))
    elif kind < 0.15:
        code, display = draw.choice(UNSPECIFIC)
        found.append(_coded((_ICD, code, display), text=display))
    elif kind < 0.155:
        found.append(_coded(text=draw.choice(["desmoid tumour?", "rhabdomyosarcoma of orbit"])))
    found += [_named(draw.choice(PROBLEMS)) for _ in range(draw.randint(1, 5))]
    return [
        {
            "resourceType": "Condition",
            "id": f"{name}-c{index}",
            "clinicalStatus": {
                "coding": [
                    {"system": _CLINICAL, "code": draw.choice(["active", "active", "resolved"])}
                ]
            },
            "verificationStatus": {"coding": [{"system": _VERIFIED, "code": "confirmed"}]},
            "code": code,
            "subject": _subject(name),
            "onsetDateTime": _day(draw, 20, 2500),
        }
        for index, code in enumerate(found)
    ]


def _named(row: tuple[str, str, str]) -> dict[str, Any]:
    snomed, display, icd = row
    return _coded((_SNOMED, snomed, display), (_ICD, icd, display), text=display)


def _observations(draw: random.Random, name: str) -> list[dict[str, Any]]:
    found = []
    for test in TESTS:
        if draw.random() < 0.06:
            continue
        found.append(
            _observation(draw, name, test, _day(draw, 0, 24 if draw.random() < 0.93 else 90))
        )
        found += [
            _observation(draw, name, test, _day(draw, 25, 900)) for _ in range(draw.randint(0, 3))
        ]
    for code, test_name in PRESENCE:
        if draw.random() < 0.8:
            found.append(_presence(draw, name, code, test_name))
    if draw.random() < 0.2:
        found.append(_observation(draw, name, _NO_CODE, _day(draw, 0, 90)))
    for index, observation in enumerate(found):
        observation["id"] = f"{name}-o{index}"
    return found


def _observation(draw: random.Random, name: str, test: Test, day: str) -> dict[str, Any]:
    value = round(max(0.0, draw.gauss(test.mean, test.spread)), 2)
    if test.unit == "{score}":
        value = min(4, round(value))
    unit = "K/mcl-ish" if test.code == "777-3" and draw.random() < 0.02 else test.unit
    quantity = {"unit": unit, "system": _UCUM, "code": unit}
    codings = [("urn:oid:2.999.8.1", test.name.upper()[:12], test.name)]
    if test.code:
        codings.insert(0, (_LOINC, test.code, test.name))
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "id": "",
        "status": "final" if draw.random() < 0.96 else "preliminary",
        "category": [{"coding": [{"system": _CATEGORY, "code": test.category}]}],
        "code": _coded(*codings, text=test.name),
        "subject": _subject(name),
        "effectiveDateTime": f"{day}T08:30:00+00:00",
        "issued": f"{day}T10:02:11+00:00",
        "valueQuantity": {"value": value, **quantity},
    }
    if test.high is not None and draw.random() < 0.97:
        observation["referenceRange"] = [
            {"low": {"value": test.low, **quantity}, "high": {"value": test.high, **quantity}}
        ]
    return observation


def _presence(draw: random.Random, name: str, code: str, test: str) -> dict[str, Any]:
    positive = draw.random() < 0.02
    answer = ("10828004", "Positive") if positive else ("260385009", "Negative")
    day = _day(draw, 0, 24)
    return {
        "resourceType": "Observation",
        "id": "",
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": "laboratory"}]}],
        "code": _coded((_LOINC, code, test), text=test),
        "subject": _subject(name),
        "effectiveDateTime": f"{day}T08:30:00+00:00",
        "valueCodeableConcept": _coded((_SNOMED, *answer), text=answer[1]),
    }


def _medications(draw: random.Random, name: str, kind: str, most: int) -> list[dict[str, Any]]:
    found = []
    for index in range(draw.randint(0, most)):
        code, drug = draw.choice(INTERACTING if draw.random() < 0.03 else DRUGS)
        start = draw.randint(5, 500)
        end = max(0, start - draw.randint(3, 60))
        days = [(DAY - timedelta(days=back)).isoformat() for back in (start, end)]
        concept = _coded((_RXNORM, code, drug), text=drug)
        if draw.random() < 0.01:
            concept = _coded(text=draw.choice(["herbal mixture", "study drug A", "own remedy"]))
        entry: dict[str, Any] = {
            "resourceType": kind,
            "id": f"{name}-{'r' if kind == 'MedicationRequest' else 'm'}{index}",
            "status": "completed",
            "medicationCodeableConcept": concept,
            "subject": _subject(name),
        }
        if kind == "MedicationRequest":
            entry |= {"intent": "order", "authoredOn": days[0]}
            entry["dosageInstruction"] = [
                {"timing": {"repeat": {"boundsPeriod": {"start": days[0], "end": days[1]}}}}
            ]
        else:
            entry["effectivePeriod"] = {"start": days[0], "end": days[1]}
        found.append(entry)
    return found


def _procedures(draw: random.Random, name: str) -> list[dict[str, Any]]:
    return [
        {
            "resourceType": "Procedure",
            "id": f"{name}-p{index}",
            "status": "completed",
            "code": _coded((_SNOMED, code, display), text=display),
            "subject": _subject(name),
            "performedDateTime": _day(draw, 5, 900),
        }
        for index, (code, display) in enumerate(
            draw.choice(PROCEDURES) for _ in range(draw.randint(0, 4))
        )
    ]


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description="Write invented charts as a bulk export.")
    asked.add_argument("count", type=int)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument("--targets", type=float, default=TARGETS, help="share with a diagnosis")
    given = asked.parse_args()
    write_export(given.folder, given.count, given.seed, given.targets)
