"""A chart full of marker strings goes through success and every failure of the running service.

Afterwards the strings are in the cards and in the audit trail, where they belong, and in nothing
that an operator sees: no log, metric, error or trace.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

from cds.web.fhir_endpoint import Faults, create_fhir_app, endpoint_of, load_fixtures, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Json = dict[str, Any]
MARKER = "zzmarkerzz"
HOOK_INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
PATIENT = f"{MARKER}-p1"
# What decides how a resource is read; everything else becomes a marker.
KEPT = frozenset(
    {"resourceType", "id", "system", "code", "status", "unit", "reference", "gender", "birthDate"}
    | {"type", "intent", "mode", "use", "fullUrl", "comparator"}
)
_DAY = re.compile(r"\d{4}(-\d\d){0,2}(T.*)?")


def marked(value: Any, key: str = "") -> Any:
    """The same with a marker in every text that is free."""
    if isinstance(value, dict):
        return {name: marked(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [marked(one, key) for one in value]
    if isinstance(value, str) and key not in KEPT and not _DAY.fullmatch(value):
        return f"{MARKER} {value}"
    return value


def of_marker(resource: Json) -> Json:
    """A resource that belongs to the patient whose id is a marker, with markers in it."""
    found: Json = marked(resource)
    if found["resourceType"] == "Patient":
        return found | {"id": PATIENT}
    for owner in ("subject", "patient"):
        if owner in found:
            found[owner] = {"reference": f"Patient/{PATIENT}", "display": MARKER}
    if found["resourceType"] == "Observation":
        found["note"] = [{"text": MARKER}]
    return found | {"id": str(resource["id"]).replace("desmoid", "d")}


class Collector(BaseHTTPRequestHandler):
    """A FHIR server that answers with markers in every place, or a collector of traces."""

    received: list[bytes]
    answer: list[tuple[int, dict[str, str], bytes]]

    def do_POST(self) -> None:
        """Take traces."""
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """Answer a FHIR request with what the test wants."""
        status, headers, body = self.answer[0]
        self.send_response(status, MARKER)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def listening(**members: Any) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Collector,), members))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def traces() -> list[bytes]:
    return []


@pytest.fixture(scope="module")
def nasty() -> list[tuple[int, dict[str, str], bytes]]:
    return [(500, {}, b"")]


@pytest.fixture(scope="module")
def running(
    serve: Callable[..., Any],
    story: Any,
    traces: list[bytes],
    nasty: list[tuple[int, dict[str, str], bytes]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Any, Any, str, str, Path]]:
    """The service, the FHIR endpoint's application, both FHIR bases, and the audit file."""
    folder = tmp_path_factory.mktemp("markers")
    resources = [story.prefetch["patient"]]
    for value in story.prefetch.values():
        resources += [entry["resource"] for entry in (value or {}).get("entry", [])]
    bundle = {"resourceType": "Bundle", "type": "collection"}
    entries = [{"resource": of_marker(one)} for one in resources]
    (folder / "story").mkdir()
    (folder / "story" / "bundle.json").write_text(json.dumps(bundle | {"entry": entries}))
    app = create_fhir_app(load_fixtures(folder, None))
    with (
        listening(received=traces) as collector,
        listening(answer=nasty) as bad,
        serving(app) as good,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        audit = folder / "audit.ndjson"
        server = serve(
            ON=story.day,
            SHOW_ALL="yes",
            FHIR_ALLOW=f"{good},{bad}/r4",
            FHIR_PAUSE_SECONDS="0",
            DEADLINE_SECONDS="1.5",
            MAX_BODY_BYTES="2000000",
            AUDIT_FILE=str(audit),
        )
        yield server, app, good, f"{bad}/r4", audit
        server.stop()


class Errors:
    """Fires what it is told to, and keeps every answer that is an error, and the pages."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.seen: list[str] = []
        self.statuses: set[int] = set()

    def keep(self, answer: requests.Response) -> requests.Response:
        """Note an answer."""
        self.statuses.add(answer.status_code)
        if answer.status_code >= 400:
            self.seen.append(f"{answer.headers} {answer.text}")
        return answer

    def feedback(self, entry: Any) -> int:
        """Send one feedback; gives the status of the answer."""
        sent = {"feedback": [entry]}
        return self.keep(
            requests.post(f"{self.server.hook}/feedback", json=sent, timeout=10)
        ).status_code

    def hook(self, request: Any, **more: Any) -> requests.Response:
        """Fire the hook, with JSON or with bytes."""
        if isinstance(request, bytes):
            headers = {"Content-Type": "application/json"} | more.pop("headers", {})
            return self.keep(
                requests.post(self.server.hook, data=request, headers=headers, timeout=30)
            )
        return self.keep(self.server.fire(request, **more))

    def raw(self, sent: bytes) -> None:
        """Send bytes that are no sound HTTP."""
        host, port = self.server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(sent)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
                self.seen.append(connection.recv(65536).decode(errors="replace"))


def requested(base: str, prefetch: Json) -> Json:
    return {
        "hook": "patient-view",
        "hookInstance": HOOK_INSTANCE,
        "context": {"userId": f"Practitioner/{MARKER}", "patientId": PATIENT},
        "fhirServer": base,
        "fhirAuthorization": {"access_token": MARKER, "token_type": "Bearer", "subject": MARKER},
        "prefetch": prefetch,
    }


FAULTS = {
    "dead": Faults(dead="closed"),
    "500": Faults(dead="error"),
    "401": Faults(unauthorized=True),
    "403": Faults(forbidden_types=frozenset({"Observation"})),
    "429": Faults(busy=429),
    "loop": Faults(looping_next=True),
    "more than it sends": Faults(extra_total=1),
    "an error among the entries": Faults(error_entry=True),
    "html": Faults(html=True),
    "half a body": Faults(cut_body=True),
    "another patient": Faults(other_patient=True),
}
NASTY = {
    "an outcome with a name": (
        500,
        {"Content-Type": "application/fhir+json", MARKER: MARKER},
        json.dumps(
            {
                "resourceType": "OperationOutcome",
                "issue": [{"severity": "error", "code": "invalid", "diagnostics": MARKER}],
            }
        ).encode(),
    ),
    "not found": (404, {}, MARKER.encode()),
    "not understood": (400, {}, MARKER.encode()),
    "elsewhere": (302, {"Location": f"http://127.0.0.1:9/{MARKER}"}, b""),
    "no JSON": (200, {"Content-Type": "application/fhir+json"}, f"{{{MARKER}".encode()),
    "another type": (200, {}, json.dumps({"resourceType": MARKER, "id": MARKER}).encode()),
    "another patient": (200, {}, json.dumps({"resourceType": "Patient", "id": MARKER}).encode()),
    "odd headers": (200, {"Content-Encoding": MARKER, "Content-Type": MARKER}, b"{}"),
}


@dataclass
class Seen:
    """Everything that an operator sees after it all."""

    errors: list[str]
    statuses: set[int]
    log: list[str]
    metrics: str
    traces: list[bytes]
    audit: list[str]
    stored: str


@pytest.fixture(scope="module")
def seen(
    running: tuple[Any, Any, str, str, Path],
    nasty: list[tuple[int, dict[str, str], bytes]],
    traces: list[bytes],
    story: Any,
) -> Seen:
    """What is left of success and every failure."""
    server, fhir, good, bad, audit = running
    told = Errors(server)
    prefetch = {
        key: marked_bundle(value) if key != "patient" else of_marker(value)
        for key, value in story.prefetch.items()
    }
    whole = requested(good, prefetch)
    succeed(told, whole)
    kept = stored(server.database)
    some = {key: prefetch[key] for key in ("patient", "conditions")}
    for faults in FAULTS.values():
        endpoint_of(fhir).faults = faults
        told.hook(requested(good, some))
        told.hook(requested(good, {}))
    endpoint_of(fhir).faults = Faults()
    for answer in NASTY.values():
        nasty[0] = answer
        told.hook(requested(bad, some))
        told.hook(requested(bad, {}))
    send_wrong_requests(told, whole)
    fail_inside(told, whole)
    time.sleep(0.5)  # longer than traces wait to be sent
    return Seen(
        told.seen,
        told.statuses,
        server.log.read_text().splitlines(),
        requests.get(f"{server.url}/metrics", timeout=10).text,
        traces,
        audit.read_text().splitlines(),
        kept,
    )


def succeed(told: Errors, whole: Json) -> None:
    """From prefetch, from the FHIR server, the page behind the card, and feedback."""
    (card, *_) = told.hook(whole).json()["cards"]
    assert MARKER in json.dumps(card)
    patient = {"patient": whole["prefetch"]["patient"]}
    cards = told.hook(whole | {"prefetch": patient}).json()["cards"]
    assert MARKER in json.dumps(cards)
    page = next(link["url"] for link in card["links"] if "/determinations/" in link["url"])
    assert MARKER in told.keep(requests.get(page, timeout=10)).text
    assert told.feedback(overridden(card["uuid"])) == 200


def overridden(card: str) -> Json:
    return {
        "card": card,
        "outcome": "overridden",
        "outcomeTimestamp": "2026-03-01T09:30:00Z",
        "overrideReasons": [{"reason": {"code": "not-now"}, "userComment": MARKER}],
    }


def send_wrong_requests(told: Errors, whole: Json) -> None:
    for wrong in wrong_requests(whole):
        assert told.hook(wrong).status_code in {400, 412, 413}
    for name in ("Content-Type", "Content-Encoding", "Authorization", MARKER):
        told.hook(json.dumps(whole).encode(), headers={name: MARKER})
    for entry in ({"card": MARKER}, {MARKER: MARKER}, MARKER, {"card": "c", "outcome": MARKER}):
        assert told.feedback(entry) == 400
    for path in (MARKER, f"determinations/{MARKER}", f"determinations/{MARKER:z<43}/{MARKER}"):
        told.keep(requests.get(f"{told.server.url}/{path}?{MARKER}={MARKER}", timeout=10))
    told.keep(requests.request(MARKER, told.server.hook, timeout=10))
    for sent in broken_http(json.dumps(whole).encode()):
        told.raw(sent)


def fail_inside(told: Errors, whole: Json) -> None:
    """Workers end suddenly; then the store fails."""
    for worker in psutil.Process(told.server.process.pid).children():
        worker.send_signal(signal.SIGKILL)
    until_it_answers(told.server)
    with sqlite3.connect(told.server.database) as direct:
        direct.execute("DROP TABLE decisions")
    direct.close()
    assert told.hook(whole).status_code == 503
    assert told.feedback(overridden(MARKER)) == 503


def test_every_failure_was_there(seen: Seen) -> None:
    assert {200, 400, 404, 405, 412, 413, 415, 503} <= seen.statuses
    assert len(seen.errors) > 40


def test_no_marker_is_in_an_answer_that_is_an_error(seen: Seen) -> None:
    assert [error for error in seen.errors if MARKER in error.lower()] == []


def test_no_marker_is_in_the_log_whose_lines_say_what_they_belong_to(seen: Seen) -> None:
    assert [line for line in seen.log if MARKER in line.lower()] == []
    lines = [json.loads(line) for line in seen.log]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    assert any(line.get("hook_instance") == HOOK_INSTANCE for line in lines)
    assert any("Worker" in line.get("reason", "") for line in lines)


def test_no_marker_is_in_the_metrics(seen: Seen) -> None:
    assert "trial_cds_requests_total" in seen.metrics
    assert MARKER not in seen.metrics.lower()


def test_no_marker_is_in_the_traces(seen: Seen) -> None:
    assert any(HOOK_INSTANCE.encode() in body for body in seen.traces)
    assert [body for body in seen.traces if MARKER.encode() in body.lower()] == []


def test_no_marker_is_in_the_store(seen: Seen) -> None:
    assert "desmoid" not in seen.stored
    assert "nct05490667" in seen.stored
    assert MARKER not in seen.stored


def test_the_audit_trail_names_the_patient_of_every_call_that_could_be_read(seen: Seen) -> None:
    assert sum(PATIENT in line for line in seen.audit) > 30


def marked_bundle(value: Json) -> Json:
    entries = [
        entry | {"resource": of_marker(entry["resource"])} for entry in value.get("entry", [])
    ]
    return value | ({"entry": entries} if entries else {})


def stored(database: Path) -> str:
    files = database.parent.glob(f"{database.name}*")
    return b"".join(file.read_bytes() for file in files).decode(errors="replace").lower()


def wrong_requests(whole: Json) -> Iterator[Json | bytes]:
    yield MARKER.encode()
    yield json.dumps(whole).encode()[:-40]
    yield json.dumps([whole]).encode()
    yield b"[" * 100_000 + MARKER.encode()
    yield whole | {"hook": MARKER}
    yield whole | {"hookInstance": MARKER}
    yield whole | {"context": {"patientId": f"Patient/{MARKER}"}}
    yield whole | {"context": {"patientId": {MARKER: MARKER}}}
    yield whole | {"context": MARKER}
    yield whole | {"prefetch": MARKER}
    yield whole | {"prefetch": {"patient": {"resourceType": "Patient", "id": f"other-{MARKER}"}}}
    yield whole | {"prefetch": whole["prefetch"] | {"conditions": MARKER}}
    yield whole | {"prefetch": whole["prefetch"] | {"labs": {"resourceType": [MARKER]}}}
    yield whole | {"prefetch": {}, "fhirServer": f"http://{MARKER}.example.org/{MARKER}"}
    yield whole | {"prefetch": {}, "fhirServer": MARKER}
    yield whole | {"more": MARKER * 300_000}


def broken_http(body: bytes) -> Iterator[bytes]:
    head = b"POST /cds-services/trial-eligibility HTTP/1.1\r\nHost: x\r\n"
    json_ = b"Content-Type: application/json\r\n"
    yield head + json_ + f"Content-Length: {len(body) // 2}\r\n\r\n".encode() + body
    yield head + json_ + f"Content-Length: {len(body) * 2}\r\n\r\n".encode() + body
    yield head + json_ + b"Transfer-Encoding: chunked\r\n\r\n" + body
    yield head + f"Content-Length: {MARKER}\r\n\r\n".encode()
    yield f"{MARKER} / HTTP/{MARKER}\r\n\r\n".encode()
    yield f"GET /{MARKER * 2000} HTTP/1.1\r\n\r\n".encode()
    yield f"GET / HTTP/1.1\r\n{MARKER}\r\n\r\n".encode()
    yield f"GET / HTTP/1.1\r\nX: {MARKER * 5000}\r\n\r\n".encode()
    yield body


def until_it_answers(server: Any) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        with suppress(requests.ConnectionError):
            requests.get(f"{server.url}/healthz", timeout=5)
            return
        time.sleep(0.1)
