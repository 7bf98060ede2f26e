"""Findings: conditions that are, were, or happened within a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.core.answer import Evidence
from cds.core.facts import Clinical, Condition, Facts, Mark
from cds.core.truth import Truth
from cds.engine.entries import (
    CONDITIONS,
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
    from datetime import date

    from cds.core.answer import Answer
    from cds.core.criterion import Characteristic
    from cds.core.when import Evaluation, When


class Finding(msgspec.Struct, frozen=True):
    """A condition of one of `concepts` that meets the stated time.

    `active`: it must be active now (no clinicalStatus counts as active); a resolved entry weighs
    `resolved`. `within`: its onset, else its recorded date, must lie in the window; an older one
    weighs `older`. `ended_within`: it is active, or ended in the window. None of the three: it
    counts whenever it was ("history of"). An entry that also meets a concept of `excluding` does
    not count at all; where no code decides that it does, a human looks at it.
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
            if not is_later(condition.event, asked)
            and is_excepted(condition, self.excluding) is not Truth.MET
        ]
        if not weighed:
            return read.without(self.label, self.concepts[0])
        return conclude(weighed, concept=self.concepts[0], absent="", unread=read.unread)

    def parts(self) -> Iterator[Characteristic]:
        """A leaf has none."""
        return iter(())

    def _weighed(self, condition: Condition, mark: Mark, asked: Evaluation) -> Weighed:
        weight = self._weight(condition, mark, asked)
        excepted = is_excepted(condition, self.excluding)
        certain = mark.decides and not condition.doubtful and excepted is Truth.NOT_MET
        if not certain and (weight is Weight.DECIDES or weight is Weight.UNDATED):
            weight = Weight.REVIEW
        evidence = Evidence(
            condition.reference,
            condition.display,
            None if condition.event is None else condition.event.text,
        )
        changes_on = self._changes_on(condition, asked) if weight is Weight.DECIDES else None
        says = _says(condition, mark, asked, excepted)
        return Weighed(weight, evidence, says, changes_on)

    def _weight(self, condition: Condition, mark: Mark, asked: Evaluation) -> Weight:
        over = Truth.MET if mark.history else condition.over(asked.end)
        if over is not Truth.UNKNOWN:
            return self._weight_if(condition, mark, asked, over=over is Truth.MET)
        # Nobody knows whether it is over: it decides only what comes to the same either way.
        either = {self._weight_if(condition, mark, asked, over=over) for over in (False, True)}
        return either.pop() if len(either) == 1 else Weight.UNDATED

    def _weight_if(
        self, condition: Condition, mark: Mark, asked: Evaluation, *, over: bool
    ) -> Weight:
        if self.ended_within is not None:
            return self._weight_by_end(condition, mark, asked) if over else Weight.DECIDES
        if self.active and over:
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

    def _changes_on(self, condition: Condition, asked: Evaluation) -> date | None:
        """The first day on which the entry no longer decides; a vague date may leave doubt."""
        if self.within is not None and not self.active and condition.event is not None:
            return self.within.clear_of(condition.event.first)
        if self.ended_within is not None and condition.over(asked.end) is not Truth.NOT_MET:
            over = condition.ended or condition.event
            return None if over is None else self.ended_within.clear_of(over.first)
        return None


_ACTIVITY = {
    Clinical.ACTIVE.value: "active",
    Clinical.INACTIVE.value: "resolved",
    Clinical.NOT_STATED.value: "status not stated",
    Clinical.UNCLEAR.value: "status unclear",
}


def _says(condition: Condition, mark: Mark, asked: Evaluation, excepted: Truth) -> str:
    over = condition.over(asked.end)
    stated = condition.clinical is not Clinical.NOT_STATED
    status = _ACTIVITY[condition.clinical.value]
    if not stated and over is Truth.MET:
        status = "resolved"
    words = ["history of" if mark.history else status, day(condition.event)]
    if condition.ended is not None:
        words.append(f"{_ended(condition.ended, asked)} {day(condition.ended)}")
    elif condition.ended_unreadable and not stated:
        words.append("its end cannot be read")
    if condition.doubtful:
        words.append("not confirmed")
    if not mark.decides:
        words.append("not confirmed by its code")
    elif excepted is Truth.UNKNOWN:
        words.append("by its words it may not count")
    return f"{condition.display} ({', '.join(words)})"


def _ended(ended: When, asked: Evaluation) -> str:
    if ended.end <= asked.end:
        return "ended"
    return "to end" if ended.start > asked.end else "ended or to end"
