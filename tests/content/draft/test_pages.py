"""Whole texts: every piece accounted for, and no form that its surroundings take back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cds.content.draft import Study, draft
from cds.content.fault import ContentFaults

if TYPE_CHECKING:
    from cds.content.draft import Draft
    from cds.content.draft.lexicon import Lexicon


def study(eligibility: str) -> Study:
    """A study of which only the eligibility text matters."""
    return Study(
        id="NCT00000000",
        title="An invented trial",
        sponsor="Nobody",
        status="Recruiting",
        recruiting=True,
        as_of="2026-03-01",
        low=None,
        high=None,
        other_ages=(),
        sex=None,
        volunteers="",
        conditions=(),
        eligibility=eligibility,
        page="an invented page",
        sha256="0" * 64,
    )


def computed(made: Draft) -> list[str]:
    """The words of the criteria that got a form."""
    return [one.text for one in made.criteria if one.computed]


def is_made_of(text: str, quotes: set[str]) -> bool:
    """Whether a text is its quotes one after another; one said twice in the page comes twice."""
    used: set[str] = set()
    while text:
        quote = max((one for one in quotes if text.startswith(one)), key=len, default="")
        if not quote:
            return False
        used.add(quote)
        text = text.removeprefix(quote)
    return used == quotes


def assert_accounted_for(made: Draft) -> None:
    """The pieces of the ledger follow each other and leave out nothing but white space."""
    text, at = made.study.eligibility, 0
    for entry in made.ledger:
        assert at <= entry.first < entry.last
        assert not any(letter.isalnum() for letter in text[at : entry.first])
        at = entry.last
    assert not any(letter.isalnum() for letter in text[at:])
    ids = [one.id for one in made.criteria]
    assert len(ids) == len(set(ids))
    assert {key for entry in made.ledger for key in entry.criteria} == set(ids)
    by_id = {one.id: one.text for one in made.criteria}
    for entry in made.ledger:
        quotes = {"".join(by_id[key].split()) for key in entry.criteria}
        if quotes:
            assert is_made_of("".join(entry.text.split()), quotes)


PAGE = """\
Inclusion Criteria:

* Age ≥ 18 years
* Adequate organ function as defined by:

  * ANC ≥ 1.5 x 10\\^9/L
  * Platelets \\>= 100 x 10\\^9/L
* Laboratory values within 7 days before enrollment:

  1. INR ≤ 1.5

Exclusion Criteria:

* Any of the following:

  * Interstitial lung disease
  * Liver cirrhosis
* Prior immunotherapy
"""


def test_lists_under_headings_that_ask_nothing_are_read_one_by_one(names: Lexicon) -> None:
    made = draft(study(PAGE), names)
    assert_accounted_for(made)
    assert [one.text for one in made.criteria if not one.computed] == []
    inr = next(one for one in made.criteria if one.text == "INR ≤ 1.5")
    assert inr.form == {"lab": "inr", "at_most": "1.5 1", "look_back": "7 days"}


@pytest.mark.parametrize(
    "text",
    [
        # A heading that changes what stands below it.
        "Inclusion Criteria:\n* One of the following:\n  * ANC ≥ 1.5 x 10^9/L\n  * INR ≤ 1.5",
        "Inclusion Criteria:\nAny of the following:\nANC ≥ 1.5 x 10^9/L\nINR ≤ 1.5",
        "Inclusion Criteria:\n- For cohort B:\n- ANC ≥ 1.5 x 10^9/L",
        "Exclusion Criteria:\n* Within 6 months before enrollment:\n  * Stroke",
        "Exclusion Criteria:\n* All of the following:\n  * Stroke\n  * Liver cirrhosis",
        "Exclusion Criteria:\n* History of:\n  * Stroke",
        "Exclusion Criteria:\n* Severe or uncontrolled diseases, including:\n  * Hypertension",
        "Exclusion Criteria:\n- The following do not exclude:\n  - Stroke",
        "Exclusion Criteria:\n- Patients will not be excluded if any of the following:\n  - Stroke",
        "Inclusion Criteria:\nPatients with the following will be excluded\nINR ≤ 1.5",
        # Lists for some patients only, lists twice, no list at all, other lists.
        "Inclusion Criteria (cohort A):\nANC ≥ 1.5 x 10^9/L",
        "Inclusion Criteria:\nINR ≤ 1.5\nExclusion Criteria:\nStroke\nInclusion Criteria:\nINR ≤ 2",
        "INR ≤ 1.5\nANC ≥ 1.5 x 10^9/L",
        "Exclusion Criteria:\n\nWithdrawal criteria:\nStroke",
        # A neighbour that takes it back.
        "Inclusion Criteria:\n* ALT ≤ 2.5 x ULN, or\n* ≤ 5 x ULN if liver metastases",
        "Inclusion Criteria:\n* ALT ≤ 2.5 x ULN\n* If liver metastases: ALT ≤ 5 x ULN",
        "Inclusion Criteria:\n1. INR ≤ 1.5.\n2. Exceptions: patients on warfarin.",
        "Inclusion Criteria:\n1. ALT ≤ 3 x ULN\n2. OR\n3. AST ≤ 3 x ULN",
        "Inclusion Criteria:\n1. ALT ≤ 3 x ULN or\n2. AST ≤ 3 x ULN",
        "Inclusion Criteria:\n1. ALT ≤ 3 x ULN\n2. or AST ≤ 3 x ULN",
        "Inclusion Criteria:\n1. ANC ≥ 1.5 x 10^9/L\n2. ANC ≥ 1.0 x 10^9/L",
        "Exclusion Criteria:\n* Active infection. Patients on prophylaxis are eligible.",
        "Exclusion Criteria:\n* Major surgery within 4 weeks; minor surgery is allowed",
        "Exclusion Criteria:\n1. Stroke and\n2. Liver cirrhosis",
        "Exclusion Criteria:\n1. Liver cirrhosis\n2. Compensated cirrhosis may be enrolled",
        # The other list: a misread heading must not turn a sentence round.
        "Inclusion Criteria:\nPlatelets < 100 x 10^9/L\nActive infection\nPrior radiotherapy",
        "Non-inclusion criteria:\nPlatelets ≥ 100 x 10^9/L",
    ],
)
def test_a_sentence_that_its_surroundings_may_change_is_for_a_human(
    text: str, names: Lexicon
) -> None:
    made = draft(study(text), names)
    assert_accounted_for(made)
    assert computed(made) == []


USUAL = """\
INCLUSION CRITERIA

Participants are eligible to be included in the study only if all of the following criteria apply:

Age

1. Participant must be 18 years of age or older, at the time of signing the informed consent.
2. Adequate organ function as indicated by the following laboratory values, within 14 days:

   Hematological
   - ANC ≥1500/µL
   - Hemoglobin ≥9.0 g/dL (90 g/L)

   Hepatic
   - AST (SGOT) and ALT (SGPT) ≤2.5 × ULN (≤5 × ULN for participants with liver metastases)

EXCLUSION CRITERIA

Participants are excluded from the study if any of the following criteria apply:

i. Has a history of interstitial lung disease.
ii. Has received radiotherapy within 2 weeks of start of study intervention.
"""


def test_what_large_sponsors_usually_write_is_read(names: Lexicon) -> None:
    made = draft(study(USUAL), names)
    assert_accounted_for(made)
    assert all(one.computed for one in made.criteria)
    assert [one.id for one in made.criteria] == ["I01", "I02", "I03", "I04a", "I04b", "E01", "E02"]
    anc = next(one for one in made.criteria if one.id == "I02")
    assert anc.form == {"lab": "anc", "at_least": "1.5 10*9/L", "look_back": "14 days"}


def test_run_on_numbers_of_a_page_without_line_ends_are_taken_apart(names: Lexicon) -> None:
    text = (
        "Inclusion Criteria:1.Age ≥18 years old; 2.ECOG 0-1; 3.ANC≥1.5×109/L，PLT≥80×109/L "
        "Exclusion Criteria: 1. HIV positive; 2. Pregnant women"
    )
    made = draft(study(text), names)
    assert_accounted_for(made)
    assert [one.id for one in made.criteria] == ["I01", "I02", "I03a", "I03b", "E01", "E02"]
    assert all(one.computed for one in made.criteria)


def test_a_section_without_a_sentence_is_refused_with_one_clear_sentence(names: Lexicon) -> None:
    with pytest.raises(ContentFaults, match="holds no sentence"):
        draft(study("Inclusion Criteria:\n\nExclusion Criteria:\n"), names)


FRAGMENTS = (
    "Inclusion Criteria:", "Exclusion Criteria", "Key Exclusion:", "\n", "\n\n", "  ", "* ", "- ",
    "1. ", "2)", "a. ", "ii. ", "• ", "①", "Age ≥ 18 years", "ECOG 0–2", "ANC≥1.5×109/L，",
    "platelets \\>= 100 x 10\\^9/L;", "≥ ++", "AST/ALT ≤ 2.5 × ULN", "(≤ 5 × ULN if", ")", "(", "[",
    "liver metastases", "or", "and", "unless", "not", "within 28 days before enrollment.", "stroke",
    "active infection requiring treatment", "&ge;", "&lt;", "&#x2265;", "&bogus;", "\\", "\u3000",
    "e.g., warfarin,", "such as", "including:", "strong CYP3A4 inhibitors", "Pregnant", "HIV", ":",
    "NYHA class III-IV", "heart failure", "109/L", "1.5", "²", "10⁹", "½", "Ⅲ", "\x00",
    "\u2028", "\ud800", "é", "中文",
)  # fmt: skip


def test_whatever_a_registry_writes_is_accounted_for(names: Lexicon) -> None:
    @settings(max_examples=60)
    @example(["ANC≥1.5×109/L，", "ANC≥1.5×109/L，"], "")
    @given(st.lists(st.sampled_from(FRAGMENTS), max_size=25), st.sampled_from(["", " "]))
    def holds(parts: list[str], between: str) -> None:
        text = "Inclusion Criteria:\nECOG 0-1\n" + between.join(parts)
        assert_accounted_for(draft(study(text), names))

    holds()


def test_no_text_is_too_strange(names: Lexicon) -> None:
    @settings(max_examples=60)
    @given(st.text(max_size=80))
    def holds(text: str) -> None:
        assert_accounted_for(draft(study(f"Inclusion Criteria:\nECOG 0-1\n{text}"), names))

    holds()
