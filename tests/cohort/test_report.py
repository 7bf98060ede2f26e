"""The coordinator's views are true to the rows, and the page needs nothing else."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from datetime import date
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from cds.cohort.fault import CohortFault
from cds.cohort.report.page import report_page
from cds.cohort.report.quality import mapped, report_card, units
from cds.cohort.report.results import open_results
from cds.cohort.report.terminal import print_report
from cds.cohort.report.views import TrialViews, trial_views

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cds.cohort.report.results import Results

DAY = date(2026, 3, 1)
ICD = "http://hl7.org/fhir/sid/icd-10-cm"


def condition(patient: str, name: str, code: dict[str, Any], **more: Any) -> str:
    told = {"resourceType": "Condition", "id": name, "subject": {"reference": f"Patient/{patient}"}}
    return json.dumps(told | {"code": code} | more) + "\n"


def coded(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": ICD, "code": code, "display": display}]}


@pytest.fixture
def results(export: Path, screening: Any) -> Iterator[Results]:
    """The stories, two people with an unspecific diagnosis, and a result in an unknown unit."""
    refuted = {"verificationStatus": {"coding": [{"code": "refuted"}]}}
    with (export / "Condition.ndjson").open("a", encoding="utf-8") as file:
        file.write(condition("ordinary-chart", "x1", coded("D48.1", "Neoplasm, connective tissue")))
        file.write(condition("desmoid-refuted", "x2", coded("C49.9", "Soft tissue cancer")))
        file.write(condition("deceased", "x3", coded("C49.9", "Soft tissue cancer")))
        file.write(condition("rms-ready", "x4", coded("D48.1", "Neoplasm"), **refuted))
    text = (export / "Observation.ndjson").read_text("utf-8").splitlines()
    for number, line in enumerate(text):
        one = json.loads(line)
        if one["subject"]["reference"].endswith("/desmoid-bare"):
            pytest.fail("the bare chart has no results")
        if one["subject"]["reference"].endswith("/desmoid-ready") and "718-7" in line:
            one["valueQuantity"] = {"value": 12.1, "unit": "stones"}
            text[number] = json.dumps(one)
    (export / "Observation.ndjson").write_text("\n".join(text) + "\n", "utf-8")
    _, out = screening.run(export)
    with open_results(out) as results:
        yield results


@pytest.fixture
def desmoid(results: Results) -> TrialViews:
    return trial_views(results, results.catalogue.trials[0], DAY)


def test_the_funnel_loses_each_patient_once_and_ends_with_those_who_are_left(
    desmoid: TrialViews,
) -> None:
    left = desmoid.evaluated
    for step in desmoid.funnel:
        left -= step.lost
        assert step.left == left
        assert step.alone is None or step.alone <= step.fails
        assert step.lost <= step.fails
    kept = desmoid.overall["potentially-eligible"] + desmoid.overall["undetermined"]
    assert left == kept
    assert desmoid.funnel[0].id == "I01a"
    criteria = [criterion.id for criterion in desmoid.trial.criteria]
    assert [step.id for step in desmoid.funnel[1:]] == [c for c in criteria if c != "I01a"]


def test_two_reasons_of_one_patient_are_lost_at_the_first_and_alone_at_neither(
    desmoid: TrialViews,
) -> None:
    """Clarithromycin: E28a and E29. Itraconazole: E28a only."""
    steps = {step.id: step for step in desmoid.funnel}
    assert (steps["E28a"].lost, steps["E28a"].fails, steps["E28a"].alone) == (2, 2, 1)
    assert (steps["E29"].lost, steps["E29"].fails, steps["E29"].alone) == (0, 1, 0)


def test_of_those_without_the_target_diagnosis_nobody_knows_what_else_excludes_them(
    results: Results, desmoid: TrialViews
) -> None:
    """Nothing else was asked of them: a number would promise patients whom nobody has looked at."""
    assert desmoid.funnel[0].fails > 0
    assert [step.id for step in desmoid.funnel if step.alone is None] == ["I01a"]
    row = re.search(r'<th scope="row">I01a</th>.*?</tr>', report_page(results))
    assert row is not None
    assert row[0].endswith('<td class="n">–</td></tr>')
    line = next(one for one in printed(results).splitlines() if "I01a" in one)
    assert line.rstrip(" │").endswith("–")
    assert "nothing else was asked" in printed(results)


def test_what_a_cut_table_leaves_out_is_counted(
    results: Results, desmoid: TrialViews, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows that are shown and the line below them add up."""
    monkeypatch.setattr("cds.cohort.report.terminal._SHOWN", 2)
    lost = sorted((step for step in desmoid.funnel if step.fails), key=lambda one: -one.fails)
    rest = lost[2:]
    said = " ".join(printed(results).split())
    assert (
        f"… and {len(rest)} more criteria, lost there: {sum(step.lost for step in rest)}; "
        f"{desmoid.funnel[-1].left} remain in the end" in said
    )
    assert f"… and {desmoid.candidates_total - 2} more; determinations.csv has all" in said
    assert f"… and {len(desmoid.missing) - 2} more; the page has all" in said
    assert f"… and {desmoid.possible_total - 2} more; possible.parquet and" in said
    monkeypatch.setattr("cds.cohort.report.views.SETS_LISTED", 1)
    monkeypatch.setattr("cds.cohort.report.page._CHARTED", 1)
    page = report_page(results)
    assert f"The first 1 of {desmoid.sets_total}, by patients" in page
    assert f"the first 1 of {len(desmoid.missing)}, the table has all" in page
    assert f"1 of {len(desmoid.lacking)}, the table has all" in page


def printed(results: Results) -> str:
    out = io.StringIO()
    print_report(results, out)
    return out.getvalue()


def test_a_test_settles_whoever_lacks_nothing_else(desmoid: TrialViews) -> None:
    tests = {test.concept: test for test in desmoid.missing}
    assert tests["tsh"].settles == 1, "the long chart lacks TSH alone"
    assert tests["tsh"].patients > 1
    assert "not-recorded" in tests["tsh"].gaps
    assert ("TSH",) in [one.labels for one in desmoid.sets]


def test_near_misses_have_one_reason_and_say_it(desmoid: TrialViews) -> None:
    near = {one.patient: one for one in desmoid.near}
    assert near["Patient/desmoid-itraconazole"].criterion == "E28a"
    assert "itraconazole" in near["Patient/desmoid-itraconazole"].reason
    assert "Patient/desmoid-clarithromycin" not in near
    assert "Patient/ordinary-chart" not in near, "without the diagnosis nobody is near"


def test_soon_are_those_whom_time_alone_keeps_out(desmoid: TrialViews) -> None:
    assert [(one.patient, str(one.clears_on), one.days) for one in desmoid.soon] == [
        ("Patient/desmoid-itraconazole", "2026-03-04", 3),
        ("Patient/desmoid-clarithromycin", "2026-03-25", 24),
    ]


def test_unspecific_provisional_and_named_targets_are_shown(results: Results) -> None:
    desmoid, sarcoma = (trial_views(results, one, DAY) for one in results.catalogue.trials)
    found = {(one.patient, one.what): one.why for one in desmoid.possible}
    why = found["Patient/ordinary-chart", "Neoplasm, connective tissue"]
    assert why == "unspecific: ICD-10-CM D48.1"
    assert ("Patient/desmoid-refuted", "Soft tissue cancer") in found
    assert any(patient == "Patient/desmoid-provisional" for patient, _ in found)
    assert not [key for key in found if key[0] in {"Patient/deceased", "Patient/rms-ready"}]
    assert [one.patient for one in sarcoma.possible] == ["Patient/desmoid-refuted"]


def test_units_that_nobody_knows_are_named(results: Results) -> None:
    assert ("haemoglobin", "stones", 1) in [tuple(gap) for gap in units(results)]


def test_completeness_counts_those_with_the_diagnosis(desmoid: TrialViews) -> None:
    known = {row.concept: row for row in desmoid.known}
    with_target = sum(
        1 for one in desmoid.funnel if one.id == "I01a" for _ in range(desmoid.evaluated - one.lost)
    )
    assert known["tsh"].patients == with_target
    assert 0 < known["tsh"].known < with_target
    assert known["strong_cyp3a4_inhibitor"].known == with_target


def test_the_report_card_has_nine_items_and_says_who_signed(results: Results) -> None:
    items = report_card(results)
    assert len(items) == 9
    assert all(item.says for item in items)
    assert any("nobody has signed" in line for item in items for line in item.says)
    shares = {row.kind: row.share for row in mapped(results)}
    assert 0 < shares["Procedure"] < 1


@dataclass
class Page(HTMLParser):
    """What a page refers to, and its tables and images."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.anchors: list[str] = []
        self.unnamed: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag says."""
        given = dict(attrs)
        self.tags.append(tag)
        self.ids.add(given.get("id") or "")
        address = given.get("href") or ""
        if tag == "a" and address.startswith("#"):
            self.anchors.append(address[1:])
        elif address or given.get("src"):
            self.loads.append(f"{tag} {address}{given.get('src') or ''}")
        if tag == "svg" and not given.get("aria-label"):
            self.unnamed.append(tag)


def test_the_page_stands_alone_and_names_its_charts(results: Results) -> None:
    html = report_page(results)
    page = Page()
    page.feed(html)
    assert page.loads == []
    assert "script" not in page.tags
    assert not re.search(r"url\(|@import", html)
    assert page.tags.count("svg") >= 4
    assert page.unnamed == []
    assert set(page.anchors) <= page.ids
    assert page.tags.count("h1") == 1


def test_charts_take_the_colours_of_a_dark_screen(results: Results) -> None:
    """Each colour of a chart is one that the page replaces; none is left as it was drawn."""
    html = report_page(results)
    drawn = re.findall(r"<svg .*?</svg>", html, re.DOTALL)
    used = {one for svg in drawn for one in re.findall(r'(?:fill|stroke)="(#\w+)"', svg)}
    replaced = set(re.findall(r'figure \[(?:fill|stroke)="(#\w+)"\]', html))
    assert used
    assert used <= replaced


def test_what_came_from_a_record_is_escaped(export: Path, screening: Any) -> None:
    with (export / "Condition.ndjson").open("a", encoding="utf-8") as file:
        name = "<script>alert(1)</script>"
        file.write(condition("ordinary-chart", "x1", coded("D48.1", name)))
    _, out = screening.run(export)
    with open_results(out) as results:
        html = report_page(results)
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_terminal_shows_the_same_numbers(results: Results, desmoid: TrialViews) -> None:
    said = printed(results)
    assert f"{desmoid.evaluated} evaluated" in said
    assert f"One criterion away ({desmoid.near_total})" in said
    assert "Patient/desmoid-itraconazole" in said
    assert "\x1b" not in said


def test_a_folder_without_results_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CohortFault, match="no finished screening"), open_results(tmp_path):
        pass
