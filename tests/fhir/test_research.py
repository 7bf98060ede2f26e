"""Nobody is reminded of a trial that they have joined, nor of any after a refusal."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from cds.fhir.research import Research, research_in

ON = date(2026, 3, 1)
TRIAL = "NCT05490667"
STUDY = {
    "resourceType": "ResearchStudy",
    "id": "s1",
    "identifier": [{"system": "https://clinicaltrials.gov", "value": TRIAL}],
}


def subject(status: str = "on-study", patient: str = "Patient/p1", **study: Any) -> dict[str, Any]:
    return {
        "resourceType": "ResearchSubject",
        "id": "r1",
        "status": status,
        "study": study or {"reference": "ResearchStudy/s1"},
        "individual": {"reference": patient},
    }


def consent(**more: Any) -> dict[str, Any]:
    scope = "http://terminology.hl7.org/CodeSystem/consentscope"
    said: dict[str, Any] = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": scope, "code": "research"}]},
        "patient": {"reference": "Patient/p1"},
        "provision": {"type": "deny"},
    }
    return said | more


def found(*resources: dict[str, Any], flags: tuple[str, ...] = ()) -> Research:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}
    return research_in([json.dumps(bundle).encode()], "p1", ON, flags)


@pytest.mark.parametrize(
    "status", ["candidate", "potential-candidate", "screening", "on-study", "on-study-intervention"]
)
def test_a_candidate_or_participant_has_joined_the_trial(status: str) -> None:
    assert found(subject(status), STUDY) == Research(frozenset({TRIAL}))


@pytest.mark.parametrize("status", ["ineligible", "not-registered", "off-study", "withdrawn", ""])
def test_who_is_not_on_the_trial_may_be_told_of_it(status: str) -> None:
    assert found(subject(status), STUDY) == Research()


@pytest.mark.parametrize(
    "study",
    [
        {"identifier": {"value": TRIAL}},
        {"display": f"Anlotinib in desmoid tumour ({TRIAL})"},
        {"reference": "http://fhir.example.org/r4/ResearchStudy/s1"},
    ],
)
def test_the_trial_is_known_by_reference_identifier_or_name(study: dict[str, Any]) -> None:
    assert found(subject(**study), STUDY).joined == {TRIAL}


def test_a_contained_study_counts() -> None:
    own = subject(reference="#s1") | {"contained": [STUDY]}
    assert found(own).joined == {TRIAL}


def test_somebody_elses_participation_says_nothing() -> None:
    assert found(subject(patient="Patient/p2"), STUDY) == Research()
    assert found(consent(patient={"reference": "Patient/p2"})) == Research()


def test_an_active_refusal_of_research_counts_until_it_ends() -> None:
    assert found(consent()).refuses
    assert found(consent(provision={"type": "deny", "period": {"end": "2026-03-01"}})).refuses
    assert not found(consent(provision={"type": "deny", "period": {"end": "2026-02"}})).refuses


@pytest.mark.parametrize(
    "more",
    [
        {"status": "inactive"},
        {"provision": {"type": "permit"}},
        {"scope": {"coding": [{"code": "treatment"}]}},
        {"provision": None},
        {"scope": "research"},
    ],
)
def test_another_consent_is_no_refusal(more: dict[str, Any]) -> None:
    assert not found(consent(**more)).refuses


def test_a_flag_refuses_where_the_site_says_so() -> None:
    flag = {
        "resourceType": "Flag",
        "status": "active",
        "code": {"coding": [{"system": "http://example.org/flags", "code": "no-research"}]},
        "subject": {"reference": "Patient/p1"},
    }
    assert not found(flag).refuses
    assert found(flag, flags=("http://example.org/flags|no-research",)).refuses
    assert not found(
        flag | {"status": "inactive"}, flags=("http://example.org/flags|no-research",)
    ).refuses


@pytest.mark.parametrize("text", [b'{"x": "Consent"', b'["Consent"]', b'"Consent"', b"\xff"])
def test_what_cannot_be_read_says_nothing(text: bytes) -> None:
    assert research_in([text, b"null"], "p1", ON) == Research()
