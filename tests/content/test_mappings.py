"""The bundled mapping files mean what the protocols need them to mean."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.content.mappings import load_terminology
from cds.content.verified import verified_by_set
from cds.core.facts import Mark

if TYPE_CHECKING:
    from cds.core.terminology import Drug

ROOT = Path(__file__).parents[2]
TERMS = load_terminology([ROOT])

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CM = "http://hl7.org/fhir/sid/icd-10-cm"
WHO = "http://hl7.org/fhir/sid/icd-10"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
ICDO = "http://terminology.hl7.org/CodeSystem/icd-o-3"
DECIDES, REVIEW, HISTORY = Mark(), Mark(decides=False), Mark(history=True)
TRAPS = [
    (row.analyte, row.code) for row in TERMS.lists.lab_rows if row.role == "trap"
]  # fmt: skip


def drug(text: str) -> Drug:
    """The drug that a text names; the text names one."""
    found = TERMS.drug_text(text)
    assert found is not None, text
    return found


@pytest.mark.parametrize(("analyte", "code"), TRAPS)
def test_a_trap_code_is_rejected(analyte: str, code: str) -> None:
    """Codes that look right and are wrong never feed the analyte that they look like."""
    found = TERMS.lab(LOINC, code)
    assert found is None or found.analyte.key != analyte


def test_the_traps_of_the_field_are_all_there() -> None:
    """Percent neutrophils, urine creatinine, antibodies for antigens, uncorrected QT."""
    traps = {code for _, code in TRAPS}
    assert len(traps) >= 22
    assert {"770-8", "26511-6", "2161-8", "2164-2", "13488-2", "10900-9", "8634-8"} <= traps


@pytest.mark.parametrize(
    ("code", "concepts"),
    [
        ("751-8", ("anc",)), ("2160-0", ("creatinine_serum",)), ("1975-2", ("bilirubin_total",)),
        ("3094-0", ("bun",)), ("22664-7", ("bun",)), ("89247-1", ("ecog",)),
        ("777-3", ("platelets",)),
        ("8480-6", ("systolic_bp",)), ("82810-3", ("pregnancy_status",)),
    ],
)  # fmt: skip
def test_a_lab_code_feeds_its_criteria(code: str, concepts: tuple[str, ...]) -> None:
    """A code finds the concept that criteria name."""
    found = TERMS.lab(LOINC, code)
    assert found is not None
    assert found.concepts == concepts


def test_leukocytes_and_direct_bilirubin_feed_nothing() -> None:
    """6690-2 is leukocytes, never neutrophils; direct bilirubin is not total."""
    assert TERMS.lab(LOINC, "6690-2") is None
    assert TERMS.lab(LOINC, "1968-7") is None


def test_mass_and_moles_are_told_apart() -> None:
    """Urea nitrogen in mmol/L under a mass code must be noticed."""
    mass, moles = TERMS.lab(LOINC, "3094-0"), TERMS.lab(LOINC, "14937-7")
    assert mass is not None
    assert moles is not None
    assert (mass.property, moles.property) == ("mass", "moles")


def test_every_lab_concept_with_codes_has_an_analyte() -> None:
    """Whatever a lab concept is made of can be measured."""
    for concept in TERMS.concepts.values():
        if concept.domain in {"lab", "vital", "score"}:
            assert set(concept.made_of) <= set(TERMS.analytes), concept.key


@pytest.mark.parametrize(
    ("text", "ingredient"),
    [
        ("pesopanib", "pazopanib"), ("pazopanib 400 mg", "pazopanib"), ("sorafenib", "sorafenib"),
        ("sunitinib malate", "sunitinib"), ("imatinib", "imatinib"), ("apatinib", "apatinib"),
        ("Rivoceranib", "apatinib"), ("anlotinib hydrochloride capsules", "anlotinib"),
        ("Focus V", "anlotinib"), ("AL3818", "anlotinib"), ("盐酸安罗替尼胶囊", "anlotinib"),
        ("Schizomycin C", "mitomycin"), ("mitomycin C", "mitomycin"), ("atazanavir", "atazanavir"),
        ("clarithromycin", "clarithromycin"), ("indinavir", "indinavir"),
        ("itraconazole", "itraconazole"), ("ketoconazole", "ketoconazole"),
        ("nefazodone", "nefazodone"), ("nelfinafil", "nelfinavir"), ("nelfinavir", "nelfinavir"),
        ("ritonavir", "ritonavir"), ("saquinavir", "saquinavir"),
        ("telithromycin", "telithromycin"),
        ("troleandomycin", "troleandomycin"), ("voriconazole", "voriconazole"),
        ("carbamazepine", "carbamazepine"), ("phenobarbital", "phenobarbital"),
        ("phenytoin", "phenytoin"), ("rifabutin", "rifabutin"), ("rifampin", "rifampin"),
        ("rifampicin", "rifampin"), ("rifapentine", "rifapentine"), ("warfarin", "warfarin"),
        ("heparin", "heparin"), ("cyclophosphamide", "cyclophosphamide"),
        ("vinorelbine", "vinorelbine"), ("131I-MIBG", "iobenguane i-131"),
    ],
)  # fmt: skip
def test_each_drug_that_a_protocol_names_resolves(text: str, ingredient: str) -> None:
    """The protocols' own words, misspellings included."""
    assert drug(text).ingredients == (ingredient,)


@pytest.mark.parametrize(
    ("name", "concept"),
    [
        ("atazanavir", "strong_cyp3a4_inhibitor"), ("nelfinafil", "strong_cyp3a4_inhibitor"),
        ("rifabutin", "strong_cyp3a4_inducer"), ("phenobarbital", "strong_cyp3a4_inducer"),
        ("pesopanib", "tyrosine_kinase_inhibitor"), ("Schizomycin C", "mitomycin_c"),
        ("warfarin", "anticoagulant"), ("131I-MIBG", "mibg_therapy"),
        ("lomustine", "nitrosourea"), ("lomustine", "myelosuppressive_chemotherapy"),
    ],
)  # fmt: skip
def test_what_the_protocol_names_decides(name: str, concept: str) -> None:
    """The trial's own list wins over other gradings."""
    assert [mark.decides for mark in drug(name).marks[concept]] == [True]


@pytest.mark.parametrize(
    ("name", "concept"),
    [
        ("tamoxifen", "antineoplastic_systemic"), ("tamoxifen", "anticancer_nonchemotherapy"),
        ("brivanib", "tyrosine_kinase_inhibitor"), ("simvastatin", "cyp3a4_substrate"),
    ],
)  # fmt: skip
def test_companions_and_unverified_members_are_review(name: str, concept: str) -> None:
    """Hormones are not the protocol's systemic therapy; recalled memberships never decide."""
    assert [mark.decides for mark in drug(name).marks[concept]] == [False]


def test_rifaximin_is_no_inducer() -> None:
    """Names are whole words."""
    assert drug("rifaximin 550 mg").ingredients == ("rifaximin",)
    assert "strong_cyp3a4_inducer" not in drug("rifaximin 550 mg").marks


@pytest.mark.parametrize(
    ("text", "ingredients"),
    [
        ("Azor 5/20", {"amlodipine", "olmesartan"}), ("Lotrel", {"amlodipine", "benazepril"}),
        ("Tenoretic", {"atenolol", "chlorthalidone"}), ("Paxlovid", {"nirmatrelvir", "ritonavir"}),
        ("lisinopril/HCTZ", {"lisinopril", "hydrochlorothiazide"}),
        ("Augmentin", {"amoxicillin", "clavulanate"}), ("Symtuza", {"darunavir", "cobicistat"}),
    ],
)  # fmt: skip
def test_a_combination_is_all_of_its_ingredients(text: str, ingredients: set[str]) -> None:
    """Two drugs in one tablet are two drugs."""
    assert ingredients <= set(drug(text).ingredients)


def test_a_pack_by_code_is_ritonavir() -> None:
    """EHRs order Paxlovid as a pack."""
    code = next(
        code
        for code, rest in TERMS.lists.products.items()
        if rest.endswith("\tGPCK") and "nirmatrelvir" in rest.split("\t")[0]
    )
    found = TERMS.drug_code(RXNORM, code)
    assert found is not None
    assert Mark(ingredient="ritonavir") in found.marks["strong_cyp3a4_inhibitor"]
    assert found.local is not True


@pytest.mark.parametrize("ingredient", ["cyclophosphamide", "clarithromycin", "phenytoin"])
def test_no_injection_or_tablet_is_local(ingredient: str) -> None:
    """A product that is swallowed or injected is never taken for a local one."""
    for code, rest in TERMS.lists.products.items():
        names, _, _, name = rest.split("\t")[:4]
        if ingredient in names.split(" + ") and ("Tablet" in name or "Inject" in name):
            product = TERMS.product(code)
            assert product is not None
            assert product.local is not True, name


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("ketoconazole 2 % shampoo", True), ("timolol 0.5% eye drops", True),
        ("ciprofloxacin ophthalmic solution", True), ("Budesonide inhaler", True),
        ("clotrimazole cream", True), ("ketoconazole 200 mg oral tablet", False),
        ("erythromycin", None), ("heparin 5000 units SC injection", False),
    ],
)  # fmt: skip
def test_the_dose_form_in_the_text_tells_local_use(text: str, local: bool | None) -> None:  # noqa: FBT001
    """Shampoo and eye drops are local; a bare name does not say."""
    assert drug(text).local is local


BRANDED = [
    (found.group(1).casefold(), product.local)
    for code in TERMS.lists.products
    if (product := TERMS.product(code)) and (found := re.search(r"\[([^\]]+)\]", product.name))
]
ALSO_SYSTEMIC = {"nizoral", "lamisil", "ery", "sojourn", "ultane"}
"""Tablets that were sold, a short form of erythromycin, and an anaesthetic that is breathed in."""


def test_a_brand_is_local_where_all_of_its_products_are() -> None:
    """A brand's name says where it stays only if nothing of that name is swallowed or injected."""
    elsewhere = {brand for brand, local in BRANDED if local is not True}
    local = {brand for brand, _ in BRANDED} - elsewhere - ALSO_SYSTEMIC
    for name, code in TERMS.lists.brands:
        product = TERMS.product(code)
        assert product is not None
        assert (product.local is True) is (name.casefold() in local), name


def test_local_products_are_local_by_code() -> None:
    """Ketoconazole shampoo and its tablets are told apart by their codes."""
    routes = {
        TERMS.product(code).local  # type: ignore[union-attr]
        for code, rest in TERMS.lists.products.items()
        if rest.startswith("ketoconazole\t") and "Shampoo" in rest
    }
    assert routes == {True}


def test_heparin_flush_is_marked() -> None:
    """A flush keeps a line open; it treats nobody."""
    assert drug("heparin lock flush 10 units/mL").flush
    assert not drug("heparin 25000 units infusion").flush
    found = TERMS.drug_code(RXNORM, "1362060")
    assert found is not None
    assert found.flush


@pytest.mark.parametrize(
    ("system", "code", "text", "local"),
    [
        (SNOMED, "54485002", None, True), (SNOMED, "26643006", None, False),
        (None, None, "into both eyes", True), (None, None, "by mouth", False),
        (None, None, "rectal", None), (SNOMED, "12130007", None, None),
    ],
)  # fmt: skip
def test_routes_are_local_systemic_or_unknown(
    system: str | None,
    code: str | None,
    text: str | None,
    local: bool | None,  # noqa: FBT001
) -> None:
    """A route that no list holds is not stated."""
    assert TERMS.route(system, code, text) is local


@pytest.mark.parametrize(
    "text",
    ["metformin", "Atorvastatin 20 mg tablet", "vitamin D3", "cholecalciferol", "paracetamol",
     "acetaminophen", "ibuprofen", "insulin glargine", "influenza vaccine", "lactulose",
     "Calcium 600 mg", "sodium chloride 0.9 % infusion", "potassium chloride 20 mEq"],
)  # fmt: skip
def test_an_ordinary_chart_stays_quiet(text: str) -> None:
    """Common drugs of no class of ours are recognised and meet nothing."""
    assert drug(text).recognised
    assert drug(text).marks == {}


def test_the_list_of_other_drugs_is_long_and_holds_none_of_ours() -> None:
    """A name of ours among the other drugs would hide an exposure."""
    assert len(TERMS.lists.other_drugs) >= 600
    for name, _ in TERMS.lists.other_drugs:
        assert drug(name).ingredients == (), name


@pytest.mark.parametrize(
    "text",
    ["herbal mixture", "traditional medicine", "study drug 12", "foolimab in sodium chloride 0.9 %",
     "foolinib calcium", "foolicaine with epinephrine"],
)  # fmt: skip
def test_what_nobody_knows_is_not_recognised(text: str) -> None:
    """An unknown drug goes to the clinician."""
    assert TERMS.drug_text(text) is None


@given(st.sampled_from(sorted(TERMS.lists.ingredients)), st.sampled_from(" ,;()/*"))
def test_every_ingredient_is_found_whatever_the_case_or_punctuation(name: str, sign: str) -> None:
    """Charts write names in capitals and between signs."""
    assert name in drug(f"{sign}{name.upper()}{sign} 5 mg").ingredients


@pytest.mark.parametrize(
    ("uri", "code", "concept", "mark"),
    [
        (CM, "D48.110", "desmoid_tumor", DECIDES), (CM, "D48.1", "desmoid_tumor", None),
        (WHO, "D48.1", "desmoid_tumor", None), (WHO, "D48.11", "desmoid_tumor", None),
        (CM, "M72.0", "desmoid_tumor", None), (SNOMED, "399994005", "desmoid_tumor", DECIDES),
        (ICDO, "8821/1", "desmoid_tumor", REVIEW), (ICDO, "8900/3", "rhabdomyosarcoma", DECIDES),
        (SNOMED, "302847003", "rhabdomyosarcoma", DECIDES), (CM, "C49.2", "rhabdomyosarcoma", None),
        (CM, "C49.2", "soft_tissue_malignancy_unspecific", DECIDES),
        (CM, "C50.911", "other_malignancy", DECIDES), (WHO, "C50.9", "other_malignancy", DECIDES),
        (CM, "C78.7", "other_malignancy", None), (CM, "C78.7", "secondary_malignancy", DECIDES),
        (CM, "C78.7", "liver_metastasis", DECIDES), (CM, "Z85.3", "other_malignancy", HISTORY),
        (CM, "C79.52", "bone_marrow_involvement", DECIDES),
        (CM, "R56.00", "epilepsy_seizure", REVIEW), (CM, "R56.9", "epilepsy_seizure", DECIDES),
        (CM, "N18.6", "renal_failure_on_dialysis", REVIEW),
        (CM, "Z99.2", "renal_failure_on_dialysis", DECIDES),
        (CM, "B19.10", "active_hepatitis", REVIEW), (CM, "B16.9", "active_hepatitis", DECIDES),
        (CM, "B18.1", "active_hepatitis", None), (CM, "B18.1", "chronic_hepatitis", DECIDES),
        (CM, "J06.9", "active_infection", REVIEW), (CM, "J18.9", "active_infection", DECIDES),
        (CM, "C78.89", "gi_luminal_metastasis", REVIEW), (CM, "I21.4", "myocardial_ischemia", None),
        (CM, "I21.4", "myocardial_infarction", DECIDES),
        (CM, "I25.2", "myocardial_infarction", HISTORY),
        (CM, "R19.7", "chronic_diarrhea", REVIEW), (CM, "R19.7", "diarrhea", DECIDES),
        (CM, "K59.1", "chronic_diarrhea", DECIDES), (CM, "F10.20", "substance_abuse", DECIDES),
        (CM, "F10.21", "substance_abuse", HISTORY), (CM, "F17.210", "substance_abuse", None),
        (CM, "Z94.0", "transplanted_organ_status", HISTORY),
        (CM, "Z94.84", "transplanted_organ_status", None),
        (CM, "Z94.84", "stem_cell_transplant", HISTORY),
        (CM, "S72.001A", "fracture", DECIDES), (CM, "S72.001D", "fracture", HISTORY),
        (CM, "S72.001S", "fracture", None), (CM, "S72.001A", "traumatic_injury", None),
        (CM, "S00.01XA", "traumatic_injury", None), (CM, "S36.115A", "traumatic_injury", DECIDES),
        (CM, "I69.351", "stroke", None), (CM, "K25.4", "gi_bleeding", DECIDES),
        (CM, "R04.0", "bleeding_event", DECIDES), (CM, "R04.0", "gi_bleeding", None),
        (CM, "N92.0", "bleeding_event", REVIEW), (CM, "R31.21", "bleeding_event", REVIEW),
        (CM, "G45.9", "tia", DECIDES), (CM, "G45.4", "tia", REVIEW),
        (CM, "I82.501", "other_thrombosis", REVIEW), (CM, "I82.401", "dvt", DECIDES),
    ],
)  # fmt: skip
def test_a_condition_code_means_what_its_row_says(
    uri: str, code: str, concept: str, mark: Mark | None
) -> None:
    """Decides, review, history or nothing: per code and concept."""
    assert TERMS.condition(uri, code).marks.get(concept) == mark


@pytest.mark.parametrize(
    ("uri", "code", "concept", "mark"),
    [
        (SNOMED, "80146002", "major_surgery", DECIDES),
        (SNOMED, "387713003", "major_surgery", REVIEW), (PCS, "00500ZZ", "major_surgery", DECIDES),
        (PCS, "0HBT0ZX", "major_surgery", REVIEW), (PCS, "0DJD8ZZ", "major_surgery", None),
        (SNOMED, "86273004", "open_biopsy", REVIEW), (SNOMED, "177106002", "open_biopsy", None),
        (SNOMED, "116172009", "open_biopsy", DECIDES),
        (SNOMED, "86273004", "biopsy_pathology", DECIDES),
        (SNOMED, "385970002", "dialysis", None), (SNOMED, "302497006", "dialysis", DECIDES),
        (SNOMED, "108290001", "radiotherapy", DECIDES),
        (SNOMED, "399315003", "radiotherapy", REVIEW),
        (SNOMED, "429856001", "radiotherapy", None),
        (PCS, "DW053ZZ", "radiotherapy_bone_marrow", REVIEW),
        (PCS, "D7003Z0", "radiotherapy_bone_marrow", DECIDES),
        (SNOMED, "23719005", "organ_transplant", None),
        (SNOMED, "23719005", "stem_cell_transplant", DECIDES),
    ],
)  # fmt: skip
def test_a_procedure_code_means_what_its_row_says(
    uri: str, code: str, concept: str, mark: Mark | None
) -> None:
    """Decides, review or nothing: per code and concept."""
    assert TERMS.procedure(uri, code).marks.get(concept) == mark


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("Desmoid, abdominal wall", "desmoid_tumor"), ("aggressive fibromatosis", "desmoid_tumor"),
        ("heart attack 2019", "myocardial_infarction"), ("DVT left leg", "dvt"),
        ("AFib", "arrhythmia"), ("Crohn's disease", "inflammatory_bowel_disease"),
        ("Breast cancer", "other_malignancy"), ("Leiomyosarcoma of uterus", "other_malignancy"),
        ("肺癌", "other_malignancy"), ("基底细胞癌", "basal_cell_carcinoma"),
        ("Portal hypertension", "decompensated_liver_disease"),
        ("no DVT", "dvt"), ("diarrhoea", "diarrhea"), ("横纹肌肉瘤", "rhabdomyosarcoma"),
    ],
)  # fmt: skip
def test_lay_names_are_evidence_for_review(text: str, concept: str) -> None:
    """A condition known by its text alone never decides."""
    assert TERMS.condition_names(text)[concept] == REVIEW


def test_text_of_procedures_is_evidence_for_review() -> None:
    """Total body irradiation in a text is radiotherapy of the marrow, for a human to confirm."""
    assert (
        TERMS.procedure_names("Total Body Irradiation 12 Gy")["radiotherapy_bone_marrow"] == REVIEW
    )
    assert "open_biopsy" not in TERMS.procedure_names("core needle sampling")
    assert TERMS.procedure_names("Tonsillectomy (procedure)")["major_surgery"] == REVIEW


def test_no_set_without_members_and_unverified_rows_are_counted() -> None:
    """Every set has members; the page can say how many of them are not verified."""
    counts = verified_by_set(TERMS)
    assert counts["strong_cyp3a4_inhibitor"].decides >= 22
    assert counts["strong_cyp3a4_inhibitor"].review == 7
    assert all(count.decides + count.review > 0 for count in counts.values())


def test_no_cpt_code_is_carried() -> None:
    """CPT is licensed: a site adds its own rows."""
    assert "CPT" not in {member.system for member in TERMS.lists.procedures}


def test_every_mapping_file_says_its_source_and_stays_small() -> None:
    """Comments first; nothing over 1 MB."""
    for path in (ROOT / "mappings").rglob("*.*"):
        assert path.read_text("utf-8").startswith("# "), path.name
        assert path.stat().st_size < 1_000_000, path.name


def test_reading_all_files_is_quick() -> None:
    """The service starts, and each command answers, without a wait."""
    best = min(_seconds() for _ in range(3))
    assert best < 0.6  # 0.1 s on an idle machine; this one may be busy


def _seconds() -> float:
    start = time.perf_counter()
    load_terminology([ROOT])
    return time.perf_counter() - start


def test_the_digest_is_of_all_files_in_any_order() -> None:
    """The same files give the same digest, whichever folder is named first."""
    assert len(TERMS.digest) == 64
    assert load_terminology([ROOT]).digest == TERMS.digest
