"""From single entries of a record (conditions, procedures, drugs) to one answer.

Each entry weighs in one of four ways; the heaviest decides. What is not there counts as absent
only where the resource types were read completely (closed world over what was retrieved).
"""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from cds.core.answer import Answer, Evidence, Gap, Missing
from cds.core.facts import Retrieval
from cds.core.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cds.core.facts import Facts


class Weight(Enum):
    """What one entry says about the statement."""

    DECIDES = "it holds"
    UNDATED = "it may hold: a date is missing or too vague"
    REVIEW = "a human must say whether it holds"
    AGAINST = "it does not count"


class Weighed(msgspec.Struct, frozen=True, gc=False):
    """One entry with its weight, what to say about it, and when it stops counting."""

    weight: Weight
    evidence: Evidence
    says: str
    changes_on: date | None = None


def conclude(
    weighed: Sequence[Weighed], *, concept: str, absent: str, unread: Sequence[str]
) -> Answer:
    """One answer from weighed entries.

    `absent` is the reason where nothing counts; `unread` names the resource types that were not
    read completely and without which absence proves nothing.
    """
    deciding = [entry for entry in weighed if entry.weight is Weight.DECIDES]
    if deciding:
        dates = [entry.changes_on for entry in deciding]
        known = [day for day in dates if day is not None]
        changes_on = max(known) if len(known) == len(dates) else None
        return Answer(Truth.MET, _say(deciding), _evidence(deciding), (), changes_on)
    undated = [entry for entry in weighed if entry.weight is Weight.UNDATED]
    review = [entry for entry in weighed if entry.weight is Weight.REVIEW]
    gaps: list[Missing] = []
    says: list[str] = []
    if unread:
        gaps.append(Missing(concept, Gap.NOT_RETRIEVED))
        says.append(f"{' and '.join(unread)} could not be read completely")
    if undated:
        gaps.append(Missing(concept, Gap.DATE))
        says.append(_say(undated))
    if review:
        gaps.append(Missing(concept, Gap.JUDGEMENT))
        says.append(_say(review))
    if gaps:
        return Answer(Truth.UNKNOWN, "; ".join(says), _evidence([*undated, *review]), tuple(gaps))
    against = [entry for entry in weighed if entry.weight is Weight.AGAINST]
    reason = _say(against) if against else absent
    return Answer(Truth.NOT_MET, reason, _evidence(against))


def unread(facts: Facts, *types: str) -> list[str]:
    """Those of the resource types that were not read completely."""
    return [kind for kind in types if facts.retrieved(kind) is not Retrieval.COMPLETE]


def none_recorded(facts: Facts, label: str, words: str, *types: str) -> str:
    """'no hypertension recorded (12 conditions read, 1 not recognised)'."""
    total = sum(facts.totals.get(kind, 0) for kind in types)
    unrecognised = sum(facts.unrecognised.get(kind, 0) for kind in types)
    return f"no {label} recorded ({total} {words} read, {unrecognised} not recognised)"


def _say(entries: Sequence[Weighed]) -> str:
    return "; ".join(dict.fromkeys(entry.says for entry in entries))


def _evidence(entries: Sequence[Weighed]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(entry.evidence for entry in entries))
