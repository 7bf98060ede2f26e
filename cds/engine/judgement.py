"""Statements that only a human can decide, with what the record shows about them."""

from __future__ import annotations

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


class Judgement(msgspec.Struct, frozen=True):
    """A question for a human; `showing` are statements whose evidence is attached to it."""

    question: str
    about: str
    showing: tuple[Characteristic, ...] = ()

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Always unknown for want of judgement."""
        evidence: dict[Evidence, None] = {}
        for shown in self.showing:
            evidence.update(dict.fromkeys(answer_of(shown, facts, asked).evidence))
        gap = (Missing(self.about, Gap.JUDGEMENT),)
        return Answer(Truth.UNKNOWN, self.question, tuple(evidence), gap)

    def parts(self) -> Iterator[Characteristic]:
        """What is shown with the question."""
        return iter(self.showing)
