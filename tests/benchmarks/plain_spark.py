"""A dozen criteria as plain Spark SQL over the export: what a data engineer would write first.

    python -m tests.benchmarks.plain_spark EXPORT

Like the floor it decodes the needed fields only, and answers with true, false or null: no trial
files, no reasons, no evidence, no gaps. Two figures: a warm session, the best of two runs after the
first; and the first run with the start of Java, which a job of its own pays. CPU is that of the
Java process.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pyspark.sql import SparkSession

from tests.benchmarks.charts import DAY

if TYPE_CHECKING:
    from datetime import date

_CONCEPT = "STRUCT<coding: ARRAY<STRUCT<code: STRING>>>"
_AMOUNT = "STRUCT<value: DOUBLE, code: STRING>"
_SCHEMAS = {
    "Patient": "id STRING, birthDate STRING",
    "Condition": f"code {_CONCEPT}, subject STRUCT<reference: STRING>",
    "Observation": f"status STRING, code {_CONCEPT}, subject STRUCT<reference: STRING>, "
    f"effectiveDateTime STRING, valueQuantity {_AMOUNT}, "
    f"referenceRange ARRAY<STRUCT<high: {_AMOUNT}>>",
    "MedicationStatement": f"medicationCodeableConcept {_CONCEPT}, "
    "subject STRUCT<reference: STRING>, effectivePeriod STRUCT<`end`: STRING>",
}
_LABS = ("751-8", "777-3", "89247-1", "1975-2", "2160-0", "1742-6", "1920-8", "6301-6")
_SQL = """
with lab as (
  select subject.reference as patient, one.code,
         max_by(struct(valueQuantity.value as v, referenceRange[0].high.value as uln),
                effectiveDateTime) as r
  from Observation lateral view explode(code.coding) as one
  where one.code in ({labs}) and status in ('final', 'amended', 'corrected')
    and substr(effectiveDateTime, 1, 10) between date_sub('{on}', 28) and '{on}'
  group by 1, 2),
wide as (
  select patient, {columns} from lab group by 1),
target as (
  select distinct subject.reference as patient from Condition
  where exists(code.coding, c -> c.code = '302847003')),
taken as (
  select distinct subject.reference as patient from MedicationStatement
  where exists(medicationCodeableConcept.coding,
               c -> c.code in ('21212', '28031') and effectivePeriod.`end` >= date_sub('{on}', 7)
                 or c.code = '9384' and effectivePeriod.`end` >= date_sub('{on}', 12)))
select id, birthDate <= add_months('{on}', -60), birthDate > add_months('{on}', -228),
       target.patient is not null, l0.v >= 1.5, l1.v >= 75, l2.v <= 2, l3.v <= 1.5 * l3.uln,
       l4.v <= 1.5 * l4.uln, l5.v <= 3 * l5.uln, l6.v <= 3 * l6.uln, l7.v <= 1.5,
       taken.patient is null
from Patient
left join wide on wide.patient = concat('Patient/', id)
left join target on target.patient = concat('Patient/', id)
left join taken on taken.patient = concat('Patient/', id)
"""


class Plain(NamedTuple):
    """One warm run: answers, seconds on the clock, and seconds of CPU.

    `first` is the CPU of the run before it, the start of Java included.
    """

    patients: int
    seconds: float
    cpu: float
    first: float = 0.0


def run_plain(export: Path, on: date, cores: int) -> Plain:
    """The best of two warm runs."""
    builder = SparkSession.builder.master(f"local[{cores}]").appName("plain")
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "4g",
        "spark.sql.shuffle.partitions": str(2 * cores),
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    gateway: Any = session.sparkContext._gateway
    java: int = gateway.proc.pid
    try:
        _run(session, export, on, java)
        first = _cpu(java)
        runs = [_run(session, export, on, java) for _ in range(2)]
    finally:
        session.stop()
    return min(runs, key=lambda run: run.cpu)._replace(first=first)


def _run(session: SparkSession, export: Path, on: date, java: int) -> Plain:
    for name, schema in _SCHEMAS.items():
        files = [str(path) for path in sorted(export.glob(f"{name}*.ndjson"))]
        session.read.schema(schema).json(files).createOrReplaceTempView(name)
    columns = ", ".join(
        f"max_by(r, 1) filter (where code = '{code}') as l{place}"
        for place, code in enumerate(_LABS)
    )
    sql = _SQL.format(on=on.isoformat(), labs=str(_LABS)[1:-1], columns=columns)
    began, before = time.perf_counter(), _cpu(java)
    rows = session.sql(sql).collect()
    return Plain(len(rows), time.perf_counter() - began, _cpu(java) - before)


def _cpu(process: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure one export."""
    asked = argparse.ArgumentParser(description="Measure plain Spark SQL.")
    asked.add_argument("export", type=Path)
    asked.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    given = asked.parse_args()
    found = run_plain(given.export, DAY, given.cores)
    sys.stdout.write(
        f"{found.patients} patients: {found.seconds:.1f} s, {found.cpu:.1f} s of CPU, "
        f"{found.patients / found.cpu:.0f} patients/s/core; "
        f"with its start {found.first:.1f} s of CPU\n"
    )


if __name__ == "__main__":
    main()
