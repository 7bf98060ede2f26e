"""A Bundle that cannot be read costs its patient every pass by absence; unnamed, everybody."""

from __future__ import annotations

import csv
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from cds.cohort.bundles import belongs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Stories = dict[str, list[dict[str, Any]]]

ITRACONAZOLE, READY = "desmoid-itraconazole", "desmoid-ready"
DESMOID = "NCT05490667"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"


def bundle(resources: list[dict[str, Any]], **more: Any) -> bytes:
    """A Bundle as a file."""
    entries = [{"resource": resource} for resource in resources]
    told = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return json.dumps(told | more).encode()


def drugs(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in resources if one["resourceType"].startswith("Medication")]


def without_drugs(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in resources if not one["resourceType"].startswith("Medication")]


@pytest.fixture
def folder(tmp_path: Path, stories: Stories) -> Path:
    """Two charts; the drugs of one of them are in a second file, which is not written yet."""
    source = tmp_path / "charts"
    source.mkdir()
    (source / "part1.json").write_bytes(bundle(without_drugs(stories[ITRACONAZOLE])))
    (source / "ready.json").write_bytes(bundle(stories[READY]))
    return source


@pytest.fixture
def second(stories: Stories) -> bytes:
    """The second file, whole: the Patient and the drugs."""
    own = stories[ITRACONAZOLE]
    person = [one for one in own if one["resourceType"] == "Patient"]
    return bundle([*person, *drugs(own)])


def verdicts(out: Path) -> dict[str, str]:
    with (out / "determinations.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["trial"] == DESMOID]
    return {row["patient"].removeprefix("Patient/"): row["overall"] for row in rows}


def unknown(out: Path, patient: str, rows: Any) -> set[str]:
    found = rows(
        "select criterion, patient from read_parquet(?) where status = 'unknown'",
        out / "criteria.parquet",
    )
    return {criterion for criterion, whose in found if whose == f"Patient/{patient}"}


def test_the_whole_chart_is_ineligible(folder: Path, second: bytes, screening: Any) -> None:
    (folder / "part2.json").write_bytes(second)
    _, out = screening.run(folder)
    found = verdicts(out)
    assert (found[ITRACONAZOLE], found[READY]) == ("ineligible", "potentially-eligible")


def as_it_is(data: bytes) -> bytes:
    return data


@pytest.mark.parametrize(("pack", "name"), [(as_it_is, "part2.json"), (gzip.compress, "p.json.gz")])
def test_a_bundle_that_ends_early_leaves_its_patient_undetermined(  # noqa: PLR0913 - fixtures
    pack: Callable[[bytes], bytes],
    name: str,
    folder: Path,
    second: bytes,
    screening: Any,
    rows: Any,
) -> None:
    (folder / name).write_bytes(pack(second)[:-40])
    finished, out = screening.run(folder)
    found = verdicts(out)
    assert (found[ITRACONAZOLE], found[READY]) == ("undetermined", "potentially-eligible")
    assert {"E28a", "I07b"} <= unknown(out, ITRACONAZOLE, rows), "a newer result may be lost too"
    assert (finished.patients, finished.rejected_patients, finished.rejected_files) == (2, 0, 1)
    rejects = (out / "rejects.ndjson").read_text("utf-8").splitlines()
    assert [json.loads(line)["file"] for line in rejects] == [name]


def test_an_archive_with_a_wrong_checksum_is_damaged_though_it_can_be_read(
    folder: Path, stories: Stories, screening: Any, rows: Any
) -> None:
    packed = bytearray(gzip.compress(bundle(stories[READY])))
    packed[-6] ^= 0xFF
    (folder / "ready.json").unlink()
    (folder / "ready.json.gz").write_bytes(packed)
    finished, out = screening.run(folder)
    assert finished.rejected_files == 1
    assert "E28a" in unknown(out, READY, rows)


def test_a_broken_bundle_that_names_nobody_may_be_anybodys(
    folder: Path, screening: Any, rows: Any
) -> None:
    (folder / "part2.json").write_bytes(b'{"resourceType":"Bundle","entry":[{"resource":{"reso')
    finished, out = screening.run(folder)
    assert set(verdicts(out).values()) == {"undetermined"}
    for patient in (ITRACONAZOLE, READY):
        assert {"E28a", "I07b"} <= unknown(out, patient, rows)
    assert {one.state.value for one in finished.coverage.values()} == {"cut off"}
    types = json.loads((out / "manifest.json").read_text("utf-8"))["types"]
    assert {one["state"] for one in types.values()} == {"cut off"}


def test_a_broken_patient_who_has_no_other_file_is_not_readable(
    folder: Path, second: bytes, screening: Any
) -> None:
    (folder / "part1.json").unlink()
    (folder / "part2.json").write_bytes(second[:-40])
    finished, out = screening.run(folder)
    assert (finished.rejected_patients, finished.rejected_files) == (1, 0)
    assert verdicts(out) == {READY: "potentially-eligible"}


def test_a_list_of_hospitals_beside_the_charts_costs_nobody_anything(
    folder: Path, screening: Any
) -> None:
    """Synthea writes one; a Bundle without a Patient is still counted as not read."""
    hospital = {"resourceType": "Organization", "id": "o", "name": "H"}
    (folder / "hospitalInformation.json").write_bytes(bundle([hospital]))
    (folder / "package.json").write_text('{"name": "charts"}', "utf-8")
    finished, out = screening.run(folder)
    assert finished.rejected_patients == 2
    assert verdicts(out)[READY] == "potentially-eligible"


def test_what_one_file_lacks_is_not_made_up_for_by_another(
    folder: Path, stories: Stories, screening: Any, rows: Any
) -> None:
    """An order that cannot be read is in one of two files; the other one is whole."""
    own = without_drugs(stories[ITRACONAZOLE])
    person = [one for one in own if one["resourceType"] == "Patient"]
    (folder / "part0.json").write_bytes(
        bundle([*person, {"resourceType": "MedicationRequest", "id": "m", "subject": 7}])
    )
    _, out = screening.run(folder)
    assert "E28a" in unknown(out, ITRACONAZOLE, rows)
    goes_on = {"link": [{"relation": "next", "url": "https://ehr.example/2"}]}
    (folder / "part0.json").write_bytes(bundle(own, **goes_on))
    _, out = screening.run(folder)
    assert "E28a" in unknown(out, ITRACONAZOLE, rows)


def test_an_odd_field_does_not_part_a_file_from_its_patient(
    folder: Path, second: bytes, screening: Any
) -> None:
    """An id that is a number: the file can be read, and is this patient's."""
    told = json.loads(second)
    told["entry"][-1]["resource"]["id"] = 5
    (folder / "part2.json").write_text(json.dumps(told), "utf-8")
    finished, out = screening.run(folder)
    assert finished.patients == 2
    assert verdicts(out)[ITRACONAZOLE] == "ineligible"


PERSON = b'{"resourceType":"Patient","id":"a"'


@pytest.mark.parametrize(
    ("data", "patient", "anybodys"),
    [
        (b'{"entry":[{"resource":' + PERSON, "a", False),
        (b'{"entry":[{"resource":' + PERSON + b',"x":{"reference":"Patient/b"},', None, True),
        (b'{"subject":{"reference":"https://ehr.example/fhir/Patient/a/_history/1"},', "a", False),
        (rb'{"subject":{"reference":"Patient\/a"},', "a", False),
        (b'{"subject":{"reference":"urn:uuid:1"},"x":{"reference":"Patient/b"},', None, True),
        (b'{"subject":{"reference":"urn:uuid:1"}},{"resource":' + PERSON, "a", False),
        (b'{"id":"a","resourceType":"Patient","x":{"reference":"Patient/b"},', None, True),
        (b'{"subject":{"reference":"Patient/a', None, True),
        (b"", None, True),
        (b'{"resourceType":"CapabilityStatement"}', None, False),
    ],
)
def test_whose_a_broken_file_is(data: bytes, patient: str | None, anybodys: bool) -> None:  # noqa: FBT001 - a row
    assert belongs(data) == (patient, anybodys)


def test_a_refusal_counts_whatever_stands_before_the_text(
    folder: Path, stories: Stories, screening: Any
) -> None:
    """Windows programs put a byte order mark there."""
    research = {"coding": [{"system": SCOPE, "code": "research"}]}
    refusal = {
        "resourceType": "Consent",
        "id": "no",
        "status": "active",
        "scope": research,
        "category": [research],
        "patient": {"reference": f"Patient/{READY}"},
        "provision": {"type": "deny"},
    }
    (folder / "ready.json").write_bytes(b"\xef\xbb\xbf" + bundle([*stories[READY], refusal]))
    finished, _ = screening.run(folder)
    assert finished.research == {"refuses": 1}
