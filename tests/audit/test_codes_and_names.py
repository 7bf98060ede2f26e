"""What a code or a name in the record must come to: editions of ICD-10, notes, lay names."""
# ruff: noqa: E501 - a row is a sentence and its chart, read across

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

D, R = "NCT05490667", "NCT07137884"
GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
CN = "http://hl7.org/fhir/sid/icd-10-cn"
NOW = {"onset": "2026-02-20"}
LONG = {"start": "2025-01-01"}

IPS = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
NONE_KNOWN: dict[str, dict[str, Any]] = {
    "as the International Patient Summary says it": {
        "coding": [{"system": IPS, "code": "no-known-medications"}],
        "text": "No known medications",
    },
    "in SNOMED CT": {"coding": [{"system": "http://snomed.info/sct", "code": "787481004"}]},
    "in words": {"text": "No known medications"},
}


def named(code: str, text: str) -> dict[str, Any]:
    """An ATC code with its name."""
    return {"coding": [{"system": "http://www.whocc.no/atc", "code": code}], "text": text}


TABLE: list[tuple[Any, ...]] = [
    # Whole categories of WHO's ICD-10 and its national editions
    ("HIV disease of WHO's edition", D, "E13a", "fail", ("condition", "icd-who", "B20", NOW)),
    ("a longer code of the category", D, "E13a", "fail", ("condition", "icd-who", "B20.1", NOW)),
    ("the same of the German edition", D, "E13a", "fail", ("condition", GM, "B20", NOW)),
    ("the same of the Chinese edition", R, "E24c", "fail", ("condition", CN, "B20", NOW)),
    ("HIV status", D, "E13a", "fail", ("condition", "icd-who", "Z21", NOW)),
    ("HIV disease, a category that ICD-10-CM lacks", D, "E13a", "fail", ("condition", "icd-who", "B24", NOW)),
    ("and the German one", R, "E24c", "fail", ("condition", GM, "B22.0", NOW)),
    ("haemophilia", D, "E19", "fail", ("condition", "icd-who", "D66", NOW)),
    ("defibrination", D, "E26d", "fail", ("condition", "icd-who", "D65", NOW)),
    ("portal vein thrombosis", D, "E25d", "fail", ("condition", "icd-who", "I81", NOW)),
    ("pleural effusion", D, "E02", "review", ("condition", "icd-who", "J90", NOW)),
    (
        "hypertension on two drugs",
        *(R, "E01", "fail", ("condition", "icd-who", "I10", NOW)),
        ("took", "text", "amlodipine", LONG),
        ("took", "text", "lisinopril", {**LONG, "as_": "m2"}),
    ),
    ("stroke, kind not said", D, "E25a", "fail", ("condition", "icd-who", "I64", NOW)),
    ("which may have been a bleeding", D, "E22", "review", ("condition", "icd-who", "I64", NOW)),
    ("status epilepticus", D, "E16", "review", ("condition", "icd-who", "G41", NOW)),
    ("several primary cancers", D, "E03", "fail", ("condition", "icd-who", "C97", NOW)),
    ("several primary cancers", R, "E19", "fail", ("condition", GM, "C97", NOW)),
    ("fractures of several regions", R, "E10c", "fail", ("condition", "icd-who", "T02", NOW)),
    ("a fracture of the spine", R, "E10c", "fail", ("condition", "icd-who", "T08", NOW)),
    ("a fracture of the arm", D, "E23b", "fail", ("condition", "icd-who", "T10", NOW)),
    ("a fracture of the leg", D, "E23b", "fail", ("condition", "icd-who", "T12.0", NOW)),
    ("a fracture is no other injury", R, "E10b", "pass", ("condition", "icd-who", "T12", NOW)),
    ("crushing of several regions", R, "E10b", "review", ("condition", "icd-who", "T04", NOW)),
    ("grazes of several regions", R, "E10b", "pass", ("condition", "icd-who", "T00", NOW)),
    ("a high-risk pregnancy", D, "E32a", "fail", ("condition", "icd-who", "Z35", NOW)),
    ("dementia", D, "E30b", "review", ("condition", "icd-who", "F00", NOW)),
    # What the terminology's notes send to a human, or away from one
    *[("a lesser mental disorder " + code, D, "E30b", "review", ("condition", "icd", code, NOW)) for code in ("F34.1", "F41.1", "F43.10", "F50.00", "F60.3", "F84.0", "F90.9", "F03.90")],
    ("a mood disorder of WHO's edition", R, "E17b", "review", ("condition", "icd-who", "F38.0", NOW)),
    ("a personality disorder of WHO's edition", R, "E17b", "review", ("condition", GM, "F61", NOW)),
    ("anxiety in words", D, "E30b", "review", ("condition", "text", "Generalized anxiety disorder", NOW)),
    ("anxiety in words", R, "E17b", "review", ("condition", "text", "Anxiety", NOW)),
    ("anxiety in SNOMED CT", D, "E30b", "review", ("condition", "snomed", "48694002", NOW)),
    ("alcohol is no mental disorder twice", D, "E30b", "pass", ("condition", "icd", "F10.20", NOW)),
    ("alcohol use in remission is over", D, "E30a", "review", ("condition", "icd", "F10.91", NOW)),
    ("radiation pneumonitis", R, "E03", "review", ("condition", "icd", "J70.0", NOW)),
    ("radiation fibrosis of the lung", R, "E03", "review", ("condition", "icd", "J70.1", NOW)),
    *[("a perforated ulcer " + code, D, "E18d", "fail", ("condition", "icd", code, NOW)) for code in ("K25.1", "K26.2", "K27.5", "K28.6")],
    ("a perforated ulcer", R, "E12b", "fail", ("condition", "icd", "K26.5", NOW)),
    ("a bleeding ulcer is no perforated one", D, "E18d", "pass", ("condition", "icd", "K25.4", NOW)),
    ("an old clot of the vena cava has no date", D, "E25b", "review", ("condition", "icd", "I82.221", NOW)),
    ("a fresh one has", D, "E25b", "fail", ("condition", "icd", "I82.220", NOW)),
    ("an old clot of the axillary vein", R, "E07b", "review", ("condition", "icd", "I82.A21", NOW)),
    ("an old clot of another vein", R, "E07d", "review", ("condition", "icd", "I82.891", NOW)),
    ("an old clot, vein not said", R, "E07d", "review", ("condition", "icd", "I82.91", NOW)),
    ("an HIV test that does not conclude", D, "E13a", "review", ("condition", "icd", "R75", NOW)),
    ("HIV in a pregnancy", D, "E13a", "fail", ("condition", "icd", "O98.711", NOW)),
    ("breastfeeding that once began", D, "E32b", "review", ("condition", "snomed", "169745008", NOW)),
    *[("what an interferon is for nobody knows: " + drug, D, "E04a", "review", ("took", "text", drug, LONG)) for drug in ("interferon alfa-2b", "interferon gamma-1b", "peginterferon alfa-2a")],
    ("interleukin is for cancer", D, "E04a", "fail", ("took", "text", "aldesleukin", LONG)),
    ("sirolimus is mostly for transplants", D, "E04a", "review", ("took", "text", "sirolimus", LONG)),
    ("rituximab has other uses", D, "E04a", "review", ("took", "text", "rituximab", LONG)),
    ("BCG may be the vaccine", R, "I10", "review", ("took", "text", "BCG live", {"start": "2026-02-20"})),
    ("two milligrams of alteplase free a catheter", D, "E26e", "review", ("took", "rxnorm", "308056", {"start": "2026-02-20"})),
    ("a hundred treat", D, "E26e", "fail", ("took", "rxnorm", "1804799", {"start": "2026-02-20"})),
    # Products that are for local use only, by brand or by form
    *[(f"{text} stays on the skin", D, "E04a", "pass", ("took", "text", text, LONG)) for text in ("Retin-A", "tretinoin 0.025% gel", "Efudex", "Carac", "Fluoroplex", "Panretin", "bexarotene 1 % gel")],
    *[(f"{text} stays on the skin", R, "I07a", "pass", ("took", "text", text, {"start": "2026-02-20"})) for text in ("Efudex", "Carac", "Fluoroplex", "Tolak cream")],
    *[(f"{text} stays in eye and ear", D, "E29", "pass", ("took", "text", text, LONG)) for text in ("Ciprodex", "Ciloxan", "Otovel", "ciprofloxacin solution for eye")],
    *[(f"{text} stays on the skin", D, "E28a", "pass", ("took", "text", text, LONG)) for text in ("Extina", "Xolegel", "Nizoral A-D", "ketoconazole 2 % foam", "ketoconazole 2% gel")],
    ("a brand's code says so too", D, "E04a", "pass", ("took", "rxnorm", "153101", LONG)),
    ("the brand's tablets existed", D, "E28a", "fail", ("took", "text", "Nizoral", LONG)),
    ("its shampoo is local", D, "E28a", "pass", ("took", "text", "Nizoral 2% shampoo", LONG)),
    ("what is swallowed is not", D, "E04a", "fail", ("took", "text", "Efudex", {**LONG, "route": "oral"})),
    *[(f"{text} is swallowed", D, "E28a", "fail", ("took", "text", text, LONG)) for text in ("itraconazole soft gel", "itraconazole gel caps", "itraconazole for eye infection")],
    ("a rectal foam is not known to stay there", D, "E28c", "review", ("took", "text", "budesonide rectal foam", LONG)),
    # Pregnant now, or no longer
    *[(f"{code} is a pregnancy", D, "E32a", "fail", ("condition", "icd", code, NOW)) for code in ("O26.90", "O09.91", "O98.711", "O99.013", "O9A.112", "O88.211", "O91.011", "Z33.1", "Z33.3", "Z34.90", "Z3A.20", "Z32.01", "O00.90")],
    *[(f"{code} leaves it open", D, "E32a", "review", ("condition", "icd", code, NOW)) for code in ("O92.79", "O90.9", "O85", "O80", "O72.1", "O98.73", "O99.03", "O10.03", "O24.430", "O03.9")],
    *[(f"{code} is none", D, "E32a", "pass", ("condition", "icd", code, NOW)) for code in ("Z32.02", "Z32.00", "Z39.2")],
    ("a pregnancy of WHO's edition", D, "E32a", "fail", ("condition", "icd-who", "O26.9", NOW)),
    ("the state of it", D, "E32a", "fail", ("condition", "icd-who", "Z33", NOW)),
    ("what may be the puerperium", D, "E32a", "review", ("condition", "icd-who", "O99.0", NOW)),
    ("an examination of either outcome", D, "E32a", "review", ("condition", "icd-who", "Z32.1", NOW)),
    ("a lactation disorder is lactation", D, "E32b", "fail", ("condition", "icd", "O92.79", NOW)),
    # No drugs, and no such drug
    *[
        (f"no known medications, {what}", trial, criterion, "pass", ("took", "text", "-", {"medicationCodeableConcept": concept}))
        for what, concept in NONE_KNOWN.items()
        for trial, criterion in ((D, "E28a"), (D, "E01"), (R, "I07a"))
    ],
    ("no information is no list", D, "E28a", "review", ("took", IPS, "no-medication-info", LONG)),
    ("no known medications but one", D, "E27", "review", ("took", IPS, "no-known-medications", {**LONG, "medicationCodeableConcept": {"coding": [{"system": IPS, "code": "no-known-medications"}], "text": "No known medications except warfarin"}})),
    *[(f"{text!r} is for a human", D, "E27", "review", ("took", "text", text, LONG)) for text in ("Not on warfarin", "no warfarin", "NO WARFARIN", "Denies warfarin", "never took Coumadin", "Warfarin - not taking", "warfarin (no longer)", "without heparin or warfarin", "未服用华法林")],
    ("what is denied", D, "E28a", "review", ("took", "text", "denies itraconazole", LONG)),
    ("a code that its text denies", D, "E27", "review", ("took", "rxnorm", "11289", {**LONG, "medicationCodeableConcept": {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "11289"}], "text": "Not on warfarin"}})),
    *[(f"{text!r} is taken", D, "E27", "fail", ("took", "text", text, LONG)) for text in ("Warfarin 5 mg, do not crush", "Warfarin, no aspirin", "Coumadin No. 3")],
    ("an ordinary drug that is denied is still none of the class", D, "E27", "pass", ("took", "text", "no ibuprofen", LONG)),
    # Operations by name
    *[
        (f"{text} may be major", trial, criterion, "review", ("procedure", "text", text, "2026-02-19"))
        for text in ("Thyroidectomy", "Spinal fusion", "Open reduction of radius", "ORIF left ankle", "Tonsillectomy and adenoidectomy", "Cesarean section", "Orchiectomy", "Arthroplasty of hip", "Laminectomy L4-L5", "Ileostomy", "Metastasectomy of lung", "甲状腺切除术", "脊柱融合术")
        for trial, criterion in ((D, "E20a"), (R, "E10a"))
    ],
    *[(f"{text} is no operation", D, "E20a", "pass", ("procedure", "text", text, "2026-02-19")) for text in ("Colonoscopy", "Gastroscopy", "Bronchoscopy", "Core needle biopsy", "Bone marrow biopsy", "Cystoscopy", "Tooth extraction", "Echocardiography", "Percutaneous endoscopic gastrostomy", "Phlebotomy")],
    # ATC: German addresses, and groups of drugs
    *[("itraconazole at its German address " + place, D, "E28a", "fail", ("took", f"http://fhir.de/CodeSystem/{place}/atc", "J02AC02", LONG)) for place in ("bfarm", "dimdi")],
    *[
        (f"a drug of {code}, which is not said", D, criterion, "review", ("took", "atc", code, {**LONG, "medicationCodeableConcept": named(code, text)}))
        for code, text, criterion in (("L01E", "Protein kinase inhibitor", "E01"), ("L01E", "Protein kinase inhibitor", "E04a"), ("L", "Antineoplastics", "E01"), ("B01AF", "Direct factor Xa inhibitors", "E27"), ("B01", "Antithrombotic agents", "E26e"), ("J02AC", "Triazole derivatives", "E28a"), ("L01XX", "Other antineoplastic agents", "E04a"))
    ],
    ("a name says which", D, "E28a", "fail", ("took", "atc", "J02AC", {**LONG, "medicationCodeableConcept": named("J02AC", "Itraconazole 100 mg")})),
    ("and which it is not", D, "E28a", "pass", ("took", "atc", "J02AC", {**LONG, "medicationCodeableConcept": named("J02AC", "Fluconazole 100 mg")})),
    ("eye drugs stay in the eye", D, "E29", "pass", ("took", "atc", "S01AE", {**LONG, "medicationCodeableConcept": named("S01AE", "Fluoroquinolones")})),
    ("a group that holds none of the class", D, "E28a", "pass", ("took", "atc", "A10BA", {**LONG, "medicationCodeableConcept": named("A10BA", "Biguanides")})),
    ("one drug of a group is one drug", R, "E01", "pass", ("condition", "icd", "I10"), ("took", "atc", "C09AA", {**LONG, "medicationCodeableConcept": named("C09AA", "ACE inhibitors")})),
    (
        "two groups may be two drugs",
        *(R, "E01", "review", ("condition", "icd", "I10")),
        ("took", "atc", "C09AA", {**LONG, "medicationCodeableConcept": named("C09AA", "ACE inhibitors")}),
        ("took", "atc", "C07AB", {**LONG, "as_": "m2", "medicationCodeableConcept": named("C07AB", "Beta blockers")}),
    ),
    # Malignancies by name
    *[
        (f"{text} is a malignancy", trial, criterion, "review", ("condition", "text", text, NOW))
        for text in ("Leiomyosarcoma of uterus", "Liposarcoma", "chondrosarcomas", "Angiosarcoma", "Osteosarcoma, conventional", "Retinoblastoma", "Hodgkin disease", "Hodgkin's disease", "Wilms tumour", "Wilms' tumor", "GIST", "Neuroblastoma", "Low-grade glioma", "Astrocytoma", "Cholangiocarcinoma", "Multiple myeloma", "Mycosis fungoides", "Breast CA", "ca lung", "MPNST", "肺癌", "甲状腺癌", "急性淋巴细胞白血病", "恶性肿瘤", "黑色素瘤")
        for trial, criterion in ((D, "E03"), (R, "E19"))
    ],
    *[
        (f"{text} is none", trial, criterion, "pass", ("condition", "text", text, NOW))
        for text in ("Lymphangioma", "Fibroadenoma of breast", "Lipoma", "Leiomyoma", "Osteoma", "Haemangioma", "Sarcoidosis", "淋巴管瘤", "脂肪瘤")
        for trial, criterion in ((D, "E03"), (R, "E19"))
    ],
    ("a letter code of a bill is no cancer", D, "E03", "pass", ("condition", "text", "Type 2 diabetes mellitus (HCC)", NOW)),
    ("nor is a membrane", D, "E03", "pass", ("condition", "text", "Anti-GBM disease", NOW)),
    ("nor what is said to be none", D, "E03", "pass", ("condition", "text", "Non-cancerous lesion", NOW)),
    ("the name alone of the trial's own tumour is not another one", R, "E19", "pass", ("condition", "text", "横纹肌肉瘤", NOW)),
    *[("the trial's own tumour in words: " + text, R, "E19", "pass", ("condition", "text", text, NOW)) for text in ("Embryonal rhabdomyosarcoma", "RMS", "Rhabdomyosarcoma in remission")],
    *[("what a family had: " + text, D, "E03", "pass", ("condition", "text", text, NOW)) for text in ("Family history of breast cancer", "Family hx of breast CA", "乳腺癌家族史")],
    ("what a family had is no target", R, "I04a", "fail", ("without", "dx"), ("condition", "text", "Family history of rhabdomyosarcoma")),
    *[("what stands behind a family's may be the patient's: " + text, D, "E13a", "review", ("condition", "text", text, NOW)) for text in ("Family history of cancer and HIV infection", "Family history of cancer, HIV infection", "HIV感染及乳腺癌家族史")],
    ("a tumour that no family had is the patient's", R, "I04a", "review", ("without", "dx"), ("condition", "text", "横纹肌肉瘤无家族史")),
    ("a stay for chemotherapy is no second malignancy", D, "E03", "pass", ("condition", "text", "恶性肿瘤维持性化疗", NOW)),
    ("a desmoid tumour is no malignancy", D, "E03", "pass", ("condition", "text", "韧带样纤维瘤", NOW)),
    # Short names that are words of English, or stand for something else
    *[("arms are no rhabdomyosarcoma: " + text, R, "I04a", "fail", ("without", "dx"), ("condition", "text", text)) for text in ("Eczema of both arms", "Burn of arms", "Pain in Arms", "ECZEMA OF BOTH ARMS", "WEAKNESS OF ARMS AND LEGS")],
    *[("the abbreviation is: " + text, R, "I04a", "review", ("without", "dx"), ("condition", "text", text)) for text in ("ARMS", "arms", "ARMS of the left leg", "Recurrent ARMS", "embryonal rms")],
    ("arms are no other malignancy", D, "E03", "pass", ("condition", "text", "Eczema of both arms", NOW)),
    *[("aids are no HIV: " + text, D, "E13a", "pass", ("condition", "text", text, NOW)) for text in ("Uses hearing aids", "Walking aids", "HEARING AIDS, BOTH EARS")],
    *[("AIDS is: " + text, D, "E13a", "review", ("condition", "text", text, NOW)) for text in ("AIDS", "aids", "AIDS since 1999", "AIDS WITH KAPOSI SARCOMA")],
    *[("ear tubes are no embolism: " + text, D, "E25c", "pass", ("condition", "text", text, NOW)) for text in ("PE tubes", "Bilateral PE tube placement", "pe tubes")],
    *[("PE is: " + text, D, "E25c", "review", ("condition", "text", text, NOW)) for text in ("PE", "Acute PE", "dvt/pe", "PE, PE tubes")],
    *[("no capitals are asked of what is no other word: " + text, D, criterion, "review", ("condition", "text", text, NOW)) for text, criterion in (("dvt left leg", "E25b"), ("hiv pos", "E13a"), ("h/o mi", "E09a"))],
    ("a vaccine is no infection", D, "E10", "pass", ("condition", "text", "Flu shot given", NOW)),
    ("the flu is", D, "E10", "review", ("condition", "text", "Flu", NOW)),
    ("a brain injury is no irradiation", D, "E04c", "pass", ("procedure", "text", "TBI rehabilitation", "2026-02-20")),
    ("TBI may be", D, "E04c", "review", ("procedure", "text", "TBI 12 Gy", "2026-02-20")),
    ("triple antibiotic ointment is no troleandomycin", D, "E28a", "review", ("took", "text", "TAO to wound", LONG)),
    ("four characters mean something else", D, "E25b", "pass", ("condition", "icd-who", "D48.1", NOW)),
]  # fmt: skip


def test_what_a_code_or_a_name_comes_to(row: tuple[Any, ...], decided: Callable[..., Any]) -> None:
    _, trial, criterion, status, *changes = row
    found = decided(trial, criterion, *changes)
    assert found["status"] == status, found["reason"]
