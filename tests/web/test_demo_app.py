"""The demo's own server: charts, FHIR and the service at one address, open to no foreign page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from cds.content.bundled import bundled_fixtures
from cds.web.demo import Demo, DemoClock, create_demo_app
from cds.web.demo.app import Orderable
from cds.web.demo.clock import MOST_DAYS
from cds.web.demo.stories import read_stories

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

CLOCK = DemoClock(ZoneInfo("UTC"))


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    service = Flask("service")
    service.add_url_rule("/cds-services", view_func=lambda: "the service")
    fixtures = bundled_fixtures()
    anc = Orderable("anc", "ANC", "751-8", "Neutrophils", "10*9/L", "laboratory")
    stories = read_stories(fixtures)
    demo = Demo(service, fixtures, stories, CLOCK, "http://127.0.0.1:1/fhir", tests=(anc,))
    return create_demo_app(demo).test_client()


@pytest.fixture(autouse=True)
def real_day() -> None:
    CLOCK.move_to(None)


def tell(client: FlaskClient, path: str, body: Any) -> TestResponse:
    return client.post(path, json=body)


def test_one_address_answers_for_charts_fhir_and_the_service(client: FlaskClient) -> None:
    assert client.get("/").headers["Location"] == "/demo/"
    assert "Patients" in client.get("/demo/").text
    assert client.get("/fhir/Patient/desmoid-ready").json["id"] == "desmoid-ready"  # type: ignore[index]
    assert client.get("/cds-services").text == "the service"


@pytest.mark.parametrize("path", ["/demo/", "/demo/patients/desmoid-ready", "/demo/patients/no"])
def test_no_page_runs_or_loads_anything_from_elsewhere(client: FlaskClient, path: str) -> None:
    page = client.get(path)
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert " style=" not in page.text
    assert " onclick=" not in page.text
    assert "<script>" not in page.text
    assert "Every patient here is invented" in page.text


def test_a_patient_who_is_not_there_gives_a_page_that_says_so(client: FlaskClient) -> None:
    page = client.get("/demo/patients/nobody")
    assert page.status_code == 404
    assert "There is no such page or patient." in page.text


def test_every_story_leads_to_its_chart(client: FlaskClient) -> None:
    stories = read_stories(bundled_fixtures())
    page = client.get("/demo/").text
    for story in stories:
        assert f'href="/demo/patients/{story.patient}"' in page
        assert client.get(f"/demo/patients/{story.patient}").status_code == 200


def test_the_day_can_be_moved_and_moved_back(client: FlaskClient) -> None:
    day = CLOCK.real_today() + timedelta(days=3)
    answer = tell(client, "/demo/today", {"day": day.isoformat()}).json
    assert answer == {"today": day.isoformat(), "moved": 3}
    assert "moved +3 days" in client.get("/demo/patients/desmoid-ready").text
    assert tell(client, "/demo/today", {"day": None}).json["moved"] == 0  # type: ignore[index]


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "0001-01-01", "9999-12-31", 7])
def test_a_day_that_is_none_or_too_far_is_refused_in_a_sentence(
    client: FlaskClient, day: Any
) -> None:
    answer = tell(client, "/demo/today", {"day": day})
    assert answer.status_code == 400
    assert answer.json["says"]  # type: ignore[index]
    assert CLOCK.moved_days == 0


def test_the_clock_goes_as_far_as_it_says() -> None:
    CLOCK.move_to(CLOCK.real_today() + timedelta(days=MOST_DAYS))
    with pytest.raises(ValueError, match="choose a nearer one"):
        CLOCK.move_to(CLOCK.real_today() + timedelta(days=MOST_DAYS + 1))


@pytest.mark.parametrize("path", ["/demo/today", "/demo/reset", "/demo/markdown", "/demo/calls"])
def test_a_foreign_pages_form_changes_nothing(client: FlaskClient, path: str) -> None:
    # A form can be sent across origins unasked, JSON cannot.
    assert client.post(path, data={"day": "2026-01-01"}).status_code == 415
    assert client.post(path, json=[]).status_code == 400


def test_undoing_every_change_brings_back_the_charts_and_the_day(client: FlaskClient) -> None:
    result = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Newly added test"},
        "subject": {"reference": "Patient/desmoid-ready"},
        "valueString": "present",
    }
    assert client.post("/fhir/Observation", json=result).status_code == 201
    CLOCK.move_to(CLOCK.real_today() + timedelta(days=1))
    assert "Newly added test" in client.get("/demo/patients/desmoid-ready").text
    assert tell(client, "/demo/reset", {}).json["moved"] == 0  # type: ignore[index]
    assert "Newly added test" not in client.get("/demo/patients/desmoid-ready").text


def test_only_the_services_own_fhir_requests_are_listed_and_each_once(client: FlaskClient) -> None:
    tell(client, "/demo/calls", {})
    client.get("/fhir/Patient/desmoid-ready")
    client.get("/fhir/Condition?patient=desmoid-ready", headers={"Authorization": "Bearer demo"})
    listed = {"calls": ["GET /fhir/Condition?patient=desmoid-ready"]}
    assert tell(client, "/demo/calls", {}).json == listed
    assert tell(client, "/demo/calls", {}).json == {"calls": []}


def test_markdown_is_rendered_in_order_and_only_from_texts(client: FlaskClient) -> None:
    answer = tell(client, "/demo/markdown", {"texts": ["*a*", "<i>b</i>"]}).json
    assert answer == {"html": ["<p><em>a</em></p>\n", "<p>&lt;i&gt;b&lt;/i&gt;</p>\n"]}
    assert tell(client, "/demo/markdown", {"texts": [7]}).status_code == 400
