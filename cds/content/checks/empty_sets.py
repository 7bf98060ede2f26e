"""Concepts that a criterion uses and that no code could ever meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.fault import Fault, Severity
from cds.content.verified import verified_by_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.content.checks.content import Content
    from cds.core.terminology import Terminology


def empty_sets(content: Content) -> Iterator[Fault]:
    """A used concept whose sets hold no code is a fault; one without any set is a notice."""
    filled = _filled(content.terminology)
    for loaded, criterion, file, line in content.criteria():
        for key in sorted(loaded.concepts[criterion.id]):
            concept = content.terminology.concepts[key]
            sets = [part for part in concept.made_of if not part.startswith("-")]
            if not sets and not concept.review:
                says = f"{criterion.id}: '{key}' has no code list, so nothing recorded can meet it."
                cure = "Leave it to a human, or give it sets in mappings/concepts.tsv."
                yield Fault(file, line, says, cure, Severity.NOTICE)
            elif filled.isdisjoint([*sets, *concept.review]):
                says = f"{criterion.id}: the sets of '{key}' ({', '.join(sets)}) hold no code."
                yield Fault(file, line, says, "Add codes to mappings/, or correct made_of.")


def _filled(terminology: Terminology) -> set[str]:
    """The keys of all sets and analytes that hold at least one code."""
    of_labs = {
        code.analyte.key for codes in terminology.lists.labs.values() for code in codes.values()
    }
    return of_labs | set(verified_by_set(terminology))
