"""One report, from a phase and a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.cohort.shadow.comparing import compared
from cds.cohort.shadow.coordinator import read_list
from cds.cohort.shadow.text import report_text, what_stood

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from cds.cohort.shadow.model import Phase


def shadow_report(
    phase: Phase,
    listed: Path | None,
    names: Callable[[str], Iterable[str]],
    labels: Mapping[str, str],
    *,
    complete: bool = False,
) -> str:
    """The report as Markdown; `names` gives the names under which the phase may know a patient.

    Raises:
        CohortFault: the list cannot be used.
    """
    if listed is None:
        return report_text(phase, None, labels)
    judged = read_list(listed, phase.trials)
    seen = {(one.patient, one.trial): one for one in phase.seen}
    stood = {}
    for one in judged:
        found = next(
            (seen[n, one.trial] for n in names(one.patient) if (n, one.trial) in seen), None
        )
        if found is not None:
            stood[one.trial, one.criterion or "", one.line] = what_stood(found)
    return report_text(phase, compared(phase, judged, names, complete=complete), labels, stood)
