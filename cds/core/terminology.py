"""What the codes and names in a record mean to the criteria: pure data and look-ups.

A *set* is a list of codes, drug ingredients or names in one mapping file. A *concept* is what a
criterion names; it is made of sets: the union of some, less the members of others, and with some
whose members are evidence for review only. The loader in `cds.content.mappings` builds a
`Terminology`; everything here only looks things up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import msgspec

from cds.core.facts import Mark
from cds.core.phrases import Phrases, words

if TYPE_CHECKING:
    from collections.abc import Iterable

ICD_10_CM = "ICD-10-CM"
_BY_PREFIX = frozenset({ICD_10_CM, "ICD-10-PCS"})
_BY_CATEGORY = frozenset({"ICD-10", "ICD-10-CN", "ICD-10-GM", "ICD-10-AM", "ICD-10-CA"})
_UNDOTTED = _BY_PREFIX | _BY_CATEGORY
_CATEGORY = 3
_WHOLE = 7
_FIRST_ENCOUNTER = frozenset("ABC")
_CACHED = 65_536
_ALONE = "alone"


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
    know what it is, even if it belongs to no concept.
    """

    ingredients: tuple[str, ...]
    marks: Mapping[str, tuple[Mark, ...]]
    local: bool | None
    flush: bool
    recognised: bool = True


class Member(msgspec.Struct, frozen=True):
    """One code of a condition or procedure set, and where it stands.

    `match`: exact, prefix (this and every longer code), pattern (prefix in which ? stands for one
    character) or range (first three characters from `code` to `upto`). `seventh`: the seventh
    character of an ICD-10-CM code counts: S (sequela) is no member, D to R (later encounters)
    are its history.
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


class CodeLists:
    """Condition or procedure codes → the sets that hold them. Exact, by prefix or by range."""

    __slots__ = ("_exact", "_longest", "_patterns", "_prefix", "_ranges")

    def __init__(self, members: Iterable[Member]) -> None:
        """Index the members; codes of undotted systems are compared without dots."""
        self._exact: dict[tuple[str, str], list[Member]] = {}
        self._prefix: dict[tuple[str, str], list[Member]] = {}
        self._ranges: dict[str, list[Member]] = {}
        self._patterns: dict[str, list[Member]] = {}
        self._longest = 0
        for member in members:
            if member.match == "range":
                self._ranges.setdefault(member.system, []).append(member)
                continue
            if member.match == "pattern":
                self._patterns.setdefault(member.system, []).append(member)
                continue
            code = plain_code(member.system, member.code)
            table = self._prefix if member.match == "prefix" else self._exact
            table.setdefault((member.system, code), []).append(member)
            self._longest = max(self._longest, len(code))

    def members(self, system: str, code: str) -> list[Member]:
        """The members that hold a code; of one set only its most specific row."""
        if system in _BY_CATEGORY:
            return self._of_category(plain_code(system, code))
        plain = plain_code(system, code)
        found = {member.set_key: member for member in self._in_ranges(system, plain)}
        for member in self._patterns.get(system, ()):
            if _fits(member.code, plain):
                found[member.set_key] = member
        for length in range(1, min(len(plain), self._longest) + 1):
            for member in self._prefix.get((system, plain[:length]), ()):
                found[member.set_key] = member
        for member in self._exact.get((system, plain), ()):
            found[member.set_key] = member
        if system == ICD_10_CM and len(plain) == _WHOLE:
            return [m for member in found.values() if (m := _by_encounter(member, plain[-1]))]
        return list(found.values())

    def _of_category(self, plain: str) -> list[Member]:
        """Members that are whole three-character categories, the same in every edition."""
        if len(plain) < _CATEGORY:
            return []
        category = plain[:_CATEGORY]
        found = {member.set_key: member for member in self._in_ranges(ICD_10_CM, category)}
        for member in self._prefix.get((ICD_10_CM, category), ()):
            found[member.set_key] = member
        return list(found.values())

    def _in_ranges(self, system: str, plain: str) -> Iterable[Member]:
        category = plain[:_CATEGORY]
        if len(category) < _CATEGORY:
            return
        for member in self._ranges.get(system, ()):
            if member.code <= category <= member.upto:
                yield member


def _fits(pattern: str, code: str) -> bool:
    """Whether a code begins as the pattern does; ? stands for any one character."""
    return len(code) >= len(pattern) and all(
        wanted in ("?", given) for wanted, given in zip(pattern, code, strict=False)
    )


def _by_encounter(member: Member, seventh: str) -> Member | None:
    """The member as the seventh character of an injury code makes it; None for a sequela."""
    if not member.seventh or seventh in _FIRST_ENCOUNTER:
        return member
    if seventh == "S":
        return None
    mark = Mark(decides=member.mark.decides, history=True)
    return msgspec.structs.replace(member, mark=mark)


def plain_code(system: str, code: str) -> str:
    """A code as it is compared: upper case; ICD codes without their dot."""
    code = code.strip().upper()
    return code.replace(".", "") if system in _UNDOTTED else code


class Algebra:
    """Sets → concepts: union, subtraction and review companions, per code or per ingredient."""

    __slots__ = ("_minus", "_plus", "_review")

    def __init__(self, concepts: Iterable[Concept]) -> None:
        """Turn "concept is made of sets" round into "set belongs to concepts"."""
        self._plus: dict[str, list[str]] = {}
        self._minus: dict[str, list[str]] = {}
        self._review: dict[str, list[str]] = {}
        for concept in concepts:
            for part in concept.made_of:
                table = self._minus if part.startswith("-") else self._plus
                table.setdefault(part.removeprefix("-"), []).append(concept.key)
            for part in concept.review:
                self._review.setdefault(part, []).append(concept.key)

    def marks(self, held: Iterable[tuple[str, Mark]]) -> dict[str, Mark]:
        """The concepts of one code or ingredient, given the sets that hold it.

        A set may be subtracted and a review companion at once: its members do not decide, they
        are evidence for review.
        """
        pairs = list(held)
        out: dict[str, set[str]] = {}
        for name, _ in pairs:
            for key in self._minus.get(name, ()):
                out.setdefault(key, set()).add(name)
        found: dict[str, Mark] = {}
        for name, mark in pairs:
            for key in self._plus.get(name, ()):
                if key not in out:
                    found[key] = _stronger(found.get(key), mark)
        for name, mark in pairs:
            for key in self._review.get(name, ()):
                if key not in found and out.get(key, set()) <= {name}:
                    found[key] = _doubted(mark)
        return found

    def union(self, names: Iterable[str], mark: Mark) -> dict[str, Mark]:
        """The concepts that any of several sets belongs to, nothing subtracted."""
        return {
            key: mark
            for name in names
            for table in (self._plus, self._review)
            for key in table.get(name, ())
        }


def _stronger(one: Mark | None, other: Mark) -> Mark:
    """The mark that says more: deciding before review, an event before its history."""
    if one is None:
        return other
    return max(one, other, key=lambda mark: (mark.decides, not mark.history))


def _doubted(mark: Mark) -> Mark:
    return Mark(decides=False, history=mark.history, ingredient=mark.ingredient)


class Terminology:
    """Every look-up that turning a record into facts needs; read-only and safe to share."""

    def __init__(self, lists: Lists) -> None:
        """Index what the loader read; indexes of names and products are built on first use."""
        self.lists = lists
        self.concepts: Mapping[str, Concept] = lists.concepts
        self.labels: Mapping[str, str] = {key: c.label for key, c in lists.concepts.items()}
        self.analytes: Mapping[str, Analyte] = lists.analytes
        self.digest = lists.digest
        self._systems = {_plain_uri(uri): name for uri, name in lists.systems.items()}
        self._labs = {
            uri: lists.labs[name] for uri, name in lists.systems.items() if name in lists.labs
        }
        self._algebra = Algebra(lists.concepts.values())
        self._condition_codes = CodeLists(lists.conditions)
        self._procedure_codes = CodeLists(lists.procedures)
        self.system = lru_cache(maxsize=1024)(self._system)
        self.condition = lru_cache(maxsize=_CACHED)(self._condition)
        self.procedure = lru_cache(maxsize=_CACHED)(self._procedure)
        self.condition_names = lru_cache(maxsize=_CACHED)(self._condition_names_in)
        self.procedure_names = lru_cache(maxsize=_CACHED)(self._procedure_names_in)
        self.drug_code = lru_cache(maxsize=_CACHED)(self._drug_code)
        self.drug_text = lru_cache(maxsize=_CACHED)(self._drug_text)
        self.route = lru_cache(maxsize=4096)(self._route)

    def __reduce__(self) -> tuple[type[Terminology], tuple[Lists]]:
        """Travel to another process as the lists; indexes are built again there."""
        return Terminology, (self.lists,)

    # Systems and observations

    def _system(self, uri: str) -> str | None:
        """The short name of a code system's URI or OID; None for one that we do not know."""
        return self._systems.get(_plain_uri(uri))

    def lab(self, system_uri: str, code: str) -> LabCode | None:
        """What an observation code measures; None for codes that we reject or do not know."""
        codes = self._labs.get(system_uri)
        return None if codes is None else codes.get(code)

    def analytes_of(self, concept: str) -> tuple[Analyte, ...]:
        """What the results of a lab, vital or score concept measure; its first set comes first."""
        return tuple(
            self.analytes[name] for name in self.concepts[concept].made_of if name in self.analytes
        )

    def types_of(self, concept: str) -> tuple[str, ...]:
        """The resource types, of Condition and Procedure, that a concept has codes for."""
        sets = {*self.concepts[concept].made_of, *self.concepts[concept].review}
        return tuple(kind for kind, held in self._sets_by_type.items() if not held.isdisjoint(sets))

    @cached_property
    def _sets_by_type(self) -> Mapping[str, frozenset[str]]:
        return {
            "Condition": frozenset(member.set_key for member in self.lists.conditions),
            "Procedure": frozenset(member.set_key for member in self.lists.procedures),
        }

    @cached_property
    def primary_loinc(self) -> Mapping[str, tuple[str, str]]:
        """Code and name of the LOINC code with which each concept is ordered."""
        primary = {
            row.analyte: (row.code, row.name)
            for row in self.lists.lab_rows
            if row.role == "primary"
        }
        return {
            key: primary[analytes[0].key]
            for key in self.concepts
            if (analytes := self.analytes_of(key)) and analytes[0].key in primary
        }

    # Conditions and procedures

    def _condition(self, system_uri: str, code: str) -> Coded:
        """The concepts that a condition code meets."""
        return self._coded(self._condition_codes, system_uri, code)

    def _procedure(self, system_uri: str, code: str) -> Coded:
        """The concepts that a procedure code meets."""
        return self._coded(self._procedure_codes, system_uri, code)

    def _coded(self, codes: CodeLists, system_uri: str, code: str) -> Coded:
        system = self.system(system_uri)
        if system is None:
            return _NOT_KNOWN
        members = codes.members(system, code)
        if not members:
            return _NO_LIST if system == ICD_10_CM else _NOT_KNOWN
        marks = self._algebra.marks((member.set_key, member.mark) for member in members)
        return Coded(known=True, marks=marks)

    def condition_members(self, system: str, code: str) -> Sequence[Member]:
        """The rows that hold a condition code of a system (its short name), for explanations."""
        return self._condition_codes.members(system, code)

    def procedure_members(self, system: str, code: str) -> Sequence[Member]:
        """The rows that hold a procedure code of a system (its short name), for explanations."""
        return self._procedure_codes.members(system, code)

    def _condition_names_in(self, text: str) -> Mapping[str, Mark]:
        """The concepts whose condition names stand in a text: evidence for review only.

        Negation is not read: "no DVT" is shown to the human who reviews.
        """
        return self._algebra.union(self._condition_phrases.every(text), _BY_NAME)

    def _procedure_names_in(self, text: str) -> Mapping[str, Mark]:
        """The concepts whose procedure names stand in a text: evidence for review only."""
        return self._algebra.union(self._procedure_phrases.every(text), _BY_NAME)

    def malignancy_words(self, text: str) -> bool:
        """Whether a text has one of the words for cancer, so that a human must look at it."""
        return not _MALIGNANCY.isdisjoint(words(text))

    @cached_property
    def _condition_phrases(self) -> Phrases[str]:
        return Phrases((name, key) for key, name in self.lists.condition_names)

    @cached_property
    def _procedure_phrases(self) -> Phrases[str]:
        return Phrases((name, key) for key, name in self.lists.procedure_names)

    # Drugs

    def _drug_code(self, system_uri: str, code: str) -> Drug | None:
        """The drug of an RxNorm or ATC code; None if unlisted.

        RxNorm: ingredient, product, brand or pack. ATC: fifth level; its group tells local use.
        """
        system = self.system(system_uri)
        if system is None:
            return None
        code = code.strip().upper()
        names = self._ingredients_by_code.get((system, code))
        if names is not None:
            local = True if system == "ATC" and code.startswith(_LOCAL_ATC) else None
            return self._drug(names, local=local, flush=False)
        product = self.product(code) if system == "RxNorm" else None
        if product is None:
            return None
        return self._drug(product.ingredients, local=product.local, flush=product.flush)

    def _drug_text(self, text: str) -> Drug | None:
        """The drugs whose whole names stand in a text; None if no name that we know does."""
        names: dict[str, None] = {}
        local, flush, recognised = None, False, False
        for found in self._drug_phrases.longest(text):
            recognised = True
            if isinstance(found, Product):
                names.update(dict.fromkeys(found.ingredients))
                local = found.local if local is None else local
                flush = flush or found.flush
            elif found is not None:
                names[found] = None
        if not recognised and not self._leading_phrases.begins(text):
            return None
        said = self._form(text)
        flush = flush or not _FLUSH.isdisjoint(words(text))
        return self._drug(tuple(names), local=local if said is None else said, flush=flush)

    def product(self, rxcui: str) -> Product | None:
        """The drug product, brand or pack of an RxNorm code; None if unlisted."""
        line = self.lists.products.get(rxcui)
        if line is None:
            return None
        ingredients, route, flush, name, where = line.split("\t")[:5]
        local = {"local": True, "systemic": False}.get(route)
        names = tuple(ingredients.split(" + "))
        return Product(rxcui, name, names, local, flush != "", where)

    def _route(self, system_uri: str | None, code: str | None, text: str | None) -> bool | None:
        """Whether a route is local (True) or systemic (False); None where nobody knows."""
        if system_uri and code:
            system = self.system(system_uri)
            if system is not None:
                known = self.lists.routes.get((system, code.strip().upper()))
                if known is not None:
                    return known
        return self._form(text) if text else None

    def _form(self, text: str) -> bool | None:
        """What the dose-form words of a text agree on; None without any or where they differ."""
        said = set(self._form_phrases.longest(text))
        return said.pop() if len(said) == 1 else None

    def _drug(self, names: Sequence[str], *, local: bool | None, flush: bool) -> Drug:
        marks: dict[str, list[Mark]] = {}
        for name in names:
            ingredient = self.lists.ingredients.get(name)
            if ingredient is None:
                continue
            held = [
                (key, Mark(decides=decides, ingredient=name))
                for key, decides in ingredient.sets.items()
            ]
            for key, mark in self._algebra.marks(held).items():
                marks.setdefault(key, []).append(mark)
        frozen = {key: tuple(found) for key, found in marks.items()}
        return Drug(tuple(names), frozen, local, flush)

    @cached_property
    def _ingredients_by_code(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for ingredient in self.lists.ingredients.values():
            for pair in ingredient.codes:
                found[pair] = (*found.get(pair, ()), ingredient.name)
        return found

    @cached_property
    def _drug_phrases(self) -> Phrases[str | Product | None]:
        """Every drug name: ingredients stand for themselves, brands for their product."""
        names: list[tuple[str, str | Product | None]] = []
        for ingredient in self.lists.ingredients.values():
            names += [(name, ingredient.name) for name in ingredient.names]
        for name, code in self.lists.brands:
            names.append((name, self.product(code)))
        names += [(name, None) for name, kind in self.lists.other_drugs if kind != _ALONE]
        return Phrases(names)

    @cached_property
    def _leading_phrases(self) -> Phrases[None]:
        """Minerals, salts and diluents: elsewhere in a text they only belong to another drug."""
        return Phrases((name, None) for name, kind in self.lists.other_drugs if kind == _ALONE)

    @cached_property
    def _form_phrases(self) -> Phrases[bool]:
        return Phrases(self.lists.forms)


def _plain_uri(uri: str) -> str:
    """A system's URI as it is compared: case, scheme and a final slash aside."""
    plain = uri.strip().lower().removesuffix("/")
    return plain.removeprefix("https://").removeprefix("http://")


_BY_NAME = Mark(decides=False)
_NOT_KNOWN = Coded(known=False, marks={})
_NO_LIST = Coded(known=True, marks={})
_MALIGNANCY = frozenset(
    {"cancer", "carcinoma", "sarcoma", "lymphoma", "leukaemia", "leukemia", "malignant"}
)
_LOCAL_ATC = (
    "A01A", "D01A", "D06", "D07", "D10A", "D11AH01", "D11AX", "G01A", "R01A", "R03A", "R03B",
    "S01", "S02", "S03",
)  # fmt: skip
"""ATC groups of products for mouth, skin, vagina, nose, airways, eye and ear."""
_FLUSH = frozenset({"flush", "flushes", "lock"})
