"""Which reference ranges of a result are used, with what limit and for whom."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

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
        ({"coding": [{"code": "recommended"}]}, True),
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


def test_ages_are_in_years_whatever_their_unit(result_of: ResultOf) -> None:
    age = {"low": {"value": 24, "code": "mo"}, "high": {"value": 18, "unit": "years"}}
    (found,) = ranges(result_of, high(1.2, age=age))
    assert (found.age_low, found.age_high) == (Decimal(2), Decimal(18))


def test_an_age_without_a_unit_fits_nobody(result_of: ResultOf) -> None:
    (found,) = ranges(result_of, high(1.2, age={"high": {"value": 18}}))
    assert found.age_high is not None
    assert found.age_high < 0


def test_adults_and_children_in_words_are_ages(result_of: ResultOf) -> None:
    adult, child = ranges(
        result_of,
        high(1.2, appliesTo=[{"text": "Adult female"}]),
        high(0.8, appliesTo=[{"text": "Children"}]),
    )
    assert (adult.sex, adult.age_low) == ("female", Decimal(18))
    assert child.age_high == 17


def test_one_broken_range_does_not_cost_the_others(result_of: ResultOf) -> None:
    found = ranges(result_of, 5, {"high": "1"}, {"type": 7, **high(9)}, high(1.2))
    assert Decimal("106.08203677512") in [r.high for r in found]


def test_a_limit_with_a_comparator_has_no_number(result_of: ResultOf) -> None:
    row = {"high": {"value": 1.2, "unit": "mg/dL", "comparator": "<"}}
    assert [r.high for r in ranges(result_of, row)] == [None]
