"""The mutation check as a command: of the site's content, and of trials that there are."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRIAL = "NCT05490667"


def mutate(folder: Path, *trials: str) -> subprocess.CompletedProcess[str]:
    """Run the tool with a site's folder after the bundled one."""
    command = [sys.executable, "tools/mutate.py", *trials]
    there = {"TRIAL_CDS_CONTENT": f"{ROOT}:{folder}", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=ROOT, env=there, capture_output=True, text=True, check=False)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site's folder with a copy of a bundled trial under another id, without cases."""
    folder = tmp_path / "trials" / "NCT00000000"
    shutil.copytree(ROOT / "trials" / TRIAL, folder, ignore=shutil.ignore_patterns("cases"))
    head = (folder / "trial.yaml").read_text("utf-8").replace(TRIAL, "NCT00000000", 1)
    (folder / "trial.yaml").write_text(head.replace(f"id: {TRIAL}", "id: NCT00000000"), "utf-8")
    return tmp_path


def test_a_trial_of_the_site_is_changed(site: Path) -> None:
    done = mutate(site, "NCT00000000")
    assert done.stdout.startswith("NCT00000000: "), done.stderr
    assert " by 0 cases: " in done.stdout
    assert done.returncode == 1


def test_a_trial_that_is_not_there_is_said_to_be_none(site: Path) -> None:
    done = mutate(site, "NCT1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"No trial is called 'NCT1'; there are NCT00000000, {TRIAL}, NCT07137884.\n"
    )
