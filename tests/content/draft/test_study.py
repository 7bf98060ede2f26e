"""The header of a registry page: age, sex, sponsor and status, however the page writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cds.content.draft.study import read_study
from cds.content.source import read_source

if TYPE_CHECKING:
    from pathlib import Path

_LISTS = "Inclusion Criteria:\n\n1. Neuroblastoma\n\nExclusion Criteria:\n\n1. Pregnancy\n"
LABELS_ABOVE = f"""Drugomab in Relapsed Neuroblastoma
NCT00000000
Recruitment Status: Recruiting
Sponsor: Invented Hospital
Eligibility
Ages Eligible for Study: 1 Year to 30 Years
Sexes Eligible for Study: Female
Accepts Healthy Volunteers: No

{_LISTS}"""
VALUES_BELOW_THE_LISTS = f"""Drugomab in Relapsed Neuroblastoma
NCT00000000
Overall Status: Recruiting
Lead Sponsor: Invented Hospital
Eligibility Criteria
Description
{_LISTS}
Ages Eligible for Study
1 Year to 30 Years (Child, Adult)
Sexes Eligible for Study
Female
Accepts Healthy Volunteers
No
Study Plan
How is it done?
"""
ENDS_APART = f"""Drugomab in Relapsed Neuroblastoma
NCT00000000
Status: Recruiting
Sponsor: Invented Hospital
Minimum Age: 1 Year
Maximum Age: 30 Years
Gender: Female

Key {_LISTS}"""


@pytest.mark.parametrize("page", [LABELS_ABOVE, VALUES_BELOW_THE_LISTS, ENDS_APART])
def test_labelled_fields_of_a_page_are_read_and_ask_nothing_in_the_lists(
    page: str, tmp_path: Path
) -> None:
    path = tmp_path / "page.txt"
    path.write_text(page, "utf-8")
    study = read_study(path, read="2026-03-01")
    assert (study.id, study.sponsor, study.status) == (
        "NCT00000000",
        "Invented Hospital",
        "Recruiting",
    )
    assert study.low is not None
    assert study.high is not None
    assert study.sex is not None
    assert (study.low.value, study.high.value, study.sex.value) == ("1", "30", "female")
    for field in (study.low, study.high, study.sex):
        assert field.words in page
    assert study.eligibility.strip().removeprefix("Key ") == _LISTS.strip()
    assert study.missing == ()


def test_ages_in_months_are_left_to_a_human(tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    page = LABELS_ABOVE.replace("1 Year to 30 Years", "6 Months to 30 Years")
    path.write_text(page, "utf-8")
    study = read_study(path, read="2026-03-01")
    assert (study.low, study.high) == (None, None)
    assert study.other_ages == ("Ages Eligible for Study: 6 Months to 30 Years",)


def test_an_age_inside_the_lists_stays_in_the_lists(tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    path.write_text(_LISTS.replace("1. Neuroblastoma", "Age: 18 years or older"), "utf-8")
    source = read_source(path)
    assert "Age: 18 years or older" in source.text[source.first : source.last]
