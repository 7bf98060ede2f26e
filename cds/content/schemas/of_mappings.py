"""The schemas of the mapping files: labs.yaml as it stands, the tables row by row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cds.content.codes import SHAPES
from cds.content.labs import LAB_CODE_KEYS, LAB_KEYS, ROLES, SCALES
from cds.content.mappings import (
    DOMAIN_WORDS,
    HEADERS,
    MARKS,
    MATCHES,
    MEMBERSHIPS,
    NAME_KINDS,
    OTHER_DRUG_KINDS,
    PRODUCTS,
    ROUTES,
)
from cds.content.schemas.parts import (
    NUMBER,
    Schema,
    agreed,
    described,
    document,
    list_of,
    number,
    pattern,
    table,
    text,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cds.core.terminology import Terminology


_UNIT_TABLES: Mapping[str, Mapping[str, Schema]] = {
    "units.tsv": {
        "text": described(text(), "a unit as laboratories write it"),
        "ucum": described(text(), "what it is in UCUM"),
        "case": described(word("any", "exact"), "whether capitals matter"),
        "source": {"type": "string"},
    },
    "unit_factors.tsv": {
        "analyte": text(),
        "unit": {"type": "string"},
        "molar_mass": pattern(rf"({NUMBER})?"),
        "ucum": text(),
        "multiply": number(),
    },
}


def labs_schema() -> Schema:
    """mappings/labs.yaml: what each lab, vital sign and score measures, and its LOINC codes."""
    code = {
        "code": described(pattern(r"\d{1,7}-\d"), "the LOINC code, with its check digit"),
        "role": described(
            word(*sorted(ROLES)), "primary is ordered; accept counts too; trap is refused"
        ),
        "property": {"type": "string"},
        "verified": {"type": "string"},
        "name": described(text(), "LOINC's name"),
    }
    answer = table(
        {"system": text(), "code": text(), "value": number()}, ["system", "code", "value"]
    )
    keys = {
        "label": described(text(), "what a clinician calls it"),
        "unit": described({"type": "string"}, "the UCUM unit in which it is held"),
        "kinds": described(
            list_of({"type": "string"}), "one UCUM example for each kind of unit that is accepted"
        ),
        "plausible": described(
            list_of(number()) | {"maxItems": 2}, "[lowest, highest] that can be meant"
        ),
        "molar_mass": described(number(), "g/mol: lets mass and moles convert"),
        "category": described({"type": "string"}, "the Observation category"),
        "scale": described(word(*SCALES), "what a value is"),
        "note": {"type": "string"},
        "answers": described(list_of(answer), "what a coded answer stands for"),
        "loinc": described(list_of(table(code, ["code", "role"]), least=1), "the codes for it"),
    }
    agreed(keys, LAB_KEYS, "an analyte")
    agreed(code, LAB_CODE_KEYS, "a LOINC code")
    analyte = table(keys, ["label", "scale", "loinc"])
    return document(
        "Labs, vital signs and scores (mappings/labs.yaml)",
        {"type": "object", "additionalProperties": analyte},
    )


def tables_schema(terminology: Terminology) -> Schema:
    """The tab-separated tables: `$defs` holds, by file, what a row may say, as a set of columns."""
    sets, systems = _sets(terminology), sorted(set(terminology.lists.systems.values()))
    defs: dict[str, Schema] = {}
    for name, header in {**HEADERS, "drug_products": PRODUCTS}.items():
        columns = {column: _column(name, column, sets) for column in header}
        if name in {"conditions.tsv", "procedures.tsv"}:
            columns["system"] = {"enum": systems}
        defs[name] = table(columns, header) | _codes_of(name)
    defs |= {name: table(columns, columns) for name, columns in _UNIT_TABLES.items()}
    refs = [{"$ref": f"#/$defs/{name}"} for name in defs]
    return document("Rows of the mapping tables (mappings/*.tsv)", {"anyOf": refs}, defs)


def _sets(terminology: Terminology) -> list[str]:
    lists = terminology.lists
    keys = {member.set_key for member in (*lists.conditions, *lists.procedures)}
    keys |= {key for ingredient in lists.ingredients.values() for key in ingredient.sets}
    return sorted(keys | set(lists.analytes))


def _column(name: str, column: str, sets: list[str]) -> Schema:
    made_of = rf"(-?({'|'.join(map(re.escape, sets))})( |$))*"
    words: Mapping[tuple[str, str], Schema] = {
        ("concepts.tsv", "domain"): word(*DOMAIN_WORDS),
        ("concepts.tsv", "made_of"): {"type": "string", "pattern": f"^{made_of}$"},
        ("concepts.tsv", "review"): {"type": "string", "pattern": f"^{made_of}$"},
        ("concepts.tsv", "label"): text(),
        ("drugs.tsv", "membership"): word(*MEMBERSHIPS),
        ("drugs.tsv", "rxcui"): pattern(r"([1-9]\d{0,7})?"),
        ("drugs.tsv", "atc"): pattern(rf"({SHAPES['ATC'][0].pattern}( |$))*"),
        ("synonyms.tsv", "kind"): word(*NAME_KINDS),
        ("other_drugs.tsv", "kind"): word(*OTHER_DRUG_KINDS),
        ("dose_forms.tsv", "route"): word(*ROUTES),
        ("drug_products", "rxcui"): pattern(r"[1-9]\d{0,7}"),
        ("drug_products", "ingredients"): text(),
    }
    if name in {"conditions.tsv", "procedures.tsv"}:
        marks = "|".join(sorted(MARKS))
        shared: Mapping[str, Schema] = {
            "match": word(*sorted(MATCHES)),
            "mark": pattern(rf"({marks})( ({marks}))*"),
            "code": text(),
        }
        return shared.get(column, {"type": "string"})
    return words.get((name, column), {"type": "string"})


def _codes_of(name: str) -> Schema:
    """The shape of a code depends on its system."""
    if name not in {"conditions.tsv", "procedures.tsv"}:
        return {}
    shapes = {system: shape.pattern for system, (shape, _) in SHAPES.items()}
    shapes["LOINC"] = r"\d{1,7}-\d"
    shapes["SNOMED CT"] = r"[1-9]\d{5,17}"
    return {
        "allOf": [
            {
                "if": {"properties": {"system": {"const": system}}},
                "then": {"properties": {"code": pattern(rf"({shape})(-({shape}))?")}},
            }
            for system, shape in sorted(shapes.items())
        ]
    }
