"""Each result over time against its threshold: the picture says what the criterion says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import yaml

from cds.assess import assess_facts, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.criterion import Criterion, Decision, Kind
from cds.core.facts import Facts, Patient, Reading, Result
from cds.core.when import Evaluation, Span, read_when
from cds.engine.evaluate import decide
from cds.engine.lab import Bound, Lab, Sign
from cds.fhir.facts import facts_from
from cds.fhir.record import record_from_bundle
from cds.web.report.drawing import HEIGHT, WIDTH, chart_of
from cds.web.report.trends import trends_of

if TYPE_CHECKING:
    from pathlib import Path

    from cds.assess import Content

ON = date(2026, 3, 1)
FORM = Lab(
    ("anc",),
    "ANC",
    "10*9/L",
    ("laboratory",),
    Sign.AT_LEAST,
    (Bound(Decimal("1.5")),),
    look_back=Span(28),
)
ANC = Criterion("I07b", Kind.INCLUSION, "ANC", "ANC is at least 1.5.", FORM)


def result(name: str, value: str, day: str, issued: int | None = None) -> Result:
    reading = Reading(Decimal(value), Decimal(value))
    return Result(f"Observation/{name}", read_when(day), value, reading, issued=issued)


def decided(*results: Result) -> tuple[Decision, Facts]:
    facts = Facts(Patient("Patient/p"), results={"anc": results})
    return decide(ANC, facts, Evaluation.of(ON)), facts


def test_an_amended_result_of_the_same_instant_is_the_newest_as_it_is_for_the_criterion() -> None:
    decision, facts = decided(
        result("amended", "1.7", "2026-02-20T08:40:00Z", issued=2),
        result("first", "1.4", "2026-02-20T08:40:00Z", issued=1),
    )
    (trend,) = trends_of([decision], facts, Evaluation.of(ON))
    assert [point.shown for point in trend.points] == ["1.4 10*9/L", "1.7 10*9/L"]
    assert trend.points[-1].meets is True
    assert "ANC 1.7" in decision.reason


def test_of_results_read_in_part_none_is_drawn_that_others_may_be_missing_beside() -> None:
    results = [result("old", "2", "2019-01-31"), result("new", "2", "2026-02-20")]
    since = {"Observation:laboratory": date(2026, 2, 1)}
    for whole, days in ((), ["2026-02-20"]), (("anc",), ["2019-01-31", "2026-02-20"]):
        facts = Facts(
            Patient("Patient/p"),
            results={"anc": results},
            whole_since=since,
            whole_concepts=whole,
        )
        decision = decide(ANC, facts, Evaluation.of(ON))
        (trend,) = trends_of([decision], facts, Evaluation.of(ON))
        assert [point.day.isoformat() for point in trend.points] == days
        assert trend.since == (None if whole else date(2026, 2, 1))


def test_a_result_before_the_look_back_is_drawn_and_said_to_be_too_old() -> None:
    decision, facts = decided(result("old", "2", "2026-01-31"))
    (trend,) = trends_of([decision], facts, Evaluation.of(ON))
    assert trend.too_old
    assert chart_of(trend, ON).dots[-1].shape == "open"
    decision, facts = decided(result("in time", "2", "2026-02-01"))
    (trend,) = trends_of([decision], facts, Evaluation.of(ON))
    assert not trend.too_old


@pytest.mark.parametrize("value", ["0.1", "1.4", "1.5", "1.6", "9"])
def test_numbers_stand_within_the_picture_and_off_the_line_of_the_threshold(value: str) -> None:
    decision, facts = decided(result("one", value, "2026-02-28"))
    (trend,) = trends_of([decision], facts, Evaluation.of(ON))
    chart = chart_of(trend, ON)
    assert [label.kind for label in chart.labels] == ["newest", "bound"]
    assert [label.value for label in chart.labels] == [Decimal(value), Decimal("1.5")]
    for label in chart.labels:
        assert 0 <= label.x <= WIDTH
        assert 8 < label.y < HEIGHT - 8


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


@pytest.mark.parametrize(
    "story",
    [path.parent for path in sorted(bundled_fixtures().glob("*/story.yaml"))],
    ids=lambda folder: folder.name,
)
def test_the_newest_point_of_each_trend_is_the_result_that_decided(
    story: Path, content: Content
) -> None:
    day = date.fromisoformat(yaml.safe_load((story / "story.yaml").read_text("utf-8"))["day"])
    asked = Evaluation.of(day)
    record = record_from_bundle((story / "bundle.json").read_bytes())
    facts = facts_from(record, content.terminology, asked.zone, content.units)
    for determination in assess_facts(facts, content, asked).determinations:
        by_id = {decision.criterion.id: decision for decision in determination.decisions}
        for trend in trends_of(determination.decisions, facts, asked):
            decision = by_id[trend.criteria[0]]
            if isinstance(decision.criterion.form, Lab) and decision.status.value in {
                "pass",
                "fail",
            }:
                meets = decision.status.value == "pass"
                assert trend.points[-1].meets is meets, decision.criterion.id
