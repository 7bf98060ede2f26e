"""The edges of the running service: odd headers and letters, ports that cannot be had."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests

from cds.content.bundled import bundled_fixtures
from cds.web.fhir_endpoint import Faults, create_fhir_app, endpoint_of, load_fixtures, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask

Json = dict[str, Any]
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def fhir_app() -> Flask:
    return create_fhir_app(load_fixtures(bundled_fixtures(), None))


@pytest.fixture(scope="module")
def fhir_base(fhir_app: Flask) -> Iterator[str]:
    with serving(fhir_app) as base:
        yield base


@pytest.fixture(scope="module")
def server(serve: Callable[..., Any], story: Any, fhir_base: str) -> Any:
    return serve(ON=story.day, SHOW_ALL="yes", FHIR_ALLOW=fhir_base, FHIR_PAUSE_SECONDS="0")


def says(answer: requests.Response) -> str:
    sentence: str = answer.json()["issue"][0]["diagnostics"]
    return sentence


# Where the service lies


@pytest.mark.parametrize(
    ("path", "prefix", "status"),
    [("/x/healthz", "/x", 404), ("/x/metrics", "/x", 404), ("/healthz", "/zzz", 200)],
)
@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "SCRIPT-NAME", "X-Forwarded-Prefix"])
def test_no_header_moves_the_service_to_another_path(
    server: Any, path: str, prefix: str, status: int, name: str
) -> None:
    answer = requests.get(f"{server.url}{path}", headers={name: prefix}, timeout=5)
    assert answer.status_code == status


# Letters


def with_bytes(request: Json, member: str, value: bytes) -> bytes:
    """The request as bytes, a member of its context as these."""
    request["context"][member] = "@@"
    return json.dumps(request).encode().replace(b'"@@"', value)


@pytest.mark.parametrize("member", ["userId", "encounterId"])
@pytest.mark.parametrize("value", [b'"Practitioner/\xff"', b'"\xed\xa0\x80"', b'["\xc3"]'])
def test_what_is_no_utf_8_is_400(server: Any, story: Any, member: str, value: bytes) -> None:
    body = with_bytes(story.request(), member, value)
    answer = requests.post(server.hook, data=body, headers=JSON, timeout=10)
    assert answer.status_code == 400
    assert f"context.{member} is not in UTF-8" in says(answer)


@pytest.mark.parametrize("value", [b"5", b"null", b'{"a":1}'])
def test_a_user_of_any_other_shape_costs_nothing(server: Any, story: Any, value: bytes) -> None:
    body = with_bytes(story.request(), "userId", value)
    assert requests.post(server.hook, data=body, headers=JSON, timeout=10).status_code == 200


def test_a_byte_order_mark_before_the_request_does_no_harm(server: Any, story: Any) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(story.request()).encode()
    answer = requests.post(server.hook, data=body, headers=JSON, timeout=10)
    assert answer.status_code == 200
    assert answer.json()["cards"]


# Tokens and reasons


@pytest.mark.parametrize("token", ["abc\n", "a€", "a\r\nX-Y: z"])
def test_a_token_that_no_header_can_carry_costs_only_what_it_was_for(
    server: Any, story: Any, fhir_base: str, token: str
) -> None:
    request = story.request(procedures=...) | {
        "fhirServer": fhir_base,
        "fhirAuthorization": {"access_token": token},
    }
    answer = server.fire(request)
    assert answer.status_code == 200
    problems = answer.json()["cards"][0]["extension"]["org.trial-cds.assessment"]["problems"]
    assert {
        "kind": "not-retrieved",
        "reference": None,
        "says": "Procedure not read: the access token is none that can be sent",
    } in problems
    assert token not in answer.text


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        (Faults(unauthorized=True), "the FHIR server does not accept the access token"),
        (
            Faults(forbidden_types=frozenset({"Patient"})),
            "the FHIR server does not allow it",
        ),
        (Faults(dead="error"), "the FHIR server has a fault"),
        (Faults(html=True), "the FHIR server's answer is no FHIR"),
        (Faults(dead="closed"), "the FHIR server cannot be reached"),
    ],
)
def test_a_412_and_its_line_of_the_log_say_why(  # noqa: PLR0913 - fixtures
    server: Any, story: Any, fhir_app: Flask, fhir_base: str, faults: Faults, why: str
) -> None:
    endpoint = endpoint_of(fhir_app)
    endpoint.faults = faults
    try:
        answer = server.fire(story.request() | {"prefetch": {}, "fhirServer": fhir_base})
    finally:
        endpoint.faults = Faults()
    assert answer.status_code == 412
    assert f"({why})" in says(answer)
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert [one.get("reason") for one in lines if one.get("status") == 412][-1] == why


def test_a_412_without_a_server_says_that_none_is_named(server: Any, story: Any) -> None:
    answer = server.fire(story.request(patient=...))
    assert answer.status_code == 412
    assert "no FHIR server is named" in says(answer)


# Ports


def run(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIAL_CDS_")}
    own = {"TRIAL_CDS_DATABASE_URL": f"sqlite:///{tmp_path / 'store.db'}"}
    return subprocess.run(
        [sys.executable, "-m", "cds.cli", "serve", *words],
        env=kept | own,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("port", ["99999", "0", "-1", "http"])
def test_a_port_that_is_none_is_refused_in_one_sentence(tmp_path: Path, port: str) -> None:
    done = run(tmp_path, "--port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "--port" in done.stderr


def test_a_port_in_use_is_said_in_one_sentence_and_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path, "--port", str(port))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert f"http://127.0.0.1:{port} cannot be listened at (address already in use)" in done.stderr
