"""Research records are asked of the server only where a card is about to show, and seldom twice."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from cds.assess import Content, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.settings import FhirBase, Settings
from cds.web.app import create_app
from cds.web.fhir_endpoint import Faults, Logged, Store, create_fhir_app, load_fixtures, serving

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
OURS = {"ResearchSubject", "Consent", "Flag"}
FLAG = "http://hospital.example/flags|no-research"
REFUSAL = {
    "resourceType": "Consent",
    "id": "no",
    "status": "active",
    "scope": {"coding": [{"code": "research"}]},
    "patient": {"reference": "Patient/desmoid-ready"},
    "provision": {"type": "deny"},
}
JOINED = {
    "resourceType": "ResearchSubject",
    "id": "joined",
    "status": "candidate",
    "study": {"reference": "ResearchStudy/desmoids"},
    "individual": {"reference": "Patient/desmoid-ready"},
}
STUDY = {
    "resourceType": "ResearchStudy",
    "id": "desmoids",
    "status": "active",
    "identifier": [{"value": "NCT05490667"}],
}
FLAGGED = {
    "resourceType": "Flag",
    "id": "flag",
    "status": "active",
    "code": {"coding": [{"system": "http://hospital.example/flags", "code": "no-research"}]},
    "subject": {"reference": "Patient/desmoid-ready"},
}


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


@pytest.fixture
def store() -> Store:
    return load_fixtures(bundled_fixtures(), None)


class Hospital:
    """Our service beside a FHIR server, and what that server was asked."""

    def __init__(self, content: Content, store: Store, folder: Path) -> None:
        self.log: list[Logged] = []
        self._content, self._store = content, store
        self._database = f"sqlite:///{folder / 'store.db'}"

    def fire(
        self,
        patient: str = "desmoid-ready",
        prefetch: Json | None = None,
        faults: Faults | None = None,
        authorization: Json | None = None,
        **more: Any,
    ) -> list[Json]:
        """The cards of one hook without any prefetch but this."""
        with serving(create_fhir_app(self._store, request_log=self.log, faults=faults)) as base:
            settings = replace(
                Settings(research_records=True),
                database_url=self._database,
                fhir_allow=(FhirBase(base),),
                **{"deadline_seconds": 20.0} | more,
            )
            service = create_app(settings, self._content, lambda: date(2026, 3, 1)).test_client()
            request: Json = {
                "hook": "patient-view",
                "hookInstance": str(uuid.uuid4()),
                "fhirServer": base,
                "context": {"userId": "Practitioner/x", "patientId": patient},
                "prefetch": prefetch or {},
            }
            if authorization is not None:
                request["fhirAuthorization"] = authorization
            answer = service.post("/cds-services/trial-eligibility", json=request)
        assert answer.status_code == 200, answer.text
        cards: list[Json] = answer.get_json()["cards"]
        return cards

    def asked(self) -> list[str]:
        """The research records that were asked for."""
        kinds = [one.path.removeprefix("/fhir/") for one in self.log]
        return sorted(OURS.intersection(kinds))


@pytest.fixture
def hospital(content: Content, store: Store, tmp_path: Path) -> Hospital:
    return Hospital(content, store, tmp_path)


def test_before_a_card_shows_the_server_is_asked_for_research_records(hospital: Hospital) -> None:
    assert len(hospital.fire()) == 1
    assert hospital.asked() == ["Consent", "ResearchSubject"]


def test_where_no_card_would_show_nobody_asks(hospital: Hospital) -> None:
    assert hospital.fire("ordinary-chart") == []
    assert hospital.asked() == []


def test_where_the_site_does_not_want_it_nobody_asks(hospital: Hospital) -> None:
    assert len(hospital.fire(research_records=False)) == 1
    assert hospital.asked() == []


def test_what_the_prefetch_brought_is_not_asked_again(hospital: Hospital) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": []}
    hospital.fire(prefetch={"consents": None, "research": outcome})
    assert hospital.asked() == ["ResearchSubject"]


@pytest.mark.parametrize("resource", [REFUSAL, FLAGGED, JOINED], ids=lambda one: one["id"])
def test_what_the_server_says_of_research_keeps_the_card_away(
    hospital: Hospital, store: Store, resource: Json
) -> None:
    store.put(STUDY)
    store.put(resource)
    assert hospital.fire(refusal_flags=(FLAG,)) == []


@pytest.mark.parametrize(
    "faults",
    [
        Faults(forbidden_types=frozenset(OURS)),
        Faults(slow_types=dict.fromkeys(OURS, 8.0)),
        Faults(html=True, only=frozenset(OURS)),
        Faults(error_entry=True, only=frozenset(OURS)),
    ],
    ids=["refused", "too slow", "a login page", "an error"],
)
def test_where_the_server_cannot_say_the_card_is_shown(hospital: Hospital, faults: Faults) -> None:
    assert len(hospital.fire(faults=faults, deadline_seconds=4.0)) == 1


def test_where_include_is_refused_what_comes_without_it_counts(
    hospital: Hospital, store: Store
) -> None:
    named = JOINED | {"study": {"identifier": {"value": "NCT05490667"}}}
    store.put(named)
    assert hospital.fire(faults=Faults(include="refused")) == []


@pytest.mark.parametrize(
    ("scope", "searches"),
    [
        ("patient/Observation.rs?category=http://x.example|laboratory patient/Patient.r", 5),
        ("patient/Observation.rs patient/Condition.rs", 1),
        ("PATIENT.READ OBSERVATION.SEARCH", 1),
        (["not", "a", "string"], 1),
    ],
)
def test_a_token_for_some_categories_is_used_category_by_category(
    hospital: Hospital, scope: Any, searches: int
) -> None:
    token = {"access_token": "x", "token_type": "Bearer", "expires_in": 300, "subject": "s"}
    hospital.fire(authorization=token | {"scope": scope})
    asked = [one.query for one in hospital.log if one.path == "/fhir/Observation"]
    assert len(asked) == searches
    assert all(("category=" in query) == (searches == 5) for query in asked)


def test_all_requests_of_one_call_are_counted_together(hospital: Hospital) -> None:
    [card] = hospital.fire(max_requests=4, fhir_batch="no")
    assert len([one for one in hospital.log if one.path != "/fhir/metadata"]) == 4
    says = {one["says"] for one in card["extension"]["org.trial-cds.assessment"]["problems"]}
    assert "Procedure not read: it would take too many requests" in says
