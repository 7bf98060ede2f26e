"""A type without a file was not retrieved unless something says that it was asked for."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An export of one patient and their diagnosis: no file of any other type."""
    folder = tmp_path / "small"
    folder.mkdir()
    patient = {"resourceType": "Patient", "id": "p", "birthDate": "1980-01-01"}
    condition = {
        "resourceType": "Condition",
        "id": "c",
        "subject": {"reference": "Patient/p"},
        "code": {"text": "desmoid tumour"},
    }
    (folder / "Patient.ndjson").write_text(json.dumps(patient), "utf-8")
    (folder / "Condition.ndjson").write_text(json.dumps(condition), "utf-8")
    return folder


def manifest(folder: Path, query: str, **more: Any) -> None:
    said = {
        "transactionTime": "2026-03-01T02:00:00Z",
        "request": f"https://ehr.example/fhir/Group/7/$export{query}",
        "requiresAccessToken": True,
        "output": [],
        "error": [],
    }
    (folder / "manifest.json").write_text(json.dumps(said | more), "utf-8")


def states(screening: Any, folder: Path, **changes: Any) -> dict[str, str]:
    finished, _ = screening.run(folder, **{"complete": ()} | changes)
    return {kind: covered.state.value for kind, covered in finished.coverage.items()}


def test_a_type_with_a_file_was_read_and_one_without_was_not(folder: Path, screening: Any) -> None:
    (folder / "Procedure.ndjson").write_text("", "utf-8")
    found = states(screening, folder)
    assert (found["Condition"], found["Procedure"]) == ("complete", "complete")
    assert found["MedicationRequest"] == "not retrieved"


def test_the_command_line_may_say_that_a_type_was_asked_for(folder: Path, screening: Any) -> None:
    found = states(screening, folder, complete=("Procedure",), not_kept=("MedicationStatement",))
    assert found["Procedure"] == "complete"
    assert found["MedicationStatement"] == "not kept there"
    assert found["Observation"] == "not retrieved"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "complete"),
        ("?_type=Patient,Condition,Procedure", "complete"),
        ("?_type=Patient%2CProcedure", "complete"),
        ("?_type=Patient,Condition", "not retrieved"),
        ("?_since=2026-01-01T00:00:00Z", "cut off"),
        ("?_type=Procedure&_typeFilter=Procedure%3Fstatus%3Dcompleted", "cut off"),
    ],
)
def test_the_exports_manifest_says_what_was_asked_for(
    query: str, expected: str, folder: Path, screening: Any
) -> None:
    manifest(folder, query)
    assert states(screening, folder)["Procedure"] == expected


@pytest.mark.parametrize(
    ("query", "since"),
    [
        ("?_since=2026-01-01T00:00:00Z", date(2026, 1, 3)),
        ("?_since=2026-01-01T00:00:00Z&_type=Observation", date(2026, 1, 3)),
        ("?_since=yesterday", None),
        ("?_since=2026-01-01T00:00:00Z&_until=2026-02-01T00:00:00Z", None),
        ("?_typeFilter=Observation%3Fstatus%3Dfinal", None),
    ],
)
def test_an_export_of_what_changed_since_an_instant_holds_all_results_since_the_day_after(
    query: str, since: date | None, folder: Path, screening: Any
) -> None:
    (folder / "Observation.ndjson").write_text("", "utf-8")
    manifest(folder, query)
    finished, _ = screening.run(folder, complete=())
    covered = finished.coverage["Observation"]
    assert (covered.state.value, covered.since) == ("cut off", since)


def test_fewer_resources_than_the_manifest_promises_are_incomplete(
    folder: Path, screening: Any
) -> None:
    output = [{"type": "Condition", "url": "https://ehr.example/1", "count": 2}]
    manifest(folder, "", output=output)
    assert states(screening, folder)["Condition"] == "cut off"


def test_an_error_that_the_export_reports_makes_everything_incomplete(
    folder: Path, screening: Any
) -> None:
    (folder / "error").mkdir()
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "exception"}],
    }
    (folder / "error" / "1.ndjson").write_text(json.dumps(outcome), "utf-8")
    assert set(states(screening, folder).values()) == {"cut off"}


def test_what_was_not_retrieved_is_unknown_in_the_rows(
    folder: Path, screening: Any, rows: Any
) -> None:
    query = (
        "select status, gaps[1].gap from read_parquet(?) "
        "where trial = 'NCT05490667' and criterion = 'E28a'"
    )
    _, out = screening.run(folder, complete=())
    assert rows(query, out / "criteria.parquet") == [("unknown", "not-retrieved")]
    _, out = screening.run(folder, complete=("MedicationRequest", "MedicationStatement"))
    assert rows(query, out / "criteria.parquet") == [("pass", None)]


def test_the_manifest_says_how_each_type_was_read(folder: Path, screening: Any) -> None:
    _, out = screening.run(folder, complete=())
    said = json.loads((out / "manifest.json").read_text("utf-8"))
    assert said["types"]["Observation"] == {
        "state": "not retrieved",
        "why": "the export holds no file of it",
    }
    assert [file["name"] for file in said["source"]["files"]] == [
        "Condition.ndjson",
        "Patient.ndjson",
    ]
