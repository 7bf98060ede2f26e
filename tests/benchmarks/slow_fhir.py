"""A FHIR server that does nothing but wait: it has one answer for each search, ready as bytes.

    python -m tests.benchmarks.slow_fhir --port 8392 --wait 200

What it costs itself stays small, so that what is measured is the service that waits for it.
"""

from __future__ import annotations

import argparse
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks import patient

_EMPTY = {"resourceType": "Bundle", "type": "searchset", "total": 0}
_STATEMENT = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "kind": "instance",
    "fhirVersion": "4.0.1",
    "format": ["json"],
    "rest": [
        {
            "mode": "server",
            "resource": [
                {"type": kind, "interaction": [{"code": "search-type"}]}
                for kind in (
                    "Patient", "Condition", "Observation", "Procedure", "MedicationRequest",
                    "MedicationStatement", "MedicationAdministration",
                )
            ],
        }
    ],
}  # fmt: skip
_KEYS = {
    "Condition": "conditions",
    "Observation:laboratory": "labs",
    "Observation:vital-signs": "vitals",
    "Observation:exam": "exam",
    "Observation:survey": "survey",
    "Observation:social-history": "social",
    "MedicationRequest": "medreq",
    "MedicationStatement": "medstmt",
    "MedicationAdministration": "medadmin",
    "Procedure": "procedures",
}


def answers() -> dict[str, bytes]:
    """The answer to each search, by type (and category), and to the reading of the Patient."""
    prefetch = patient.request()["prefetch"]
    found: dict[str, Any] = {covers: prefetch[key] for covers, key in _KEYS.items()}
    found |= {"Patient": prefetch["patient"], "metadata": _STATEMENT}
    for one in found.values():
        one.pop("link", None)
    return {
        name: json.dumps(value, separators=(",", ":")).encode() for name, value in found.items()
    }


class Waiting(ThreadingHTTPServer):
    """The server; `wait` are the seconds before each answer."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, wait: float) -> None:
        """Listen on loopback."""
        super().__init__(("127.0.0.1", port), _Handler)
        self.wait = wait
        self.answers = answers()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Waiting

    def do_GET(self) -> None:  # as http.server calls it
        """Wait, then answer."""
        parts = urlsplit(self.path)
        kind = parts.path.removeprefix("/fhir/").partition("/")[0]
        categories = parse_qs(parts.query).get("category", [""])
        name = f"{kind}:{categories[0].rpartition('|')[2]}" if categories[0] else kind
        body = self.server.answers.get(name) or json.dumps(_EMPTY).encode()
        time.sleep(self.server.wait)
        self.send_response(200)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description="Serve one invented chart, slowly.")
    asked.add_argument("--port", type=int, required=True)
    asked.add_argument("--wait", type=float, required=True, help="milliseconds")
    given = asked.parse_args()
    Waiting(given.port, given.wait / 1e3).serve_forever()
