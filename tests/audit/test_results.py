"""What a laboratory result, a vital sign or a score must come to."""
# ruff: noqa: E501 - a row is a sentence and its chart, read across

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

D, R = "NCT05490667", "NCT07137884"
NEWER = {"as_": "newer", "on": "2026-02-25"}
POSITIVE = ("result", "5196-1", "positive", {"as_": "hbs"})


def _range(high: float, **fields: Any) -> dict[str, Any]:
    return {"high": {"value": high, "unit": "umol/L"}, **fields}


_MALE = [{"coding": [{"system": "http://hl7.org/fhir/administrative-gender", "code": "male"}]}]
_ADULT = {"low": {"value": 18, "unit": "a"}}

TABLE: list[tuple[Any, ...]] = [
    ("a ready chart passes", D, "I07b", "pass"),
    ("the limit itself is allowed", D, "I07b", "pass", ("lab", "anc", 1.5)),
    ("just below the limit is not", D, "I07b", "fail", ("lab", "anc", 1.49)),
    ("no result is unknown", D, "I07b", "unknown", ("without", "anc")),
    ("the 28th day still counts", D, "I07b", "pass", ("lab", "anc", {"on": "2026-02-01"})),
    ("the 29th day is too old", D, "I07b", "unknown", ("lab", "anc", {"on": "2026-01-31"})),
    ("the newest decides, even when worse", D, "I07b", "fail", ("lab", "anc", 1.2, NEWER)),
    (
        "a preliminary result is passed over",
        *(D, "I07b", "pass", ("lab", "anc", 0.2, {**NEWER, "status": "preliminary"})),
    ),
    (
        "a newer final result in an unknown unit blocks the older one",
        *(D, "I07b", "unknown", ("lab", "anc", 3, "furlongs", NEWER)),
    ),
    (
        "a newer implausible result blocks the older one",
        *(D, "I07b", "unknown", ("lab", "anc", 1500, "10*3/uL", NEWER)),
    ),
    (
        "two results of one instant that disagree",
        *(D, "I07b", "unknown", ("lab", "anc", 1.0, {"as_": "b"})),
    ),
    (
        "tomorrow's result is no fact",
        *(D, "I07b", "pass", ("lab", "anc", 0.5, {"as_": "b", "on": "2026-03-02"})),
    ),
    (
        "instants are compared across zones",
        *(D, "I07b", "fail", ("lab", "anc", 3, {"on": "2026-02-20T23:00:00+08:00"})),
        ("lab", "anc", 1, {"as_": "b", "on": "2026-02-20T16:00:00Z"}),
    ),
    (
        "K/uL as text",
        *(D, "I07b", "fail", ("lab", "anc", {"valueQuantity": {"value": 1.4, "unit": "K/uL"}})),
    ),
    (
        "cells per microlitre as text",
        *(D, "I07b", "pass", ("lab", "anc", {"valueQuantity": {"value": 1500, "unit": "/mm3"}})),
    ),
    (
        "a bare number is never guessed",
        *(D, "I07b", "unknown", ("lab", "anc", {"valueQuantity": {"value": 2.1}})),
    ),
    (
        "below 0.5 is below 1.5",
        *(D, "I07b", "fail"),
        ("lab", "anc", {"valueQuantity": {"value": 0.5, "unit": "K/uL", "comparator": "<"}}),
    ),
    (
        "below 2.0 may be either",
        *(D, "I07b", "unknown"),
        ("lab", "anc", {"valueQuantity": {"value": 2.0, "unit": "K/uL", "comparator": "<"}}),
    ),
    ("leukocytes are no ANC", D, "I07b", "unknown", ("lab", "anc", {"loinc": "6690-2"})),
    ("a percentage is no ANC", D, "I07b", "unknown", ("lab", "anc", 60, "%", {"loinc": "770-8"})),
    ("urine creatinine is no serum", D, "I07d", "unknown", ("lab", "cr", {"loinc": "2161-8"})),
    ("direct bilirubin is not total", D, "I07f", "unknown", ("lab", "bil", {"loinc": "14629-0"})),
    ("an uncorrected QT is no QTc", D, "E09c", "unknown", ("lab", "qtc", 500, {"loinc": "8634-8"})),
    (
        "a random glucose is not fasting",
        *(D, "E14", "unknown", ("lab", "fbg", 12, {"loinc": "14749-6"})),
    ),
    ("no range, no answer", D, "I07d", "unknown", ("lab", "cr", {"high": None})),
    (
        "a range of the other sex is not used, even alone",
        *(D, "I07d", "unknown", ("lab", "cr", {"referenceRange": [_range(100, appliesTo=_MALE)]})),
    ),
    (
        "an adult's range is not used for a child",
        *(R, "I13d", "unknown", ("lab", "cr", {"referenceRange": [_range(100, age=_ADULT)]})),
    ),
    (
        "two ranges that give different answers",
        *(D, "I07d", "unknown", ("lab", "cr", 160, {"referenceRange": [_range(100), _range(120)]})),
    ),
    (
        "urea nitrogen in mmol/L under a code in mass units",
        *(D, "I07e", "unknown", ("lab", "bun", 4, {"loinc": "3094-0"})),
    ),
    ("ECOG 7 does not exist", D, "I04", "unknown", ("lab", "ecog", 7)),
    ("ECOG 3 is too much for desmoid", D, "I04", "fail", ("lab", "ecog", 3)),
    ("ECOG 3 is allowed in RMS", R, "I02", "pass", ("lab", "ecog", 3)),
    ("Karnofsky is not converted", D, "I04", "unknown", ("lab", "ecog", 90, {"loinc": "89243-0"})),
    ("an ejection fraction as a fraction", D, "I07l", "fail", ("lab", "lvef", 0.45, "1")),
    ("and one that is enough", D, "I07l", "pass", ("lab", "lvef", 0.55, "1")),
    ("dipstick alone does not settle E15", D, "E15", "unknown", ("result", "20454-5", "++", {"as_": "dip"})),
    (
        "proteinuria of exactly 1.0 g: desmoid passes",
        *(D, "E15", "pass", ("result", "20454-5", "++", {"as_": "dip"}), ("lab", "u24", 1.0)),
    ),
    (
        "proteinuria of exactly 1.0 g: RMS fails",
        *(R, "E13", "fail", ("result", "20454-5", "++", {"as_": "dip"}), ("lab", "u24", 1.0)),
    ),
    ("occult blood positive without a grade", R, "E06b", "review", ("result", "2335-8", "positive")),
    ("HBsAg positive alone", R, "E24a", "unknown", POSITIVE),
    ("HBsAg and DNA above the limit", R, "E24a", "fail", POSITIVE, ("lab", "dna", 5000)),
    ("HBV DNA not above its limit", R, "E24a", "pass", POSITIVE, ("lab", "dna", 20)),
    ("anti-HBs is not HBsAg", R, "E24a", "unknown", ("without", "hbs"), ("result", "10900-9", "positive")),
    ("an old positive HIV test", R, "E24c", "fail", ("result", "56888-1", "positive", {"as_": "old", "on": "2019-01-01"})),
    ("a reactive HIV screen settles nothing in RMS", R, "E24c", "unknown", ("result", "56888-1", "reactive", {"as_": "hiv"})),
    ("nor in desmoid, where none is needed", D, "E13a", "unknown", ("result", "56888-1", "reactive")),
    ("no HIV test is needed in desmoid", D, "E13a", "pass"),
    ("NYHA III without heart failure is for a human", D, "E09d", "review", ("result", "88020-3", "III")),
    (
        "NYHA II excludes from desmoid only: desmoid",
        *(D, "E09d", "fail", ("condition", "icd", "I50.9"), ("result", "88020-3", "II")),
    ),
    (
        "NYHA II excludes from desmoid only: RMS",
        *(R, "E02d", "pass", ("condition", "icd", "I50.9"), ("result", "88020-3", "II")),
    ),
    ("QTc 460 ms of an unknown sex", R, "E02c", "unknown", ("person", "2014-05-05", None), ("lab", "qtc", 460)),
    ("QTc 450 ms of a boy", R, "E02c", "fail", ("lab", "qtc", 450)),
    ("a positive pregnancy test holds 10 months", D, "E32a", "fail", ("result", "2106-3", "positive", {"on": "2025-06-01"})),
    ("and not 12", D, "E32a", "pass", ("result", "2106-3", "positive", {"on": "2025-03-01"})),
]  # fmt: skip


def test_what_the_documents_say_of(row: tuple[Any, ...], decided: Callable[..., Any]) -> None:
    _, trial, criterion, status, *changes = row
    found = decided(trial, criterion, *changes)
    assert found["status"] == status, found["reason"]


def test_a_result_in_words_is_said_in_words(decided: Callable[..., Any]) -> None:
    found = decided("NCT07137884", "E24c")
    assert "negative" in found["reason"]
