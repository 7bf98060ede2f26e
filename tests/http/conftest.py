"""The real server process, started for the tests, and requests as EHRs send them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests
import yaml

from cds.content.bundled import bundled_fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Json = dict[str, Any]
STORY = "desmoid-anc-cells"
_START_SECONDS = 20.0


@dataclass(frozen=True)
class Served:
    """One running `trial-cds serve`: where it answers, what it logs to, where it stores."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    database: Path

    @property
    def hook(self) -> str:
        """The address of the patient-view service."""
        return f"{self.url}/cds-services/trial-eligibility"

    def fire(self, request: Json, **more: Any) -> requests.Response:
        """Fire the hook."""
        return requests.post(self.hook, json=request, timeout=30, **more)

    def stop(self) -> int:
        """Ask it to end, as an operating system does; gives its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_up(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def start(folder: Path, *words: str, **settings: str) -> Served:
    """Start the service with settings (names without their prefix) and wait until it listens."""
    port = _free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIAL_CDS_")}
    database = folder / "store.db"
    own = {"DATABASE_URL": f"sqlite:///{database}", "WORKERS": "2"} | settings
    log = folder / "log.txt"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "cds.cli", "serve", "--port", str(port), *words],
            env=kept | {f"TRIAL_CDS_{name}": value for name, value in own.items()},
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    ends = time.monotonic() + _START_SECONDS
    while not _is_up(port):
        if process.poll() is not None or time.monotonic() > ends:
            process.kill()
            pytest.fail(f"the service did not start: {log.read_text()}")
        time.sleep(0.05)
    return Served(f"http://127.0.0.1:{port}", process, log, database)


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Starts services that end with the tests."""
    running: list[Served] = []

    def begin(*words: str, **settings: str) -> Served:
        served = start(tmp_path_factory.mktemp("serve"), *words, **settings)
        running.append(served)
        return served

    yield begin
    for served in running:  # how they end in peace is a test of its own
        with suppress(ProcessLookupError):
            os.killpg(served.process.pid, signal.SIGKILL)
        served.process.wait(timeout=10)


def hook_request(patient: str, prefetch: Json | None = None, **more: Any) -> Json:
    """A patient-view request with a new hookInstance."""
    request: Json = {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/example", "patientId": patient},
    }
    if prefetch is not None:
        request["prefetch"] = prefetch
    return request | more


def searchset(*resources: Json) -> Json:
    """A complete answer to a search."""
    entries = [{"resource": resource, "search": {"mode": "match"}} for resource in resources]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return bundle | ({"entry": entries} if entries else {})


@dataclass(frozen=True)
class Story:
    """An invented patient as an EHR would prefetch them."""

    patient: str
    day: str
    prefetch: Json

    def request(self, **changed: Any) -> Json:
        """A request with the chart; a key of prefetch may be changed, or left out by `...`."""
        prefetch = {
            key: value for key, value in (self.prefetch | changed).items() if value is not ...
        }
        return hook_request(self.patient, prefetch)


def read_story(name: str) -> Story:
    """A story of the fixtures, prefetched completely under the keys of discovery."""
    folder = bundled_fixtures() / name
    told = yaml.safe_load((folder / "story.yaml").read_text("utf-8"))
    bundle = json.loads((folder / "bundle.json").read_text("utf-8"))
    every = [entry["resource"] for entry in bundle["entry"]]

    def of(kind: str) -> list[Json]:
        return [resource for resource in every if resource["resourceType"] == kind]

    # Products that entries refer to travel with them, as with _include.
    products = [
        {"resource": product, "search": {"mode": "include"}} for product in of("Medication")
    ]
    drugs = searchset(*of("MedicationStatement"))
    if products:
        drugs["entry"] = [*drugs.get("entry", []), *products]
    # One Bundle of every category under a key of the site's own, or nothing under each of ours.
    asked = f"https://ehr.example.org/r4/Observation?patient={told['patient']}"
    link = [{"relation": "self", "url": asked}]
    observations: Json = {"observations": searchset(*of("Observation")) | {"link": link}}
    if not of("Observation"):
        observations = dict.fromkeys(("labs", "vitals", "exam", "survey", "social"))
    patient = next(p for p in of("Patient") if p["id"] == told["patient"])
    prefetch = {
        "patient": patient,
        "conditions": searchset(*of("Condition")),
        **observations,
        "medreq": searchset(*of("MedicationRequest")),
        "medstmt": drugs,
        "procedures": searchset(*of("Procedure")),
    }
    return Story(told["patient"], str(told["day"]), prefetch)


@pytest.fixture(scope="session")
def story() -> Story:
    """A patient with one of the target diagnoses and a complete chart."""
    return read_story(STORY)


@pytest.fixture(scope="session")
def open_server(serve: Callable[..., Served], story: Story) -> Served:
    """A service without trusted clients, on the day of the story, that shows every trial."""
    return serve(ON=story.day, SHOW_ALL="yes")


@pytest.fixture(scope="session")
def read_any_story() -> Callable[[str], Story]:
    """Reads a story of the fixtures by its folder's name."""
    return read_story
