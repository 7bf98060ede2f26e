"""Traces: sent to a collector by the running service, with listed attributes, or not at all."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cds.web.seen import tracing

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = "Marker-of-a-chart"


class Collector(BaseHTTPRequestHandler):
    """Takes traces as an OpenTelemetry collector does over HTTP."""

    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        """Keep what came, unpacked."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.received.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bytes]]]:
    received: list[tuple[str, bytes]] = []
    handler = type("Handler", (Collector,), {"received": received})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(tracing.ENDPOINT, f"http://127.0.0.1:{server.server_port}")
    own = tracing.Tracing()
    monkeypatch.setattr(tracing, "_tracing", own)
    yield received
    if own._tracer is not None:
        own._tracer.span_processor.shutdown()
    server.shutdown()
    thread.join()
    server.server_close()


def spans(received: list[tuple[str, bytes]]) -> list[Any]:
    assert {path for path, _ in received} <= {"/v1/traces"}
    return [
        span
        for _, body in received
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_spans_reach_the_collector_with_listed_attributes_and_no_others(
    collector: list[tuple[str, bytes]],
) -> None:
    with tracing.span("hook") as whole:
        whole.note(cards=1, hook_instance="d1577c69-dfbe-44ad-ba6d-3e05e953b2ea")
        whole.note(patient=MARKER, cards=MARKER, status=True)
        with tracing.span("fetch"):
            pass
    tracing._tracing.tracer().span_processor.force_flush()
    fetch, hook = spans(collector)
    assert (fetch.name, hook.name) == ("fetch", "hook")
    assert fetch.parent_span_id == hook.span_id
    assert {one.key for one in hook.attributes} == {"cards", "hook_instance"}
    assert not any(MARKER.encode() in body for _, body in collector)


def test_an_error_is_marked_and_not_quoted(collector: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ValueError, match=MARKER), tracing.span("evaluate"):
        raise ValueError(MARKER)
    tracing._tracing.tracer().span_processor.force_flush()
    (one,) = spans(collector)
    assert one.status.code == 2
    assert not one.events
    assert not any(MARKER.encode() in body for _, body in collector)


def test_nothing_is_traced_without_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracing.ENDPOINT, raising=False)
    monkeypatch.setattr(tracing, "_tracing", tracing.Tracing())
    with tracing.span("hook") as one:
        one.note(cards=1)
    assert tracing._tracing.tracer() is None


def test_nothing_is_traced_and_nothing_breaks_without_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(tracing.ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setattr(tracing, "is_installed", lambda: False)
    monkeypatch.setattr(tracing, "_tracing", tracing.Tracing())
    with tracing.span("hook"):
        pass
    assert tracing._tracing.tracer() is None
