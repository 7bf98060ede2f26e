"""Look-ups over hand-made lists: set algebra, editions of ICD-10, encounters, drugs."""

from __future__ import annotations

import pickle

import pytest

from cds.core.facts import Mark
from cds.core.terminology import Concept, Ingredient, Lists, Member, Terminology

CM = "http://hl7.org/fhir/sid/icd-10-cm"
WHO = "http://hl7.org/fhir/sid/icd-10"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
DECIDES, REVIEW, HISTORY = Mark(), Mark(decides=False), Mark(history=True)


def _member(  # noqa: PLR0913 - a row has as many columns
    key: str, code: str, match: str, mark: Mark = DECIDES, *, upto: str = "", seventh: bool = False
) -> Member:
    return Member(
        key, "ICD-10-CM", code, code, match, mark, "yes", "here", upto=upto, seventh=seventh
    )


def _drug(name: str, sets: dict[str, bool], *codes: tuple[str, str]) -> Ingredient:
    return Ingredient(name, sets, codes, (name,), dict.fromkeys(sets, "here"))


CONDITIONS = [
    _member("cancer", "C00", "range", upto="C96"),
    _member("metastasis", "C78", "prefix"),
    _member("heart", "I25", "prefix"),
    _member("infarct", "I25.2", "exact", HISTORY),
    _member("immune", "D84", "prefix"),
    _member("immune", "D84.821", "exact", REVIEW),
    _member("desmoid", "D48.11", "prefix"),
    _member("fracture", "S72", "prefix", seventh=True),
    _member("minor", "J00", "range", upto="J06"),
    _member("infection", "A40", "prefix"),
    _member("haemophilia", "D66", "exact"),
    Member("haemophilia", "ICD-10", "X99", "only of WHO", "prefix", DECIDES, "yes", "here"),
]
CONCEPTS = [
    Concept("other_cancer", "another cancer", "finding", ("cancer", "-metastasis")),
    Concept("ischaemia", "ischaemia", "finding", ("heart", "-infarct")),
    Concept("infarction", "infarction", "finding", ("infarct",)),
    Concept("immunodeficiency", "immunodeficiency", "finding", ("immune",)),
    Concept("desmoid", "desmoid", "finding", ("desmoid",)),
    Concept("fracture", "fracture", "finding", ("fracture",)),
    Concept("infection", "infection", "finding", ("infection",), ("minor",)),
    Concept("bleeding", "bleeding disorder", "finding", ("haemophilia",)),
    Concept("antiviral", "antiviral", "medication", ("viral", "-hbv")),
    Concept("inhibitor", "inhibitor", "medication", ("strong",), ("weak",)),
]
INGREDIENTS = [
    _drug("ritonavir", {"strong": True, "viral": True}, ("RxNorm", "85762"), ("ATC", "J05AE03")),
    _drug("nirmatrelvir", {"viral": True}, ("RxNorm", "2587892")),
    _drug("tenofovir", {"viral": True, "hbv": True}, ("ATC", "J05AF07")),
    _drug("doubtful", {"strong": False}, ("RxNorm", "1")),
    _drug("cimetidine", {"weak": True}, ("RxNorm", "2")),
    _drug("timolol", {}, ("ATC", "C07AA06"), ("ATC", "S01ED01")),
]
LISTS = Lists(
    systems={CM: "ICD-10-CM", WHO: "ICD-10", RXNORM: "RxNorm", ATC: "ATC"},
    concepts={concept.key: concept for concept in CONCEPTS},
    analytes={},
    labs={},
    lab_rows=(),
    conditions=CONDITIONS,
    procedures=(),
    ingredients={ingredient.name: ingredient for ingredient in INGREDIENTS},
    products={
        "2599543": "nirmatrelvir + ritonavir\tsystemic\t\tnirmatrelvir / ritonavir Pack\tRXP\tBPCK",
        "9": "timolol\tlocal\t\ttimolol Ophthalmic Solution\tRXP\tSCD",
    },
    brands=[],
    condition_names=[
        ("desmoid", "aggressive fibromatosis"),
        ("desmoid", "AF"),
        ("minor", "common cold"),
    ],
    procedure_names=[],
    other_drugs=[("metformin", "name")],
    forms=[("shampoo", True), ("tablet", False), ("eye drops", True)],
    routes={},
    digest="",
)
TERMS = Terminology(LISTS)


def test_a_subtracted_set_takes_its_codes_away() -> None:
    """A metastasis is in C00-C96 but is not another cancer."""
    assert TERMS.condition(CM, "C50.9").marks == {"other_cancer": DECIDES}
    assert TERMS.condition(CM, "C78.7").marks == {}
    assert TERMS.condition(CM, "I25.10").marks == {"ischaemia": DECIDES}
    assert TERMS.condition(CM, "I25.2").marks == {"infarction": HISTORY}


def test_the_most_specific_row_of_a_set_decides() -> None:
    """Drug-induced immunodeficiency is review though its category decides."""
    assert TERMS.condition(CM, "D84.9").marks["immunodeficiency"] == DECIDES
    assert TERMS.condition(CM, "D84.821").marks["immunodeficiency"] == REVIEW


def test_review_companions_never_decide() -> None:
    """A code that only a companion set holds is evidence for review."""
    assert TERMS.condition(CM, "A40.1").marks["infection"] == DECIDES
    assert TERMS.condition(CM, "J02").marks["infection"] == REVIEW
    cimetidine = TERMS.drug_code(RXNORM, "2")
    assert cimetidine is not None
    assert cimetidine.marks["inhibitor"] == (Mark(decides=False, ingredient="cimetidine"),)


@pytest.mark.parametrize("code", ["D48.110", "d48.110", "D48110", " D48.118 "])
def test_dots_and_case_of_icd_codes_do_not_matter(code: str) -> None:
    """Charts write ICD codes with and without dots."""
    assert "desmoid" in TERMS.condition(CM, code).marks


@pytest.mark.parametrize("code", ["D48.1", "D48.11", "D48.110", "D48"])
def test_other_editions_match_whole_categories_only(code: str) -> None:
    """The fourth character of WHO's ICD-10 means something else."""
    assert TERMS.condition(WHO, code).marks == {}
    assert "other_cancer" in TERMS.condition(WHO, "C50.4").marks


@pytest.mark.parametrize("code", ["D66", "D66.0", "X99", "X99.1"])
def test_a_category_without_subdivisions_is_whole_too(code: str) -> None:
    """Neither "exact" nor a category that only WHO has keeps the other editions out."""
    assert TERMS.condition(WHO, code).marks == {"bleeding": DECIDES}


def test_a_category_of_who_is_no_code_of_icd_10_cm() -> None:
    """ICD-10-CM may give the same characters another meaning."""
    assert TERMS.condition(CM, "X99").marks == {}
    assert TERMS.condition(CM, "D66.0").marks == {}


def test_the_right_code_under_an_unknown_system_is_unknown() -> None:
    """A code says nothing without its system."""
    assert not TERMS.condition("urn:local", "C50.9").known
    assert TERMS.condition("urn:local", "C50.9").marks == {}


def test_an_icd_10_cm_code_of_no_list_is_known() -> None:
    """Lists by prefix are complete: a code outside them is known to be something else."""
    assert TERMS.condition(CM, "Z00.00").known
    assert not TERMS.condition(WHO, "Z00").known


@pytest.mark.parametrize(
    ("code", "mark"),
    [
        ("S72.001A", DECIDES), ("S72.001B", DECIDES), ("S72.001D", HISTORY),
        ("S72.001P", HISTORY), ("S72.001G", REVIEW), ("S72.001K", REVIEW), ("S72.001S", None),
        ("S72.0", DECIDES),
    ],
)  # fmt: skip
def test_the_seventh_character_tells_the_encounter(code: str, mark: Mark | None) -> None:
    """Later encounters are history; a sequela never counts."""
    assert TERMS.condition(CM, code).marks.get("fracture") == mark


def test_a_pack_is_each_of_its_ingredients() -> None:
    """Nirmatrelvir/ritonavir packs are ritonavir."""
    drug = TERMS.drug_code(RXNORM, "2599543")
    assert drug is not None
    assert drug.marks["inhibitor"] == (Mark(ingredient="ritonavir"),)
    assert {mark.ingredient for mark in drug.marks["antiviral"]} == {"nirmatrelvir", "ritonavir"}
    assert drug.local is False


def test_subtraction_works_by_ingredient() -> None:
    """A hepatitis-B antiviral is taken out of the antivirals."""
    drug = TERMS.drug_code(ATC, "J05AF07")
    assert drug is not None
    assert drug.marks == {}
    assert drug.recognised


@pytest.mark.parametrize("group", ["J", "J05", "J05A", "J05AE", " j05ae "])
def test_a_group_of_drugs_may_be_any_of_them(group: str) -> None:
    """Of a group that holds a drug of ours nobody can say that it is another one."""
    drug = TERMS.drug_group(ATC, group)
    assert drug is not None
    assert drug.marks["inhibitor"] == (Mark(decides=False, ingredient=group.strip().upper()),)
    assert drug.ingredients == ()


@pytest.mark.parametrize("code", ["J05AE03", "J05AX", "C07", "J0", ""])
def test_what_is_no_group_of_ours_is_none(code: str) -> None:
    """A drug's own code, a group without drugs of a concept, and what is no level at all."""
    assert TERMS.drug_group(ATC, code) is None
    assert TERMS.drug_group(RXNORM, "J05AE") is None


def test_an_unverified_membership_never_decides() -> None:
    """What nobody looked up is evidence only."""
    drug = TERMS.drug_code(RXNORM, "1")
    assert drug is not None
    assert not drug.marks["inhibitor"][0].decides


def test_route_comes_from_the_product_the_text_or_the_atc_group() -> None:
    """Eye drops are local by product code, by words and by ATC group; a bare name says nothing."""
    by_code, by_atc = TERMS.drug_code(RXNORM, "9"), TERMS.drug_code(ATC, "S01ED01")
    by_text, bare = TERMS.drug_text("Timolol eye drops"), TERMS.drug_text("timolol")
    assert by_code is not None
    assert by_atc is not None
    assert by_text is not None
    assert bare is not None
    assert (by_code.local, by_atc.local, by_text.local, bare.local) == (True, True, True, None)
    mixed = TERMS.drug_text("timolol tablet and shampoo")
    assert mixed is not None
    assert mixed.local is None


def test_other_drugs_are_recognised_and_unknown_words_are_not() -> None:
    """Metformin is no class of ours; a herbal mixture is nothing that we know."""
    metformin = TERMS.drug_text("Metformin 500 mg")
    assert metformin is not None
    assert metformin.recognised
    assert metformin.marks == {}
    assert TERMS.drug_text("herbal mixture") is None


def test_a_name_in_a_text_is_evidence_for_review_only() -> None:
    """Text never decides, whatever its set says."""
    assert TERMS.condition_names("Aggressive Fibromatosis, left arm") == {"desmoid": REVIEW}
    assert TERMS.condition_names("common cold") == {"infection": REVIEW}
    assert TERMS.condition_names("nothing of the kind") == {}


LOOKING = TERMS.looking_for(frozenset({"desmoid"}))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Aggressive Fibromatosis, common cold", True),
        ("AF of the left arm", True),
        ("AF", True),
        ("af of the left arm", False),
        ("LEFT AF, BOTH ARMS", False),
        ("common cold", False),
    ],
)
def test_of_the_names_beside_a_code_only_the_targets_are_read(
    text: str,
    found: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """An abbreviation counts as it is written; in a text of capitals nobody knows."""
    assert LOOKING.target_names(text) == ({"desmoid": REVIEW} if found else {})
    assert TERMS.target_names(text) == {}


def test_a_code_for_any_illness_is_not_known() -> None:
    """R69 says that somebody is ill; other codes of ICD-10-CM say at least what it is not."""
    assert not TERMS.condition(CM, "R69").known
    assert TERMS.condition(CM, "R68.8").known


@pytest.mark.parametrize("text", ["Carcinoma of unknown site", "LEUKAEMIA", "malignant growth"])
def test_words_for_cancer_are_noticed(text: str) -> None:
    """A condition of no list that says cancer goes to a human."""
    assert TERMS.malignancy_words(text)


def test_words_that_only_contain_cancer_are_not() -> None:
    """Whole words: 'precancerous' is not 'cancer'."""
    assert not TERMS.malignancy_words("precancerous lesion, sarcomatoid look")


def test_a_terminology_travels_to_another_process() -> None:
    """Workers of a cohort get the same answers."""
    again = pickle.loads(pickle.dumps(LOOKING))  # noqa: S301 - what we pickled ourselves
    assert again.condition(CM, "D48.110") == TERMS.condition(CM, "D48.110")
    assert again.target_names("aggressive fibromatosis") == {"desmoid": REVIEW}
