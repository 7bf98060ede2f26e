from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cds.content.bundled import bundled_content
from cds.content.check import _against, check_content
from cds.content.fault import ContentFaults, Severity
from cds.content.source import read_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = """\
A registry

Recruiting

Eligibility

Inclusion Criteria:

 1. Desmoid   tumour;
 2. ANC \u2265 1.5 \u00d7
    10^9/L.

Exclusion Criteria:

 1. Clarithromycin or another strong CYP3A4 inhibitor within 7 days;

Study details

Somewhere, 2026
"""


@pytest.fixture
def said(write: Callable[..., Path], tmp_path: Path) -> Callable[..., list[str]]:
    """The faults (without notices) of the small trial against a page."""

    def checked(page: str, name: str = "page.txt", **changed: tuple[str, str]) -> list[str]:
        source = tmp_path / name
        source.write_text(page, "utf-8")
        folders = [bundled_content(), write(**changed)]
        found = check_content(folders, source=source, trial="NCT00000000")
        return [str(fault) for fault in found if fault.severity is Severity.FAULT]

    return checked


def test_a_page_whose_every_sentence_is_claimed_has_no_fault(
    said: Callable[..., list[str]],
) -> None:
    assert said(PAGE) == []


def test_line_breaks_and_typography_of_the_page_do_not_matter(
    said: Callable[..., list[str]],
) -> None:
    assert said(PAGE.replace("\u00d7\n    10", "x 10").replace("Desmoid   ", "Desmoid\n")) == []


def test_a_sentence_that_no_criterion_claims_is_a_fault_with_its_line(
    said: Callable[..., list[str]],
) -> None:
    page = PAGE.replace("\nStudy details", " 2. Pregnant women.\n\nStudy details")
    assert said(page) == [
        (
            'page.txt:16: Nothing claims "Pregnant women.". '
            "Add it to a criterion (text or also), or to not_criteria with a reason."
        )
    ]


def test_part_of_a_sentence_that_is_left_over_is_a_fault(said: Callable[..., list[str]]) -> None:
    page = PAGE.replace("Desmoid   tumour;", "Desmoid tumour; confirmed by biopsy;")
    assert [line.partition(". Add")[0] for line in said(page)] == [
        'page.txt:9: Nothing claims "confirmed by biopsy;"'
    ]


def test_a_quote_that_the_page_does_not_hold_is_a_fault(said: Callable[..., list[str]]) -> None:
    found = said(PAGE.replace("within 7 days", "within 14 days"))
    assert any("E01: the source page.txt does not say" in line for line in found)
    assert any("Nothing claims" in line and "14 days" in line for line in found)


def test_a_number_is_never_found_inside_a_longer_one(said: Callable[..., list[str]]) -> None:
    found = said(PAGE.replace("1.5", "11.5"))
    assert any("I02: the source page.txt does not say" in line for line in found)


def test_what_stands_outside_the_eligibility_section_needs_no_claim(
    said: Callable[..., list[str]],
) -> None:
    assert said(f"An introduction.\n\n{PAGE}\nAn afterword.\n") == []


def test_a_study_of_the_registry_s_interface_is_read_too(said: Callable[..., list[str]]) -> None:
    text = PAGE.partition("Eligibility\n")[2].partition("Study details")[0]
    study = {"protocolSection": {"eligibilityModule": {"eligibilityCriteria": text}}}
    assert said(json.dumps(study), "study.json") == []


def test_another_version_of_the_page_is_a_notice(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    source = tmp_path / "page.txt"
    source.write_text(PAGE, "utf-8")
    digest = read_source(source).digest
    for sha, count in ((digest, 0), ("0", 1)):
        folder = write(trial=("sha256: unknown", f"sha256: {sha!r}"))
        found = check_content([bundled_content(), folder], source=source, trial="NCT00000000")
        assert sum("is not the file that the trial was read from" in f.says for f in found) == count


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("page.txt", b"Nothing to see", "No eligibility section is found."),
        ("page.txt", b"\xff\xfe", "Cannot be read"),
        ("study.json", b"{}", "No eligibility criteria are found."),
        ("study.json", b"not json", "No eligibility criteria are found."),
    ],
)
def test_a_source_that_cannot_be_used_says_why(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ContentFaults, match=says):
        read_source(path)


def test_a_source_needs_the_trial_that_it_belongs_to(tmp_path: Path) -> None:
    (found,) = _against(tmp_path / "any.txt", [])
    assert found.try_this == "Name the trial with --trial."
