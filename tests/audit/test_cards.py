"""Which card a clinician sees, what it offers to order, and what it never does."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from cds.settings import load_settings
from cds.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cds.assess import Content

D, R = "NCT05490667", "NCT07137884"
ASSESSMENT = "org.trial-cds.assessment"
KEYS = {
    "conditions": "Condition",
    "labs": "Observation",
    "medreq": "MedicationRequest",
    "medstmt": "MedicationStatement",
    "medadmin": "MedicationAdministration",
    "procedures": "Procedure",
}
REFUSED = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "forbidden"}],
}
EMPTY = {"resourceType": "Bundle", "type": "searchset", "entry": []}
UNREADABLE = {
    "left out": "left out",
    "refused": REFUSED,
    "cut short": {**EMPTY, "total": 3},
    "with a further page": {**EMPTY, "link": [{"relation": "next", "url": "https://ehr/next"}]},
}
PAUSED = ("took", "rxnorm", "28031", "completed", {"start": "2026-02-20", "end": "2026-02-26"})


@pytest.fixture(scope="module")
def cards(
    content: Content, chart: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., list[dict[str, Any]]]:
    """The cards of a chart after changes; `day` is the day, `sent` replaces prefetch values."""
    store: Path = tmp_path_factory.mktemp("store") / "store.db"
    settings = load_settings({"TRIAL_CDS_DATABASE_URL": f"sqlite:///{store}"})

    def cards(trial: str, *changes: Any, day: str = "2026-03-01", **sent: Any) -> Any:
        resources = chart(trial, *changes)
        prefetch: dict[str, Any] = dict.fromkeys(("vitals", "exam", "survey", "social"))
        prefetch["patient"] = next(r for r in resources if r["resourceType"] == "Patient")
        for key, kind in KEYS.items():
            entries = [{"resource": r} for r in resources if r["resourceType"] == kind]
            prefetch[key] = {**EMPTY, "entry": entries}
        prefetch.update(sent)
        request = {
            "hook": "patient-view",
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {"userId": "Practitioner/1", "patientId": "p1"},
            "prefetch": {k: v for k, v in prefetch.items() if v != "left out"},
        }
        client = create_app(settings, content, lambda: date.fromisoformat(day)).test_client()
        answer = client.post("/cds-services/trial-eligibility", json=request)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_json()["cards"]

    return cards


def _ordered(cards: list[dict[str, Any]]) -> list[str]:
    return [
        coding["code"]
        for card in cards
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
        for coding in action["resource"]["code"]["coding"]
    ]


@pytest.mark.parametrize("trial", [D, R])
def test_a_ready_patient_gives_one_card_that_orders_nothing(
    trial: str, cards: Callable[..., Any]
) -> None:
    (card,) = cards(trial)
    assert card["indicator"] == "info"
    assert card["extension"][ASSESSMENT]["trial"] == trial
    assert {"patient", "on", "problems", "criteria", "overall"} <= card["extension"][
        ASSESSMENT
    ].keys()
    assert not card.get("suggestions")


def test_no_target_diagnosis_gives_no_card(cards: Callable[..., Any]) -> None:
    assert cards(D, ("without", "dx")) == []
    assert cards(D, conditions=None) == []


def test_a_deceased_patient_gives_no_card(cards: Callable[..., Any]) -> None:
    assert cards(D, ("person", "1991-07-19", "female", {"deceasedDateTime": "2026-01-01"})) == []


@pytest.mark.parametrize("sent", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_conditions_give_one_card_without_an_assessment(
    sent: Any, cards: Callable[..., Any]
) -> None:
    (card,) = cards(D, conditions=sent)
    assert ASSESSMENT not in card.get("extension", {})


def test_a_target_diagnosis_in_a_list_cut_short_still_gives_its_card(
    cards: Callable[..., Any], chart: Callable[..., Any]
) -> None:
    found = [{"resource": r} for r in chart(D) if r["resourceType"] == "Condition"]
    answer = cards(D, conditions={**EMPTY, "total": 9, "entry": found})
    # The second card says that the other trial's diagnosis could not be looked for.
    (card,) = (one for one in answer if ASSESSMENT in one.get("extension", {}))
    statuses = {c["id"]: c["status"] for c in card["extension"][ASSESSMENT]["criteria"]}
    assert statuses["I01a"] == "pass"
    assert statuses["E09b"] == "unknown"


def test_a_patient_who_is_ruled_out_for_good_gives_no_card(cards: Callable[..., Any]) -> None:
    assert cards(D, ("condition", "icd", "I48.91")) == []
    assert cards(D, ("condition", "icd", "I63.9", {"onset": "2025-12-01"})) == []


def test_one_who_is_ruled_out_for_a_week_gives_a_card_that_says_when(
    cards: Callable[..., Any],
) -> None:
    (card,) = cards(D, PAUSED)
    assert card["extension"][ASSESSMENT]["clears_on"] == "2026-03-06"
    assert "6 Mar" in card["summary"] + card["detail"]


def test_a_missing_routine_test_is_offered_as_a_draft_that_names_consent(
    cards: Callable[..., Any],
) -> None:
    (card,) = cards(D, ("without", "tsh"))
    assert _ordered([card]) == ["3016-3"]
    (suggestion,) = card["suggestions"]
    assert suggestion["actions"][0]["resource"]["status"] == "draft"
    assert "consent" in str(card)


def test_no_test_for_hiv_hepatitis_or_pregnancy_is_ever_offered(
    cards: Callable[..., Any],
) -> None:
    (card,) = cards(R, ("without", "hiv"), ("without", "hbs"), ("without", "hcv"))
    assert card["extension"][ASSESSMENT]["overall"] == "undetermined"
    assert _ordered([card]) == []
    assert _ordered(cards(D, ("result", "2106-3", "indeterminate"))) == []


def test_no_order_is_offered_where_something_else_rules_the_patient_out(
    cards: Callable[..., Any],
) -> None:
    found = cards(D, ("without", "tsh"), PAUSED)
    assert len(found) == 1
    assert _ordered(found) == []


def test_ids_are_the_same_for_the_same_determination_and_only_for_it(
    cards: Callable[..., Any],
) -> None:
    missing = ("without", "tsh")
    (one,), (again,) = cards(D, missing), cards(D, missing)
    assert one["uuid"] == again["uuid"]
    assert one["suggestions"] == again["suggestions"]
    ids = {
        cards(D, missing)[0]["uuid"],
        cards(D)[0]["uuid"],
        cards(D, day="2026-03-02")[0]["uuid"],
    }
    assert len(ids) == 3
