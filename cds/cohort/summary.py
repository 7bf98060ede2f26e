"""What a finished screening says on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.cards.words import counted
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
        f"{counted(finished.patients, 'patient')}: {finished.evaluated} evaluated, "
        f"{finished.deceased} deceased, {finished.rejected_patients} not readable"
    )
    for trial, counts in finished.overall.items():
        verdicts = ", ".join(
            f"{counts.get(overall.value, 0)} {overall.value}" for overall in reversed(Overall)
        )
        yield f"  {trial}: {verdicts}"
    for kind, covered in finished.coverage.items():
        if kind in NEEDED_KINDS and covered.state in SHORT:
            yield f"! {kind} was not read completely: {covered.why}"
    rejected = (
        (finished.rejected_patients, "patient not readable", "patients not readable"),
        (finished.rejected_lines, "broken line", "broken lines"),
        (finished.rejected_files, "damaged file", "damaged files"),
    )
    said = [counted(number, one, many) for number, one, many in rejected if number]
    if said:
        yield f"! {', '.join(said)}; see {out}/rejects.ndjson"
    yield f"Rows: {out}/determinations.csv, {out}/criteria.parquet; 'trial-cds report {out}'"
