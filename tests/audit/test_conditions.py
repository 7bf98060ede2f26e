"""What a diagnosis or an operation in the record must come to."""
# ruff: noqa: E501 - a row is a sentence and its chart, read across

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

D, R = "NCT05490667", "NCT07137884"
OVER = {"clinical": "resolved"}
SURGERY = {"category": {"coding": [{"system": "http://snomed.info/sct", "code": "387713003"}]}}
RADIATION = {"category": {"coding": [{"system": "http://snomed.info/sct", "code": "108290001"}]}}


def _icd(code: str, **fields: Any) -> tuple[Any, ...]:
    return ("condition", "icd", code, fields)


def _snomed(code: str, **fields: Any) -> tuple[Any, ...]:
    return ("condition", "snomed", code, fields)


def _done(code: str, on: str | None = "2026-02-10", **fields: Any) -> tuple[Any, ...]:
    return ("procedure", "snomed", code, on, fields)


TABLE: list[tuple[Any, ...]] = [
    ("no desmoid tumour", D, "I01a", "fail", ("without", "dx")),
    ("a provisional one", D, "I01a", "review", _icd("D48.113", as_="dx", verified="provisional")),
    ("a refuted one", D, "I01a", "fail", _icd("D48.113", as_="dx", verified="refuted")),
    ("a resolved one", D, "I01a", "review", _icd("D48.113", as_="dx", **OVER)),
    ("one in words only", D, "I01a", "review", ("condition", "text", "Desmoid tumor, abdominal wall", {"as_": "dx"})),
    ("a rhabdomyosarcoma in remission", R, "I04a", "pass"),
    ("C49 alone is no rhabdomyosarcoma", R, "I04a", "fail", _icd("C49.9", as_="dx")),
    ("atrial fibrillation", D, "E09b", "fail", _icd("I48.91")),
    ("without a clinical status it is present", D, "E09b", "fail", _icd("I48.91", clinical=None)),
    ("resolved", D, "E09b", "review", _icd("I48.91", **OVER)),
    ("unconfirmed", D, "E09b", "review", _icd("I48.91", verified="unconfirmed")),
    ("in words only", D, "E09b", "review", ("condition", "text", "Atrial fibrillation")),
    ("a bleeding of years ago", D, "E22", "fail", _icd("R04.0", onset="2015-01-01", **OVER)),
    ("an ulcer that has healed", D, "E18a", "pass", _icd("K25.9", **OVER)),
    ("a mental disorder is for a human", D, "E30b", "review", _icd("F32.9")),
    ("nicotine is no drug abuse", D, "E30a", "pass", _icd("F17.210")),
    ("a stroke six months ago to the day", D, "E25a", "fail", _icd("I63.9", onset="2025-09-01")),
    ("and the day before", D, "E25a", "pass", _icd("I63.9", onset="2025-08-31")),
    ("a stroke without a date", D, "E25a", "unknown", _icd("I63.9")),
    ("a stroke of some day in 2025", D, "E25a", "unknown", _icd("I63.9", onset="2025")),
    ("its onset goes before its recording", D, "E25a", "pass", _icd("I63.9", onset="2020-01-01", recordedDate="2026-01-01")),
    ("a history of thrombosis has no day", D, "E25b", "unknown", _icd("Z86.718", recordedDate="2020-01-01")),
    ("a history of pulmonary embolism has no day", R, "E07c", "unknown", _icd("Z86.711")),
    ("breast cancer that ended four years ago", D, "E03", "fail", _icd("C50.919", ended="2022-01-01", **OVER)),
    ("breast cancer that ended six years ago", D, "E03", "pass", _icd("C50.919", ended="2019-12-31", **OVER)),
    ("a history of breast cancer", D, "E03", "unknown", _icd("Z85.3")),
    ("bladder cancer may be superficial: desmoid", D, "E03", "review", _icd("C67.9")),
    ("bladder cancer may be superficial: RMS", R, "E19", "review", _icd("C67.9")),
    ("a cured skin cancer", D, "E03", "pass", _icd("C44.91", **OVER)),
    ("squamous skin cancer is excepted by desmoid", D, "E03", "pass", _snomed("254651007", **OVER)),
    ("and not by RMS", R, "E19", "fail", _snomed("254651007")),
    ("a metastasis beside a desmoid", D, "E03", "review", _icd("C78.00")),
    ("a liver metastasis beside a desmoid", D, "E03", "review", _snomed("94381002")),
    ("a marrow metastasis beside a desmoid", D, "E03", "review", _snomed("94217008")),
    ("a metastasis of the rhabdomyosarcoma", R, "E19", "pass", _snomed("94381002")),
    ("marrow involvement relaxes the ANC", R, "I13a", "pass", _icd("C79.52"), ("lab", "anc", 1.0)),
    ("none recorded, none relaxed", R, "I13a", "fail", ("lab", "anc", 1.0)),
    ("liver metastasis relaxes the ALT", R, "I13e", "pass", _icd("C78.7"), ("lab", "alt", 200)),
    ("end-stage renal disease is no proof of dialysis", D, "E12", "review", _icd("N18.6")),
    ("haemodialysis in the problem list", D, "E12", "review", _snomed("302497006")),
    ("dialysis of a year ago", D, "E12", "review", _done("302497006", "2025-02-01")),
    ("dialysis four weeks ago", D, "E12", "fail", _done("302497006", "2026-02-01")),
    ("education about dialysis", D, "E12", "pass", _done("28812006")),
    ("a heart transplant of 2001", D, "E13c", "fail", _done("174802006", "2001-01-01")),
    ("an autotransplant is for a human", D, "E13c", "review", _done("175899003", "2001-01-01")),
    ("stem cells are no organ", D, "E13c", "pass", _icd("Z94.84")),
    ("major surgery, the 28th day", D, "E20a", "fail", _done("31904001", "2026-02-01")),
    ("major surgery, the 29th day", D, "E20a", "pass", _done("31904001", "2026-01-31")),
    ("major surgery without a date", D, "E20a", "unknown", _done("31904001", None)),
    ("surgery of unknown size", D, "E20a", "review", _done("387713003")),
    ("a code that no list holds, filed under surgery", R, "E10a", "review", ("procedure", "urn:site", "OP-1", "2026-02-10", SURGERY)),
    ("the revision of a transplant is surgery", D, "E20a", "review", _done("175899003")),
    ("cataract surgery is minor", D, "E20a", "pass", _done("110473004")),
    ("a biopsy that may be open", D, "E20b", "review", _done("86273004")),
    ("an endoscopic biopsy", D, "E20b", "pass", _done("53767003")),
    ("radiotherapy, the 14th day", D, "E04d", "fail", _done("1156506007", "2026-02-15")),
    ("radiotherapy 14 days ago is enough for RMS", R, "I11a", "pass", _done("1156506007", "2026-02-15")),
    ("planning is no radiotherapy", D, "E04d", "pass", _done("9990009", "2026-02-20")),
    ("a code that no list holds, filed under radiotherapy", D, "E04d", "fail", ("procedure", "urn:site", "RT-1", "2026-02-20", RADIATION)),
    ("stem cells 56 days ago", R, "I12b", "pass", _done("234336002", "2026-01-04")),
    ("stem cells 55 days ago", R, "I12b", "fail", _done("234336002", "2026-01-05")),
    ("a transplant status has no day", R, "I12b", "unknown", _icd("Z94.84")),
    ("a fracture under follow-up", R, "E09b", "pass", _icd("S72.001D")),
    ("a nonunion is a fracture that does not heal", R, "E09b", "review", _icd("S72.001K")),
    ("delayed healing as well", D, "E23b", "review", _icd("S72.001G", onset="2025-10-01")),
    ("a sequela never counts", D, "E23b", "pass", _icd("S72.001S")),
    ("a pathological fracture is excepted", R, "E09b", "pass", _icd("M84.551A")),
    ("a perforation seven months ago, healed", R, "E12b", "pass", _icd("K63.1", onset="2025-07-01", ended="2025-07-20", **OVER)),
    ("epistaxis in the window is for a human", R, "E06a", "review", _icd("R04.0", onset="2026-01-10")),
    ("gastrointestinal bleeding in the window", R, "E06a", "fail", _icd("K92.2", onset="2026-01-10")),
    ("a pregnancy of twelve months is for a human", D, "E32a", "review", _icd("Z33.1", onset="2025-02-01")),
    ("the tenth birthday", D, "I03b", "pass", ("person", "2016-03-01", "female")),
    ("the day before it", D, "I03b", "fail", ("person", "2016-03-02", "female")),
    ("a birth year that leaves it open", D, "I03b", "unknown", ("person", "2016", "female")),
    ("the nineteenth birthday", R, "I01b", "fail", ("person", "2007-03-01", "male")),
    ("an entry that does not say whose it is", D, "E09b", "unknown", _icd("I48.91", subject=None)),
    ("another patient's entry", D, "E09b", "pass", _icd("I48.91", subject={"reference": "Patient/p2"})),
]  # fmt: skip


def test_what_the_documents_say_of(row: tuple[Any, ...], decided: Callable[..., Any]) -> None:
    _, trial, criterion, status, *changes = row
    found = decided(trial, criterion, *changes)
    assert found["status"] == status, found["reason"]


def test_another_patient_s_entry_is_reported(said: Callable[..., Any]) -> None:
    problems = said(D, _icd("I48.91", subject={"reference": "Patient/p2"}))["problems"]
    assert [p["kind"] for p in problems] == ["other-patient"]


def test_a_deceased_patient_has_no_trials(said: Callable[..., Any]) -> None:
    assert said(D, ("person", "1991-07-19", "female", {"deceasedBoolean": True}))["trials"] == []
