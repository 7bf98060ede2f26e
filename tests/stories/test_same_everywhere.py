"""The same determinations from a file, from prefetch, from a FHIR server, and half from each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from cds.content.bundled import bundled_fixtures
from cds.core.assessment import assessment_json
from cds.fhir.prefetch import TEMPLATES
from cds.settings import Settings, load_settings
from cds.web.app import create_app
from cds.web.fhir_endpoint import Faults, create_fhir_app, load_fixtures, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cds.assess import Content
    from cds.core.assessment import Assessment

_EVERY_CARD = {"TRIAL_CDS_SHOW_ALL": "yes"}
_TYPES = {
    "conditions": "Condition",
    "medreq": "MedicationRequest",
    "medstmt": "MedicationStatement",
    "procedures": "Procedure",
}
_CATEGORIES = {
    "labs": "laboratory",
    "vitals": "vital-signs",
    "exam": "exam",
    "survey": "survey",
    "social": "social-history",
}


@pytest.fixture(scope="module")
def fhir_base() -> Iterator[str]:
    """The embedded endpoint over all stories, other people's stray entries included."""
    store = load_fixtures(bundled_fixtures(), None)
    with serving(create_fhir_app(store, faults=Faults(strays=True))) as base:
        yield base


@pytest.fixture
def fire(story: Any, content: Content, fhir_base: str) -> Callable[..., dict[str, Any]]:
    """Fires the hook for the story and gives the assessment of each card, by trial."""
    settings = {"TRIAL_CDS_FHIR_ALLOW": fhir_base, **_EVERY_CARD}

    def fire(prefetch: dict[str, Any], *, with_server: bool) -> dict[str, Any]:
        app = _service(load_settings(settings), content, story)
        return _assessments(app, story, prefetch, fhir_base if with_server else None)

    return fire


def _service(settings: Settings, content: Content, story: Any) -> Flask:
    return create_app(settings, content, lambda: story.day)


def _assessments(
    app: Flask, story: Any, prefetch: dict[str, Any], base: str | None
) -> dict[str, Any]:
    request = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/x", "patientId": story.told["patient"]},
        "prefetch": prefetch,
    }
    if base is not None:
        request["fhirServer"] = base
    answer = app.test_client().post("/cds-services/trial-eligibility", json=request)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found = [card["extension"]["org.trial-cds.assessment"] for card in answer.get_json()["cards"]]
    return {one["trial"]: one for one in found}


def _prefetch(story: Any) -> dict[str, Any]:
    """What an EHR would send for the templates: the story's own resources, list by list."""
    resources = [entry["resource"] for entry in json.loads(story.bundle)["entry"]]
    medications = [one for one in resources if one["resourceType"] == "Medication"]
    sent: dict[str, Any] = {"patient": next(r for r in resources if r["resourceType"] == "Patient")}
    for key in TEMPLATES:
        if key in _TYPES:
            found = [r for r in resources if r["resourceType"] == _TYPES[key]]
            included = medications if key.startswith("med") else []
            sent[key] = _searchset(found, included)
        elif key in _CATEGORIES:
            observations = [r for r in resources if r["resourceType"] == "Observation"]
            sent[key] = _searchset([r for r in observations if _in(r, _CATEGORIES[key])], [])
    return sent


def _in(observation: dict[str, Any], category: str) -> bool:
    codes = [c for concept in observation.get("category", []) for c in concept.get("coding", [])]
    return any(coding.get("code") == category for coding in codes)


def _searchset(found: list[Any], included: list[Any]) -> dict[str, Any]:
    entries = [{"resource": r, "search": {"mode": "match"}} for r in found]
    entries += [{"resource": r, "search": {"mode": "include"}} for r in included]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": entries}


def _expected(assessment: Assessment) -> dict[str, Any]:
    """What `evaluate FILE` says of the trials that give a card."""
    head = assessment_json(assessment)
    shown = {
        d.trial.id for d in assessment.determinations if d.target.status.value in {"pass", "review"}
    }
    return {one["trial"]: one["criteria"] for one in head["trials"] if one["trial"] in shown}


def _criteria(found: dict[str, Any]) -> dict[str, Any]:
    return {trial: one["criteria"] for trial, one in found.items()}


def _statuses(criteria: dict[str, Any]) -> dict[str, Any]:
    """Everything that a determination says, but for how many entries were read."""
    return {
        trial: [
            {key: value for key, value in one.items() if key != "reason"} for one in decisions
        ]
        for trial, decisions in criteria.items()
    }


@pytest.mark.parametrize("way", ["prefetch", "server", "half and half"])
def test_the_way_in_changes_no_determination(
    way: str,
    story: Any,
    assessment: Assessment,
    fire: Callable[..., dict[str, Any]],
) -> None:
    """Status, evidence, gaps and dates of every criterion are those of `evaluate`."""
    sent = _prefetch(story)
    if way == "server":
        sent = {}
    elif way == "half and half":
        sent = {key: sent[key] for key in ("patient", "labs", "medreq", "conditions")}
    found = fire(sent, with_server=way != "prefetch")
    assert _statuses(_criteria(found)) == _statuses(_expected(assessment))
