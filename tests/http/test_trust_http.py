"""Client trust at the running server: two workers, one store, an audience for each endpoint."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from cds.store.database import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]
KEY = ec.generate_private_key(ec.SECP384R1())
STRANGE = ec.generate_private_key(ec.SECP384R1())
ISSUER = "https://ehr.example.org"
PUBLIC = "https://cds.example.org"
SERVICE = f"{PUBLIC}/cds-services/trial-eligibility"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="module")
def server(serve: Callable[..., Any], folder: Path) -> Any:
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "k"}
    own = {
        "iss": ISSUER,
        "jwks": {"keys": [jwk]},
        "fhir_bases": ["https://fhir.example.org/r4"],
        "dialect": "oracle",
    }
    clients = folder / "clients.json"
    clients.write_text(json.dumps({"clients": [own]}))
    return serve(CLIENTS=str(clients), PUBLIC_URL=PUBLIC, CLIENT_RATE="1000")


def token(audience: str = SERVICE, key: Any = KEY, **changed: Any) -> dict[str, str]:
    now = int(time.time())
    payload = {
        "iss": ISSUER,
        "aud": audience,
        "iat": now,
        "exp": now + 300,
        "jti": str(uuid.uuid4()),
    } | changed
    text = jwt.encode(payload, key, algorithm="ES384", headers={"kid": "k"})
    return {"Authorization": f"Bearer {text}"}


FEEDBACK = {
    "feedback": [{"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-03-01T00:00:00Z"}]
}


def test_a_trusted_client_is_answered(server: Any, story: Any) -> None:
    assert server.fire(story.request(), headers=token()).status_code == 200


def test_a_stranger_gets_a_bare_401_at_every_endpoint(server: Any, story: Any) -> None:
    for path, body in (("", story.request()), ("/feedback", FEEDBACK)):
        for headers in ({}, token(f"{SERVICE}{path}", STRANGE), {"Authorization": "Basic eDp5"}):
            answer = requests.post(f"{server.hook}{path}", json=body, headers=headers, timeout=5)
            assert answer.status_code == 401
            assert answer.content == b""
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_stranger_is_refused_before_the_body_is_judged(server: Any) -> None:
    answer = requests.post(server.hook, data=b"no json", timeout=5)
    assert answer.status_code == 401


def test_a_token_is_good_once_whichever_worker_it_reaches(server: Any, story: Any) -> None:
    headers = token()
    found = [server.fire(story.request(), headers=headers).status_code for _ in range(12)]
    assert found == [200] + [401] * 11


def test_each_endpoint_has_its_own_audience(server: Any, story: Any) -> None:
    feedback = f"{server.hook}/feedback"
    wrong = token(SERVICE)
    assert requests.post(feedback, json=FEEDBACK, headers=wrong, timeout=5).status_code == 401
    right = token(f"{SERVICE}/feedback")
    assert requests.post(feedback, json=FEEDBACK, headers=right, timeout=5).status_code == 200
    crossed = token(f"{SERVICE}/feedback")
    assert server.fire(story.request(), headers=crossed).status_code == 401
    bound = token(server.hook)  # the address of the machine, not the public one
    assert server.fire(story.request(), headers=bound).status_code == 401


def test_the_host_header_changes_no_audience(server: Any, story: Any) -> None:
    headers = token("http://evil.example.org/cds-services/trial-eligibility")
    headers |= {"Host": "evil.example.org", "X-Forwarded-Host": "evil.example.org"}
    assert server.fire(story.request(), headers=headers).status_code == 401


def test_discovery_is_open_but_a_token_that_is_shown_must_be_sound(server: Any) -> None:
    address = f"{server.url}/cds-services"
    assert requests.get(address, timeout=5).status_code == 200
    sound = token(f"{PUBLIC}/cds-services")
    assert requests.get(address, headers=sound, timeout=5).status_code == 200
    assert requests.get(address, headers=token(SERVICE), timeout=5).status_code == 401


def test_a_preflight_needs_no_token(server: Any) -> None:
    answer = requests.options(server.hook, timeout=5)
    assert answer.status_code in {200, 204}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_client_that_names_a_foreign_fhir_server_is_403(server: Any, story: Any) -> None:
    request = story.request() | {"fhirServer": "https://other.example.org/r4"}
    answer = server.fire(request, headers=token())
    assert answer.status_code == 403
    assert answer.json()["resourceType"] == "OperationOutcome"
    own = story.request() | {"fhirServer": "https://fhir.example.org/r4"}
    assert server.fire(own, headers=token()).status_code == 200


def test_feedback_is_kept_under_the_client_that_sent_it(server: Any) -> None:
    store = Store(f"sqlite:///{server.database}")
    with store.begin() as connection:
        found = connection.exec_driver_sql("SELECT DISTINCT client FROM feedback").scalars().all()
    store.close()
    assert list(found) == [ISSUER]


def test_no_token_and_no_part_of_a_chart_is_in_the_log(server: Any, story: Any) -> None:
    marked = json.loads(json.dumps(story.request()).replace("Bundle", "BundleMARKER"))
    server.fire(marked, headers=token())
    logged = server.log.read_text()
    assert "a caller was refused" in logged
    for secret in ("eyJ", "MARKER", "Basic", story.patient):
        assert secret not in logged
