"""`trial-cds screen` as a person runs it."""

from __future__ import annotations

import csv
import io
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from cds.cli import main
from cds.cohort.progress import Lines

if TYPE_CHECKING:
    from pathlib import Path


def run(trial_cds: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([trial_cds, *words], capture_output=True, text=True, check=False)


def test_the_command_writes_rows_and_says_what_it_found(
    trial_cds: Path, export: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["screen", str(export), "--on", "2026-03-01", "--out", str(out)]
    done = run(trial_cds, *words, "--trial", "NCT07137884")
    assert done.returncode == 0, done.stderr
    assert "22 patients: 21 evaluated, 1 deceased, 0 not readable" in done.stdout
    assert "patients: 22 of 22" in done.stderr
    assert "\x1b" not in done.stderr, "a log has plain lines"
    with (out / "determinations.csv").open(encoding="utf-8", newline="") as file:
        assert {row["trial"] for row in csv.DictReader(file)} == {"NCT07137884"}


def test_one_is_not_many_and_a_page_that_cannot_be_written_is_said_first(
    trial_cds: Path, tmp_path: Path
) -> None:
    export, out = tmp_path / "one", tmp_path / "out"
    export.mkdir()
    (export / "Patient.ndjson").write_text('{"resourceType":"Patient","id":"p"}\nx\n', "utf-8")
    done = run(trial_cds, "screen", str(export), "--on", "2026-03-01", "--out", str(out))
    assert "1 patient: 1 evaluated" in done.stdout
    assert f"! 1 broken line; see {out}/rejects.ndjson" in done.stdout
    told = run(trial_cds, "report", str(out))
    assert "1 patient in 1 file (ndjson)" in told.stdout
    assert "1 broken line, 0 damaged files, 0 patients" in told.stdout
    assert "1 patient evaluated" in (out / "report.html").read_text("utf-8")
    refused = run(trial_cds, "report", str(out), "--html", str(tmp_path / "none" / "page.html"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "cannot be written: no such file or directory" in refused.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "is no folder"),
        ([".", "--complete", "Observations"], "no type that criteria read"),
        (
            [".", "--not-kept", "MedicationStatement,Observation"],
            "'Observation' is not one of Medic",
        ),
        ([".", "--trial", "NCT1"], "no trial is called 'NCT1'"),
    ],
)
def test_what_cannot_be_screened_is_one_sentence_and_status_2(
    trial_cds: Path, tmp_path: Path, words: list[str], says: str
) -> None:
    done = run(trial_cds, "screen", *words, "--on", "2026-03-01", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_log_says_how_far_it_is_how_fast_and_how_long_it_takes() -> None:
    out = io.StringIO()
    advance = Lines(out, every=0).step("patients", 100, done=40)
    advance(30)
    advance(30)
    first, middle, last = out.getvalue().splitlines()
    assert first == "patients: 100 to do (40 done before)"
    assert middle.startswith("patients: 70 of 100, ")
    assert middle.endswith(" s left")
    assert last.startswith("patients: 100 of 100, ")


def test_the_form_is_asked_for_on_clusters_only(tmp_path: Path) -> None:
    given = ["screen", str(tmp_path), "--on", "2026-03-01", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*given, "--form", "parquet"])
    assert result.exit_code == 2
    assert "--form is for --spark" in result.stderr
