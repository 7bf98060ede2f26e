"""Reading the latest results alone says what reading all of them says."""

from __future__ import annotations

import json
from datetime import UTC, date, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds.assess import load_content
from cds.content.bundled import bundled_content
from cds.core.facts import Facts
from cds.core.when import Evaluation
from cds.engine.evaluate import decide
from cds.fhir.facts import facts_from
from cds.fhir.record import record_from_bundle

if TYPE_CHECKING:
    from cds.assess import Content

DAY = date(2026, 3, 1)
ZONES = (UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12)))
PLATELETS, CREATININE, HBSAG, GLUCOSE, FASTING = "777-3", "2160-0", "5196-1", "2345-7", "1558-6"


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


_days = st.integers(-6, 40).map(lambda back: (DAY - timedelta(days=back)).isoformat())
_offsets = st.sampled_from(["", "Z", "+14:00", "-12:00", "+05:30", "+15:00"])
_instants = st.builds(
    "{}T{:02}:{:02}:00{}".format, _days, st.integers(0, 24), st.integers(0, 59), _offsets
)
_dates = st.one_of(
    _instants.map(lambda text: {"effectiveDateTime": text}),
    _days.map(lambda text: {"effectiveDateTime": text}),
    st.sampled_from(["2026", "2026-02", "2026-02-30", "2026-01-31", "soon", "", 7, None]).map(
        lambda text: {"effectiveDateTime": text}
    ),
    _instants.map(lambda text: {"effectiveInstant": text}),
    st.builds(lambda a, b: {"effectivePeriod": {"start": a, "end": b}}, _days, _days),
    _instants.map(lambda text: {"issued": text}),
    st.just({}),
)
_values = st.sampled_from(
    [
        {"valueQuantity": {"value": 150, "unit": "10*9/L", "code": "10*9/L"}},
        {"valueQuantity": {"value": 20, "unit": "10*9/L", "code": "10*9/L"}},
        {"valueQuantity": {"value": 1, "unit": "mg/dL", "code": "mg/dL"}},
        {"valueQuantity": {"value": 3, "unit": "parsecs"}},
        {"valueString": "positive"},
        {"valueString": "negative"},
        {"dataAbsentReason": {"text": "clotted"}},
        {},
    ]
)
_observations = st.builds(
    lambda code, status, when, issued, value: {
        "resourceType": "Observation",
        "status": status,
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": "Patient/p1"},
        "referenceRange": [{"high": {"value": 1.2, "unit": "mg/dL"}}],
        **issued,
        **when,
        **value,
    },
    st.sampled_from([PLATELETS, CREATININE, HBSAG, GLUCOSE, FASTING]),
    st.sampled_from(["final", "final", "corrected", "preliminary", "entered-in-error"]),
    _dates,
    st.one_of(st.just({}), _instants.map(lambda text: {"issued": text})),
    _values,
)


@settings(max_examples=120, deadline=None)
@given(found=st.lists(_observations, max_size=14), zone=st.sampled_from(ZONES))
def test_the_latest_results_decide_as_all_of_them_do(
    content: Content, found: list[dict[str, Any]], zone: timezone
) -> None:
    """Truth, reason, evidence and gaps, whatever the dates are written like."""
    patient = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "2010-01-02"}
    entries = [{"resource": patient}]
    entries += [{"resource": one | {"id": f"o{n}"}} for n, one in enumerate(found)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    record = record_from_bundle(json.dumps(bundle).encode())
    asked = Evaluation.of(DAY, zone)
    lazy = facts_from(record, content.terminology, zone, content.units)
    results = {concept: lazy.results[concept] for concept in lazy.results}
    whole = Facts(
        lazy.patient,
        results=results,
        totals=lazy.totals,
        unrecognised=lazy.unrecognised,
        retrieval=lazy.retrieval,
    )
    for trial in content.trials:
        for criterion in trial.criteria:
            assert decide(criterion, lazy, asked) == decide(criterion, whole, asked)


def test_of_a_long_history_only_the_latest_results_are_read(content: Content) -> None:
    """The others stay as they came until somebody asks for them."""
    patient = {"resourceType": "Patient", "id": "p1"}
    history = [
        {
            "resourceType": "Observation",
            "id": f"o{back}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": PLATELETS}]},
            "subject": {"reference": "Patient/p1"},
            "effectiveDateTime": f"{(DAY - timedelta(days=back)).isoformat()}T08:00:00Z",
            "valueQuantity": {"value": 150 + back, "code": "10*9/L"},
        }
        for back in range(20)
    ]
    entries = [{"resource": one} for one in (patient, *history)]
    record = record_from_bundle(json.dumps({"resourceType": "Bundle", "entry": entries}).encode())
    facts = facts_from(record, content.terminology, UTC, content.units)
    latest = facts.latest("platelets", Evaluation.of(DAY).end)
    assert [result.reference for result in latest] == [f"Observation/o{back}" for back in (0, 1, 2)]
    assert len(facts.results["platelets"]) == len(history)
