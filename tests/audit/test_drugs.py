"""What a drug in the record must come to: names, products, routes, dates and statuses."""
# ruff: noqa: E501 - a row is a sentence and its chart, read across

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

D, R = "NCT05490667", "NCT07137884"
RECENT = {"start": "2026-02-25"}
LONG = {"start": "2025-01-01"}
OVER = {"start": "2025-01-01", "end": "2025-02-01"}
HYPERTENSION = ("condition", "icd", "I10")
INFECTION = ("condition", "icd", "J18.9")


def _day(day: str) -> dict[str, str]:
    return {"start": day, "end": day}


TABLE: list[tuple[Any, ...]] = [
    ("an ingredient code", D, "E28a", "fail", ("took", "rxnorm", "21212", RECENT)),
    ("a tablet's code", D, "E28a", "fail", ("took", "rxnorm", "197517", RECENT)),
    ("an ATC code", D, "E28a", "fail", ("took", "atc", "J01FA09", RECENT)),
    ("a name", D, "E28a", "fail", ("took", "text", "CLARITHROMYCIN 500MG TAB", RECENT)),
    ("a brand", D, "E28a", "fail", ("took", "text", "Biaxin XL", RECENT)),
    ("a pack with ritonavir", D, "E28a", "fail", ("took", "rxnorm", "2587898", RECENT)),
    ("a combination by name", D, "E28a", "fail", ("took", "text", "lopinavir-ritonavir 200-50 mg", RECENT)),
    ("a part of a word is no name", D, "E28a", "review", ("took", "text", "Nonclarithromycinol", RECENT)),
    ("a drug that nobody knows is for a human", D, "E28a", "review", ("took", "text", "herbal mixture", RECENT)),
    ("unless it ended long ago", D, "E28a", "pass", ("took", "text", "herbal mixture", "completed", OVER)),
    ("also where absence includes", R, "I07a", "review", ("took", "text", "herbal mixture", RECENT)),
    ("an ordinary drug is recognised", D, "E28a", "pass", ("took", "text", "ibuprofen 400 mg", RECENT)),
    ("the 7th day is inside", D, "E28a", "fail", ("took", "rxnorm", "197517", "completed", {"start": "2026-02-10", "end": "2026-02-22"})),
    ("the 8th is not", D, "E28a", "pass", ("took", "rxnorm", "197517", "completed", {"start": "2026-02-10", "end": "2026-02-21"})),
    ("not taken", D, "E28a", "pass", ("took", "rxnorm", "197517", "not-taken", RECENT)),
    ("stopped, nobody knows when", D, "E28a", "unknown", ("took", "rxnorm", "197517", "stopped", {"start": "2025-01-01"})),
    ("a plan is no order", D, "E28a", "pass", ("ordered", "rxnorm", "197517", {"intent": "plan", "authoredOn": "2026-02-25"})),
    ("an order not to give", D, "E28a", "pass", ("ordered", "rxnorm", "197517", {"doNotPerform": True, "authoredOn": "2026-02-25"})),
    ("a stopped order of two years ago", D, "E28a", "pass", ("ordered", "rxnorm", "197517", "stopped", {"authoredOn": "2024-03-01"})),
    ("a stopped order of five months ago", D, "E28a", "unknown", ("ordered", "rxnorm", "197517", "stopped", {"authoredOn": "2025-10-01"})),
    ("a shampoo", D, "E28a", "pass", ("took", "rxnorm", "206978", RECENT)),
    ("a topical route", D, "E28a", "pass", ("took", "rxnorm", "6135", {**RECENT, "route": "topical"})),
    ("a cream that is taken by mouth", D, "E28a", "fail", ("took", "rxnorm", "203088", {**RECENT, "route": "oral"})),
    ("ciprofloxacin eye ointment", D, "E29", "pass", ("took", "rxnorm", "309306", RECENT)),
    ("cyclophosphamide tablets are no eye drops", R, "I07a", "fail", ("took", "rxnorm", "197549", "completed", _day("2026-02-20"))),
    ("a heparin flush is for a human", D, "E27", "review", ("took", "rxnorm", "1362060", RECENT)),
    ("a heparin bag is treatment", D, "E27", "fail", ("took", "rxnorm", "1658717", RECENT)),
    ("a kinase inhibitor of 2010", D, "E01", "fail", ("took", "rxnorm", "282388", "completed", {"start": "2010-01-01", "end": "2010-02-01"})),
    ("one whose class is not verified", D, "E01", "review", ("took", "text", "brivanib", "completed", OVER)),
    ("anlotinib by name", D, "E01", "fail", ("took", "text", "anlotinib 12 mg capsule", "completed", OVER)),
    ("planned chemotherapy", D, "E04a", "fail", ("ordered", "rxnorm", "3639", {"authoredOn": "2026-02-28", "dispenseRequest": {"validityPeriod": {"start": "2026-03-10"}}})),
    ("a dose given in the future is an error, no plan", D, "E04a", "pass", ("given", "rxnorm", "3639", "2026-03-10")),
    ("tamoxifen is for a human", D, "E04a", "review", ("took", "rxnorm", "10324", LONG)),
    ("mitomycin, the 42nd day", D, "E04b", "fail", ("took", "rxnorm", "632", "completed", _day("2026-01-18"))),
    ("warfarin now", D, "E27", "fail", ("took", "rxnorm", "11289", LONG)),
    ("warfarin once, without dates", D, "E27", "pass", ("took", "rxnorm", "11289", "completed")),
    ("warfarin on hold", D, "E27", "unknown", ("took", "rxnorm", "11289", "on-hold", LONG)),
    ("rifampicin, the 12th day", R, "E21", "fail", ("took", "text", "Rifampicin 300 mg", "completed", _day("2026-02-17"))),
    ("rifampicin, the 13th day", R, "E21", "pass", ("took", "text", "Rifampicin 300 mg", "completed", _day("2026-02-16"))),
    ("dexamethasone is no strong inducer", D, "E28b", "pass", ("took", "rxnorm", "3264", RECENT)),
    ("a substrate never rules out", D, "E28c", "review", ("took", "rxnorm", "6960", RECENT)),
    ("ondansetron's QT is not verified", D, "E29", "review", ("took", "rxnorm", "26225", RECENT)),
    ("doxorubicin 21 days ago", R, "I07a", "pass", ("took", "rxnorm", "3639", "completed", _day("2026-02-08"))),
    ("doxorubicin 20 days ago", R, "I07a", "fail", ("took", "rxnorm", "3639", "completed", _day("2026-02-09"))),
    ("a checkpoint inhibitor 28 days ago", R, "I08a", "fail", ("took", "rxnorm", "1547545", "completed", _day("2026-02-01"))),
    ("and 14 days ago for I10", R, "I10", "pass", ("took", "rxnorm", "1547545", "completed", _day("2026-02-15"))),
    (
        "a nitrosourea once, and other chemotherapy 28 days ago",
        *(R, "I07b", "review", ("took", "rxnorm", "2105", "completed", OVER)),
        ("took", "rxnorm", "3639", "completed", {**_day("2026-02-01"), "as_": "m2"}),
    ),
    ("MIBG therapy four weeks ago", R, "I11b", "fail", ("given", "rxnorm", "2053281", "2026-02-01")),
    ("a fixed combination is two drugs", R, "E01", "fail", HYPERTENSION, ("took", "rxnorm", "898350", LONG)),
    ("two drugs, no hypertension", R, "E01", "review", ("took", "rxnorm", "898350", LONG)),
    (
        "timolol eye drops are no second drug",
        *(R, "E01", "pass", HYPERTENSION, ("took", "rxnorm", "17767", LONG)),
        ("took", "rxnorm", "10600", {**LONG, "route": "eye drops", "as_": "m2"}),
    ),
    ("an infection on amoxicillin", R, "E16", "fail", INFECTION, ("took", "rxnorm", "723", RECENT)),
    ("an antifungal does not count", R, "E16", "review", INFECTION, ("took", "rxnorm", "4450", RECENT)),
]  # fmt: skip


def test_what_the_documents_say_of(row: tuple[Any, ...], decided: Callable[..., Any]) -> None:
    _, trial, criterion, status, *changes = row
    found = decided(trial, criterion, *changes)
    assert found["status"] == status, found["reason"]


def test_a_drug_that_nobody_knows_is_named_to_the_clinician(said: Callable[..., Any]) -> None:
    problems = said(D, ("took", "text", "herbal mixture", RECENT))["problems"]
    assert [(p["kind"], p["reference"]) for p in problems] == [
        ("not-recognised", "MedicationStatement/m")
    ]


def test_a_route_that_is_not_recorded_is_said(decided: Callable[..., Any]) -> None:
    assert "route" in decided(D, "E28a", ("took", "rxnorm", "6135", RECENT))["reason"]
