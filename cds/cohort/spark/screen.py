"""A cohort's way on a cluster: lines → grouped by patient → judged → tables.

SOURCE and the output are paths that the cluster reads and writes (`s3a://…`, `abfss://…`,
`dbfs:/…`, `hdfs://…`, or a folder that all machines share). Each step is written before the next
one begins: nothing is computed twice, and a lost executor costs its own tasks only.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import functions as fn

import cds
from cds.cohort.asked import Asked, asked_in
from cds.cohort.coverage import coverage_of
from cds.cohort.fault import CohortFault
from cds.cohort.order import software_digest
from cds.cohort.output import LATER, check_cluster_out
from cds.cohort.research import STUDY, studies_by_id
from cds.cohort.source import (
    READ_TYPES,
    RESEARCH_TYPES,
    Form,
    InputFile,
    Source,
    named_type,
)
from cds.cohort.spark.executor import (
    CHUNKS,
    LINES,
    Task,
    judging,
    key_lines,
    saying,
    tallies,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession

    from cds.assess import Content
    from cds.cohort.judging import Tally
    from cds.cohort.order import Order
    from cds.fhir.retrieved import Coverage

_NDJSON = "*.{ndjson,ndjson.gz,jsonl,jsonl.gz}"
_TEXT_COLUMNS = ("resource_json", "resource", "json", "raw", "value")
_PRODUCTS_WITHIN = 3
"""How many times a product's own products are looked up, as far as the reader follows them."""


def screen_with_spark(
    session: SparkSession, order: Order, content: Content, *, form: str = "ndjson"
) -> dict[str, Any]:
    """Screen a cohort on a cluster into folders of Parquet and CSV; the manifest is returned too.

    `form`: ndjson, or the name of a table format that holds each resource in a text column
    (parquet, delta). The tables hold the rows that `screen` writes on one machine.

    Raises:
        CohortFault: there is no patient who can be evaluated, or the results would lie in SOURCE.
    """
    check_cluster_out(order.source, order.out)
    work = f"{order.out}/_work"
    lines = _keyed(session, order, form, f"{work}/lines")
    source = _source(session, order, form)
    kinds = {row["kind"]: row["count"] for row in lines.groupBy("kind").count().collect()}
    kinds.pop(None, None)
    coverage = coverage_of(
        source,
        kinds,
        errors=lines.where("error").count(),
        cut=(),
        complete=order.complete,
        not_kept=order.not_kept,
    )
    chunks = _judged(session, order, content, coverage, _charts(lines, kinds), f"{work}/chunks")
    counted = tallies(bytes(row["tally"]) for row in chunks.select("tally").collect())
    if not counted:
        message = f"SOURCE: '{order.source}' holds no Patient; export that type too."
        raise CohortFault(message)
    said = _said(session, lines, order, f"{work}/said")
    for name in LATER:
        _remove(session, f"{order.out}/{name}")
    _write_tables(chunks, said, order.out)
    _write_rejects(session, lines, counted, order.out)
    manifest = _manifest(order, source, kinds, coverage, counted)
    manifest["counts"] |= _lost(lines)
    manifest["research"] = _research(session, kinds, order.out)
    _write_file(session, f"{order.out}/manifest.json", json.dumps(manifest, indent=2).encode())
    _write_file(session, f"{order.out}/catalogue.json", msgspec.json.encode(order.catalogue))
    _remove(session, work)
    return manifest


def _keyed(session: SparkSession, order: Order, form: str, target: str) -> DataFrame:
    """Each line with what it is and whose, written down once."""
    if form == "ndjson":
        read = session.read.option("pathGlobFilter", _NDJSON).text(order.source)
    else:
        tables = _table(session, order.source, form)
        named = next((name for name in _TEXT_COLUMNS if name in tables.columns), None)
        if named is None:
            message = f"SOURCE: no column of '{order.source}' is called {', '.join(_TEXT_COLUMNS)}."
            raise CohortFault(message)
        read = tables.withColumnRenamed(named, "value")
    placed = read.select(
        "value",
        fn.col("_metadata.file_name").alias("file"),
        fn.col("_metadata.file_block_start").alias("block"),
        fn.monotonically_increasing_id().alias("position"),
    )
    placed.mapInArrow(key_lines, LINES).write.mode("overwrite").parquet(target)
    return session.read.parquet(target)


def _table(session: SparkSession, source: str, form: str) -> DataFrame:
    """A table in a format that the cluster knows.

    Only Parquet may lie in folders below one another: a Delta table's log says which of its files
    count, so that it is never read as Parquet.
    """
    reader = session.read.format(form)
    if form == "parquet":
        reader = reader.option("recursiveFileLookup", "true")
    try:
        return reader.load(source)
    except (PySparkException, Py4JJavaError) as problem:  # the latter since Spark 4
        if "DATA_SOURCE_NOT_FOUND" not in str(problem):
            raise
        message = f"--form: this cluster has no reader for {form}; add its package to the session."
        raise CohortFault(message) from None


def _source(session: SparkSession, order: Order, form: str) -> Source:
    """The files by their names, and what the export's manifest says."""
    if form != "ndjson":
        return Source(Form.PARQUET, (), ())
    paths = session.read.option("pathGlobFilter", _NDJSON).text(order.source).inputFiles()
    names = sorted(PurePosixPath(unquote(path)).name for path in paths)
    files = tuple(InputFile(name, name, 0, named_type(name)) for name in names)
    documents = session.read.option("pathGlobFilter", "*.json").option("wholetext", "true")
    asked: Asked | None = None
    for row in documents.text(order.source).collect():
        asked = asked or asked_in(row["value"].encode())
    return Source(Form.NDJSON, files, (), asked)


def _charts(lines: DataFrame, kinds: dict[str, int]) -> DataFrame:
    """The lines of every patient who is in the export, with the products that they refer to."""
    columns = ["patient", "file", "early", "line", "block", "position"]
    own = lines.where("patient is not null").select(*columns)
    if kinds.get("Medication"):
        own = own.unionByName(_products(lines).select(*columns))
    return own.join(_persons(lines), "patient", "left_semi")


def _persons(lines: DataFrame) -> DataFrame:
    return lines.where("kind = 'Patient' and broken = ''").select("patient").distinct()


def _products(lines: DataFrame) -> DataFrame:
    """The lines of the Medications that a patient's entries refer to, and of what those hold."""
    products = lines.where("product is not null")
    parts = products.select(
        fn.col("product").alias("whole"), fn.explode("refers").alias("part")
    ).distinct()
    needed = lines.where("patient is not null").select(
        "patient", fn.explode("refers").alias("product")
    )
    wanted = needed.distinct()
    if parts.head(1):
        for _ in range(_PRODUCTS_WITHIN):
            held = wanted.join(parts, wanted["product"] == parts["whole"])
            wanted = wanted.union(held.select("patient", "part")).distinct()
    late = products.drop("patient").withColumn("early", fn.lit(False))  # noqa: FBT003 - a literal
    return late.join(wanted, "product")


def _judged(  # noqa: PLR0913 - what the executors are told
    session: SparkSession,
    order: Order,
    content: Content,
    coverage: dict[str, Coverage],
    charts: DataFrame,
    target: str,
) -> DataFrame:
    """Chunks of rows. A partition is sorted, never held: one huge chart needs its own size only."""
    task = session.sparkContext.broadcast(Task(content, order.on, order.zone, coverage))
    grouped = charts.repartition("patient").sortWithinPartitions(
        "patient", "file", "block", "position"
    )
    judge = judging(_told(task))
    grouped.mapInArrow(judge, CHUNKS).write.mode("overwrite").parquet(target)
    return session.read.parquet(target)


def _told(task: Any) -> Callable[[], Task]:  # noqa: ANN401 - pyspark's Broadcast is untyped
    return lambda: task.value


_ROWS = {
    "determinations": "patient string, trial string, overall string, fail string, unknown string, "
    "review string, clears_on date, target string, version string",
    "criteria": "patient string, trial string, criterion string, kind string, status string, "
    "reason string, clears_on date, "
    "evidence array<struct<reference:string,display:string,date:string>>, "
    "gaps array<struct<concept:string,gap:string>>",
    "names": "kind string, system string, code string, display string, entries long, patients long",
    "possible": "patient string, trial string, reference string, display string, code string",
}


def _said(session: SparkSession, lines: DataFrame, order: Order, target: str) -> DataFrame:
    """Who refuses research, and who has joined a trial; few lines, beside the charts."""
    rows = lines.where(fn.col("kind") == STUDY).select("line").collect()
    studies = studies_by_id(bytes(row["line"]) for row in rows)
    concerning = lines.where("concerns is not null").select("concerns", "line")
    grouped = concerning.repartition("concerns").sortWithinPartitions("concerns", "line")
    said = grouped.mapInArrow(
        saying(studies, order.on, order.refusal_flags), "patient string, trial string, says string"
    )
    said.distinct().write.mode("overwrite").parquet(target)
    return session.read.parquet(target)


def _research(session: SparkSession, kinds: dict[str, int], out: str) -> dict[str, Any]:
    """Which types say something of research, and of how many evaluated patients."""
    rows = session.read.parquet(f"{out}/determinations.parquet").where("research <> ''")
    words = rows.select("patient", fn.explode(fn.split("research", " ")).alias("says")).distinct()
    return {
        "types": sorted(RESEARCH_TYPES & kinds.keys()),
        "patients": {row["says"]: row["count"] for row in words.groupBy("says").count().collect()},
    }


def _marked(determinations: DataFrame, said: DataFrame) -> DataFrame:
    """The rows with what the record says of research."""
    refusing = said.where("trial is null").selectExpr("patient", "says as refuses")
    joined = said.where("trial is not null").selectExpr("patient", "trial", "says as joined")
    marked = determinations.join(refusing, "patient", "left")
    marked = marked.join(joined, ["patient", "trial"], "left")
    words = fn.concat_ws(" ", "refuses", "joined").alias("research")
    return marked.select(*determinations.columns, words)


def _write_tables(chunks: DataFrame, said: DataFrame, out: str) -> None:
    tables = {
        name: chunks.select(name).mapInArrow(unpack, schema) for name, schema in _ROWS.items()
    }
    determinations = _marked(tables["determinations"], said).orderBy("patient", "trial")
    determinations.write.mode("overwrite").parquet(f"{out}/determinations.parquet")
    one = determinations.coalesce(1)
    one.write.mode("overwrite").csv(f"{out}/determinations.csv", header=True, emptyValue="")
    tables["criteria"].write.mode("overwrite").parquet(f"{out}/criteria.parquet")
    tables["possible"].write.mode("overwrite").parquet(f"{out}/possible.parquet")
    grouped = tables["names"].groupBy("kind", "system", "code", "display")
    names = grouped.agg(fn.sum("entries").alias("entries"), fn.sum("patients").alias("patients"))
    names = names.orderBy(fn.desc("patients"), fn.desc("entries"), "kind", "code", "display")
    names.coalesce(1).write.mode("overwrite").parquet(f"{out}/unrecognised.parquet")


def _write_rejects(session: SparkSession, lines: DataFrame, counted: list[Tally], out: str) -> None:
    broken = lines.where("broken <> ''").select(
        "file", fn.col("broken").alias("says"), fn.col("line").cast("string").alias("text")
    )
    refused = [(one.file, one.says, one.text) for tally in counted for one in tally.rejects]
    if refused:
        more = session.createDataFrame(refused, "file string, says string, text string")
        broken = broken.unionByName(more)
    if broken.head(1):
        broken.write.mode("overwrite").json(f"{out}/rejects.ndjson")


def _lost(lines: DataFrame) -> dict[str, int]:
    """What is in no row: broken lines, and resources of people without a Patient."""
    strangers = lines.where("patient is not null").join(_persons(lines), "patient", "left_anti")
    return {
        "rejected_lines": lines.where("broken <> ''").count(),
        "patients_without_patient_resource": strangers.select("patient").distinct().count(),
        "their_resources": strangers.count(),
    }


def _manifest(
    order: Order,
    source: Source,
    kinds: dict[str, int],
    coverage: dict[str, Coverage],
    counted: list[Tally],
) -> dict[str, Any]:
    patients = sum(tally.patients for tally in counted)
    deceased = sum(tally.deceased for tally in counted)
    refused = sum(len(tally.rejects) for tally in counted)
    entries: dict[str, int] = {}
    for tally in counted:
        for kind, count in tally.entries.items():
            entries[kind] = entries.get(kind, 0) + count
    return {
        "software": {"version": cds.__version__, "digest": software_digest()},
        "content": {"digest": order.catalogue.digest, "trials": order.catalogue.versions},
        "on": order.on.isoformat(),
        "timezone": order.zone,
        "source": {
            "form": source.form.value,
            "files": [{"name": file.name} for file in source.files],
        },
        "types": {
            kind: {"state": covered.state.value, "why": covered.why}
            for kind, covered in coverage.items()
        },
        "counts": {
            "patients": patients,
            "evaluated": patients - deceased - refused,
            "deceased": deceased,
            "rejected_patients": refused,
            "rejected_files": 0,  # a file that cannot be read to its end stops the job
            "resources": {kind: kinds[kind] for kind in sorted(kinds) if kind in READ_TYPES},
            "entries": dict(sorted(entries.items())),
        },
    }


def _write_file(session: SparkSession, path: str, data: bytes) -> None:
    """Write one small file where the cluster keeps its files."""
    target, system = _hadoop(session, path)
    stream = system.create(target, True)  # noqa: FBT003 - Hadoop's FileSystem.create(path, overwrite)
    try:
        stream.write(bytearray(data))
    finally:
        stream.close()


def _remove(session: SparkSession, path: str) -> None:
    target, system = _hadoop(session, path)
    system.delete(target, True)  # noqa: FBT003 - Hadoop's FileSystem.delete(path, recursive)


def _hadoop(session: SparkSession, path: str) -> tuple[Any, Any]:
    """Hadoop's path, and the file system that it is on."""
    machine: Any = session.sparkContext._jvm  # noqa: SLF001 - PySpark has no other way to files
    settings: Any = session.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
    target = machine.org.apache.hadoop.fs.Path(path)
    return target, target.getFileSystem(settings)
