from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from cds.cli import main
from cds.content.bundled import bundled_content

if TYPE_CHECKING:
    from pathlib import Path

PAGE = """\
Eligibility

Inclusion Criteria:

1. Desmoid tumour; ANC ≥ 1.5 × 10^9/L.
2. Willing to come.

Exclusion Criteria:

1. Clarithromycin within 7 days; anything else that worries us.
"""
TRIAL = """\
id: NCT00000000
version: "1.2.0"
title: An invented trial
short_title: invented
sponsor: Nobody
url: https://example.org/NCT00000000
recruitment: {status: Recruiting, recruiting: yes, as_of: "2026-03-01"}
target: I01
not_criteria:
  - {text: "Inclusion Criteria:", reason: heading}
  - {text: "Exclusion Criteria:", reason: heading}
"""
INCLUSION = """\
criteria:
  - {id: I01, text: Desmoid tumour, reading: r, finding: desmoid_tumor, when: ever}
  - {id: I02, text: ANC ≥ 1.5 × 10^9/L., reading: r, lab: anc, at_least: 1 ULN, look_back: ever}
  - {id: I03, text: Willing to come., reading: r, review: Willing?}
"""
EXCLUSION = """\
criteria:
  - id: E01
    text: Clarithromycin within 7 days;
    reading: r
    status: drafted
    medication: strong_cyp3a4_inhibitor
    washout: 7 days
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site's folder with the invented trial and the page that it was read from."""
    folder = tmp_path / "trials" / "NCT00000000"
    folder.mkdir(parents=True)
    files = {"trial": TRIAL, "inclusion": INCLUSION, "exclusion": EXCLUSION}
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    (tmp_path / "page.txt").write_text(PAGE, "utf-8")
    monkeypatch.setenv("TRIAL_CDS_CONTENT", f"{bundled_content()}:{tmp_path}")
    return tmp_path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["coverage", *map(str, words)])


def test_each_criterion_is_computed_human_or_drafted(site: Path) -> None:
    done = run("NCT00000000", "--format", "json")
    (found,) = json.loads(done.stdout)
    assert done.exit_code == 0
    assert found["criteria"] == {"computed": 2, "in part": 0, "human": 1, "drafted": 1}
    assert found["states"]["E01"] == "drafted"
    assert found["proposed"] == 1
    assert found["signed"] == []
    assert f"{site}: 1 trial(s)." in done.stderr


def test_the_ledger_accounts_for_every_sentence_and_names_what_nothing_claims(site: Path) -> None:
    done = run("NCT00000000", "--source", site / "page.txt", "--format", "json")
    (found,) = json.loads(done.stdout)
    states = {one["text"]: (one["state"], one["unclaimed"]) for one in found["sentences"]}
    assert states == {
        "Inclusion Criteria:": ("no criterion", ""),
        "Desmoid tumour;": ("computed", ""),
        "ANC ≥ 1.5 × 10^9/L.": ("computed", ""),
        "Willing to come.": ("human", ""),
        "Exclusion Criteria:": ("no criterion", ""),
        "Clarithromycin within 7 days;": ("drafted", ""),
        "anything else that worries us.": ("unclaimed", "anything else that worries us."),
    }
    assert done.exit_code == 1, "a sentence that nothing accounts for is a fault"


def test_the_ledger_can_be_read_and_uses_the_page_kept_beside_the_trial(site: Path) -> None:
    (site / "page.txt").rename(site / "trials" / "NCT00000000" / "source.txt")
    done = run("NCT00000000", "--ledger")
    assert "NCT00000000: 1 of 1 drafts have a proposed form." in done.stdout
    assert "NCT00000000: 7 sentences of the page: 2 computed, 1 human, 1 drafted" in done.stdout
    assert "not accounted for: anything else that worries us." in done.stdout
    assert "     5  Desmoid tumour;\n        → I01: computed" in done.stdout


def test_without_a_page_there_is_no_ledger(site: Path) -> None:
    done = run("NCT00000000", "--ledger")
    assert done.exit_code == 2
    assert "there is no page to account for; give --source FILE" in done.stderr
    assert site.is_dir()


def test_the_bundled_trials_are_reviewed_and_mostly_computed() -> None:
    done = run("--format", "json")
    for found in json.loads(done.stdout):
        assert found["criteria"]["drafted"] == 0
        assert found["criteria"]["computed"] > found["criteria"]["human"]
