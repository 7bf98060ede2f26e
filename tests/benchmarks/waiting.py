"""Waiting well, and which server: the service before a FHIR server that takes its time.

Two mixes: calls that bring the whole chart, and calls that bring none, so that everything is
fetched. While the second kind waits, calls of the first kind are timed one after the other: they
must not queue behind it.
"""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks import patient
from tests.benchmarks.servers import HOOK, Server, free_port, running, service, wrk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CORES = 2
_WAITS = (50, 200, 1000)
_THREADS = (8, 16, 32)
_SECONDS = 5.0


class Waited(NamedTuple):
    """One line: calls that fetch, and calls beside them that do not."""

    rate: float
    p50: float
    p99: float
    refused: str
    busy: float
    beside_p50: float
    beside_p99: float


def bare_request(base: str) -> bytes:
    """A hook call without prefetch."""
    made = patient.request()
    return json.dumps({**made, "prefetch": {}, "fhirServer": base}).encode()


@contextmanager
def slow_fhir(milliseconds: int) -> Iterator[str]:
    """A FHIR server that answers each request after so long; its base."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.slow_fhir"]
    command += ["--port", str(port), "--wait", str(milliseconds)]
    with running(command, port):
        yield f"http://127.0.0.1:{port}/fhir"


def measured(server: Server, base: str, *, connections: int) -> Waited:
    """Load with fetching calls; one client beside them sends the whole chart each time."""
    whole, bare = patient.body(), bare_request(base)
    server.post([bare, whole], 4)
    beside: list[float] = []
    over = threading.Event()
    client = threading.Thread(target=_beside, args=(server, whole, over, beside))
    before, began = server.cpu(), time.monotonic()
    client.start()
    load = wrk(server, [bare], connections=connections, seconds=_SECONDS)
    over.set()
    client.join()
    busy = (server.cpu() - before) / (time.monotonic() - began) / _CORES
    beside.sort()
    return Waited(
        load.rate,
        load.p50,
        load.p99,
        load.errors or "none",
        busy * 100,
        beside[len(beside) // 2],
        beside[-1 - len(beside) // 100],
    )


def _beside(server: Server, body: bytes, over: threading.Event, times: list[float]) -> None:
    """Call after call with a tenth of a second between them; milliseconds of each answered one."""
    while not over.is_set() or not times:
        began = time.monotonic()
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        client.request("POST", HOOK, body, {"Content-Type": "application/json"})
        response = client.getresponse()
        response.read()
        client.close()
        took = (time.monotonic() - began) * 1e3
        times.append(took if response.status == 200 else float("inf"))
        time.sleep(0.1)


_HEAD = "fetching calls/s | p50 ms | p99 ms | refused | CPU busy % | beside: p50 ms | p99 ms |"
_RULE = " --- |" * 7


def _cells(one: Waited) -> str:
    return (
        f"{one.rate:.1f} | {one.p50:.0f} | {one.p99:.0f} | {one.refused} | {one.busy:.0f} "
        f"| {one.beside_p50:.0f} | {one.beside_p99:.0f} |"
    )


def waiting(waits: Sequence[int] = _WAITS, threads: Sequence[int] = _THREADS) -> Iterator[str]:
    """The table of threads: 32 calls at a time, all of which fetch, and one beside them."""
    yield f"| FHIR server answers in | workers × threads | {_HEAD}"
    yield f"| --- | --- |{_RULE}"
    for milliseconds in waits:
        with slow_fhir(milliseconds) as base:
            for number in threads:
                with service(workers=2, threads=number, FHIR_ALLOW=base) as server:
                    one = measured(server, base, connections=32)
                yield f"| {milliseconds} ms | 2 × {number} | {_cells(one)}"


_GUNICORN = ["-m", "gunicorn", "tests.benchmarks.wsgi:app", "--preload", "--workers", "2"]
SERVERS = {
    "gunicorn sync, 2": [*_GUNICORN, "--worker-class", "sync"],
    "gunicorn gthread, 2 × 32": [*_GUNICORN, "--worker-class", "gthread", "--threads", "32"],
    "granian, 2 × 1": ["granian", "1"],
    "granian, 2 × 32": ["granian", "32"],
}


@contextmanager
def _under(name: str, base: str) -> Iterator[Server]:
    """The service as plain WSGI under a server of this name."""
    port = free_port()
    command = [sys.executable, *SERVERS[name], "--bind", f"127.0.0.1:{port}"]
    if SERVERS[name][0] == "granian":
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--workers", "2", "--no-ws", "--log-level", "warning"]
        command += ["--blocking-threads", SERVERS[name][1], "--backpressure", "64"]
        command += ["tests.benchmarks.wsgi:app"]
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "TRIAL_CDS_ON": "2026-03-01",
            "TRIAL_CDS_DATABASE_URL": f"sqlite:///{folder}/store.db",
            "TRIAL_CDS_THREADS": "64",
            "TRIAL_CDS_FHIR_ALLOW": base,
        }
        with running(command, port, **settings) as server:
            yield server


def servers() -> Iterator[str]:
    """The table of servers: calls with the whole chart, then calls that fetch it."""
    yield f"| server | whole charts/s | p50 ms | p99 ms | CPU ms a call | {_HEAD}"
    yield f"| --- | --- | --- | --- | --- |{_RULE}"
    bodies = patient.bodies(8)
    with slow_fhir(200) as base:
        for name in SERVERS:
            with _under(name, base) as server:
                server.post(bodies, 30)
                load = wrk(server, bodies, connections=16, seconds=_SECONDS)
                one = measured(server, base, connections=32)
            first = f"{load.rate:.0f} | {load.p50:.0f} | {load.p99:.0f} | {load.cpu:.1f}"
            yield f"| {name} | {first} | {_cells(one)}"
        with service(workers=2, threads=32, FHIR_ALLOW=base) as server:
            server.post(bodies, 30)
            load = wrk(server, bodies, connections=16, seconds=_SECONDS)
            one = measured(server, base, connections=32)
        first = f"{load.rate:.0f} | {load.p50:.0f} | {load.p99:.0f} | {load.cpu:.1f}"
        yield f"| trial-cds serve, 2 × 32 | {first} | {_cells(one)}"
