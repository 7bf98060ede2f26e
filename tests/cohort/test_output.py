"""Results never replace the export or somebody's files; nothing of an earlier screening stays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cds.cohort.fault import CohortFault
from cds.cohort.output import check_cluster_out
from cds.cohort.progress import Silent
from cds.cohort.report.page import report_page
from cds.cohort.report.results import open_results
from cds.cohort.screen import screen

if TYPE_CHECKING:
    from collections.abc import Callable


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def itself(export: Path) -> Path:
    return export


def inside(export: Path) -> Path:
    return export / "results" / "today"


def by_a_link(export: Path) -> Path:
    link = export.parent / "link"
    link.symlink_to(export)
    return link / "results"


def relative(export: Path) -> Path:
    return Path(os.path.relpath(export)) / ".." / export.name / "results"


@pytest.mark.parametrize("place", [itself, inside, by_a_link, relative])
def test_results_in_the_export_are_refused_beforehand(
    place: Callable[[Path], Path], export: Path, screening: Any
) -> None:
    (export / "manifest.json").write_text('{"transactionTime": "2026-03-01"}', "utf-8")
    before = contents(export)
    with pytest.raises(CohortFault, match=r"--out: .* is in SOURCE"):
        screening.run(export, out=str(place(export)))
    assert contents(export) == before


@pytest.mark.parametrize("name", ["manifest.json", "determinations.csv", "report.html"])
def test_files_that_no_screening_wrote_are_refused(
    name: str, export: Path, screening: Any, tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / name).write_text('{"output": []}', "utf-8")
    before = contents(out)
    with pytest.raises(CohortFault, match=f"holds a file {name} that no screening wrote"):
        screening.run(export, out=str(out))
    assert contents(out) == before


def test_the_folders_of_a_cluster_are_refused(export: Path, screening: Any, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    (out / "criteria.parquet").mkdir(parents=True)
    with pytest.raises(CohortFault, match=r"criteria\.parquet in .* is a folder"):
        screening.run(export, out=str(out))


def test_an_empty_folder_an_own_one_and_one_with_other_files_are_used(
    export: Path, screening: Any, tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("ask Anna", "utf-8")
    for _ in range(2):
        screening.run(export, out=str(out))
    assert (out / "notes.txt").read_text("utf-8") == "ask Anna"


def test_a_screening_that_stopped_before_its_manifest_is_taken_up(
    export: Path, screening: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, before = screening.run(export)
    order = screening.order(export, out=str(before))

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cds.cohort.finishing._write_manifest", stopped)
        with pytest.raises(KeyboardInterrupt):
            screen(order, Silent())
    with pytest.raises(CohortFault, match="no finished screening"), open_results(before):
        pass
    screen(order, Silent())
    with open_results(before):
        pass


def test_nothing_of_an_earlier_screening_stays(export: Path, screening: Any) -> None:
    _, week = screening.run(export)
    with (export / "Condition.ndjson").open("a", encoding="utf-8") as file:
        file.write("broken\n")
    _, out = screening.run(export, since=str(week))
    (out / "report.html").write_text("old", "utf-8")
    assert {"since.json", "changes.csv", "rejects.ndjson"} <= names(out)
    text = (export / "Condition.ndjson").read_text("utf-8")
    (export / "Condition.ndjson").write_text(text.removesuffix("broken\n"), "utf-8")
    screening.run(export, out=str(out))
    assert names(out) == names(week)
    with open_results(out) as results:
        assert "What changed" not in report_page(results)


def test_a_clusters_results_in_its_source_are_refused() -> None:
    check_cluster_out("s3a://bucket/export", "s3a://bucket/export-screened")
    with pytest.raises(CohortFault, match="is in SOURCE"):
        check_cluster_out("s3a://bucket/export/", "s3a://bucket/export/out")
