from __future__ import annotations

from collections.abc import Callable

import pytest

from cds.content.fault import Fault, Severity

Checked = Callable[..., list[Fault]]
FOLDER = "trials/NCT00000000"
UNREAD = """\
  - {name: conditions not read, given: [{not_read: Condition}], expect: {I01: unknown}}
"""
SEVENTH = """\
    given: [{medication: strong_cyp3a4_inhibitor, last_taken: 2026-02-22}]
    expect: {E01: fail}
    clears_on: {E01: 2026-03-02}
"""
STRANGER = """\
  - name: a drug that nobody recognises is for a human
    given: [{unrecognised_drug: herbal mixture}]
    expect: {E01: review}
"""


def only_fault(found: list[Fault]) -> str:
    """The one fault, as it is printed; notices are left aside."""
    wrong = [str(fault) for fault in found if fault.severity is Severity.FAULT]
    assert len(wrong) == 1, "\n".join(wrong)
    return wrong[0]


def test_a_sound_trial_has_one_notice_that_nobody_signed_it(faults: Checked) -> None:
    found = faults()
    assert [fault.severity for fault in found] == [Severity.NOTICE]
    assert "nobody has signed them off" in found[0].says
    assert "digest: sha256:" in found[0].try_this


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"inclusion": ("lab: anc", "lab: ancc")},
            f"{FOLDER}/inclusion.yaml:10: No concept is called 'ancc'. Did you mean 'anc'?",
        ),
        (
            {"inclusion": ("finding: desmoid_tumor", "lab: desmoid_tumor")},
            "'desmoid_tumor' is a finding, not a lab. Write 'finding: desmoid_tumor'.",
        ),
        (
            {"inclusion": ("at_least: 1.5 10*9/L", "at_least: 1.5 g/L")},
            f"{FOLDER}/inclusion.yaml:11: ANC cannot be compared with '1.5 g/L'.",
        ),
        (
            {"inclusion": ("at_least: 1.5 10*9/L", "at_least: 2 10*9/L\n    at_most: 1 10*9/L")},
            "Nothing is at least 2 and at most 1.",
        ),
        (
            {"trial": ("look_back: 28 days\n", "")},
            "This lab has no look_back, and the trial has no default.",
        ),
        (
            {"exclusion": ("    washout: 7 days\n", "")},
            "Exactly one of washout, at_least_after, when is needed; here are 0.",
        ),
        (
            {"exclusion": ("washout: 7 days", "washout: a week")},
            "'a week' is not a length of time such as '28 days', '6 months' or '5 years'.",
        ),
        (
            {"exclusion": ("washout", "wash_out")},
            "'medication' has no 'wash_out'. Did you mean 'washout'?",
        ),
        (
            {"inclusion": ("id: I02", "id: I01")},
            f"The id 'I01' stands at {FOLDER}/inclusion.yaml:2 already.",
        ),
        (
            {"cases": ("lab: anc, value: 1.6 10*9/L", "lab: anc, value: 1.6 g/L")},
            f"{FOLDER}/cases/all.yaml:11: ANC is held in 10*9/L, not in 'g/L'.",
        ),
        (
            {"cases": ("{lab: anc, value: 1.6", "{lab: ancc, value: 1.6")},
            f"{FOLDER}/cases/all.yaml:11: No concept is called 'ancc'. Did you mean 'anc'?",
        ),
        (
            {"cases": ("expect: {E01: review}", "expect: {E02: review}")},
            "'E02' is no criterion of this trial. Did you mean 'I02'?",
        ),
        (
            {"cases": ("expect: {E01: review}", "expect: {E01: maybe}")},
            "'maybe' is no status. Write one of fail,",
        ),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line_and_its_cure(
    faults: Checked, change: dict[str, tuple[str, str]], said: str
) -> None:
    assert any(said in str(fault) for fault in faults(**change)), faults(**change)


def test_every_fault_of_every_file_is_listed_at_once(faults: Checked) -> None:
    found = faults(
        trial=("target: I01", "target: I99"),
        inclusion=("lab: anc", "lab: ancc"),
        exclusion=("washout: 7 days", "washout: soon"),
    )
    assert [fault.file.rpartition("/")[2] for fault in found] == [
        "exclusion.yaml",
        "inclusion.yaml",
        "trial.yaml",
    ]


def test_bounds_of_two_statements_that_nobody_can_meet_are_a_fault(faults: Checked) -> None:
    both = (
        "    lab: anc\n    at_least: 1.5 10*9/L\n",
        "    all_of:\n      - {lab: anc, above: 2 10*9/L}\n      - {lab: anc, at_most: 2 10*9/L}\n",
    )
    said = [fault.says for fault in faults(inclusion=both)]
    assert "I02: no ANC is > 2 10*9/L and ≤ 2 10*9/L." in said


def test_bounds_that_leave_room_are_no_contradiction(faults: Checked) -> None:
    both = (
        "    lab: anc\n    at_least: 1.5 10*9/L\n",
        "    all_of: [{lab: anc, at_least: 2 10*9/L}, {lab: anc, at_most: 2 10*9/L}]\n",
    )
    assert not any("no ANC is" in fault.says for fault in faults(inclusion=both))


def test_ages_that_nobody_has_are_a_fault(faults: Checked) -> None:
    ages = (
        "    lab: anc\n    at_least: 1.5 10*9/L\n",
        (
            "    all_of:\n      - {age: completed years, at_least: 19}\n"
            "      - {age: completed years, at_most: 18}\n"
        ),
    )
    said = [fault.says for fault in faults(inclusion=ages)]
    assert "I02: nobody is at least 19 and at most 18." in said


def test_a_concept_without_a_code_list_is_a_notice(faults: Checked) -> None:
    found = faults(inclusion=("    lab: anc", "    lab: fusion_status"))
    assert any("cannot be compared" in fault.says for fault in found)
    asked = (
        "    lab: anc\n    at_least: 1.5 10*9/L\n",
        "    review: Which fusion?\n    show: [{lab: fusion_status, is: positive}]\n",
    )
    notice = [f for f in faults(inclusion=asked) if "'fusion_status' has no code list" in f.says]
    assert [fault.severity for fault in notice] == [Severity.NOTICE]


def test_a_case_that_does_not_hold_says_what_came_instead(faults: Checked) -> None:
    said = [str(fault) for fault in faults(cases=("value: 1.6 10*9/L", "value: 0.6 10*9/L"))]
    assert any("'ANC above it': I02 is fail, not pass: ANC 0.6" in line for line in said)


def test_two_cases_with_one_sentence_are_a_fault(faults: Checked) -> None:
    said = only_fault(faults(cases=("name: ANC above it", "name: ANC at the limit")))
    assert f"'ANC at the limit' stands at {FOLDER}/cases/all.yaml:10 already" in said


@pytest.mark.parametrize(
    ("case", "status"),
    [
        (UNREAD, "I01 can be unknown"),
        ("  - {name: not recorded, given: [], expect: {I01: fail}}\n", "I01 can be fail"),
        (STRANGER, "E01 can be review"),
    ],
)
def test_a_status_without_a_case_is_a_fault_with_an_example(
    faults: Checked, case: str, status: str
) -> None:
    said = [str(fault) for fault in faults(cases=(case, ""))]
    assert any(f"{status}, and no case says when. Add one to {FOLDER}/cases" in s for s in said)


@pytest.mark.parametrize(
    ("case", "change"),
    [
        (("value: 1.5 10*9/L", "value: 1.9 10*9/L"), "ANC: 1.5 10*9/L becomes 1.6 10*9/L"),
        (("value: 1.49 10*9/L", "value: 1.3 10*9/L"), "ANC: 1.5 10*9/L becomes 1.4 10*9/L"),
        (("taken: 2026-02-01", "taken: 2026-02-03"), "28 days becomes a day shorter"),
        (("taken: 2026-01-31", "taken: 2026-01-15"), "28 days becomes a day longer"),
        ((SEVENTH, SEVENTH.replace("02-22", "02-25").split("    clears")[0]), "a day shorter"),
        (("finding: desmoid_tumor, status: resolved", "finding: desmoid_tumor"), "only active"),
    ],
)
def test_a_bound_or_window_that_no_case_pins_down_is_a_fault(
    faults: Checked, case: tuple[str, str], change: str
) -> None:
    said = [fault.says for fault in faults(cases=case)]
    assert any("no case would notice if" in says and change in says for says in said), said


def test_a_signature_of_other_criteria_is_stale(faults: Checked) -> None:
    signed = "look_back: 28 days\nsign_off: [{role: physician, by: A. Bee, date: 2026-03-01, "
    said = only_fault(faults(trial=("look_back: 28 days\n", f"{signed}digest: sha256:0}}]\n")))
    assert "changed since A. Bee (physician) on 2026-03-01 signed them" in said


def test_a_signature_of_today_s_criteria_is_current(faults: Checked) -> None:
    digest = faults()[0].try_this.rpartition("digest: ")[2]
    signed = "look_back: 28 days\nsign_off: [{role: physician, by: A. Bee, date: 2026-03-01, "
    assert faults(trial=("look_back: 28 days\n", f"{signed}digest: {digest!r}}}]\n")) == []


def test_a_signature_goes_stale_with_the_criteria_it_signed(faults: Checked) -> None:
    digest = faults()[0].try_this.rpartition("digest: ")[2]
    signed = "look_back: 28 days\nsign_off: [{role: physician, by: A. Bee, date: 2026-03-01, "
    found = faults(
        trial=("look_back: 28 days\n", f"{signed}digest: {digest!r}}}]\n"),
        inclusion=("reading: The newest", "reading: Latest"),
    )
    assert "changed since A. Bee" in only_fault(found)


def test_a_signature_names_who_when_and_what(faults: Checked) -> None:
    said = [
        fault.says
        for fault in faults(
            trial=("look_back: 28 days\n", "look_back: 28 days\nsign_off: [{date: spring}]\n")
        )
    ]
    for part in ("lacks its 'role'", "lacks its 'by'", "lacks its 'digest'", "dated 'spring'"):
        assert any(part in says for says in said)
