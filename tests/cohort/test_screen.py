"""Screening says of every patient what `evaluate` says, however the export is written down."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cds.assess import assess
from cds.cohort.fault import CohortFault
from cds.core.assessment import assessment_json
from cds.core.when import Evaluation
from cds.fhir.record import record_from_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from cds.assess import Content

    Stories = dict[str, list[dict[str, Any]]]

DAY = date(2026, 3, 1)


def evaluated(stories: Stories, content: Content) -> dict[str, Any]:
    """What `evaluate FILE` says of each living patient, by reference."""
    found = {}
    for resources in stories.values():
        bundle = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": resource} for resource in resources],
        }
        record = record_from_bundle(json.dumps(bundle).encode())
        assessment = assess(record, content, Evaluation.of(DAY))
        if not assessment.deceased:
            found[assessment.patient] = assessment_json(assessment)["trials"]
    return found


_CRITERIA = (
    "select patient, trial, criterion, kind, status, reason, evidence, gaps, clears_on "
    "from read_parquet(?)"
)


def screened(out: Path) -> dict[str, Any]:
    """What the tables of a screening say, in the same shape as far as they hold it."""
    with duckdb.connect() as base:
        criteria = base.execute(_CRITERIA, [str(out / "criteria.parquet")]).fetchall()
    found: dict[str, Any] = {}
    for patient, trial, *rest in criteria:
        found.setdefault(patient, {}).setdefault(trial, []).append(rest)
    return found


def as_rows(evaluated: dict[str, Any]) -> dict[str, Any]:
    """`evaluate`'s answer as rows of the criteria table."""
    found: dict[str, Any] = {}
    for patient, trials in evaluated.items():
        for trial in trials:
            found.setdefault(patient, {})[trial["trial"]] = [
                [
                    one["id"],
                    one["kind"],
                    one["status"],
                    one["reason"],
                    one["evidence"],
                    one["gaps"],
                    one["clears_on"],
                ]
                for one in trial["criteria"]
            ]
    return found


def plain(rows: dict[str, Any]) -> Any:
    """The same with dates as text."""
    return json.loads(json.dumps(rows, default=str))


def determinations(out: Path) -> list[dict[str, str]]:
    with (out / "determinations.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rows_say_what_evaluate_says(
    export: Path, stories: Stories, content: Content, screening: Any
) -> None:
    finished, out = screening.run(export)
    expected = evaluated(stories, content)
    assert plain(screened(out)) == plain(as_rows(expected))
    assert (finished.deceased, finished.rejected_patients) == (1, 0)
    got = {(row["patient"], row["trial"]): row for row in determinations(out)}
    assert len(got) == len(expected) * len(content.trials)
    for patient, trials in expected.items():
        for trial in trials:
            row = got[patient, trial["trial"]]
            assert row["overall"] == trial["overall"]
            assert row["clears_on"] == (trial["clears_on"] or "")
            for status in ("fail", "unknown", "review"):
                ids = sorted(one["id"] for one in trial["criteria"] if one["status"] == status)
                assert row[status] == " ".join(ids)


def test_the_csv_has_the_contracts_columns_and_is_sorted(export: Path, screening: Any) -> None:
    _, out = screening.run(export)
    rows = determinations(out)
    columns = ["patient", "trial", "overall", "fail", "unknown", "review", "clears_on"]
    assert list(rows[0])[: len(columns)] == columns
    keys = [(row["patient"], row["trial"]) for row in rows]
    assert keys == sorted(keys)


def split(export: Path, folder: Path) -> None:
    """Many files for a type, some compressed, patients scattered over them."""
    for path in export.iterdir():
        lines = path.read_bytes().splitlines(keepends=True)
        for part in range(3):
            data = b"".join(lines[part::3])
            (folder / f"{path.stem}.{part:03}.ndjson.gz").write_bytes(gzip.compress(data))


def turned(export: Path, folder: Path) -> None:
    """Patients in another order in every file."""
    for path in export.iterdir():
        lines = path.read_bytes().splitlines(keepends=True)
        (folder / path.name).write_bytes(b"".join(sorted(lines)))


def nameless(export: Path, folder: Path) -> None:
    """One file of all types, whose name says none, with Windows line ends and blank lines."""
    data = b"".join(path.read_bytes() for path in sorted(export.iterdir()))
    (folder / "part-0000.ndjson").write_bytes(data.replace(b"\n", b"\r\n\r\n"))


def parquet(export: Path, folder: Path) -> None:
    """One text column that holds the resource, in a folder of part files for each type."""
    for path in export.iterdir():
        (folder / path.stem).mkdir()
        lines = path.read_text("utf-8").splitlines()
        pq.write_table(pa.table({"resource": lines}), folder / path.stem / "part-0.parquet")


def as_bundles(export: Path, folder: Path) -> None:
    """One Bundle for each patient, every second one compressed."""
    lines = [
        json.loads(line)
        for path in sorted(export.iterdir())
        for line in path.read_text("utf-8").splitlines()
    ]
    shared = [one for one in lines if one["resourceType"] == "Medication"]
    patients = [one for one in lines if one["resourceType"] == "Patient"]
    for number, patient in enumerate(patients):
        own = [
            one
            for one in lines
            if isinstance(one.get("subject"), dict)
            and one["subject"].get("reference", "").endswith(f"Patient/{patient['id']}")
        ]
        entries = [{"resource": one} for one in (patient, *own, *shared)]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        data = json.dumps(bundle).encode()
        if number % 2:
            (folder / f"chart-{number}.json.gz").write_bytes(gzip.compress(data))
        else:
            (folder / f"chart-{number}.json").write_bytes(data)


@pytest.mark.parametrize("written", [split, turned, nameless, parquet, as_bundles])
def test_the_form_of_the_export_changes_no_determination(
    written: Any, export: Path, screening: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    written(export, folder)
    _, one = screening.run(export)
    _, other = screening.run(folder)
    assert (other / "determinations.csv").read_bytes() == (one / "determinations.csv").read_bytes()


def test_columns_of_parquet_are_read_as_resources(screening: Any, tmp_path: Path) -> None:
    """A table whose columns are the elements of the resource, as Spark writes it."""
    folder = tmp_path / "columns"
    folder.mkdir()
    patient = {"id": ["p1"], "gender": ["female"], "birthDate": ["1980-05-05"]}
    coding = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "D48.110", "display": None}
    condition = {
        "id": ["c1"],
        "subject": [{"reference": "Patient/p1"}],
        "code": [{"coding": [coding], "text": "Desmoid"}],
        "onsetDateTime": pa.array([None], pa.string()),
    }
    pq.write_table(pa.table(patient), folder / "Patient.parquet")
    pq.write_table(pa.table(condition), folder / "Condition.parquet")
    finished, out = screening.run(folder)
    assert finished.evaluated == 1
    desmoid = next(row for row in determinations(out) if row["trial"] == "NCT05490667")
    assert desmoid["target"] == "pass"


def test_the_same_input_gives_the_same_bytes_and_rows(
    export: Path, screening: Any, rows: Any
) -> None:
    _, one = screening.run(export)
    _, other = screening.run(export, workers=2)
    for name in ("determinations.csv", "manifest.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    for name in ("determinations", "criteria", "unrecognised"):
        tables = [rows("from read_parquet(?)", out / f"{name}.parquet") for out in (one, other)]
        assert tables[0] == tables[1]
        assert tables[0]


def test_products_that_orders_refer_to_come_with_the_patient(
    screening: Any, tmp_path: Path
) -> None:
    """The order names a product, the product an ingredient that is a product of its own."""
    folder = tmp_path / "orders"
    folder.mkdir()
    told: dict[str, dict[str, Any]] = {
        "Patient": {"id": "p", "birthDate": "1980-01-01"},
        "Condition": {
            "id": "c",
            "subject": {"reference": "Patient/p"},
            "code": {"text": "desmoid tumour"},
        },
        "MedicationRequest": {
            "id": "r",
            "status": "active",
            "intent": "order",
            "authoredOn": "2026-02-27",
            "subject": {"reference": "Patient/p"},
            "medicationReference": {"reference": "Medication/kit"},
        },
    }
    for kind, resource in told.items():
        (folder / f"{kind}.ndjson").write_text(
            ndjson([{"resourceType": kind, **resource}]), "utf-8"
        )
    kit = {"id": "kit", "ingredient": [{"itemReference": {"reference": "Medication/part"}}]}
    part = {"id": "part", "code": {"text": "clarithromycin 500 mg tablet"}}
    products = [{"resourceType": "Medication", **one} for one in (part, kit)]
    (folder / "Medication.ndjson").write_text(ndjson(products), "utf-8")
    _, out = screening.run(folder)
    failed = {row["trial"]: row["fail"] for row in determinations(out)}
    assert "E28a" in failed["NCT05490667"].split()


def ndjson(resources: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(resource) + "\n" for resource in resources)


def test_a_broken_line_is_kept_with_file_and_line_and_costs_only_its_patient(
    export: Path, screening: Any
) -> None:
    conditions = export / "Condition.ndjson"
    broken = '{"resourceType":"Condition","subject":{"reference":"Patient/rms-ready"},"code":\n'
    conditions.write_text(broken + "not json\n" + conditions.read_text("utf-8"), "utf-8")
    finished, out = screening.run(export)
    assert finished.rejected_lines == 2
    rejects = [
        json.loads(line) for line in (out / "rejects.ndjson").read_text("utf-8").split("\n") if line
    ]
    assert [(one["file"], one["line"], one["text"]) for one in rejects] == [
        ("Condition.ndjson", 1, broken.rstrip()),
        ("Condition.ndjson", 2, "not json"),
    ]
    rows = {row["patient"]: row for row in determinations(out) if row["trial"] == "NCT07137884"}
    assert rows["Patient/rms-ready"]["overall"] == "undetermined"
    assert rows["Patient/rms-marrow"]["overall"] == "potentially-eligible"


def test_strict_stops_at_a_broken_line_and_names_it(export: Path, screening: Any) -> None:
    with (export / "Observation.ndjson").open("a", encoding="utf-8") as file:
        file.write("{\n")
    lines = len((export / "Observation.ndjson").read_text("utf-8").splitlines())
    with pytest.raises(CohortFault, match=rf"Observation\.ndjson:{lines}: it is not a JSON object"):
        screening.run(export, strict=True)


def test_a_damaged_archive_makes_its_type_incomplete(export: Path, screening: Any) -> None:
    data = gzip.compress((export / "Condition.ndjson").read_bytes())
    (export / "Condition.ndjson").unlink()
    (export / "Condition.ndjson.gz").write_bytes(data[: len(data) // 2])
    finished, out = screening.run(export)
    assert finished.coverage["Condition"].state.value == "cut off"
    assert "Condition.ndjson.gz" in (out / "rejects.ndjson").read_text("utf-8")
    assert {row["overall"] for row in determinations(out)} <= {"undetermined", "ineligible"}


def test_a_file_that_ends_in_the_middle_of_a_line_makes_its_type_incomplete(
    export: Path, screening: Any
) -> None:
    """Whose the lost lines are, nobody knows; what is there counts."""
    path = export / "Condition.ndjson"
    path.write_bytes(path.read_bytes()[:-20])
    finished, out = screening.run(export)
    assert finished.coverage["Condition"].state.value == "cut off"
    assert finished.coverage["Observation"].state.value == "complete"
    assert {row["overall"] for row in determinations(out)} <= {"undetermined", "ineligible"}
    whole = path.read_bytes().splitlines(keepends=True)[:-1]
    path.write_bytes(b"".join(whole).removesuffix(b"\n"))
    finished, _ = screening.run(export)
    assert finished.coverage["Condition"].state.value == "complete", "a line end may be missing"


def test_a_bulk_clients_log_is_no_part_of_the_export(export: Path, screening: Any) -> None:
    log = {
        "exportId": "1",
        "eventId": "kickoff",
        "eventDetail": {"exportUrl": "https://ehr.example"},
    }
    (export / "log.ndjson").write_text(json.dumps(log) + "\n", "utf-8")
    (export / "Encounter.ndjson").write_text("not read at all\n", "utf-8")
    finished, out = screening.run(export)
    assert finished.rejected_lines == 0
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert {"log.ndjson", "Encounter.ndjson"} <= set(manifest["source"]["not_read"])


def test_the_dead_have_no_row_and_are_counted(export: Path, screening: Any) -> None:
    _, out = screening.run(export)
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest["counts"]["deceased"] == 1
    assert not [row for row in determinations(out) if row["patient"] == "Patient/deceased"]


def test_resources_of_people_who_are_not_in_the_export_are_counted(
    export: Path, screening: Any
) -> None:
    patients = (export / "Patient.ndjson").read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in patients if json.loads(line)["id"] != "long-chart"]
    (export / "Patient.ndjson").write_text("".join(kept), "utf-8")
    _, out = screening.run(export)
    counts = json.loads((out / "manifest.json").read_text("utf-8"))["counts"]
    assert counts["patients_without_patient_resource"] == 1
    assert counts["their_resources"] > 300


def write(folder: Path, *resources: dict[str, Any]) -> None:
    """An export of a few resources."""
    folder.mkdir(exist_ok=True)
    for resource in resources:
        with (folder / f"{resource['resourceType']}.ndjson").open("a", encoding="utf-8") as file:
            file.write(json.dumps(resource) + "\n")


PATIENT = {"resourceType": "Patient", "id": "p", "birthDate": "1980-01-01"}
DESMOID = {
    "resourceType": "Condition",
    "id": "c",
    "subject": {"reference": "Patient/p"},
    "code": {"text": "desmoid tumour"},
}
OLD_STATEMENT = {
    "resourceType": "MedicationStatement",
    "id": "m",
    "taken": "y",
    "status": "active",
    "subject": {"reference": "Patient/p"},
    "medicationCodeableConcept": {"text": "x"},
}


@pytest.mark.parametrize(
    "resources", [[{**DESMOID, "clinicalStatus": "active"}], [DESMOID, OLD_STATEMENT]]
)
def test_another_fhir_version_is_refused_with_a_sentence(
    resources: list[dict[str, Any]], screening: Any, tmp_path: Path
) -> None:
    write(tmp_path / "old", PATIENT, *resources)
    with pytest.raises(CohortFault, match="STU3"):
        screening.run(tmp_path / "old")


def test_results_and_drugs_are_not_read_where_the_diagnosis_decides(
    screening: Any, tmp_path: Path
) -> None:
    """Nobody without the diagnosis is refused for what could not have changed the answer."""
    write(tmp_path / "old", PATIENT, OLD_STATEMENT)
    finished, out = screening.run(tmp_path / "old")
    assert finished.rejected_patients == 0
    assert {(row["overall"], row["target"]) for row in determinations(out)} == {
        ("ineligible", "fail")
    }


@pytest.mark.parametrize(
    ("name", "says"),
    [("missing", "is no folder"), ("empty", "neither NDJSON"), ("nobody", "no Patient")],
)
def test_a_source_that_cannot_be_screened_is_one_sentence(
    name: str, says: str, screening: Any, tmp_path: Path
) -> None:
    for folder in ("empty", "nobody"):
        (tmp_path / folder).mkdir()
    (tmp_path / "nobody" / "Observation.ndjson").write_text("", "utf-8")
    with pytest.raises(CohortFault, match=says):
        screening.run(tmp_path / name)


@pytest.mark.parametrize("damage", ["three bytes", "no end", "a broken page"])
def test_a_parquet_file_that_is_none_is_one_sentence(
    damage: str, export: Path, screening: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "columns"
    folder.mkdir()
    parquet(export, folder)
    file = folder / "Observation" / "part-0.parquet"
    data = file.read_bytes()
    broken = bytes(8 if 100 < place < 400 else byte for place, byte in enumerate(data))
    file.write_bytes({"three bytes": b"abc", "no end": data[:-40]}.get(damage, broken))
    with pytest.raises(CohortFault, match=r"^SOURCE: 'Observation/part-0\.parquet' [^\n]*$"):
        screening.run(folder)


def test_entries_that_no_list_knows_are_counted(export: Path, screening: Any, rows: Any) -> None:
    _, out = screening.run(export)
    found = rows("from read_parquet(?)", out / "unrecognised.parquet")
    names = {(kind, code, display): counts for kind, _, code, display, *counts in found}
    herbal = "Dr. Faux's Jade Spring pills (herbal, contents not known)"
    assert names["Medication", "", herbal] == [1, 1]
    port = "Removal of tunneled central venous catheter with port"
    assert names["Procedure", "P-4410", port] == [1, 1]
    assert not [name for name in names if name[2] == "Potassium"], "LOINC says that it is another"
