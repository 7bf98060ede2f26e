"""Bounds, windows and signs that no case pins down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.fault import Fault
from cds.content.mutants import survivors, telling_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.content.checks.content import Content


def unnoticed_changes(content: Content) -> Iterator[Fault]:
    """Small changes of a criterion that matter to some record and that every case lets pass."""
    for loaded in content.trials:
        criteria = {criterion.id: criterion for criterion in loaded.trial.criteria}
        for mutant in survivors(loaded.trial, content.cases[loaded.trial.id]):
            criterion = criteria[mutant.criterion.id]
            record = telling_apart(criterion, mutant) if criterion.reviewed else None
            if record is not None:
                file, line = loaded.lines[criterion.id]
                says = f"{criterion.id}: no case would notice if {mutant.says}."
                yield Fault(file, line, says, f"Add a case, for example with given: {record}.")
