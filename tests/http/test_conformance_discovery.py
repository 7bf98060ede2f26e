"""CDS Hooks 2.0.1, "Discovery" and the wire around it, against the running server."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

Json = dict[str, Any]
TOKEN = re.compile(r"\{\{(.+?)\}\}")


@pytest.fixture(scope="module")
def server(open_server: Any) -> Any:
    return open_server


@pytest.fixture(scope="module")
def services(server: Any) -> list[Json]:
    answer = requests.get(f"{server.url}/cds-services", timeout=5)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    found: list[Json] = answer.json()["services"]
    return found


def empty_places(value: Any, where: str = "$") -> list[str]:
    """Where null, an empty text, object or list stands."""
    if value is None or value in ("", {}, []):
        return [where]
    if isinstance(value, dict):
        return [p for key, child in value.items() for p in empty_places(child, f"{where}.{key}")]
    if isinstance(value, list):
        return [p for n, child in enumerate(value) for p in empty_places(child, f"{where}[{n}]")]
    return []


def test_each_service_shall_have_an_id_a_hook_and_a_description_and_should_have_a_title(
    services: list[Json],
) -> None:
    assert services
    for service in services:
        for member in ("id", "hook", "description", "title"):
            assert isinstance(service[member], str)
            assert service[member].strip()


def test_no_element_shall_be_null_or_empty(services: list[Json]) -> None:
    assert empty_places(services) == []


def test_one_service_id_stands_under_one_hook_because_clients_key_them_by_address(
    services: list[Json],
) -> None:
    ids = [service["id"] for service in services]
    assert len(set(ids)) == len(ids)


def test_prefetch_tokens_shall_name_first_level_fields_of_the_context(
    services: list[Json],
) -> None:
    for query in (query for service in services for query in service["prefetch"].values()):
        assert set(TOKEN.findall(query)) == {"context.patientId"}


def test_prefetch_should_use_only_reads_and_type_level_searches_by_equality(
    services: list[Json],
) -> None:
    for query in (query for service in services for query in service["prefetch"].values()):
        parts = urlsplit(query)
        names = [name for name, _ in parse_qsl(parts.query)]
        if not names:
            assert parts.path == "Patient/{{context.patientId}}"
            continue
        assert parts.path.isalpha()
        assert set(names) <= {"patient", "category"}  # no modifier, no date, no _include
        assert len(set(names)) == len(names)  # some clients merge a repeated one into OR


def test_the_service_shall_be_called_at_the_base_and_its_id(
    server: Any, services: list[Json]
) -> None:
    for service in services:
        answer = requests.post(f"{server.url}/cds-services/{service['id']}", json={}, timeout=5)
        assert answer.status_code == 400  # there, and not content with that request


def test_head_tells_what_get_would(server: Any) -> None:
    answer = requests.head(f"{server.url}/cds-services", timeout=5)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


@pytest.mark.parametrize("path", ["", "/trial-eligibility", "/trial-eligibility/feedback"])
def test_a_preflight_is_answered_for_every_origin(server: Any, path: str) -> None:
    """Browser clients ask before each call; the Authorization header must be allowed."""
    answer = requests.options(
        f"{server.url}/cds-services{path}",
        headers={
            "Origin": "https://ehr.example.org",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
        timeout=5,
    )
    assert answer.status_code in {200, 204}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert {"authorization", "content-type"} <= set(
        re.split(r",\s*", answer.headers["Access-Control-Allow-Headers"].lower())
    )
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/cds-services", "GET"),
        ("DELETE", "/cds-services", "GET"),
        ("GET", "/cds-services/trial-eligibility", "POST"),
        ("PUT", "/cds-services/trial-eligibility", "POST"),
        ("GET", "/cds-services/trial-eligibility/feedback", "POST"),
        ("PATCH", "/cds-services/trial-eligibility/feedback", "POST"),
    ],
)
def test_a_wrong_method_is_405_and_says_which_is_right(
    server: Any, method: str, path: str, allowed: str
) -> None:
    answer = requests.request(method, f"{server.url}{path}", timeout=5)
    assert answer.status_code == 405
    assert allowed in answer.headers["Allow"]
    assert_outcome(answer)


@pytest.mark.parametrize(
    "path", ["/cds-services/other", "/cds-services/other/feedback", "/nothing", "/cds-services/"]
)
def test_what_is_not_there_is_404_with_an_operation_outcome(server: Any, path: str) -> None:
    answer = requests.post(f"{server.url}{path}", json={}, timeout=5)
    assert answer.status_code == 404
    assert_outcome(answer)


def assert_outcome(answer: requests.Response) -> None:
    """An OperationOutcome with one clear sentence, as JSON, that browsers may read."""
    assert answer.headers["Content-Type"] == "application/json"
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    (issue,) = outcome["issue"]
    assert issue["severity"] == "error"
    assert issue["code"]
    assert issue["diagnostics"].endswith(".")
    assert empty_places(outcome) == []


def test_alive_and_ready_say_so(server: Any) -> None:
    assert requests.get(f"{server.url}/healthz", timeout=5).json()["status"] == "alive"
    ready = requests.get(f"{server.url}/readyz", timeout=5)
    assert ready.status_code == 200
    assert ready.json()["trials"] == ["NCT05490667", "NCT07137884"]
    assert ready.json()["store"] == "reachable"


def test_answers_are_never_kept_by_a_cache(server: Any) -> None:
    assert requests.get(f"{server.url}/cds-services", timeout=5).headers["Cache-Control"] == (
        "no-store"
    )
