"""Bounds, windows and signs that no case pins down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.fault import Fault
from cds.content.mutants import survivors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.content.checks.content import Content


def unnoticed_changes(content: Content) -> Iterator[Fault]:
    """Small changes of a criterion that matter to some record and that every case lets pass."""
    for loaded in content.trials:
        for mutant, record in survivors(loaded.trial, content.cases[loaded.trial.id]):
            if record is not None:
                file, line = loaded.lines[mutant.criterion.id]
                says = f"{mutant.criterion.id}: no case would notice if {mutant.says}."
                yield Fault(file, line, says, f"Add a case, for example with given: {record}.")
