"""The demo's charts: what the eye gets of a record, broken ones among them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cds.content.bundled import bundled_fixtures
from cds.web.demo.chart import chart_of
from cds.web.demo.markdown import render_markdown
from cds.web.demo.reading import age, concept_text, quantity_text, spoken
from cds.web.demo.results import LabTest, lab_tests_of
from cds.web.demo.stories import read_stories
from cds.web.demo.trend import Point, trend_of
from cds.web.fhir_endpoint import Store, load_fixtures

Json = dict[str, Any]
DAY = date(2026, 3, 1)


@pytest.fixture(scope="module")
def store() -> Store:
    return load_fixtures(bundled_fixtures(), None)


def anc(value: Any, when: str = "2026-02-20", **more: Any) -> Json:
    return {
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}], "text": "ANC"},
        "effectiveDateTime": when,
        "valueQuantity": {"value": value, "unit": "10*9/L"},
    } | more


def row(*observations: Json) -> LabTest:
    [found] = lab_tests_of(observations)
    return found


@pytest.mark.parametrize("story", read_stories(bundled_fixtures()), ids=lambda story: story.name)
def test_every_invented_patient_has_a_chart_that_can_be_shown(story: Any, store: Store) -> None:
    chart = chart_of(store, store.read("Patient", story.patient), DAY)
    assert chart.person.name
    assert all(test.name and test.value for test in chart.labs + chart.vitals + chart.scores)
    assert all(one.what for one in chart.problems + chart.medications + chart.procedures)


def test_another_patients_results_are_in_nobodys_chart_but_theirs(store: Store) -> None:
    chart = chart_of(store, store.read("Patient", "strangers"), DAY)
    [counts] = [test for test in chart.labs if test.name == "Neutrophils, Absolute"]
    assert "0.34" not in " ".join(result.value for result in counts.results)


def test_the_newest_usable_result_stands_first_and_newer_unusable_ones_in_the_history() -> None:
    found = row(
        anc(1.42, "2026-02-20"),
        anc(1.72, "2026-02-20", status="amended", issued="2026-02-21T08:00:00Z"),
        anc(1.10, "2026-02-26", status="preliminary"),
    )
    assert (found.value, found.when, found.state) == ("1.72 10*9/L", "20 Feb 2026", "amended")
    assert [one.state for one in found.results] == ["preliminary", "amended", ""]


def test_a_result_without_a_value_says_why() -> None:
    absent = anc(0) | {"dataAbsentReason": {"text": "specimen clotted"}}
    del absent["valueQuantity"]
    assert row(absent).value == "no value (specimen clotted)"


def test_blood_pressure_is_one_value_with_one_unit() -> None:
    def part(value: int) -> Json:
        return {"valueQuantity": {"value": value, "unit": "mmHg"}}

    pressure = {"status": "final", "code": {"text": "BP"}, "component": [part(128), part(82)]}
    assert row(pressure).value == "128 / 82 mmHg"


@pytest.mark.parametrize(("value", "flag"), [(1.4, "low"), (1.5, ""), (8.0, ""), (8.1, "high")])
def test_a_value_is_flagged_beyond_its_own_range_only(value: float, flag: str) -> None:
    limits = [{"low": {"value": 1.5, "unit": "10*9/L"}, "high": {"value": 8.0, "unit": "10*9/L"}}]
    assert row(anc(value, referenceRange=limits)).flag == flag


def test_a_range_in_another_unit_flags_nothing() -> None:
    limits = [{"high": {"value": 1.2, "unit": "mg/dL"}}]
    assert row(anc(88, referenceRange=limits)).flag == ""


def test_of_several_ranges_none_is_chosen() -> None:
    limits = [{"high": {"value": 1.0}}, {"high": {"value": 2.0}}]
    found = row(anc(1.5, referenceRange=limits))
    assert (found.range, found.flag) == ("2 ranges", "")


def test_a_trend_is_drawn_of_results_in_one_unit_and_said_in_words() -> None:
    in_cells = anc(1500, "2026-01-10") | {"valueQuantity": {"value": 1500, "unit": "cells/uL"}}
    found = row(anc(1.0, "2026-01-01"), in_cells, anc(2.5, "2026-02-01"))
    assert found.trend is not None
    assert found.trend.says == (
        "ANC: 2 results, from 1.0 on 1 Jan 2026 to 2.5 10*9/L on 1 Feb 2026; "
        "lowest 1.0, highest 2.5."
    )


def test_one_result_is_no_trend_and_equal_ones_are_a_level_line() -> None:
    once = [Point(DAY, Decimal(2))]
    assert trend_of("ANC", once, "", None, None) is None
    level = trend_of("ANC", once * 2, "", None, None)
    assert level is not None
    assert {point.split(",")[1] for point in level.line.split()} == {"15.0"}


@pytest.mark.parametrize(
    ("born", "years"),
    [("1996-03-01", "30"), ("1996-03-02", "29"), ("2016", "9 or 10"), ("unknown", ""), (None, "")],
)
def test_age_is_completed_years_or_says_what_is_open(born: Any, years: str) -> None:
    assert age(born, DAY) == years


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("2026-03-01T08:00:00Z", "1 Mar 2026"),
        ("2026-03", "Mar 2026"),
        ("2026", "2026"),
        ("2026-13-40", "2026"),
        ("last week", ""),
        (7, ""),
    ],
)
def test_dates_are_said_as_far_as_they_are_known(when: Any, said: str) -> None:
    assert spoken(when) == said


@pytest.mark.parametrize("broken", [None, 7, "text", [], {"coding": "x"}, {"coding": [None]}])
def test_broken_elements_are_empty_and_never_an_error(broken: Any) -> None:
    assert concept_text(broken) == ""
    assert quantity_text(broken) == ""


def test_a_card_may_hold_a_table_but_never_html_or_an_image() -> None:
    html = render_markdown("| | A |\n|---|---|\n| ✗ | <b onclick=x>b</b> ![i](https://x.test/i) |")
    assert "<table>" in html
    assert "<b " not in html
    assert "<img" not in html
    assert "&lt;b onclick=x&gt;" in html


def test_an_empty_heading_cell_of_a_table_is_no_heading() -> None:
    html = render_markdown("| | A |\n|---|---|\n| x | y |")
    assert "<td></td>\n<th>A</th>" in html


def test_a_link_that_would_run_a_script_is_no_link() -> None:
    assert "<a" not in render_markdown("[press](javascript:alert(1))")
