from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace as changed

from cds.content.bundled import bundled_content
from cds.content.checks import Content, empty_sets, unused_concepts
from cds.content.fault import Severity
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.trials import load_trial
from cds.core.terminology import Terminology

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def content(write: Callable[..., Path]) -> Content:
    """The small trial with the bundled mappings."""
    terminology = load_terminology([bundled_content()])
    folder = write() / "trials" / "NCT00000000"
    loaded = load_trial(folder, concept_infos(terminology))
    return Content(terminology, [loaded], {loaded.trial.id: []})


def made_of(terminology: Terminology, concept: str, *sets: str) -> Terminology:
    """The same terminology with one concept made of other sets."""
    concepts = dict(terminology.lists.concepts)
    concepts[concept] = changed(concepts[concept], made_of=sets, review=())
    return Terminology(changed(terminology.lists, concepts=concepts))


def test_concepts_whose_sets_hold_codes_are_no_fault(content: Content) -> None:
    assert list(empty_sets(content)) == []


@pytest.mark.parametrize("concept", ["desmoid_tumor", "anc", "strong_cyp3a4_inhibitor"])
def test_a_used_concept_whose_sets_hold_no_code_is_a_fault(content: Content, concept: str) -> None:
    emptied = made_of(content.terminology, concept, "no_such_set")
    (fault,) = empty_sets(replace(content, terminology=emptied))
    assert f"the sets of '{concept}' (no_such_set) hold no code" in fault.says
    assert fault.severity is Severity.FAULT


def test_what_is_only_subtracted_gives_no_codes(content: Content) -> None:
    emptied = made_of(content.terminology, "desmoid_tumor", "-rhabdomyosarcoma")
    (fault,) = empty_sets(replace(content, terminology=emptied))
    assert "'desmoid_tumor' has no code list" in fault.says


def test_concepts_that_no_criterion_uses_are_one_notice(content: Content) -> None:
    (notice,) = unused_concepts(content)
    assert notice.severity is Severity.NOTICE
    assert "rhabdomyosarcoma" in notice.says
    assert "desmoid_tumor" not in notice.says


def test_a_selection_of_trials_says_nothing_about_unused_concepts(content: Content) -> None:
    assert list(unused_concepts(replace(content, whole=False))) == []
