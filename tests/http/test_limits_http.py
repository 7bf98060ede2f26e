"""Limits at the running server: too much, too deep, too slow, too many, and the end of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from cds.store.database import Store
from cds.web.fhir_endpoint import Faults, create_fhir_app, serving
from cds.web.fhir_endpoint import Store as FhirStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Json = dict[str, Any]
MARKER = "MARKERofTheChart"
CALLS = 48


@pytest.fixture(scope="module")
def slow_fhir() -> Iterator[str]:
    """A FHIR server that takes longer than anybody waits."""
    app = create_fhir_app(FhirStore(), faults=Faults(slow=1.8))
    with serving(app) as base:
        yield base


@pytest.fixture(scope="module")
def server(serve: Callable[..., Any], slow_fhir: str) -> Any:
    return serve(
        MAX_BODY_BYTES="2000000",
        MAX_RESOURCES="500",
        THREADS="2",
        DEADLINE_SECONDS="0.6",
        FHIR_ALLOW=slow_fhir,
    )


def raw(server: Any, sent: bytes, *, wait: float = 5.0) -> bytes:
    """What comes back for these very bytes."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=wait) as connection:
        connection.sendall(sent)
        got = b""
        try:
            while piece := connection.recv(65_536):
                got += piece
        except TimeoutError:
            pass  # kept alive: nothing more comes
        return got


def posted(body: bytes, *headers: str) -> bytes:
    lines = [
        "POST /cds-services/trial-eligibility HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_a_larger_body_than_agreed_is_413(server: Any) -> None:
    answer = requests.post(
        server.hook,
        data=b" " * 2_000_001,
        headers={"Content-Type": "application/json"},
        timeout=10,
    )
    assert answer.status_code == 413
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_a_body_in_chunks_cannot_grow_past_the_limit_either(server: Any) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(40):
            sent += 100_000
            yield b" " * 100_000

    headers = {"Content-Type": "application/json"}
    answer = requests.post(server.hook, data=chunks(), headers=headers, timeout=10)
    assert answer.status_code == 413


def test_an_announced_length_is_refused_before_anything_is_sent(server: Any) -> None:
    got = raw(server, posted(b"", "Content-Length: 50000000000"))
    assert got.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", ["", "/feedback", "/nothing"])
def test_a_connection_can_be_used_again_after_a_refusal(server: Any, path: str) -> None:
    """EHRs keep connections; a chart that nobody read must not stand before the next request."""
    headers = {"Content-Type": "text/plain"}
    with requests.Session() as session:
        for _ in range(3):
            answer = session.post(
                f"{server.hook}{path}", data=b" " * 1_500_000, headers=headers, timeout=5
            )
            assert answer.status_code in {404, 415}
            assert session.get(f"{server.url}/healthz", timeout=5).status_code == 200


def test_more_resources_than_agreed_are_413(server: Any, story: Any) -> None:
    one = {"resourceType": "Basic"}
    many = {"resourceType": "Bundle", "entry": [{"resource": one}] * 501}
    answer = server.fire(story.request(more=many))
    assert answer.status_code == 413


@pytest.mark.parametrize("depth", [600, 5_000, 300_000])
def test_no_depth_of_nesting_breaks_anything(server: Any, story: Any, depth: int) -> None:
    body = json.dumps(story.request(deep="DEEP")).encode()
    deep = body.replace(b'"DEEP"', b"[" * depth + b"]" * depth)
    answer = requests.post(
        server.hook, data=deep, headers={"Content-Type": "application/json"}, timeout=10
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "sent",
    [
        f'"birthDate": "{MARKER}"\r\n\r\n'.encode(),
        f"GET /{MARKER} HTTP/9.9\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nHost: x\r\n{MARKER} {MARKER}: y\r\n\r\n".encode(),
        posted(f"{MARKER}\r\n".encode(), "Transfer-Encoding: chunked"),
        posted(b"{}" + f"{MARKER} more than was announced".encode(), "Content-Length: 2"),
        posted(b"{}", f"Content-Length: {MARKER}"),
        posted(b"{}", "Content-Length: 2", "Transfer-Encoding: chunked"),
        posted(b"", f"X-Long: {MARKER * 2_000}"),
        f"GET /{MARKER * 1_000} HTTP/1.1\r\n\r\n".encode(),
    ],
)
def test_what_is_no_http_is_refused_without_being_quoted(server: Any, sent: bytes) -> None:
    """A body that is longer than announced is read as the next request: it may be a chart."""
    got = raw(server, sent)
    assert got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501"))
    assert MARKER.encode() not in got
    assert b"<html" not in got
    assert MARKER not in server.log.read_text()


def test_after_all_that_the_service_still_answers(server: Any, story: Any) -> None:
    assert server.fire(story.request()).status_code == 200


def test_calls_beyond_what_can_be_answered_are_told_at_once_when_to_come_back(
    server: Any, story: Any, slow_fhir: str
) -> None:
    """Four calls fit (2 processes, 2 threads each); each waits 0.6 s for a FHIR server."""
    request = story.request(procedures=...) | {"fhirServer": slow_fhir}

    def call(_: int) -> tuple[int, float, str]:
        began = time.monotonic()
        answer = server.fire(request)
        wait = answer.headers.get("Retry-After", "")
        return answer.status_code, time.monotonic() - began, wait

    with ThreadPoolExecutor(CALLS) as pool:
        found = list(pool.map(call, range(CALLS)))
    answered = [took for status, took, _ in found if status == 200]
    turned_away = [(took, wait) for status, took, wait in found if status == 503]
    assert len(answered) + len(turned_away) == CALLS
    assert len(answered) >= 2
    assert len(turned_away) >= CALLS / 2
    assert max(answered) < 2.5
    assert all(wait == "1" for _, wait in turned_away)
    assert sorted(took for took, _ in turned_away)[len(turned_away) // 2] < 0.5


def test_a_call_that_brings_its_chart_does_not_queue_behind_calls_that_wait(
    serve: Callable[..., Any], story: Any, slow_fhir: str
) -> None:
    """Of four places three may wait for a FHIR server, which takes its time; six calls want to."""
    served = serve(WORKERS="1", THREADS="4", DEADLINE_SECONDS="8", FHIR_ALLOW=slow_fhir)
    waits = story.request(procedures=...) | {"fhirServer": slow_fhir}
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(served.fire, waits) for _ in range(6)]
        turned_away = [call.result().status_code for call in islice(as_completed(calls), 3)]
        answer = served.fire(story.request())
        waiting = [call for call in calls if not call.done()]
    assert answer.status_code == 200
    assert turned_away == [503] * 3
    assert len(waiting) == 3
    assert {call.result().status_code for call in waiting} == {200}


def test_clients_that_send_nothing_do_not_keep_the_others_out(server: Any, story: Any) -> None:
    parts = urlsplit(server.url)
    idle = [socket.create_connection((parts.hostname, parts.port)) for _ in range(6)]
    for connection in idle[:3]:
        connection.sendall(b"POST /cds-services/trial-eligibility HTTP/1.1\r\nHost: x\r\n")
    time.sleep(0.2)
    assert server.fire(story.request()).status_code == 200
    for connection in idle:
        connection.close()


def feedback(number: int) -> Json:
    one = {
        "card": f"card-{number}",
        "outcome": "overridden",
        "outcomeTimestamp": "2026-03-01T00:00:00Z",
    }
    return {"feedback": [one]}


def test_feedback_that_was_answered_is_there_after_a_kill(serve: Callable[..., Any]) -> None:
    served = serve(WORKERS="1")
    session = requests.Session()
    answered = 0
    for number in range(25):
        answer = session.post(f"{served.hook}/feedback", json=feedback(number), timeout=5)
        answered += answer.status_code == 200
    workers = _children(served.process.pid)
    for process in (served.process.pid, *workers):
        os.kill(process, signal.SIGKILL)
    served.process.wait(timeout=5)
    session.close()
    store = Store(f"sqlite:///{served.database}")
    with store.begin() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM feedback").scalar_one()
    store.close()
    assert (answered, kept) == (25, 25)


def _children(parent: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(parent)],  # noqa: S607 - wherever the machine keeps it
        check=True,
        capture_output=True,
        text=True,
    )
    return [int(line) for line in listed.stdout.split()]


def test_a_call_in_flight_is_finished_when_the_service_is_stopped(
    serve: Callable[..., Any], story: Any, slow_fhir: str
) -> None:
    served = serve(WORKERS="1", THREADS="2", DEADLINE_SECONDS="1.2", FHIR_ALLOW=slow_fhir)
    request = story.request(procedures=...) | {"fhirServer": slow_fhir}
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(served.fire, request)
        time.sleep(0.4)
        served.process.send_signal(signal.SIGTERM)
        answer = call.result()
    assert answer.status_code == 200
    assert answer.json()["cards"]
    assert served.process.wait(timeout=20) == 0


def started_with(folder: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    """Exit status and message of a start that should be refused."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIAL_CDS_")}
    kept["TRIAL_CDS_DATABASE_URL"] = f"sqlite:///{folder / 'store.db'}"
    done = subprocess.run(
        [sys.executable, "-m", "cds.cli", "serve", *arguments],
        env=kept | {f"TRIAL_CDS_{name}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stderr


def test_an_unsafe_start_is_refused_with_one_sentence(tmp_path: Path) -> None:
    clients = tmp_path / "clients.yaml"
    clients.write_text("clients:\n- iss: a\n  jwk: b\n")
    for arguments, settings, named in (
        (["--host", "0.0.0.0"], {}, "TRIAL_CDS_CLIENTS"),  # noqa: S104 - it is refused
        ([], {"CLIENTS": str(clients)}, "TRIAL_CDS_CLIENTS"),
    ):
        status, says = started_with(tmp_path, *arguments, **settings)
        assert status == 2
        assert named in says
        assert len(says.strip().splitlines()) == 1
