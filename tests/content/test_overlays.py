"""Several content folders: a reader sees which one each trial comes from."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from click.testing import CliRunner

from cds.cli import main
from cds.content.bundled import bundled_content
from cds.content.overlays import origins, overlay_report

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TRIAL = "NCT05490667"


def site(folder: Path) -> Path:
    """A site's folder that overrides one trial and adds rows to one table."""
    shutil.copytree(bundled_content() / "trials" / TRIAL, folder / "trials" / TRIAL)
    (folder / "mappings").mkdir()
    shutil.copy(bundled_content() / "mappings" / "synonyms.tsv", folder / "mappings")
    return folder


def test_the_later_folder_counts_and_the_earlier_one_is_said_to_be_overridden(
    tmp_path: Path,
) -> None:
    own = site(tmp_path)
    folders = [bundled_content(), own]
    found = origins(folders)[TRIAL]
    assert (found.folder, found.overrides) == (own, (bundled_content(),))
    first, second = overlay_report(folders)
    assert f"1 trial(s); {TRIAL} overridden by a later folder" in first
    assert f"1 trial(s); overriding {TRIAL}; rows of synonyms.tsv override earlier ones" in second


def test_one_folder_needs_no_explanation() -> None:
    assert overlay_report([bundled_content()]) == []


def test_coverage_check_and_review_show_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = site(tmp_path)
    monkeypatch.setenv("TRIAL_CDS_CONTENT", f"{bundled_content()}{os.pathsep}{own}")
    for command in (["coverage", TRIAL], ["review", TRIAL], ["check", "--trial", TRIAL]):
        done = CliRunner().invoke(main, command)
        assert f"{own}: 1 trial(s); overriding {TRIAL}" in done.stderr
        assert str(own) not in done.stdout
