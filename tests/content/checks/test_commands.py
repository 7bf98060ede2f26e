from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from cds.cli import main
from cds.content.bundled import bundled_content, bundled_fixtures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def run(*words: str | Path) -> Result:
    """A command of trial-cds."""
    return CliRunner().invoke(main, [str(word) for word in words])


def test_check_of_a_sound_trial_ends_with_status_0(write: Callable[..., Path]) -> None:
    done = run(
        "check", "--content", bundled_content(), "--content", write(), "--trial", "NCT00000000"
    )
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == "NCT00000000: 0 fault(s), 1 notice(s)."


def test_check_of_a_faulty_trial_prints_file_line_and_cure_and_ends_with_status_1(
    write: Callable[..., Path],
) -> None:
    folder = write(inclusion=("lab: anc", "lab: ancc"))
    done = run(
        "check", "--content", bundled_content(), "--content", folder, "--trial", "NCT00000000"
    )
    assert done.exit_code == 1
    assert done.stdout.splitlines()[0] == (
        "trials/NCT00000000/inclusion.yaml:10: No concept is called 'ancc'. Did you mean 'anc'?"
    )


def test_check_names_the_trials_that_there_are(write: Callable[..., Path]) -> None:
    done = run("check", "--content", bundled_content(), "--content", write(), "--trial", "NCT1")
    assert done.exit_code == 1
    assert "No trial is called 'NCT1'. There are NCT00000000, " in done.output


def test_review_shows_the_page_of_the_named_trial_only(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIAL_CDS_CONTENT", f"{bundled_content()}:{write()}")
    done = run("review", "NCT00000000")
    assert done.exit_code == 0
    assert done.stdout.startswith("# NCT00000000: invented drug for desmoid tumour\n")
    assert done.stdout.count("## Sign-off") == 1


def test_review_writes_the_page_beside_the_criteria(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write()
    monkeypatch.setenv("TRIAL_CDS_CONTENT", f"{bundled_content()}:{folder}")
    done = run("review", "NCT00000000", "--write")
    page = folder / "trials" / "NCT00000000" / "README.md"
    assert done.exit_code == 0
    assert "- strong CYP3A4 inhibitor was taken within 7 days" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("RxNorm", "21212"), "concept strong_cyp3a4_inhibitor"),
        (("clarithromycin",), "used by NCT05490667 E28a, NCT07137884 E20a"),
        (("LOINC", "751-8"), "concept anc (ANC); used by NCT05490667 I07b, NCT07137884 I13a"),
        (("SNOMED", "CT", "399994005"), "concept desmoid_tumor"),
        (("icd10cm", "D48.110"), "concept desmoid_tumor"),
        (("no", "such", "drug"), "'no such drug' holds no name that any list knows."),
        (("D48.1",), "name its system before it, such as 'ICD-10-CM D48.1'; known are "),
        (("icd10", "D48.1"), "ICD-10 D48.1 stands in no list."),
        (("icd", "D48.1"), "such as 'ICD-10 D48.1'; known are ATC, CPT, "),
    ],
)
def test_explain_code_tells_a_pharmacist_which_criteria_a_drug_or_code_concerns(
    words: tuple[str, ...], says: str
) -> None:
    done = run("explain-code", *words)
    assert done.exit_code == 0
    assert says in done.output


def test_check_compiles_sound_trials_and_serves_them_as_they_were_read(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = f"{bundled_content()}{os.pathsep}{write()}"
    monkeypatch.setenv("TRIAL_CDS_CONTENT", folders)
    patient = bundled_fixtures() / "birth-year" / "bundle.json"
    words = ("evaluate", patient, "--on", "2026-03-01", "--format", "json")
    parsed = run(*words)
    assert parsed.exit_code == 0
    assert run("check", "--compile", tmp_path / "compiled").exit_code == 0
    assert len(list((tmp_path / "compiled").glob("*.trials"))) == 1
    monkeypatch.setenv("TRIAL_CDS_COMPILED", str(tmp_path / "compiled"))
    assert run(*words).output == parsed.output


def test_check_compiles_nothing_while_there_is_a_fault(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = write(inclusion=("lab: anc", "lab: ancc"))
    monkeypatch.setenv("TRIAL_CDS_CONTENT", f"{bundled_content()}{os.pathsep}{faulty}")
    assert run("check", "--compile", tmp_path / "compiled").exit_code == 1
    assert not (tmp_path / "compiled").exists()
