"""Findings: conditions that are, were, or happened within a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.core.answer import Evidence
from cds.core.facts import Clinical, Condition, Facts, Mark
from cds.core.truth import Truth
from cds.engine.entries import CONDITIONS, Weighed, Weight, conclude, lists
from cds.engine.window import Window
from cds.engine.words import day

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from cds.core.answer import Answer
    from cds.core.criterion import Characteristic
    from cds.core.when import Evaluation


class Finding(msgspec.Struct, frozen=True):
    """A condition of one of `concepts` that meets the stated time.

    `active`: it must be active now (no clinicalStatus counts as active); a resolved entry weighs
    `resolved`. `within`: its onset, else its recorded date, must lie in the window; an older one
    weighs `older`. `ended_within`: it is active, or ended in the window. None of the three: it
    counts whenever it was ("history of"). An entry that also meets a concept of `excluding` does
    not count at all.
    """

    concepts: tuple[str, ...]
    label: str
    active: bool = False
    resolved: Weight = Weight.REVIEW
    within: Window | None = None
    older: Weight = Weight.AGAINST
    ended_within: Window | None = None
    excluding: frozenset[str] = frozenset()

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Weigh every entry of the concepts; absence needs Conditions to be read completely."""
        read = lists(facts, asked, CONDITIONS)
        weighed = [
            self._weighed(condition, mark, asked)
            for concept in self.concepts
            if concept in facts.conditions
            for condition, mark in facts.conditions[concept]
            if not (condition.event is not None and condition.event.start > asked.end)
            and self.excluding.isdisjoint(condition.concepts)
        ]
        if not weighed:
            return read.without(self.label, self.concepts[0])
        return conclude(weighed, concept=self.concepts[0], absent="", unread=read.unread)

    def parts(self) -> Iterator[Characteristic]:
        """A leaf has none."""
        return iter(())

    def _weighed(self, condition: Condition, mark: Mark, asked: Evaluation) -> Weighed:
        weight = self._weight(condition, mark, asked)
        certain = mark.decides and not condition.doubtful
        if not certain and (weight is Weight.DECIDES or weight is Weight.UNDATED):
            weight = Weight.REVIEW
        evidence = Evidence(
            condition.reference,
            condition.display,
            None if condition.event is None else condition.event.text,
        )
        changes_on = self._changes_on(condition) if weight is Weight.DECIDES else None
        return Weighed(weight, evidence, _says(condition, mark), changes_on)

    def _weight(self, condition: Condition, mark: Mark, asked: Evaluation) -> Weight:
        inactive = condition.clinical is Clinical.INACTIVE or mark.history
        if self.ended_within is not None:
            return self._weight_by_end(condition, mark, asked) if inactive else Weight.DECIDES
        if self.active and inactive:
            return self.resolved
        if self.within is None:
            return Weight.DECIDES
        if condition.event is None or mark.history:
            return Weight.UNDATED
        inside = self.within.covers(condition.event, asked.on)
        if inside is Truth.UNKNOWN:
            return Weight.UNDATED
        return Weight.DECIDES if inside is Truth.MET else self.older

    def _weight_by_end(self, condition: Condition, mark: Mark, asked: Evaluation) -> Weight:
        """How an entry that is over weighs when its end must lie in the window."""
        assert self.ended_within is not None  # noqa: S101 - asked only with a window
        if mark.history or condition.ended_unreadable:
            return Weight.UNDATED
        if condition.ended is not None:
            inside = self.ended_within.covers(condition.ended, asked.on)
            if inside is Truth.UNKNOWN:
                return Weight.UNDATED
            return Weight.DECIDES if inside is Truth.MET else Weight.AGAINST
        if condition.event is not None:
            # It cannot have ended before it began; a later end is not known.
            began_inside = self.ended_within.covers(condition.event, asked.on) is Truth.MET
            return Weight.DECIDES if began_inside else Weight.UNDATED
        return Weight.UNDATED

    def _changes_on(self, condition: Condition) -> date | None:
        """The first day on which the entry no longer decides; a vague date may leave doubt."""
        if self.within is not None and not self.active and condition.event is not None:
            return self.within.clear_of(condition.event.first)
        if self.ended_within is not None and condition.clinical is Clinical.INACTIVE:
            over = condition.ended or condition.event
            return None if over is None else self.ended_within.clear_of(over.first)
        return None


_ACTIVITY = {
    Clinical.ACTIVE.value: "active",
    Clinical.INACTIVE.value: "resolved",
    Clinical.NOT_STATED.value: "status not stated",
}


def _says(condition: Condition, mark: Mark) -> str:
    status = _ACTIVITY[condition.clinical.value]
    words = ["history of" if mark.history else status, day(condition.event)]
    if condition.ended is not None:
        words.append(f"ended {day(condition.ended)}")
    if condition.doubtful:
        words.append("not confirmed")
    if not mark.decides:
        words.append("not confirmed by its code")
    return f"{condition.display} ({', '.join(words)})"
