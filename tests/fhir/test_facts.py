"""What must hold for any chart: order, pages and irrelevant company change nothing."""

from __future__ import annotations

import json
from datetime import UTC, date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from cds.assess import assess, load_content
from cds.core.assessment import assessment_json
from cds.core.facts import Retrieval
from cds.core.when import Evaluation
from cds.fhir.facts import facts_from
from cds.fhir.record import merge, record_from_bundle, record_from_fetched, record_from_prefetch
from cds.fhir.search import Fetched, Search

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from cds.assess import Content
    from cds.core.facts import Facts, Result
    from cds.fhir.record import Record

ROOT = Path(__file__).parent.parent.parent
STORIES = sorted(path.parent.name for path in (ROOT / "fixtures").glob("*/bundle.json"))
ASKED = Evaluation.of(date(2026, 3, 1))
KEYS = {
    "Patient": "patient",
    "Condition": "conditions",
    "Procedure": "procedures",
    "MedicationRequest": "medreq",
    "MedicationStatement": "medstmt",
    "MedicationAdministration": "medadmin",
    "Observation": "observations",
}


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([ROOT])


def story(name: str) -> dict[str, Any]:
    """A fixture as a server would hold it: references name types and ids."""
    text = (ROOT / "fixtures" / name / "bundle.json").read_text()
    for entry in json.loads(text)["entry"]:
        resource = entry["resource"]
        if entry.get("fullUrl", "").startswith("urn:"):
            text = text.replace(entry["fullUrl"], f"{resource['resourceType']}/{resource['id']}")
    chart: dict[str, Any] = json.loads(text)
    return chart


def verdict(record: Record, content: Content) -> Any:
    return assessment_json(assess(record, content, ASKED))["trials"]


@pytest.mark.parametrize("name", [name for name in STORIES if name != "strangers"])
def test_a_chart_means_the_same_as_bundle_prefetch_pages_and_half_and_half(
    name: str, content: Content
) -> None:
    chart = story(name)
    resources = [entry["resource"] for entry in chart["entry"]]
    lists = {
        kind: [r for r in resources if r["resourceType"] == kind] for kind in [*KEYS, "Medication"]
    }
    who = lists.pop("Patient")[0]
    medications = lists.pop("Medication")
    expected = verdict(record_from_bundle(json.dumps(chart).encode()), content)

    def searchset(found: list[Any]) -> bytes:
        entries = [{"resource": one} for one in [*found, *medications]]
        return json.dumps({"resourceType": "Bundle", "entry": entries}).encode()

    raw = {KEYS[kind]: Raw(searchset(found)) for kind, found in lists.items()}
    raw["patient"] = Raw(json.dumps(who).encode())
    raw |= {key: Raw(b"null") for key in ("labs", "vitals", "exam", "survey", "social")}
    prefetch = record_from_prefetch(raw, who["id"])
    assert verdict(prefetch, content) == expected

    answers = [
        Fetched(
            Search(kind),
            Retrieval.COMPLETE,
            tuple(searchset(found[at : at + 7]) for at in range(0, len(found), 7)),
        )
        for kind, found in lists.items()
    ]
    patient = Fetched(Search("Patient"), Retrieval.COMPLETE, (json.dumps(who).encode(),))
    server = record_from_fetched([patient, *answers], who["id"])
    assert verdict(server, content) == expected

    results = ("patient", "observations", "labs", "vitals", "exam", "survey", "social")
    half = record_from_prefetch({key: raw[key] for key in results}, who["id"])
    rest = record_from_fetched([one for one in answers if one.covers != "Observation"], who["id"])
    assert verdict(merge(half, rest), content) == expected


@given(st.randoms(use_true_random=False))
def test_the_order_of_entries_changes_nothing(content: Content, random: Any) -> None:
    chart = story("rms-after-chemo")
    expected = verdict(record_from_bundle(json.dumps(chart).encode()), content)
    random.shuffle(chart["entry"])
    shuffled = verdict(record_from_bundle(json.dumps(chart).encode()), content)

    def statuses(trials: Any) -> Any:
        return [(t["trial"], t["overall"], [c["status"] for c in t["criteria"]]) for t in trials]

    assert statuses(shuffled) == statuses(expected)


def test_irrelevant_entries_change_nothing(content: Content) -> None:
    chart = story("desmoid-ready")
    before = verdict(record_from_bundle(json.dumps(chart).encode()), content)
    chart["entry"] += [
        {"resource": {"resourceType": "Encounter", "id": "e", "status": "finished"}},
        {"resource": {"resourceType": "Immunization", "id": "i"}},
        {
            "resource": {
                "resourceType": "Observation",
                "id": "weight",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
                "subject": {"reference": "Patient/desmoid-ready"},
                "valueQuantity": {"value": 70, "unit": "kg"},
            }
        },
    ]
    assert verdict(record_from_bundle(json.dumps(chart).encode()), content) == before


@given(st.decimals(min_value="0.1", max_value=20, places=3))
def test_the_same_count_in_another_unit_is_the_same_result(
    result_of: Callable[..., Result], value: Decimal
) -> None:
    def measured(number: Decimal, unit: str) -> Any:
        # Not "150.000": with three decimals it may be a hundred and fifty thousand.
        return result_of("751-8", "anc", valueString=f"{number.normalize():f} {unit}").reading

    assert measured(value, "10*9/L") == measured(value * 1000, "cells/uL")
    assert measured(value, "K/uL") == measured(value * 1000, "10*6/L")


def test_a_date_without_an_offset_lies_in_the_configured_zone(
    bundle: Callable[..., bytes], content: Content
) -> None:
    anc = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}]},
        "effectiveDateTime": "2026-02-20T23:30:00",
        "valueQuantity": {"value": 2, "unit": "K/uL"},
    }
    record = record_from_bundle(bundle(anc))

    def first_instant(zone: Any) -> int:
        facts = facts_from(record, content.terminology, zone, content.units)
        when = facts.results["anc"][0].when
        assert when is not None
        return when.start

    hour = 3600 * 1_000_000
    assert first_instant(UTC) - first_instant(ZoneInfo("Asia/Shanghai")) == 8 * hour


@pytest.mark.parametrize(
    ("fields", "deceased"),
    [
        ({}, False),
        ({"deceasedBoolean": False}, False),
        ({"deceasedBoolean": True}, True),
        ({"deceasedDateTime": "2026-01-01"}, True),
        ({"deceasedDateTime": 5}, True),
    ],
)
def test_a_death_is_known_by_flag_or_date(
    facts_of: Callable[..., Facts],
    fields: dict[str, Any],
    deceased: bool,  # noqa: FBT001 - a row of the table
) -> None:
    who = {"resourceType": "Patient", "id": "p1", **fields}
    assert facts_of(who=who).patient.deceased is deceased


def test_a_birth_date_may_be_partial_missing_or_unreadable(facts_of: Callable[..., Facts]) -> None:
    who = {"resourceType": "Patient", "id": "p1"}
    year = facts_of(who=who | {"birthDate": "1990"}).patient.birth
    assert year is not None
    assert (year.first, year.last) == (date(1990, 1, 1), date(1990, 12, 31))
    assert facts_of(who=who).patient.birth_text is None
    assert facts_of(who=who | {"birthDate": "May"}).patient.birth_text == "May"
    unreadable = facts_of(who=who | {"birthDate": 1990}).patient
    assert unreadable.birth is None
    assert unreadable.birth_text


def test_a_record_without_its_patient_has_no_facts(content: Content) -> None:
    record = record_from_prefetch({}, "p1")
    with pytest.raises(ValueError, match="fetch the Patient first"):
        facts_from(record, content.terminology, UTC, content.units)


def test_an_absurd_exponent_in_a_value_is_implausible(
    bundle: Callable[..., bytes], content: Content
) -> None:
    anc = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}]},
        "effectiveDateTime": "2026-02-20",
        "valueQuantity": {"value": 123456, "unit": "K/uL"},
    }
    data = bundle(anc).replace(b"123456", b"1e99999")
    record = record_from_bundle(data)
    facts = facts_from(record, content.terminology, UTC, content.units)
    assert facts.results["anc"][0].unusable is not None
    assert len(facts.results["anc"][0].display) < 100
    assert msgspec.json.encode([facts.results["anc"][0].display])
