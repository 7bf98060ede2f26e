"""Evidence in full: the value as received and as compared, its range, what it counts as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.core.answer import Evidence
from cds.core.facts import Clinical, Condition, Course, Exposure, Procedure, Result
from cds.core.truth import Truth
from cds.engine.lab import Lab
from cds.engine.limits import upper_limits
from cds.engine.words import amount, day, reading
from cds.web.report.leaves import leaves, looked_at
from cds.web.report.model import Proof

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cds.core.criterion import Characteristic, Decision
    from cds.core.facts import Facts
    from cds.core.when import Evaluation
    from cds.web.report.leaves import Looked

_NOT_READ = {
    "unit": "its unit is not one that we can compare",
    "implausible": "its magnitude is not plausible",
    "date": "it has no readable date",
    "no-value": "it has no value that can be read",
}


def proofs_of(
    decision: Decision, facts: Facts, asked: Evaluation, labels: Mapping[str, str]
) -> tuple[Proof, ...]:
    """The evidence of one criterion, each piece with what the record says about it in full."""
    wanted = dict.fromkeys(decision.evidence)
    found: dict[Evidence, Proof] = {}
    for leaf in leaves(decision.criterion.form):
        for evidence, proof in _of_leaf(leaf, facts, asked, labels):
            if evidence in wanted:
                found.setdefault(evidence, proof)
    return tuple(found.get(one) or _bare(one) for one in wanted)


def _bare(evidence: Evidence) -> Proof:
    return Proof(evidence.reference, evidence.display, evidence.date)


def _of_leaf(
    leaf: Characteristic, facts: Facts, asked: Evaluation, labels: Mapping[str, str]
) -> Iterator[tuple[Evidence, Proof]]:
    for looked in looked_at(leaf, facts):
        entry = looked.entry
        if isinstance(entry, Result) and isinstance(leaf, Lab):
            yield _result(entry, leaf, facts, asked)
        elif isinstance(entry, Exposure):
            yield _exposure(entry, looked, labels)
        elif isinstance(entry, Condition):
            yield _condition(entry, looked, labels)
        elif isinstance(entry, Procedure):
            yield _procedure(entry, looked, labels)


def _result(result: Result, lab: Lab, facts: Facts, asked: Evaluation) -> tuple[Evidence, Proof]:
    when = None if result.when is None else result.when.text
    limit = ""
    if any(bound.uln is not None for bound in lab.bounds):
        highs = upper_limits(result, facts.patient, asked)
        limit = " / ".join(amount(high, lab.unit) for high in highs)
    proof = Proof(
        result.reference,
        result.display,
        when,
        normal=_as_compared(result, lab),
        limit=limit,
        counts_as=lab.label,
        remark=_why_not(result),
    )
    return Evidence(result.reference, result.display, when), proof


def _as_compared(result: Result, lab: Lab) -> str:
    """'2.1 10*9/L', 'positive'; '' where nothing could be read."""
    if result.reading is None:
        return ""
    if result.reading.presence is not None and reading(result.reading, lab.unit) is None:
        words = {Truth.MET: "positive", Truth.NOT_MET: "negative", Truth.UNKNOWN: ""}
        return words[result.reading.presence]
    return reading(result.reading, lab.unit) or ""


def _why_not(result: Result) -> str:
    if result.skipped is not None:
        return result.skipped
    return "" if result.unusable is None else _NOT_READ.get(result.unusable.value, "")


def _exposure(
    exposure: Exposure, looked: Looked, labels: Mapping[str, str]
) -> tuple[Evidence, Proof]:
    when = exposure.end or exposure.start
    text = None if when is None else when.text
    remarks = [
        "for local use only" if exposure.local else "",
        "a flush or lock strength" if exposure.flush else "",
        "" if exposure.route_stated else "route not recorded",
        "" if exposure.recognised else "not in any list of drugs",
        *_doubts(looked),
    ]
    proof = Proof(
        exposure.reference,
        exposure.display,
        text,
        normal=_course(exposure),
        counts_as=_counts_as(looked, labels),
        remark=", ".join(remark for remark in remarks if remark),
    )
    return Evidence(exposure.reference, exposure.display, text), proof


def _course(exposure: Exposure) -> str:
    """'stopped, from 2026-02-14 to 2026-02-24'."""
    if exposure.dates_unreadable:
        return f"{_COURSE[exposure.course]}, a date cannot be read"
    parts = [_COURSE[exposure.course]]
    if exposure.start is not None:
        parts.append(f"from {day(exposure.start)}")
    if exposure.end is not None:
        parts.append(f"to {day(exposure.end)}")
    elif exposure.assumed_end is not None:
        parts.append(f"supply until at the latest {day(exposure.assumed_end)}")
    return ", ".join(parts)


_COURSE = {
    Course.ACTIVE: "current",
    Course.PAST: "stopped or completed",
    Course.UNCERTAIN: "on hold or status unknown",
}


def _condition(
    condition: Condition, looked: Looked, labels: Mapping[str, str]
) -> tuple[Evidence, Proof]:
    when = None if condition.event is None else condition.event.text
    states = {
        Clinical.ACTIVE: "active",
        Clinical.INACTIVE: "resolved or inactive",
        Clinical.NOT_STATED: "clinical status not stated",
        Clinical.UNCLEAR: "clinical status unclear",
    }
    state = states[condition.clinical]
    if condition.ended is not None:
        state += f", end {day(condition.ended)}"
    remarks = ["not confirmed" if condition.doubtful else "", *_doubts(looked)]
    proof = Proof(
        condition.reference,
        condition.display,
        when,
        normal=state,
        counts_as=_counts_as(looked, labels),
        remark=", ".join(remark for remark in remarks if remark),
    )
    return Evidence(condition.reference, condition.display, when), proof


def _procedure(
    procedure: Procedure, looked: Looked, labels: Mapping[str, str]
) -> tuple[Evidence, Proof]:
    last = procedure.end or procedure.start
    text = None if last is None else last.text
    remarks = ["it is not certain that it was done" if procedure.doubtful else "", *_doubts(looked)]
    proof = Proof(
        procedure.reference,
        procedure.display,
        text,
        normal="in progress" if procedure.running else "",
        counts_as=_counts_as(looked, labels),
        remark=", ".join(remark for remark in remarks if remark),
    )
    return Evidence(procedure.reference, procedure.display, text), proof


def _doubts(looked: Looked) -> Iterator[str]:
    if looked.mark is not None and not looked.mark.decides:
        yield "known by its text, or by a code that nobody has verified"
    if looked.mark is not None and looked.mark.history:
        yield "the code says that it happened, not that it is active"


def _counts_as(looked: Looked, labels: Mapping[str, str]) -> str:
    if not looked.concept:
        return ""
    label = labels.get(looked.concept, looked.concept.replace("_", " "))
    ingredient = "" if looked.mark is None else looked.mark.ingredient
    return f"{ingredient}: {label}" if ingredient else label
