"""What the forms of trial files need to know of each concept, taken from the mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.forms import ConceptInfo

if TYPE_CHECKING:
    from cds.core.terminology import Terminology


def concept_infos(terminology: Terminology) -> dict[str, ConceptInfo]:
    """Label, domain, unit, Observation category and resource types of every concept, by key."""
    infos: dict[str, ConceptInfo] = {}
    for key, concept in terminology.concepts.items():
        analyte = next(iter(terminology.analytes_of(key)), None)
        infos[key] = ConceptInfo(
            key,
            concept.label,
            concept.domain,
            unit=analyte.unit if analyte else "",
            category=analyte.category if analyte else "laboratory",
            types=terminology.types_of(key),
        )
    return infos
