"""Labs, vitals and scores: the newest usable result against a bound."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from cds.core.answer import Answer, Gap, Missing
from cds.core.facts import Facts, Reading, Result, Retrieval
from cds.core.truth import Truth
from cds.core.when import Span
from cds.engine.limits import limits_of, upper_limits
from cds.engine.newest import (
    Latest,
    all_dated_since,
    all_of,
    evidence_of,
    later_than,
    latest_of,
    newest_of,
)
from cds.engine.words import amount, day, number, reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from cds.core.criterion import Characteristic
    from cds.core.facts import Patient
    from cds.core.when import Evaluation

_ONE = Decimal(1)
IS_NEWEST_READ = "is the newest that was read"
"""What a reason says of a result to which a list that was cut off may hold a newer one."""


class Sign(Enum):
    """How a value is held against its bound; the protocol's own sign decides at the limit."""

    AT_LEAST = "≥"
    AT_MOST = "≤"
    ABOVE = ">"
    BELOW = "<"


class Bound(msgspec.Struct, frozen=True):
    """A limit: `value` in the canonical unit, or `uln` × the result's own ULN plus `value`.

    `sex` restricts it to patients of that administrative gender.
    """

    value: Decimal
    uln: Decimal | None = None
    sex: str | None = None

    def against(self, high: Decimal | None) -> Decimal:
        """The limit as a number, given the upper limit of normal where it needs one."""
        if self.uln is None:
            return self.value
        assert high is not None  # noqa: S101 - asked with a range only
        return self.uln * high + self.value

    def words(self, unit: str) -> str:
        """'1.5 10*9/L', '1.5 × ULN', 'ULN + 4 s'."""
        if self.uln is None:
            return amount(self.value, unit)
        times = "ULN" if self.uln == _ONE else f"{number(self.uln)} × ULN"
        return f"{times} + {amount(self.value, unit)}" if self.value else times


class Absent(Enum):
    """What it means that no usable result is there."""

    UNKNOWN = "unknown"
    NO = "no"
    REVIEW = "review"


class Lab(msgspec.Struct, frozen=True, dict=True):
    """The newest usable result of `concepts` within `look_back` (None: at any time) meets a bound.

    Either `sign` with `bounds` (one, or one per sex), or `positive` (True: the result is positive).
    `any_result`: one result at any time suffices, not the newest only. `absent` says what no usable
    result means; `undecided` what a value that leaves the bound open means. `excluding` True: the
    statement is an excluded state, and the reason says so.
    """

    concepts: tuple[str, ...]
    label: str
    unit: str
    categories: tuple[str, ...]
    sign: Sign | None = None
    bounds: tuple[Bound, ...] = ()
    positive: bool = False
    look_back: Span | None = None
    any_result: bool = False
    absent: Absent = Absent.UNKNOWN
    undecided: Absent = Absent.UNKNOWN
    excluding: bool = False

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Decide by the newest result; say which gap stands in the way where it cannot."""
        if self.any_result:
            return self._at_any_time(facts, asked)
        latest = latest_of(self.concepts, facts, asked)
        if not latest.newest:
            gap = Gap.NO_VALUE if latest.skipped else Gap.NOT_RECORDED
            return self._nothing(facts, gap, latest.skipped)
        several = len(self.categories) > 1
        if (facts.bounded or several) and not self._newest_known(latest.newest, facts, asked):
            return self._cut_off(latest)
        if not latest.usable:
            return self._unusable(latest.newest, all_of(self.concepts, facts, asked)[0])
        return self._agreed(latest, facts, asked)

    def _at_any_time(self, facts: Facts, asked: Evaluation) -> Answer:
        """Decide by every result there is."""
        valued, skipped = all_of(self.concepts, facts, asked)
        if not valued:
            return self._nothing(facts, Gap.NO_VALUE if skipped else Gap.NOT_RECORDED, skipped)
        if met := self._met_ever(valued, facts.patient, asked):
            sure = [r for r in met if r.when is not None and r.when.end <= asked.end]
            if sure:
                return Answer(Truth.MET, self._shown(sure), evidence_of(sure))
            says = f"{self._shown(met)} may be of a later day"
            missing = (Missing(self.concepts[0], Gap.DATE),)
            return Answer(Truth.UNKNOWN, says, evidence_of(met), missing)
        newest = newest_of(valued)
        if any(result.reading is None for result in newest):
            return self._unusable(newest, valued)
        return self._never(newest, valued, facts, asked)

    def parts(self) -> Iterator[Characteristic]:
        """A leaf has none."""
        return iter(())

    def limits(self, result: Result, patient: Patient, asked: Evaluation) -> tuple[Decimal, ...]:
        """What the bounds that apply to the patient come to for one result, each once.

        Empty where they need an upper limit of normal and the result carries none that fits.
        """
        bounds = self._bounds_for(patient)
        if any(bound.uln is not None for bound in bounds):
            highs = upper_limits(result, patient, asked)
            return tuple(dict.fromkeys(b.against(high) for b in bounds for high in highs))
        return tuple(dict.fromkeys(bound.value for bound in bounds))

    def _nothing(self, facts: Facts, gap: Gap, results: Sequence[Result] = ()) -> Answer:
        """No usable result: what that means, and for what reason there is none."""
        if not self._read_completely(facts):
            missing = (Missing(self.concepts[0], Gap.NOT_RETRIEVED),)
            says = f"no usable {self.label}; results could not be read completely"
            return Answer(Truth.UNKNOWN, says, evidence_of(results), missing)
        return self._without(gap, results) if results else self._not_recorded

    @cached_property
    def _not_recorded(self) -> Answer:
        """The answer to a record that was read completely and holds no such result."""
        return self._without(Gap.NOT_RECORDED, ())

    def _without(self, gap: Gap, results: Sequence[Result]) -> Answer:
        """What it means that of these results, all that there are, none can be used."""
        concept = self.concepts[0]
        evidence = evidence_of(results)
        if gap is Gap.TOO_OLD:
            says = f"{self._shown(results)} is older than {self.look_back}"
        elif gap is Gap.NO_VALUE:
            says = f"no {self.label} with a value ({self._why_skipped(results)})"
        else:
            says = f"no {self.label} recorded"
        if self.absent is Absent.NO:
            return Answer(Truth.NOT_MET, says, evidence)
        if self.absent is Absent.REVIEW:
            return Answer(Truth.UNKNOWN, says, evidence, (Missing(concept, Gap.JUDGEMENT),))
        return Answer(
            Truth.UNKNOWN,
            f"{says} ({self._asked})",
            evidence,
            (Missing(concept, gap),),
        )

    def _newest_known(self, newest: Sequence[Result], facts: Facts, asked: Evaluation) -> bool:
        """Whether a result that nobody saw cannot be newer than these, or does not matter.

        It does not where everything came that the look-back spans. Where one category was read and
        another was not, the newest may stand in the other: a pregnancy test beside a status.
        """
        states = {facts.retrieved("Observation", category) for category in self.categories}
        if len(states) > 1 and Retrieval.NOT_RETRIEVED in states:
            return False
        since = all_dated_since(newest)
        if self.look_back is not None:
            first = self.look_back.before(asked.on)
            since = first if since is None else max(first, since)
        return self._came_since(since, facts)

    def _came_since(self, since: date | None, facts: Facts) -> bool:
        """Whether every result dated on or after `since` (None: of any date) came."""
        return facts.whole_concepts.issuperset(self.concepts) or all(
            facts.came_since("Observation", category, since) for category in self.categories
        )

    def read_since(self, facts: Facts) -> date | None:
        """The day before which results may not have been read; None where no day tells."""
        if not facts.bounded or facts.whole_concepts.issuperset(self.concepts):
            return None
        days = [facts.whole_since.get(f"Observation:{category}") for category in self.categories]
        return max((day for day in days if day is not None), default=None)

    def wants_older(self, facts: Facts, asked: Evaluation) -> bool:
        """Whether results of before the day since when all came might change what is said.

        They do not where the newest with a value, and the newest that can be used, lie behind it.
        """
        if self.any_result:
            return not self._came_since(None, facts)
        valued = all_of(self.concepts, facts, asked)[0]
        newest = newest_of(valued) if valued else []
        usable = [result for result in valued if result.reading is not None]
        known = (all_dated_since(newest), all_dated_since(newest_of(usable) if usable else []))
        return any(not self._came_since(since, facts) for since in known)

    def _cut_off(self, latest: Latest) -> Answer:
        """A list that was cut off may hold a newer result than the newest that came."""
        says = (
            f"{self._shown(latest.newest)} {IS_NEWEST_READ} ({self._asked}); "
            "not all results could be read, a newer one may exist"
        )
        missing = (Missing(self.concepts[0], Gap.NOT_RETRIEVED),)
        return Answer(Truth.UNKNOWN, says, latest.evidence, missing)

    def _unusable(self, newest: Sequence[Result], valued: Sequence[Result]) -> Answer:
        """The newest result cannot be used: name it and the newest one that can."""
        bad = [result for result in newest if result.reading is None]
        gaps = tuple(
            dict.fromkeys(Missing(self.concepts[0], r.unusable or Gap.NO_VALUE) for r in bad)
        )
        says = "; ".join(
            f"{self._shown([r])} cannot be used ({_UNUSABLE[r.unusable or Gap.NO_VALUE]})"
            for r in bad
        )
        usable = [result for result in valued if result.reading is not None]
        older = newest_of(usable)[:1] if usable else []
        if older:
            says += f"; newest usable: {self._shown(older)}"
        return Answer(Truth.UNKNOWN, says, evidence_of([*bad, *older]), gaps)

    def _met_ever(
        self, valued: Sequence[Result], patient: Patient, asked: Evaluation
    ) -> list[Result]:
        """The usable results, of any time, that meet the bound."""
        return [
            result
            for result in valued
            if result.reading is not None and self._meets(result, patient, asked)[0] is Truth.MET
        ]

    def _never(
        self,
        newest: Sequence[Result],
        valued: Sequence[Result],
        facts: Facts,
        asked: Evaluation,
    ) -> Answer:
        """No result at any time meets the bound.

        An answer if all results were read and the newest does not leave it open, as a reactive
        screening test does that nobody has confirmed.
        """
        if not self._read_completely(facts):
            return self._nothing(facts, Gap.NOT_RETRIEVED)
        for result in newest:
            truth, gap, _ = self._meets(result, facts.patient, asked)
            if truth is Truth.UNKNOWN:
                assert gap is not None  # noqa: S101 - an undecided value comes with its gap
                says = f"{self._shown([result])} ({self._asked}): {_WHY[gap]}"
                missing = (Missing(self.concepts[0], gap),)
                return Answer(Truth.UNKNOWN, says, evidence_of([result]), missing)
        usable = [result for result in valued if result.reading is not None]
        return Answer(Truth.NOT_MET, self._shown(usable), evidence_of(usable))

    def _read_completely(self, facts: Facts) -> bool:
        complete = all(
            facts.retrieved("Observation", category) is Retrieval.COMPLETE
            for category in self.categories
        )
        return complete and (not facts.bounded or self._came_since(None, facts))

    def _agreed(self, latest: Latest, facts: Facts, asked: Evaluation) -> Answer:
        """The answer on which all results that may be the newest agree."""
        newest, evidence, patient = latest.newest, latest.evidence, facts.patient
        first = None if self.look_back is None else self.look_back.before(asked.on)
        ages = [_recency(result, first, asked) for result in newest]
        concept = self.concepts[0]
        # Where one is surely inside, a vaguely dated one only has to agree with it.
        if Truth.MET not in ages:
            if Truth.UNKNOWN not in ages:
                return self._nothing(facts, Gap.TOO_OLD, newest)
            says = f"{self._shown(newest)} may be older than {self.look_back} or not yet due"
            return Answer(Truth.UNKNOWN, says, evidence, (Missing(concept, Gap.DATE),))
        answers = [self._meets(result, patient, asked) for result in newest]
        says = f"{self._shown(newest)} ({self._needs_of(newest, answers, patient)})"
        if latest.skipped and (later := later_than(latest.skipped, newest[0])):
            says += f"; passed over: {self._why_skipped(later)}"
        truth, gap, _ = answers[0]
        if len(answers) > 1 and any(other is not truth for other, _, _ in answers):
            return Answer(Truth.UNKNOWN, says, evidence, (Missing(concept, Gap.CONFLICTING),))
        if truth is not Truth.UNKNOWN:
            if (truth is Truth.MET) is self.excluding:
                says += self._missed_by(newest, patient)
            return Answer(truth, says, evidence)
        assert gap is not None  # noqa: S101 - an undecided value comes with its gap
        if len(self._bounds_for(patient)) > 1:
            missing = (Missing("sex", Gap.NOT_RECORDED),)
            return Answer(Truth.UNKNOWN, f"{says}: the sex is not recorded", evidence, missing)
        if self.undecided is Absent.REVIEW and gap is Gap.NO_VALUE:
            gap = Gap.JUDGEMENT
        return Answer(Truth.UNKNOWN, f"{says}: {_WHY[gap]}", evidence, (Missing(concept, gap),))

    def _missed_by(self, newest: Sequence[Result], patient: Patient) -> str:
        """': 0.1 short' or ': 0.3 over', for one exact value against one fixed limit; else ''."""
        value = newest[0].reading
        bounds = self._bounds_for(patient)
        if self.positive or len(newest) > 1 or len(bounds) > 1 or bounds[0].uln is not None:
            return ""
        if value is None or value.low is None or value.low != value.high:
            return ""
        distance = value.low - bounds[0].value
        if not distance:
            return ""
        return f": {number(abs(distance))} {'over' if distance > 0 else 'short'}"

    def _meets(self, result: Result, patient: Patient, asked: Evaluation) -> _Held:
        """Whether one usable result meets the bound."""
        value = result.reading
        assert value is not None  # noqa: S101 - usable results only
        if self.positive:
            presence = _presence(value)
            return presence, Gap.NO_VALUE if presence is Truth.UNKNOWN else None, ()
        if value.low is None and value.high is None and value.presence is Truth.NOT_MET:
            value = _NOT_DETECTED
        bounds = self._bounds_for(patient)
        if not bounds[0].uln:
            return *_agree([self._compare(value, bound.value) for bound in bounds]), ()
        highs, gap = limits_of(result, patient, asked)
        if self.sign is Sign.ABOVE and value == _NOT_DETECTED:
            # Nothing is above no limit, whether the result carries its limit or not.
            return Truth.NOT_MET, None, highs
        if gap is not None:
            return Truth.UNKNOWN, gap, highs
        answers = [self._compare(value, b.against(high)) for b in bounds for high in highs]
        return *_agree(answers, Gap.CONFLICTING if len(highs) > 1 else Gap.NO_VALUE), highs

    def _bounds_for(self, patient: Patient | None) -> Sequence[Bound]:
        """The bounds that apply to the patient; all of them where the sex leaves it open."""
        if len(self.bounds) == 1:
            return self.bounds
        sex = None if patient is None else patient.sex
        fitting = [bound for bound in self.bounds if bound.sex is None or bound.sex == sex]
        return fitting or self.bounds

    def _compare(self, value: Reading, limit: Decimal) -> Truth:
        """MET or NOT_MET where every value that the reading allows agrees, else UNKNOWN."""
        assert self.sign is not None  # noqa: S101 - a bound comes with its sign
        if value.low is None and value.high is None:
            return Truth.UNKNOWN
        strict = self.sign is Sign.ABOVE or self.sign is Sign.AT_MOST
        low, high = value.low, value.high
        # "Reaches" is ≥ limit for AT_LEAST and BELOW, > limit for ABOVE and AT_MOST.
        surely = low is not None and (
            low > limit or (low == limit and (value.low_open or not strict))
        )
        surely_not = high is not None and (
            high < limit or (high == limit and (value.high_open or strict))
        )
        upward = self.sign is Sign.AT_LEAST or self.sign is Sign.ABOVE
        if surely:
            return Truth.MET if upward else Truth.NOT_MET
        if surely_not:
            return Truth.NOT_MET if upward else Truth.MET
        return Truth.UNKNOWN

    def _shown(self, results: Sequence[Result]) -> str:
        """'ANC 2.1 10*9/L on 2026-02-20'.

        The value stands as received where it is held against its own range, or is no number.
        """
        parts = []
        for result in results:
            value = None
            if result.reading is not None and self._is_absolute:
                value = reading(result.reading, self.unit)
            parts.append(f"{self.label} {value or result.display} on {day(result.when)}")
        return " and ".join(parts)

    @cached_property
    def _is_absolute(self) -> bool:
        """Whether values are held against numbers, not against their own limits of normal."""
        return not self.positive and all(bound.uln is None for bound in self.bounds)

    def _why_skipped(self, results: Sequence[Result]) -> str:
        return ", ".join(
            f"{r.display or self.label} on {day(r.when)}: {r.skipped}" for r in results
        )

    def _needs_of(
        self, results: Sequence[Result], answers: Sequence[_Held], patient: Patient
    ) -> str:
        """What the bound asks for, and what that comes to for these results.

        'excluded if > ULN + 4 s = 14.4 s', '0.78 × ULN, needs ≤ 1.5 × ULN'.
        """
        if self.positive:
            return self._asked
        bounds = self._bounds_for(patient)
        needs = self._asked if len(self.bounds) == 1 else self._in_words(bounds)
        if bounds[0].uln is None:
            return needs
        highs = answers[0][2]
        if len(answers) > 1:
            highs = tuple({high for _, _, limits in answers for high in limits})
        if bounds[0].value:
            limits = sorted(amount(bounds[0].against(high), self.unit) for high in highs)
            return f"{needs} = {' or '.join(limits)}" if limits else needs
        times = _times_uln(results, highs, bounds[0].uln)
        return f"{times}, {needs}" if times else needs

    @cached_property
    def _asked(self) -> str:
        """What the bounds ask of anybody: 'needs ≥ 1.5', 'excluded if > 1.2 × ULN'."""
        return self._in_words(self._bounds_for(None))

    def _in_words(self, bounds: Sequence[Bound]) -> str:
        lead = "excluded if" if self.excluding else "needs"
        if self.positive:
            return f"{lead} positive"
        assert self.sign is not None  # noqa: S101 - a bound comes with its sign
        words = (
            f"{self.sign.value} {b.words(self.unit)}{f' ({b.sex})' if b.sex else ''}"
            for b in bounds
        )
        return f"{lead} {' or '.join(words)}"


_Held: TypeAlias = tuple[Truth, Gap | None, tuple[Decimal, ...]]
"""Whether a result meets the bound; the gap where it leaves that open; its limits of normal."""


def _recency(result: Result, first: date | None, asked: Evaluation) -> Truth:
    """MET: on the `first` day or later; NOT_MET: too old; UNKNOWN: its date leaves it open."""
    when = result.when
    assert when is not None  # noqa: S101 - a result without a date is never usable
    if when.end > asked.end:
        return Truth.UNKNOWN
    if first is None or when.first >= first:
        return Truth.MET
    return Truth.NOT_MET if when.last < first else Truth.UNKNOWN


_WHY = {
    Gap.UNIT: "its unit is not one that we can compare",
    Gap.IMPLAUSIBLE: "its magnitude is not plausible",
    Gap.DATE: "it has no readable date",
    Gap.NO_VALUE: "its value does not settle it",
    Gap.NO_RANGE: "it carries no upper limit of normal that fits the patient",
    Gap.CONFLICTING: "its reference ranges contradict one another",
    Gap.JUDGEMENT: "its value does not settle it, a human must say",
}

_UNUSABLE = _WHY | {Gap.CONFLICTING: "it says two different things"}


_NOT_DETECTED = Reading(Decimal(0), Decimal(0), presence=Truth.NOT_MET)


def _presence(value: Reading) -> Truth:
    """Positive, negative, or neither for certain; an amount that was measured is positive."""
    if value.presence is not None:
        return value.presence
    if value.low is not None and value.low > 0:
        return Truth.MET
    return Truth.NOT_MET if value.high is not None and value.high == 0 else Truth.UNKNOWN


def _times_uln(results: Sequence[Result], highs: Sequence[Decimal], limit: Decimal) -> str | None:
    """'0.78 × ULN' for one exact value and one limit of normal; else None.

    Two decimals, or as many as keep the number from looking like the limit that it is not.
    """
    if len(results) != 1 or len(highs) != 1:
        return None
    value, high = results[0].reading, highs[0]
    if value is None or not high or value.low is None or value.low != value.high:
        return None
    times = value.low / high
    rounded = round(times, 2)
    return f"{number(times if rounded == limit else rounded)} × ULN"


def _agree(answers: Sequence[Truth], gap: Gap = Gap.NO_VALUE) -> tuple[Truth, Gap | None]:
    """The answer that all give; UNKNOWN with the gap where they differ or leave it open."""
    first = answers[0]
    if first is Truth.UNKNOWN or (len(answers) > 1 and any(one is not first for one in answers)):
        return Truth.UNKNOWN, gap
    return first, None
