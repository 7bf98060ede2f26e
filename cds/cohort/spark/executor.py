"""What runs on the executors: the same reading of lines and the same judging of charts."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa

from cds.cohort.judging import Found, Judge, Tally
from cds.cohort.lines import read_line
from cds.cohort.research import Line as Concerning
from cds.cohort.research import said_of
from cds.cohort.research import table as research_table
from cds.cohort.scan import LATE, Reject
from cds.core.when import Evaluation
from cds.fhir.collecting import reports_error
from cds.fhir.record import UnusableInput, record_from_resources
from cds.fhir.resources import OperationOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    from cds.assess import Content
    from cds.fhir.retrieved import Coverage

TABLES = ("determinations", "criteria", "names", "possible")
_CHARTS = 500
"""Charts whose rows travel together."""

LINES = (
    "kind string, patient string, product string, refers array<string>, early boolean, "
    "broken string, error boolean, concerns string, line binary, "
    "file string, block long, position long"
)
CHUNKS = ", ".join(f"{name} binary" for name in (*TABLES, "tally"))


class Task(NamedTuple):
    """What every executor is told."""

    content: Content
    on: date
    zone: str
    coverage: dict[str, Coverage]


def key_lines(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Say of each line what it is and whose."""
    for batch in batches:
        read: dict[str, list[Any]] = {name: [] for name in _KEYED}
        kept: list[int] = []
        for index, text in enumerate(batch.column("value").to_pylist()):
            data = text.encode() if isinstance(text, str) else text
            if not data or data.isspace():
                continue
            line = read_line(data)
            error = line.kind == "OperationOutcome" and reports_error(
                OperationOutcome(issue=line.issue)
            )
            early = line.kind not in LATE or line.broken != ""
            row = (line.kind, line.patient, line.product, line.refers, early, line.broken, error)
            for values, value in zip(read.values(), (*row, line.concerns, data), strict=True):
                values.append(value)
            kept.append(index)
        columns = [pa.array(read[name], kind) for name, kind in _KEYED.items()]
        places = batch.select(["file", "block", "position"]).take(pa.array(kept, pa.int64()))
        yield pa.RecordBatch.from_arrays(
            [*columns, *places.columns], names=[*_KEYED, "file", "block", "position"]
        )


_KEYED = {
    "kind": pa.string(),
    "patient": pa.string(),
    "product": pa.string(),
    "refers": pa.list_(pa.string()),
    "early": pa.bool_(),
    "broken": pa.string(),
    "error": pa.bool_(),
    "concerns": pa.string(),
    "line": pa.binary(),
}


def judging(task: Callable[[], Task]) -> Callable[[Iterable[pa.RecordBatch]], Iterator[Any]]:
    """The function that makes chunks of rows of lines that are sorted by patient."""

    def judge_lines(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        told = task()
        asked = Evaluation.of(told.on, ZoneInfo(told.zone))
        judge = Judge(told.content, asked, told.coverage)
        found, count = Found(), 0
        for patient, lines in groupby(_rows(batches), key=itemgetter(0)):
            _add(judge, patient, list(lines), told.coverage, found)
            count += 1
            if count == _CHARTS:
                yield _chunk(found, count)
                found, count = Found(), 0
        if count:
            yield _chunk(found, count)

    return judge_lines


def saying(
    studies: dict[bytes, bytes], on: date, refusal_flags: tuple[str, ...]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function that says who refuses research, of lines sorted by whom they concern."""

    def say(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        lines = (
            Concerning(*row)
            for batch in batches
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        )
        yield from research_table(said_of(lines, studies, on, refusal_flags)).to_batches()

    return say


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, str, bool, bytes]]:
    for batch in batches:
        columns = (batch.column(name).to_pylist() for name in ("patient", "file", "early", "line"))
        yield from zip(*columns, strict=True)


def _add(
    judge: Judge,
    patient: str,
    lines: list[tuple[str, str, bool, bytes]],
    coverage: dict[str, Coverage],
    found: Found,
) -> None:
    if judge.glances and judge.glance(
        patient, [line for _, _, early, line in lines if early], found
    ):
        return
    try:
        record = record_from_resources([line for *_, line in lines], coverage)
        judge.add(record, found)
    except UnusableInput as problem:
        found.rejects.append(Reject(lines[0][1], None, str(problem), f"Patient/{patient}"))


def _chunk(found: Found, count: int) -> pa.RecordBatch:
    rows = found.rows
    tables = {
        "determinations": rows.determinations(),
        "criteria": rows.criteria(),
        "names": rows.names(),
        "possible": rows.possible_targets(),
    }
    columns = [pa.array([_packed(tables[name])], pa.binary()) for name in TABLES]
    tally = msgspec.json.encode(found.tally(0, count))
    columns.append(pa.array([tally], pa.binary()))
    return pa.RecordBatch.from_arrays(columns, names=[*TABLES, "tally"])


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def unpack(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows of one table, from chunks of it."""
    for batch in batches:
        for packed in batch.column(0).to_pylist():
            with pa.ipc.open_stream(packed) as stream:
                yield from stream


def tallies(packed: Iterable[bytes]) -> list[Tally]:
    """The counts of all chunks."""
    return [msgspec.json.decode(one, type=Tally) for one in packed]
