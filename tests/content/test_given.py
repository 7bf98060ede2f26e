from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from cds.content.examples import facts_of
from cds.content.given import GivenReader
from cds.content.strict_yaml import Items, Table
from cds.core.answer import Gap
from cds.core.facts import Clinical, Course, Reading, Retrieval
from cds.core.truth import Truth
from cds.core.when import completed_years

if TYPE_CHECKING:
    from cds.content.fault import Fault


def reading(value: str) -> Reading | None:
    """The value of one result, as a case states it."""
    return facts_of(({"lab": "anc", "value": value},)).results["anc"][0].reading


@pytest.mark.parametrize(
    ("value", "means"),
    [
        ("1.5 10*9/L", Reading(Decimal("1.5"), Decimal("1.5"))),
        ("<0.5 10*9/L", Reading(high=Decimal("0.5"), high_open=True)),
        ("<=0.5 10*9/L", Reading(high=Decimal("0.5"))),
        (">10 10*9/L", Reading(low=Decimal(10), low_open=True)),
        ("55 to 60 %", Reading(Decimal(55), Decimal(60))),
        ("positive", Reading(presence=Truth.MET)),
        ("negative", Reading(Decimal(0), Decimal(0), presence=Truth.NOT_MET)),
        ("indeterminate", Reading(presence=Truth.UNKNOWN)),
        ("positive without grade", Reading(low=Decimal(1), presence=Truth.MET)),
        ("2 {plus}", Reading(Decimal(2), Decimal(2), presence=Truth.MET)),
        ("0 {plus}", Reading(Decimal(0), Decimal(0), presence=Truth.NOT_MET)),
    ],
)
def test_a_value_means_what_a_clinician_wrote(value: str, means: Reading) -> None:
    assert reading(value) == means


@pytest.mark.parametrize("years", [0, 5, 18, 72])
@pytest.mark.parametrize("day", [date(2026, 3, 1), date(2026, 12, 31), date(2024, 2, 29)])
def test_an_age_is_that_many_completed_years_on_the_day_of_the_case(years: int, day: date) -> None:
    row = Table(1)
    row["age"] = str(years)
    items = Items(1)
    items.append(row)
    items.lines.append(1)
    birth = GivenReader("case", day, []).facts(items, target=None).patient.birth
    assert birth is not None
    assert completed_years(birth.first, day) == years


def test_a_result_that_cannot_be_used_carries_its_gap_and_no_value() -> None:
    (result,) = facts_of(({"lab": "anc", "gap": "unit"},)).results["anc"]
    assert (result.unusable, result.reading) == (Gap.UNIT, None)


def test_a_result_is_of_the_day_of_the_case_unless_said() -> None:
    results = facts_of(({"lab": "anc", "value": "1 10*9/L"},)).results["anc"]
    assert [result.when.text for result in results if result.when] == ["2026-03-01"]


def test_a_finding_without_a_status_has_none_stated() -> None:
    ((condition, mark),) = facts_of(({"finding": "dvt"},)).conditions["dvt"]
    assert (condition.clinical, condition.event, mark.decides) == (Clinical.NOT_STATED, None, True)


def test_one_entry_may_meet_several_concepts() -> None:
    conditions = facts_of(({"finding": "dvt", "also": "pe"},)).conditions
    assert conditions["dvt"] == conditions["pe"]


def test_a_drug_with_a_last_day_is_over_unless_said() -> None:
    ((taken, _),) = facts_of(({"medication": "x", "last_taken": "2026-02-01"},)).exposures["x"]
    ((now, _),) = facts_of(({"medication": "x"},)).exposures["x"]
    assert (taken.course, now.course) == (Course.PAST, Course.ACTIVE)


def test_types_that_were_not_read_are_kept_apart_from_empty_ones() -> None:
    stated = {"not_read": "Condition", "partly_read": "Observation", "cut_off": "MedicationRequest"}
    facts = facts_of(tuple({head: kind} for head, kind in stated.items()))
    assert facts.retrieved("Condition") is Retrieval.NOT_RETRIEVED
    assert facts.retrieved("Observation") is Retrieval.PARTIAL
    assert facts.retrieved("MedicationRequest") is Retrieval.CUT_OFF
    assert facts.retrieved("Procedure") is Retrieval.COMPLETE


@pytest.mark.parametrize(
    ("row", "says", "cure"),
    [
        ({"labb": "anc"}, "No fact begins with 'labb'.", "Did you mean 'lab'?"),
        ({"x-ray": "chest"}, "No fact begins with 'x-ray'.", "Known: age, born"),
        (
            {"lab": "anc", "value": "1", "takn": ""},
            "'lab' has no 'takn'.",
            "Did you mean 'taken'?",
        ),
        ({"lab": "anc", "value": "much"}, "'much' is no number.", "Write 'value: 1.5 10*9/L'."),
        ({"lab": "anc", "value": "1 x", "taken": "soon"}, "'soon' is no date.", ""),
        ({"finding": "dvt", "status": "gone"}, "'gone' is no clinical status.", "Write one of"),
        (
            {"finding": "dvt", "status": "resolvd"},
            "'resolvd' is no clinical status.",
            "Did you mean 'resolved'?",
        ),
        ({"lab": "anc", "gap": "units"}, "'units' is no gap.", "Did you mean 'unit'?"),
        (
            {"not_read": "Conditions"},
            "'Conditions' is no resource type.",
            "Did you mean 'Condition'?",
        ),
        ({"sex": "femal"}, "'femal' is no sex.", "Did you mean 'female'?"),
        ({"age": "twelve"}, "'twelve' is no age in completed years.", "Write 'age: 12'."),
        ({"born": "long ago"}, "'long ago' is no date.", "Write it as 2014-05-31"),
        ({"medication": "x", "status": "gone"}, "'gone' is no status of a medication.", ""),
        ({"procedure": "x", "done": "soon"}, "'soon' is no date.", ""),
    ],
)
def test_a_fact_that_cannot_be_read_says_what_is_wrong(
    row: dict[str, str], says: str, cure: str
) -> None:
    table = Table(7)
    table.update(row)
    items = Items(7)
    items.append(table)
    items.lines.append(7)
    faults: list[Fault] = []
    GivenReader("case.yaml", date(2026, 3, 1), faults).facts(items, target=None)
    assert [(fault.line, fault.says) for fault in faults] == [(7, says)]
    assert faults[0].try_this.startswith(cure)
