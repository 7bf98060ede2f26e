"""Refusals and trials that were joined already are shown with the results, and hide nobody."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cds.cohort.report.page import report_page
from cds.cohort.report.results import open_results
from cds.cohort.report.terminal import print_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READY = "desmoid-ready"
FLAG = "urn:oid:2.999.7|NO-RESEARCH"


def consent(patient: str, **changes: Any) -> dict[str, Any]:
    scope = "http://terminology.hl7.org/CodeSystem/consentscope"
    return {
        "resourceType": "Consent",
        "id": f"consent-{patient}",
        "status": "active",
        "scope": {"coding": [{"system": scope, "code": "research"}]},
        "patient": {"reference": f"Patient/{patient}"},
        "provision": {"type": "deny"},
        **changes,
    }


def flag(patient: str) -> dict[str, Any]:
    return {
        "resourceType": "Flag",
        "status": "active",
        "code": {"coding": [{"system": "urn:oid:2.999.7", "code": "NO-RESEARCH"}]},
        "subject": {"reference": f"Patient/{patient}"},
    }


def subject(patient: str, study: str) -> dict[str, Any]:
    return {
        "resourceType": "ResearchSubject",
        "status": "on-study",
        "individual": {"reference": f"Patient/{patient}"},
        "study": {"reference": study},
    }


STUDY = {
    "resourceType": "ResearchStudy",
    "id": "s1",
    "identifier": [{"system": "https://clinicaltrials.gov", "value": "NCT05490667"}],
}


@pytest.fixture
def export(tmp_path: Path, stories: Any) -> Path:
    """Two of the stories as an export."""
    folder = tmp_path / "export"
    folder.mkdir()
    put(folder, *stories[READY], *stories["desmoid-itraconazole"])
    return folder


def put(export: Path, *resources: dict[str, Any]) -> None:
    for one in resources:
        with (export / f"{one['resourceType']}.ndjson").open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")


def said(out: Path) -> dict[tuple[str, str], str]:
    with (out / "determinations.csv").open(encoding="utf-8") as file:
        return {
            (row["patient"].removeprefix("Patient/"), row["trial"]): row["research"]
            for row in csv.DictReader(file)
            if row["research"]
        }


def test_a_refusal_marks_every_row_and_removes_none(export: Path, screening: Any) -> None:
    _, before = screening.run(export)
    put(export, consent(READY))
    finished, after = screening.run(export)
    assert said(before) == {}
    assert said(after) == {(READY, trial): "refuses" for trial in ("NCT05490667", "NCT07137884")}
    unmarked = (after / "determinations.csv").read_text("utf-8").replace(",refuses\n", ",\n")
    assert unmarked == (before / "determinations.csv").read_text("utf-8")
    assert finished.research == {"refuses": 1}


def test_a_trial_that_was_joined_marks_its_own_row(export: Path, screening: Any) -> None:
    put(export, subject(READY, "ResearchStudy/s1"), STUDY)
    finished, out = screening.run(export)
    assert said(out) == {(READY, "NCT05490667"): "joined"}
    assert finished.research == {"joined": 1}


@pytest.mark.parametrize(
    "consents",
    [
        consent(READY, status="inactive"),
        consent(READY, provision={"type": "permit"}),
        consent(READY, provision={"type": "deny", "period": {"end": "2026-02-28"}}),
        consent("somebody-else"),
    ],
)
def test_what_is_no_refusal_marks_nobody(
    export: Path, screening: Any, consents: dict[str, Any]
) -> None:
    put(export, consents)
    assert said(screening.run(export)[1]) == {}


def test_flags_count_where_the_site_says_that_they_refuse(export: Path, screening: Any) -> None:
    put(export, flag(READY))
    assert said(screening.run(export)[1]) == {}
    _, out = screening.run(export, refusal_flags=(FLAG,))
    assert set(said(out).values()) == {"refuses"}


def test_bundles_say_it_too(tmp_path: Path, stories: Any, screening: Any) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    resources = [*stories[READY], consent(READY), subject(READY, "ResearchStudy/s1"), STUDY]
    bundle = {"resourceType": "Bundle", "type": "collection"}
    entries = [{"resource": one} for one in resources]
    (folder / "one.json").write_text(json.dumps(bundle | {"entry": entries}), "utf-8")
    _, out = screening.run(folder)
    assert said(out)[READY, "NCT05490667"] == "refuses joined"
    assert said(out)[READY, "NCT07137884"] == "refuses"


def test_a_broken_consent_is_kept_with_its_line(export: Path, screening: Any) -> None:
    (export / "Consent.ndjson").write_text('{"resourceType": "Consent"\n', "utf-8")
    _, out = screening.run(export)
    rejects = [json.loads(line) for line in (out / "rejects.ndjson").read_text().splitlines()]
    assert ("Consent.ndjson", 1) in [(one["file"], one["line"]) for one in rejects]


def test_the_report_marks_them_and_says_where_nobody_asked(
    export: Path,
    screening: Any,
    capsys: pytest.CaptureFixture[str],
    rows: Callable[..., list[tuple[Any, ...]]],
) -> None:
    _, silent = screening.run(export)
    with open_results(silent) as results:
        assert "refusal is known" in report_page(results)
    put(export, consent(READY))
    _, out = screening.run(export)
    assert rows("select count(*) from read_parquet(?)", out / "determinations.parquet")
    with open_results(out) as results:
        page = report_page(results)
        print_report(results, sys.stdout)
    row = page[page.index(f"Patient/{READY}<") :]
    assert "refuses research" in row[: row.index("</tr>")]
    assert "refusing research: 1" in capsys.readouterr().out
