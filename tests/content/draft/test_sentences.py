"""Sentence by sentence: what becomes a form, and what is left to a human."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def lab(key: str, **rest: str) -> dict[str, str]:
    return {"lab": key, **rest}


WANTED = [
    ("Hemoglobin ≥ 90 g/L (9 g/dL)", [lab("hemoglobin", at_least="90 g/L")]),
    ("Hb≥90g/L", [lab("hemoglobin", at_least="90 g/L")]),
    ("Hemoglobin >/= 9 g/dL", [lab("hemoglobin", at_least="90 g/L")]),
    ("Hemoglobin \\>= 9.0 g/dL", [lab("hemoglobin", at_least="90 g/L")]),
    ("Hemoglobin &ge; 9 g/dL", [lab("hemoglobin", at_least="90 g/L")]),
    ("Neutrophil (ANC) ≥1.5×109/L,", [lab("anc", at_least="1.5 10*9/L")]),
    ("ANC ≥ 1.5 × 10⁹/L；", [lab("anc", at_least="1.5 10*9/L")]),
    ("ANC >= 1.5 x 10E9 / L", [lab("anc", at_least="1.5 10*9/L")]),
    ("ＡＮＣ≥１．５×１０^９/Ｌ", [lab("anc", at_least="1.5 10*9/L")]),
    ("ANC greater than or equal to 1,500/µL", [lab("anc", at_least="1.5 10*9/L")]),
    ("Absolute neutrophil count not less than 1500 cells/mm³", [lab("anc", at_least="1.5 10*9/L")]),
    ("Platelets \u2a7e 100 X 10\\^9/L", [lab("platelets", at_least="100 10*9/L")]),
    (
        "Total bilirubin ≤1.5×upper limit of normal (ULN)",
        [lab("bilirubin_total", at_most="1.5 ULN")],
    ),
    ("ALT no more than 2.5 times the ULN", [lab("alt", at_most="2.5 ULN")]),
    (
        "AST(SGOT)/ALT(SGPT) ≤ 2.5 X institutional upper limit of normal",
        [lab("ast", at_most="2.5 ULN"), lab("alt", at_most="2.5 ULN")],
    ),
    ("LVEF ≥ 50 %", [lab("lvef", at_least="50 %")]),
    ("ECOG 0–2", [lab("ecog", at_most="2 {score}")]),
    (
        "ECOG performance status score of 0 or 1 within 7 days before randomization",
        [lab("ecog", at_most="1 {score}", look_back="7 days")],
    ),
    ("18 ≤ age ≤ 75 years", [{"age": "completed years", "at_least": "18", "at_most": "75"}]),
    ("Adults aged 18 years or older", [{"age": "completed years", "at_least": "18"}]),
    ("No history of stroke", [{"not": {"finding": "stroke", "when": "ever"}}]),
    (
        "≥ 28 days from last radiotherapy",
        [{"procedure": "radiotherapy", "at_least_after": "28 days"}],
    ),
    (
        "Hemoglobin ≥ 13 g/dL for men and ≥ 12 g/dL for women",
        [{"lab": "hemoglobin", "at_least": {"male": "130 g/L", "female": "120 g/L"}}],
    ),
]
EXCLUDED = [
    ("PT > ULN + 4 s", [lab("pt", above="ULN + 4 s")]),
    (
        "Urine protein ≥ ++, and confirmed 24-hour urine protein > 1.0 g",
        [
            {
                "all_of": [
                    lab("urine_protein_dipstick", at_least="2 {plus}"),
                    lab("urine_protein_24h", above="1 g/(24.h)"),
                ]
            }
        ],
    ),
    ("ALT or AST > 3 × ULN", [lab("alt", above="3 ULN"), lab("ast", above="3 ULN")]),
    ("Age < 18 years", [{"age": "completed years", "at_most": "17"}]),
    (
        "Patients who have used anlotinib, sunitinib and other TKI drugs in the past",
        [{"medication": "tyrosine_kinase_inhibitor", "when": "ever"}],
    ),
    (
        "Currently receiving anticoagulants such as warfarin",
        [{"medication": "anticoagulant", "when": "current"}],
    ),
    (
        "Use of strong CYP3A4 inducers within 12 days prior to the first dose",
        [{"medication": "strong_cyp3a4_inducer", "washout": "12 days"}],
    ),
    (
        "Active infection requiring systemic therapy",
        [{"all_of": [{"finding": "active_infection", "when": "active"}, {"review": True}]}],
    ),
    (
        "Gastrointestinal bleeding within 3 months",
        [{"finding": "gi_bleeding", "within": "3 months"}],
    ),
    (
        "Inflammatory bowel disease (e.g., Crohn's disease, ulcerative colitis)",
        [{"finding": "inflammatory_bowel_disease", "when": "active"}],
    ),
]
HUMAN = [
    # An unknown word, an exception, a condition, an alternative.
    "Total bilirubin ≤ 1.5 × ULN, except for patients with Gilbert's syndrome",
    "INR ≤ 1.5 × ULN unless receiving anticoagulant therapy",
    "Serum creatinine ≤ 1.5 × ULN or creatinine clearance ≥ 60 mL/min",
    "AST or ALT ≤ 2.5 ULN",
    "Hemoglobin ≥ 9 g/dL without transfusion within 14 days",
    "Hemoglobin ≥ 9 g/dL (no transfusion within 14 days)",
    "Hemoglobin ≥ 12 g/dL for women",
    "Hemoglobin ≥ 9 g/dL or ≥ 5.6 mmol/L",
    "ECOG 0-1 or KPS ≥ 70",
    "ECOG PS 0-2 (ECOG PS of 3 is allowed if due to cancer)",
    "QTcF ≤ 470 msec",
    # Numbers that were damaged, have no unit, or the wrong one.
    "Platelets ≥ 100.000/mm³",
    "Hemoglobin ≥ 9 g/dL (8 g/dL)",
    "Platelets ≥ 100 x 10^12/L",
    "Platelets ≥ 100",
    "Hemoglobin ≥ 9 g/L",
    "Albumin ≥ 3.0 mg/dL",
    "ANC ≥ 1,5 × 10^9/L",
    "ANC ≥ 1.5 × 10^9",
    "ANC ≥ 1.5109/L",
    # A sign that must have slipped.
    "Platelets ≤ 100 × 10^9/L",
    "ALT ≥ 2.5 × ULN",
    # What "above 18" means, people disagree about.
    "Age > 18 years",
    "Children aged 6 months to 18 years",
    # A time behind the last of several tests.
    "ANC ≥ 1.5 × 10^9/L, platelets ≥ 100 × 10^9/L, Hb ≥ 9 g/dL within 7 days prior to enrollment",
    "Histologically confirmed rhabdomyosarcoma or Ewing sarcoma",
    "Not pregnant or breastfeeding",
    "Women of childbearing potential must use contraception",
]
HUMAN_EXCLUDED = [
    "ALT and AST > 3 × ULN",
    "ALT > 3 × ULN and bilirubin > 2 × ULN",
    "Platelets < 100 × 10^9/L, hemoglobin < 90 g/L",
    "Active hepatitis B or C",
    "Known HIV, hepatitis B or hepatitis C infection",
    "DVT within 6 months unless adequately treated",
    "PE or DVT",
    "UC",
    "Depression",
    "Kidney transplant",
    "Asymptomatic deep vein thrombosis",
    "Family history of stroke",
    "Suspected interstitial lung disease",
    "Recent stroke",
    "Heart failure medication",
    "Severe infection or hypertension",
    "Hypertension, stroke within 6 months",
    "Stroke within 6 months, myocardial infarction",
    "Severe infection within 4 weeks",
    "Other malignancy within 5 years",
    "Prior radiotherapy to the pelvis",
    "Radiotherapy",
    "Prior allogeneic stem cell transplantation",
    "Prior treatment with anlotinib",
    "Use of warfarin",
    "Currently receiving anticoagulants such as aspirin",
    "Receiving therapeutic anticoagulation",
    "Strong CYP3A4 inhibitors within 14 days or 5 half-lives, whichever is longer",
    "Major surgery less than 4 weeks before enrollment",
    "Major surgery within 28 days or minor surgery within 7 days",
    "Uncontrolled hypertension (blood pressure ≥ 150/100 mmHg) despite therapy",
    "Heart failure NYHA II-III",
    "No heart failure",
    "Patients without liver metastasis",
    "Not receiving anticoagulants",
    "Platelets > 100 × 10^9/L",
    "HBsAg positive, HBV DNA > 2000 IU/mL",
    "Heart failure (LVEF < 40%)",
    "Liver cirrhosis (platelets < 100 x 10^9/L)",
    "Uncontrolled hypertension, SBP > 150 mmHg",
    "Women who are pregnant, breastfeeding, or planning to become pregnant",
]


@pytest.mark.parametrize(("text", "forms"), WANTED, ids=[text for text, _ in WANTED])
def test_what_a_protocol_asks_for_becomes_its_form(
    text: str, forms: list[Any], propose: Callable[..., list[Any]]
) -> None:
    assert propose(text) == forms


@pytest.mark.parametrize(("text", "forms"), EXCLUDED, ids=[text for text, _ in EXCLUDED])
def test_what_a_protocol_excludes_becomes_its_form(
    text: str, forms: list[Any], propose: Callable[..., list[Any]]
) -> None:
    assert propose(text, excluding=True) == forms


@pytest.mark.parametrize("text", HUMAN)
def test_a_wanted_state_that_is_not_wholly_understood_is_for_a_human(
    text: str, propose: Callable[..., list[Any]]
) -> None:
    assert [one for one in propose(text) if one != {"review": True}] == []


@pytest.mark.parametrize("text", HUMAN_EXCLUDED)
def test_an_excluded_state_that_is_not_wholly_understood_is_for_a_human(
    text: str, propose: Callable[..., list[Any]]
) -> None:
    assert propose(text, excluding=True) == []


def test_a_converted_bound_is_exact_and_not_rounded(propose: Callable[..., list[Any]]) -> None:
    assert propose("Serum creatinine ≤ 1.5 mg/dL") == [
        lab("creatinine_serum", at_most="132.6025459689 umol/L")
    ]


@pytest.mark.parametrize("word", ["not", "without", "or"])
@pytest.mark.parametrize(
    ("text", "excluding"),
    [
        ("Platelet count (PLT) ≥ 80 × 10^9/L", False),
        ("Age ≥ 18 years", False),
        ("Active infection requiring systemic therapy", True),
        ("Major surgery within 4 weeks prior to study entry", True),
        ("Pregnant or breastfeeding women", True),
    ],
)
def test_a_word_that_turns_a_sentence_round_leaves_no_form_wherever_it_stands(
    text: str,
    *,
    excluding: bool,
    word: str,
    propose: Callable[..., list[Any]],
) -> None:
    words = text.split()
    for place in range(len(words) + 1):
        turned = " ".join([*words[:place], word, *words[place:]])
        assert propose(turned, excluding=excluding) == [], turned


@pytest.mark.parametrize(
    "text",
    ["history of " * 40 + "stroke", "stroke, " * 50 + "stroke", "stroke within 6 months or " * 15],
)
def test_a_sentence_without_end_is_read_or_left_within_seconds(
    text: str, propose: Callable[..., list[Any]]
) -> None:
    start = process_time()
    propose(text, excluding=True)
    assert process_time() - start < 20
