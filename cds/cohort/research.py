"""Who refuses research, and who has joined a trial: shown with the results, hiding nobody."""

from __future__ import annotations

import re
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from cds.cohort.stage import quoted
from cds.fhir.decode import BROKEN
from cds.fhir.research import research_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import date
    from pathlib import Path

REFUSES, JOINED = "refuses", "joined"
"""What the column `research` may say: contact is refused; the patient is on this trial already."""

STUDY = "ResearchStudy"
_STUDIES = re.compile(rb'"(?:[^"]*/)?ResearchStudy/([A-Za-z0-9.-]{1,64})(?:/_history/[^"]*)?"')

Row = tuple[str, str | None, str]
"""Patient, trial (None: all), and what is said."""


class Line(NamedTuple):
    """A ResearchSubject, Consent or Flag, and the id of whom it concerns."""

    patient: str
    data: bytes


def said_in(
    documents: Iterable[bytes], patient: str, on: date, refusal_flags: Collection[str]
) -> Iterator[Row]:
    """What resources or Bundles of one patient say."""
    found = research_in(documents, patient, on, refusal_flags)
    if found.refuses:
        yield f"Patient/{patient}", None, REFUSES
    for trial in sorted(found.joined):
        yield f"Patient/{patient}", trial, JOINED


def said_of(
    lines: Iterable[Line],
    studies: Mapping[bytes, bytes],
    on: date,
    refusal_flags: Collection[str],
) -> Iterator[Row]:
    """What lines that are sorted by patient say. `studies`: each ResearchStudy by its id."""
    for patient, own in groupby(lines, key=itemgetter(0)):
        resources = [line.data for line in own]
        named = {name for data in resources for name in _STUDIES.findall(data)}
        resources += [studies[name] for name in sorted(named) if name in studies]
        entries = b",".join(b'{"resource":' + data + b"}" for data in resources)
        bundle = b'{"resourceType":"Bundle","entry":[' + entries + b"]}"
        yield from said_in([bundle], patient, on, refusal_flags)


class _Named(msgspec.Struct, frozen=True):
    id: str = ""


_named = msgspec.json.Decoder(_Named)


def studies_by_id(lines: Iterable[bytes]) -> dict[bytes, bytes]:
    """ResearchStudy lines by their ids."""
    found: dict[bytes, bytes] = {}
    for line in lines:
        try:
            found[_named.decode(line).id.encode()] = line
        except BROKEN:
            continue  # nothing can refer to a study without a readable id
    return found


def write_said(scan: Path, target: Path, on: date, refusal_flags: Collection[str]) -> None:
    """Write what the export's own lines say; `scan` is where they were put when they were found."""
    found = f"read_parquet({quoted(f'{scan.as_posix()}/*.research.parquet')})"
    with duckdb.connect(config={"memory_limit": "256MB"}) as base:
        rows = base.execute(f"select line from {found} where kind = ?", [STUDY]).fetchall()  # noqa: S608
        studies = studies_by_id(line for (line,) in rows)
        base.execute(
            f"select patient, line from {found} where patient is not null order by all"  # noqa: S608
        )
        lines = (Line(*row) for many in iter(lambda: base.fetchmany(1000), []) for row in many)
        pq.write_table(table(said_of(lines, studies, on, refusal_flags)), target)


def table(rows: Iterable[Row]) -> pa.Table:
    """The rows as columns."""
    patients, trials, says = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), ())
    return pa.table(
        {
            "patient": pa.array(patients, pa.string()),
            "trial": pa.array(trials, pa.string()),
            "says": pa.array(says, pa.string()),
        }
    )
