"""Answers in words: what says one thing clearly is read, everything else is left open."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from cds.core.truth import Truth
from cds.fhir import answers

if TYPE_CHECKING:
    from cds.core.facts import Reading


def truth_of(said: Reading | str | None) -> str:
    """'+', '-', 'r' (reactive) or '?' (open, or no clear answer)."""
    if isinstance(said, str):
        return "r"
    if said is None or said.presence is Truth.UNKNOWN:
        return "?"
    return "+" if said.presence is Truth.MET else "-"


@pytest.mark.parametrize(
    "text",
    [
        "Positive", "POS", "positive for HIV-1 antibodies", "HIV-1 RNA detected", "Detectable",
        "Detected. Not a notifiable disease.", "Pregnant", "Yes", "Pregnant: yes",
        "breast-feeding", "阳性", "HIV抗体 阳性(+)", "检出", "positiv", "HCV-RNA nachweisbar",
    ],
)  # fmt: skip
def test_a_plain_positive_is_positive(text: str) -> None:
    assert truth_of(answers.presence(text)) == "+"


@pytest.mark.parametrize(
    "text",
    [
        "Negative", "neg", "Not detected", "non-reactive", "Undetectable", "None detected",
        "No HIV-1 or HIV-2 antibodies detected", "no evidence of HIV infection", "No", "none.",
        "Nil", "absent", "No, not pregnant", "No - not pregnant", "(-)", "否",
        "Nonreactive: A negative result does not rule out acute infection",
        "HIV NON REACTIVE - a negative result does not exclude early infection",
        "Negative (no antibodies detected)", "Not detected. No further action.",
        "Negative. A negative result does not exclude recent infection.",
        "Not currently pregnant", "Pregnant: No", "Breastfeeding: No", "No longer breastfeeding",
        "阴性", "未检出", "HIV抗体：阴性（-）", "negativ", "nicht nachweisbar", "nicht reaktiv",
    ],
)  # fmt: skip
def test_a_plain_negative_is_negative(text: str) -> None:
    assert truth_of(answers.presence(text)) == "-"


@pytest.mark.parametrize(
    "text",
    [
        # a negation that stands apart, and doubts
        "Never pregnant", "not known to be pregnant", "Patient could be pregnant", "positive?",
        "Recently pregnant", "Stopped breastfeeding", "Previously breastfeeding",
        "antibodies cannot be detected", "Neither antibody detected", "Test not positive",
        "False positive", "ruled out: positive screen", "mother positive", "previously negative",
        "not negative", "history of positive test", "possibly positive", "weakly positive",
        "detected, not detected", "no comment, HIV detected", "nicht positiv", "弱阳性", "假阳性",
        "可疑阳性", "非阳性", "frühere Probe positiv", "fraglich positiv",
        # something was done, something was not
        "Positive; confirmatory test not performed", "POSITIVE (western blot pending)",
        "Negative; antibody test pending", "Positive, quantitative hCG not done",
        "Detected, genotype pending",
        # nothing was said at all
        "No result", "No specimen received", "No test performed", "None available", "no report",
        "see comment", "hemolyzed", "未做", "nicht bestimmt",
    ],
)  # fmt: skip
def test_what_is_not_plain_is_no_answer(text: str) -> None:
    assert truth_of(answers.presence(text)) == "?"


@pytest.mark.parametrize(
    "text",
    [
        "Not performed", "Test not done: specimen hemolyzed", "No specimen received", "pending",
        "None available", "No result", "cancelled on 2026-02-20", "QNS", "N/A", "no test performed",
        "未做", "标本不合格", "nicht durchgeführt", "Ergebnis folgt",
    ],
)  # fmt: skip
def test_a_text_that_there_is_no_result_is_none(text: str) -> None:
    assert answers.not_done(text)


@pytest.mark.parametrize(
    "text",
    [
        "Positive; confirmatory test not performed", "0.8 K/uL, smear review pending",
        "5.0 mg/dL (eGFR not reported)", "3+, microscopy not performed", "2+ (repeat not done)",
        "Detected, genotype pending", "Negative", "1.2", "阳性，确证试验未做", "not detected",
    ],
)  # fmt: skip
def test_a_remark_beside_a_result_does_not_take_it_away(text: str) -> None:
    assert not answers.not_done(text)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2+", 2, 2), ("++", 2, 2), ("+ +", 2, 2), ("+2", 2, 2), ("2 plus", 2, 2),
        ("100 ++", 2, 2), ("100++", 2, 2), ("1.00 ++", 2, 2), ("1 ++", 2, 2), ("300 +++", 3, 3),
        ("0.3 +", 1, 1), ("1-2+", 1, 2), ("1+ to 2+", 1, 2), ("trace", 0, 1), ("trace to 1+", 0, 1),
        ("negative", 0, 0), ("neg", 0, 0), ("+", 1, 1), ("++++", 4, 4), ("Protein: 3+", 3, 3),
        ("2+ (traces of blood)", 0, 2),
    ],
)  # fmt: skip
def test_grades_are_those_of_the_strip(text: str, low: int, high: int) -> None:
    found = answers.grade(text)
    assert found is not None
    assert (found.low, found.high) == (Decimal(low), Decimal(high))


@pytest.mark.parametrize(
    "text", [">1+", "<2+", "≥ 2+", "30+", "100+", "not 2+", "2+ (repeat not done)", "No sample"]
)
def test_a_grade_that_is_not_plain_is_none(text: str) -> None:
    assert answers.grade(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("ECOG 1", 1), ("ECOG PS: 1", 1), ("ecog performance status 0", 0), ("1", 1), ("2.", 2),
        ("1 - restricted in strenuous activity", 1), ("ECOG score of 2", 2), ("ECOG-PS = 1", 1),
        ("ECOG Grade 2", 2), ("Grade 3", 3), ("0 - Stage IV sarcoma", 0), ("NYHA III", 3),
        ("0 (Stage III disease)", 0), ("ECOG 1 (KPS 80)", 1), ("KPS 80, ECOG 1", 1), ("PS 1", 1),
        ("ECOG评分2分", 2), ("Class II", 2), ("II", 2), ("NYHA functional class II", 2),
        ("2 - Symptomatic, <50% in bed during the day", 2), ("NYHA Klasse II", 2),
        ("3 - Capable of only limited self-care; confined >50% of waking hours", 3),
        ("心功能II级", 2), ("ECOG 2, previously 1", 2),
        ("WHO 0", 0), ("Zubrod 4", 4), ("ECOG (1)", 1),
    ],
)  # fmt: skip
def test_a_plain_score_is_read(text: str, number: int) -> None:
    found = answers.score(text)
    assert found is not None
    assert found.low == found.high == number


@pytest.mark.parametrize(
    "text",
    [
        "ECOG >2", "ECOG ≥2", "ECOG 2/3", "2~3", "ECOG评分2~3分", "ECOG 2 and 3", "ECOG 2 → 3",
        "2 bis 3", "ECOG 2+", "2 or greater", "ECOG 2 or worse", "2 or more", "NYHA > II",
        "NYHA II/III", "II + III", "II bis III", "II, III on exertion", "1-2", "ECOG 1 to 2",
        "Stage IV sarcoma", "Tumor grade 2", "Karnofsky 80", "ECOG 1.5", "10", "ECOG 1; ECOG 2",
        "ECOG improved from 2 to 1", "ECOG <= 2", "ECOG at least 2", "ECOG not 1", "ECOG 1或2",
        "ECOG 2 à 3", "2 (borderline 3)", "ECOG 2 ou 3", "ECOG probably 1",
    ],
)  # fmt: skip
def test_a_score_that_is_not_plain_is_none(text: str) -> None:
    assert answers.score(text) is None


def test_the_numbers_in_the_name_of_a_test_are_no_result() -> None:
    assert answers.not_done("HIV 1/2 antibodies not performed", numbers=False)
    assert not answers.not_done("(+), confirmation pending", numbers=False)
    assert not answers.not_done("S/CO 12.4, Western blot pending", numbers=False)
