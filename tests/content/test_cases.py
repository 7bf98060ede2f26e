"""Every YAML case of every bundled trial is one test, named after its file and its sentence."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cds.content.bundled import bundled_content
from cds.content.cases import Case, load_cases, run_case
from cds.content.fault import ContentFaults
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.trials import TrialFolder, load_trial

if TYPE_CHECKING:
    from cds.core.terminology import Terminology

FOLDERS = sorted(path.parent for path in (bundled_content() / "trials").glob("*/trial.yaml"))


@cache
def known() -> Terminology:
    """The bundled mappings, loaded once."""
    return load_terminology([bundled_content()])


@cache
def loaded(folder: Path) -> TrialFolder:
    """The trial of a folder, loaded once."""
    terminology = known()
    return load_trial(folder, concept_infos(terminology), terminology.digest)


def every_case() -> list[object]:
    """One parameter per case; a folder that cannot be read is one parameter that fails."""
    found: list[object] = []
    for folder in FOLDERS:
        try:
            cases = load_cases(loaded(folder), concept_infos(known()))
        except ContentFaults as problem:
            found.append(pytest.param(folder, problem, id=f"{folder.name}:faults"))
            continue
        for case in cases:
            name = f"{folder.name}/{Path(case.file).stem}:{case.name}"
            found.append(pytest.param(folder, case, id=name))
    return found


@pytest.mark.parametrize(("folder", "case"), every_case())
def test_every_case_of_every_trial_holds(folder: Path, case: Case | ContentFaults) -> None:
    if isinstance(case, ContentFaults):
        pytest.fail(str(case), pytrace=False)
    wrong = run_case(case, loaded(folder).trial)
    if wrong:
        lines = "\n  ".join(wrong)
        pytest.fail(f"{case.file}:{case.line}: {case.name}\n  {lines}", pytrace=False)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_two_cases_of_a_trial_share_their_sentence(folder: Path) -> None:
    names = [case.name for case in load_cases(loaded(folder))]
    assert sorted({name for name in names if names.count(name) > 1}) == []
