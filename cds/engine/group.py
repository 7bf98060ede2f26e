"""Statements made of statements: all_of, any_of, not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.core.answer import Answer, Evidence, Missing
from cds.core.criterion import Characteristic
from cds.core.truth import Truth, negate
from cds.engine.once import answer_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from cds.core.facts import Facts
    from cds.core.when import Evaluation


class AllOf(msgspec.Struct, frozen=True):
    """True when every part is; false as soon as one is false, however much is unknown."""

    of: tuple[Characteristic, ...]

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Decide every part, so that the reason can name all that count."""
        return _combine([answer_of(part, facts, asked) for part in self.of], decisive=Truth.NOT_MET)

    def parts(self) -> Iterator[Characteristic]:
        """The parts, in order."""
        return iter(self.of)


class AnyOf(msgspec.Struct, frozen=True):
    """True as soon as one part is, however much is unknown; false when every part is false."""

    of: tuple[Characteristic, ...]

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Decide every part, so that the reason can name all that count."""
        return _combine([answer_of(part, facts, asked) for part in self.of], decisive=Truth.MET)

    def parts(self) -> Iterator[Characteristic]:
        """The parts, in order."""
        return iter(self.of)


class Not(msgspec.Struct, frozen=True):
    """True when its part is false; an unknown stays unknown, for the same cause."""

    of: Characteristic

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Negate the part's truth; its reason, evidence and gaps stay."""
        inner = answer_of(self.of, facts, asked)
        return Answer(
            negate(inner.truth),
            inner.reason,
            inner.evidence,
            inner.gaps,
            inner.changes_on,
        )

    def parts(self) -> Iterator[Characteristic]:
        """The one part."""
        yield self.of


def _combine(answers: Sequence[Answer], *, decisive: Truth) -> Answer:
    """Kleene's table for all_of (NOT_MET decides) and any_of (MET decides).

    The parts that decided give the reason. Where none decides alone, unknown parts do, with what
    is already settled in the way they point as evidence; where all agree, all of them do.
    """
    deciding = [answer for answer in answers if answer.truth is decisive]
    if deciding:
        return _joined(decisive, deciding, changes_on=_last([a.changes_on for a in deciding]))
    unknown = [answer for answer in answers if answer.truth is Truth.UNKNOWN]
    if unknown:
        settled = [a for a in answers if a.truth is not Truth.UNKNOWN and a.evidence]
        return _joined(Truth.UNKNOWN, [*unknown, *settled], changes_on=None)
    dates = [answer.changes_on for answer in answers if answer.changes_on is not None]
    return _joined(negate(decisive), answers, changes_on=min(dates, default=None))


def _last(dates: Sequence[date | None]) -> date | None:
    """The latest date, or None as soon as one of them never comes."""
    known = [day for day in dates if day is not None]
    return max(known) if len(known) == len(dates) else None


def _joined(truth: Truth, answers: Sequence[Answer], *, changes_on: date | None) -> Answer:
    if len(answers) == 1:
        only = answers[0]
        return Answer(truth, only.reason, only.evidence, only.gaps, changes_on)
    reasons: dict[str, None] = {}
    evidence: dict[Evidence, None] = {}
    gaps: dict[Missing, None] = {}
    for answer in answers:
        if answer.reason:
            reasons[answer.reason] = None
        for one in answer.evidence:
            evidence[one] = None
        for missing in answer.gaps:
            gaps[missing] = None
    if truth is not Truth.UNKNOWN:
        gaps = {}
    return Answer(truth, "; ".join(reasons), tuple(evidence), tuple(gaps), changes_on)
