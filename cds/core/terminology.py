"""What the codes and names in a record mean to the criteria: pure look-ups over `Lists`.

The loader in `cds.content.mappings` builds a `Terminology`; everything here only looks things up.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import msgspec

from cds.core.facts import Mark
from cds.core.lists import (
    Analyte,
    Coded,
    Concept,
    Drug,
    Ingredient,
    LabCode,
    LabRow,
    Lists,
    Member,
    Product,
)
from cds.core.phrases import Phrases, words
from cds.core.sets import ICD_10_CM, Algebra, CodeLists, plain_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Analyte",
    "Coded",
    "Concept",
    "Drug",
    "Ingredient",
    "LabCode",
    "LabRow",
    "Lists",
    "Member",
    "Product",
    "Terminology",
]

_CACHED = 8_192
_ALONE = "alone"


class Terminology:
    """Every look-up that turning a record into facts needs; read-only and safe to share.

    `targets` are the concepts that the loaded trials' target diagnoses ask for.
    """

    def __init__(self, lists: Lists, targets: frozenset[str] = frozenset()) -> None:
        """Index what the loader read; indexes of names and products are built on first use."""
        self.lists = lists
        self.targets = targets
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
        self.target_names = lru_cache(maxsize=_CACHED)(self._target_names_in)
        self.procedure_names = lru_cache(maxsize=_CACHED)(self._procedure_names_in)
        self.drug_code = lru_cache(maxsize=_CACHED)(self._drug_code)
        self.drug_group = lru_cache(maxsize=1024)(self._drug_group)
        self.drug_text = lru_cache(maxsize=_CACHED)(self._drug_text)
        self.route = lru_cache(maxsize=4096)(self._route)

    def __reduce__(self) -> tuple[type[Terminology], tuple[Lists, frozenset[str]]]:
        """Travel to another process as the lists; indexes are built again there."""
        return Terminology, (self.lists, self.targets)

    def looking_for(self, targets: frozenset[str]) -> Terminology:
        """The same look-ups for trials whose target diagnoses ask for these concepts."""
        return Terminology(self.lists, targets)

    def make_ready(self) -> None:
        """Build every index now, so that no first chart pays for it within its deadline."""
        built = (
            self.lab_codes,
            self._sets_by_type,
            self._condition_phrases,
            self._target_phrases,
            self._procedure_phrases,
            self._ingredients_by_code,
            self._concepts_by_group,
            self._drug_phrases,
            self._leading_phrases,
            self._form_phrases,
        )
        del built

    # Systems and observations

    def _system(self, uri: str) -> str | None:
        """The short name of a code system's URI or OID; None for one that we do not know."""
        return self._systems.get(_plain_uri(uri))

    def lab(self, system_uri: str, code: str) -> LabCode | None:
        """What an observation code measures; None for codes that we reject or do not know."""
        codes = self._labs.get(system_uri)
        return None if codes is None else codes.get(code)

    @cached_property
    def lab_codes(self) -> Mapping[str, frozenset[str]]:
        """The codes under which the results of each concept stand, whatever their system."""
        found: dict[str, set[str]] = {}
        for codes in self.lists.labs.values():
            for code, lab in codes.items():
                for concept in lab.concepts:
                    found.setdefault(concept, set()).add(code)
        return {concept: frozenset(codes) for concept, codes in found.items()}

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
        if (system, plain_code(system, code)) in _SAYS_NOTHING:
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

        Negation is not read: "no DVT" is shown to the human who reviews. What the family had is
        not the patient's.
        """
        said = _FAMILYS.sub(" ", text)
        return self._algebra.union(self._condition_phrases.every(said), _BY_NAME)

    def condition_names_apart(self, text: str) -> list[frozenset[str]]:
        """The concepts of each condition name in a text, each word used once, the longest first."""
        found = self._condition_phrases.longest(_FAMILYS.sub(" ", text))
        return [frozenset(self._algebra.union((name,), _BY_NAME)) for name in found]

    def _target_names_in(self, text: str) -> Mapping[str, Mark]:
        """The target diagnoses whose names stand in a text beside a known code: for review only.

        What is denied, or said of the family, is left out: the code says what the patient has. In a
        text that is all in capitals, PAIN IN BOTH ARMS, no word is known as an abbreviation.
        """
        said = _OTHERS_OR_NONE.sub(" ", text)
        sets = self._target_phrases.every(said.lower() if said.isupper() else said)
        named = self._algebra.union(sets, _BY_NAME)
        return {concept: mark for concept, mark in named.items() if concept in self.targets}

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
    def _target_phrases(self) -> Phrases[str]:
        """The names of the target diagnoses' sets; abbreviations in their capitals only."""
        concepts = [self.concepts[key] for key in self.targets]
        sets = {part for concept in concepts for part in (*concept.made_of, *concept.review)}
        names = [(name, key) for key, name in self.lists.condition_names if key in sets]
        return Phrases((f"={name}" if name.isupper() else name, key) for name, key in names)

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

    def _drug_group(self, system_uri: str, code: str) -> Drug | None:
        """The drug of an ATC group (levels 1 to 4) in which drugs of ours lie; None if none does.

        Which of the group's drugs it is, nobody says: it may be of every concept that they meet.
        """
        code = code.strip().upper()
        if self.system(system_uri) != "ATC" or code not in self._concepts_by_group:
            return None
        mark = Mark(decides=False, ingredient=code)
        marks = dict.fromkeys(self._concepts_by_group[code], (mark,))
        local = True if code.startswith(_LOCAL_ATC) else None
        # Recognised, as every ATC code, only with a name that can be read.
        return Drug((), marks, local, flush=False, recognised=False)

    def _drug_text(self, text: str) -> Drug | None:
        """The drugs whose whole names stand in a text; None if no name that we know does.

        Names that a text denies ("not on warfarin") are for a human.
        """
        names: dict[str, bool] = {}
        local, flush, recognised = None, False, False
        for part, sure in _denials(text):
            for found in self._drug_phrases.longest(part):
                recognised = True
                if isinstance(found, Product):
                    names |= {name: names.get(name, True) and sure for name in found.ingredients}
                    local = found.local if local is None else local
                    flush = flush or found.flush
                elif found is not None:
                    names[found] = names.get(found, True) and sure
        if not recognised and not self._leading_phrases.begins(text):
            return None
        said = self._form(text)
        flush = flush or not _FLUSH.isdisjoint(words(text))
        drug = self._drug(tuple(names), local=local if said is None else said, flush=flush)
        return drug if all(names.values()) else _denied(drug, names)

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
    def _concepts_by_group(self) -> Mapping[str, tuple[str, ...]]:
        """ATC groups that hold drugs of ours, with the concepts that these drugs meet."""
        found: dict[str, dict[str, None]] = {}
        for (system, code), names in self._ingredients_by_code.items():
            if system == "ATC":
                marks = self._drug(names, local=None, flush=False).marks
                for length in _ATC_GROUPS:
                    found.setdefault(code[:length], {}).update(dict.fromkeys(marks))
        return {code: tuple(concepts) for code, concepts in found.items() if concepts}

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


def _denials(text: str) -> tuple[tuple[str, bool], ...]:
    """A text in parts, and whether what stands there is taken.

    What a word such as "no" follows is ("warfarin, no aspirin"); what follows the word is not for
    certain, nor is anything in a text that says "no longer" or "not taking".
    """
    said = words(text)
    if _NOT.isdisjoint(said):
        return ((text, True),)
    if next(_NOT_TAKEN.longest(text), None):
        return ((text, False),)
    cut = next(place for place, word in enumerate(said) if word in _NOT)
    return ((" ".join(said[:cut]), True), (" ".join(said[cut + 1 :]), False))


def _denied(drug: Drug, sure: Mapping[str, bool]) -> Drug:
    """A drug of a text that denies some of its names."""
    marks = {
        concept: tuple(
            mark if sure[mark.ingredient] else msgspec.structs.replace(mark, decides=False)
            for mark in found
        )
        for concept, found in drug.marks.items()
    }
    return msgspec.structs.replace(drug, marks=marks, denied=True)


_BY_NAME = Mark(decides=False)
_FAMILYS = re.compile(
    r"\bfamily (?:history|hx)(?: of)?"
    r"(?:[^\w.;,]+(?!(?:and|but|or|with|now|has|had|also)\b)\w+){1,5}"
    r"|(?:(?![及和与伴并现])[\u3400-\u9fff]){1,12}(?<!无)家族史",
    re.IGNORECASE,
)
"""What is said of the family, up to a word with which something of the patient may begin."""
_OTHERS_OR_NONE = re.compile(
    r"\b(?:no|not|without|denies|negative for|absence of|(?:family (?:history|hx)|fhx?)(?: of)?"
    r"|mother|father|brother|sister|sibling|parent)\b(?:[^\w.;,]+\w+){0,3}",
    re.IGNORECASE,
)
"""Words that deny what follows them, or say it of somebody else, and what follows."""
_SAYS_NOTHING = frozenset({(ICD_10_CM, "R69")})
"""Codes that say no more than that somebody is ill: what stands beside them says what it is."""
_NOT_KNOWN = Coded(known=False, marks={})
_NO_LIST = Coded(known=True, marks={})
_MALIGNANCY = frozenset(
    {"cancer", "carcinoma", "sarcoma", "lymphoma", "leukaemia", "leukemia", "malignant"}
)
_ATC_GROUPS = (1, 3, 4, 5)
"""Characters of an ATC code's levels above the drug itself."""
_LOCAL_ATC = (
    "A01A", "D01A", "D06", "D07", "D10A", "D11AH01", "D11AX", "G01A", "R01A", "R03A", "R03B",
    "S01", "S02", "S03",
)  # fmt: skip
"""ATC groups of products for mouth, skin, vagina, nose, airways, eye and ear."""
_NOT = frozenset(
    {
        "no", "not", "never", "nor", "without", "denies", "denied", "denying", "avoid", "avoids",
        "avoiding", "refuses", "refused", "declines", "declined", "未", "无", "否",
    }
)  # fmt: skip
"""Words after which a drug is named that is not taken."""
_NOT_TAKEN = Phrases(
    (name, True)
    for name in (
        "not taking", "not taken", "no longer", "never taken", "never took", "not started",
        "never started", "not given",
    )
)  # fmt: skip
_FLUSH = frozenset({"flush", "flushes", "lock"})
