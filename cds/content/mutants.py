"""Small changes to a criterion that would matter to a patient, and whether a case notices them.

A bound moves by one in its last place, a sign turns, a window moves by a day, an exclusion becomes
an inclusion. A change that no case notices shows that a promise is missing from the case files.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cds.content.cases import keeps_promise
from cds.content.examples import ASKED, examples, in_yaml
from cds.core.criterion import Kind
from cds.core.truth import Truth
from cds.core.when import Span
from cds.engine.entries import Weight
from cds.engine.evaluate import decide
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.judgement import Judgement
from cds.engine.lab import Absent, Bound, Lab, Sign
from cds.engine.medication import Medication, Time
from cds.engine.person import Age, Sex
from cds.engine.procedure import ProcedureDone
from cds.engine.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cds.content.cases import Case
    from cds.core.criterion import Characteristic, Criterion, Trial

    Change = tuple[str, str, Characteristic]

_FOUR_WEEKS = Span(days=28)
_TURNED = {
    Sign.AT_LEAST: (Sign.ABOVE, Sign.AT_MOST),
    Sign.ABOVE: (Sign.AT_LEAST, Sign.BELOW),
    Sign.AT_MOST: (Sign.BELOW, Sign.AT_LEAST),
    Sign.BELOW: (Sign.AT_MOST, Sign.ABOVE),
}
_OTHER_WEIGHT = {Weight.REVIEW: Weight.AGAINST, Weight.AGAINST: Weight.REVIEW}
_OTHER_SEX = {"male": "female", "female": "male"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A criterion with one change, which `says` puts in words.

    `what` groups changes: bound, sign, window, kind, when …
    """

    what: str
    says: str
    criterion: Criterion


def mutants(criterion: Criterion) -> Iterator[Mutant]:
    """Every small change of a criterion; none for one that only a human can decide."""
    if only_judgement(criterion.form):
        return
    other = Kind.EXCLUSION if criterion.kind is Kind.INCLUSION else Kind.INCLUSION
    says = f"{criterion.kind.value} becomes {other.value}"
    yield Mutant("kind", says, replace(criterion, kind=other))
    for what, says, form in _changes(criterion.form):
        yield Mutant(what, says, replace(criterion, form=form))


def survivors(trial: Trial, cases: Iterable[Case]) -> list[tuple[Mutant, str | None]]:
    """The changes that no case of the trial notices, in the order of the protocol.

    Each with a record that tells it apart, or None where no record does.
    """
    by_criterion: dict[str, list[Case]] = {}
    for case in cases:
        for key in {*case.expect, *case.clears_on, *case.gaps}:
            by_criterion.setdefault(key, []).append(case)
    found: list[tuple[Mutant, str | None]] = []
    for criterion in trial.criteria:
        about = by_criterion.get(criterion.id, ())
        alive = [
            mutant
            for mutant in mutants(criterion)
            if all(keeps_promise(case, mutant.criterion) for case in about)
        ]
        found += zip(alive, telling_apart(criterion, alive) if alive else [], strict=True)
    return found


def telling_apart(criterion: Criterion, changed: Sequence[Mutant]) -> list[str | None]:
    """For each change a record, as a case holds it, of which the two say different things.

    None: none was found. Some changes cannot matter: whether a resolved finding is put to a human
    or counts is the same where a human decides in either case.
    """
    found: list[str | None] = [None] * len(changed)
    for rows, facts in examples(criterion):
        left = [index for index, record in enumerate(found) if record is None]
        if not left:
            break
        one = decide(criterion, facts, ASKED)
        for index in left:
            other = decide(changed[index].criterion, facts, ASKED)
            if (one.status, one.clears_on) != (other.status, other.clears_on):
                found[index] = in_yaml(rows)
    return found


def only_judgement(form: Characteristic) -> bool:
    """Whether nothing in a form can be decided by data."""
    if isinstance(form, Judgement):
        return True
    parts = list(form.parts())
    return bool(parts) and all(only_judgement(part) for part in parts)


def _changes(form: Characteristic) -> Iterator[Change]:
    """Every small change inside a form, as whole forms."""
    if isinstance(form, AllOf | AnyOf):
        yield from _changes_of_group(form)
    elif isinstance(form, Not):
        yield "group", "'not' is dropped", form.of
        for what, says, part in _changes(form.of):
            yield what, says, Not(part)
    elif isinstance(form, Lab):
        yield from _changes_of_lab(form)
    elif isinstance(form, Finding):
        yield from _changes_of_finding(form)
    elif isinstance(form, Medication):
        yield from _changes_of_medication(form)
    elif isinstance(form, ProcedureDone):
        yield from _changes_of_procedure(form)
    elif isinstance(form, Age):
        yield from _changes_of_age(form)
    elif isinstance(form, Sex):
        yield from _changes_of_sex(form)


def _changes_of_group(form: AllOf | AnyOf) -> Iterator[Change]:
    other = AnyOf(form.of) if isinstance(form, AllOf) else AllOf(form.of)
    if len(form.of) > 1:
        yield "group", f"{_head(form)} becomes {_head(other)}", other
    for index, part in enumerate(form.of):
        rest = (*form.of[:index], *form.of[index + 1 :])
        if rest:
            yield "group", f"part {index + 1} of {_head(form)} is dropped", replace(form, of=rest)
        for what, says, changed in _changes(part):
            whole = (*form.of[:index], changed, *form.of[index + 1 :])
            yield what, says, replace(form, of=whole)


def _head(form: AllOf | AnyOf) -> str:
    return "all_of" if isinstance(form, AllOf) else "any_of"


def _changes_of_lab(form: Lab) -> Iterator[Change]:
    for sign in _TURNED.get(form.sign, ()) if form.sign is not None else ():
        says = f"{form.label}: {form.sign.value if form.sign else ''} becomes {sign.value}"
        yield "sign", says, replace(form, sign=sign)
    for index, bound in enumerate(form.bounds):
        for moved in _moved(bound):
            bounds = (*form.bounds[:index], moved, *form.bounds[index + 1 :])
            before, after = bound.words(form.unit), moved.words(form.unit)
            says = f"{form.label}: {before} becomes {after}{f' ({bound.sex})' if bound.sex else ''}"
            yield "bound", says, replace(form, bounds=bounds)
    if len({bound.sex for bound in form.bounds}) > 1:
        crossed = tuple(replace(b, sex=_OTHER_SEX.get(b.sex or "", b.sex)) for b in form.bounds)
        yield (
            "bound",
            f"{form.label}: the limits of men and women change places",
            replace(form, bounds=crossed),
        )
    if not form.any_result:
        yield from _changes_of_look_back(form)
    else:
        yield (
            "any_result",
            f"{form.label}: only the newest result counts",
            replace(form, any_result=False),
        )
    for absent in Absent:
        if absent is not form.absent:
            says = f"{form.label}: no usable result means {absent.value}"
            yield "none", says, replace(form, absent=absent)
    if form.undecided is Absent.REVIEW:
        says = f"{form.label}: a result that settles nothing is unknown"
        yield "undecided", says, replace(form, undecided=Absent.UNKNOWN)


def _changes_of_look_back(form: Lab) -> Iterator[Change]:
    if form.look_back is None:
        says = f"{form.label}: a result of any age becomes one of the last {_FOUR_WEEKS}"
        yield "window", says, replace(form, look_back=_FOUR_WEEKS)
        return
    for says, span in _a_day_off(form.look_back):
        yield "window", f"{form.label}: look-back {says}", replace(form, look_back=span)


def _moved(bound: Bound) -> Iterator[Bound]:
    """The bound one less and one more in its last place; × ULN moves by a tenth at most."""
    if bound.uln is None or bound.value:
        step = _last_place(bound.value)
        yield replace(bound, value=bound.value - step)
        yield replace(bound, value=bound.value + step)
    else:
        step = min(_last_place(bound.uln), Decimal("0.1"))
        yield replace(bound, uln=bound.uln - step)
        yield replace(bound, uln=bound.uln + step)


def _last_place(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    return Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)


def _a_day_off(span: Span) -> Iterator[tuple[str, Span]]:
    yield f"{span} becomes a day shorter", replace(span, days=span.days - 1)
    yield f"{span} becomes a day longer", replace(span, days=span.days + 1)


def _windows(window: Window | None) -> Iterator[tuple[str, Window]]:
    if window is not None:
        for says, span in _a_day_off(window.span):
            yield says, replace(window, span=span)


def _changes_of_finding(form: Finding) -> Iterator[Change]:
    for says, window in _windows(form.within):
        yield "window", f"{form.label}: within {says}", replace(form, within=window)
    for says, window in _windows(form.ended_within):
        yield "window", f"{form.label}: ended within {says}", replace(form, ended_within=window)
    if form.active:
        yield "when", f"{form.label}: past ones count like active ones", replace(form, active=False)
        other = _OTHER_WEIGHT[form.resolved]
        yield "resolved", f"{form.label}: resolved {other.value}", replace(form, resolved=other)
    elif form.within is None and form.ended_within is None:
        yield "when", f"{form.label}: only active ones count", replace(form, active=True)
    if form.within is not None:
        other = _OTHER_WEIGHT[form.older]
        yield "older", f"{form.label}: older {other.value}", replace(form, older=other)
    for concept in sorted(form.excluding):
        says = f"{form.label}: {concept} is no longer excepted"
        yield "except", says, replace(form, excluding=form.excluding - {concept})


def _changes_of_procedure(form: ProcedureDone) -> Iterator[Change]:
    for says, window in _windows(form.within):
        yield "window", f"{form.label}: {says}", replace(form, within=window)
    if form.within is None:
        says = f"{form.label}: ever becomes within {_FOUR_WEEKS}"
        yield "when", says, replace(form, within=Window(_FOUR_WEEKS))
    elif form.within.inclusive:
        other = _OTHER_WEIGHT[form.older]
        yield "older", f"{form.label}: older {other.value}", replace(form, older=other)
    for concept in sorted(form.excluding):
        says = f"{form.label}: {concept} is no longer excepted"
        yield "except", says, replace(form, excluding=form.excluding - {concept})


def _changes_of_medication(form: Medication) -> Iterator[Change]:
    for says, window in _windows(form.within):
        yield "window", f"{form.label}: {says}", replace(form, within=window)
    if form.time is not Time.WINDOW:
        other = Time.EVER if form.time is Time.CURRENT else Time.CURRENT
        says = f"{form.label}: {form.time.value} becomes {other.value}"
        yield "when", says, replace(form, time=other)
    for count in (form.distinct - 1, form.distinct + 1):
        if count:
            says = f"{form.label}: {form.distinct} different drugs become {count}"
            yield "distinct", says, replace(form, distinct=count)
    if form.planned:
        yield (
            "planned",
            f"{form.label}: a planned order no longer counts",
            replace(form, planned=False),
        )
    for concept in sorted(form.excluding):
        says = f"{form.label}: {concept} is no longer excepted"
        yield "except", says, replace(form, excluding=form.excluding - {concept})


def _changes_of_age(form: Age) -> Iterator[Change]:
    for step in (-1, 1):
        if form.at_least is not None:
            says = f"age: at least {form.at_least} becomes {form.at_least + step}"
            yield "bound", says, replace(form, at_least=form.at_least + step)
        if form.at_most is not None:
            says = f"age: at most {form.at_most} becomes {form.at_most + step}"
            yield "bound", says, replace(form, at_most=form.at_most + step)


def _changes_of_sex(form: Sex) -> Iterator[Change]:
    if not form.sexes:
        yield "sex", "any sex becomes female only", replace(form, sexes=("female",))
        return
    flipped = tuple(_OTHER_SEX[sex] for sex in form.sexes)
    yield "sex", f"{form.sexes[0]} becomes {flipped[0]}", replace(form, sexes=flipped)
    other = Truth.NOT_MET if form.otherwise is Truth.UNKNOWN else Truth.UNKNOWN
    yield "sex", f"sex not recorded means {other.value}", replace(form, otherwise=other)
