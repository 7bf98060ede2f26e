"""The upper limits of normal that a result carries, as far as they fit the patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.core.answer import Gap

if TYPE_CHECKING:
    from decimal import Decimal

    from cds.core.facts import Patient, ReferenceRange, Result
    from cds.core.when import Evaluation


def upper_limits(result: Result, patient: Patient, asked: Evaluation) -> tuple[Decimal, ...]:
    """The upper limits of normal on the result that fit the patient, in the canonical unit."""
    return limits_of(result, patient, asked)[0]


def limits_of(
    result: Result, patient: Patient, asked: Evaluation
) -> tuple[tuple[Decimal, ...], Gap | None]:
    """The upper limits of the result's own ranges that may fit the patient; else the gap."""
    if len(result.ranges) == 1 and not result.ranges[0].is_for_some:
        # Nearly every result comes with one range for everybody.
        high = result.ranges[0].high
        return ((), Gap.UNIT) if high is None else ((high,), None)
    fitting = [r for r in result.ranges if _fits(r, patient, result, asked)]
    if not fitting:
        return (), Gap.NO_RANGE
    if patient.sex not in {"male", "female"}:
        sexes = {r.sex for r in fitting}
        if None not in sexes and sexes != {"male", "female"}:
            return (), Gap.NO_RANGE
    highs = tuple(dict.fromkeys(r.high for r in fitting if r.high is not None))
    if len(highs) < len({r.high for r in fitting}):
        return (), Gap.UNIT
    return highs, None


def _fits(limits: ReferenceRange, patient: Patient, result: Result, asked: Evaluation) -> bool:
    """Whether a range may apply to the patient; an age that is not known does not fit."""
    known_sex = patient.sex in {"male", "female"}
    if limits.sex is not None and known_sex and limits.sex != patient.sex:
        return False
    if limits.age_low is None and limits.age_high is None:
        return True
    if patient.birth is None:
        return False
    on = min(result.when.last, asked.on) if result.when is not None else asked.on
    if patient.birth.last > on:
        return False
    births = (patient.birth.first, patient.birth.last)
    low, high = limits.age_low, limits.age_high
    return all(
        (low is None or low.completed(birth, on) >= low.number)
        and (high is None or high.completed(birth, on) <= high.number)
        for birth in births
    )
