"""Age and sex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.core.answer import Answer, Evidence, Gap, Missing
from cds.core.truth import Truth, truth_of
from cds.core.when import completed_years

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.core.criterion import Characteristic
    from cds.core.facts import Facts
    from cds.core.when import Evaluation


class Age(msgspec.Struct, frozen=True):
    """Completed years of age within both bounds (inclusive; None: no bound)."""

    at_least: int | None = None
    at_most: int | None = None

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Decide where every possible date of birth agrees."""
        birth = facts.patient.birth
        needs = self._needs()
        if birth is None or birth.first > asked.on:
            gap = Gap.NOT_RECORDED if facts.patient.birth_text is None else Gap.DATE
            says = "no date of birth" if gap is Gap.NOT_RECORDED else "date of birth cannot be read"
            return Answer(Truth.UNKNOWN, f"{says} ({needs})", (), (Missing("age", gap),))
        oldest = completed_years(birth.first, asked.on)
        youngest = completed_years(min(birth.last, asked.on), asked.on)
        years = f"{youngest}" if youngest == oldest else f"{youngest} or {oldest}"
        evidence = (Evidence(facts.patient.reference, f"age {years}", birth.text),)
        says = f"age {years} (born {birth.text}; {needs})"
        answers = {self._fits(age) for age in (youngest, oldest)}
        if len(answers) == 1:
            return Answer(truth_of(answers.pop()), says, evidence)
        return Answer(Truth.UNKNOWN, says, evidence, (Missing("age", Gap.DATE),))

    def parts(self) -> Iterator[Characteristic]:
        """A leaf has none."""
        return iter(())

    def _fits(self, years: int) -> bool:
        above = self.at_least is None or years >= self.at_least
        return above and (self.at_most is None or years <= self.at_most)

    def _needs(self) -> str:
        bounds = []
        if self.at_least is not None:
            bounds.append(f"≥ {self.at_least}")
        if self.at_most is not None:
            bounds.append(f"≤ {self.at_most}")
        return f"needs {' and '.join(bounds)}"


class Sex(msgspec.Struct, frozen=True):
    """Administrative gender is one of `sexes` (empty: any).

    `otherwise` is the answer where the record says other, unknown or nothing.
    """

    sexes: tuple[str, ...] = ()
    otherwise: Truth = Truth.UNKNOWN

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:  # noqa: ARG002 - the day is not needed
        """Decide by Patient.gender alone."""
        sex = facts.patient.sex
        evidence = () if sex is None else (Evidence(facts.patient.reference, sex),)
        says = f"sex {sex}" if sex else "sex not recorded"
        if not self.sexes:
            return Answer(Truth.MET, f"{says} (any sex)", evidence)
        if sex in {"male", "female"}:
            return Answer(truth_of(sex in self.sexes), says, evidence)
        if self.otherwise is not Truth.UNKNOWN:
            return Answer(self.otherwise, says, evidence)
        return Answer(Truth.UNKNOWN, says, evidence, (Missing("sex", Gap.NOT_RECORDED),))

    def parts(self) -> Iterator[Characteristic]:
        """A leaf has none."""
        return iter(())
