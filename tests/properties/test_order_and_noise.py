"""What a chart says does not hang on the order of its entries, nor on what lies beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

_few = settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
_LOINC = "http://loinc.org"
_SNOMED = "http://snomed.info/sct"
_IRRELEVANT: tuple[dict[str, Any], ...] = (
    {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}},
    {"resourceType": "AllergyIntolerance", "code": {"text": "clarithromycin"}},
    {"resourceType": "FamilyMemberHistory", "condition": [{"code": {"text": "HIV infection"}}]},
    {"resourceType": "DiagnosticReport", "code": {"coding": [{"system": _LOINC, "code": "718-7"}]}},
    {"resourceType": "Goal", "description": {"text": "ANC above 1.5"}},
    {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": _LOINC, "code": "9279-1", "display": "Respiratory rate"}]},
        "valueQuantity": {"value": 14, "unit": "/min"},
        "effectiveDateTime": "2026-02-27",
    },
    {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "urn:oid:2.999.5", "code": "26499-4"}], "text": "ANC"},
        "valueQuantity": {"value": 0, "code": "10*9/L"},
        "effectiveDateTime": "2026-02-28",
    },
    {
        "resourceType": "Condition",
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J30.1"}]},
    },
    {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"coding": [{"system": _SNOMED, "code": "410620009", "display": "Well visit"}]},
    },
    {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": {"text": "metformin 500 mg tablet"},
    },
)


@_few
@given(data=st.data())
def test_reordering_the_entries_changes_nothing(
    data: st.DataObject, charts: Any, assessed: Callable[..., Any], changes: Callable[..., Any]
) -> None:
    chart = data.draw(charts)
    order = data.draw(st.permutations(range(len(chart.entries))))
    shuffled = chart.having([chart.entries[place] for place in order])
    assert changes(assessed(chart), assessed(shuffled)) == {}


@_few
@given(data=st.data())
def test_what_no_criterion_asks_about_changes_nothing(
    data: st.DataObject, charts: Any, assessed: Callable[..., Any], changes: Callable[..., Any]
) -> None:
    chart = data.draw(charts)
    subject = {"reference": f"Patient/{chart.patient}"}
    which = data.draw(st.lists(st.integers(0, len(_IRRELEVANT) - 1), min_size=1))
    noisy = chart.plus(
        *({**_IRRELEVANT[one], "id": f"n{i}", "subject": subject} for i, one in enumerate(which))
    )
    assert changes(assessed(chart), assessed(noisy)) == {}


@_few
@given(data=st.data())
def test_the_chart_of_somebody_else_changes_nothing(
    data: st.DataObject, charts: Any, assessed: Callable[..., Any], changes: Callable[..., Any]
) -> None:
    chart, other = data.draw(charts), data.draw(charts)
    strangers = [
        {**one["resource"], "id": f"stray-{i}", "subject": {"reference": "Patient/somebody-else"}}
        for i, one in enumerate(other.entries)
        if isinstance(one.get("resource"), dict)
        and isinstance(one["resource"].get("subject"), dict)
    ]
    mixed = chart.plus(*strangers)
    assert changes(assessed(chart), assessed(mixed)) == {}
