"""What a criterion is made of, and the entries of the record that each part looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cds.engine.finding import Finding
from cds.engine.lab import Lab
from cds.engine.medication import Medication
from cds.engine.procedure import ProcedureDone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cds.core.criterion import Characteristic
    from cds.core.facts import Condition, Exposure, Facts, Mark, Procedure, Result


_Entry = TypeVar("_Entry", "Condition", "Procedure", "Exposure")


class Looked(NamedTuple):
    """One entry that a part of a criterion looks at, under the concept that it was found by."""

    concept: str
    entry: Result | Condition | Procedure | Exposure
    mark: Mark | None = None


def leaves(form: Characteristic) -> Iterator[Characteristic]:
    """The statements without parts that a criterion is made of, in order."""
    parts = list(form.parts())
    if not parts:
        yield form
    for part in parts:
        yield from leaves(part)


def looked_at(leaf: Characteristic, facts: Facts) -> Iterator[Looked]:
    """The entries of the record that one part may weigh; those that it passes over too."""
    if isinstance(leaf, Lab):
        for concept in leaf.concepts:
            yield from (Looked(concept, result) for result in facts.results.get(concept, ()))
    elif isinstance(leaf, Medication):
        yield from _marked(leaf.concepts, facts.exposures)
        yield from (Looked("", exposure) for exposure in facts.unrecognised_drugs)
    elif isinstance(leaf, Finding):
        yield from _marked(leaf.concepts, facts.conditions)
    elif isinstance(leaf, ProcedureDone):
        yield from _marked(leaf.concepts, facts.procedures)
        if "Condition" in leaf.types:
            yield from _marked(leaf.concepts, facts.conditions)


def _marked(
    concepts: Sequence[str], entries: Mapping[str, Sequence[tuple[_Entry, Mark]]]
) -> Iterator[Looked]:
    for concept in concepts:
        for entry, mark in entries.get(concept, ()):
            yield Looked(concept, entry, mark)
