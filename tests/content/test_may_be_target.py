"""Findings that leave a target diagnosis open are the trial file's to name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cds.assess import Content, load_content
from cds.content.bundled import bundled_content
from cds.content.fault import ContentFaults
from cds.content.trial_head import MayBeTarget

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAD = """\
id: NCT00000000
version: "1.0.0"
title: An invented trial
short_title: invented
sponsor: Nobody
url: https://example.org/NCT00000000
recruitment: {status: Recruiting, recruiting: yes, as_of: "2026-03-01"}
target: I01
"""
INCLUSION = """\
criteria:
  - {id: I01, text: Hypertension, reading: r, finding: hypertension, when: ever}
"""
EXCLUSION = "criteria:\n  - {id: E01, text: Unfit, reading: r, review: Unfit?}\n"


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Content]:
    """Loads a third trial with more lines in its trial.yaml."""

    def loaded(more: str) -> Content:
        folder = tmp_path / "trials" / "NCT00000000"
        folder.mkdir(parents=True)
        (folder / "trial.yaml").write_text(HEAD + more, "utf-8")
        (folder / "inclusion.yaml").write_text(INCLUSION, "utf-8")
        (folder / "exclusion.yaml").write_text(EXCLUSION, "utf-8")
        return load_content([bundled_content(), tmp_path], only=["NCT00000000"])

    return loaded


def test_a_trial_names_what_leaves_its_target_open(load: Callable[[str], Content]) -> None:
    more = (
        "may_be_target: {findings: [epilepsy_seizure], except: [heart_failure], source: it may}\n"
    )
    (folder,) = load(more).folders
    assert folder.may_be_target == MayBeTarget(("epilepsy_seizure",), ("heart_failure",), "it may")


def test_a_trial_need_not_name_any(load: Callable[[str], Content]) -> None:
    (folder,) = load("").folders
    assert folder.may_be_target == MayBeTarget()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("may_be_target: epilepsy\n", "'may_be_target' is a set of keys"),
        ("may_be_target: {findings: epilepsy, source: s}\n", "'findings' must be a list"),
        (
            "may_be_target: {findings: [epilepsy_seizur], source: s}\n",
            "Did you mean 'epilepsy_seizure'",
        ),
        ("may_be_target: {findings: [anc], source: s}\n", "No finding is called 'anc'"),
        ("may_be_target: {findings: [epilepsy_seizure]}\n", "'source' is missing"),
        ("may_be_target: {findings: [epilepsy_seizure], source: s, why: x}\n", "has no 'why'"),
        (
            "may_be_target: {findings: [epilepsy_seizure], except: [], source: s}\n",
            "'except' must be",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    load: Callable[[str], Content], more: str, says: str
) -> None:
    with pytest.raises(ContentFaults) as caught:
        load(more)
    (fault,) = caught.value.faults
    assert says in str(fault)
    assert "NCT00000000/trial.yaml:9:" in str(fault)
