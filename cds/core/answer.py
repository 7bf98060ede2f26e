"""What one statement about a patient comes to: its truth, why, from what, and what is missing."""

from __future__ import annotations

from datetime import date
from enum import Enum

import msgspec

from cds.core.truth import Truth


class Gap(Enum):
    """Why the chart could not answer; the values are the contract's words."""

    NOT_RETRIEVED = "not-retrieved"
    NOT_RECORDED = "not-recorded"
    TOO_OLD = "too-old"
    NO_VALUE = "no-value"
    NO_RANGE = "no-range"
    UNIT = "unit"
    IMPLAUSIBLE = "implausible"
    CONFLICTING = "conflicting"
    DATE = "date"
    JUDGEMENT = "judgement"


class Missing(msgspec.Struct, frozen=True, gc=False):
    """One thing the chart does not say: which concept, and why."""

    concept: str
    gap: Gap


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """A resource that was read for an answer: its reference, value or name as received, date."""

    reference: str
    display: str
    date: str | None = None


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The truth of one statement with its reason, evidence and gaps.

    `gaps` is not empty exactly when `truth` is UNKNOWN. `changes_on` is the first date on which
    the answer would no longer be what it is if nothing else happened, where only the passing of a
    window changes it; else None.
    """

    truth: Truth
    reason: str
    evidence: tuple[Evidence, ...] = ()
    gaps: tuple[Missing, ...] = ()
    changes_on: date | None = None

    @property
    def needs_data(self) -> bool:
        """Whether some datum, not only a human's judgement, is missing."""
        return any(missing.gap is not Gap.JUDGEMENT for missing in self.gaps)
