from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from cds.content.bundled import bundled_content
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.review import review_pages
from cds.content.trials import load_trials

if TYPE_CHECKING:
    from pathlib import Path

    from cds.content.trials import TrialFolder

FOLDERS = [bundled_content()]
NAMES = sorted(path.parent.name for path in (FOLDERS[0] / "trials").glob("*/trial.yaml"))


@cache
def pages() -> dict[str, tuple[TrialFolder, Path, str]]:
    """Each bundled trial with its page as it must be today."""
    terminology = load_terminology(FOLDERS)
    trials = load_trials(FOLDERS, concept_infos(terminology), terminology.digest)
    made = review_pages(FOLDERS, terminology, trials)
    return {
        loaded.trial.id: (loaded, path, page)
        for loaded, (path, page) in zip(trials, made, strict=True)
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_page_that_a_clinician_signs_shows_today_s_criteria(name: str) -> None:
    _, path, page = pages()[name]
    assert path.is_file(), "write it with: trial-cds review --write"
    if path.read_text("utf-8") != page:
        pytest.fail(f"{name}/README.md is not current: trial-cds review --write", pytrace=False)


@pytest.mark.parametrize("name", NAMES)
def test_every_criterion_stands_on_the_page_with_its_words(name: str) -> None:
    loaded, _, page = pages()[name]
    bare = page.replace("\\", "")
    for criterion in loaded.trial.criteria:
        assert f"</a>{criterion.id}\n" in page
        for words in (criterion.text, *criterion.also, criterion.reading):
            assert " ".join(words.split()).replace("\\", "") in bare


@pytest.mark.parametrize("name", NAMES)
def test_questions_come_before_judgements_and_those_before_the_criteria(name: str) -> None:
    _, _, page = pages()[name]
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings[:6] == [
        "Sign-off",
        "Counts",
        "Questions for the sponsor",
        "What a human must judge",
        "Inclusion criteria",
        "Exclusion criteria",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_link_on_the_page_has_its_target(name: str) -> None:
    _, _, page = pages()[name]
    targets = set(re.findall(r'<a id="([^"]+)"></a>', page))
    links = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert links - targets == set()


@pytest.mark.parametrize("name", NAMES)
def test_the_counts_add_up_to_the_criteria(name: str) -> None:
    loaded, _, page = pages()[name]
    rows = re.findall(r"^\| (?:inclusion|exclusion) \|(.+)\|$", page, re.MULTILINE)
    totals = [[int(cell) for cell in row.split("|")] for row in rows]
    assert all(sum(row[:-1]) == row[-1] for row in totals)
    assert sum(row[-1] for row in totals) == len(loaded.trial.criteria)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_stays_far_below_a_megabyte(name: str) -> None:
    _, _, page = pages()[name]
    assert len(page.encode()) < 700_000


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_how_to_sign_off_and_with_which_digest(name: str) -> None:
    loaded, _, page = pages()[name]
    assert loaded.trial.digest in page
    assert ("Criteria not yet reviewed" in page) is not loaded.trial.signed_off
