"""The coordinator's list: a CSV of who fits which trial, and of how single criteria stand."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

import msgspec

from cds.cohort.fault import CohortFault

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

COLUMNS = ("patient", "trial", "criterion", "fits")
_YES, _NO = frozenset({"yes", "y", "1", "true"}), frozenset({"no", "n", "0", "false"})
_FHIR_ID = re.compile(r"(Patient/)?([A-Za-z0-9\-.]{1,64})", re.ASCII)
_MOST_FAULTS = 5


class Judged(msgspec.Struct, frozen=True):
    """One line: whether a patient fits a trial, or (`criterion`) how one criterion stands.

    `fits` is seen from eligibility: False rules out. `line` counts from 1 in the file.
    """

    line: int
    patient: str
    trial: str
    criterion: str | None
    fits: bool


def read_list(path: Path, trials: Collection[str]) -> list[Judged]:
    """The lines of a list; `trials` are those that the phase knows.

    Raises:
        CohortFault: it cannot be read, or lines are wrong; patients are not named.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            named = tuple(rows.fieldnames or ())
            if missing := [name for name in ("patient", "trial", "fits") if name not in named]:
                message = (
                    f"'{path}' lacks the column {missing[0]}; its first line names the columns "
                    f"{', '.join(COLUMNS)} (criterion may be left out)."
                )
                raise CohortFault(message)
            read = [_line(rows.line_num, row, trials) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        message = f"'{path}' cannot be read as CSV in UTF-8 ({type(problem).__name__})."
        raise CohortFault(message) from problem
    judged = [one for one in read if isinstance(one, Judged)]
    faults = [one for one in read if isinstance(one, str)]
    faults += _twice(judged)
    if faults:
        more = f" ({len(faults)} faults in all)" if len(faults) > _MOST_FAULTS else ""
        message = f"'{path}': {'; '.join(faults[:_MOST_FAULTS])}{more}."
        raise CohortFault(message)
    return judged


def _line(number: int, row: dict[str, str | None], trials: Collection[str]) -> Judged | str:
    patient = _FHIR_ID.fullmatch((row["patient"] or "").strip())
    trial = (row["trial"] or "").strip()
    said = (row["fits"] or "").strip().lower()
    if patient is None:
        return f"line {number} names no FHIR id of a patient"
    if trial not in trials:
        return f"line {number} names a trial that was not evaluated"
    if said not in _YES | _NO:
        return f"line {number} says neither yes nor no under fits"
    criterion = (row.get("criterion") or "").strip() or None
    return Judged(number, patient[2], trial, criterion, said in _YES)


def _twice(judged: list[Judged]) -> list[str]:
    first: dict[tuple[str, str, str | None], int] = {}
    faults = []
    for one in judged:
        key = (one.patient, one.trial, one.criterion)
        if key in first:
            faults.append(f"line {one.line} repeats line {first[key]}")
        first.setdefault(key, one.line)
    return faults
