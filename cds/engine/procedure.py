"""Procedures: done ever, or within a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.core.answer import Evidence
from cds.core.truth import Truth
from cds.engine.entries import (
    Sources,
    Weighed,
    Weight,
    conclude,
    is_excepted,
    is_later,
    lists,
)
from cds.engine.window import Window
from cds.engine.words import day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.core.answer import Answer
    from cds.core.criterion import Characteristic
    from cds.core.facts import Condition, Facts, Mark, Procedure
    from cds.core.when import Evaluation, When


class ProcedureDone(msgspec.Struct, frozen=True):
    """A procedure of one of `concepts`, ever or with its last day in `within`.

    `types` are the resource types that the concepts have codes for: a status code such as
    "transplanted kidney" arrives as a Condition, says that it happened, and has no date of its own.
    An entry that also meets a concept of `excluding` does not count at all; where no code decides
    that it does, a human looks at it. `older` is how an entry before the window weighs.
    """

    concepts: tuple[str, ...]
    label: str
    within: Window | None = None
    older: Weight = Weight.AGAINST
    types: tuple[str, ...] = ("Procedure",)
    excluding: frozenset[str] = frozenset()

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Weigh every entry of the concepts; absence needs each of `types` read completely."""
        words = "procedures and conditions" if "Condition" in self.types else "procedures"
        read = lists(facts, asked, Sources(words, self.types))
        weighed: list[Weighed] = []
        for concept in self.concepts:
            weighed += [
                self._weighed(procedure, mark, asked)
                for procedure, mark in facts.procedures.get(concept, ())
                if not is_later(procedure.start, asked)
                and is_excepted(procedure, self.excluding) is not Truth.MET
            ]
            if "Condition" in self.types:
                weighed += [
                    self._by_status_code(condition, mark)
                    for condition, mark in facts.conditions.get(concept, ())
                    if not is_later(condition.event, asked)
                    and is_excepted(condition, self.excluding) is not Truth.MET
                ]
        if not weighed:
            return read.without(self.label, self.concepts[0])
        return conclude(weighed, concept=self.concepts[0], absent="", unread=read.unread)

    def parts(self) -> Iterator[Characteristic]:
        """A leaf has none."""
        return iter(())

    def _weighed(self, procedure: Procedure, mark: Mark, asked: Evaluation) -> Weighed:
        last = procedure.end or procedure.start
        weight = self._weight(procedure, last, asked)
        excepted = is_excepted(procedure, self.excluding)
        certain = mark.decides and not procedure.doubtful and excepted is Truth.NOT_MET
        if not certain and (weight is Weight.DECIDES or weight is Weight.UNDATED):
            weight = Weight.REVIEW
        text = None if last is None else last.text
        says = (
            f"{procedure.display} ({'in progress since ' if procedure.running else ''}{day(last)}"
        )
        says += ")" if certain else ", not certain to count)"
        changes_on = None
        if weight is Weight.DECIDES and self.within is not None and last and not procedure.running:
            # From here on it no longer decides; a vague date may still leave doubt.
            days = [when.first for when in (procedure.start, last) if when is not None]
            changes_on = self.within.clear_of(max(days))
        return Weighed(
            weight,
            Evidence(procedure.reference, procedure.display, text),
            says,
            changes_on,
        )

    def _weight(self, procedure: Procedure, last: When | None, asked: Evaluation) -> Weight:
        if self.within is None or procedure.running:
            return Weight.DECIDES
        if last is None:
            return Weight.UNDATED
        if procedure.start and self.within.covers(procedure.start, asked.on) is Truth.MET:
            return Weight.DECIDES
        inside = self.within.covers(last, asked.on)
        if inside is Truth.UNKNOWN or (inside is Truth.NOT_MET and procedure.end is None):
            # Begun before the window, its end not recorded: it may reach into it.
            return Weight.UNDATED
        return Weight.DECIDES if inside is Truth.MET else self.older

    def _by_status_code(self, condition: Condition, mark: Mark) -> Weighed:
        weight = Weight.DECIDES if self.within is None else Weight.UNDATED
        excepted = is_excepted(condition, self.excluding)
        if not mark.decides or condition.doubtful or excepted is Truth.UNKNOWN:
            weight = Weight.REVIEW
        when = condition.event
        evidence = Evidence(condition.reference, condition.display, when.text if when else None)
        says = f"{condition.display} (recorded as a condition, the procedure's date is not known)"
        return Weighed(weight, evidence, says)
