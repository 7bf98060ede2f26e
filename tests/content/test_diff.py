"""What an amendment changes, as clinicians say it, and whose answers change with it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from cds.cli import main
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.content.changed_forms import on_paper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Amend = Callable[..., Path]

TRIAL = "NCT07137884"
BUNDLED = bundled_content() / "trials" / TRIAL


@pytest.fixture
def amend(tmp_path: Path) -> Amend:
    """Copy the bundled trial with texts of its files replaced; returns the content folder."""

    def amended(**changes: list[tuple[str, str]]) -> Path:
        folder = tmp_path / "trials" / TRIAL
        shutil.copytree(BUNDLED, folder)
        for name, pairs in changes.items():
            path = folder / f"{name}.yaml"
            text = path.read_text("utf-8")
            for old, new in pairs:
                assert old in text
                text = text.replace(old, new, 1)
            path.write_text(text, "utf-8")
        return tmp_path

    return amended


def diff(old: Path, new: Path, *more: str) -> Result:
    words = ["diff", str(old), str(new), "--on", "2026-03-01", *more]
    return CliRunner().invoke(main, words)


ANC = "      - {lab: anc, at_least: 1.5 10*9/L}"
AFTER = "at_least_after: 21 days"


TOO_LOW = "ANC of 1.49 without marrow involvement is too low"
ASTHMA = "  - {id: E90, text: Asthma, reading: Asthma ever., review: Asthma?}\n\n  - id: E20b"


def test_an_amendment_is_said_as_clinicians_say_it_with_whose_answers_change(amend: Amend) -> None:
    folder = amend(
        inclusion=[(ANC, ANC.replace("1.5", "1.0")), (AFTER, "at_least_after: 14 days")],
        exclusion=[
            ("washout: 7 days", "washout: 10 days"),
            ("  - id: E20b", ASTHMA),
            ("- id: E21", "- id: E21x"),
        ],
        trial=[('"1.0.0"', '"2.0.0"')],
    )
    done = diff(BUNDLED, folder / "trials" / TRIAL, "--all")
    assert done.exit_code == 0
    for line in (
        "  version 1.0.0 → 2.0.0",
        "  I13a: ANC bound ≥ 1.5 ×10⁹/L → ≥ 1.0 ×10⁹/L",
        "  I07a: myelosuppressive chemotherapy window at least 21 days → at least 14 days",
        "  E20a: strong CYP3A4 inhibitor window 7 days → 10 days",
        "  E90 (exclusion): Asthma — Asthma ever.",
        "  E21 → E21x",
        f"  case '{TOO_LOW}': overall ineligible → undetermined; I13a fail → pass",
    ):
        assert line in done.stdout.splitlines()
    assert "patient rms-after-chemo: " in done.stdout
    assert "not raised" not in done.stdout
    assert "cases of version 2.0.0 left out" in done.stderr, "the new cases name E21 still"


def test_words_that_alter_no_answer_stand_apart(amend: Amend) -> None:
    folder = amend(
        inclusion=[("Twenty-one days are enough", "21 days are enough")],
        trial=[("status: ", "status: Not yet ")],
    )
    said = diff(bundled_content(), folder).stdout
    assert "NCT05490667: gone; version 1.0.0 was there." in said
    assert "  recruitment " in said
    assert "Words only:\n  I07a: our reading: " in said
    assert "Changed:" not in said
    assert "No answer changes in " in said
    assert "not raised" not in said


def test_a_change_that_can_alter_answers_asks_for_another_version(amend: Amend) -> None:
    folder = amend(inclusion=[(AFTER, "at_least_after: 14 days")])
    said = diff(BUNDLED, folder / "trials" / TRIAL).stdout
    assert f"The version was not raised although criteria changed: {TRIAL}." in said


@pytest.mark.parametrize("layout", ["{}.json", "{}/bundle.json"])
def test_a_site_s_own_patients_are_asked_in_either_layout(
    amend: Amend, tmp_path: Path, layout: str
) -> None:
    folder = amend(inclusion=[(AFTER, "at_least_after: 14 days")])
    mine = tmp_path / "mine"
    for name in ("rms-after-chemo", "rms-ready"):
        path = mine / layout.format(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(bundled_fixtures() / name / "bundle.json", path)
    said = diff(BUNDLED, folder / "trials" / TRIAL, "--patients", str(mine)).stdout
    assert " cases and 2 patient(s)):" in said
    assert "  patient rms-after-chemo: " in said
    assert "invented" not in said


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (None, "", "mine holds no patient; put FHIR Bundles there, each as NAME.json or as "),
        ("p.ndjson", "{}", "mine holds no patient; "),
        ("p.json", "{}", "mine/p.json: "),
    ],
)
def test_a_folder_that_holds_no_patient_is_a_fault(
    tmp_path: Path, file: str | None, text: str, says: str
) -> None:
    """Nobody is asked about, and "no answer changes" would be no answer."""
    mine = tmp_path / "mine"
    mine.mkdir()
    if file is not None:
        (mine / file).write_text(text, "utf-8")
    done = diff(BUNDLED, BUNDLED, "--patients", str(mine))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("trial-cds: --patients: ")
    assert says in done.stderr


def test_two_different_trials_are_not_compared() -> None:
    done = diff(BUNDLED, bundled_content() / "trials" / "NCT05490667")
    assert done.exit_code == 2
    assert "are two trials" in done.stderr


def test_codes_that_a_site_adds_or_removes_are_named_by_drug(tmp_path: Path) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "trials").mkdir()
    shutil.copytree(BUNDLED, tmp_path / "trials" / TRIAL)
    table = (bundled_content() / "mappings" / "drugs.tsv").read_text("utf-8").splitlines()
    header = next(line for line in table if line.startswith("set\t"))
    row = next(line for line in table if "\tclarithromycin\t" in line).split("\t")
    row[1:5] = ["cobicistat-like", "review", "", ""]
    (tmp_path / "mappings" / "drugs.tsv").write_text(
        "\n".join([header, "\t".join(row)]) + "\n", "utf-8"
    )
    said = diff(bundled_content(), tmp_path, "--trial", TRIAL).stdout
    assert "Codes: strong CYP3A4 inhibitor: + cobicistat-like" in said


@pytest.mark.parametrize(
    ("unit", "printed"),
    [
        ("10*9/L", "×10⁹/L"),
        ("umol/L", "µmol/L"),
        ("mg/dL", "mg/dL"),
        ("[IU]/mL", "IU/mL"),
        ("%", "%"),
    ],
)
def test_units_are_printed_as_on_paper(unit: str, printed: str) -> None:
    assert on_paper(unit) == printed
