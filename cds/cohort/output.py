"""The output folder: refused where the results would lie upon somebody's files, and cleared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cds.cohort.fault import CohortFault

if TYPE_CHECKING:
    from pathlib import Path

WORK = ".work"
"""The folder inside the output folder that holds what an interrupted run has finished."""

MANIFEST = "manifest.json"
LATER = ("changes.csv", "changes.parquet", "since.json", "report.html", "rejects.ndjson")
"""What only some screenings write, or what is made of a screening later."""

WRITTEN = (
    MANIFEST,
    "catalogue.json",
    "determinations.csv",
    "determinations.parquet",
    "criteria.parquet",
    "possible.parquet",
    "unrecognised.parquet",
    *LATER,
)
"""Everything that stands in an output folder."""


def check_out(source: Path, out: Path) -> None:
    """Refuse a folder in which the results would replace the export, or files that are not ours.

    Raises:
        CohortFault: it is SOURCE, lies inside it, or holds files that no screening wrote.
    """
    try:
        inside = any(one.exists() and one.samefile(source) for one in _with_parents(out))
        there = [name for name in WRITTEN if (out / name).exists()]
        folders = [name for name in there if (out / name).is_dir()]
        ours = (out / WORK).is_dir() or _wrote(out / MANIFEST)
    except OSError as problem:
        why = (problem.strerror or "unknown reason").lower()
        message = f"--out: '{out}' cannot be used: {why}; name a folder that may be written."
        raise CohortFault(message) from None
    if inside:
        message = f"--out: '{out}' is in SOURCE; name a folder outside of it for the results."
        raise CohortFault(message)
    if folders:
        message = (
            f"--out: {folders[0]} in '{out}' is a folder, as a cluster writes it; "
            "name another folder for the results."
        )
        raise CohortFault(message)
    if there and not ours:
        message = (
            f"--out: '{out}' holds a file {there[0]} that no screening wrote; "
            "name a folder that is empty or holds an earlier screening."
        )
        raise CohortFault(message)


def check_cluster_out(source: str, out: str) -> None:
    """The same of paths that only a cluster can read, as far as their names tell.

    Raises:
        CohortFault: the results would lie in SOURCE.
    """
    if f"{out.rstrip('/')}/".startswith(f"{source.rstrip('/')}/"):
        message = f"--out: '{out}' is in SOURCE; name a folder outside of it for the results."
        raise CohortFault(message)


def clear(out: Path) -> None:
    """Remove an earlier screening's manifest, and what the new screening may not write.

    Without a manifest nobody takes half-written results for whole ones.
    """
    for name in (MANIFEST, *LATER):
        (out / name).unlink(missing_ok=True)


def _with_parents(folder: Path) -> tuple[Path, ...]:
    """A folder and all above it, symbolic links followed; it need not be there yet."""
    resolved = folder.resolve()
    return resolved, *resolved.parents


def _wrote(manifest: Path) -> bool:
    """Whether a manifest is that of a screening; an export has one of the same name."""
    try:
        said = json.loads(manifest.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(said, dict) and {"software", "content", "on", "source"} <= said.keys()
