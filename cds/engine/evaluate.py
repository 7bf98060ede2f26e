"""Criterion by criterion, trial by trial: from facts to determinations."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from cds.core.criterion import (
    Criterion,
    Decision,
    Determination,
    Kind,
    Overall,
    Status,
    Trial,
)
from cds.core.truth import Truth, negate
from cds.engine.once import answer_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from cds.core.answer import Answer
    from cds.core.facts import Facts
    from cds.core.when import Evaluation


def decide(criterion: Criterion, facts: Facts, asked: Evaluation) -> Decision:
    """One criterion for one patient.

    An exclusion describes the excluded state; its truth is negated here, once, at the end.
    """
    if criterion.silence is not None:
        decision = criterion.silence.decision(criterion, facts, asked)
        if decision is not None:
            return decision
    answer = answer_of(criterion.form, facts, asked)
    truth = answer.truth if criterion.kind is Kind.INCLUSION else negate(answer.truth)
    if not criterion.reviewed:
        status = Status.REVIEW
    elif truth is Truth.UNKNOWN:
        status = _of_unknown(answer)
    else:
        status = Status.PASS if truth is Truth.MET else Status.FAIL
    return Decision(
        criterion,
        status,
        answer.reason,
        answer.evidence,
        answer.gaps,
        answer.changes_on if status is Status.FAIL else None,
    )


def decide_target(trial: Trial, facts: Facts, asked: Evaluation) -> Decision:
    """The target diagnosis of one trial for one patient."""
    return decide(next(c for c in trial.criteria if c.id == trial.target), facts, asked)


def determine(
    trial: Trial, facts: Facts, asked: Evaluation, first: Decision | None = None
) -> Determination:
    """One trial for one patient; `first` is the target diagnosis where it is decided already.

    Where the target diagnosis fails, it is the only decision: nothing else could matter.
    """
    first = first or decide_target(trial, facts, asked)
    if first.status is Status.FAIL:
        return target_alone(trial, first)
    known = repeat(None) if trial.silence is None else trial.silence.decisions(trial, facts, asked)
    decisions = tuple(
        first if criterion.id == trial.target else decision or decide(criterion, facts, asked)
        for criterion, decision in zip(trial.criteria, known, strict=False)
    )
    return Determination(trial, *_overall(decisions), decisions)


def target_alone(trial: Trial, first: Decision) -> Determination:
    """One trial of which nothing but the target diagnosis was decided."""
    return Determination(trial, *_overall((first,)), (first,))


def _of_unknown(answer: Answer) -> Status:
    return Status.UNKNOWN if answer.needs_data else Status.REVIEW


def _overall(decisions: Sequence[Decision]) -> tuple[Overall, date | None]:
    failed = [decision for decision in decisions if decision.status is Status.FAIL]
    if failed:
        dates = [d.clears_on for d in failed if d.clears_on is not None]
        return Overall.INELIGIBLE, max(dates) if len(dates) == len(failed) else None
    if any(decision.status is Status.UNKNOWN for decision in decisions):
        return Overall.UNDETERMINED, None
    return Overall.POTENTIALLY_ELIGIBLE, None
