"""What is checked in trial and mapping files beyond what reading them checks: one check a file.

Reading itself refuses unknown words and concepts, repeated ids, bounds in the wrong unit, windows
that are missing, codes with wrong check digits (`forms`, `trials`, `mappings`). The checks here
look at whole trials with their cases.
"""

from cds.content.checks.case_names import case_names
from cds.content.checks.content import Content
from cds.content.checks.contradictions import contradictions
from cds.content.checks.effective_dates import effective_dates
from cds.content.checks.empty_sets import empty_sets
from cds.content.checks.failing_cases import failing_cases
from cds.content.checks.missing_statuses import missing_statuses
from cds.content.checks.sign_offs import sign_offs
from cds.content.checks.unnoticed_changes import unnoticed_changes
from cds.content.checks.unused_concepts import unused_concepts

CHECKS = (
    contradictions,
    empty_sets,
    unused_concepts,
    case_names,
    failing_cases,
    missing_statuses,
    unnoticed_changes,
    sign_offs,
    effective_dates,
)

__all__ = [
    "CHECKS",
    "Content",
    "case_names",
    "contradictions",
    "effective_dates",
    "empty_sets",
    "failing_cases",
    "missing_statuses",
    "sign_offs",
    "unnoticed_changes",
    "unused_concepts",
]
