"""The changes between two screenings, for a terminal and for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rich.console import Console

from cds.cohort.report.patients import research_words
from cds.cohort.report.results import Results, open_results
from cds.cohort.since import CHANGES, SINCE, Reworded, Since

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

_SHOWN = 20
"""Patients of each kind of change that the terminal names; changes.csv has all."""

KINDS = (
    "became potentially eligible",
    "one test away",
    "no longer excluded",
    "became undetermined",
    "dropped out",
    "left the export",
)
"""Every kind of change, the most welcome first."""


class Change(NamedTuple):
    """One patient whose answer for one trial changed.

    `says` is why, or what is missing; `research` what the record says of research.
    """

    patient: str
    trial: str
    change: str
    was: str
    now: str
    says: str
    because: str
    research: str


class Changes(NamedTuple):
    """What a screening found against an earlier one. `versions` says how trials differ."""

    was_on: str
    now_on: str
    versions: tuple[str, ...]
    rows: tuple[Change, ...]


def changes_of(results: Results) -> Changes | None:
    """The changes beside some results; None if they were not compared with any."""
    path = results.folder / SINCE
    if not path.is_file():
        return None
    since = msgspec.json.decode(path.read_bytes(), type=Since)
    labels = results.catalogue.labels
    rows = results.rows(
        "select c.patient, c.trial, change, coalesce(was, ''), coalesce(now, ''), missing, "
        "criteria, excludes, because, coalesce(t.research, '') from read_parquet(?) c "
        "left join told t on t.patient = c.patient and t.trial = c.trial",
        str(results.folder / CHANGES),
    )
    found = [
        Change(
            patient,
            trial,
            change,
            was,
            now,
            _says(missing, criteria, excludes, labels),
            why,
            research_words(research),
        )
        for patient, trial, change, was, now, missing, criteria, excludes, why, research in rows
    ]
    found.sort(key=lambda one: (one.trial, KINDS.index(one.change), one.patient))
    versions = tuple(_version(trial) for trial in since.trials)
    return Changes(since.was_on, since.now_on, versions, tuple(found))


def _says(missing: str | None, criteria: str, excludes: str, labels: dict[str, str]) -> str:
    if excludes:
        return excludes
    if missing:
        return f"only {labels.get(missing, missing)} is missing"
    return f"changed: {criteria}" if criteria else ""


def print_changes(out: Path, to: TextIO) -> None:
    """Print who changed and why, and what a new version of a trial changes."""
    console = Console(file=to, highlight=False, markup=False, soft_wrap=True)
    with open_results(out) as results:
        changes = changes_of(results)
    if changes is None:
        return
    console.print(
        f"Changes from {changes.was_on} to {changes.now_on}: {len(changes.rows)}", style="bold"
    )
    for version in changes.versions:
        console.print(f"  {version}")
    kinds = sorted({(one.trial, KINDS.index(one.change)) for one in changes.rows})
    for trial, index in kinds:
        of_kind = [one for one in changes.rows if (one.trial, one.change) == (trial, KINDS[index])]
        console.print(f"  {trial}: {len(of_kind)} {KINDS[index]}")
        for one in of_kind[:_SHOWN]:
            research = f" [{one.research}]" if one.research else ""
            console.print(f"    {one.patient} ({one.because}) {one.says}".rstrip() + research)
        if len(of_kind) > _SHOWN:
            console.print(f"    … and {len(of_kind) - _SHOWN} more in {out / 'changes.csv'}")


def _version(version: Reworded) -> str:
    parts = [
        f"{word} {' '.join(ids)}"
        for word, ids in (
            ("new:", version.added),
            ("gone:", version.removed),
            ("reworded:", version.changed),
        )
        if ids
    ]
    said = "; ".join(parts) or "the same words; another computable form, or other mappings"
    was = f"{version.was} → " if version.was else ""
    return f"{version.trial} {was}{version.now} has other content ({said})"
