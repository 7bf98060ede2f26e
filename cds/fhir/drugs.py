"""Which drug a medication entry is about: by every code, then by whole names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from cds.core.facts import Mark
from cds.core.phrases import words
from cds.fhir import lazily
from cds.fhir.concepts import codings, shown, texts
from cds.fhir.decode import BROKEN
from cds.fhir.resources import CodeableConcept, Medication, MedicationEntry, Reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cds.core.terminology import Drug, Terminology

_NAMED_SYSTEMS = frozenset({"RxNorm", "ATC"})
_NONE_KNOWN = frozenset(
    {
        ("IPS absent-unknown", "no-known-medications"),  # HL7 International Patient Summary 1.1
        ("SNOMED CT", "787481004"),  # the same in the Summary's map to SNOMED CT
    }
)
_NONE_KNOWN_IN_WORDS = words("No known medications")
_DEPTH = 3
_medication = msgspec.json.Decoder(Medication)


class _Ingredient(msgspec.Struct, frozen=True, rename="camel"):
    item_codeable_concept: CodeableConcept | None = None
    item_reference: Reference | None = None


_ingredients = msgspec.json.Decoder(tuple[_Ingredient, ...])


class Identified(msgspec.Struct, frozen=True):
    """What is known of an entry's drug.

    `marks` are the concepts with one Mark per ingredient. `local` is the product's, or its dose
    form's; None where neither says. `recognised`: we know what it is, of a concept or not.
    """

    display: str
    marks: Mapping[str, tuple[Mark, ...]]
    local: bool | None
    flush: bool
    recognised: bool


def identified(
    entry: MedicationEntry,
    medications: Mapping[str, Medication],
    terminology: Terminology,
) -> Identified:
    """Look an entry's drug up, wherever its names and codes stand."""
    concepts, forms = _described(entry, medications)
    unread = not concepts and entry.medication_reference is not None
    return _identified(tuple(concepts), tuple(forms), terminology, _UNREAD if unread else _UNNAMED)


_UNNAMED, _UNREAD = "a drug without a name", "a drug whose Medication could not be read"


@lru_cache(maxsize=4096)  # charts say the same drug again and again: 25 µs each
def _identified(
    concepts: tuple[CodeableConcept, ...],
    forms: tuple[CodeableConcept, ...],
    terminology: Terminology,
    unnamed: str,
) -> Identified:
    display = shown(concepts, unnamed)
    by_code = [
        drug
        for coding in codings(concepts)
        if (drug := terminology.drug_code(coding.system or "", coding.code or "")) is not None
    ]
    said = texts(concepts)
    by_name = [drug for text in said if (drug := terminology.drug_text(text)) is not None]
    groups: list[Drug] = []
    named = any(drug.recognised for drug in by_name)
    if not named and not any(drug.ingredients for drug in by_code):
        # Only a group of drugs is said: which of them it is, is for a human.
        groups = [
            drug
            for coding in codings(concepts)
            if (drug := terminology.drug_group(coding.system or "", coding.code or "")) is not None
        ]
    marks: dict[str, dict[str, Mark]] = {}
    _add(marks, groups, decides=False)
    # A code that its own text denies ("not on warfarin") is for a human.
    _add(marks, by_code, decides=not any(drug.denied for drug in by_name))
    # Where a code says what it is, a further name in the text is for a human to weigh.
    _add(marks, by_name, decides=not any(drug.marks for drug in by_code))
    drugs = [*by_code, *by_name, *groups]
    return Identified(
        display,
        {concept: tuple(found.values()) for concept, found in marks.items()},
        _local(drugs, said, forms, terminology),
        any(drug.flush for drug in drugs),
        any(drug.recognised for drug in drugs)
        or _names_itself(concepts, said, terminology)
        or _says_none(concepts, said, terminology),
    )


def _add(marks: dict[str, dict[str, Mark]], drugs: Iterable[Drug], *, decides: bool) -> None:
    for drug in drugs:
        for concept, found in drug.marks.items():
            known = marks.setdefault(concept, {})
            for mark in found:
                certain = mark.decides and decides
                earlier = known.get(mark.ingredient)
                if earlier is None or (certain and not earlier.decides):
                    known[mark.ingredient] = (
                        mark
                        if certain == mark.decides
                        else msgspec.structs.replace(mark, decides=certain)
                    )


def _local(
    drugs: Iterable[Drug],
    said: Iterable[str],
    forms: Iterable[CodeableConcept],
    terminology: Terminology,
) -> bool | None:
    """What codes say of the product's use, else its names, else its dose form.

    Where two disagree, it may be systemic.
    """
    found = [drug.local for drug in drugs if drug.local is not None]
    if not found:
        asked = [terminology.route(None, None, text) for text in (*said, *texts(forms))]
        asked += [terminology.route(c.system, c.code, None) for c in codings(forms)]
        found = [local for local in asked if local is not None]
    return all(found) if found else None


def _names_itself(
    concepts: Iterable[CodeableConcept], said: Iterable[str], terminology: Terminology
) -> bool:
    """A drug code of a system that we know, with a name that we can read and that is no list's."""
    readable = any(any(letter.isalpha() for letter in text) for text in said)
    return readable and any(
        terminology.system(coding.system or "") in _NAMED_SYSTEMS for coding in codings(concepts)
    )


def _says_none(
    concepts: Iterable[CodeableConcept], said: Iterable[str], terminology: Terminology
) -> bool:
    """Whether an entry says that no drugs are known: it is about no drug, and so no exposure.

    It counts as no entry, not as proof that nothing is taken: the code may also mean that what is
    known is not worth reporting. "No information" (no-medication-info) is another matter.
    """
    return any(
        (terminology.system(coding.system or ""), coding.code) in _NONE_KNOWN
        for coding in codings(concepts)
    ) or any(words(text) == _NONE_KNOWN_IN_WORDS for text in said)


def _described(
    entry: MedicationEntry, medications: Mapping[str, Medication]
) -> tuple[list[CodeableConcept], list[CodeableConcept]]:
    """Every concept that says which drug it is, and the dose forms of its products."""
    concepts: list[CodeableConcept] = []
    forms: list[CodeableConcept] = []
    if entry.medication_codeable_concept is not None:
        concepts.append(entry.medication_codeable_concept)
    if entry.medication_reference is not None:
        contained = _contained(entry)
        _follow(entry.medication_reference, contained, medications, concepts, forms, _DEPTH)
    return concepts, forms


def _follow(  # noqa: PLR0913 - a walk with its two results
    reference: Reference,
    contained: Mapping[str, Medication],
    medications: Mapping[str, Medication],
    concepts: list[CodeableConcept],
    forms: list[CodeableConcept],
    depth: int,
) -> None:
    """Collect what a referenced Medication and its ingredients are called."""
    product = _resolve(reference.reference, contained, medications)
    if product is not None:
        if product.code is not None:
            concepts.append(product.code)
        form = lazily.readable(lazily.concept, product.form)
        if form is not None:
            forms.append(form)
        for ingredient in lazily.readable(_ingredients, product.ingredient) or ():
            if ingredient.item_codeable_concept is not None:
                concepts.append(ingredient.item_codeable_concept)
            if ingredient.item_reference is not None and depth:
                _follow(
                    ingredient.item_reference, contained, medications, concepts, forms, depth - 1
                )
    if reference.display:
        concepts.append(CodeableConcept((), reference.display))


def _resolve(
    text: str | None, contained: Mapping[str, Medication], medications: Mapping[str, Medication]
) -> Medication | None:
    if not text:
        return None
    if text.startswith("#"):
        return contained.get(text[1:])
    found = medications.get(text)
    if found is None:
        plain = text.split("/_history/", 1)[0]
        found = medications.get("/".join(plain.rsplit("/", 2)[-2:]))
    return found


def _contained(entry: MedicationEntry) -> dict[str, Medication]:
    """Contained Medications by id."""
    found: dict[str, Medication] = {}
    for raw in lazily.readable(lazily.items, entry.contained) or ():
        try:
            product = _medication.decode(raw)
        except BROKEN:
            continue
        if product.id:
            found[product.id.removeprefix("#")] = product
    return found
