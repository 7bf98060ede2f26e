"""Several content folders at once: which trial comes from which, and what overrides what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.content.mappings import is_read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a trial comes from: the folder that counts, and those whose copy it overrides."""

    trial: str
    folder: Path
    overrides: tuple[Path, ...]


def origins(folders: Sequence[Path]) -> dict[str, Origin]:
    """The origin of every trial of the content folders, by id."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        for path in sorted((folder / "trials").glob("*/trial.yaml")):
            found.setdefault(path.parent.name, []).append(folder)
    return {
        name: Origin(name, holders[-1], tuple(holders[:-1]))
        for name, holders in sorted(found.items())
    }


def overlay_report(folders: Sequence[Path]) -> list[str]:
    """What each folder adds and overrides, one sentence each; nothing to say about one folder."""
    if len(folders) < 2:  # noqa: PLR2004 - one folder overrides nothing
        return []
    every = origins(folders)
    return [_says(folder, number, every) for number, folder in enumerate(folders)]


def _says(folder: Path, number: int, every: dict[str, Origin]) -> str:
    here = {path.parent.name for path in (folder / "trials").glob("*/trial.yaml")}
    own = sorted(name for name in here if every[name].folder == folder)
    over = [name for name in own if every[name].overrides]
    lost = sorted(here.difference(own))
    says = [f"{len(own)} trial(s)" if own else "no trial"]
    says += [f"overriding {', '.join(over)}"] if over else []
    says += [f"{', '.join(lost)} overridden by a later folder"] if lost else []
    files = (path for path in (folder / "mappings").rglob("*") if path.is_file())
    names = (path.relative_to(folder / "mappings").as_posix() for path in files)
    tables = sorted(filter(is_read, names))
    if number and tables:
        says.append(f"rows of {', '.join(tables)} override earlier ones")
    elif tables:
        says.append(f"{len(tables)} mapping file(s)")
    return f"{folder}: {'; '.join(says)}."
