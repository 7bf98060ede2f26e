"""What prefetch says of research reaches the cards."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from cds.assess import load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.settings import Settings
from cds.web.app import create_app

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

    from cds.assess import Content

REFUSAL = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"coding": [{"code": "research"}]},
    "patient": {"reference": "Patient/desmoid-ready"},
    "provision": {"type": "deny"},
}
SUBJECT = {
    "resourceType": "ResearchSubject",
    "status": "candidate",
    "study": {"identifier": {"value": "NCT05490667"}},
    "individual": {"reference": "Patient/desmoid-ready"},
}


@pytest.fixture(scope="module")
def content() -> Content:
    """Both trials and all mappings."""
    return load_content([bundled_content()])


def client(content: Content, folder: Path, **more: Any) -> FlaskClient:
    own = replace(Settings(), database_url=f"sqlite:///{folder / 'store.db'}", **more)
    return create_app(own, content, lambda: date(2026, 3, 1)).test_client()


def answered(service: FlaskClient, key: str, *resources: dict[str, Any]) -> dict[str, Any]:
    """The answer where one more prefetch key holds the resources."""
    bundle = json.loads((bundled_fixtures() / "desmoid-ready" / "bundle.json").read_text("utf-8"))
    found: dict[str, list[Any]] = {}
    for entry in bundle["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry)
    prefetch: dict[str, Any] = {
        kind: {"resourceType": "Bundle", "type": "searchset", "entry": entries}
        for kind, entries in found.items()
    }
    prefetch["patient"] = found["Patient"][0]["resource"]
    del prefetch["Patient"]
    more = [{"resource": one} for one in resources]
    prefetch[key] = {"resourceType": "Bundle", "type": "searchset", "entry": more}
    answer = service.post(
        "/cds-services/trial-eligibility",
        json={
            "hook": "patient-view",
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {"userId": "Practitioner/a", "patientId": "desmoid-ready"},
            "prefetch": prefetch,
        },
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(answer.get_json())


def cards(service: FlaskClient, key: str, *resources: dict[str, Any]) -> list[Any]:
    return list(answered(service, key, *resources)["cards"])


def held_back(service: FlaskClient, key: str, *resources: dict[str, Any]) -> Any:
    """What the answer says of trials that concern the patient and give no card."""
    said = answered(service, key, *resources).get("extension", {})
    return said.get("org.trial-cds.without-card", [])


def test_an_answer_without_a_card_says_why_where_a_trial_concerns_the_patient(
    content: Content, tmp_path: Path
) -> None:
    """Silence after a refusal, or about a trial that was joined, is no breakdown."""
    service = client(content, tmp_path)
    ours = {"trial": "NCT05490667"}
    assert held_back(service, "research") == []
    assert held_back(service, "research", SUBJECT) == [ours | {"because": "joined"}]
    assert held_back(service, "consents", REFUSAL) == [ours | {"because": "refused"}]
    low = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}]},
        "subject": {"reference": "Patient/desmoid-ready"},
        "effectiveDateTime": "2026-02-28",
        "valueQuantity": {"value": 1.2, "unit": "10*9/L"},
    }
    assert held_back(service, "newest", low) == [ours | {"because": "ruled-out"}]


def test_a_trial_that_the_patient_has_joined_gives_no_card(
    content: Content, tmp_path: Path
) -> None:
    service = client(content, tmp_path)
    assert len(cards(service, "research")) == 1
    assert cards(service, "research", SUBJECT) == []
    other = SUBJECT | {"study": {"identifier": {"value": "NCT07137884"}}}
    assert len(cards(service, "research", other)) == 1


def test_after_a_refusal_there_is_no_card_at_all(content: Content, tmp_path: Path) -> None:
    assert cards(client(content, tmp_path), "consents", REFUSAL) == []


def test_these_resources_are_asked_for_where_a_site_keeps_them(
    content: Content, tmp_path: Path
) -> None:
    def asked(**more: Any) -> set[str]:
        answer = client(content, tmp_path, **more).get("/cds-services").get_json()
        return {query.partition("?")[0] for query in answer["services"][0]["prefetch"].values()}

    ours = {"ResearchSubject", "Consent", "Flag"}
    assert asked().isdisjoint(ours)
    assert asked(research_records=True) & ours == {"ResearchSubject", "Consent"}
    assert asked(research_records=True, refusal_flags=("x|y",)) & ours == ours
