"""Files of trials that nobody would read because of their names, such as `trial.yml`.

A trial is a folder that holds `trial.yaml`. One whose file is misspelt would vanish without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.fault import Fault, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_FILES = ("trial.yaml", "inclusion.yaml", "exclusion.yaml")
_SUFFIXES = (".yaml", ".yml")
_SHAPE = "A trial is a folder trials/NCT…/ with trial.yaml, inclusion.yaml and exclusion.yaml."


def misnamed_files(folders: Sequence[Path], only: Sequence[str] = ()) -> list[Fault]:
    """One fault for each file that was meant for a trial and is not read; `only` these trials."""
    faults: list[Fault] = []
    for content in folders:
        for path in sorted((content / "trials").glob("*")):
            if path.name.startswith(".") or (only and path.name not in only):
                continue
            faults += _in_folder(path) if path.is_dir() else _beside(path)
    return faults


def _beside(path: Path) -> Iterator[Fault]:
    """A file of a trial that lies outside of any trial's folder."""
    if path.name.lower().endswith(_SUFFIXES):
        yield Fault(f"trials/{path.name}", 1, "The file belongs to no trial.", _SHAPE)


def _in_folder(folder: Path) -> Iterator[Fault]:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    yaml = [name for name in names if name.lower().endswith(_SUFFIXES)]
    meant = {name: _meant(name) for name in yaml if name not in _FILES}
    for name, wanted in meant.items():
        if wanted and wanted not in names:
            says = f"No file of a trial is called '{name}', so it is not read."
            yield Fault(f"trials/{folder.name}/{name}", 1, says, f"Rename it to {wanted}.")
    if yaml and "trial.yaml" not in names and "trial.yaml" not in meant.values():
        says = "The folder holds no trial.yaml, so the trial is not read."
        yield Fault(f"trials/{folder.name}/{yaml[0]}", 1, says, _SHAPE)
    for path in sorted((folder / "cases").glob("*.[yY][mM][lL]")):
        where = f"trials/{folder.name}/cases/{path.name}"
        says = "Cases are read from files that end with .yaml; this one is not read."
        yield Fault(where, 1, says, f"Rename it to {path.stem}.yaml.")


def _meant(name: str) -> str:
    """The file of a trial that a name comes near; '' where it is something else."""
    near = did_you_mean(name.lower(), _FILES)
    return next((one for one in _FILES if f"'{one}'" in near), "")
