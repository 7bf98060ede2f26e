"""Which reference ranges of a result are used, with what limit and for whom."""

from __future__ import annotations

from datetime import UTC, date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from cds.core.facts import Patient
from cds.core.when import Age, Evaluation, read_when
from cds.engine.limits import upper_limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.core.facts import ReferenceRange, Result

    ResultOf = Callable[..., Result]


def high(value: float, unit: str | None = "mg/dL", **fields: Any) -> dict[str, Any]:
    limit: dict[str, Any] = {"value": value}
    if unit is not None:
        limit["unit"] = unit
    return {"high": limit, **fields}


def ranges(result_of: ResultOf, *rows: Any) -> tuple[ReferenceRange, ...]:
    value = {"value": 1.0, "unit": "mg/dL"}
    return result_of("2160-0", "creatinine_serum", valueQuantity=value, referenceRange=rows).ranges


def test_the_limit_is_in_the_canonical_unit_whatever_its_own(result_of: ResultOf) -> None:
    result = result_of(
        "2160-0",
        "creatinine_serum",
        valueQuantity={"value": 90, "unit": "umol/L"},
        referenceRange=[high(1.2)],
    )
    assert [r.high for r in result.ranges] == [Decimal("106.08203677512")]
    assert result.has_high


def test_a_limit_without_or_with_a_foreign_unit_has_no_number(result_of: ResultOf) -> None:
    assert [r.high for r in ranges(result_of, high(1.2, None), high(1.2, "U/L"))] == [None, None]


def test_a_range_in_words_or_with_a_lower_limit_only_is_none(result_of: ResultOf) -> None:
    assert ranges(result_of, {"text": "0.5 - 1.2 mg/dL"}, {"low": {"value": 1}}) == ()


@pytest.mark.parametrize(
    ("kind", "used"),
    [
        (None, True),
        ({"coding": [{"code": "normal"}]}, True),
        ({"text": "Normal Range"}, True),
        ({"coding": [{"code": "recommended"}]}, False),
        ({"coding": [{"code": "critical"}]}, False),
        ({"coding": [{"code": "treatment"}]}, False),
        ({"coding": [{"code": "therapeutic"}], "text": "therapeutic"}, False),
    ],
)
def test_only_normal_ranges_and_those_without_type_are_used(
    result_of: ResultOf,
    kind: dict[str, Any] | None,
    used: bool,  # noqa: FBT001 - a row
) -> None:
    assert bool(ranges(result_of, high(1.2, type=kind))) is used


@pytest.mark.parametrize(
    ("group", "sex"),
    [
        ({"coding": [{"code": "female"}]}, "female"),
        ({"coding": [{"code": "M"}]}, "male"),
        ({"coding": [{"system": "http://snomed.info/sct", "code": "248153007"}]}, "male"),
        ({"text": "Women"}, "female"),
        ({"text": "Normal population"}, None),
    ],
)
def test_a_range_says_whose_sex_it_is_for(
    result_of: ResultOf, group: dict[str, Any], sex: str | None
) -> None:
    assert [r.sex for r in ranges(result_of, high(1.2, appliesTo=[group]))] == [sex]


@pytest.mark.parametrize(
    "group", [{"text": "pregnant women"}, {"text": "Third trimester"}, {"coding": [{"code": "x"}]}]
)
def test_a_range_for_people_whom_we_cannot_tell_is_not_used(
    result_of: ResultOf, group: dict[str, Any]
) -> None:
    assert ranges(result_of, high(1.2, appliesTo=[group])) == ()


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        ({"value": 18, "unit": "years"}, Age(Decimal(18))),
        ({"value": 24, "code": "mo"}, Age(Decimal(24), "months")),
        ({"value": 11.5, "code": "a"}, Age(Decimal(138), "months")),
        ({"value": 2, "code": "wk"}, Age(Decimal(14), "days")),
        ({"value": 6574, "code": "d"}, Age(Decimal(6574), "days")),
        ({"value": 48, "code": "h"}, Age(Decimal(2), "days")),
    ],
)
def test_ages_keep_the_unit_in_which_they_can_be_counted(
    result_of: ResultOf, age: dict[str, Any], expected: Age
) -> None:
    (found,) = ranges(result_of, high(1.2, age={"low": age}))
    assert found.age_low == expected


@pytest.mark.parametrize(
    ("birth", "limits"),
    [
        # 82 months, 11 years and 9 months, 18 and a half years
        ("2019-04-01", ((60, 72, "mo"), (73, 143, "mo"))),
        ("2014-05-05", ((5, 11.5, "a"), (11.5, 18, "a"))),
        ("2007-08-15", ((0, 6574, "d"), (6575, 36500, "d"))),
    ],
)
def test_neighbouring_ages_are_told_apart(
    result_of: ResultOf, birth: str, limits: tuple[tuple[float, float, str], ...]
) -> None:
    rows = [
        high(1.2, age={"low": {"value": low, "code": unit}, "high": {"value": most, "code": unit}})
        for low, most, unit in limits
    ]
    born = read_when(birth, UTC)
    assert born is not None
    for at, row in enumerate(rows):
        value = {"value": 1.0, "unit": "mg/dL"}
        result = result_of("2160-0", "creatinine_serum", valueQuantity=value, referenceRange=[row])
        fits = upper_limits(result, Patient("Patient/p1", born), Evaluation.of(date(2026, 3, 1)))
        assert bool(fits) is (at == 1)


@pytest.mark.parametrize("limit", [0, -1, 9999])
def test_a_limit_that_cannot_be_one_is_none(result_of: ResultOf, limit: float) -> None:
    assert ranges(result_of, high(limit)) == ()


def test_an_age_without_a_unit_fits_nobody(result_of: ResultOf) -> None:
    (found,) = ranges(result_of, high(1.2, age={"high": {"value": 18}}))
    assert found.age_high is not None
    assert found.age_high.number < 0


def test_adults_and_children_in_words_are_ages(result_of: ResultOf) -> None:
    adult, child = ranges(
        result_of,
        high(1.2, appliesTo=[{"text": "Adult female"}]),
        high(0.8, appliesTo=[{"text": "Children"}]),
    )
    assert (adult.sex, adult.age_low) == ("female", Age(Decimal(18)))
    assert child.age_high == Age(Decimal(17))


def test_one_broken_range_does_not_cost_the_others(result_of: ResultOf) -> None:
    found = ranges(result_of, 5, {"high": "1"}, {"type": 7, **high(9)}, high(1.2))
    assert Decimal("106.08203677512") in [r.high for r in found]


def test_a_limit_with_a_comparator_has_no_number(result_of: ResultOf) -> None:
    row = {"high": {"value": 1.2, "unit": "mg/dL", "comparator": "<"}}
    assert [r.high for r in ranges(result_of, row)] == [None]
