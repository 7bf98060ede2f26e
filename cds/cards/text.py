"""An assessment as plain text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.cards.words import counted, readable, spoken_date
from cds.core.criterion import Overall, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cds.core.assessment import Assessment
    from cds.core.criterion import Determination

_SHAPES = {Status.FAIL: "✗", Status.UNKNOWN: "?", Status.REVIEW: "☐", Status.PASS: "✓"}
_HEADINGS = {
    Status.FAIL: "Rules out",
    Status.UNKNOWN: "Cannot be told from the record",
    Status.REVIEW: "For a human to judge",
    Status.PASS: "Does not stand in the way",
}


def assessment_text(assessment: Assessment, labels: Mapping[str, str]) -> str:
    """The whole assessment, the decisive things of each trial first."""
    return "\n".join(_lines(assessment, labels))


def _lines(assessment: Assessment, labels: Mapping[str, str]) -> Iterator[str]:
    yield f"{assessment.patient} on {spoken_date(assessment.on)}"
    if assessment.deceased:
        yield "The patient is recorded as deceased: nothing is evaluated."
    for problem in assessment.problems:
        where = f" [{problem.reference}]" if problem.reference else ""
        yield f"! {problem.kind}: {readable(problem.says)}{where}"
    for determination in assessment.determinations:
        yield ""
        yield from _trial(determination, labels)


def _trial(determination: Determination, labels: Mapping[str, str]) -> Iterator[str]:
    trial = determination.trial
    verdict = determination.overall.value
    if determination.clears_on is not None:
        verdict += f" (by time only; possible from {spoken_date(determination.clears_on)})"
    yield f"{trial.id} {trial.short_title}: {verdict}"
    recruitment = trial.recruitment
    yield f"  recruitment: {recruitment.status} (registry, {recruitment.as_of})"
    for status, shape in _SHAPES.items():
        decisions = determination.with_status(status)
        if not decisions:
            continue
        number = counted(len(decisions), "criterion", "criteria")
        yield f"  {_HEADINGS[status]}: {number}"
        for decision in decisions:
            clears = f"; clears on {spoken_date(decision.clears_on)}" if decision.clears_on else ""
            criterion = decision.criterion
            yield f"    {shape} {criterion.id} {readable(criterion.reading)}"
            yield f"        {readable(decision.reason)}{clears}"
            gaps = ", ".join(
                f"{labels.get(m.concept, m.concept)}: {m.gap.value}" for m in decision.gaps
            )
            if gaps and status is Status.UNKNOWN:
                yield f"        missing: {gaps}"
    if determination.overall is not Overall.INELIGIBLE:
        yield "  Software never says 'eligible': a person enrols."
