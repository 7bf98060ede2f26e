"""What a finished screening says on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.core.criterion import Overall
from cds.fhir.retrieved import NEEDED, SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.cohort.finishing import Finished

NEEDED_KINDS = frozenset(name.partition(":")[0] for name in NEEDED)
"""The types whose absence makes something unknown; MedicationAdministration only adds evidence."""


def summary(finished: Finished, out: str) -> str:
    """How many patients each trial might take, what was not read, and where the rows are."""
    return "\n".join(_lines(finished, out))


def _lines(finished: Finished, out: str) -> Iterator[str]:
    yield (
        f"{finished.patients} patients: {finished.evaluated} evaluated, "
        f"{finished.deceased} deceased, {finished.rejected_patients} not readable"
    )
    for trial, counts in finished.overall.items():
        said = ", ".join(
            f"{counts.get(overall.value, 0)} {overall.value}" for overall in reversed(Overall)
        )
        yield f"  {trial}: {said}"
    for kind, covered in finished.coverage.items():
        if kind in NEEDED_KINDS and covered.state in SHORT:
            yield f"! {kind} was not read completely: {covered.why}"
    if finished.rejected_lines or finished.rejected_patients:
        yield f"! {finished.rejected_lines} broken lines; see {out}/rejects.ndjson"
    yield f"Rows: {out}/determinations.csv, {out}/criteria.parquet; 'trial-cds report {out}'"
