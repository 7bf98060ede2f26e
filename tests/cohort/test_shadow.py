"""The report on a shadow phase: shares with intervals, a list that may be wrong, nobody named."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from cds.cli import main
from cds.cohort.fault import CohortFault
from cds.cohort.shadow.comparing import compared
from cds.cohort.shadow.coordinator import Judged, read_list
from cds.cohort.shadow.interval import Share
from cds.cohort.shadow.model import Phase, Seen
from cds.cohort.shadow.text import report_text
from cds.content.bundled import bundled_fixtures

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
TRIAL = "NCT05490667"


def seen(patient: str, *, shown: bool, **statuses: str) -> Seen:
    return Seen(patient, TRIAL, 1, int(shown), "undetermined", statuses, {})


def phase(*entries: Seen) -> Phase:
    with_card = sum(one.shown > 0 for one in entries)
    return Phase("a test", None, None, len(entries), with_card, (), entries)


def same(patient: str) -> Iterable[str]:
    return (patient,)


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_share_and_stays_between_nothing_and_all(
    numbers: tuple[int, int],
) -> None:
    share = Share(*numbers)
    assert share.interval is not None
    assert share.value is not None
    low, high = share.interval
    assert 0 <= low <= share.value + 1e-12
    assert share.value - 1e-12 <= high <= 1


@given(st.integers(1, 50), st.integers(2, 10))
def test_more_patients_make_the_interval_narrower(half: int, times: int) -> None:
    few, many = Share(half, 2 * half).interval, Share(half * times, 2 * half * times).interval
    assert few is not None
    assert many is not None
    assert many[1] - many[0] < few[1] - few[0]


@pytest.mark.parametrize(
    ("part", "of", "low", "high"),
    # Newcombe 1998, table I, method 3 (score method without continuity correction).
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_those_of_the_literature(part: int, of: int, low: float, high: float) -> None:
    assert Share(part, of).interval == pytest.approx((low, high), abs=1e-4)


def test_of_nothing_no_share_is_claimed() -> None:
    assert (str(Share(0, 0)), Share(0, 0).value, Share(0, 0).interval) == ("0 of 0", None, None)


def test_sensitivity_and_specificity_count_who_was_judged_and_evaluated() -> None:
    found = phase(
        seen("a", shown=True), seen("b", shown=False), seen("c", shown=True),
        seen("d", shown=False), seen("e", shown=True),
    )  # fmt: skip
    fits = {"a": True, "b": True, "c": False, "d": False, "x": True}
    judged = [Judged(n, who, TRIAL, None, yes) for n, (who, yes) in enumerate(fits.items(), 2)]
    result = compared(found, judged, same)
    (one,) = result.trials
    assert (one.sensitivity, one.specificity) == (Share(1, 2), Share(1, 2))
    assert [line.line for line in one.missed] == [3]
    assert [line.line for line in one.needless] == [4]
    assert [line.line for line in result.not_seen] == [6]
    assert result.unjudged == 1


def test_on_a_complete_list_whoever_is_missing_does_not_fit() -> None:
    found = phase(seen("a", shown=True), seen("b", shown=False), seen("c", shown=True))
    (one,) = compared(found, [Judged(2, "a", TRIAL, None, True)], same, complete=True).trials  # noqa: FBT003
    assert (one.sensitivity, one.specificity) == (Share(1, 1), Share(1, 2))


def test_a_criterion_that_was_left_to_a_person_is_neither_right_nor_wrong() -> None:
    found = phase(
        seen("a", shown=True, I07b="pass"), seen("b", shown=False, I07b="fail"),
        seen("c", shown=True, I07b="review"), seen("d", shown=True, I07b="pass"),
        seen("e", shown=False),
    )  # fmt: skip
    said = {"a": True, "b": False, "c": True, "d": False, "e": True}
    judged = [Judged(n, who, TRIAL, "I07b", yes) for n, (who, yes) in enumerate(said.items(), 2)]
    (one,) = compared(found, judged, same).criteria
    assert one.sensitivity == Share(1, 2)
    assert one.specificity == Share(3, 3)
    assert one.agreed == Share(2, 3)
    text = report_text(found, compared(found, judged, same), {})
    assert "1 review, 1 not asked" in text


def test_a_phase_in_which_nothing_was_evaluated_says_so() -> None:
    assert "Nothing was evaluated" in report_text(phase(), None, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("patient,trial\np,t\n", "lacks the column fits"),
        (f"patient,trial,fits\n,{TRIAL},yes\n", "line 2 names no FHIR id"),
        ("patient,trial,fits\nSECRET,NCT1,yes\n", "line 2 names a trial that was not evaluated"),
        (f"patient,trial,fits\nSECRET,{TRIAL},perhaps\n", "line 2 says neither yes nor no"),
        (f"patient,trial,fits\nSECRET,{TRIAL},yes\nSECRET,{TRIAL},no\n", "line 3 repeats line 2"),
    ],
)
def test_a_fault_of_the_list_names_its_line_and_no_patient(
    tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(CohortFault) as caught:
        read_list(file, [TRIAL])
    assert says in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_a_list_from_a_spreadsheet_is_read_as_it_comes(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(f"\ufefffits,patient,trial\r\nYes,Patient/p-1,{TRIAL}\r\n".encode())
    assert read_list(file, [TRIAL]) == [Judged(2, "p-1", TRIAL, None, True)]  # noqa: FBT003


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_a_screening_can_be_compared_without_any_service(tmp_path: Path) -> None:
    source = tmp_path / "charts"
    source.mkdir()
    for story in ("desmoid-ready", "desmoid-refuted"):
        chart = (bundled_fixtures() / story / "bundle.json").read_bytes()
        (source / f"{story}.json").write_bytes(chart)
    listed = tmp_path / "list.csv"
    listed.write_text(
        f"patient,trial,fits\ndesmoid-ready,{TRIAL},yes\ndesmoid-refuted,{TRIAL},no\n", "utf-8"
    )
    out = str(tmp_path / "out")
    screened = run("screen", str(source), "--on", "2026-03-01", "--out", out, "--workers", "1")
    assert screened.exit_code == 0, screened.output
    result = run("shadow", out, "--list", str(listed))
    assert result.exit_code == 0, result.output
    assert f"| {TRIAL} | 1 | 0 | 0 | 1 |" in result.stdout
    assert "desmoid-ready" not in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["shadow", "somewhere"],
        ["shadow", "somewhere", "--client", "https://ehr.example.org"],
        ["shadow", "--list", "list.csv"],
    ],
)
def test_what_cannot_be_reported_ends_in_one_sentence(words: list[str]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1


def test_the_report_in_the_documentation_is_what_the_service_makes_of_the_fixtures(
    tmp_path: Path,
) -> None:
    target = tmp_path / "report.md"
    program = str(ROOT / "tools" / "shadow_example.py")
    subprocess.run([sys.executable, program, str(target)], check=True, capture_output=True)
    text = target.read_text("utf-8")
    assert text == (ROOT / "docs" / "shadow-report.md").read_text("utf-8")
    names = [path.name for path in bundled_fixtures().iterdir() if path.is_dir()]
    assert not [name for name in names if re.search(rf"\b{name}\b", text)]
