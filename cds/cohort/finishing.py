"""What a screening leaves behind: sorted tables, rejects, and a manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

import cds
from cds.cohort.fault import CohortFault
from cds.cohort.inputs import SCAN
from cds.cohort.order import software_digest
from cds.cohort.output import clear
from cds.cohort.research import write_said
from cds.cohort.source import RESEARCH_TYPES
from cds.cohort.stage import quoted
from cds.cohort.tables import Rows, read_arrow
from cds.fhir.retrieved import Coverage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cds.cohort.inputs import Inputs
    from cds.cohort.judging import Tally
    from cds.cohort.order import Order
    from cds.cohort.plan import Counts
    from cds.cohort.scan import Reject


class Finished(msgspec.Struct, frozen=True):
    """What a screening comes to.

    `rejected_files` are damaged ones, and Bundles that cannot be read of patients who have others.
    `overall` counts, for each trial, the patients by verdict; `entries` the resources that were
    read as some patient's, by type; `research` the evaluated patients who refuse research, or are
    on a trial of those screened already.
    """

    patients: int
    deceased: int
    rejected_patients: int
    rejected_lines: int
    rejected_files: int
    overall: dict[str, dict[str, int]]
    coverage: dict[str, Coverage]
    entries: dict[str, int]
    research: dict[str, int]

    @property
    def evaluated(self) -> int:
        """Patients with rows."""
        return self.patients - self.deceased - self.rejected_patients


def finish(  # noqa: PLR0913 - everything that was found comes together here
    order: Order,
    inputs: Inputs,
    coverage: dict[str, Coverage],
    counts: Counts,
    tallies: Sequence[Tally],
    work: Path,
) -> Finished:
    """Write the results beside the work folder, and then remove it; those before them go first.

    Raises:
        CohortFault: not one patient could be read.
    """
    refused = [reject for tally in tallies for reject in tally.rejects]
    if counts.patients == 0 or len(refused) == counts.patients:
        first = [*refused, *inputs.rejects]
        why = f"{first[0].file}: {first[0].says}" if first else "it holds no Patient."
        message = f"SOURCE: '{order.source}' holds no patient who can be evaluated; {why}"
        raise CohortFault(message)
    out = work.parent
    clear(out)
    if not RESEARCH_TYPES.isdisjoint(inputs.kinds):
        said = work / "results" / "lines.research.parquet"
        write_said(work / SCAN, said, order.on, order.refusal_flags)
    overall, research = _write_tables(work / "results", out)
    broken = [*inputs.rejects, *(reject for tally in tallies for reject in tally.unread)]
    rejects = [*broken, *refused]
    _write_rejects(rejects, out)
    finished = Finished(
        counts.patients,
        sum(tally.deceased for tally in tallies),
        len(refused),
        sum(reject.line is not None for reject in broken),
        sum(reject.line is None for reject in broken),
        overall,
        coverage,
        dict(sorted(sum((Counter(tally.entries) for tally in tallies), Counter()).items())),
        research,
    )
    (out / "catalogue.json").write_bytes(msgspec.json.encode(order.catalogue))
    _write_manifest(order, inputs, counts, finished, out)
    shutil.rmtree(work)
    return finished


_DETERMINATIONS = """
select d.*, concat_ws(' ', r.says, j.says) as research from {source} d
left join (select distinct patient, says from {said} where trial is null) r using (patient)
left join (select distinct patient, trial, says from {said} where trial is not null) j
  using (patient, trial)
order by patient, trial
"""
_LISTS = ("fail", "unknown", "review", "research")
_BLANK = ", ".join(f"nullif({name}, '') as {name}" for name in _LISTS)
_NAMES = (
    "select kind, system, code, display, sum(entries)::bigint as entries, "
    "sum(patients)::bigint as patients from {source} group by all "
    "order by patients desc, entries desc, kind, system, code, display"
)


def _write_tables(results: Path, out: Path) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Join the batches. Criteria keep the order of the batches: they need not fit into memory."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": "256MB",
        "temp_directory": str(results / "spill"),
        "preserve_insertion_order": True,
    }
    with duckdb.connect(config=config) as base:
        rows = _DETERMINATIONS.format(
            source=_parts(results, "determinations"), said=_parts(results, "research")
        )
        _copy(base, rows, out / "determinations.parquet", "format parquet, compression zstd")
        # An empty list of criteria is an empty field, not a quoted one.
        sorted_rows = f"read_parquet({quoted(str(out / 'determinations.parquet'))})"
        plain = f"select * replace ({_BLANK}) from {sorted_rows}"  # noqa: S608
        _copy(base, plain, out / "determinations.csv", "format csv, header, delimiter ','")
        possible = f"select * from {_parts(results, 'possible')} order by all"  # noqa: S608
        _copy(base, possible, out / "possible.parquet", "format parquet, compression zstd")
        names = _NAMES.format(source=_parts(results, "names"))
        _copy(base, names, out / "unrecognised.parquet", "format parquet, compression zstd")
        found = base.execute(
            f"select trial, overall, count(*) from {sorted_rows} group by all order by all"  # noqa: S608
        ).fetchall()
        words = base.execute(
            "select unnest(str_split(research, ' ')) as says, count(distinct patient) "  # noqa: S608
            f"from {sorted_rows} where research <> '' group by says order by says"
        ).fetchall()
    _write_criteria(results, out / "criteria.parquet")
    overall: dict[str, dict[str, int]] = {}
    for trial, verdict, count in found:
        overall.setdefault(trial, {})[verdict] = count
    return overall, dict(words)


_GROUP = 100_000
"""Rows of criteria that are written together."""


def _write_criteria(results: Path, target: Path) -> None:
    """Join the criteria of all batches, as far as they are in memory at once."""
    part = target.with_name(f"{target.name}.part")
    waiting: list[pa.Table] = []
    with pq.ParquetWriter(part, Rows().criteria().schema, compression="zstd") as sink:
        for path in sorted(results.glob("*.criteria.arrow")):
            waiting.append(read_arrow(path))
            if sum(table.num_rows for table in waiting) >= _GROUP:
                sink.write_table(pa.concat_tables(waiting))
                waiting.clear()
        if waiting:
            sink.write_table(pa.concat_tables(waiting))
    part.replace(target)


def _parts(results: Path, name: str) -> str:
    """The parts of a table, in the order of the batches."""
    files = ", ".join(quoted(str(path)) for path in sorted(results.glob(f"*.{name}.parquet")))
    return f"read_parquet([{files}])"


def _copy(base: duckdb.DuckDBPyConnection, rows: str, target: Path, form: str) -> None:
    part = target.with_name(f"{target.name}.part")
    base.execute(f"copy ({rows}) to {quoted(str(part))} ({form})")
    part.replace(target)


def _write_rejects(rejects: Sequence[Reject], out: Path) -> None:
    target = out / "rejects.ndjson"
    if not rejects:
        return
    part = target.with_name("rejects.ndjson.part")
    with part.open("wb") as file:
        for reject in rejects:
            file.write(msgspec.json.encode(reject) + b"\n")
    part.replace(target)


def _write_manifest(
    order: Order, inputs: Inputs, counts: Counts, finished: Finished, out: Path
) -> None:
    manifest: dict[str, Any] = {
        "software": {"version": cds.__version__, "digest": software_digest()},
        "content": {"digest": order.catalogue.digest, "trials": order.catalogue.versions},
        "on": order.on.isoformat(),
        "timezone": order.zone,
        "source": _source(inputs),
        "types": {
            kind: {"state": covered.state.value, "why": covered.why}
            for kind, covered in finished.coverage.items()
        },
        "counts": {
            "patients": finished.patients,
            "evaluated": finished.evaluated,
            "deceased": finished.deceased,
            "rejected_patients": finished.rejected_patients,
            "rejected_lines": finished.rejected_lines,
            "rejected_files": finished.rejected_files,
            "patients_without_patient_resource": counts.strangers,
            "their_resources": counts.strangers_lines,
            "resources": inputs.kinds,
            "entries": finished.entries,
        },
        "overall": finished.overall,
        "research": {
            "types": sorted(RESEARCH_TYPES & inputs.kinds.keys()),
            "patients": finished.research,
        },
        "results": {
            name: {"sha256": _digest(out / name)} for name in _RESULTS if (out / name).exists()
        },
    }
    part = out / "manifest.json.part"
    part.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")
    part.replace(out / "manifest.json")


_RESULTS = ("determinations.csv", "rejects.ndjson")
"""Files whose bytes are the same for the same input and versions."""


def _source(inputs: Inputs) -> dict[str, Any]:
    asked = inputs.source.asked
    rows = zip(inputs.source.files, inputs.staged, inputs.lines, strict=True)
    return {
        "form": inputs.source.form.value,
        "files": [
            {"name": file.name, "bytes": file.size, "sha256": staged.sha256, "lines": lines}
            for file, staged, lines in rows
        ],
        "not_read": list(inputs.source.not_read),
        "asked_for": None
        if asked is None
        else {"types": sorted(asked.types) if asked.types else "all", "limited_by": asked.limited},
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
