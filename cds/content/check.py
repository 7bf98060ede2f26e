"""`trial-cds check`: every fault of mappings, trials and cases at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.cases import load_cases
from cds.content.checks import CHECKS, Content
from cds.content.fault import ContentFaults, Fault, Severity
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.misnamed import misnamed_files
from cds.content.source import read_source, source_faults
from cds.content.trials import load_trial, trial_folders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from cds.content.cases import Case
    from cds.content.trials import TrialFolder
    from cds.core.terminology import Terminology


def check_content(
    folders: Sequence[Path],
    *,
    source: Path | None = None,
    trial: str | None = None,
    day: date | None = None,
) -> list[Fault]:
    """All faults and notices of some content folders, in the order of files and lines.

    `trial` limits the checks to one trial; `source` is the page or protocol that it was read from;
    `day` is the day for which the versions should be in force.
    Mappings that cannot be read hide the rest: nothing can be said of trials without concepts.
    """
    try:
        terminology = load_terminology(folders)
    except ContentFaults as problem:
        return list(problem.faults)
    faults: list[Fault] = []
    trials, cases = _load(folders, terminology, trial, faults)
    content = Content(terminology, trials, cases, whole=trial is None and not faults, day=day)
    for check in CHECKS:
        faults += check(content)
    if source is not None:
        faults += _against(source, trials)
    return sorted(set(faults), key=lambda fault: (fault.file, fault.line, fault.says))


def check_report(faults: Sequence[Fault], checked: str) -> str:
    """One line for each fault, then how many there are; `checked` says what was looked at."""
    wrong = sum(fault.severity is Severity.FAULT for fault in faults)
    notices = len(faults) - wrong
    return "\n".join([*map(str, faults), f"{checked}: {wrong} fault(s), {notices} notice(s)."])


def is_sound(faults: Sequence[Fault]) -> bool:
    """Whether nothing must be put right; notices do not count."""
    return all(fault.severity is Severity.NOTICE for fault in faults)


def _load(
    folders: Sequence[Path],
    terminology: Terminology,
    only: str | None,
    faults: list[Fault],
) -> tuple[list[TrialFolder], dict[str, list[Case]]]:
    """The trials that can be read, each with its cases; faults of the others are noted."""
    found = trial_folders(folders)
    misnamed = misnamed_files(folders, () if only is None else (only,))
    faults += misnamed
    if only is not None and only not in found and not misnamed:
        cure = f"There are {', '.join(found) or 'none'}."
        faults.append(Fault("trials", 1, f"No trial is called '{only}'.", cure))
    concepts, digest = concept_infos(terminology), terminology.digest
    trials: list[TrialFolder] = []
    cases: dict[str, list[Case]] = {}
    for name, folder in found.items():
        if only is not None and name != only:
            continue
        try:
            loaded = load_trial(folder, concepts, digest)
            cases[loaded.trial.id] = load_cases(loaded, concepts)
            trials.append(loaded)
        except ContentFaults as problem:
            faults += problem.faults
    return trials, cases


def _against(source: Path, trials: Sequence[TrialFolder]) -> list[Fault]:
    """What a source says against the one trial that is checked."""
    if len(trials) != 1:
        says = f"A source belongs to one trial; {len(trials)} could be read."
        return [Fault(source.name, 1, says, "Name the trial with --trial.")]
    try:
        return source_faults(trials[0], read_source(source))
    except ContentFaults as problem:
        return list(problem.faults)
