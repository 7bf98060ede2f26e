"""Which patients are evaluated together, and where their resources lie.

The lines stay in the files of the export; only where each lies is sorted, by DuckDB, on disk where
it does not fit into memory. Patients keep the order in which the export has them, so that a batch
reads each file from front to back.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BATCH_BYTES = 48_000_000
"""Bytes of charts that are evaluated in one task, about."""
_PATIENT_BYTES = 20_000
"""What one patient costs beside their bytes, in bytes: small charts are not piled up endlessly."""


class Run(NamedTuple):
    """Lines that follow one another in a file. `early`: needed to find the target diagnosis."""

    file: int
    start: int
    length: int
    early: bool


class Patient(NamedTuple):
    """One patient of a batch, and where the runs of their lines lie, in the export's order."""

    id: str
    runs: tuple[Run, ...]


class Batch(NamedTuple):
    """Patients that are evaluated in one task."""

    number: int
    patients: tuple[Patient, ...]


class Counts(NamedTuple):
    """How many patients and batches there are, and lines of patients who are not in the export."""

    patients: int
    batches: int
    strangers: int
    strangers_lines: int


class Plan:
    """The index of a source, in a DuckDB database in the work folder."""

    def __init__(self, base: duckdb.DuckDBPyConnection) -> None:
        self._base = base

    def build(self, folder: Path) -> None:
        """Sort what the scan found; drops what an earlier, interrupted build left."""
        for name in ("runs", "products", "needs", "parts"):
            self._base.execute(
                f"create or replace temp view {name} as "  # noqa: S608 - names from this function
                f"select * from read_parquet('{folder.as_posix()}/*.{name}.parquet')"
            )
        for statement in _STATEMENTS:
            self._base.execute(statement.format(batch=BATCH_BYTES, each=_PATIENT_BYTES))
        self._base.execute("checkpoint")

    def counts(self) -> Counts:
        """What is to be done."""
        found = self._base.execute(
            "select (select count(*) from people), (select count(distinct batch) from people), "
            "patients, lines from strangers"
        ).fetchall()
        return Counts(*found[0])

    def batches(self, done: frozenset[int]) -> Iterator[bytes]:
        """Every batch that is not done yet, in order, packed for its way to another process."""
        found = self._base.execute(
            "select batch, min(n), max(n) from people group by batch order by batch"
        ).fetchall()
        for number, first, last in found:
            if number not in done:
                yield _pack((number, self._patients(first, last)))

    def _patients(self, *numbers: int) -> list[tuple[str, list[tuple[int, int, int, bool]]]]:
        """The patients from one number to another, as `Patient` has them."""
        names = self._base.execute(
            "select patient from people where n between ? and ? order by n", numbers
        ).fetchall()
        found = self._base.sql(
            "select n, file, start, length, early from places where n between ? and ? "
            "order by n, file, start",
            params=numbers,
        ).to_arrow_table()
        runs = list(zip(*(found[name].to_pylist() for name in Run._fields), strict=True))
        # A patient's runs follow one another: they end where the next number begins.
        places = pairwise(found["n"].to_pylist())
        ends = [place for place, (one, other) in enumerate(places, start=1) if one != other]
        spans = pairwise([0, *ends, len(runs)])
        return [(name, runs[first:end]) for (name,), (first, end) in zip(names, spans, strict=True)]


def unpack(packed: bytes) -> Batch:
    """A batch as it was packed; pickle would take ten times as long."""
    return _unpack.decode(packed)


_pack = msgspec.msgpack.encode
_unpack = msgspec.msgpack.Decoder(Batch)


_STATEMENTS = (
    # 2^44 bytes are 16 TB, more than any one file; the first Patient line is the patient's place.
    """create or replace temp table owners as
    select patient, sum(length) as bytes, sum(lines) as lines,
           min(file * 17592186044416 + start) filter (where person) as place
    from runs group by patient""",
    """create or replace table people as
    with filled as (
      select patient, (row_number() over (order by place))::integer as n,
             sum(bytes + {each}) over (order by place) as bytes
      from owners where place is not null)
    select patient, n, (bytes // {batch})::integer as batch from filled order by n""",
    """create or replace table strangers as
    select count(*) as patients, coalesce(sum(lines), 0)::bigint as lines
    from owners where place is null""",
    "drop table owners",
    # A product may be made of products; `union` ends a circle of them.
    """create or replace table wanted as
    with recursive found as (
      select patient, product from needs
      union
      select found.patient, parts.product from found join parts on parts.whole = found.product)
    select * from found""",
    """create or replace table places as
    select n, file, start, length, early from people join runs using (patient)
    union all
    select n, file, start, length, false
    from people join wanted using (patient) join products using (product)
    order by n, file, start""",
)


@contextmanager
def open_plan(work: Path) -> Iterator[Plan]:
    """The plan in a work folder; made if there is none.

    One thread: with two the sort took a third more CPU and a fifth more memory. What one statement
    frees goes back to the system before the next one, and is not held for later.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": "256MB",
        "threads": 1,
        "allocator_bulk_deallocation_flush_threshold": "1MB",
        "temp_directory": str(work / "spill"),
    }
    with duckdb.connect(str(work / "index.duckdb"), config=config) as base:
        yield Plan(base)
