"""explain-code: a pharmacist sees what a code meets, where that comes from, and who asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds.content.explain import explain_code, explain_name
from cds.content.mappings import load_terminology

TERMS = load_terminology([Path(__file__).parents[2]])
USED = {"strong_cyp3a4_inhibitor": ["NCT05490667 E28a", "NCT07137884 E20a"], "anc": ["A I07b"]}


@pytest.mark.parametrize(
    ("system", "code", "parts"),
    [
        ("RxNorm", "21212", ["clarithromycin", "yes(protocol)", "NCT07137884 E20a", "drugs.tsv:"]),
        ("http://loinc.org", "751-8", ["measures ANC", "labs.yaml:", "A I07b"]),
        ("loinc", "770-8", ["is rejected for ANC"]),
        ("icd10cm", "D48.110", ["desmoid_tumor", "decides", "conditions.tsv:"]),
        ("ICD-10-CM", "N18.6", ["renal_failure_on_dialysis", "review only"]),
        ("ICD-10-CM", "S72.001D", ["fracture", "history"]),
        ("ICD-10-PCS", "00500ZZ", ["major_surgery", "major_surgery_icd10pcs.tsv:"]),
        ("ICD-10", "D48.1", ["stands in no list"]),
        ("ATC", "S01ED01", ["timolol", "for local use"]),
        ("ATC", "J02AC", ["a group of drugs", "strong_cyp3a4_inhibitor", "review only"]),
        ("Klingon", "1", ["No code system is called 'Klingon'", "SNOMED CT"]),
    ],
)
def test_a_code_is_explained(system: str, code: str, parts: list[str]) -> None:
    """Concepts, provenance, criteria; systems by URI or by name."""
    said = explain_code(TERMS, system, code, USED)
    for part in parts:
        assert part in said


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Paxlovid", ["nirmatrelvir", "ritonavir", "NCT05490667 E28a"]),
        ("pesopanib", ["pazopanib", "tyrosine kinase inhibitor"]),
        ("metformin", ["of no class"]),
        ("heparin lock flush", ["flush or lock"]),
        ("history of DVT", ["condition name", "dvt", "never decides"]),
        ("brivanib", ["review only"]),
        ("moonshine", ["no name that any list knows"]),
    ],
)
def test_a_name_is_explained(name: str, parts: list[str]) -> None:
    """Drug names, and names of conditions and procedures."""
    said = explain_name(TERMS, name, USED)
    for part in parts:
        assert part in said
