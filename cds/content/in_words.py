"""A criterion's form in words that a pharmacist can read aloud, its windows and what it misses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.core.truth import Truth
from cds.engine.entries import Weight
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.judgement import Judgement
from cds.engine.lab import Absent, Lab, Sign
from cds.engine.medication import Medication, Time
from cds.engine.person import Age, Sex
from cds.engine.procedure import ProcedureDone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cds.core.criterion import Characteristic
    from cds.engine.window import Window

_SIGNS = {
    Sign.AT_LEAST: "at least",
    Sign.AT_MOST: "at most",
    Sign.ABOVE: "above",
    Sign.BELOW: "below",
}
_WEIGHS = {Weight.REVIEW: "is for a human", Weight.AGAINST: "does not count"}
_INDENT = "  "


def in_words(form: Characteristic, labels: Mapping[str, str]) -> list[str]:
    """The form as a Markdown list, one line for each statement; groups are indented."""
    return list(_lines(form, labels, ""))


def windows(form: Characteristic) -> list[str]:
    """Every length of time in a form, in words, each once."""
    return list(dict.fromkeys(_windows(form)))


def unknowns(form: Characteristic) -> list[str]:
    """What leaves a form unknown, in words, each once; what only a human can say is not here."""
    return list(dict.fromkeys(_unknowns(form)))


def _lines(form: Characteristic, labels: Mapping[str, str], indent: str) -> Iterator[str]:
    head, parts = _group(form)
    if head:
        yield f"{indent}- {head}"
        for part in parts:
            yield from _lines(part, labels, indent + _INDENT)
        return
    yield f"{indent}- {_said(form, labels)}"
    if isinstance(form, Judgement):
        for shown in form.showing:
            yield from _lines(shown, labels, f"{indent}{_INDENT}")


def _group(form: Characteristic) -> tuple[str, tuple[Characteristic, ...]]:
    if isinstance(form, AllOf):
        return "all of these hold:", form.of
    if isinstance(form, AnyOf):
        return "at least one of these holds:", form.of
    if isinstance(form, Not):
        return "this does not hold:", (form.of,)
    return "", ()


def _said(form: Characteristic, labels: Mapping[str, str]) -> str:
    if isinstance(form, Lab):
        return _lab(form)
    if isinstance(form, Finding | Medication | ProcedureDone):
        return _entries(form) + _except(form.excluding, labels)
    if isinstance(form, Judgement):
        shown = "; shown with it:" if form.showing else ""
        return f"a human answers: *{form.question}*{shown}"
    if isinstance(form, Age):
        return _age(form)
    if isinstance(form, Sex):
        return _sex(form)
    message = f"There are no words for {type(form).__name__}."
    raise TypeError(message)


def _entries(form: Finding | Medication | ProcedureDone) -> str:
    if isinstance(form, Finding):
        return _finding(form)
    return _medication(form) if isinstance(form, Medication) else _procedure(form)


def _age(form: Age) -> str:
    bounds = [f"at least {form.at_least}"] if form.at_least is not None else []
    bounds += [f"at most {form.at_most}"] if form.at_most is not None else []
    return f"age in completed years is {' and '.join(bounds)}"


def _sex(form: Sex) -> str:
    if not form.sexes:
        return "any sex"
    rest = "; other, unknown or not recorded does not count as it"
    return f"sex is {' or '.join(form.sexes)}{rest if form.otherwise is Truth.NOT_MET else ''}"


def _lab(form: Lab) -> str:
    time = "at any time" if form.look_back is None else f"within {form.look_back}"
    which = "any" if form.any_result else "the newest"
    bounds = " or ".join(
        f"{_SIGNS[form.sign]} {b.words(form.unit)}{_of(b.sex)}"
        for b in form.bounds
        if form.sign is not None
    )
    says = f"{which} {form.label} result {time} is {'positive' if form.positive else bounds}"
    if form.absent is not Absent.UNKNOWN:
        means = "this does not hold" if form.absent is Absent.NO else "a human says"
        says += f"; without a usable result {means}"
    if form.undecided is Absent.REVIEW:
        says += "; a result that does not settle it is for a human"
    return says


def _of(sex: str | None) -> str:
    return {"male": " (men and boys)", "female": " (women and girls)"}.get(sex or "", "")


def _finding(form: Finding) -> str:
    says = f"{form.label} is recorded"
    if form.ended_within is not None:
        says = f"{form.label} is active, or ended within {form.ended_within.span}"
    elif form.active:
        says = f"{form.label} is recorded and active"
    elif form.within is None:
        says += ", whenever it was"
    if form.within is not None:
        says += f", with onset within {form.within.span}; an older one {_WEIGHS[form.older]}"
    if form.active:
        says += f"; a resolved one {_WEIGHS[form.resolved]}"
    return says


def _procedure(form: ProcedureDone) -> str:
    if form.within is None:
        says = f"{form.label} was done, whenever it was"
    elif form.within.inclusive:
        says = f"{form.label} was done {_in(form.within)}; an older one {_WEIGHS[form.older]}"
    else:
        says = f"{form.label} was done {_in(form.within)}"
    return says


def _medication(form: Medication) -> str:
    number = f"{form.distinct} or more different drugs: " if form.distinct > 1 else ""
    if form.time is Time.EVER:
        says = f"{form.label} was ever taken or ordered"
    elif form.within is None:
        says = f"{form.label} is taken now"
    else:
        says = f"{form.label} was taken {_in(form.within)}"
    if form.planned:
        says += ", or is ordered for later"
    return f"{number}{says}"


def _in(window: Window) -> str:
    if window.inclusive:
        return f"within {window.span} (that day counts)"
    return f"less than {window.span} ago (that day is enough)"


def _except(concepts: frozenset[str], labels: Mapping[str, str]) -> str:
    names = ", ".join(sorted(labels.get(key, key) for key in concepts))
    return f"; entries that are also {names} do not count" if names else ""


def _windows(form: Characteristic) -> Iterator[str]:
    if isinstance(form, Lab):
        span = form.look_back
        yield f"{form.label}: {'any time' if span is None else f'the last {span}'}"
    elif isinstance(form, Finding | ProcedureDone | Medication):
        for window in (form.within, getattr(form, "ended_within", None)):
            if window is not None:
                yield f"{form.label}: {_in(window)}"
    if not isinstance(form, Judgement):
        for part in form.parts():
            yield from _windows(part)


def _unknowns(form: Characteristic) -> Iterator[str]:
    if isinstance(form, Lab):
        yield from _unknowns_of_lab(form)
    elif isinstance(form, Finding | ProcedureDone | Medication):
        yield from _unknowns_of_entries(form)
    elif isinstance(form, Age):
        yield "no date of birth, or one too vague"
    elif isinstance(form, Sex) and form.sexes and form.otherwise is Truth.UNKNOWN:
        yield "sex not recorded as male or female"
    elif not isinstance(form, Judgement):
        for part in form.parts():
            yield from _unknowns(part)


def _unknowns_of_entries(form: Finding | ProcedureDone | Medication) -> Iterator[str]:
    if isinstance(form, Medication):
        yield "medication lists not read, or only in part"
        if form.time is not Time.EVER:
            yield "a drug whose last use is not recorded"
        return
    types = ("Condition",) if isinstance(form, Finding) else form.types
    yield f"{' or '.join(f'{kind.lower()}s' for kind in types)} not read, or only in part"
    if form.within is not None or getattr(form, "ended_within", None) is not None:
        yield "an entry without a date that settles it"


def _unknowns_of_lab(form: Lab) -> Iterator[str]:
    if form.absent is Absent.UNKNOWN:
        time = "" if form.look_back is None else f" of the last {form.look_back}"
        yield f"no {form.label} result{time} with a value"
    else:
        yield f"{form.label} results not read, or only in part"
    yield f"a newest {form.label} result that cannot be used (unit, magnitude, date)"
    if any(bound.uln is not None for bound in form.bounds):
        yield f"{form.label} without an upper limit of normal that fits the patient"
