"""Checking content again each time one of its files is saved."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cds.content.fault import Fault

_OURS = {".yaml", ".tsv", ".txt", ".json"}


def watch_and_check(folders: Sequence[Path], source: Path | None, trial: str | None) -> None:
    """Check now, and again after every save, until Ctrl-C."""
    from watchfiles import watch

    watched = [part for folder in folders for part in _parts(folder)]
    watched += [source] if source is not None else []
    faults: list[Fault] | None = None
    click.echo("Checking…")
    # The first look waits until files are watched: nothing that is saved meanwhile is missed.
    looks = watch(
        *watched, raise_interrupt=True, debounce=200, rust_timeout=300, yield_on_timeout=True
    )
    try:
        for changes in looks:
            saved = _saved(folders, [path for _, path in changes])
            if faults is None:
                faults = _check(folders, source, trial, None, None)
            elif saved:
                faults = _check(
                    folders, source, trial or _only_trial(saved, folders), faults, saved
                )
    except KeyboardInterrupt:
        click.echo("\nNo longer watching.", err=True)


def _parts(folder: Path) -> list[Path]:
    return [part for part in (folder / "mappings", folder / "trials") if part.is_dir()]


def _saved(folders: Sequence[Path], paths: Iterable[str]) -> list[str]:
    """The files that matter, named as people know them: below their content folder."""
    found: set[str] = set()
    for text in paths:
        name = text.rpartition("/")[2]
        if name.startswith((".", "#")) or not name.endswith(tuple(_OURS)):
            continue
        inside = [f"{folder.resolve()}/" for folder in folders]
        home = next((one for one in inside if text.startswith(one)), "")
        found.add(text.removeprefix(home))
    return sorted(found)


def _only_trial(saved: Sequence[str], folders: Sequence[Path]) -> str | None:
    """The one trial whose files alone were saved, where it still stands in a folder."""
    parts = {tuple(name.split("/")[:2]) for name in saved}
    if len(parts) != 1:
        return None
    ((first, *rest),) = parts
    name = rest[0] if first == "trials" and rest else ""
    there = any((folder / "trials" / name / "trial.yaml").is_file() for folder in folders)
    return name if name and there else None


def _check(
    folders: Sequence[Path],
    source: Path | None,
    trial: str | None,
    before: Sequence[Fault] | None,
    saved: Sequence[str] | None,
) -> list[Fault]:
    """Check, show what is wrong, and what changed since the last time.

    After a save of one trial's files that trial alone is checked; what is known of the others
    stays.
    """
    from cds.content.check import check_content

    began = time.monotonic()
    faults = check_content(folders, source=source, trial=trial)
    if before is not None and trial is not None:
        own = f"trials/{trial}/"
        named = {source.name} if source is not None else set()
        faults += [f for f in before if not f.file.startswith(own) and f.file not in named]
        faults = sorted(set(faults), key=lambda fault: (fault.file, fault.line, fault.says))
    took = time.monotonic() - began
    if sys.stdout.isatty():
        click.clear()
    _show(faults, before, saved, took)
    return faults


def _show(
    faults: Sequence[Fault],
    before: Sequence[Fault] | None,
    saved: Sequence[str] | None,
    took: float,
) -> None:
    from cds.content.fault import Severity

    clock = datetime.now().astimezone().strftime("%H:%M:%S")
    why = f"{', '.join(saved)} saved" if saved else "first look"
    click.secho(f"{clock}  {why}", bold=True)
    old = set(before or ())
    for fault in faults:
        wrong = fault.severity is Severity.FAULT
        mark = "+ " if before is not None and fault not in old else "  "
        click.echo(mark + click.style(str(fault), fg="red" if wrong else "yellow"))
    count = sum(fault.severity is Severity.FAULT for fault in faults)
    says = f"{count} fault(s), {len(faults) - count} notice(s)"
    if before is not None:
        gone = sum(
            fault not in set(faults) and fault.severity is Severity.FAULT for fault in before
        )
        says += f"; {gone} put right" if gone else ""
    click.secho(f"{says}, checked in {took:.1f} s. Watching; Ctrl-C ends.", bold=True)
