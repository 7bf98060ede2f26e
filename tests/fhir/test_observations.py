"""Components, panels, several codes and traps: which results a chart's Observations make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.core.facts import Facts

LOINC = "http://loinc.org"


def observation(*codes: str, **fields: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code} for code in codes]},
        "effectiveDateTime": "2026-02-20",
        **fields,
    }


def component(code: str, value: float, unit: str) -> dict[str, Any]:
    return {
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "valueQuantity": {"value": value, "unit": unit},
    }


def test_components_count_under_their_own_code(facts_of: Callable[..., Facts]) -> None:
    panel = observation(
        "85354-9", component=[component("8480-6", 120, "mmHg"), component("8462-4", 80, "mm[Hg]")]
    )
    facts = facts_of(panel)
    assert [r.display for r in facts.results["systolic_bp"]] == ["120 mmHg"]
    assert [r.display for r in facts.results["diastolic_bp"]] == ["80 mm[Hg]"]
    assert facts.results["systolic_bp"][0].reference == "Observation/r0"


def test_one_broken_component_does_not_cost_the_others(facts_of: Callable[..., Facts]) -> None:
    parts = [5, {"code": "x"}, component("8480-6", 120, "mmHg")]
    assert len(facts_of(observation("85354-9", component=parts)).results["systolic_bp"]) == 1


def test_members_of_a_panel_count_by_themselves(facts_of: Callable[..., Facts]) -> None:
    panel = observation("58410-2", hasMember=[{"reference": "Observation/anc"}])
    anc = observation("751-8", id="anc", valueQuantity={"value": 2, "unit": "K/uL"})
    assert len(facts_of(panel, anc).results["anc"]) == 1


def test_contained_members_take_status_and_date_from_their_panel(
    facts_of: Callable[..., Facts],
) -> None:
    member = {
        "resourceType": "Observation",
        "id": "m",
        "code": {"coding": [{"system": LOINC, "code": "751-8"}]},
        "valueQuantity": {"value": 2, "unit": "K/uL"},
    }
    stranger = member | {"id": "s", "subject": {"reference": "Patient/other"}}
    panel = observation("58410-2", contained=[member, stranger, 7], hasMember=[{"reference": "#m"}])
    (result,) = facts_of(panel).results["anc"]
    assert result.reading is not None
    assert result.when is not None
    assert result.when.text == "2026-02-20"


def test_several_codes_of_one_analyte_are_one_result(facts_of: Callable[..., Facts]) -> None:
    coding = [
        {"system": "urn:oid:1.2.3", "code": "NEUT", "userSelected": True},
        {"system": LOINC, "code": "751-8"},
        {"system": LOINC, "code": "26499-4"},
    ]
    local_first = observation("751-8", valueQuantity={"value": 2, "unit": "K/uL"})
    local_first["code"] = {"coding": coding}
    assert len(facts_of(local_first).results["anc"]) == 1


@pytest.mark.parametrize(
    ("code", "concept"),
    [
        ("6690-2", "anc"), ("770-8", "anc"), ("26511-6", "anc"), ("30451-9", "anc"),
        ("1968-7", "bilirubin_total"), ("1971-1", "bilirubin_total"),
        ("2161-8", "creatinine_serum"), ("2164-2", "creatinine_serum"),
        ("13488-2", "aptt"), ("8634-8", "qtc"), ("2345-7", "fasting_glucose"),
        ("21482-5", "urine_protein_24h"), ("2888-6", "urine_protein_dipstick"),
        ("10900-9", "hbsag"), ("22322-2", "hbsag"), ("89243-0", "ecog"), ("88021-1", "nyha_class"),
    ],
)  # fmt: skip
def test_a_code_that_only_looks_right_makes_no_result(
    facts_of: Callable[..., Facts], code: str, concept: str
) -> None:
    trap = observation(code, valueQuantity={"value": 1, "unit": "1"})
    assert concept not in facts_of(trap).results
    assert facts_of(trap).results.get(concept, ()) == ()


def test_a_loinc_code_of_another_system_makes_no_result(facts_of: Callable[..., Facts]) -> None:
    other = observation("751-8", valueQuantity={"value": 2, "unit": "K/uL"})
    other["code"]["coding"][0]["system"] = "urn:oid:1.2.3"
    assert "anc" not in facts_of(other).results


def test_an_observation_without_any_code_is_harmless(facts_of: Callable[..., Facts]) -> None:
    bare = observation("751-8", valueQuantity={"value": 2, "unit": "K/uL"})
    assert len(facts_of(bare | {"code": None}, bare).results["anc"]) == 1
    assert len(facts_of(bare | {"code": {"text": "ANC"}}, bare).results["anc"]) == 1


def test_one_analyte_feeds_every_concept_that_is_made_of_it(
    facts_of: Callable[..., Facts],
) -> None:
    urea = observation("22664-7", valueQuantity={"value": 5, "unit": "mmol/L"})
    nitrogen = observation("3094-0", valueQuantity={"value": 14, "unit": "mg/dL"})
    assert len(facts_of(urea, nitrogen).results["bun"]) == 2


def test_results_are_a_mapping_like_any_other(facts_of: Callable[..., Facts]) -> None:
    anc = observation("751-8", valueQuantity={"value": 2, "unit": "K/uL"})
    results = facts_of(anc, observation("85354-9")).results
    assert list(results) == ["anc"]
    assert len(results) == 1
    assert "anc" in results
    assert results["anc"] is results["anc"]
    with pytest.raises(KeyError):
        results["platelets"]
