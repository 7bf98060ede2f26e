"""Faults of mapping files: each found, with its line, and all at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cds.content.codes import wrong_code
from cds.content.fault import ContentFaults
from cds.content.mappings import load_terminology
from cds.content.overlays import overlay_report

ROOT = Path(__file__).parents[2]
DVT = "dvt\t"
CODES = "set\tsystem\tcode\tmatch\tmark\tverified\tmeaning\tnote"
DRUGS = (
    "set\tingredient\tmembership\trxcui\tatc\tclass_verified\tverified\tnamed_in"
    "\tclass_source\tnote"
)
CM = "http://hl7.org/fhir/sid/icd-10-cm"


def site(folder: Path, name: str, *lines: str) -> Path:
    """A site's content folder that holds one mapping file."""
    path = folder / "mappings" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def says(folder: Path) -> list[str]:
    """The faults of the bundled files with a site's folder on top."""
    with pytest.raises(ContentFaults) as caught:
        load_terminology([ROOT, folder])
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("name", "header", "row", "words"),
    [
        ("conditions.tsv", CODES, DVT + "SNOMED CT\t128053004\texact\tdecides\tyes\t\t", "digit"),
        ("conditions.tsv", CODES, DVT + "SNOMED CT\t128053014\texact\treview\tno\t\t", "partition"),
        ("conditions.tsv", CODES, DVT + "ICD-10-CM\tI8240\tprefix\tdecides\tyes\tx\t", "ICD-10-CM"),
        ("conditions.tsv", CODES, DVT + "ICD-10\tI80.2\tprefix\tdecides\tyes\tx\t", "category"),
        ("conditions.tsv", CODES, DVT + "ICD-10-CM\tI82.4\tsome\tdecides\tyes\tx\t", "No match"),
        ("conditions.tsv", CODES, DVT + "ICD-10-CM\tI82.4\tprefix\tmaybe\tyes\tx\t", "The mark"),
        ("conditions.tsv", CODES, DVT + "ICD-10-CM\tI82.4\tprefix\tdecides\tno\t\t", "verified"),
        ("conditions.tsv", CODES, DVT + "ICD-10-CM\tI82.4", "columns"),
        ("conditions.tsv", CODES, DVT + "SNOMED\t128053003\texact\tdecides\tyes\t\t", "SNOMED"),
        ("drugs.tsv", DRUGS, "nitrosourea\tnew\tdecides\t12a\t\tyes\tyes\t\tx\t", "RxNorm"),
        ("drugs.tsv", DRUGS, "nitrosourea\tnew\tdecides\t12\tL01\tyes\tyes\t\tx\t", "ATC"),
        ("drugs.tsv", DRUGS, "nitrosourea\tnew\tdecides\t12\t\tno\tyes\t\tx\t", "not verified"),
        ("drugs.tsv", DRUGS, "nitrosourea\tnew\tsure\t12\t\tyes\tyes\t\tx\t", "membership"),
        ("synonyms.tsv", "kind\tkey\tname\tsource", "condition\tdvd\tclot\tx", "dvd"),
        ("synonyms.tsv", "kind\tkey\tname\tsource", "drug\tnovavastin\tx\tx", "novavastin"),
        ("synonyms.tsv", "kind\tkey\tname\tsource", "thing\tdvt\tx\tx", "kind"),
        (
            "concepts.tsv", "concept\tlabel\tdomain\tmade_of\treview\tnote",
            "clots\tclots\tfinding\tdvt clotz\t\t", "clotz",
        ),
        (
            "concepts.tsv", "concept\tlabel\tdomain\tmade_of\treview\tnote",
            "clots\tclots\tfindings\tdvt\t\t", "domain",
        ),
        ("dose_forms.tsv", "system\tcode\tmeaning\troute", "text\tdrip\t\tinside", "route"),
        (
            "drug_products/site.tsv", "rxcui\tingredients\troute\tflush\tname\tsource\ttty",
            "x1\twarfarin\t\t\tx\tx\tSCD", "RxNorm code",
        ),
        (
            "drug_products/site.tsv", "rxcui\tingredients\troute\tflush\tname\tsource\ttty",
            "77\twarfarine\t\t\tx\tx\tSCD", "warfarine",
        ),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named_with_its_file(
    tmp_path: Path, name: str, header: str, row: str, words: str
) -> None:
    """File, line, what is wrong, what to do."""
    faults = says(site(tmp_path, name, "# a site's rows", header, row))
    assert len(faults) == 1
    assert words in faults[0]
    assert faults[0].endswith((".", "?"))
    if "drug_products" not in name or words == "RxNorm code":
        assert f"{Path(name).name}:3: " in faults[0]


def test_a_wrong_header_says_the_right_one(tmp_path: Path) -> None:
    """The cure names the columns."""
    (fault,) = says(site(tmp_path, "conditions.tsv", "# x", "set\tcode"))
    assert "conditions.tsv:2: " in fault
    assert "set, system, code" in fault


def test_a_repeated_row_is_a_fault(tmp_path: Path) -> None:
    """One of two rows for the same code would win silently."""
    row = "dvt\tICD-10-CM\tI82.4\tprefix\tdecides\tyes\tx\t"
    (fault,) = says(site(tmp_path, "conditions.tsv", "# x", CODES, row, row))
    assert "repeats line 3" in fault


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    """Nobody corrects a file fault by fault."""
    bad = "dvt\tICD-10-CM\tI8240\tprefix\tmaybe\tyes\tx\t"
    site(tmp_path, "drugs.tsv", "# x", DRUGS, "nitrosourea\tnew\tsure\t12\t\tyes\tyes\t\tx\t")
    assert len(says(site(tmp_path, "conditions.tsv", "# x", CODES, bad))) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (('anc:\n  label: ANC\n  unit: "1"\n  kinds: ["1"]\n  scale: quantity\n  loinc:\n'
         '    - {code: "751-9", role: primary}\n'), "check digit"),
        (('anc:\n  label: ANC\n  kinds: ["1"]\n  scale: much\n  loinc:\n'
         '    - {code: "751-8", role: primary}\n'), "scale"),
        (('anc:\n  label: ANC\n  scale: quantity\n  loinc:\n'
         '    - {code: "751-8", role: primary}\n'), "no unit"),
        (('anc:\n  label: ANC\n  kinds: ["1"]\n  scale: quantity\n  loinc:\n'
         '    - {code: "777-3", role: accept}\n'), "already"),
        (('anc:\n  label: ANC\n  kinds: [s]\n  scale: quantity\n  plausible: ["9", "1"]\n  loinc:\n'
         '    - {code: "751-8", role: primary}\n'), "before it begins"),
        (('anc:\n  label: ANC\n  kinds: ["1"]\n  scale: quantity\n  molar_mass: heavy\n  loinc:\n'
         '    - {code: "751-8", role: primary}\n'), "no number"),
        (('anc:\n  label: ANC\n  kinds: ["1"]\n  scale: quantity\n  loinc:\n'
         '    - {code: "770-8", role: trap}\n'), "has no code"),
        ("anc: soon\n", "no mapping"),
    ],
)  # fmt: skip
def test_a_wrong_lab_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    """Labs are read as strictly as tables."""
    faults = says(site(tmp_path, "labs.yaml", text))
    assert any(words in fault and "labs.yaml:" in fault for fault in faults), faults


def test_a_folder_without_mappings_says_what_is_missing(tmp_path: Path) -> None:
    """An empty folder alone is no content."""
    with pytest.raises(ContentFaults) as caught:
        load_terminology([tmp_path])
    assert any("concepts.tsv" in str(fault) for fault in caught.value.faults)


def test_a_site_adds_and_replaces_rows(tmp_path: Path) -> None:
    """CPT rows of a site's own; its opinion on a bundled row wins."""
    site(
        tmp_path, "procedures.tsv", "# x", CODES,
        "major_surgery\tCPT\t44140\texact\tdecides\tyes(site)\tx\t",
    )  # fmt: skip
    site(
        tmp_path, "conditions.tsv", "# x", CODES,
        "dvt\tICD-10-CM\tI82.4\tprefix\treview\tyes(site)\tx\t",
    )  # fmt: skip
    bundled, own = load_terminology([ROOT]), load_terminology([ROOT, tmp_path])
    cpt = "http://www.ama-assn.org/go/cpt"
    assert not bundled.procedure(cpt, "44140").known
    assert own.procedure(cpt, "44140").marks["major_surgery"].decides
    assert bundled.condition(CM, "I82.401").marks["dvt"].decides
    assert not own.condition(CM, "I82.401").marks["dvt"].decides
    assert own.digest != bundled.digest


def test_the_digest_does_not_depend_on_the_order_of_folders(tmp_path: Path) -> None:
    """What a determination stood on is the content, not how it was listed."""
    shutil.copytree(ROOT / "mappings", tmp_path / "one" / "mappings")
    extra = site(tmp_path / "two", "other_drugs.tsv", "# x", "name\tkind", "novum\tname")
    one = tmp_path / "one"
    assert load_terminology([one, extra]).digest == load_terminology([extra, one]).digest


@pytest.mark.parametrize(
    ("system", "code", "right"),
    [
        ("LOINC", "751-8", True), ("LOINC", "751-9", False), ("LOINC", "7518", False),
        ("SNOMED CT", "128053003", True), ("SNOMED CT", "128053030", False),
        ("SNOMED CT", "122531000119108", True), ("SNOMED CT", "0128053003", False),
        ("ICD-10-CM", "D48.110", True), ("ICD-10-CM", "O9A", True), ("ICD-10-CM", "48.1", False),
        ("RxNorm", "9384", True), ("RxNorm", "rifampin", False), ("ATC", "J04AB02", True),
        ("ATC", "J04AB", False), ("ICD-O-3", "8900/3", True), ("ICD-O-3", "89003", False),
        ("a local system", "anything", True),
    ],
)  # fmt: skip
def test_codes_that_cannot_exist_are_told(system: str, code: str, right: bool) -> None:  # noqa: FBT001
    """Check digits and shapes, per system."""
    assert (wrong_code(system, code) is None) is right


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("drug.tsv", "Did you mean 'drugs.tsv'?"),
        ("Conditions.tsv", "Did you mean 'conditions.tsv'?"),
        ("labs.yml", "Did you mean 'labs.yaml'?"),
        ("drugs.csv", "Did you mean 'drugs.tsv'?"),
        ("drug_product/site.tsv", "Did you mean 'drug_products/site.tsv'?"),
        ("drug_products/site.csv", "Did you mean 'drug_products/site.tsv'?"),
        ("old/our_own.tsv", "Move it out of mappings/; read are systems.tsv, "),
    ],
)
def test_a_file_that_nobody_reads_is_a_fault(tmp_path: Path, name: str, cure: str) -> None:
    """A misspelt name would leave its rows out without a word."""
    folder = site(tmp_path, name, DRUGS)
    (said,) = says(folder)
    where = folder / "mappings" / name
    head = f"{where}:1: No mapping file is called '{name}'; it would be ignored. {cure}"
    assert said.startswith(head)
    assert f"{name} override" not in "".join(overlay_report([ROOT, folder]))


@pytest.mark.parametrize("name", ["README.md", "NOTICE", "drugs.tsv~", ".drugs.tsv.swp"])
def test_a_file_for_people_is_none(tmp_path: Path, name: str) -> None:
    """Remarks on where the rows come from may stand beside them."""
    load_terminology([ROOT, site(tmp_path, name, "Rows of our pharmacy.")])
