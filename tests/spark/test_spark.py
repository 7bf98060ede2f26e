"""Two executors say of every patient what one machine says."""

from __future__ import annotations

import gzip
import json
import os
from datetime import date
from typing import TYPE_CHECKING, Any

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
MANY = 100_000
"""Observations of one patient: the skew that a cluster must survive."""


@pytest.fixture(scope="session")
def content() -> Content:
    return load_content([bundled_content()])


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """The stories as an export, in files of which some are compressed."""
    folder = tmp_path / "export"
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


def both(
    spark: SparkSession, source: Path, content: Content, tmp_path: Path
) -> tuple[Path, Path, dict[str, Any]]:
    here, there = tmp_path / "here", tmp_path / "there"
    screen(ordered(source, here, content), Silent())
    manifest = screen_with_spark(spark, ordered(source, there, content), content)
    return here, there, manifest


def test_the_rows_are_those_of_one_machine(
    spark: SparkSession, export: Path, content: Content, tmp_path: Path
) -> None:
    here, there, manifest = both(spark, export, content, tmp_path)
    for table in TABLES:
        assert rows(there, table) == rows(here, table), table
    local = json.loads((here / "manifest.json").read_text("utf-8"))
    assert manifest["counts"] == local["counts"]
    assert manifest["types"] == local["types"]
    (part,) = (there / "determinations.csv").glob("*.csv")
    assert (
        part.read_text("utf-8").splitlines()
        == (here / "determinations.csv").read_text("utf-8").splitlines()
    )
    parts = (there / "rejects.ndjson").glob("*.json")
    rejects = [line for path in parts for line in path.read_text("utf-8").splitlines()]
    assert len(rejects) == local["counts"]["rejected_lines"] > 0
    assert not (there / "_work").exists()


def test_a_table_that_holds_resources_as_text_gives_the_same_rows(
    spark: SparkSession, export: Path, content: Content, tmp_path: Path
) -> None:
    table = tmp_path / "table"
    lines = spark.read.text([str(path) for path in export.iterdir()])
    lines.withColumnRenamed("value", "resource").write.parquet(str(table))
    here, there = tmp_path / "here", tmp_path / "there"
    screen(ordered(export, here, content), Silent())
    screen_with_spark(spark, ordered(table, there, content), content, form="parquet")
    assert rows(there, "determinations") == rows(here, "determinations")


def test_the_work_is_done_by_two_executor_processes(spark: SparkSession) -> None:
    def who(batches: Any) -> Any:
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"parent": [os.getppid()], "own": [os.getpid()]})

    found = spark.range(0, 8, 1, 8).mapInArrow(who, "parent long, own long").collect()
    assert len({row["parent"] for row in found}) == 2
    assert os.getpid() not in {row["own"] for row in found}


def test_the_report_reads_what_a_cluster_wrote(
    spark: SparkSession, export: Path, content: Content, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    screen_with_spark(spark, ordered(export, out, content), content)
    with open_results(out) as results:
        assert "Patient/desmoid-itraconazole" in report_page(results)


def test_a_patient_with_a_hundred_thousand_results_is_survived(
    spark: SparkSession, export: Path, content: Content, tmp_path: Path
) -> None:
    with gzip.open(export / "Observation.2.ndjson.gz", "rt", encoding="utf-8") as file:
        one = json.loads(next(file))
    one["subject"] = {"reference": "Patient/desmoid-ready"}
    one["effectiveDateTime"] = "2019-05-05"
    write(
        export / "Observation.3.ndjson",
        (json.dumps({**one, "id": f"many-{number}"}) for number in range(MANY)),
    )
    here, there, _ = both(spark, export, content, tmp_path)
    assert rows(there, "criteria") == rows(here, "criteria")


def test_an_export_without_patients_is_one_sentence(
    spark: SparkSession, content: Content, tmp_path: Path
) -> None:
    folder = tmp_path / "nobody"
    folder.mkdir()
    write(folder / "Observation.ndjson", ["{}"])
    with pytest.raises(CohortFault, match="holds no Patient"):
        screen_with_spark(spark, ordered(folder, tmp_path / "out", content), content)
