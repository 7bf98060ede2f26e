"""Medications: taken ever, now, or within a window; one drug or several at a time."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from cds.core.answer import Answer, Evidence, Gap, Missing
from cds.core.facts import Course, Exposure, Facts, Mark
from cds.core.truth import Truth
from cds.engine.entries import DRUGS, Lists, Weighed, Weight, conclude, lists
from cds.engine.window import Window
from cds.engine.words import day

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from cds.core.criterion import Characteristic
    from cds.core.when import Evaluation

_DAY = timedelta(days=1)


class Time(Enum):
    """Which exposures count by their time."""

    EVER = "ever"
    CURRENT = "current"
    WINDOW = "window"


class Medication(msgspec.Struct, frozen=True):
    """A drug of one of `concepts` taken ever, now, or with its last use in `within`.

    `distinct`: how many different ingredients must be taken at the time. `planned`: an order that
    starts after the evaluation date counts too. `excluding`: entries that also meet one of these
    concepts do not count.
    """

    concepts: tuple[str, ...]
    label: str
    time: Time
    within: Window | None = None
    distinct: int = 1
    planned: bool = False
    excluding: frozenset[str] = frozenset()

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Weigh every exposure of the concepts, then every entry that nobody could recognise."""
        read = lists(facts, asked, DRUGS)
        entries = self._entries(facts, asked)
        strangers = [
            weighed
            for exposure in facts.unrecognised_drugs
            if (weighed := self._weighed_stranger(exposure, asked)) is not None
        ]
        if self.distinct > 1:
            return self._count(entries, strangers, read)
        if not entries and not strangers:
            return read.without(self.label, self.concepts[0])
        return conclude(
            [*(entry for _, entry in entries), *strangers],
            concept=self.concepts[0],
            absent="",
            unread=read.unread,
        )

    def parts(self) -> Iterator[Characteristic]:
        """A leaf has none."""
        return iter(())

    def _entries(self, facts: Facts, asked: Evaluation) -> list[tuple[str, Weighed]]:
        """Every exposure of the concepts that counts, by its ingredient."""
        found = [
            row
            for concept in self.concepts
            if concept in facts.exposures
            for row in facts.exposures[concept]
        ]
        if not found:
            return []
        excluded = {
            exposure.reference
            for concept in self.excluding
            for exposure, _ in facts.exposures.get(concept, ())
        }
        return [
            (mark.ingredient, weighed)
            for exposure, mark in found
            if exposure.reference not in excluded
            and (weighed := self._weighed(exposure, mark, asked)) is not None
        ]

    def _count(
        self,
        entries: Sequence[tuple[str, Weighed]],
        strangers: Sequence[Weighed],
        read: Lists,
    ) -> Answer:
        """Count different ingredients; what may count decides whether fewer is certain."""
        sure = {name for name, entry in entries if entry.weight is Weight.DECIDES}
        undated = {name for name, entry in entries if entry.weight is Weight.UNDATED} - sure
        maybe = {name for name, entry in entries if entry.weight is Weight.REVIEW} - sure - undated
        counted = [entry for _, entry in entries if entry.weight is not Weight.AGAINST]
        concept = self.concepts[0]
        if len(sure) >= self.distinct:
            says = f"{len(sure)} different {self.label}s: {', '.join(sorted(sure))}"
            evidence = tuple(
                dict.fromkeys(e.evidence for _, e in entries if e.weight is Weight.DECIDES)
            )
            return Answer(Truth.MET, says, evidence)
        evidence = tuple(dict.fromkeys(entry.evidence for entry in (*counted, *strangers)))
        known = f"{len(sure)} {self.label}(s) for certain"
        if read.unread:
            says = f"{known}; {' and '.join(read.unread)} could not be read completely"
            return Answer(Truth.UNKNOWN, says, evidence, (Missing(concept, Gap.NOT_RETRIEVED),))
        if len(sure | undated) >= self.distinct:
            says = "; ".join(dict.fromkeys([known, *(e.says for e in counted)]))
            return Answer(Truth.UNKNOWN, says, evidence, (Missing(concept, Gap.DATE),))
        if strangers or len(sure | undated | maybe) >= self.distinct:
            says = "; ".join(dict.fromkeys([known, *(e.says for e in (*counted, *strangers))]))
            return Answer(Truth.UNKNOWN, says, evidence, (Missing(concept, Gap.JUDGEMENT),))
        says = f"{len(sure)} current {self.label}(s)" if sure else read.none_of(self.label)
        return Answer(Truth.NOT_MET, says, evidence)

    def _weighed_stranger(self, exposure: Exposure, asked: Evaluation) -> Weighed | None:
        """An entry that nobody could recognise: for a human, if its time may fit."""
        if exposure.local:
            return None
        weight = self._weight(exposure, asked)
        if weight is None or weight is Weight.AGAINST:
            return None
        return Weighed(
            Weight.REVIEW,
            _evidence(exposure),
            f"{exposure.display!r} is not recognised",
        )

    def _weighed(self, exposure: Exposure, mark: Mark, asked: Evaluation) -> Weighed | None:
        """None for an entry that lies after the evaluation date: it is no fact yet."""
        weight = self._weight(exposure, asked)
        if weight is None:
            return None
        says = f"{exposure.display} ({self._time_in_words(exposure)}"
        if exposure.local:
            return Weighed(Weight.AGAINST, _evidence(exposure), f"{says}, for local use)")
        certain = mark.decides and not exposure.flush
        if not certain and (weight is Weight.DECIDES or weight is Weight.UNDATED):
            weight = Weight.REVIEW
        if exposure.flush:
            says += ", a flush or lock strength"
        elif not mark.decides:
            says += ", membership of the class not verified"
        if not exposure.route_stated:
            says += ", route not recorded"
        changes_on = self._changes_on(exposure) if weight is Weight.DECIDES else None
        return Weighed(weight, _evidence(exposure), f"{says})", changes_on)

    def _weight(self, exposure: Exposure, asked: Evaluation) -> Weight | None:
        if exposure.start is not None and exposure.start.start > asked.end:
            # What is over cannot lie ahead: such an entry is an error, not a plan.
            ahead = self.planned and exposure.course is not Course.PAST
            return Weight.DECIDES if ahead else None
        if exposure.course is Course.INTENDED and not _in_force(exposure, asked):
            return None
        if self.time is Time.EVER:
            return Weight.DECIDES
        if self.time is Time.CURRENT:
            return _weight_now(exposure, asked)
        assert self.within is not None  # noqa: S101 - Time.WINDOW comes with a window
        return _weight_in_window(exposure, self.within, asked)

    def _changes_on(self, exposure: Exposure) -> date | None:
        """The first day on which the entry no longer decides; last use may still be in doubt."""
        if self.within is None:
            return None
        if exposure.end is not None and exposure.course is Course.INTENDED:
            return exposure.end.last + _DAY
        if exposure.end is None and (_is_running(exposure) or exposure.assumed_end is None):
            return None
        days = [when.first for when in (exposure.start, exposure.end) if when is not None]
        return self.within.clear_of(max(days)) if days else None

    def _time_in_words(self, exposure: Exposure) -> str:
        if exposure.dates_unreadable:
            return "a date cannot be read"
        if exposure.end is not None:
            return f"last taken {day(exposure.end)}"
        since = f" since {day(exposure.start)}" if exposure.start is not None else ""
        if _is_running(exposure):
            return f"current{since}"
        if exposure.course is Course.UNCERTAIN:
            return f"on hold or status unknown{since}"
        if exposure.assumed_end is not None:
            supply = f"supply until at the latest {day(exposure.assumed_end)}"
            return f"stopped, ordered {day(exposure.start)}, {supply}"
        began = f", begun {day(exposure.start)}" if exposure.start is not None else ""
        return f"stopped{began}, last use not recorded"


def _in_force(exposure: Exposure, asked: Evaluation) -> bool:
    """Whether what was intended may be taken by its dates on the day that is asked about."""
    return exposure.end is None or exposure.end.last >= asked.on


def _is_running(exposure: Exposure) -> bool:
    """Whether an entry without an end is taken until today by its status."""
    return exposure.course in {Course.ACTIVE, Course.INTENDED}


def _weight_now(exposure: Exposure, asked: Evaluation) -> Weight:
    """Completed and stopped are past, with or without dates; on-hold without an end is unknown."""
    if exposure.course is Course.PAST:
        return Weight.AGAINST
    if exposure.end is None:
        running = _is_running(exposure) and not exposure.dates_unreadable
        return Weight.DECIDES if running else Weight.UNDATED
    if exposure.end.last < asked.on:
        return Weight.AGAINST
    if _is_running(exposure) and exposure.end.first >= asked.on:
        return Weight.DECIDES
    return Weight.UNDATED


def _weight_in_window(  # noqa: PLR0911 - the cases of the protocol, in order
    exposure: Exposure, within: Window, asked: Evaluation
) -> Weight:
    """Where the last use lies: at its recorded end, still running, or between start and supply."""
    if exposure.start is not None and within.covers(exposure.start, asked.on) is Truth.MET:
        return Weight.DECIDES
    if exposure.end is not None:
        inside = within.covers(exposure.end, asked.on)
        if inside is Truth.UNKNOWN:
            return Weight.UNDATED
        return Weight.DECIDES if inside is Truth.MET else Weight.AGAINST
    if exposure.dates_unreadable:
        return Weight.UNDATED
    if _is_running(exposure):
        return Weight.DECIDES
    assumed = exposure.assumed_end
    if assumed is not None and within.covers(assumed, asked.on) is Truth.NOT_MET:
        return Weight.AGAINST
    return Weight.UNDATED


def _evidence(exposure: Exposure) -> Evidence:
    when = exposure.end or exposure.start
    return Evidence(exposure.reference, exposure.display, None if when is None else when.text)
