"""Statements that only a human can decide, with what the record shows about them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from cds.core.answer import Answer, Evidence, Gap, Missing
from cds.core.criterion import Characteristic
from cds.core.truth import Truth
from cds.engine.once import answer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.core.facts import Facts
    from cds.core.when import Evaluation


class Asking(IntEnum):
    """Whether a question may be put, given what stands beside it in its statement.

    Its words may take for granted what stands there ("an infection is recorded. Is it active?"), so
    they must not be read before that is known. A later one outweighs an earlier one.
    """

    NOW = 0
    """What stands beside it is settled: the question is all that is left."""
    IF_OPEN = 1
    """A human must judge what stands beside it first; the question is put as a condition."""
    NOT_YET = 2
    """A datum is missing beside it, which may answer the statement: the question is left out."""


class Judgement(msgspec.Struct, frozen=True):
    """A question for a human; `showing` are statements whose evidence is attached to it."""

    question: str
    about: str
    showing: tuple[Characteristic, ...] = ()

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Always unknown for want of judgement."""
        return self.asked(Asking.NOW, facts, asked)

    def asked(self, asking: Asking, facts: Facts, asked: Evaluation) -> Answer:
        """The same unknown, its reason the question as far as it may be put."""
        evidence: dict[Evidence, None] = {}
        for shown in self.showing:
            evidence.update(dict.fromkeys(answer_of(shown, facts, asked).evidence))
        gap = (Missing(self.about, Gap.JUDGEMENT),)
        return Answer(Truth.UNKNOWN, self._put(asking), tuple(evidence), gap)

    def parts(self) -> Iterator[Characteristic]:
        """What is shown with the question."""
        return iter(self.showing)

    def _put(self, asking: Asking) -> str:
        if asking is Asking.NOT_YET:
            return ""
        return self.question if asking is Asking.NOW else f"if that leaves it open: {self.question}"
