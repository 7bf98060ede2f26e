"""criteria/README's "Observations", as far as one Observation decides them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from cds.core.answer import Gap
from cds.core.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.core.facts import Facts, Result

    ResultOf = Callable[..., Result]

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
ANC, PLT, CREA, ECOG, DIP, HIV, HBSAG = (
    "751-8", "777-3", "2160-0", "89247-1", "20454-5", "56888-1", "5196-1",
)  # fmt: skip
HBV, HCV, BUN, INR, NYHA, LVEF = "42595-9", "11011-4", "3094-0", "6301-6", "88020-3", "10230-1"


def quantity(value: float | str, unit: str | None = None, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"value": value, **fields}
    if unit is not None:
        body["unit"] = unit
    return {"valueQuantity": body}


def coded(code: str, system: str = LOINC, display: str | None = None) -> dict[str, Any]:
    coding = {"system": system, "code": code}
    return {
        "valueCodeableConcept": {"coding": [coding | ({"display": display} if display else {})]}
    }


def bounds(result: Result) -> tuple[str | None, str | None]:
    assert result.reading is not None, result
    low, high = result.reading.low, result.reading.high
    return (
        None if low is None else format(low.normalize(), "f"),
        None if high is None else format(high.normalize(), "f"),
    )


# Which results count


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_final_amended_and_corrected_results_count(result_of: ResultOf, status: str) -> None:
    assert bounds(result_of(ANC, "anc", status=status, **quantity(2.1, "K/uL"))) == ("2.1", "2.1")


@pytest.mark.parametrize(
    "status",
    ["registered", "preliminary", "cancelled", "entered-in-error", "unknown", "final!", None, 5],
)
def test_a_result_of_any_other_status_is_only_mentioned(result_of: ResultOf, status: Any) -> None:
    result = result_of(ANC, "anc", status=status, **quantity(0.1, "K/uL"))
    assert result.reading is None
    assert result.unusable is None
    assert result.skipped


def test_a_result_without_a_value_is_passed_over_with_its_reason(result_of: ResultOf) -> None:
    reason = {"dataAbsentReason": {"text": "sample clotted"}}
    assert result_of(ANC, "anc", **reason).skipped == "no value: sample clotted"
    assert result_of(ANC, "anc").skipped == "no value"
    unit_only = {"valueQuantity": {"unit": "K/uL"}}
    assert result_of(ANC, "anc", **unit_only, **reason).skipped == "no value: sample clotted"


def test_a_value_beside_a_reason_for_having_none_cannot_be_used(result_of: ResultOf) -> None:
    both = result_of(ANC, "anc", **quantity(2, "K/uL"), dataAbsentReason={"text": "unsure"})
    assert both.unusable is Gap.NO_VALUE


def test_two_values_at_once_contradict_each_other_unless_they_agree(result_of: ResultOf) -> None:
    differ = result_of(ECOG, "ecog", valueInteger=1, valueString="2")
    assert differ.unusable is Gap.CONFLICTING
    assert bounds(result_of(ECOG, "ecog", valueInteger=1, valueString="ECOG 1")) == ("1", "1")


# Dates


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"effectiveDateTime": "2026-02-20T08:00:00+01:00"}, "2026-02-20T08:00:00+01:00"),
        ({"effectiveDateTime": "2026-02"}, "2026-02"),
        ({"effectiveInstant": "2026-02-20T08:00:00Z"}, "2026-02-20T08:00:00Z"),
        ({"effectivePeriod": {"start": "2026-02-18", "end": "2026-02-19"}}, "2026-02-19"),
        ({"effectivePeriod": {"start": "2026-02-18"}}, "2026-02-18"),
        ({"effectiveTiming": {"event": ["2026-02-01", "2026-02-03"]}}, "2026-02-03"),
        ({"effectivePeriod": {}, "issued": "2026-02-20T08:00:00Z"}, "2026-02-20T08:00:00Z"),
        ({"issued": "2026-02-20T08:00:00Z"}, "2026-02-20T08:00:00Z"),
    ],
)
def test_the_effective_time_dates_a_result_else_when_it_was_issued(
    result_of: ResultOf, fields: dict[str, Any], text: str
) -> None:
    fields = {"effectiveDateTime": None, **fields}
    result = result_of(ANC, "anc", **fields, **quantity(2, "K/uL"))
    assert result.when is not None
    assert result.when.text == text
    assert result.reading is not None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"effectiveDateTime": "yesterday", "issued": "2026-02-20T08:00:00Z"},
        {"effectiveDateTime": 20260220, "issued": "2026-02-20T08:00:00Z"},
        {"effectiveDateTime": "2026-02-31"},
        {"effectivePeriod": {"start": "2026-02-01", "end": 7}},
        {"effectivePeriod": "2026"},
        {"effectivePeriod": {"start": "2026-02-20", "end": "2026-02-01"}},
        {"effectiveTiming": {"repeat": {}}},
        {"effectiveTiming": {"event": ["2026-02-01", "soon"]}},
    ],
)
def test_a_result_without_a_readable_date_cannot_be_used(
    result_of: ResultOf, fields: dict[str, Any]
) -> None:
    fields = {"effectiveDateTime": None, **fields}
    result = result_of(ANC, "anc", **fields, **quantity(2, "K/uL"))
    assert result.when is None
    assert result.reading is None
    assert result.unusable is Gap.DATE


def test_issued_comes_along_to_order_results_of_one_time(result_of: ResultOf) -> None:
    early = result_of(ANC, "anc", issued="2026-02-20T08:00:00Z", **quantity(2, "K/uL"))
    late = result_of(ANC, "anc", issued="2026-02-20T09:00:00+00:00", **quantity(2, "K/uL"))
    assert early.issued is not None
    assert late.issued is not None
    assert late.issued - early.issued == 3600 * 1_000_000
    assert result_of(ANC, "anc", issued="noon", **quantity(2, "K/uL")).issued is None


# Numbers


def test_numbers_are_exact_decimals(result_of: ResultOf) -> None:
    result = result_of("76634-5", "qtc", **quantity(0.47, "s"))
    assert result.reading is not None
    assert result.reading.low == Decimal(470)


@pytest.mark.parametrize(
    ("comparator", "low", "high", "open_low", "open_high"),
    [
        ("<", None, "0.5", False, True),
        ("<=", None, "0.5", False, False),
        (">", "0.5", None, True, False),
        (">=", "0.5", None, False, False),
    ],
)
def test_a_comparator_leaves_one_side_open(  # noqa: PLR0913 - the columns of the table
    result_of: ResultOf,
    comparator: str,
    low: str | None,
    high: str | None,
    open_low: bool,  # noqa: FBT001 - a row of the table
    open_high: bool,  # noqa: FBT001 - a row of the table
) -> None:
    result = result_of(ANC, "anc", **quantity(500, "/uL", comparator=comparator))
    assert bounds(result) == (low, high)
    assert result.reading is not None
    assert (result.reading.low_open, result.reading.high_open) == (open_low, open_high)


def test_an_odd_comparator_is_not_read(result_of: ResultOf) -> None:
    assert result_of(ANC, "anc", **quantity(5, "/uL", comparator="ad")).unusable is Gap.NO_VALUE


@pytest.mark.parametrize("unit", [None, "", "bushels", "%", "mg/dL", "[IU]/L"])
def test_a_unit_that_does_not_convert_is_a_gap_never_a_guess(
    result_of: ResultOf, unit: str | None
) -> None:
    assert result_of(ANC, "anc", **quantity(2.1, unit)).unusable is Gap.UNIT


@pytest.mark.parametrize(("value", "unit"), [(1500, "10*3/uL"), (-1, "K/uL"), (10**30, "/uL")])
def test_a_magnitude_that_nobody_has_is_a_gap(result_of: ResultOf, value: float, unit: str) -> None:
    assert result_of(ANC, "anc", **quantity(value, unit)).unusable is Gap.IMPLAUSIBLE


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2.1 K/uL", "2.1", "2.1"),
        ("2.1 x10^9/L", "2.1", "2.1"),
        ("2,1 10*9/L", "2.1", "2.1"),
        ("<0.5 K/uL", None, "0.5"),
        ("≥ 1.5 × 10⁹/L", "1.5", None),
        ("≤1500 cells/µL", None, "1.5"),
        ("1.2-1.4 K/uL", "1.2", "1.4"),
        ("1.2 to 1.4 K/uL", "1.2", "1.4"),
        (" 2.1   K/uL ", "2.1", "2.1"),
    ],
)
def test_a_number_in_words_is_read_with_its_unit(
    result_of: ResultOf, text: str, low: str | None, high: str | None
) -> None:
    assert bounds(result_of(ANC, "anc", valueString=text)) == (low, high)


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("2.1", Gap.UNIT),
        ("1,500 K/uL", Gap.NO_VALUE),
        ("see comment", Gap.NO_VALUE),
        ("about 2 K/uL", Gap.NO_VALUE),
        ("2.1.3 K/uL", Gap.NO_VALUE),
        ("<1-2 K/uL", Gap.NO_VALUE),
        ("2.1 mg/dL", Gap.UNIT),
    ],
)
def test_a_text_that_is_not_clearly_a_measurement_cannot_be_used(
    result_of: ResultOf, text: str, gap: Gap
) -> None:
    assert result_of(ANC, "anc", valueString=text).unusable is gap


@pytest.mark.parametrize("text", ["Not performed", "cancelled", "pending", "QNS", "  "])
def test_a_text_that_says_there_is_no_result_is_passed_over(result_of: ResultOf, text: str) -> None:
    assert result_of(ANC, "anc", valueString=text).skipped


def test_an_ejection_fraction_may_be_a_range(result_of: ResultOf) -> None:
    assert bounds(result_of(LVEF, "lvef", valueString="55-60 %")) == ("55", "60")
    given = {"valueRange": {"low": {"value": 55, "unit": "%"}, "high": {"value": 60, "unit": "%"}}}
    assert bounds(result_of(LVEF, "lvef", **given)) == ("55", "60")
    half = {"valueRange": {"low": {"value": 55, "unit": "%"}}}
    assert bounds(result_of(LVEF, "lvef", **half)) == ("55", None)


def test_an_ejection_fraction_without_unit_is_not_taken_for_percent(result_of: ResultOf) -> None:
    assert result_of(LVEF, "lvef", **quantity(0.55)).unusable is Gap.UNIT
    assert result_of(LVEF, "lvef", valueInteger=55).unusable is Gap.UNIT


def test_a_ratio_needs_no_unit(result_of: ResultOf) -> None:
    assert bounds(result_of(INR, "inr", **quantity(1.1))) == ("1.1", "1.1")
    assert bounds(result_of(INR, "inr", **quantity(1.1, "{INR}"))) == ("1.1", "1.1")
    assert bounds(result_of(INR, "inr", valueString="1.1")) == ("1.1", "1.1")
    assert result_of(INR, "inr", **quantity(90, "%")).unusable is Gap.UNIT


def test_urea_nitrogen_must_be_in_the_units_of_its_own_code(result_of: ResultOf) -> None:
    assert result_of(BUN, "bun", **quantity(14, "mg/dL")).reading is not None
    assert result_of(BUN, "bun", **quantity(5, "mmol/L")).unusable is Gap.UNIT
    assert result_of("14937-7", "bun", **quantity(5, "mmol/L")).reading is not None
    assert result_of("14937-7", "bun", **quantity(14, "mg/dL")).unusable is Gap.UNIT


@pytest.mark.parametrize(
    "fields",
    [
        {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}},
        {"valueSampledData": {"data": "1 2 3"}},
        {"valueTime": "08:00:00"},
        {"valueDateTime": "2026-02-20"},
        {"valuePeriod": {"start": "2026-02-20"}},
        {"valueBoolean": True},
        {"valueQuantity": {"value": "NaN", "unit": "K/uL"}},
        {"valueQuantity": {"value": "high", "unit": "K/uL"}},
        {"valueQuantity": {"value": 2.1, "unit": 5}},
        {"valueQuantity": 7},
        {"valueString": 7},
        {"valueInteger": "two"},
        {"valueRange": "low"},
        {"valueCodeableConcept": []},
    ],
)
def test_a_value_of_a_kind_that_cannot_be_read_is_a_gap(
    result_of: ResultOf, fields: dict[str, Any]
) -> None:
    result = result_of(ANC, "anc", **fields)
    assert result.unusable is not None
    assert result.reading is None


# Scores


@pytest.mark.parametrize(
    "fields",
    [
        {"valueInteger": 1},
        quantity(1, "{score}"),
        quantity(1),
        {"valueString": "1"},
        {"valueString": "ECOG 1"},
        {"valueString": "1 - Restricted in physically strenuous activity"},
        coded("LA9623-5"),
        coded("422512005", SNOMED),
        {"valueCodeableConcept": {"text": "ECOG grade 1"}},
        {"interpretation": [{"coding": [{"system": LOINC, "code": "LA9623-5"}]}]},
        {
            "valueInteger": 1,
            "interpretation": [{"coding": [{"system": LOINC, "code": "LA9623-5"}]}],
        },
        {"component": [{"code": {"text": "score"}, "valueString": "1"}]},
        {"component": [{"code": {"coding": [{"system": LOINC, "code": ECOG}]}, "valueInteger": 1}]},
    ],
)
def test_ecog_is_read_in_every_form_that_charts_give_it(
    result_of: ResultOf, fields: dict[str, Any]
) -> None:
    assert bounds(result_of(ECOG, "ecog", **fields)) == ("1", "1")


@pytest.mark.parametrize(
    "fields",
    [
        {"valueInteger": 6},
        {"valueInteger": -1},
        quantity(1.5, "{score}"),
        quantity(90, "%"),
        {"valueString": "Karnofsky 90"},
        {"valueString": "90"},
        {"valueString": "0-1"},
        {"valueString": "ECOG 1 or 2"},
        coded("LA11841-6"),
        {
            "valueInteger": 2,
            "interpretation": [{"coding": [{"system": LOINC, "code": "LA9623-5"}]}],
        },
        {
            "component": [
                {"code": {"coding": [{"system": LOINC, "code": ECOG}]}, "valueInteger": 1},
                {"code": {"coding": [{"system": LOINC, "code": ECOG}]}, "valueInteger": 2},
            ]
        },
    ],
)
def test_an_ecog_that_is_no_clear_number_from_0_to_5_cannot_be_used(
    result_of: ResultOf, fields: dict[str, Any]
) -> None:
    result = result_of(ECOG, "ecog", **fields)
    assert result.reading is None
    assert result.unusable is not None


def test_karnofsky_is_never_an_ecog(facts_of: Callable[..., Facts]) -> None:
    karnofsky = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "89243-0"}]},
        "effectiveDateTime": "2026-02-20",
        "valueInteger": 90,
    }
    assert facts_of(karnofsky).results.get("ecog", ()) == ()


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        (coded("LA28405-1"), "2"),
        ({"valueString": "NYHA II"}, "2"),
        ({"valueString": "Class III"}, "3"),
        ({"valueInteger": 4}, "4"),
    ],
)
def test_nyha_classes_are_numbers(result_of: ResultOf, fields: dict[str, Any], number: str) -> None:
    assert bounds(result_of(NYHA, "nyha_class", **fields)) == (number, number)


# Grades and yes or no


@pytest.mark.parametrize(
    ("fields", "low", "high"),
    [
        ({"valueString": "++"}, "2", "2"),
        ({"valueString": "2+"}, "2", "2"),
        ({"valueString": "+"}, "1", "1"),
        ({"valueString": "3+ (300 mg/dL)"}, "3", "3"),
        ({"valueString": "negative"}, "0", "0"),
        ({"valueString": "trace"}, "0", "1"),
        ({"valueString": "positive"}, "1", None),
        (coded("LA11842-4"), "2", "2"),
        (coded("260348001", SNOMED), "2", "2"),
        (coded("10828004", SNOMED), "1", None),
        (quantity(2, "{plus}"), "2", "2"),
    ],
)
def test_a_dipstick_counts_by_its_own_grade(
    result_of: ResultOf, fields: dict[str, Any], low: str, high: str | None
) -> None:
    assert bounds(result_of(DIP, "urine_protein_dipstick", **fields)) == (low, high)


@pytest.mark.parametrize(
    "fields",
    [quantity(100, "mg/dL"), {"valueString": "100 mg/dL"}, {"valueInteger": 2}, quantity(2)],
)
def test_a_dipstick_does_not_count_by_concentration(
    result_of: ResultOf, fields: dict[str, Any]
) -> None:
    result = result_of(DIP, "urine_protein_dipstick", **fields)
    assert result.reading is None
    assert result.unusable is not None


@pytest.mark.parametrize(
    ("fields", "presence"),
    [
        ({"valueString": "Positive"}, Truth.MET),
        ({"valueString": "Negative"}, Truth.NOT_MET),
        ({"valueString": "Non-Reactive"}, Truth.NOT_MET),
        ({"valueString": "not detected"}, Truth.NOT_MET),
        ({"valueString": "No antigen detected"}, Truth.NOT_MET),
        ({"valueString": "Reactive"}, Truth.MET),
        ({"valueString": "indeterminate"}, Truth.UNKNOWN),
        ({"valueString": "weakly reactive"}, Truth.UNKNOWN),
        (coded("LA6576-8"), Truth.MET),
        (coded("LA6577-6"), Truth.NOT_MET),
        (coded("260385009", SNOMED), Truth.NOT_MET),
        (coded("11214006", SNOMED), Truth.MET),
        (coded("LOCAL", "urn:oid:1.2.3", "POSITIVE"), Truth.MET),
        ({"valueBoolean": False}, Truth.NOT_MET),
        (quantity(0.1, "S/CO"), Truth.UNKNOWN),
        (
            quantity(0.1, "S/CO")
            | {"interpretation": [{"coding": [{"code": "NEG"}, {"code": "N"}]}]},
            Truth.NOT_MET,
        ),
        (quantity(9, "S/CO") | {"interpretation": [{"coding": [{"code": "POS"}]}]}, Truth.MET),
        (quantity(9, "S/CO") | {"interpretation": [{"coding": [{"code": "H"}]}]}, Truth.UNKNOWN),
    ],
)
def test_hepatitis_b_antigen_is_positive_negative_or_open(
    result_of: ResultOf, fields: dict[str, Any], presence: Truth
) -> None:
    result = result_of(HBSAG, "hbsag", **fields)
    assert result.reading is not None
    assert result.reading.presence is presence


@pytest.mark.parametrize(
    ("loinc", "fields", "presence"),
    [
        (HIV, {"valueString": "positive"}, Truth.MET),
        (HIV, {"valueString": "non-reactive"}, Truth.NOT_MET),
        (HIV, {"valueString": "reactive"}, Truth.UNKNOWN),
        (HIV, coded("LA15255-5"), Truth.UNKNOWN),
        (HIV, {"valueString": "preliminary positive"}, Truth.UNKNOWN),
        ("25836-8", {"valueString": "not detected"}, Truth.UNKNOWN),
    ],
)
def test_an_hiv_screen_is_positive_only_when_it_says_so(
    result_of: ResultOf, loinc: str, fields: dict[str, Any], presence: Truth
) -> None:
    result = result_of(loinc, "hiv_test", **fields)
    assert result.reading is not None
    assert result.reading.presence is presence


@pytest.mark.parametrize("text", ["see scanned report", "positive or negative", "42"])
def test_words_that_do_not_say_one_thing_are_no_answer(result_of: ResultOf, text: str) -> None:
    assert result_of(HBSAG, "hbsag", valueString=text).unusable is Gap.NO_VALUE


@pytest.mark.parametrize(
    ("fields", "presence"),
    [
        (quantity(1200, "[IU]/mL"), Truth.MET),
        (quantity(0, "IU/mL"), Truth.NOT_MET),
        (quantity(15, "IU/mL", comparator="<"), Truth.UNKNOWN),
        (quantity(1000000, "IU/mL", comparator=">"), Truth.MET),
        ({"valueString": "Target not detected"}, Truth.NOT_MET),
        ({"valueString": "<15 IU/mL, not detected"}, Truth.NOT_MET),
        ({"valueString": "Detected"}, Truth.MET),
    ],
)
def test_a_viral_load_also_says_whether_there_is_virus(
    result_of: ResultOf, fields: dict[str, Any], presence: Truth
) -> None:
    result = result_of(HCV, "hcv_rna", **fields)
    assert result.reading is not None
    assert result.reading.presence is presence


def test_a_viral_load_in_logarithms_needs_the_code_for_it(result_of: ResultOf) -> None:
    assert bounds(result_of("38180-6", "hcv_rna", **quantity(3, "log IU/mL"))) == ("1000", "1000")
    assert result_of("38180-6", "hcv_rna", **quantity(3, "IU/mL")).unusable is Gap.UNIT
    assert result_of(HCV, "hcv_rna", **quantity(3, "log IU/mL")).unusable is Gap.UNIT


@pytest.mark.parametrize(
    ("fields", "presence"),
    [
        (quantity(500000, "copies/mL"), Truth.MET),
        (quantity(0, "copies/mL"), Truth.NOT_MET),
        ({"valueString": "500000 copies/mL"}, Truth.MET),
        ({"valueString": "<10 IU/mL detected"}, Truth.MET),
        ({"valueString": "below detection limit"}, Truth.NOT_MET),
        ({"valueString": "< LOD"}, Truth.NOT_MET),
    ],
)
def test_copies_and_bounds_say_whether_there_is_virus(
    result_of: ResultOf, fields: dict[str, Any], presence: Truth
) -> None:
    result = result_of(HBV, "hbv_dna", **fields)
    assert result.reading is not None, result
    assert result.reading.presence is presence


def test_copies_below_a_bound_are_not_comparable(result_of: ResultOf) -> None:
    low = quantity(20, "copies/mL", comparator="<")
    assert result_of(HBV, "hbv_dna", **low).unusable is Gap.UNIT


def test_what_was_detected_below_a_bound_is_below_it(result_of: ResultOf) -> None:
    assert bounds(result_of(HBV, "hbv_dna", valueString="<10 IU/mL detected")) == ("0", "10")


@pytest.mark.parametrize(
    ("fields", "presence"),
    [
        (quantity(50000, "copies/mL"), Truth.MET),
        ({"valueString": "50000 copies/mL"}, Truth.MET),
        (quantity(20, "copies/mL", comparator="<"), Truth.UNKNOWN),
        ({"valueString": "not detected"}, Truth.UNKNOWN),
    ],
)
def test_an_amount_of_hiv_is_a_positive_test(
    result_of: ResultOf, fields: dict[str, Any], presence: Truth
) -> None:
    result = result_of("25836-8", "hiv_test", **fields)
    assert result.skipped is None
    read = Truth.UNKNOWN if result.reading is None else result.reading.presence
    assert read is presence


def test_a_negative_surface_antigen_is_negative_by_any_code(result_of: ResultOf) -> None:
    result = result_of("63557-3", "hbsag", valueString="Negative")
    assert result.reading is not None
    assert result.reading.presence is Truth.NOT_MET


def test_a_test_that_is_only_interpreted_is_not_passed_over(result_of: ResultOf) -> None:
    def interpretation(code: str) -> dict[str, Any]:
        system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
        return {"interpretation": [{"coding": [{"system": system, "code": code}]}]}

    assert result_of(HIV, "hiv_test", **interpretation("POS")).unusable is Gap.NO_VALUE
    assert result_of(HIV, "hiv_test", **interpretation("NEG")).skipped is not None
    assert result_of(HIV, "hiv_test", **interpretation("H")).skipped is not None


@pytest.mark.parametrize(
    ("code", "concept", "fields"),
    [
        (HIV, "hiv_test", coded("260385009", SNOMED) | {}),
        (ECOG, "ecog", coded("LA9623-5", LOINC)),
    ],
)
def test_words_that_contradict_their_code_are_no_answer(
    result_of: ResultOf, code: str, concept: str, fields: dict[str, Any]
) -> None:
    assert result_of(code, concept, **fields).unusable is None
    fields["valueCodeableConcept"]["text"] = "POSITIVE" if code == HIV else "ECOG 3"
    assert result_of(code, concept, **fields).unusable is Gap.CONFLICTING


@pytest.mark.parametrize("unit", ["103/uL", "10 3/uL", "109/L", "10 9/L", "106/L", "103/mm3"])
def test_a_power_that_lost_its_sign_is_no_unit(result_of: ResultOf, unit: str) -> None:
    assert result_of(ANC, "anc", **quantity(2.1, unit)).unusable is Gap.UNIT
    coded_unit = {"system": UCUM, "code": unit.replace(" ", "")}
    assert result_of(ANC, "anc", **quantity(2.1, **coded_unit)).unusable is Gap.UNIT


@pytest.mark.parametrize("text", ["1.500 /µl", "150.000/µl", "1 500 /uL", "1,500 /uL"])
def test_a_number_that_may_be_thousands_is_not_read(result_of: ResultOf, text: str) -> None:
    assert result_of(ANC, "anc", valueString=text).reading is None


def test_three_decimals_of_a_small_unit_are_decimals(result_of: ResultOf) -> None:
    assert bounds(result_of(CREA, "creatinine_serum", valueString="1.234 mg/dL")) != (None, None)
    assert bounds(result_of(LVEF, "lvef", valueString="55%-60%")) == ("55", "60")


def test_a_result_about_somebody_else_is_passed_over(result_of: ResultOf) -> None:
    donor = {"focus": [{"reference": "Patient/donor"}], "valueString": "Positive"}
    assert result_of(HIV, "hiv_test", **donor).skipped is not None


@pytest.mark.parametrize(
    ("fields", "presence"),
    [
        (coded("LA15173-0"), Truth.MET),
        (coded("60001007", SNOMED), Truth.NOT_MET),
        (coded("LA4489-6"), Truth.UNKNOWN),
        ({"valueString": "Not pregnant"}, Truth.NOT_MET),
        ({"valueBoolean": True}, Truth.MET),
    ],
)
def test_pregnancy_status_is_read_from_codes_words_and_yes_or_no(
    result_of: ResultOf, fields: dict[str, Any], presence: Truth
) -> None:
    result = result_of("82810-3", "pregnancy_status", **fields)
    assert result.reading is not None
    assert result.reading.presence is presence


def test_a_null_flavour_is_no_value(result_of: ResultOf) -> None:
    null = coded("UNK", "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "unknown")
    assert result_of(HBSAG, "hbsag", **null).skipped


def test_codes_of_one_value_that_contradict_each_other_cannot_be_used(result_of: ResultOf) -> None:
    both = {
        "valueCodeableConcept": {
            "coding": [{"system": LOINC, "code": "LA6576-8"}, {"system": LOINC, "code": "LA6577-6"}]
        }
    }
    assert result_of(HBSAG, "hbsag", **both).unusable is Gap.CONFLICTING


def test_the_value_is_shown_as_received(result_of: ResultOf) -> None:
    assert result_of(ANC, "anc", **quantity(2100, "cells/uL")).display == "2100 cells/uL"
    assert result_of(ANC, "anc", **quantity(2.10, "K/uL", comparator="<")).display == "<2.1 K/uL"
    assert result_of(ECOG, "ecog", valueString="ECOG 1").display == "ECOG 1"
    long = result_of(ECOG, "ecog", valueString="ECOG 1 " + "x" * 900)
    assert len(long.display) < 200


@pytest.mark.parametrize(
    ("text", "value"), [("12.3 g/dL (L)", "123"), ("7.4* g/dL", "74"), ("7.4 g/dL ↓", "74")]
)
def test_a_mark_that_a_value_is_out_of_range_is_no_unit(
    result_of: ResultOf, text: str, value: str
) -> None:
    assert bounds(result_of("718-7", "hemoglobin", valueString=text)) == (value, value)
