"""Cases that do not come true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.cases import run_case
from cds.content.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.content.checks.content import Content

_CURE = "Correct the criterion, or the case if it promises the wrong thing."


def failing_cases(content: Content) -> Iterator[Fault]:
    """One fault for each promise of a case that is not kept."""
    for loaded in content.trials:
        for case in content.cases[loaded.trial.id]:
            for wrong in run_case(case, loaded.trial):
                yield Fault(case.file, case.line, f"'{case.name}': {wrong}.", _CURE)
