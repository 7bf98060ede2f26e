"""What a code or a name in the record must come to: editions of ICD-10, notes, lay names."""
# ruff: noqa: E501 - a row is a sentence and its chart, read across

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

D, R = "NCT05490667", "NCT07137884"
GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
CN = "http://hl7.org/fhir/sid/icd-10-cn"
NOW = {"onset": "2026-02-20"}
LONG = {"start": "2025-01-01"}

TABLE: list[tuple[Any, ...]] = [
    # Whole categories of WHO's ICD-10 and its national editions
    ("HIV disease of WHO's edition", D, "E13a", "fail", ("condition", "icd-who", "B20", NOW)),
    ("a longer code of the category", D, "E13a", "fail", ("condition", "icd-who", "B20.1", NOW)),
    ("the same of the German edition", D, "E13a", "fail", ("condition", GM, "B20", NOW)),
    ("the same of the Chinese edition", R, "E24c", "fail", ("condition", CN, "B20", NOW)),
    ("HIV status", D, "E13a", "fail", ("condition", "icd-who", "Z21", NOW)),
    ("HIV disease, a category that ICD-10-CM lacks", D, "E13a", "fail", ("condition", "icd-who", "B24", NOW)),
    ("and the German one", R, "E24c", "fail", ("condition", GM, "B22.0", NOW)),
    ("haemophilia", D, "E19", "fail", ("condition", "icd-who", "D66", NOW)),
    ("defibrination", D, "E26d", "fail", ("condition", "icd-who", "D65", NOW)),
    ("portal vein thrombosis", D, "E25d", "fail", ("condition", "icd-who", "I81", NOW)),
    ("pleural effusion", D, "E02", "review", ("condition", "icd-who", "J90", NOW)),
    (
        "hypertension on two drugs",
        *(R, "E01", "fail", ("condition", "icd-who", "I10", NOW)),
        ("took", "text", "amlodipine", LONG),
        ("took", "text", "lisinopril", {**LONG, "as_": "m2"}),
    ),
    ("stroke, kind not said", D, "E25a", "fail", ("condition", "icd-who", "I64", NOW)),
    ("which may have been a bleeding", D, "E22", "review", ("condition", "icd-who", "I64", NOW)),
    ("status epilepticus", D, "E16", "review", ("condition", "icd-who", "G41", NOW)),
    ("several primary cancers", D, "E03", "fail", ("condition", "icd-who", "C97", NOW)),
    ("several primary cancers", R, "E19", "fail", ("condition", GM, "C97", NOW)),
    ("fractures of several regions", R, "E10c", "fail", ("condition", "icd-who", "T02", NOW)),
    ("a fracture of the spine", R, "E10c", "fail", ("condition", "icd-who", "T08", NOW)),
    ("a fracture of the arm", D, "E23b", "fail", ("condition", "icd-who", "T10", NOW)),
    ("a fracture of the leg", D, "E23b", "fail", ("condition", "icd-who", "T12.0", NOW)),
    ("a fracture is no other injury", R, "E10b", "pass", ("condition", "icd-who", "T12", NOW)),
    ("crushing of several regions", R, "E10b", "review", ("condition", "icd-who", "T04", NOW)),
    ("grazes of several regions", R, "E10b", "pass", ("condition", "icd-who", "T00", NOW)),
    ("a high-risk pregnancy", D, "E32a", "fail", ("condition", "icd-who", "Z35", NOW)),
    ("dementia", D, "E30b", "review", ("condition", "icd-who", "F00", NOW)),
    ("four characters mean something else", D, "E25b", "pass", ("condition", "icd-who", "D48.1", NOW)),
]  # fmt: skip


def test_what_a_code_or_a_name_comes_to(row: tuple[Any, ...], decided: Callable[..., Any]) -> None:
    _, trial, criterion, status, *changes = row
    found = decided(trial, criterion, *changes)
    assert found["status"] == status, found["reason"]
