"""Bounds, windows and signs that no case pins down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.examples import facts_with, named, promised
from cds.content.fault import Fault
from cds.content.mutants import survivors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.content.checks.content import Content
    from cds.core.criterion import Criterion


def unnoticed_changes(content: Content) -> Iterator[Fault]:
    """Small changes of a criterion that matter to some record and that every case lets pass."""
    for loaded in content.trials:
        criteria = {one.id: one for one in loaded.trial.criteria}
        for mutant, record in survivors(loaded.trial, content.cases[loaded.trial.id]):
            if record is not None:
                file, line = loaded.lines[mutant.criterion.id]
                says = f"{mutant.criterion.id}: no case would notice if {mutant.says}."
                case = _case(criteria[mutant.criterion.id], mutant.criterion, record)
                given = named(record, content.terminology)
                yield Fault(
                    file, line, says, f"Add a case, if this is right: given: {given}, {case}."
                )


def _case(criterion: Criterion, changed: Criterion, record: str) -> str:
    """What a case with this record must promise, so that it notices the change."""
    facts = facts_with(criterion, record)
    status, clears = promised(criterion, facts)
    promise = f"expect: {{{criterion.id}: {status}}}"
    if clears and status == promised(changed, facts)[0]:
        return f"{promise}, clears_on: {{{criterion.id}: {clears}}}"
    return promise
