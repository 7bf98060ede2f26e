"""What stands on every sheet of a printed page: whose, which trial, which day, which sheet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cds.web.report.model import Report, TrialReport

_SPECIAL = re.compile(r"[^0-9A-Za-z ./:-]")


def running_head(report: Report, trial: TrialReport) -> str:
    """A style sheet with the margins of the page: a static one knows no patient."""
    left = _quoted(f"{trial.id} · {report.patient} · {report.on.isoformat()}")
    right = _quoted(f"trial-cds {report.software}, trial file {trial.version}")
    return (
        "@media print { @page {\n"
        f"  @top-left {{ content: {left}; font: 8pt sans-serif; }}\n"
        f"  @top-right {{ content: {right}; font: 8pt sans-serif; }}\n"
        '  @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; }\n'
        "} }\n"
    )


def _quoted(text: str) -> str:
    """A string of CSS out of which nothing breaks; the space after an escape belongs to it."""
    return '"' + _SPECIAL.sub(lambda found: f"\\{ord(found[0]):06x} ", text) + '"'
