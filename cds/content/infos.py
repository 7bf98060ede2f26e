"""What the forms of trial files need to know of each concept, taken from the mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.forms import ConceptInfo

if TYPE_CHECKING:
    from cds.core.terminology import Terminology


def concept_infos(terminology: Terminology) -> dict[str, ConceptInfo]:
    """Label, domain, unit, Observation category and resource types of every concept, by key."""
    infos: dict[str, ConceptInfo] = {}
    drugs = _drugs(terminology)
    for key, concept in terminology.concepts.items():
        analyte = next(iter(terminology.analytes_of(key)), None)
        infos[key] = ConceptInfo(
            key,
            concept.label,
            concept.domain,
            unit=analyte.unit if analyte else "",
            category=analyte.category if analyte else "laboratory",
            types=terminology.types_of(key),
            drugs=frozenset().union(
                *(drugs.get(part, ()) for part in (*concept.made_of, *concept.review))
            ),
        )
    return infos


def _drugs(terminology: Terminology) -> dict[str, set[str]]:
    """The names of the ingredients of each drug set, in small letters."""
    found: dict[str, set[str]] = {}
    for name, ingredient in terminology.lists.ingredients.items():
        for key in ingredient.sets:
            names = (name, *ingredient.names)
            found.setdefault(key, set()).update(one.casefold() for one in names)
    return found
