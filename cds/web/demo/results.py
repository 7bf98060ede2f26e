"""Results as a chart shows them: the newest of each test, its range and flag, and the trend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.web.demo.reading import (
    LOINC,
    Json,
    at,
    code_of,
    concept_text,
    day_of,
    items,
    number_of,
    quantity_text,
    spoken,
    when_of,
)
from cds.web.demo.trend import Point, Trend, trend_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

_USABLE = frozenset({"final", "amended", "corrected"})
_FLAGS = {"H": "high", "HH": "high", "HU": "high", "L": "low", "LL": "low", "LU": "low"}
_ABNORMAL = {"A": "abnormal", "AA": "abnormal", "POS": "abnormal"}
_MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Result:
    """One result for the eye. `state` is '' for one that is final."""

    value: str
    when: str
    state: str


@dataclass(frozen=True, slots=True)
class LabTest:
    """One test of a chart: its newest result, and the ones before."""

    name: str
    value: str
    when: str
    flag: str
    range: str
    state: str
    trend: Trend | None
    results: tuple[Result, ...]
    more: int

    @property
    def more_than_one(self) -> bool:
        """Whether there is a history to look at."""
        return len(self.results) > 1


def lab_tests_of(observations: Iterable[Json]) -> list[LabTest]:
    """One row for each test, in the order in which the tests came; panels are left out."""
    by_test: dict[str, list[Json]] = {}
    for observation in observations:
        if value_text(observation) or not items(observation.get("hasMember")):
            code = observation.get("code")
            by_test.setdefault(code_of(code, LOINC) or concept_text(code), []).append(observation)
    return [
        # The chart's own name stays, whatever a result that is added later calls the test.
        _test(concept_text(of_test[0].get("code")), sorted(of_test, key=_newest, reverse=True))
        for of_test in by_test.values()
    ]


def value_text(observation: Json) -> str:
    """The value of an Observation, whatever its type: '1.4 10*9/L', '128 / 82 mm[Hg]', 'trace'."""
    for name, value in observation.items():
        if not name.startswith("value"):
            continue
        if isinstance(value, dict):
            return quantity_text(value) or concept_text(value)
        return str(value)
    return _components_text(items(observation.get("component")))


def _components_text(components: list[Json]) -> str:
    """'128 / 82 mmHg' where all parts share a unit, else each part with its own."""
    parts = [value_text(one) for one in components]
    parts = [part for part in parts if part]
    units = {_unit(one) for one in components}
    if len(parts) > 1 and len(units) == 1 and (unit := f" {units.pop()}") != " ":
        parts = [part.removesuffix(unit) for part in parts[:-1]] + parts[-1:]
    return " / ".join(parts)


def _newest(observation: Json) -> tuple[str, str]:
    return when_of(observation)[:19], str(observation.get("issued", ""))[:19]


def _test(name: str, newest_first: list[Json]) -> LabTest:
    usable = [one for one in newest_first if at(one, "status") in _USABLE and value_text(one)]
    shown = usable[0] if usable else newest_first[0]
    low, high, range_text = _range(shown)
    results = tuple(
        Result(value_text(one) or _without_value(one), spoken(when_of(one)), _state(one))
        for one in newest_first
    )
    name = name or "Unnamed test"
    return LabTest(
        name,
        value_text(shown) or _without_value(shown),
        spoken(when_of(shown)),
        _flag(shown, low, high),
        range_text,
        _state(shown),
        trend_of(name, _points(usable, _unit(shown)), _unit(shown), low, high),
        results[:_MOST_SHOWN],
        max(0, len(results) - _MOST_SHOWN),
    )


def _without_value(observation: Json) -> str:
    reason = concept_text(observation.get("dataAbsentReason"))
    return f"no value ({reason})" if reason else "no value"


def _state(observation: Json) -> str:
    status = str(at(observation, "status") or "no status")
    return "" if status == "final" else status


def _unit(observation: Json) -> str:
    quantity = observation.get("valueQuantity")
    return str(at(quantity, "unit") or at(quantity, "code") or "")


def _points(observations: list[Json], unit: str) -> list[Point]:
    """What can be drawn: dated numbers in the unit of the newest, oldest first."""
    points = []
    for one in reversed(observations):
        number, day = number_of(at(one, "valueQuantity", "value")), day_of(when_of(one))
        if number is not None and day is not None and _unit(one) == unit:
            points.append(Point(day, number))
    return points


def _range(observation: Json) -> tuple[Decimal | None, Decimal | None, str]:
    """Low, high and the text of a reference range; of several none is chosen here."""
    ranges = items(observation.get("referenceRange"))
    if len(ranges) != 1:
        return None, None, f"{len(ranges)} ranges" if ranges else ""
    low, high = (at(ranges[0], end, "value") for end in ("low", "high"))
    low, high = number_of(low), number_of(high)
    if low is not None and high is not None:
        return low, high, f"{low:f} – {high:f}"
    if high is not None:
        return None, high, f"≤ {high:f}"
    if low is not None:
        return low, None, f"≥ {low:f}"
    return None, None, str(at(ranges[0], "text") or "")


def _flag(observation: Json, low: Decimal | None, high: Decimal | None) -> str:
    """'high', 'low', 'abnormal' or '': what the laboratory said, else what the range says."""
    for interpretation in items(observation.get("interpretation")):
        for coding in items(interpretation.get("coding")):
            said = (_FLAGS | _ABNORMAL).get(str(coding.get("code")))
            if said:
                return said
    number = number_of(at(observation, "valueQuantity", "value"))
    units = {at(one, end, "unit") for one in items(observation.get("referenceRange"))
             for end in ("low", "high") if at(one, end)}  # fmt: skip
    if number is None or not units <= {_unit(observation), None}:
        return ""  # a range in another unit is for a human to compare
    if high is not None and number > high:
        return "high"
    return "low" if low is not None and number < low else ""
