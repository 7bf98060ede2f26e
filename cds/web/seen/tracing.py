"""Traces of hook calls by OpenTelemetry: how long fetching, judging and writing cards took.

Off unless the extra `opentelemetry` is installed and OTEL_EXPORTER_OTLP_ENDPOINT names a collector.
A span holds the keys of ATTRIBUTES and nothing else: no text of an error, no address that was
called, nothing of a chart. OpenTelemetry's own variables (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER …)
hold as everywhere.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import cds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
ATTRIBUTES: Mapping[str, type] = {
    "hook_instance": str,
    "call": str,
    "status": int,
    "cards": int,
    "trials": int,
    "rounds": int,
}
"""`rounds`: how often a FHIR server was asked, each time for several things at once."""

_SERVICE = "trial-cds"


class Tracing:
    """Makes spans, in a process of its own: its sender is a thread, which a fork would lose."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._pid: int | None = None
        self._tracer: Any = None

    def tracer(self) -> Any:  # noqa: ANN401 - OpenTelemetry's, where it is installed
        """The tracer of this process; None where nothing is traced."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._tracer = _tracer() if os.environ.get(ENDPOINT) else None
        return self._tracer


_tracing = Tracing()


def load_tracing() -> bool:
    """Import what tracing needs, before worker processes are forked; whether anything is traced."""
    return bool(os.environ.get(ENDPOINT)) and is_installed()


def start_tracing() -> None:
    """Get ready in this process, so that its first call need not."""
    _tracing.tracer()


def is_installed() -> bool:
    """Whether the extra is there."""
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: PLC0415 - an extra
        import opentelemetry.sdk.trace.export  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def _tracer() -> Any:  # noqa: ANN401 - see above
    if not is_installed():
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    named = {"service.name": os.environ.get("OTEL_SERVICE_NAME", _SERVICE)}
    known = {**named, "service.version": cds.__version__}
    provider = TracerProvider(resource=Resource.create(known))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer(_SERVICE, cds.__version__)


class Span:
    """A span that takes listed attributes only; without tracing it takes and does nothing."""

    def __init__(self, span: Any = None) -> None:  # noqa: ANN401 - OpenTelemetry's
        """Hold a span of OpenTelemetry, or none."""
        self._span = span

    def note(self, **known: str | int) -> None:
        """Add attributes; what is not listed, or of another type, is dropped."""
        if self._span is None:
            return
        for key, value in known.items():
            if type(value) is ATTRIBUTES.get(key):
                self._span.set_attribute(key, value)


_NONE = nullcontext(Span())


def span(name: str) -> AbstractContextManager[Span]:
    """The time until the context ends, under a fixed name; an error is marked, never quoted."""
    tracer = _tracing.tracer()
    return _NONE if tracer is None else _started(tracer, name)


@contextmanager
def _started(tracer: Any, name: str) -> Iterator[Span]:  # noqa: ANN401 - OpenTelemetry's
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - an extra

    with tracer.start_as_current_span(
        name, record_exception=False, set_status_on_exception=False
    ) as started:
        try:
            yield Span(started)
        except BaseException:
            started.set_status(Status(StatusCode.ERROR))
            raise
