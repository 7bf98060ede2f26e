"""From an assessment and its facts to the report that a page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cds
from cds.cards.next_step import step_to
from cds.cards.orders import Words, ordered_as, tests_to_order
from cds.core.answer import Gap
from cds.web.report.evidence import proofs_of
from cds.web.report.model import Lack, Line, Notice, Report, TrialReport
from cds.web.report.timeline import timeline_of
from cds.web.report.trends import trends_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cds.assess import Content
    from cds.core.assessment import Assessment
    from cds.core.criterion import Decision, Determination
    from cds.core.facts import Facts
    from cds.core.when import Evaluation


def report_of(  # noqa: PLR0913 - what was found, and what of it is shown
    assessment: Assessment,
    facts: Facts,
    content: Content,
    asked: Evaluation,
    *,
    trials: Collection[str],
    dated: bool = False,
) -> Report:
    """What the page shows of the named trials; `dated`: the day was fixed by a setting."""
    shown = tuple(
        _trial(determination, facts, Words(content.labels, content.orderable()), asked)
        for determination in assessment.determinations
        if determination.trial.id in trials
    )
    notices = (Notice(p.kind, p.says, p.reference) for p in assessment.problems)
    return Report(
        assessment.patient,
        assessment.on,
        cds.__version__,
        content.digest,
        shown,
        tuple(dict.fromkeys(notices)),
        dated,
    )


def _trial(
    determination: Determination, facts: Facts, words: Words, asked: Evaluation
) -> TrialReport:
    trial = determination.trial
    tests = tests_to_order(determination, words.orderable)
    return TrialReport(
        id=trial.id,
        version=trial.version,
        digest=trial.digest,
        title=trial.title,
        short_title=trial.short_title,
        sponsor=trial.sponsor,
        url=trial.url,
        recruitment=trial.recruitment.status,
        recruitment_as_of=trial.recruitment.as_of,
        signed_off=trial.signed_off,
        overall=determination.overall.value,
        clears_on=determination.clears_on,
        lines=tuple(_line(d, facts, words, asked, tests) for d in determination.decisions),
        tests=tuple(ordered_as(concept, _label(concept, words.labels)) for concept in tests),
        timeline=timeline_of(determination.decisions, facts, asked),
        trends=trends_of(determination.decisions, facts, asked),
    )


def _line(
    decision: Decision,
    facts: Facts,
    words: Words,
    asked: Evaluation,
    tests: Collection[str],
) -> Line:
    criterion = decision.criterion
    lacks = tuple(
        Lack(
            "" if missing.gap is Gap.JUDGEMENT else _label(missing.concept, words.labels),
            missing.gap.value,
            "" if missing.gap is Gap.JUDGEMENT else step_to(missing, tests, words).name.lower(),
        )
        for missing in decision.gaps
    )
    return Line(
        id=criterion.id,
        kind=criterion.kind.value,
        status=decision.status.value,
        text=criterion.text,
        reading=criterion.reading,
        reason=decision.reason,
        also=criterion.also,
        question=criterion.question,
        proofs=proofs_of(decision, facts, asked, words.labels),
        lacks=tuple(dict.fromkeys(lacks)),
        clears_on=decision.clears_on,
    )


def _label(concept: str, labels: Mapping[str, str]) -> str:
    return labels.get(concept, concept.replace("_", " "))
