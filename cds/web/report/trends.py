"""Results of one test over time against the bound that a criterion sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.engine.lab import Lab, Sign
from cds.engine.words import reading as in_words
from cds.web.report.leaves import leaves
from cds.web.report.model import Point, Trend

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from decimal import Decimal

    from cds.core.criterion import Decision
    from cds.core.facts import Facts, Reading, Result
    from cds.core.when import Evaluation

_MOST_POINTS = 24
_COMPARE = {
    Sign.AT_LEAST: lambda value, limit: value >= limit,
    Sign.AT_MOST: lambda value, limit: value <= limit,
    Sign.ABOVE: lambda value, limit: value > limit,
    Sign.BELOW: lambda value, limit: value < limit,
}


def trends_of(decisions: Sequence[Decision], facts: Facts, asked: Evaluation) -> tuple[Trend, ...]:
    """The trends of one trial; criteria with the same bound share one.

    What lies outside its bound or cannot be compared stands first, otherwise protocol order.
    """
    found: dict[tuple[object, ...], Trend] = {}
    for decision in decisions:
        for leaf in leaves(decision.criterion.form):
            if not isinstance(leaf, Lab) or leaf.sign is None:
                continue
            key = (leaf.concepts, leaf.bounds, _side(leaf))
            known = found.get(key)
            if known is None:
                trend = _trend(leaf, decision, facts, asked)
                if trend is not None:
                    found[key] = trend
            elif decision.criterion.id not in known.criteria:
                both = (*known.criteria, decision.criterion.id)
                found[key] = _with_criteria(known, both)
    return tuple(sorted(found.values(), key=_is_quiet))


def _is_quiet(trend: Trend) -> bool:
    return trend.points[-1].meets is True and not trend.too_old


def _with_criteria(trend: Trend, criteria: tuple[str, ...]) -> Trend:
    return msgspec.structs.replace(trend, criteria=criteria)


def _side(lab: Lab) -> str:
    """The side of the bound on which a patient is let in; at the bound itself nobody can see it."""
    upward = lab.sign in {Sign.AT_LEAST, Sign.ABOVE}
    return "above" if upward is not lab.excluding else "below"


def _trend(lab: Lab, decision: Decision, facts: Facts, asked: Evaluation) -> Trend | None:
    since = lab.read_since(facts)
    results = {
        result
        for concept in lab.concepts
        for result in facts.results.get(concept, ())
        if _is_drawn(result, asked, since)
    }
    used = {evidence.reference for evidence in decision.evidence}

    def place(result: Result) -> tuple[int, bool, int, str]:
        """By date; of the same instant what decided comes last, as an amended result does."""
        start = result.when.start if result.when else 0
        return start, result.reference in used, result.issued or 0, result.reference

    ordered = sorted(results, key=place)
    points = [_point(lab, result, facts, asked) for result in ordered[-_MOST_POINTS:]]
    drawn = tuple(point for point in points if point is not None)
    if not drawn:
        return None
    bounds = [b for b in lab.bounds if b.sex in (None, facts.patient.sex)] or list(lab.bounds)
    assert lab.sign is not None  # noqa: S101 - asked of labs with a bound only
    sign = lab.sign.value
    needs = " or ".join(f"{sign} {bound.words(lab.unit)}" for bound in bounds)
    too_old = lab.look_back is not None and drawn[-1].day < lab.look_back.before(asked.on)
    return Trend(
        (decision.criterion.id,), lab.label, lab.unit, needs, drawn, lab.excluding, too_old, since
    )


def _is_drawn(result: Result, asked: Evaluation, since: date | None) -> bool:
    """Whether it has a place; of what was read in part, gaps between results would mislead."""
    return (
        result.reading is not None
        and result.when is not None
        and result.when.start <= asked.end
        and result.skipped is None
        and (since is None or result.when.first >= since)
    )


def _point(lab: Lab, result: Result, facts: Facts, asked: Evaluation) -> Point | None:
    reading = result.reading
    if reading is None or result.when is None:
        return None
    value = reading.high if reading.low is None else reading.low
    if value is None:
        return None
    limits = lab.limits(result, facts.patient, asked)
    shown = in_words(_rounded(reading), lab.unit) or result.display
    return Point(result.when.last, value, shown, limits, _meets(lab, reading, limits))


def _rounded(reading: Reading) -> Reading:
    """The reading for the eye: converted values come with more digits than were measured."""

    def four_digits(value: Decimal | None) -> Decimal | None:
        return value and round(value, max(3 - value.adjusted(), 0))

    return msgspec.structs.replace(
        reading, low=four_digits(reading.low), high=four_digits(reading.high)
    )


def _meets(lab: Lab, reading: Reading, limits: Sequence[Decimal]) -> bool | None:
    """Whether every value that the reading allows lies on the side that lets a patient in.

    None where that is open; a value with a comparator is left to the criterion itself.
    """
    assert lab.sign is not None  # noqa: S101 - asked of labs with a bound only
    if reading.low is None or reading.high is None:
        return None
    ends = (reading.low, reading.high)
    answers = {_COMPARE[lab.sign](end, limit) for end in ends for limit in limits}
    if len(answers) != 1:
        return None
    return answers.pop() is not lab.excluding
