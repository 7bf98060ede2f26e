"""What the mapping files say, as plain records: concepts, analytes, codes, ingredients.

A *set* is a list of codes, drug ingredients or names in one mapping file. A *concept* is what a
criterion names; it is made of sets: the union of some, less the members of others, and with some
whose members are evidence for review only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from cds.core.facts import Mark


class Concept(msgspec.Struct, frozen=True):
    """What a criterion names; `label` is what a clinician would call it.

    `made_of` are set keys, `-key` subtracts; `review` are set keys whose members are evidence for
    review only.
    """

    key: str
    label: str
    domain: str
    made_of: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    note: str = ""


class Analyte(msgspec.Struct, frozen=True):
    """What one lab, vital sign or score measures.

    `unit` is the canonical UCUM unit ("" for what has none); `kinds` are UCUM examples of every
    kind of unit that is accepted (10*9/L; g/L and mmol/L). Mass and moles convert into each other
    only where `molar_mass` (g/mol) is given. `category` is the Observation category; `scale` is
    quantity, ordinal-grade, presence, score or status. `answers` gives the number that a coded
    answer stands for, by (short system name, code).
    """

    key: str
    label: str
    unit: str
    kinds: tuple[str, ...]
    plausible_min: Decimal | None
    plausible_max: Decimal | None
    molar_mass: Decimal | None
    category: str
    scale: str
    answers: Mapping[tuple[str, str], Decimal]


class LabCode(msgspec.Struct, frozen=True):
    """One observation code: its analyte, the concepts that it feeds, and its property.

    `property` is mass, moles, number, time, ratio … where the code's name states it, else "".
    """

    analyte: Analyte
    concepts: tuple[str, ...]
    property: str


class Coded(msgspec.Struct, frozen=True):
    """What a condition or procedure code means.

    `known`: some list holds it, or its system is one whose lists are complete by prefix
    (ICD-10-CM), so that no list holding it says something.
    """

    known: bool
    marks: Mapping[str, Mark]


class Drug(msgspec.Struct, frozen=True):
    """What a drug code or text stands for.

    `marks` has one Mark per ingredient that belongs to the concept. `local`: for local use only;
    None where neither product nor text says. `flush`: a flush or lock strength. `recognised`: we
    know what it is, even if it belongs to no concept. `denied`: the text says that a drug is not
    taken, so its marks do not decide.
    """

    ingredients: tuple[str, ...]
    marks: Mapping[str, tuple[Mark, ...]]
    local: bool | None
    flush: bool
    recognised: bool = True
    denied: bool = False


class Member(msgspec.Struct, frozen=True):
    """One code of a condition or procedure set, and where it stands.

    `match`: exact, descendants (this code here; its set is meant to hold those below it too, which
    a terminology server knows), prefix (this and every longer code), pattern (prefix in which ?
    stands for one character) or range (first three characters from `code` to `upto`). `seventh`:
    the seventh character of an ICD-10-CM code counts: S (sequela) is no member, D to R (later
    encounters) are its history, those of a fracture that does not heal (G, H, J, K, M, N) are
    evidence for review.
    """

    set_key: str
    system: str
    code: str
    meaning: str
    match: str
    mark: Mark
    verified: str
    where: str
    note: str = ""
    upto: str = ""
    seventh: bool = False


class LabRow(msgspec.Struct, frozen=True):
    """Where an observation code stands in the mapping files; `role` trap: it is rejected."""

    analyte: str
    code: str
    name: str
    role: str
    verified: str
    where: str


class Ingredient(msgspec.Struct, frozen=True):
    """One drug ingredient: the sets that hold it (set key → membership decides) and its names."""

    name: str
    sets: Mapping[str, bool]
    codes: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    where: Mapping[str, str]


class Product(msgspec.Struct, frozen=True):
    """One drug product, brand or pack: its ingredients and whether its form is for local use."""

    code: str
    name: str
    ingredients: tuple[str, ...]
    local: bool | None
    flush: bool
    where: str


class Lists(msgspec.Struct, frozen=True):
    """Everything that the mapping files say, as the loader read it.

    `products` has one unsplit line per product code; `brands` are (name, product code). `names`
    are (set key, name) of conditions and of procedures; `other_drugs` are (name, kind) of drugs
    of no concept. `forms` are (phrase, local); `routes` are codes of (short system name, code).
    """

    systems: Mapping[str, str]
    concepts: Mapping[str, Concept]
    analytes: Mapping[str, Analyte]
    labs: Mapping[str, Mapping[str, LabCode]]
    lab_rows: Sequence[LabRow]
    conditions: Sequence[Member]
    procedures: Sequence[Member]
    ingredients: Mapping[str, Ingredient]
    products: Mapping[str, str]
    brands: Sequence[tuple[str, str]]
    condition_names: Sequence[tuple[str, str]]
    procedure_names: Sequence[tuple[str, str]]
    other_drugs: Sequence[tuple[str, str]]
    forms: Sequence[tuple[str, bool]]
    routes: Mapping[tuple[str, str], bool]
    digest: str
