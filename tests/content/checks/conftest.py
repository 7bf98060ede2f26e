"""A small invented trial, written anew for each test, on top of the bundled mappings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from cds.content.bundled import bundled_content
from cds.content.check import check_content
from cds.content.fault import Fault

if TYPE_CHECKING:
    from pathlib import Path

TRIAL = """\
id: NCT00000000
version: "1.0.0"
title: An invented trial
short_title: invented drug for desmoid tumour
sponsor: Nobody
url: https://example.org/NCT00000000
source: {page: an invented page, read: "2026-03-01", sha256: unknown}
recruitment: {status: Recruiting, recruiting: yes, as_of: "2026-03-01"}
target: I01
look_back: 28 days
not_criteria:
  - {text: "Inclusion Criteria:", reason: heading}
  - {text: "Exclusion Criteria:", reason: heading}
"""
INCLUSION = """\
criteria:
  - id: I01
    text: Desmoid tumour;
    reading: A desmoid tumour is recorded.
    finding: desmoid_tumor
    when: ever
  - id: I02
    text: ANC ≥ 1.5 × 10^9/L.
    reading: The newest ANC is at least 1.5.
    lab: anc
    at_least: 1.5 10*9/L
"""
EXCLUSION = """\
criteria:
  - id: E01
    text: Clarithromycin or another strong CYP3A4 inhibitor within 7 days;
    reading: A strong inhibitor within 7 days; the seventh day counts.
    medication: strong_cyp3a4_inhibitor
    washout: 7 days
"""
CASES = """\
as_of: 2026-03-01
cases:
  - {name: recorded, given: [{finding: desmoid_tumor}], expect: {I01: pass}}
  - {name: over, given: [{finding: desmoid_tumor, status: resolved}], expect: {I01: pass}}
  - {name: not recorded, given: [], expect: {I01: fail}}
  - {name: conditions not read, given: [{not_read: Condition}], expect: {I01: unknown}}
  - name: not confirmed
    given: [{finding: desmoid_tumor, verification: unconfirmed}]
    expect: {I01: review}
  - {name: ANC at the limit, given: [{lab: anc, value: 1.5 10*9/L}], expect: {I02: pass}}
  - {name: ANC above it, given: [{lab: anc, value: 1.6 10*9/L}], expect: {I02: pass}}
  - {name: ANC just below it, given: [{lab: anc, value: 1.49 10*9/L}], expect: {I02: fail}}
  - {name: no ANC, given: [], expect: {I02: unknown}, gaps: {I02: not-recorded}}
  - name: ANC of 28 days ago counts
    given: [{lab: anc, value: 2 10*9/L, taken: 2026-02-01}]
    expect: {I02: pass}
  - name: ANC of 29 days ago does not
    given: [{lab: anc, value: 2 10*9/L, taken: 2026-01-31}]
    expect: {I02: unknown}
  - name: clarithromycin seven days ago excludes
    given: [{medication: strong_cyp3a4_inhibitor, last_taken: 2026-02-22}]
    expect: {E01: fail}
    clears_on: {E01: 2026-03-02}
  - name: clarithromycin eight days ago does not
    given: [{medication: strong_cyp3a4_inhibitor, last_taken: 2026-02-21}]
    expect: {E01: pass}
  - name: a drug that nobody recognises is for a human
    given: [{unrecognised_drug: herbal mixture}]
    expect: {E01: review}
  - name: drug lists that were not read leave it open
    given: [{not_read: MedicationStatement}]
    expect: {E01: unknown}
"""

Checked = Callable[..., list[Fault]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write the small trial, with texts of its files replaced; returns the content folder."""

    def written(**changed: tuple[str, str]) -> Path:
        folder = tmp_path / "trials" / "NCT00000000"
        (folder / "cases").mkdir(parents=True, exist_ok=True)
        texts = {"trial": TRIAL, "inclusion": INCLUSION, "exclusion": EXCLUSION, "cases": CASES}
        for name, text in texts.items():
            old, new = changed.get(name, ("", ""))
            assert old in text, f"{old!r} does not stand in {name}"
            path = folder / ("cases/all.yaml" if name == "cases" else f"{name}.yaml")
            path.write_text(text.replace(old, new) if old else text, "utf-8")
        return tmp_path

    return written


@pytest.fixture
def faults(write: Callable[..., Path]) -> Checked:
    """Check the small trial after a change: `faults(inclusion=(old, new))`."""

    def checked(**changed: tuple[str, str]) -> list[Fault]:
        return check_content([bundled_content(), write(**changed)], trial="NCT00000000")

    return checked
