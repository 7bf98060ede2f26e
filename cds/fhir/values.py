"""What one result says: its value in the analyte's terms, or why it cannot be used."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

import msgspec

from cds.core.answer import Gap
from cds.core.facts import Reading, ReferenceRange
from cds.core.truth import Truth
from cds.fhir import answers, lazily
from cds.fhir.amounts import amount_in, is_below_detection, is_more_than_none, without_detected
from cds.fhir.lazily import Lost, Quantity, there
from cds.fhir.ranges import ranges_of
from cds.fhir.resources import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Raw

    from cds.core.terminology import Analyte, LabCode, Terminology
    from cds.fhir.amounts import Amount
    from cds.fhir.resources import CodeableConcept, Valued
    from cds.fhir.units import Conversion, Units

_LONGEST_SHOWN = 120
_LONGEST_READ = 500
_LARGEST = 40
"""No plausible value has more digits before or after its point."""
_PROPERTY_COUNTS = frozenset({"urea_nitrogen", "urea"})
"""Nitrogen or urea, mass or moles: a unit that is not the code's own may mean the other."""
_VIRAL_LOAD = "[IU]/mL"
_ONE_IN_A_THOUSAND = Decimal("0.001")
_COPIES = "{copies}/mL"
"""No factor turns copies into international units."""

Ranges = tuple[tuple[ReferenceRange, ...], bool]
_NO_RANGES: Ranges = ((), False)
_MOST_RANGES, _LONGEST_RANGES = 2048, 2000
"""How many different ranges are remembered before all are forgotten (a laboratory has a few
hundred), and how many bytes one may have."""


class Value(msgspec.Struct, frozen=True, gc=False):
    """One result's value: exactly one of `reading`, `unusable` and `skipped` is there."""

    display: str
    reading: Reading | None = None
    unusable: Gap | None = None
    skipped: str | None = None


class Said(msgspec.Struct, frozen=True, gc=False):
    """What one value field comes to. Neither `reading` nor `gap`: it holds no value."""

    reading: Reading | None = None
    gap: Gap | None = None
    display: str = ""


NOTHING = Said()


class ValueReader:
    """Reads values with one terminology and one set of units."""

    __slots__ = ("_ranges", "_terminology", "_units")

    def __init__(self, terminology: Terminology, units: Units) -> None:
        """Read with these."""
        self._terminology = terminology
        self._units = units
        self._ranges: dict[tuple[str, str, bytes], Ranges] = {}

    def value(self, valued: Valued, lab: LabCode) -> Value:
        """The value of an observation or component for what its code measures."""
        fields = (
            valued.value_quantity,
            valued.value_codeable_concept,
            valued.value_string,
            valued.value_integer,
            valued.value_range,
            valued.value_boolean,
            valued.value_ratio,
            valued.value_sampled_data,
            valued.value_time,
            valued.value_date_time,
            valued.value_period,
        )
        said: list[Said] = []
        for raw, reader in zip(fields, self._READERS, strict=True):
            if raw is not ABSENT and there(raw):
                one = reader(self, raw, valued, lab)
                if one.reading is not None or one.gap is not None:
                    said.append(one)
        if lab.analyte.scale == "score":
            said += self._interpreted(valued, lab)
        elif not said and lab.analyte.scale == "presence":
            said += self._only_interpreted(valued, lab)
        return self._judged(said, valued)

    def may_lack(self, gap: Gap, valued: Valued, lab: LabCode) -> bool:  # noqa: ARG002 - who remembers may know better
        """Whether a value may be unusable for one reason; false where it certainly is not."""
        return True

    def ranges(self, valued: Valued, lab: LabCode) -> Ranges:
        """The reference ranges of a result, and whether it has any upper limit at all.

        A laboratory sends the same range with every result of a test; each is read once.
        """
        raw = valued.reference_range
        if not there(raw):
            return _NO_RANGES
        if len(raw) > _LONGEST_RANGES:
            return ranges_of(raw, lab, self.conversion)
        key = (lab.analyte.key, lab.property, bytes(raw))
        found = self._ranges.get(key)
        if found is None:
            if len(self._ranges) >= _MOST_RANGES:
                self._ranges.clear()
            found = self._ranges[key] = ranges_of(raw, lab, self.conversion)
        return found

    def _judged(self, said: list[Said], valued: Valued) -> Value:
        absent = there(valued.data_absent_reason)
        display = next((one.display for one in said if one.display), "")
        if not said:
            why = self._absent_reason(valued.data_absent_reason) if absent else ""
            return Value(display, skipped=f"no value{why}")
        if absent:
            return Value(display, unusable=Gap.NO_VALUE)
        if len(said) == 1:
            return Value(display, said[0].reading if said[0].gap is None else None, said[0].gap)
        gap = next((one.gap for one in said if one.gap is not None), None)
        if gap is None and len({one.reading for one in said}) > 1:
            gap = Gap.CONFLICTING
        if gap is not None:
            return Value(display, unusable=gap)
        return Value(display, reading=said[0].reading)

    def conversion(self, quantity: Quantity, lab: LabCode) -> Conversion | None:
        """How a Quantity becomes canonical; None where its unit is not one for this code."""
        found = self._units.conversion(lab.analyte, quantity.system, quantity.code, quantity.unit)
        if found is None or found.log != (lab.property == "log"):
            return None
        if lab.analyte.key in _PROPERTY_COUNTS and lab.property in {"mass", "moles"}:
            unit = self._units.ucum(quantity.code or quantity.unit or "")
            if ("mol" in unit) != (lab.property == "moles"):
                return None
        return found

    # One method per value[x]

    def _quantity(self, raw: Raw, valued: Valued, lab: LabCode) -> Said:
        quantity = lazily.read(lazily.quantity, raw)
        if isinstance(quantity, Lost):
            return Said(gap=Gap.NO_VALUE, display="a value that cannot be read")
        if quantity is None or quantity.value is None:
            return NOTHING
        return self._measured(quantity, quantity, valued, lab, shown(quantity))

    def _integer(self, raw: Raw, valued: Valued, lab: LabCode) -> Said:
        number = lazily.read(lazily.integer, raw)
        if isinstance(number, Lost) or number is None:
            return Said(gap=Gap.NO_VALUE, display="a value that cannot be read")
        quantity = Quantity(value=Decimal(number))
        return self._measured(quantity, quantity, valued, lab, shown(quantity))

    def _range(self, raw: Raw, valued: Valued, lab: LabCode) -> Said:
        given = lazily.read(lazily.interval, raw)
        if isinstance(given, Lost) or given is None:
            return Said(gap=Gap.NO_VALUE, display="a value that cannot be read")
        low, high = given.low or Quantity(), given.high or Quantity()
        if low.value is None and high.value is None:
            return NOTHING
        display = f"{shown(low)} to {shown(high)}".strip()
        return self._measured(low, high, valued, lab, display)

    def _boolean(self, raw: Raw, valued: Valued, lab: LabCode) -> Said:  # noqa: ARG002 - all readers are called alike
        yes = lazily.read(lazily.boolean, raw)
        if isinstance(yes, Lost) or yes is None or lab.analyte.scale not in {"presence", "status"}:
            return Said(gap=Gap.NO_VALUE, display="a yes or no" if yes is None else str(yes))
        return Said(answers.POSITIVE if yes else answers.NEGATIVE, display="yes" if yes else "no")

    def _string(self, raw: Raw, valued: Valued, lab: LabCode) -> Said:
        text = lazily.read(lazily.text, raw)
        if isinstance(text, Lost):
            return Said(gap=Gap.NO_VALUE, display="a value that cannot be read")
        return NOTHING if text is None else self._words(text, valued, lab)

    def _concept(self, raw: Raw, valued: Valued, lab: LabCode) -> Said:
        concept = lazily.read(lazily.concept, raw)
        if isinstance(concept, Lost) or concept is None:
            return Said(gap=Gap.NO_VALUE, display="a value that cannot be read")
        display = _cut(concept.text or next(iter(_displays(concept)), ""))
        codes = [(self._short(c.system), c.code) for c in concept.coding or () if c.code]
        if codes and all(code in answers.NOTHING_SAID for _, code in codes):
            return NOTHING
        answered = [self._coded(system, code, lab) for system, code in codes]
        found = {answer for answer in answered if answer is not None}
        said = [self._words(text, valued, lab) for text in _displays(concept)]
        if found:
            in_words = {one.reading for one in said if one.reading is not None}
            gap = Gap.CONFLICTING if len(found) > 1 or _contradict(found, in_words) else None
            return Said(None if gap else found.pop(), gap, display or str(codes[0][1]))
        usable = {one.reading for one in said if one.reading is not None}
        if said and all(one == NOTHING for one in said):
            return NOTHING
        if len(usable) == 1:
            return Said(usable.pop(), display=display)
        gap = Gap.CONFLICTING if usable else Gap.NO_VALUE
        return Said(gap=gap, display=display or "a code that is not known")

    def _not_for_us(self, raw: Raw, valued: Valued, lab: LabCode) -> Said:  # noqa: ARG002 - all readers are called alike
        return Said(gap=Gap.NO_VALUE, display="a value of a kind that no criterion reads")

    # What a value means for an analyte

    def _words(self, text: str, valued: Valued, lab: LabCode) -> Said:
        display, text = _cut(text), text[:_LONGEST_READ].strip()
        scale = lab.analyte.scale
        if not text or answers.not_done(text, numbers=scale not in {"presence", "status"}):
            return NOTHING
        if scale in {"presence", "status"}:
            answer = self._settled(answers.presence(text), lab)
            if answer is None and _is_load(lab):
                return self._measured_words(text, valued, lab, display)
            return _found(answer, display)
        if scale == "ordinal-grade":
            return _found(answers.grade(text), display)
        if scale == "score":
            return _within(answers.score(text), lab.analyte, display)
        return self._measured_words(text, valued, lab, display)

    def _measured_words(self, text: str, valued: Valued, lab: LabCode, display: str) -> Said:
        answer: Reading | str | None = None
        if lab.analyte.unit == _VIRAL_LOAD:
            below = is_below_detection(answers.folded(text))
            answer = answers.NEGATIVE if below else answers.presence(text)
        if answer is answers.NEGATIVE:
            return Said(answers.NEGATIVE, display=display)
        if answer is answers.POSITIVE:
            return self._detected(text, valued, lab, display)
        amount = amount_in(text)
        if amount is None or (amount.may_be_thousands and self._is_of_single_cells(amount, lab)):
            return Said(gap=Gap.NO_VALUE, display=display)
        return self._measured(amount.low, amount.high, valued, lab, display)

    def _detected(self, text: str, valued: Valued, lab: LabCode, display: str) -> Said:
        """A virus that was found: more than nothing, and within the amount that stands with it.

        '<10 IU/mL detected' is above 0 and below 10.
        """
        amount = amount_in(without_detected(text))
        said = self._measured(amount.low, amount.high, valued, lab, display) if amount else NOTHING
        known = said.reading
        if known is None:
            return Said(answers.DETECTED, display=display)
        if known.low is not None:
            return said
        found = msgspec.structs.replace(
            answers.DETECTED, high=known.high, high_open=known.high_open
        )
        return Said(found, display=display)

    def _is_of_single_cells(self, amount: Amount, lab: LabCode) -> bool:
        """Whether the unit is one of which results have hundreds and thousands: cells per µL."""
        found = self.conversion(amount.low, lab)
        return found is not None and not found.log and found.multiply <= _ONE_IN_A_THOUSAND

    def _measured(
        self, low: Quantity, high: Quantity, valued: Valued, lab: LabCode, display: str
    ) -> Said:
        """A number or a range of numbers, by what the analyte's scale makes of numbers."""
        scale = lab.analyte.scale
        if scale in {"presence", "status"}:
            return Said(self._presence_by_number(low, valued, lab), display=display)
        if scale == "ordinal-grade":
            number = self._grade(low) if low is high else None
            graded = None if number is None else answers.graded(number)
            return _within(graded, lab.analyte, display, Gap.UNIT)
        if lab.analyte.unit == _VIRAL_LOAD and self._is_copies(low):
            return _copies(low, high, display)
        bounds: list[Decimal | None] = []
        for side in (low,) if low is high else (low, high):
            if side.value is None:
                bounds.append(None)
                continue
            conversion = self.conversion(side, lab)
            if conversion is None:
                return Said(gap=Gap.UNIT, display=display)
            if abs(side.value.adjusted()) > _LARGEST or (conversion.log and side.value > _LARGEST):
                return Said(gap=Gap.IMPLAUSIBLE, display=display)
            bounds.append(conversion.apply(side.value))
        reading = _interval(bounds[0], bounds[-1], low.comparator, lab.analyte)
        return _within(reading, lab.analyte, display)

    def _grade(self, amount: Quantity) -> Decimal | None:
        """The number of plus signs; an amount in any other unit is none."""
        in_plus = self._units.ucum(amount.code or amount.unit or "") == "{plus}"
        return amount.value if in_plus and not amount.comparator else None

    def _presence_by_number(self, amount: Quantity, valued: Valued, lab: LabCode) -> Reading:
        """What a number says of a yes or no: what the laboratory says beside it, else little."""
        answer = self._lab_says(valued, lab) if lab.analyte.scale == "presence" else None
        if answer is None and _is_load(lab) and is_more_than_none(amount):
            return answers.POSITIVE
        return answer or answers.OPEN

    def _is_copies(self, amount: Quantity) -> bool:
        """Whether an amount of virus is in copies, which no factor turns into units."""
        return self._units.ucum(amount.code or amount.unit or "") == _COPIES

    def _coded(self, system: str | None, code: str | None, lab: LabCode) -> Reading | None:
        number = lab.analyte.answers.get((system or "", code or ""))
        scale = lab.analyte.scale
        if scale == "score":
            return None if number is None else Reading(number, number)
        if number is None:
            return self._settled(answers.coded_answer(system, code), lab)
        if scale == "ordinal-grade":
            return answers.TRACE if 0 < number < 1 else answers.graded(number)
        return self._settled(answers.POSITIVE if number else answers.NEGATIVE, lab)

    def _settled(self, answer: Reading | str | None, lab: LabCode) -> Reading | None:
        """The answer for one analyte.

        An HIV screen that is reactive is not yet positive, and a viral load below detection does
        not rule the infection out.
        """
        if isinstance(answer, str):
            return answers.OPEN if lab.analyte.key == "hiv" else answers.POSITIVE
        if answer is answers.NEGATIVE and _is_load(lab):
            return answers.OPEN
        return answer

    def _lab_says(self, valued: Valued, lab: LabCode) -> Reading | None:
        """The laboratory's own positive or negative beside a signal ratio or a titre."""
        found = {
            answer
            for concept in lazily.readable(lazily.concepts, valued.interpretation) or ()
            for coding in concept.coding or ()
            if (answer := self._settled(answers.interpretation_answer(coding.code or ""), lab))
            is not None
        }
        return found.pop() if len(found) == 1 else None

    def _interpreted(self, valued: Valued, lab: LabCode) -> list[Said]:
        """A score given as the code of its interpretation (mCODE does so)."""
        return [
            Said(Reading(number, number), display=_cut(coding.display or str(coding.code)))
            for concept in lazily.readable(lazily.concepts, valued.interpretation) or ()
            for coding in concept.coding or ()
            if (number := lab.analyte.answers.get((self._short(coding.system), coding.code or "")))
            is not None
        ]

    def _only_interpreted(self, valued: Valued, lab: LabCode) -> list[Said]:
        """What the laboratory says of a test without a value, unless it is 'negative'.

        It is no value, but a test that may be positive must not be passed over for an older one.
        """
        answer = self._lab_says(valued, lab)
        if answer is None or answer is answers.NEGATIVE:
            return []
        return [Said(gap=Gap.NO_VALUE, display="no value, but an interpretation")]

    def _short(self, system: str | None) -> str:
        return (self._terminology.system(system) if system else None) or ""

    def _absent_reason(self, raw: Raw) -> str:
        concept = lazily.readable(lazily.concept, raw)
        text = next(iter(_displays(concept)), "") if concept is not None else ""
        codes = [c.code for c in concept.coding or () if c.code] if concept is not None else []
        said = text or (codes[0] if codes else "")
        return f": {_cut(said)}" if said else ""

    # For the fields of `value`, in their order; bound to a reader they would be a circle.
    _READERS: ClassVar[tuple[Callable[[ValueReader, Raw, Valued, LabCode], Said], ...]] = (
        _quantity,
        _concept,
        _string,
        _integer,
        _range,
        _boolean,
        *[_not_for_us] * 5,
    )


def shown(quantity: Quantity) -> str:
    """A Quantity as received: '< 0.5 mg/dL'."""
    if quantity.value is None:
        return ""
    unit = _cut(quantity.unit or quantity.code or "")
    return f"{quantity.comparator or ''}{_plain(quantity.value)} {unit}".strip()


def _contradict(coded: set[Reading], in_words: set[Reading]) -> bool:
    """Whether words beside a code say what the code rules out: "negative", and 'POSITIVE'."""
    return any(_apart(one, other) for one in coded for other in in_words)


def _apart(one: Reading, other: Reading) -> bool:
    decided = {one.presence, other.presence} - {None, Truth.UNKNOWN}
    if len(decided) > 1:
        return True
    low = max((r.low for r in (one, other) if r.low is not None), default=None)
    high = min((r.high for r in (one, other) if r.high is not None), default=None)
    return low is not None and high is not None and low > high


def _found(reading: Reading | None, display: str) -> Said:
    return Said(reading, None if reading is not None else Gap.NO_VALUE, display)


def _interval(
    low: Decimal | None, high: Decimal | None, comparator: str | None, analyte: Analyte
) -> Reading | None:
    """The reading of one bound with its comparator, or of two; None for an odd comparator."""
    crossed = low is not None and high is not None and low > high
    if crossed or comparator not in {None, "", "<", "<=", ">", ">="}:
        return None
    reading = Reading(low, high)
    if comparator in {"<", "<="}:
        reading = Reading(high=high, high_open=comparator == "<")
    elif comparator:
        reading = Reading(low=low, low_open=comparator == ">")
    if analyte.unit != _VIRAL_LOAD:
        return reading
    return msgspec.structs.replace(reading, presence=_is_detected(reading))


def _is_detected(reading: Reading) -> Truth:
    """Whether an amount of virus is an amount at all."""
    if reading.low is not None and (reading.low > 0 or (reading.low == 0 and reading.low_open)):
        return Truth.MET
    none = reading.low is not None and reading.high is not None and reading.high <= 0
    return Truth.NOT_MET if none else Truth.UNKNOWN


def _within(
    reading: Reading | None, analyte: Analyte, display: str, gap: Gap = Gap.NO_VALUE
) -> Said:
    """The reading, if it is plausible; scores must be whole numbers. `gap`: why there is none."""
    if reading is None:
        return Said(gap=gap, display=display)
    for bound in (reading.low, reading.high):
        if analyte.scale == "score" and bound is not None and bound != bound.to_integral_value():
            return Said(gap=Gap.IMPLAUSIBLE, display=display)
    least, most = analyte.plausible_min, analyte.plausible_max
    too_high = most is not None and reading.low is not None and reading.low > most
    too_low = least is not None and reading.high is not None and reading.high < least
    exact = reading.low is not None and reading.high is not None
    over = exact and most is not None and reading.high is not None and reading.high > most
    under = exact and least is not None and reading.low is not None and reading.low < least
    if too_high or too_low or over or under:
        return Said(gap=Gap.IMPLAUSIBLE, display=display)
    return Said(reading, display=display)


def _is_load(lab: LabCode) -> bool:
    """Whether a code of a yes-or-no analyte is in truth the amount of a virus."""
    return lab.analyte.scale == "presence" and lab.property in {"number", "log", "copies"}


def _copies(low: Quantity, high: Quantity, display: str) -> Said:
    """Copies say that there is virus, or none; how much in international units, they do not."""
    if low.value is not None and low.value < 0:
        return Said(gap=Gap.IMPLAUSIBLE, display=display)
    if is_more_than_none(low):
        return Said(answers.DETECTED, display=display)
    if low is high and low.value == 0 and not low.comparator:
        return Said(answers.NEGATIVE, display=display)
    return Said(gap=Gap.UNIT, display=display)


def _displays(concept: CodeableConcept | None) -> list[str]:
    """Every text of a concept, its own first, each once."""
    if concept is None:
        return []
    texts = [concept.text, *(coding.display for coding in concept.coding or ())]
    return list(dict.fromkeys(text for text in texts if text and text.strip()))


def _plain(number: Decimal) -> str:
    """A number as received, without blowing up an absurd exponent."""
    return f"{number:f}" if abs(number.adjusted()) <= _LARGEST else str(number)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
