"""That the benchmarks work and measure the whole work; nothing here looks at a time."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks import bare, patient
from tests.benchmarks.answers import CRITERIA, check_answers, evaluated
from tests.benchmarks.engine_rows import conversion
from tests.benchmarks.rows import HEAD, Row, at_most
from tests.benchmarks.servers import cpu_per_request, floor


def test_the_service_says_what_evaluate_says_and_leaves_no_criterion_out() -> None:
    check_answers()


@pytest.mark.parametrize("number", [2, 9, 16])
def test_each_benchmark_patient_may_suit_both_trials(number: int) -> None:
    """A criterion that fails would make no card, and less work."""
    found = {one["trial"]: one for one in evaluated(patient.request(number))["trials"]}
    assert {name: len(one["criteria"]) for name, one in found.items()} == CRITERIA
    assert all(one["overall"] != "ineligible" for one in found.values())


def test_a_chart_has_the_size_that_the_goals_name() -> None:
    assert patient.body().count(b'"resource":') + 1 == 391
    assert len(patient.body(scale=10)) > 9 * len(patient.body())


def test_one_entry_in_twenty_of_a_dirty_chart_is_broken_and_every_criterion_is_told() -> None:
    problems = evaluated(patient.request(dirty=0.05))["problems"]
    assert 5 <= len(problems) <= 20


def test_the_floor_answers_its_twelve_criteria_under_the_same_server() -> None:
    body = patient.body()
    expected = bare.evaluate(*bare.chart_of(bare.decode(body)))
    assert expected == [True] * 12
    with floor(workers=1) as server:
        card = json.loads(server.post([body]))["cards"][0]
        assert card["detail"].split() == [str(one) for one in expected]
        assert cpu_per_request(server, [body], 2) >= 0


def test_a_warm_conversion_calls_no_pint() -> None:
    assert [row.ratio for row in conversion()] != [None]


def test_a_row_says_what_was_measured_against_which_goal_and_how_to_see_it_again() -> None:
    row = at_most("units", "a conversion", 4, "160 ns (114 ns)", 1.4)
    assert row.line().count("|") == HEAD.splitlines()[0].count("|")
    assert "≤ 4 ×" in row.line()
    assert "`make bench ROWS=units`" in row.line()
    absent = Row("cql", "another program", "≥ 200 ×", "not installed here", None, None)
    assert "not measured" in absent.line()
