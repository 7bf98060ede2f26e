"""The EHRs' dialects, as their public documentation shows them: each must simply work."""

from __future__ import annotations

import copy
import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from cds.assess import Content, load_content
from cds.content.bundled import bundled_content
from cds.settings import load_settings
from cds.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]
ASSESSMENT = "org.trial-cds.assessment"
SEARCHED = "https://epic.example.org/api/FHIR/R4/MedicationRequest?patient="


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


@pytest.fixture
def fire(content: Content, tmp_path: Path) -> Callable[..., list[Json]]:
    """Fires the hook with the habits of an EHR and gives the cards."""

    def send(request: Json, day: str, dialect: str) -> list[Json]:
        settings = load_settings(
            {
                "TRIAL_CDS_DIALECT": dialect,
                "TRIAL_CDS_SHOW_ALL": "yes",
                "TRIAL_CDS_DATABASE_URL": f"sqlite:///{tmp_path / 'store.db'}",
            }
        )
        app = create_app(settings, content, lambda: date.fromisoformat(day))
        answer = app.test_client().post("/cds-services/trial-eligibility", json=request)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        cards: list[Json] = answer.get_json()["cards"]
        return cards

    return send


def statuses(cards: list[Json]) -> dict[str, str]:
    return {
        f"{card['extension'][ASSESSMENT]['trial']} {one['id']}": one["status"]
        for card in cards
        for one in card["extension"][ASSESSMENT]["criteria"]
    }


def unknown(cards: list[Json]) -> set[str]:
    return {name for name, status in statuses(cards).items() if status == "unknown"}


# Epic


def no_results() -> Json:
    """An empty search, as Epic answers it."""
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 0,
        "link": [{"relation": "self", "url": "https://epic.example.org/api/FHIR/R4/Procedure"}],
        "entry": [
            {
                "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001",
                "search": {"mode": "outcome"},
                "resource": {
                    "resourceType": "OperationOutcome",
                    "issue": [
                        {
                            "severity": "warning",
                            "code": "processing",
                            "details": {
                                "coding": [{"system": "urn:oid:1.2.840.114350", "code": "4101"}],
                                "text": "Resource request returns no results.",
                            },
                        }
                    ],
                },
            }
        ],
    }


def epic_request(story: Any) -> Json:
    """Keys typed in by an analyst, an empty search, several RxNorm codings, leftovers of STU3."""
    prefetch = story.prefetch
    sent = {
        "-patient": prefetch["patient"],
        "problems": prefetch["conditions"],
        "-obs": copy.deepcopy(prefetch["observations"]),
        "-medreq": prefetch["medreq"]
        | {"link": [{"relation": "self", "url": f"{SEARCHED}{story.patient}"}]},
        "medstmt": prefetch["medstmt"],
        "procedures": no_results(),
        "-user": {"resourceType": "Practitioner", "id": "eM5CWtq15N0WJeuCet5bJlQ3"},
    }
    for entry in sent["-obs"]["entry"]:
        category = entry["resource"].get("category")
        if isinstance(category, list) and len(category) == 1:
            entry["resource"]["category"] = category[0]  # an object, as Epic's example has it
    request: Json = story.request()
    return request | {
        "prefetch": sent,
        "extension": {"com.epic.cdshooks.request.bpa-trigger-action": "60"},
        "fhirServer": "https://epic.example.org/interconnect/api/FHIR/R4",
        "fhirAuthorization": {
            "access_token": "x",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "PATIENT.READ CONDITION.SEARCH",
            "subject": "client",
        },
    }


def test_epic_s_names_shapes_and_empty_answers_change_nothing(
    fire: Callable[..., list[Json]], story: Any
) -> None:
    plain = fire(story.request(procedures=None), story.day, "generic")
    assert statuses(fire(epic_request(story), story.day, "epic")) == statuses(plain)


def test_epic_carries_out_one_action_of_each_suggestion(
    fire: Callable[..., list[Json]], read_any_story: Callable[[str], Any]
) -> None:
    bare = read_any_story("desmoid-bare")
    (card,) = [c for c in fire(bare.request(), bare.day, "epic") if "suggestions" in c]
    assert card["selectionBehavior"] == "any"
    assert len(card["suggestions"]) > 1
    for suggestion in card["suggestions"]:
        (action,) = suggestion["actions"]
        assert action["resource"]["resourceType"] == "ServiceRequest"
        assert action["description"]  # the text that Epic shows in place of the label


def test_epic_s_overrides_attach_to_a_topic_that_changes_with_the_verdict(
    fire: Callable[..., list[Json]], story: Any, read_any_story: Callable[[str], Any]
) -> None:
    bare = read_any_story("desmoid-bare")
    codes = {
        card["source"]["topic"]["code"]
        for one in (story, bare)
        for card in fire(one.request(), one.day, "epic")
    }
    assert {"NCT05490667potentiallyeligible", "NCT05490667undetermined"} <= codes
    assert all(code.isalnum() and len(code) <= 100 for code in codes)


# Oracle Health


def test_oracle_has_no_medication_statements_and_nobody_waits_for_them(
    fire: Callable[..., list[Json]], story: Any
) -> None:
    request = story.request(medstmt=...)
    assert unknown(fire(request, story.day, "generic"))
    assert not unknown(fire(request, story.day, "oracle"))


def test_where_no_medication_list_was_read_oracle_s_habit_proves_nothing(
    fire: Callable[..., list[Json]], story: Any
) -> None:
    assert unknown(fire(story.request(medstmt=..., medreq=...), story.day, "oracle"))


def test_a_medication_statement_that_comes_all_the_same_counts(
    fire: Callable[..., list[Json]], read_any_story: Callable[[str], Any]
) -> None:
    taking = read_any_story("desmoid-clarithromycin")
    generic = statuses(fire(taking.request(), taking.day, "generic"))
    assert statuses(fire(taking.request(), taking.day, "oracle")) == generic
    assert "fail" in generic.values()


# HAPI and the CDS Hooks Sandbox


def test_one_suggestion_orders_everything_where_a_client_carries_out_all_actions(
    fire: Callable[..., list[Json]], read_any_story: Callable[[str], Any]
) -> None:
    bare = read_any_story("desmoid-bare")
    (card,) = [c for c in fire(bare.request(), bare.day, "hapi") if "suggestions" in c]
    (suggestion,) = card["suggestions"]
    assert len(suggestion["actions"]) > 1


def test_a_page_of_hapi_in_prefetch_is_not_taken_for_the_whole_list(
    fire: Callable[..., list[Json]], story: Any
) -> None:
    page = copy.deepcopy(story.prefetch["procedures"]) | {
        "link": [
            {"relation": "self", "url": "http://localhost:8080/fhir/Procedure?patient=x"},
            {"relation": "next", "url": "http://localhost:8080/fhir?_getpages=5f1c&_count=20"},
        ]
    }
    del page["total"]
    assert unknown(fire(story.request(procedures=page), story.day, "hapi"))


def test_the_sandbox_s_request_is_answered(fire: Callable[..., list[Json]], story: Any) -> None:
    """A user that nobody can read, a FHIR server although nothing is missing, null for nothing."""
    request = story.request(procedures=None) | {
        "fhirServer": "https://launch.smarthealthit.example/v/r4/fhir",
    }
    request["context"]["userId"] = "Practitioner/COREPRACTITIONER1"
    assert statuses(fire(request, story.day, "generic"))
    assert "launch.smarthealthit" not in json.dumps(fire(request, story.day, "generic"))
