"""A search that fails turns exactly the criteria that needed it into unknown, and says so."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from cds.assess import assess
from cds.content.bundled import bundled_fixtures
from cds.core.when import Evaluation
from cds.fhir.record import record_from_bundle
from cds.settings import load_settings
from cds.web.app import create_app
from cds.web.fhir_endpoint import Faults, create_fhir_app, load_fixtures, serving

if TYPE_CHECKING:
    from cds.assess import Content

DAY = date(2026, 3, 1)
# What each list decides in the chart of desmoid-ready, where nothing stands against the trial.
NEEDED = {
    "Procedure": {"E04c", "E04d", "E12", "E13c", "E20a", "E20b"},
    "MedicationStatement": {
        "E01", "E04a", "E04b", "E26e", "E27", "E28a", "E28b", "E28c", "E29",
    },
    "MedicationRequest": {
        "E01", "E04a", "E04b", "E26e", "E27", "E28a", "E28b", "E28c", "E29",
    },
}  # fmt: skip


def cards(content: Content, faults: Faults) -> list[dict[str, Any]]:
    """The cards of desmoid-ready from a FHIR server with these faults, nothing prefetched."""
    fhir = create_fhir_app(load_fixtures(bundled_fixtures(), None), faults=faults)
    with serving(fhir) as base:
        settings = load_settings({"TRIAL_CDS_FHIR_ALLOW": base})
        app = create_app(settings, content, lambda: DAY)
        request = {
            "hook": "patient-view",
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {"userId": "Practitioner/x", "patientId": "desmoid-ready"},
            "fhirServer": base,
        }
        answer = app.test_client().post("/cds-services/trial-eligibility", json=request)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = json.loads(answer.data)["cards"]
    return found


def criteria(card: dict[str, Any]) -> dict[str, Any]:
    """The criteria of a card, by id."""
    return {one["id"]: one for one in card["extension"]["org.trial-cds.assessment"]["criteria"]}


@pytest.mark.parametrize("kind", NEEDED)
def test_a_refused_list_makes_exactly_its_criteria_unknown(kind: str, content: Content) -> None:
    """Each names the gap; every other criterion stays as it was; the card names the list."""
    before = criteria(cards(content, Faults())[0])
    (card,) = cards(content, Faults(forbidden_types=frozenset({kind})))
    after = criteria(card)
    changed = {key for key, one in after.items() if one["status"] != before[key]["status"]}
    assert changed == NEEDED[kind]
    for key in changed:
        assert after[key]["status"] == "unknown"
        assert "not-retrieved" in {gap["gap"] for gap in after[key]["gaps"]}
    assert kind in card["detail"]


def test_refused_conditions_give_the_one_card_that_says_so(content: Content) -> None:
    """Never an empty list, never a verdict."""
    (card,) = cards(content, Faults(forbidden_types=frozenset({"Condition"})))
    assert "could not be read" in card["summary"]
    assert "extension" not in card


def test_a_refused_category_leaves_the_other_results_usable(content: Content) -> None:
    """Vital signs refused: blood pressure is unknown, the laboratory still decides."""
    (card,) = cards(content, Faults(forbidden_categories=frozenset({"vital-signs"})))
    after = criteria(card)
    assert {key: after[key]["status"] for key in ("E08a", "E08b", "I07b", "I07f")} == {
        "E08a": "unknown", "E08b": "unknown", "I07b": "pass", "I07f": "pass",
    }  # fmt: skip
    assert {"concept": "systolic_bp", "gap": "not-retrieved"} in after["E08a"]["gaps"]


def test_a_server_that_is_dead_answers_nothing_for_certain(content: Content) -> None:
    """No Patient to be had: 412, in one sentence."""
    fhir = create_fhir_app(load_fixtures(bundled_fixtures(), None), faults=Faults(dead="closed"))
    with serving(fhir) as base:
        settings = load_settings({"TRIAL_CDS_FHIR_ALLOW": base})
        app = create_app(settings, content, lambda: DAY)
        request = {
            "hook": "patient-view",
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {"userId": "Practitioner/x", "patientId": "desmoid-ready"},
            "fhirServer": base,
        }
        answer = app.test_client().post("/cds-services/trial-eligibility", json=request)
    assert answer.status_code == 412
    assert json.loads(answer.data)["resourceType"] == "OperationOutcome"


ORDINARY = [
    {"text": "metformin 500 mg tablet"},
    {"text": "atorvastatin 20 mg"},
    {"text": "Vitamin D3 1000 IU"},
    {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "861007",
                 "display": "metformin hydrochloride 500 MG Oral Tablet"}]},
]  # fmt: skip


def test_an_ordinary_patients_drugs_ask_no_question_of_anybody(content: Content) -> None:
    """Metformin, atorvastatin and vitamin D change nothing and make no review."""
    bundle = json.loads((bundled_fixtures() / "desmoid-ready" / "bundle.json").read_text("utf-8"))
    asked = Evaluation.of(DAY)

    def statuses(data: dict[str, Any]) -> dict[str, str]:
        found = assess(record_from_bundle(json.dumps(data).encode()), content, asked)
        assert found.problems == ()
        return {d.criterion.id: d.status.value for d in found.determinations[0].decisions}

    before = statuses(bundle)
    bundle["entry"] += [
        {
            "resource": {
                "resourceType": "MedicationStatement",
                "id": f"ordinary-{number}",
                "status": "active",
                "medicationCodeableConcept": drug,
                "subject": {"reference": "Patient/desmoid-ready"},
                "effectivePeriod": {"start": "2025-01-01"},
            }
        }
        for number, drug in enumerate(ORDINARY)
    ]
    assert statuses(bundle) == before
