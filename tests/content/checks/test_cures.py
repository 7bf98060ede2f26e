"""Each fault says what to do, and where a word is nearly right, which one was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.content.fault import Fault

    Checked = Callable[..., list[Fault]]


@pytest.mark.parametrize(
    ("part", "old", "new", "at", "cure"),
    [
        ("trial", "sponsor:", "sponser:", "trial.yaml:5", "Did you mean 'sponsor'?"),
        ("trial", "target: I01", "target: I1", "trial.yaml:9", "Did you mean 'I01'?"),
        ("trial", "recruiting: yes", "recruiting: maybe", "trial.yaml:8", "Write yes or no."),
        ("trial", 'version: "1.0.0"', "version: 1.0", "trial.yaml:2", 'Write version: "1.0.0";'),
        ("inclusion", "reading: The", "reding: The", "inclusion.yaml:9", "Did you mean 'reading'?"),
        ("inclusion", "lab: anc", "labb: anc", "inclusion.yaml:10", "Did you mean 'lab'?"),
        ("inclusion", "lab: anc", "lab: ancc", "inclusion.yaml:10", "Did you mean 'anc'?"),
        ("inclusion", "at_least:", "at_lest:", "inclusion.yaml:11", "Did you mean 'at_least'?"),
        (
            "inclusion",
            "1.5 10*9/L\n",
            "1.5 10*9/l\n",
            "inclusion.yaml:11",
            "Did you mean '10*9/L'?",
        ),
        ("inclusion", "when: ever", "when: evr", "inclusion.yaml:6", "Did you mean 'ever'?"),
        ("exclusion", "_inhibitor\n", "_inhibitors\n", "exclusion.yaml:5", "_inhibitor'?"),
        ("exclusion", "7 days\n", "a week\n", "exclusion.yaml:6", "Write 'washout: 28 days'."),
        ("cases", "{I01: review}", "{I01: reviw}", "cases/all.yaml:9", "Did you mean 'review'?"),
        ("cases", "{I02: fail}", "{I2: fail}", "cases/all.yaml:12", "Did you mean 'I02'?"),
        ("cases", "status: resolved", "status: resolvd", "cases/all.yaml:4", "'resolved'?"),
        (
            "cases",
            "finding: desmoid_tumor, ver",
            "finding: desmoid_tumour, ver",
            "all.yaml:8",
            "'?",
        ),
        (
            "cases",
            "not-recorded",
            "not-record",
            "cases/all.yaml:13",
            "Did you mean 'not-recorded'?",
        ),
        (
            "cases",
            "inhibitor, last_taken: 2026-02-22",
            "inhibitor, drug: clarithromycn, last_taken: 2026-02-22",
            "cases/all.yaml:21",
            "Did you mean 'clarithromycin'?",
        ),
        ("cases", "expect: {E01: unknown}", "expct: {E01: unknown}", "all.yaml:32", "'expect'?"),
    ],
)
def test_a_word_that_is_nearly_right_is_named_with_its_line_and_what_was_meant(  # noqa: PLR0913
    faults: Checked, part: str, old: str, new: str, at: str, cure: str
) -> None:
    found = [fault for fault in faults(**{part: (old, new)}) if cure in fault.try_this]
    assert found, [str(fault) for fault in faults(**{part: (old, new)})]
    assert any(str(fault).partition(": ")[0].endswith(at) for fault in found), str(found[0])


def test_no_fault_of_a_thoroughly_wrong_trial_is_without_a_cure(faults: Checked) -> None:
    found = faults(
        inclusion=("lab: anc\n    at_least: 1.5 10*9/L", "all_of: []\n    routine: perhaps"),
        exclusion=("washout: 7 days", "distinct: two\n    except: nothing_known"),
        cases=("value: 1.49 10*9/L", "value: much, taken: soon, uln: high"),
        trial=("look_back: 28 days", "look_back: long\nnot_a_key: 1\neffective: soon"),
    )
    assert len(found) >= 6
    assert [str(fault) for fault in found if not fault.try_this.strip()] == []


QTC = """\
  - id: I08
    text: QTc at most 450 ms in men, 470 ms in women.
    reading: The newest QTc.
    lab: qtc
    at_most: {male: 450 ms, female: 470 ms}
"""
RADIATION = """\
  - id: I07
    text: Radiotherapy at least 28 days ago.
    reading: Radiotherapy at least 28 days ago; the 28th day is enough.
    procedure: radiotherapy
    at_least_after: 28 days
"""


def test_the_case_that_a_window_lacks_can_be_pasted(faults: Checked) -> None:
    """Where two windows give the same status, only the day on which it clears tells them apart."""
    inclusion = ("    at_least: 1.5 10*9/L\n", f"    at_least: 1.5 10*9/L\n{RADIATION}")
    shorter = [str(one) for one in faults(inclusion=inclusion) if "a day shorter" in one.says]
    wanted = next(one for one in shorter if "I07" in one)
    assert "clears_on: {I07: 2026-03-29}" in wanted
    _, _, case = wanted.partition("Add a case, if this is right: ")
    pasted = f"  - {{name: irradiated, {case.removesuffix('.')}}}\n"
    after = faults(inclusion=inclusion, cases=("cases:\n", f"cases:\n{pasted}"))
    assert not [one for one in after if "I07" in one.says and "a day shorter" in one.says]
    assert not [one for one in after if "irradiated" in one.says]


def test_an_example_names_no_list_that_was_not_read_beside_what_it_is_about(
    faults: Checked,
) -> None:
    """Only where the unread list is what decides."""
    added = f"    at_least: 1.5 10*9/L\n{QTC}"
    found = faults(inclusion=("    at_least: 1.5 10*9/L\n", added))
    cures = [one.try_this for one in found if one.says.startswith("I08") and "470 ms" in one.says]
    assert cures
    assert not [one for one in cures if "not_read" in one]


@pytest.mark.parametrize("indented", ["\tlook_back: 28 days", " \tlook_back: 28 days"])
def test_a_tab_is_called_a_tab(faults: Checked, indented: str) -> None:
    """YAML's own words do not say it everywhere."""
    found = [str(one) for one in faults(trial=("look_back: 28 days", indented))]
    assert "trial.yaml:10: Not YAML: " in found[0]
    assert found[0].endswith("Replace the tabs at the beginning of the line by spaces.")
