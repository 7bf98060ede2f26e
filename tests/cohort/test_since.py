"""Between two screenings: who may now join, who dropped out and why, who is one test away."""

from __future__ import annotations

import csv
import io
import json
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cds.assess import load_content
from cds.cohort.catalogue import catalogue_of
from cds.cohort.fault import CohortFault
from cds.cohort.report.changes import changes_of, print_changes
from cds.cohort.report.page import report_page
from cds.cohort.report.results import open_results
from cds.content.bundled import bundled_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.cohort.report.changes import Changes


def edit(
    export: Path, kind: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> None:
    """Change, or leave out, resources of one type."""
    path = export / f"{kind}.ndjson"
    lines = [change(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    path.write_text("".join(json.dumps(one) + "\n" for one in lines if one), "utf-8")


Said = dict[tuple[str, str], tuple[str, str, str]]


def found(out: Path) -> Said:
    """Change, what is said, and the cause, by patient and trial."""
    return {(one.patient, one.trial): (one.change, one.says, one.because) for one in told(out).rows}


def told(out: Path) -> Changes:
    with open_results(out) as results:
        changes = changes_of(results)
    assert changes is not None
    return changes


def test_the_same_export_on_the_same_day_changes_nothing(export: Path, screening: Any) -> None:
    _, before = screening.run(export)
    _, after = screening.run(export, since=str(before))
    assert found(after) == {}


def test_time_alone_is_said_to_be_time(export: Path, screening: Any) -> None:
    """Itraconazole is washed out on 4 March."""
    _, before = screening.run(export)
    _, after = screening.run(export, since=str(before), on=date(2026, 3, 4))
    change = found(after)["Patient/desmoid-itraconazole", "NCT05490667"]
    assert change == ("became potentially eligible", "changed: E28a", "time")


def test_new_data_change_who_may_join(export: Path, screening: Any) -> None:
    def tsh(one: dict[str, Any]) -> dict[str, Any] | None:
        mine = one["subject"]["reference"] == "Patient/desmoid-ready"
        return None if mine and "3016-3" in json.dumps(one["code"]) else one

    def anc(one: dict[str, Any]) -> dict[str, Any]:
        mine = one["subject"]["reference"] == "Patient/desmoid-anc-cells"
        if mine and '"751-8"' in json.dumps(one["code"]):
            one["valueQuantity"]["value"] /= 10
        return one

    whole, lacking = export.parent / "whole", export.parent / "lacking"
    shutil.copytree(export, whole)
    edit(export, "Observation", tsh)
    edit(export, "Observation", anc)
    shutil.move(export, lacking)
    _, before = screening.run(whole)
    _, after = screening.run(lacking, since=str(before))
    changes = found(after)
    ready = changes["Patient/desmoid-ready", "NCT05490667"]
    assert ready == ("one test away", "only TSH is missing", "new data")
    change, says, because = changes["Patient/desmoid-anc-cells", "NCT05490667"]
    assert (change, because) == ("dropped out", "new data")
    assert says.startswith("I07b: ANC ")
    _, again = screening.run(whole, since=str(after))
    back = found(again)["Patient/desmoid-anc-cells", "NCT05490667"]
    assert back[0] == "became potentially eligible"
    assert set(changes) == {
        ("Patient/desmoid-ready", "NCT05490667"),
        ("Patient/desmoid-anc-cells", "NCT05490667"),
    }


def test_who_left_the_export_is_named_only_if_they_were_of_interest(
    export: Path, screening: Any
) -> None:
    gone = {"desmoid-ready", "ordinary-chart"}
    _, before = screening.run(export)
    edit(export, "Patient", lambda one: None if one["id"] in gone else one)
    _, after = screening.run(export, since=str(before))
    assert {key: change[0] for key, change in found(after).items()} == {
        ("Patient/desmoid-ready", "NCT05490667"): "left the export"
    }
    said = found(after)["Patient/desmoid-ready", "NCT05490667"]
    assert said == ("left the export", "", "new data"), "no criterion changed"
    assert all(one["criteria"] == "" for one in csv_rows(after))


def csv_rows(out: Path) -> list[dict[str, str]]:
    with (out / "changes.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_what_a_new_version_of_a_trial_changes_is_named(
    export: Path, screening: Any, tmp_path: Path
) -> None:
    ours = tmp_path / "content"
    shutil.copytree(bundled_content() / "mappings", ours / "mappings")
    shutil.copytree(bundled_content() / "trials", ours / "trials")
    inclusion = ours / "trials" / "NCT05490667" / "inclusion.yaml"
    text = inclusion.read_text("utf-8")
    assert "at_least: 10" in text
    inclusion.write_text(text.replace("at_least: 10", "at_least: 30", 1), "utf-8")
    content = load_content([ours])
    _, before = screening.run(export)
    _, after = screening.run(
        export,
        since=str(before),
        content_folders=(str(ours),),
        catalogue=catalogue_of(content),
    )
    changes = found(after)
    dropped = {patient for (patient, _), one in changes.items() if one[0] == "dropped out"}
    assert "Patient/text-drugs" not in dropped, "51 years"
    assert {one[2] for one in changes.values()} == {"new content"}
    assert any(one[1].startswith("I03b: age ") for one in changes.values())
    assert any("NCT05490667" in version for version in told(after).versions)


def test_page_csv_and_terminal_show_the_changes(export: Path, screening: Any) -> None:
    _, before = screening.run(export)
    _, after = screening.run(export, since=str(before), on=date(2026, 3, 4))
    assert [row["patient"] for row in csv_rows(after)] == ["Patient/desmoid-itraconazole"]
    out = io.StringIO()
    print_changes(after, out)
    assert "1 became potentially eligible" in out.getvalue()
    with open_results(after) as results:
        page = report_page(results)
    assert "What changed from 2026-03-01 to 2026-03-04" in page


def test_what_cannot_be_compared_is_refused_before_the_work(export: Path, screening: Any) -> None:
    order = screening.order(export)
    with pytest.raises(CohortFault, match="the same folder"):
        screening.run(export, out=order.out, since=order.out)
    with pytest.raises(CohortFault, match="no finished screening"):
        screening.run(export, since=str(export))
    assert not Path(order.out).exists()
