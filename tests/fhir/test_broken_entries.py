"""One broken field costs that field; one broken entry costs that entry; nothing ever raises."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.core.facts import Retrieval
from cds.fhir.facts import facts_from
from cds.fhir.record import UnusableInput, record_from_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.core.terminology import Terminology
    from cds.fhir.units import Units

Json = dict[str, Any]
WHO: Json = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1990-05-17"}
SUBJECT = {"reference": "Patient/p1"}


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": "x"}], "text": "x"}


CHART: dict[str, Json] = {
    "Observation": {
        "resourceType": "Observation",
        "id": "broken",
        "meta": {"lastUpdated": "2026-02-20T08:00:00Z"},
        "status": "final",
        "category": [coded("http://x", "laboratory")],
        "code": coded("http://loinc.org", "751-8"),
        "subject": SUBJECT,
        "effectiveDateTime": "2026-02-20",
        "issued": "2026-02-20T08:00:00Z",
        "valueQuantity": {
            "value": 2,
            "comparator": "<",
            "unit": "K/uL",
            "system": "http://unitsofmeasure.org",
            "code": "10*3/uL",
        },
        "interpretation": [coded("http://x", "N")],
        "referenceRange": [
            {
                "high": {"value": 7, "unit": "K/uL"},
                "type": coded("http://x", "normal"),
                "appliesTo": [coded("http://x", "female")],
                "age": {"low": {"value": 18, "unit": "a"}},
            }
        ],
        "component": [{"code": coded("http://loinc.org", "777-3"), "valueString": "200 K/uL"}],
        "dataAbsentReason": None,
        "contained": [{"resourceType": "Observation", "id": "in", "status": "final"}],
    },
    "Condition": {
        "resourceType": "Condition",
        "id": "broken",
        "clinicalStatus": coded("http://x", "active"),
        "verificationStatus": coded("http://x", "confirmed"),
        "code": coded("http://hl7.org/fhir/sid/icd-10-cm", "I82.401"),
        "subject": SUBJECT,
        "onsetPeriod": {"start": "2020", "end": "2021"},
        "abatementAge": {"value": 30, "unit": "a"},
        "recordedDate": "2020",
    },
    "Procedure": {
        "resourceType": "Procedure",
        "id": "broken",
        "status": "completed",
        "code": coded("http://snomed.info/sct", "108290001"),
        "subject": SUBJECT,
        "performedPeriod": {"start": "2020", "end": "2021"},
    },
    "MedicationStatement": {
        "resourceType": "MedicationStatement",
        "id": "broken",
        "status": "active",
        "medicationReference": {"reference": "#m"},
        "contained": [
            {
                "resourceType": "Medication",
                "id": "m",
                "code": coded("http://www.whocc.no/atc", "J01FA09"),
                "form": coded("http://x", "tablet"),
                "ingredient": [{"itemCodeableConcept": {"text": "clarithromycin"}}],
            }
        ],
        "subject": SUBJECT,
        "effectivePeriod": {"start": "2020", "end": "2021"},
        "dosage": [{"route": {"text": "oral"}, "timing": {"repeat": {"boundsPeriod": {}}}}],
    },
    "MedicationRequest": {
        "resourceType": "MedicationRequest",
        "id": "broken",
        "status": "completed",
        "intent": "order",
        "doNotPerform": False,
        "medicationCodeableConcept": {"text": "clarithromycin"},
        "subject": SUBJECT,
        "authoredOn": "2026-01-01",
        "dosageInstruction": [
            {"route": {"text": "oral"}, "timing": {"repeat": {"boundsPeriod": {"start": "2020"}}}}
        ],
        "dispenseRequest": {
            "validityPeriod": {"start": "2026-01-01"},
            "numberOfRepeatsAllowed": 1,
            "expectedSupplyDuration": {"value": 30, "unit": "days", "code": "d"},
        },
    },
    "MedicationAdministration": {
        "resourceType": "MedicationAdministration",
        "id": "broken",
        "status": "completed",
        "medicationCodeableConcept": {"text": "clarithromycin"},
        "subject": SUBJECT,
        "effectiveDateTime": "2026-01-01",
        "dosage": {"route": {"text": "oral"}},
    },
    "Medication": {"resourceType": "Medication", "id": "broken", "code": {"text": "x"}},
    "OperationOutcome": {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "information", "code": "informational"}],
    },
    "Patient": WHO | {"deceasedBoolean": False},
}
GOOD = [
    {
        "resourceType": "Observation",
        "id": "good",
        "status": "final",
        "code": coded("http://loinc.org", "718-7"),
        "subject": SUBJECT,
        "effectiveDateTime": "2026-02-20",
        "valueQuantity": {"value": 12, "unit": "g/dL"},
    },
    CHART["Condition"]
    | {"id": "good", "code": coded("http://hl7.org/fhir/sid/icd-10-cm", "I26.99")},
]
JUNK: list[Any] = [
    None,
    0,
    -1.5,
    "",
    "junk",
    True,
    [],
    [None],
    [7],
    ["junk"],
    {},
    {"junk": 1},
    [[]],
    "9" * 999,
]


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every field and item inside some JSON."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in inside:
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from paths(child, (*path, key))


def spoilt(value: Any, path: tuple[str | int, ...], junk: Any) -> Any:
    """The same JSON with one field replaced."""
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = spoilt(value[key], tuple(rest), junk) if rest else junk  # type: ignore[index]
    return copy


def bundle(*resources: Any) -> bytes:
    return json.dumps(
        {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}
    ).encode()


def read_everything(data: bytes, terminology: Terminology, units: Units) -> tuple[int, int]:
    """Make facts of a bundle, ask for everything, and count the good entries found again."""
    record = record_from_bundle(data)
    facts = facts_from(record, terminology, UTC, units)
    for concept in facts.results:
        assert facts.results[concept]
    return (
        len(facts.results.get("hemoglobin", ())),
        len(facts.conditions.get("pulmonary_embolism", ())),
    )


@pytest.mark.parametrize("kind", list(CHART))
def test_each_field_broken_in_turn_never_raises_nor_costs_another_entry(
    kind: str, terminology: Terminology, units: Units
) -> None:
    whole = CHART[kind]
    for path in paths(whole):
        for junk in JUNK:
            broken = spoilt(whole, path, junk)
            if kind == "Patient":
                if path in {("resourceType",), ("id",)}:
                    continue
                data = bundle(broken, *GOOD)
            else:
                data = bundle(WHO, broken, *GOOD)
            assert read_everything(data, terminology, units) == (1, 1), (path, junk)


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("field", ["fullUrl", "search", "response", "link", "request"])
def test_each_field_of_an_entry_may_be_broken(
    field: str, junk: Any, terminology: Terminology, units: Units
) -> None:
    entries = [{"resource": one, field: junk} for one in (WHO, *GOOD)]
    data = json.dumps({"resourceType": "Bundle", "entry": entries}).encode()
    assert read_everything(data, terminology, units) == (1, 1)


@pytest.mark.parametrize("field", ["id", "meta", "type", "total", "link", "signature"])
@pytest.mark.parametrize("junk", JUNK)
def test_each_field_of_the_bundle_may_be_broken(
    field: str, junk: Any, terminology: Terminology, units: Units
) -> None:
    body = json.loads(bundle(WHO, *GOOD)) | {field: junk}
    assert read_everything(json.dumps(body).encode(), terminology, units) == (1, 1)


@pytest.mark.parametrize("junk", [*JUNK, {"resource": 5}, {"resource": {}}, {"resource": []}])
def test_an_entry_that_is_no_entry_is_reported_or_empty(
    junk: Any, terminology: Terminology, units: Units
) -> None:
    body = json.loads(bundle(WHO, *GOOD))
    body["entry"].insert(1, junk)
    assert read_everything(json.dumps(body).encode(), terminology, units) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("Observation", "code"),
        ("Condition", "code"),
        ("Procedure", "code"),
        ("MedicationRequest", "medicationCodeableConcept"),
        *[(kind, "subject") for kind in CHART if "subject" in CHART[kind]],
    ],
)
def test_an_entry_without_readable_code_or_patient_is_not_read_and_its_type_incomplete(
    kind: str, field: str
) -> None:
    record = record_from_bundle(bundle(WHO, CHART[kind] | {field: 7}))
    assert record.entries[kind] == ()
    assert [(p.kind, p.reference) for p in record.problems] == [("not-read", f"{kind}/broken")]
    assert record.retrieval()[kind] is Retrieval.PARTIAL
    others = {name: state for name, state in record.retrieval().items() if kind not in name}
    assert set(others.values()) == {Retrieval.COMPLETE}


def test_an_entry_of_no_known_type_leaves_everything_incomplete() -> None:
    record = record_from_bundle(bundle(WHO, {"id": "x"}))
    assert set(record.retrieval().values()) == {Retrieval.PARTIAL}


def test_a_coding_that_is_an_object_is_still_a_coding() -> None:
    loose = CHART["Condition"] | {"code": {"coding": CHART["Condition"]["code"]["coding"][0]}}
    (entry,) = record_from_bundle(bundle(WHO, loose)).entries["Condition"]
    assert entry.resource.code.coding[0].code == "I82.401"  # type: ignore[union-attr, index]


def test_a_numeric_id_does_not_cost_the_entry() -> None:
    body = json.loads(bundle(WHO, CHART["Condition"] | {"id": 12}))
    assert record_from_bundle(json.dumps(body).encode()).entries["Condition"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["resourceType", "entry", "type", "link"]), json_values))
def test_any_other_json_is_one_clear_sentence(body: Json) -> None:
    # A chart without a Patient is never a record; nothing but the one sentence may come of it.
    with pytest.raises(UnusableInput, match=r"^[^\n]+$"):
        record_from_bundle(json.dumps({"resourceType": "Bundle"} | body).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_one_clear_sentence(data: bytes) -> None:
    with pytest.raises(UnusableInput):
        record_from_bundle(data)
