"""Bounds that nobody can meet together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.fault import Fault
from cds.engine.group import AllOf
from cds.engine.lab import Lab, Sign
from cds.engine.person import Age

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.content.checks.content import Content
    from cds.core.criterion import Characteristic

_UPWARD = {Sign.AT_LEAST, Sign.ABOVE}
_STRICT = {Sign.ABOVE, Sign.BELOW}
_CURE = "Say any_of if one of them is enough, or correct a bound."


def contradictions(content: Content) -> Iterator[Fault]:
    """Parts of one all_of that ask the same result, or the age, to lie on both sides."""
    for _, criterion, file, line in content.criteria():
        for says in _inside(criterion.form):
            yield Fault(file, line, f"{criterion.id}: {says}", _CURE)


def _inside(form: Characteristic) -> Iterator[str]:
    if isinstance(form, AllOf):
        parts = list(_parts_of_all(form))
        yield from _of_labs([part for part in parts if isinstance(part, Lab)])
        yield from _of_ages([part for part in parts if isinstance(part, Age)])
    for part in form.parts():
        yield from _inside(part)


def _parts_of_all(form: AllOf) -> Iterator[Characteristic]:
    for part in form.of:
        if isinstance(part, AllOf):
            yield from _parts_of_all(part)
        else:
            yield part


def _of_labs(labs: list[Lab]) -> Iterator[str]:
    for low in labs:
        for high in labs:
            if low.sign is None or high.sign is None:
                continue
            if low.sign not in _UPWARD or high.sign in _UPWARD:
                continue
            if low.concepts != high.concepts or len(low.bounds) != 1 or len(high.bounds) != 1:
                continue
            one, other = low.bounds[0], high.bounds[0]
            if (one.uln is None) != (other.uln is None) or one.sex != other.sex:
                continue
            least, most = ((b.uln or b.value, b.value) for b in (one, other))
            strict = low.sign in _STRICT or high.sign in _STRICT
            if least > most or (least == most and strict):
                signs = (low.sign.value, high.sign.value)
                bounds = (one.words(low.unit), other.words(high.unit))
                yield f"no {low.label} is {signs[0]} {bounds[0]} and {signs[1]} {bounds[1]}."


def _of_ages(ages: list[Age]) -> Iterator[str]:
    lows = [age.at_least for age in ages if age.at_least is not None]
    highs = [age.at_most for age in ages if age.at_most is not None]
    if lows and highs and max(lows) > min(highs):
        yield f"nobody is at least {max(lows)} and at most {min(highs)}."
