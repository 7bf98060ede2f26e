"""Statements made of statements: all_of, any_of, not."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from cds.core.answer import Answer, Evidence, Gap, Missing
from cds.core.criterion import Characteristic
from cds.core.truth import Truth, negate
from cds.engine.judgement import Asking, Judgement
from cds.engine.once import answer_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import date

    from cds.core.facts import Facts
    from cds.core.when import Evaluation


class AllOf(msgspec.Struct, frozen=True, dict=True):
    """True when every part is; false as soon as one is false, however much is unknown."""

    of: tuple[Characteristic, ...]

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Decide every part, so that the reason can name all that count."""
        return _combine(self, Asking.NOW, facts, asked)

    def parts(self) -> Iterator[Characteristic]:
        """The parts, in order."""
        return iter(self.of)

    @cached_property
    def asks(self) -> bool:
        """Whether a question for a human stands in it."""
        return any(map(_asks, self.of))


class AnyOf(msgspec.Struct, frozen=True, dict=True):
    """True as soon as one part is, however much is unknown; false when every part is false."""

    of: tuple[Characteristic, ...]

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Decide every part, so that the reason can name all that count."""
        return _combine(self, Asking.NOW, facts, asked)

    def parts(self) -> Iterator[Characteristic]:
        """The parts, in order."""
        return iter(self.of)

    @cached_property
    def asks(self) -> bool:
        """Whether a question for a human stands in it."""
        return any(map(_asks, self.of))


class Not(msgspec.Struct, frozen=True):
    """True when its part is false; an unknown stays unknown, for the same cause."""

    of: Characteristic

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Negate the part's truth; its reason, evidence and gaps stay."""
        return _negated(answer_of(self.of, facts, asked))

    def parts(self) -> Iterator[Characteristic]:
        """The one part."""
        yield self.of


def _asks(form: Characteristic) -> bool:
    if isinstance(form, AllOf | AnyOf):
        return form.asks
    return isinstance(form, Judgement) or any(map(_asks, form.parts()))


def _negated(inner: Answer) -> Answer:
    return Answer(
        negate(inner.truth),
        inner.reason,
        inner.evidence,
        inner.gaps,
        inner.changes_on,
    )


def _combine(form: AllOf | AnyOf, asking: Asking, facts: Facts, asked: Evaluation) -> Answer:
    """Kleene's table for all_of (NOT_MET decides) and any_of (MET decides).

    The parts that decided give the reason. Where none decides alone, unknown parts do, with what
    is already settled in the way they point as evidence; where all agree, all of them do.
    `asking` is what the statements around this one leave to its questions.
    """
    decisive = Truth.NOT_MET if isinstance(form, AllOf) else Truth.MET
    answers = [answer_of(part, facts, asked) for part in form.of]
    deciding = [answer for answer in answers if answer.truth is decisive]
    if deciding:
        return _joined(decisive, deciding, changes_on=_last([a.changes_on for a in deciding]))
    unknown = [answer for answer in answers if answer.truth is Truth.UNKNOWN]
    if unknown:
        if form.asks:
            unknown = _unknown_parts(form, asking, facts, asked)
        settled = [a for a in answers if a.truth is not Truth.UNKNOWN and a.evidence]
        return _joined(Truth.UNKNOWN, [*unknown, *settled], changes_on=None)
    dates = [answer.changes_on for answer in answers if answer.changes_on is not None]
    return _joined(negate(decisive), answers, changes_on=min(dates, default=None))


def _unknown_parts(
    form: AllOf | AnyOf, asking: Asking, facts: Facts, asked: Evaluation
) -> list[Answer]:
    """The answers of the unknown parts, each with its questions as far as they may be put.

    A question is put when nothing else beside it is open: its words may take for granted that the
    rest of an all_of holds and the rest of an any_of does not. The alternatives of an any_of that
    are statements by themselves (all_of) do not wait for one another.
    """
    unknown = [part for part in form.of if answer_of(part, facts, asked).truth is Truth.UNKNOWN]
    open_gaps = [_open(part, facts, asked) for part in unknown]
    found: list[Answer] = []
    for place, part in enumerate(unknown):
        beside = asking
        if isinstance(form, AllOf) or not isinstance(part, AllOf):
            others = (gaps for at, gaps in enumerate(open_gaps) if at != place)
            beside = max(asking, *map(_after, others), Asking.NOW)
        found.append(_said(part, beside, facts, asked))
    # "If that leaves it open: ..." stands behind what may leave it open.
    return [found[at] for at in sorted(range(len(found)), key=lambda at: not open_gaps[at])]


def _after(gaps: Sequence[Missing]) -> Asking:
    """How a question may be put beside what these gaps leave open."""
    if not gaps:
        return Asking.NOW
    human = all(missing.gap is Gap.JUDGEMENT for missing in gaps)
    return Asking.IF_OPEN if human else Asking.NOT_YET


def _open(form: Characteristic, facts: Facts, asked: Evaluation) -> tuple[Missing, ...]:
    """The gaps that keep a statement unknown, apart from its questions."""
    answer = answer_of(form, facts, asked)
    if answer.truth is not Truth.UNKNOWN or isinstance(form, Judgement):
        return ()
    if isinstance(form, AllOf | AnyOf | Not):
        return tuple(gap for part in form.parts() for gap in _open(part, facts, asked))
    return answer.gaps


def _said(form: Characteristic, asking: Asking, facts: Facts, asked: Evaluation) -> Answer:
    """The answer of a statement whose questions may be put only so far."""
    if asking is Asking.NOW:
        return answer_of(form, facts, asked)
    if isinstance(form, Judgement):
        return form.asked(asking, facts, asked)
    if isinstance(form, AllOf | AnyOf):
        return _combine(form, asking, facts, asked)
    if isinstance(form, Not):
        return _negated(_said(form.of, asking, facts, asked))
    return answer_of(form, facts, asked)


def _last(dates: Sequence[date | None]) -> date | None:
    """The latest date, or None as soon as one of them never comes."""
    known = [day for day in dates if day is not None]
    return max(known) if len(known) == len(dates) else None


def _joined(truth: Truth, answers: Sequence[Answer], *, changes_on: date | None) -> Answer:
    if len(answers) == 1:
        only = answers[0]
        return Answer(truth, only.reason, only.evidence, only.gaps, changes_on)
    reasons = dict.fromkeys(answer.reason for answer in answers if answer.reason)
    evidence: dict[Evidence, None] = {}
    gaps: dict[Missing, None] = {}
    for answer in answers:
        for one in answer.evidence:
            evidence[one] = None
        for missing in answer.gaps:
            gaps[missing] = None
    if truth is not Truth.UNKNOWN:
        gaps = {}
    said = "; ".join(_each_once(reasons))
    return Answer(truth, said, tuple(evidence), tuple(gaps), changes_on)


def _each_once(reasons: Collection[str]) -> Collection[str]:
    """The reasons without those that stand in whole in another one, which is made of several."""
    longer = [f"; {one}; " for one in reasons if "; " in one]
    if not longer:
        return reasons
    return [
        one
        for one in reasons
        if not any(f"; {one}; " in other and len(other) > len(one) + 4 for other in longer)
    ]
