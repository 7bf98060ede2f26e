"""Two executors say of every patient what one machine says."""

from __future__ import annotations

import gzip
import json
import os
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import pyarrow as pa
import pytest

from cds.assess import load_content
from cds.cohort.catalogue import catalogue_of
from cds.cohort.fault import CohortFault
from cds.cohort.order import Order
from cds.cohort.progress import Silent
from cds.cohort.report.page import report_page
from cds.cohort.report.results import open_results
from cds.cohort.screen import screen
from cds.cohort.spark.screen import screen_with_spark
from cds.content.bundled import bundled_content, bundled_fixtures

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pyspark.sql import SparkSession

    from cds.assess import Content

DAY = date(2026, 3, 1)
TABLES = ("determinations", "criteria", "possible", "unrecognised")
HUGE = {"reference": "Patient/desmoid-ready"}
RESEARCH: tuple[dict[str, Any], ...] = (
    {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"code": "research"}]},
        "patient": HUGE,
        "provision": {"type": "deny"},
    },
    {
        "resourceType": "ResearchSubject",
        "status": "on-study",
        "individual": {"reference": "Patient/desmoid-itraconazole"},
        "study": {"reference": "ResearchStudy/s1"},
    },
    {"resourceType": "ResearchStudy", "id": "s1", "identifier": [{"value": "NCT05490667"}]},
)
MANY = 100_000
"""Observations of one patient: the skew that a cluster must survive."""


@pytest.fixture(scope="session")
def content() -> Content:
    return load_content([bundled_content()])


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stories as an export of many files, some compressed; one chart is huge, one refuses."""
    folder = tmp_path_factory.mktemp("data") / "export"
    folder.mkdir()
    lines: dict[str, list[str]] = {}
    for path in sorted(bundled_fixtures().glob("*/bundle.json")):
        text = path.read_text("utf-8")
        for entry in json.loads(text)["entry"]:
            name = f"{entry['resource']['resourceType']}/{entry['resource'].get('id')}"
            text = text.replace(f'"{entry.get("fullUrl")}"', f'"{name}"')
        for entry in json.loads(text)["entry"]:
            kind = entry["resource"]["resourceType"]
            if kind != "OperationOutcome":
                lines.setdefault(kind, []).append(json.dumps(entry["resource"]))
    for kind, found in lines.items():
        write(folder / f"{kind}.1.ndjson", found[::2])
        (folder / f"{kind}.2.ndjson.gz").write_bytes(gzip.compress(joined(found[1::2])))
    for one in RESEARCH:
        write(folder / f"{one['resourceType']}.ndjson", [json.dumps(one)])
    result = json.loads(lines["Observation"][0])
    result |= {"subject": HUGE, "effectiveDateTime": "2019-05-05"}
    write(
        folder / "Observation.3.ndjson",
        (json.dumps({**result, "id": f"many-{number}"}) for number in range(MANY)),
    )
    return folder


def write(path: Path, lines: Iterable[str]) -> None:
    path.write_bytes(joined(lines))


def joined(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def ordered(source: Path, out: Path, content: Content) -> Order:
    return Order(
        str(source), str(out), DAY, "UTC", (str(bundled_content()),), catalogue_of(content)
    )


def rows(out: Path, table: str) -> list[Any]:
    """All rows of a table, whether it is a file or a folder of parts."""
    path = out / f"{table}.parquet"
    parts = f"{path}/*.parquet" if path.is_dir() else str(path)
    with duckdb.connect() as base:
        return base.execute("select * from read_parquet(?) order by all", [parts]).fetchall()


class Both(NamedTuple):
    """One export, screened on one machine and on the cluster."""

    here: Path
    there: Path
    manifest: dict[str, Any]


@pytest.fixture(scope="session")
def both(
    spark: SparkSession, export: Path, content: Content, tmp_path_factory: pytest.TempPathFactory
) -> Both:
    """Screened once for all tests: a cluster takes its time."""
    folder = tmp_path_factory.mktemp("results")
    here, there = folder / "here", folder / "there"
    screen(ordered(export, here, content), Silent())
    manifest = screen_with_spark(spark, ordered(export, there, content), content)
    return Both(here, there, manifest)


@pytest.mark.parametrize("table", TABLES)
def test_the_rows_are_those_of_one_machine(both: Both, table: str) -> None:
    """Also of the patient with a hundred thousand results."""
    assert rows(both.there, table) == rows(both.here, table)


def test_the_csv_is_that_of_one_machine(both: Both) -> None:
    (part,) = (both.there / "determinations.csv").glob("*.csv")
    local = both.here / "determinations.csv"
    assert part.read_text("utf-8").splitlines() == local.read_text("utf-8").splitlines()


def test_the_manifest_says_what_that_of_one_machine_says(both: Both) -> None:
    local = json.loads((both.here / "manifest.json").read_text("utf-8"))
    for part in ("counts", "types", "research", "content", "on"):
        assert both.manifest[part] == local[part], part
    assert local["counts"]["resources"]["Observation"] > MANY


def test_what_is_broken_is_kept_and_nothing_else_is_left(both: Both) -> None:
    parts = (both.there / "rejects.ndjson").glob("*.json")
    rejects = [line for path in parts for line in path.read_text("utf-8").splitlines()]
    assert len(rejects) == both.manifest["counts"]["rejected_lines"] > 0
    assert not (both.there / "_work").exists()


def test_the_report_reads_what_a_cluster_wrote(both: Both) -> None:
    with open_results(both.there) as results:
        page = report_page(results)
    assert "Patient/desmoid-itraconazole" in page
    assert "refusing research: 1, on one of the trials already: 1" in page


def test_a_table_that_holds_resources_as_text_gives_the_same_rows(
    spark: SparkSession, export: Path, both: Both, content: Content, tmp_path: Path
) -> None:
    table = tmp_path / "table"
    lines = spark.read.text([str(path) for path in export.iterdir()])
    lines.withColumnRenamed("value", "resource").write.parquet(str(table))
    there = tmp_path / "there"
    screen_with_spark(spark, ordered(table, there, content), content, form="parquet")
    assert rows(there, "determinations") == rows(both.here, "determinations")


def test_a_format_that_the_cluster_lacks_is_one_sentence(
    spark: SparkSession, export: Path, content: Content, tmp_path: Path
) -> None:
    """A Delta table read as Parquet would hold rows that were deleted long ago."""
    with pytest.raises(CohortFault, match="no reader for delta"):
        screen_with_spark(spark, ordered(export, tmp_path, content), content, form="delta")


def test_the_work_is_done_by_two_executor_processes(spark: SparkSession) -> None:
    def who(batches: Any) -> Any:
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"parent": [os.getppid()], "own": [os.getpid()]})

    found = spark.range(0, 8, 1, 8).mapInArrow(who, "parent long, own long").collect()
    assert len({row["parent"] for row in found}) == 2
    assert os.getpid() not in {row["own"] for row in found}


def test_an_export_without_patients_is_one_sentence(
    spark: SparkSession, content: Content, tmp_path: Path
) -> None:
    folder = tmp_path / "nobody"
    folder.mkdir()
    write(folder / "Observation.ndjson", ["{}"])
    with pytest.raises(CohortFault, match="holds no Patient"):
        screen_with_spark(spark, ordered(folder, tmp_path / "out", content), content)
