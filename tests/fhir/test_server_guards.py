"""The guarded session against servers that misbehave below HTTP, and what never leaves us."""

import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask, Response, request

from cds.core.facts import Retrieval
from cds.fhir.breaker import Breaker
from cds.fhir.faults import FhirFault, Why
from cds.fhir.outbound import Deadline, Limits, PooledAdapter
from cds.fhir.pages import kept_types, read_page, takes_batches
from cds.fhir.record import record_from_fetched
from cds.fhir.search import Search, reads_of, searches
from cds.fhir.server import FhirConnection, FhirServers, fetch_missing
from cds.web.fhir_endpoint import serving

EMPTY = b'{"resourceType":"Bundle","type":"searchset","total":0}'
CONDITIONS = searches({"Condition"})
SECRET = "secret-patient-7"  # noqa: S105 - opens nothing
TOKEN = "secret-token-7"  # noqa: S105 - opens nothing

Talk = Callable[[socket.socket, bytes], None]


def answer(body: bytes = EMPTY, *headers: str, status: str = "200 OK") -> bytes:
    """An HTTP/1.1 answer as bytes."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/fhir+json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@contextmanager
def listening(talk: Talk, wrap: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that hands each request, as bytes, to `talk`; gives host:port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def converse(plain: socket.socket) -> None:
        try:
            peer = wrap.wrap_socket(plain, server_side=True) if wrap else plain
            with peer:
                while data := peer.recv(65_536):
                    talk(peer, data)
        except OSError:
            return  # the client hung up, as some tests expect

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=(peer,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connected(
    stack: ExitStack, talk: Talk, *, seconds: float = 5, token: str | None = None, **limits: int
) -> FhirConnection:
    """A connection to a server that talks like this."""
    base = f"http://{stack.enter_context(listening(talk))}/fhir"
    servers = FhirServers([(base, None)], limits=Limits(**limits))
    return stack.enter_context(servers.connect(base, token, Deadline.after(seconds)))


def drip(peer: socket.socket, text: bytes) -> None:
    for byte in text:
        peer.sendall(bytes([byte]))
        time.sleep(0.05)


def fetching_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("fhir")]


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_server_that_drips_its_answer_holds_no_thread_beyond_the_deadline(
    stack: ExitStack, part: str
) -> None:
    def talk(peer: socket.socket, _: bytes) -> None:
        text = answer(b" " * 5_000 + EMPTY)
        head = text.index(b"\r\n\r\n") + 4 if part == "body" else 0
        peer.sendall(text[:head])
        drip(peer, text[head:])

    connection = connected(stack, talk, seconds=0.6)
    began = time.monotonic()
    came = connection.fetch("p1", CONDITIONS)
    assert time.monotonic() - began < 3
    assert (came[0].state, came[0].why) == (Retrieval.NOT_RETRIEVED, Why.DEADLINE)
    for thread in fetching_threads():
        thread.join(3)
    assert fetching_threads() == []


def test_a_server_that_drips_within_tls_is_given_up_too(stack: ExitStack, tmp_path: Path) -> None:
    context, public = certificate(tmp_path)
    wire = answer(b" " * 5_000 + EMPTY)
    base = f"https://{stack.enter_context(listening(lambda peer, _: drip(peer, wire), context))}/r4"
    servers = FhirServers([(base, None)], ca_file=public)
    began = time.monotonic()
    came = fetch_missing(servers, base, None, "p1", CONDITIONS, Deadline.after(0.6))
    assert time.monotonic() - began < 3
    assert came[0].why is Why.DEADLINE
    for thread in fetching_threads():
        thread.join(3)
    assert fetching_threads() == []


def test_a_server_that_never_answers_is_given_up_at_the_deadline(stack: ExitStack) -> None:
    connection = connected(stack, lambda *_: time.sleep(6), seconds=0.4)
    began = time.monotonic()
    assert connection.fetch("p1", CONDITIONS)[0].state is Retrieval.NOT_RETRIEVED
    assert time.monotonic() - began < 3


def test_an_answer_without_end_is_cut_at_the_size_cap(stack: ExitStack) -> None:
    sent = 0

    def talk(peer: socket.socket, _: bytes) -> None:
        nonlocal sent
        peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            sent += 0x10000

    connection = connected(stack, talk, max_response_bytes=1_000_000)
    assert connection.fetch("p1", CONDITIONS)[0].why is Why.TOO_LARGE
    time.sleep(0.2)  # what lies in the buffers of the network may still be written
    assert sent < 50_000_000


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "deflate", "zstd"])
def test_encodings_that_were_not_asked_for_are_not_unpacked(
    stack: ExitStack, encoding: str
) -> None:
    packed = gzip.compress(gzip.compress(EMPTY))
    wire = answer(packed, f"Content-Encoding: {encoding}")
    connection = connected(stack, lambda peer, _: peer.sendall(wire))
    assert connection.fetch("p1", CONDITIONS)[0].why is Why.NOT_FHIR


def test_a_packed_answer_is_unpacked_and_one_that_is_broken_is_said(stack: ExitStack) -> None:
    good = answer(gzip.compress(EMPTY), "Content-Encoding: gzip")
    bad = answer(b"no gzip at all", "Content-Encoding: gzip")
    connection = connected(stack, lambda peer, _: peer.sendall(good))
    assert connection.fetch("p1", CONDITIONS)[0].bodies == (EMPTY,)
    connection = connected(stack, lambda peer, _: peer.sendall(bad))
    assert connection.fetch("p1", CONDITIONS)[0].why is Why.NOT_FHIR


def test_a_connection_that_was_closed_in_between_is_made_anew(stack: ExitStack) -> None:
    requests_seen: list[bytes] = []

    def talk(peer: socket.socket, data: bytes) -> None:
        requests_seen.append(data)
        if len(requests_seen) == 2:
            peer.shutdown(socket.SHUT_RDWR)  # kept alive until then
        else:
            peer.sendall(answer())

    connection = connected(stack, talk)
    assert connection.read("Condition") == EMPTY
    assert connection.read("Condition") == EMPTY
    assert len(requests_seen) == 3


def test_connections_are_kept_alive_between_hook_calls(stack: ExitStack) -> None:
    peers: set[int] = set()

    def talk(peer: socket.socket, _: bytes) -> None:
        peers.add(peer.getpeername()[1])
        peer.sendall(answer())

    base = f"http://{stack.enter_context(listening(talk))}/fhir"
    servers = FhirServers([(base, None)])
    for _ in range(3):
        with servers.connect(base, None, Deadline.after(5)) as connection:
            connection.read("Condition")
    assert len(peers) == 1


def test_the_token_goes_to_its_own_base_only_even_when_calls_cross(stack: ExitStack) -> None:
    seen: dict[str, set[bytes]] = {"a": set(), "b": set()}

    def talk_as(name: str) -> Talk:
        def talk(peer: socket.socket, data: bytes) -> None:
            seen[name].update(
                line for line in data.split(b"\r\n") if line.lower().startswith(b"authorization")
            )
            peer.sendall(answer())

        return talk

    bases = {one: f"http://{stack.enter_context(listening(talk_as(one)))}/fhir" for one in seen}
    servers = FhirServers([(base, None) for base in bases.values()])

    def call(name: str) -> None:
        for _ in range(10):
            fetch_missing(
                servers, bases[name], f"token-{name}", "p1", CONDITIONS, Deadline.after(5)
            )

    threads = [threading.Thread(target=call, args=(one,)) for one in ("a", "b", "a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {
        "a": {b"Authorization: Bearer token-a"},
        "b": {b"Authorization: Bearer token-b"},
    }


@pytest.mark.parametrize("token", ["abc\n", "a\r\nX: y", "a€", "ü", "a b", "", "\x00"])
def test_a_token_that_cannot_stand_in_a_header_is_not_sent(stack: ExitStack, token: str) -> None:
    seen: list[bytes] = []
    connection = connected(stack, lambda _, data: seen.append(data), token=token)
    (came,) = connection.fetch("p1", CONDITIONS)
    assert (came.state, came.why) == (Retrieval.NOT_RETRIEVED, Why.UNSENDABLE)
    assert seen == []


def test_without_a_token_nothing_is_sent_in_its_place(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    seen: list[bytes] = []

    def talk(peer: socket.socket, data: bytes) -> None:
        seen.append(data)
        peer.sendall(answer(EMPTY, "Set-Cookie: sid=1; Path=/"))

    connection = connected(stack, talk)
    connection.read("Condition")
    connection.read("Condition")
    assert len(seen) == 2
    for data in seen:
        assert b"authorization" not in data.lower()
        assert b"cookie" not in data.lower()


def test_proxies_of_the_environment_are_not_used(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    connection = connected(stack, lambda peer, _: peer.sendall(answer()))
    assert connection.read("Condition") == EMPTY


@pytest.mark.parametrize("resolved", ["169.254.169.254", "fd00:ec2::254", "0.0.0.0"])  # noqa: S104
def test_a_listed_name_that_leads_to_cloud_metadata_is_not_called(
    monkeypatch: pytest.MonkeyPatch, resolved: str
) -> None:
    family = socket.AF_INET6 if ":" in resolved else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (resolved, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    tried: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, to: tried.append(to))
    base = "https://fhir.example.org/r4"
    servers = FhirServers([(base, None)])
    came = fetch_missing(servers, base, TOKEN, "p1", CONDITIONS, Deadline.after(2))
    assert came[0].why is Why.PEER
    assert tried == []


def test_a_name_that_is_resolved_anew_in_between_is_refused_before_anything_is_sent(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    base = f"http://{stack.enter_context(listening(lambda _, data: seen.append(data)))}/fhir"
    monkeypatch.setattr(socket.socket, "getpeername", lambda _: ("169.254.169.254", 80))
    servers = FhirServers([(base, None)])
    came = fetch_missing(servers, base, TOKEN, "p1", CONDITIONS, Deadline.after(2))
    assert came[0].why is Why.PEER
    assert seen == []


def test_localhost_that_is_not_this_machine_gets_no_request_in_the_clear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    servers = FhirServers([("http://localhost/r4", None)])
    came = fetch_missing(servers, "http://localhost/r4", TOKEN, "p1", CONDITIONS, Deadline.after(2))
    assert came[0].why is Why.PEER


def test_a_name_that_cannot_be_resolved_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    base = "https://fhir.example.org/r4"
    servers = FhirServers([(base, None)])
    came = fetch_missing(servers, base, TOKEN, "p1", CONDITIONS, Deadline.after(2))
    assert came[0].why is Why.UNREACHABLE


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A server's TLS context with a certificate of its own making, and that certificate's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "invented hospital")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    public, private = folder / "public.pem", folder / "private.pem"
    public.write_bytes(built.public_bytes(pem))
    private.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, str(public)


def test_tls_is_verified_against_the_configured_authorities(
    stack: ExitStack, tmp_path: Path
) -> None:
    context, public = certificate(tmp_path)
    seen: list[bytes] = []

    def talk(peer: socket.socket, data: bytes) -> None:
        seen.append(data)
        peer.sendall(answer())

    base = f"https://{stack.enter_context(listening(talk, context))}/fhir"
    strangers = FhirServers([(base, None)])
    came = fetch_missing(strangers, base, TOKEN, "p1", CONDITIONS, Deadline.after(5))
    assert came[0].why is Why.UNREACHABLE
    assert seen == []
    trusting = FhirServers([(base, None)], ca_file=public)
    came = fetch_missing(trusting, base, TOKEN, "p1", CONDITIONS, Deadline.after(5))
    assert came[0].state is Retrieval.COMPLETE
    assert b"Bearer secret-token-7" in seen[0]


def told(problem: BaseException | None) -> Iterator[str]:
    """Everything that a logger which follows an exception's chain would write."""
    while problem is not None:
        yield f"{problem!r} {problem} {problem.args} {vars(problem)}"
        problem = problem.__cause__ or problem.__context__


@pytest.mark.parametrize(
    "wire",
    [
        answer(f'{{"note": "{SECRET}"}}'.encode(), status="403 Forbidden"),
        answer(f'{{"note": "{SECRET}"}}'.encode(), status="400 Bad Request"),
        answer(f'{{"note": "{SECRET}"}}'.encode(), status="500 Oh"),
        answer(b"", f"Location: http://x.example/{SECRET}", status="302 Found"),
        answer(SECRET.encode(), "Content-Encoding: gzip"),
        f"nonsense {SECRET}\r\n\r\n".encode(),
    ],
    ids=["403", "400", "500", "302", "gzip", "nonsense"],
)
def test_failures_hold_neither_the_answer_nor_the_address_nor_the_token(
    stack: ExitStack, wire: bytes
) -> None:
    def talk(peer: socket.socket, _: bytes) -> None:
        peer.sendall(wire)
        peer.shutdown(socket.SHUT_RDWR)

    connection = connected(stack, talk, token=TOKEN)
    with pytest.raises(FhirFault) as fault:
        connection.read(f"Patient/{SECRET}")
    text = " ".join(told(fault.value))
    assert SECRET not in text
    assert TOKEN not in text


def test_an_answer_about_another_patient_is_not_taken_for_this_one(stack: ExitStack) -> None:
    wire = answer(b'{"resourceType":"Patient","id":"p2"}')
    connection = connected(stack, lambda peer, _: peer.sendall(wire))
    came = connection.fetch("p1", searches({"Patient"}))[0]
    assert (came.state, came.why) == (Retrieval.NOT_RETRIEVED, Why.WRONG_PATIENT)


def test_no_request_leaves_the_base_whoever_prepares_it(stack: ExitStack) -> None:
    seen: list[bytes] = []
    other = stack.enter_context(listening(lambda _, data: seen.append(data)))
    connection = connected(stack, lambda peer, _: peer.sendall(answer()), token=TOKEN)
    for path in (f"http://{other}/fhir/Patient/p1", f"//{other}/fhir", "../metadata", "/metadata"):
        with pytest.raises(FhirFault) as fault:
            connection.read(path)
        assert fault.value.why is Why.OUTSIDE
    assert seen == []
    assert connection.requests_sent == 0


def test_only_reading_is_possible(stack: ExitStack) -> None:
    connection = connected(stack, lambda peer, _: peer.sendall(answer()))
    with pytest.raises(FhirFault):
        connection._session.post(f"{connection._base}/Patient", data="x", timeout=1)
    with pytest.raises(FhirFault):
        connection._session.delete(f"{connection._base}/Patient/p1", timeout=1)
    assert connection.requests_sent == 0


def simple_server(statuses: dict[str, int], kept: list[str]) -> Flask:
    """Answers searches with these statuses (`Type` or `Type?category`), otherwise empty."""
    app = Flask("simple")

    @app.get("/fhir/<kind>")
    def search(kind: str) -> Response:
        if kind == "metadata":
            rest = [{"mode": "server", "resource": [{"type": one} for one in kept]}]
            return Response(
                app.json.dumps({"resourceType": "CapabilityStatement", "rest": rest}),
                content_type="application/fhir+json",
            )
        asked = f"{kind}?category" if "category" in request.args else kind
        return Response(EMPTY, statuses.get(asked, 200), content_type="application/fhir+json")

    return app


def test_a_type_that_the_capability_statement_does_not_name_is_not_kept_there(
    stack: ExitStack,
) -> None:
    app = simple_server({"MedicationStatement": 404, "Procedure": 404}, ["MedicationRequest"])
    base = f"{stack.enter_context(serving(app))}/fhir"
    wanted = searches({"MedicationStatement", "MedicationRequest", "Procedure"})
    came = fetch_missing(FhirServers([(base, None)]), base, None, "p1", wanted, Deadline.after(5))
    assert {one.covers: one.state for one in came} == {
        "MedicationStatement": Retrieval.NOT_KEPT,
        "MedicationRequest": Retrieval.COMPLETE,
        "Procedure": Retrieval.NOT_RETRIEVED,  # only medication types may be missing
    }


def test_a_type_that_is_kept_but_refused_is_not_retrieved(stack: ExitStack) -> None:
    app = simple_server({"MedicationStatement": 404}, ["MedicationStatement"])
    base = f"{stack.enter_context(serving(app))}/fhir"
    wanted = searches({"MedicationStatement"})
    came = fetch_missing(FhirServers([(base, None)]), base, None, "p1", wanted, Deadline.after(5))
    assert (came[0].state, came[0].why) == (Retrieval.NOT_RETRIEVED, Why.NOT_FOUND)


def test_a_server_without_categories_is_asked_for_all_observations_once(stack: ExitStack) -> None:
    app = simple_server({"Observation?category": 400}, [])
    base = f"{stack.enter_context(serving(app))}/fhir"
    came = fetch_missing(
        FhirServers([(base, None)]),
        base,
        None,
        "p1",
        searches({"Observation", "Condition"}),
        Deadline.after(5),
    )
    assert {one.covers: one.state for one in came} == {
        "Condition": Retrieval.COMPLETE,
        "Observation": Retrieval.COMPLETE,
    }


def test_a_server_that_refuses_both_ways_has_no_observations_for_us(stack: ExitStack) -> None:
    app = simple_server({"Observation?category": 400, "Observation": 400}, [])
    base = f"{stack.enter_context(serving(app))}/fhir"
    came = fetch_missing(
        FhirServers([(base, None)]), base, None, "p1", searches({"Observation"}), Deadline.after(5)
    )
    assert {one.state for one in came} == {Retrieval.NOT_RETRIEVED}
    assert "Observation:laboratory" in {one.covers for one in came}


def test_after_failures_in_a_row_a_server_is_paused_then_tried_once() -> None:
    now = 0.0
    breaker = Breaker(failures=3, pause=30, clock=lambda: now)
    for _ in range(2):
        breaker.failed("a")
    breaker.succeeded("a")
    for _ in range(3):
        assert breaker.allows("a")
        breaker.failed("a")
    assert not breaker.allows("a")
    assert breaker.allows("b")
    now = 31
    assert breaker.allows("a")
    assert not breaker.allows("a")  # one request is let through
    breaker.failed("a")
    now = 60
    assert not breaker.allows("a")
    now = 62
    assert breaker.allows("a")
    breaker.succeeded("a")
    assert breaker.allows("a")


@pytest.mark.parametrize("hangs", [True, False])
def test_medications_that_cannot_be_read_do_not_pause_the_server(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    monkeypatch.setattr("cds.fhir.outbound._FAIR_SECONDS", 0.2)

    def talk(peer: socket.socket, request: bytes) -> None:
        if b"/Medication/" not in request:
            peer.sendall(answer())
        elif not hangs:
            peer.sendall(answer(status="500 Internal Server Error"))

    base = f"http://{stack.enter_context(listening(talk))}/fhir"
    servers = FhirServers([(base, None)])
    drugs = reads_of(f"Medication/m{number}" for number in range(8))
    (came,) = fetch_missing(servers, base, None, "p1", drugs, Deadline.after(0.6))
    assert came.why in {Why.TIMEOUT, Why.DEADLINE, Why.FAILED}
    (came,) = fetch_missing(servers, base, None, "p2", CONDITIONS, Deadline.after(5))
    assert came.state is Retrieval.COMPLETE


@pytest.mark.parametrize(
    ("issue", "left_out"),
    [
        ({"severity": "warning", "code": "not-found"}, False),
        ({"severity": "information", "code": "informational"}, False),
        ({"severity": "warning", "code": "suppressed"}, True),
        ({"severity": "error", "code": "processing"}, True),
        ({"severity": "fatal", "code": "exception"}, True),
        ({}, True),
        ("nonsense", True),
    ],
)
def test_outcomes_among_the_entries_are_read_for_what_was_held_back(
    issue: object, *, left_out: bool
) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    entries = [{"resource": outcome}, None, 3, {}]
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    assert read_page(json.dumps(bundle).encode(), "Condition").left_out is left_out


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"<html>", b'{"resourceType":"Bundle"', b'{"a":' * 5000, b"\xff\xfe"],
)
def test_answers_that_are_no_fhir_are_said_to_be_none(body: bytes) -> None:
    for read in (lambda: read_page(body, "Condition"), lambda: kept_types(body)):
        with pytest.raises(FhirFault, match="no FHIR"):
            read()


CONDITION = {"resourceType": "Condition", "id": "c1"}
NEXT = "http://x/fhir/Condition?page=2"


def condition_answer(**fields: Any) -> dict[str, Any]:
    """An answer of one Condition; `...` leaves a field out."""
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": CONDITION}]}
    return {name: value for name, value in (bundle | fields).items() if value is not ...}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"link": {"relation": "next", "url": NEXT}}, Why.UNCLEAR),
        ({"link": [{"relation": "next"}]}, Why.UNCLEAR),
        ({"link": [{"relation": "next", "url": None}]}, Why.UNCLEAR),
        ({"link": [{"relation": "next", "url": ""}]}, Why.UNCLEAR),
        ({"link": [{"relation": ["next"], "url": NEXT}]}, Why.UNCLEAR),
        ({"link": ["next"]}, Why.UNCLEAR),
        ({"link": 5}, Why.UNCLEAR),
        ({"total": "2"}, Why.UNCLEAR),
        ({"total": "1"}, Why.UNCLEAR),
        ({"total": 2.5}, Why.UNCLEAR),
        ({"total": -1}, Why.UNCLEAR),
        ({"total": 1.0}, Why.UNCLEAR),
        ({"total": True}, Why.UNCLEAR),
        ({"total": [1]}, Why.UNCLEAR),
        ({"entry": [{"resource": {"resourceType": "Observation"}}]}, Why.STRANGE),
        ({"entry": [{"resource": {"resourceType": "Encounter"}}], "total": 1}, Why.STRANGE),
        ({"entry": [{"resource": {"resourceType": "Patient"}}]}, Why.STRANGE),
        (
            {"entry": [{"resource": CONDITION}, {"resource": {"resourceType": "Observation"}}]},
            Why.STRANGE,
        ),
        (
            {
                "entry": [
                    {"resource": CONDITION},
                    {"resource": {"resourceType": "Encounter"}, "search": {"mode": "match"}},
                ]
            },
            Why.STRANGE,
        ),
        ({"entry": [{"resource": CONDITION}, {"resource": {"id": "x"}}]}, Why.STRANGE),
        ({"entry": [], "type": ..., "total": False}, Why.NOT_FHIR),
        ({"entry": [], "type": ..., "total": "0"}, Why.NOT_FHIR),
        ({"entry": [], "type": ..., "total": 1}, Why.NOT_FHIR),
        (
            {
                "entry": [],
                "link": [{"relation": "self", "url": "http://x/fhir/Observation?patient=p1"}],
            },
            Why.STRANGE,
        ),
        (
            {"entry": [], "link": [{"relation": "self", "url": "http://x/Observation/_search"}]},
            Why.STRANGE,
        ),
        ({"entry": ..., "type": "history"}, Why.NOT_FHIR),
        ({"entry": ..., "type": "transaction-response"}, Why.NOT_FHIR),
        ({"entry": ..., "type": "collection"}, Why.NOT_FHIR),
        ({"entry": ..., "type": 5}, Why.NOT_FHIR),
        ({"entry": ..., "type": ...}, Why.NOT_FHIR),
    ],
)
def test_an_answer_that_does_not_show_that_it_is_whole_proves_nothing_absent(
    stack: ExitStack, fields: dict[str, Any], why: Why
) -> None:
    body = json.dumps(condition_answer(**fields)).encode()
    (came,) = connected(stack, lambda peer, _: peer.sendall(answer(body))).fetch("p1", CONDITIONS)
    assert came.state in {Retrieval.CUT_OFF, Retrieval.NOT_RETRIEVED}
    assert came.why is why
    record = record_from_fetched([came], "p1")
    assert record.covered("Condition").state is came.state


def test_a_list_that_came_without_its_bundle_s_type_is_forgiven(stack: ExitStack) -> None:
    body = json.dumps(condition_answer(type=...)).encode()
    (came,) = connected(stack, lambda peer, _: peer.sendall(answer(body))).fetch("p1", CONDITIONS)
    assert came.state is Retrieval.COMPLETE


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"total": 1, "link": None},
        {"total": None, "link": []},
        {"link": [{"relation": "self", "url": "http://x/fhir/Condition/_search?patient=p1"}]},
        {"link": [{"relation": "self"}, {"url": NEXT}]},
        {"entry": ..., "type": ..., "total": 0},
        {"entry": [], "type": ..., "total": 0},
        {
            "entry": [
                {"resource": {"resourceType": "Patient", "id": "p1"}},
                {"resource": CONDITION},
                {"resource": {"resourceType": "Practitioner", "id": "d1"}},
                {"resource": {"resourceType": "Provenance", "id": "v1"}},
                {"resource": {"resourceType": "OperationOutcome", "issue": []}},
            ],
            "total": 1,
        },
        {"link": [{"relation": "self", "url": "http://x/Fhir?_getpages=a"}]},
        {"link": [{"relation": "self", "url": "http://x/Prod"}]},
        {"link": [{"relation": "self", "url": "http://x/fhir/Bundle"}]},
    ],
)
def test_an_answer_without_a_total_or_links_can_be_whole(
    stack: ExitStack, fields: dict[str, Any]
) -> None:
    body = json.dumps(condition_answer(**fields)).encode()
    (came,) = connected(stack, lambda peer, _: peer.sendall(answer(body))).fetch("p1", CONDITIONS)
    assert (came.state, came.why) == (Retrieval.COMPLETE, None)


@pytest.mark.parametrize("odd", [{}, [], 7, None, {"a": [1]}])
def test_types_and_modes_of_any_kind_are_taken_for_strange_ones(odd: object) -> None:
    entries = [{"resource": {"resourceType": odd, "id": odd}, "search": {"mode": odd}}]
    link = [{"relation": "self", "url": odd}]
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries, "link": link}
    assert read_page(json.dumps(bundle).encode(), "Condition").strange
    rest = [{"resource": [{"type": odd}], "interaction": [{"code": odd}]}]
    statement = json.dumps({"resourceType": "CapabilityStatement", "rest": rest}).encode()
    assert kept_types(statement) is None
    assert not takes_batches(statement)


def test_a_search_that_a_caller_repeats_is_sent_once() -> None:
    assert searches(["Condition", "Condition"]) == [Search("Condition", covers="Condition")]


@pytest.mark.parametrize(("seconds", "patience"), [(4, 3), (60, 45)])
def test_one_answer_may_take_three_quarters_of_the_time_of_its_call(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, seconds: float, patience: float
) -> None:
    given: list[tuple[float, float]] = []
    send = PooledAdapter.send

    def noting(self: PooledAdapter, *words: Any, **more: Any) -> requests.Response:
        given.append(more["timeout"])
        return send(self, *words, **more)

    monkeypatch.setattr(PooledAdapter, "send", noting)
    base = stack.enter_context(serving(simple_server({}, [])))
    servers = FhirServers([(f"{base}/fhir", None)])
    came = fetch_missing(servers, f"{base}/fhir", None, "p1", CONDITIONS, Deadline.after(seconds))
    assert came[0].state is Retrieval.COMPLETE
    [(connect, read)] = given
    assert connect <= 2
    assert patience - 0.5 < read <= patience
