"""CDS Hooks 2.0.1, "Calling a CDS Service" and "CDS Service Response", against the running server.

Each test names the SHALL, SHOULD or state of the specification that it proves.
"""

from __future__ import annotations

import copy
import json
import statistics
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
ASSESSMENT = "org.trial-cds.assessment"
NO_RESULTS = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "warning", "code": "not-found", "diagnostics": "4101: no results"}],
}
REFUSED = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "forbidden", "diagnostics": "no scope"}],
}


@pytest.fixture(scope="module")
def server(open_server: Any) -> Any:
    return open_server


@pytest.fixture(scope="module")
def bare(read_any_story: Callable[[str], Any]) -> Any:
    """A patient with the diagnosis and nothing else: much could be ordered."""
    return read_any_story("desmoid-bare")


def cards(answer: requests.Response) -> list[Json]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    found: list[Json] = answer.json()["cards"]
    return found


def trial_cards(answer: requests.Response) -> list[Json]:
    return [card for card in cards(answer) if "extension" in card]


def problems(answer: requests.Response) -> set[tuple[str, str]]:
    """(kind, first word) of each problem that the first card tells."""
    assessment = trial_cards(answer)[0]["extension"][ASSESSMENT]
    return {
        (one["kind"], one["says"].split(" not ")[0].split(" inc")[0])
        for one in assessment["problems"]
    }


def statuses(answer: requests.Response, status: str) -> set[str]:
    """The criteria of all trials with a status, as `trial id`."""
    return {
        f"{card['extension'][ASSESSMENT]['trial']} {one['id']}"
        for card in trial_cards(answer)
        for one in card["extension"][ASSESSMENT]["criteria"]
        if one["status"] == status
    }


def empty_places(value: Any, where: str = "$") -> list[str]:
    """Where null, an empty text, object or list stands, outside of the assessment."""
    if value is None or value in ("", {}, []):
        return [where]
    if isinstance(value, dict):
        return [
            place
            for key, child in value.items()
            if key != ASSESSMENT
            for place in empty_places(child, f"{where}.{key}")
        ]
    if isinstance(value, list):
        return [p for n, child in enumerate(value) for p in empty_places(child, f"{where}[{n}]")]
    return []


# The request


def test_a_request_with_a_whole_chart_is_answered_with_cards(server: Any, story: Any) -> None:
    assert {
        card["extension"][ASSESSMENT]["trial"] for card in trial_cards(server.fire(story.request()))
    } == {"NCT05490667"}


@pytest.mark.parametrize("member", ["hook", "hookInstance", "context"])
def test_a_required_field_that_is_missing_is_400_and_named(
    server: Any, story: Any, member: str
) -> None:
    request = story.request()
    del request[member]
    answer = server.fire(request)
    assert answer.status_code == 400
    assert member in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hook", "order-sign"),
        ("hook", 7),
        ("hookInstance", "not-a-uuid"),
        ("hookInstance", ""),
        ("hookInstance", None),
        ("context", []),
        ("context", {}),
        ("context", {"patientId": None}),
        ("context", {"patientId": 12}),
        ("context", {"patientId": ""}),
        ("context", {"patientId": "Patient/p1"}),
        ("context", {"patientId": "../p1"}),
        ("context", {"patientId": "p1?x=1"}),
        ("context", {"patientId": "p" * 65}),
        ("context", {"patientId": "p1\n"}),
        ("context", {"patientId": "pätient"}),
        ("prefetch", []),
        ("prefetch", "x"),
        ("fhirServer", 5),
        ("fhirAuthorization", {}),
        ("fhirAuthorization", {"access_token": 5}),
    ],
)
def test_a_field_that_breaks_the_specification_is_400_in_one_sentence(
    server: Any, story: Any, path: str, value: Any
) -> None:
    answer = server.fire(story.request() | {path: value})
    assert answer.status_code == 400
    assert_outcome(answer)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'"x"',
        b"\xff\xfe{}",
        b"{}{}",
        b"[" * 100_000,
        b'{"prefetch":' * 50_000,
        b"NaN",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_a_body_that_is_no_json_object_is_400(server: Any, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.post(server.hook, data=body, headers=headers, timeout=10)
    assert answer.status_code == 400
    assert_outcome(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
    ids=str,
)
def test_what_is_not_plain_json_is_415(server: Any, headers: dict[str, str]) -> None:
    answer = requests.post(server.hook, data=b"{}", headers=headers, timeout=5)
    assert answer.status_code == 415
    assert_outcome(answer)


def test_a_charset_beside_the_content_type_does_no_harm(server: Any, story: Any) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    body = json.dumps(story.request()).encode()
    assert requests.post(server.hook, data=body, headers=headers, timeout=5).status_code == 200


def test_unknown_members_and_extensions_are_ignored(server: Any, story: Any) -> None:
    """Epic tells in an extension which of its triggers fired; scopes have their own names there."""
    request = story.request() | {
        "extension": {"com.epic.cdshooks.request.bpa-trigger-action": "60", "x": [None, {}]},
        "tenant": None,
        "user": {"deep": [1, 2, {"a": "b"}]},
        "fhirServer": "https://fhir.example.org/r4",
        "fhirAuthorization": {
            "access_token": "opaque",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "PATIENT.READ OBSERVATION.SEARCH",
            "subject": "cds",
            "patient": "p",
            "extra": None,
        },
    }
    request["context"] |= {"encounterId": 5, "extension": {}, "userId": None}
    # The page behind a card is made for its reader: another user gets another link.
    assert without_links(server.fire(request)) == without_links(server.fire(story.request()))


def without_links(answer: Any) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in card.items() if key != "links"}
        for card in trial_cards(answer)
    ]


def test_a_hook_instance_may_be_written_in_capitals(server: Any, story: Any) -> None:
    request = story.request() | {"hookInstance": str(uuid.uuid4()).upper()}
    assert server.fire(request).status_code == 200


def test_who_the_user_is_need_not_be_said(server: Any, story: Any) -> None:
    request = story.request()
    del request["context"]["userId"]
    assert server.fire(request).status_code == 200


# Prefetch: five states kept apart


def test_a_key_that_is_left_out_was_not_retrieved(server: Any, story: Any) -> None:
    answer = server.fire(story.request(procedures=...))
    assert ("not-retrieved", "Procedure") in problems(answer)
    assert statuses(answer, "unknown")


@pytest.mark.parametrize(
    "empty",
    [
        None,
        {"resourceType": "Bundle", "type": "searchset"},
        {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": []},
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": 0,
            "entry": [{"resource": NO_RESULTS, "search": {"mode": "outcome"}}],
        },
    ],
    ids=["null", "no entries", "empty list", "one outcome: no results"],
)
def test_null_and_an_empty_bundle_mean_that_there_is_nothing(
    server: Any, story: Any, empty: Json | None
) -> None:
    answer = server.fire(story.request(procedures=empty))
    assert not {kind for kind, what in problems(answer) if what == "Procedure"}
    assert statuses(answer, "unknown") == statuses(server.fire(story.request()), "unknown")


def test_an_operation_outcome_in_place_of_the_resource_was_not_retrieved(
    server: Any, story: Any
) -> None:
    answer = server.fire(story.request(procedures=REFUSED))
    assert ("not-retrieved", "Procedure") in problems(answer)


def _with_error(bundle: Json) -> Json:
    return bundle | {"entry": [*bundle.get("entry", []), {"resource": REFUSED}]}


def _with_next(bundle: Json) -> Json:
    return bundle | {"link": [{"relation": "next", "url": "https://fhir.example.org/r4?page=2"}]}


def _with_total(bundle: Json) -> Json:
    return bundle | {"total": bundle["total"] + 1}


@pytest.mark.parametrize("spoil", [_with_error, _with_next, _with_total])
def test_an_error_entry_a_next_link_or_a_larger_total_make_a_list_incomplete(
    server: Any, story: Any, spoil: Callable[[Json], Json]
) -> None:
    spoilt = spoil(copy.deepcopy(story.prefetch["procedures"]))
    answer = server.fire(story.request(procedures=spoilt))
    assert ("incomplete", "Procedure") in problems(answer)
    assert statuses(answer, "unknown")


def test_renamed_keys_are_known_by_what_they_hold(server: Any, story: Any) -> None:
    renamed = {
        f"-site-{number}": value
        for number, value in enumerate(story.prefetch.values())
        if value.get("total") != 0
    }
    kept = {key: None for key, value in story.prefetch.items() if value.get("total") == 0}
    assert len(renamed) > 3
    request = story.request() | {"prefetch": renamed | kept}
    assert statuses(server.fire(request), "pass") == statuses(server.fire(story.request()), "pass")


def test_keys_that_nobody_asked_for_do_no_harm(server: Any, story: Any) -> None:
    more = {
        "user": {"resourceType": "Practitioner", "id": "x", "name": [{"family": "Example"}]},
        "coverage": {"resourceType": "Bundle", "type": "searchset", "total": 0},
        "nothing": None,
    }
    assert statuses(server.fire(story.request(**more)), "pass") == statuses(
        server.fire(story.request()), "pass"
    )


def test_conditions_that_could_not_be_read_are_said_on_one_card_and_never_silence(
    server: Any, story: Any
) -> None:
    (card,) = cards(server.fire(story.request(conditions=REFUSED)))
    assert "could not be read" in card["summary"]
    assert "extension" not in card


# Whose chart


def test_a_prefetched_patient_who_is_another_is_refused(server: Any, story: Any) -> None:
    other = story.prefetch["patient"] | {"id": "somebody-else"}
    answer = server.fire(story.request(patient=other))
    assert answer.status_code == 400
    assert_outcome(answer)
    assert "somebody-else" not in answer.text


def test_the_patient_neither_sent_nor_reachable_is_412(server: Any, story: Any) -> None:
    for absent in (..., None, REFUSED):
        answer = server.fire(story.request(patient=absent))
        assert answer.status_code == 412
        assert_outcome(answer)


def test_another_patients_entries_do_not_count(server: Any, story: Any) -> None:
    """And a list of nothing else is none of this patient's, which is said."""
    theirs = copy.deepcopy(story.prefetch["conditions"])
    for entry in theirs["entry"]:
        entry["resource"]["subject"] = {"reference": "Patient/somebody-else"}
    (card,) = cards(server.fire(story.request(conditions=theirs)))
    assert "could not be read" in card["summary"]
    assert "extension" not in card


# The response


def test_no_guidance_shall_be_200_with_an_empty_array_of_cards(server: Any, story: Any) -> None:
    answer = server.fire(story.request(conditions=None))
    assert answer.status_code == 200
    assert answer.json() == {"cards": []}


def test_every_card_satisfies_the_specification(server: Any, story: Any, bare: Any) -> None:
    found = [c for request in (story, bare) for c in cards(server.fire(request.request()))]
    assert len(found) >= 2
    for card in found:
        assert 0 < len(card["summary"]) < 140
        assert card["indicator"] in {"info", "warning", "critical"}
        assert card["source"]["label"]
        assert str(uuid.UUID(card["uuid"])) == card["uuid"]
        assert {"code", "display"} <= set(card["source"]["topic"])
        for reason in card["overrideReasons"]:
            assert {"code", "system", "display"} <= set(reason)
        for link in card.get("links", []):
            assert link["type"] == "absolute"
            # The page behind a card stands at the service's own address, here on loopback.
            assert link["url"].startswith(("https://", "http://127.0.0.1:"))
            assert link["label"]
            assert "appContext" not in link


def test_suggestions_come_with_a_selection_behaviour_and_whole_actions(
    server: Any, bare: Any
) -> None:
    (card,) = [c for c in cards(server.fire(bare.request())) if "suggestions" in c]
    assert card["selectionBehavior"] in {"at-most-one", "any"}
    assert "actionSelectionBehavior" not in json.dumps(card)
    ids = [suggestion["uuid"] for suggestion in card["suggestions"]]
    assert len(set(ids)) == len(ids)
    for suggestion in card["suggestions"]:
        assert suggestion["label"]
        for action in suggestion["actions"]:
            assert action["type"] == "create"
            assert action["description"]
            assert action["resource"]["resourceType"] == "ServiceRequest"
            assert action["resource"]["subject"] == {"reference": f"Patient/{bare.patient}"}


def test_no_element_of_a_response_shall_be_null_or_empty(
    server: Any, story: Any, bare: Any
) -> None:
    for request in (story.request(), bare.request(), story.request(conditions=REFUSED)):
        assert empty_places(server.fire(request).json()) == []


def test_the_same_chart_on_the_same_day_gives_the_same_ids(server: Any, bare: Any) -> None:
    assert cards(server.fire(bare.request())) == cards(server.fire(bare.request()))


def test_what_came_from_the_record_cannot_become_html(server: Any, bare: Any) -> None:
    evil = {
        "resourceType": "MedicationStatement",
        "id": "evil",
        "status": "active",
        "subject": {"reference": f"Patient/{bare.patient}"},
        "medicationCodeableConcept": {
            "text": "<img src=x onerror=alert(1)> | **[x](javascript:1)**"
        },
    }
    drugs = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": evil}]}
    (card, *_) = trial_cards(server.fire(bare.request(medstmt=drugs)))
    assert "<img" not in card["detail"]
    assert "](javascript" not in card["detail"]


def test_the_service_should_answer_within_half_a_second(server: Any, story: Any) -> None:
    times = [server.fire(story.request()).elapsed.total_seconds() for _ in range(11)]
    assert statistics.median(times) < 0.5


def assert_outcome(answer: requests.Response) -> None:
    """An OperationOutcome with one clear sentence."""
    assert answer.headers["Content-Type"] == "application/json"
    (issue,) = answer.json()["issue"]
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert issue["severity"] == "error"
    assert issue["diagnostics"].endswith(".")
    assert "\n" not in issue["diagnostics"]
    assert "Traceback" not in issue["diagnostics"]
