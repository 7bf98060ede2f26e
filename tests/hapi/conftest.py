"""A real HAPI FHIR server for these tests, or the one that TRIAL_CDS_TEST_FHIR_BASE names.

Collected only where it is asked for (`make test-hapi`, `pytest tests/hapi`): it needs Java.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
import yaml

from cds.assess import Content, assess, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.assessment import assessment_json
from cds.core.when import Evaluation
from cds.fhir.record import Record, record_from_bundle
from cds.settings import FhirBase, Settings
from cds.web.remote import chart_of, servers_for

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "hapi"
START_SECONDS = 900  # from an empty cache, with everything to download
FHIR_JSON = {"Content-Type": "application/fhir+json"}
# 0.80 must not become 0.8 on the way: its digits are part of a result.
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def in_json(value: object) -> bytes:
    """JSON with all digits of its numbers."""
    return _ENCODER.encode(value)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder out of a run that does not name it."""
    named = any("hapi" in Path(one.partition("::")[0]).parts for one in config.args)
    return None if named or collection_path.name == "conftest.py" else True


@dataclass(frozen=True)
class Hapi:
    """A running server: its base, how its own links name it, and what it would not take."""

    base: str
    alias: str | None
    refused: frozenset[str]
    lines: list[str] = field(default_factory=list)

    def allowed(self) -> FhirBase:
        """The entry of the allow-list."""
        return FhirBase(self.base, self.alias)

    def post(self, bundle: dict[str, Any]) -> dict[str, Any]:
        """Send a transaction; the server's answer."""
        answer = requests.post(self.base, in_json(bundle), headers=FHIR_JSON, timeout=120)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


@dataclass(frozen=True)
class Story:
    """One invented patient: its bundle as JSON, and what story.yaml says."""

    name: str
    bundle: dict[str, Any]
    told: dict[str, Any]

    @property
    def asked(self) -> Evaluation:
        """The day that the story is about."""
        return Evaluation.of(date.fromisoformat(self.told["day"]))

    def as_a_server_gives_it(self, refused: frozenset[str] = frozenset()) -> bytes:
        """The bundle without what no search by patient returns, nor what was never stored."""
        gone = refused.union(self.told.get("not_this_patient", ()))
        entries = [
            entry
            for entry in self.bundle["entry"]
            if f"{entry['resource']['resourceType']}/{entry['resource'].get('id')}" not in gone
        ]
        bundle = {key: value for key, value in self.bundle.items() if key != "total"}
        return in_json(bundle | {"entry": entries})


def _stories() -> list[Story]:
    return [
        Story(
            path.parent.name,
            _DECODER.decode((path.parent / "bundle.json").read_bytes()),
            yaml.safe_load(path.read_bytes()),
        )
        for path in sorted(bundled_fixtures().glob("*/story.yaml"))
    ]


STORIES = {story.name: story for story in _stories()}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `story` runs once for each."""
    if "story" in metafunc.fixturenames:
        metafunc.parametrize("story", STORIES.values(), ids=STORIES)


@pytest.fixture(scope="session")
def stories() -> dict[str, Story]:
    """All stories by name."""
    return STORIES


@pytest.fixture(scope="session")
def content() -> Content:
    """Both trials and all mappings."""
    return load_content([bundled_content()])


def _drain(stream: Iterator[str], into: list[str]) -> None:
    into.extend(stream)


def _own_address(base: str) -> str | None:
    """How the server's links name it, if they name it otherwise than we do."""
    page = requests.get(f"{base}/Observation", params={"_count": "1"}, timeout=60).json()
    link = next(one["url"] for one in page["link"] if one["relation"] == "self")
    named = link.partition("/Observation")[0]
    return None if named == base else named


@pytest.fixture(scope="session")
def hapi() -> Iterator[Hapi]:
    """HAPI with all stories loaded, on the days that they are written for."""
    named = os.environ.get("TRIAL_CDS_TEST_FHIR_BASE", "").rstrip("/")
    if named:
        words = [sys.executable, str(TOOLS / "load.py"), named, "--unshifted"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        yield Hapi(named, _own_address(named), frozenset(told["refused"]))
        return
    words = [sys.executable, str(TOOLS / "start.py"), "--attached", "--load", "--unshifted"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        assert server.stderr
        errors: list[str] = []
        reader = threading.Thread(target=_drain, args=(server.stderr, errors), daemon=True)
        reader.start()
        alarm = threading.Timer(START_SECONDS, server.kill)
        alarm.start()
        try:
            first, second = server.stdout.readline(), server.stdout.readline()
            alarm.cancel()
            assert second, "HAPI did not start: " + "".join(errors)[-3_000:]
            base = first.split()[-1]
            refused = frozenset(json.loads(second)["refused"])
            yield Hapi(base, _own_address(base), refused, errors)
        finally:
            alarm.cancel()
            server.stdin.close()  # the server ends with it
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
            reader.join(5)


Determine = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def determined(content: Content) -> Callable[[Record, Evaluation], dict[str, Any]]:
    """The contract's JSON for a record."""

    def say(record: Record, asked: Evaluation) -> dict[str, Any]:
        return assessment_json(assess(record, content, asked))

    return say


@pytest.fixture(scope="session")
def from_file(determined: Determine) -> Determine:
    """What `evaluate FILE` says of a bundle."""

    def say(bundle: bytes, asked: Evaluation) -> dict[str, Any]:
        return determined(record_from_bundle(bundle), asked)

    return say


@pytest.fixture(scope="session")
def from_server(content: Content, determined: Determine) -> Determine:
    """What `evaluate --fhir` says of a patient."""

    def say(allowed: FhirBase, patient: str, asked: Evaluation, **settings: Any) -> dict[str, Any]:
        chosen = Settings(
            fhir_allow=(allowed,), **{"max_pages": 10_000, "max_requests": 10_000} | settings
        )
        servers = servers_for(chosen, allowed.base)
        record = chart_of(servers, allowed.base, None, patient, content, asked)
        return determined(record, asked)

    return say


@dataclass(frozen=True)
class Service:
    """Our service as a process of its own, with HAPI on its allow-list."""

    url: str
    hapi: Hapi

    def hook(self, patient: str) -> tuple[float, requests.Response]:
        """Fire patient-view without any prefetch; seconds until the answer, and the answer."""
        body = {
            "hook": "patient-view",
            "hookInstance": str(uuid.uuid4()),
            "fhirServer": self.hapi.base,
            "context": {"userId": "Practitioner/p1", "patientId": patient},
        }
        url = f"{self.url}/cds-services/trial-eligibility"
        started = time.monotonic()
        answer = requests.post(url, json=body, timeout=60)
        return time.monotonic() - started, answer


@pytest.fixture(scope="session")
def determined_by() -> Callable[[requests.Response], dict[str, Any]]:
    """Reads the assessments off the cards of an answer."""
    return _determinations


def _determinations(answer: requests.Response) -> dict[str, Any]:
    """Trial → its assessment, of the cards that carry one."""
    assert answer.status_code == requests.codes.ok, answer.text
    found = [card["extension"]["org.trial-cds.assessment"] for card in answer.json()["cards"]]
    return {one["trial"]: one for one in found}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def service(hapi: Hapi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`trial-cds serve` on the stories' usual day, with a card for every trial."""
    port = _free_port()
    store = tmp_path_factory.mktemp("store") / "store.db"
    environment = {
        "TRIAL_CDS_FHIR_ALLOW": f"{hapi.base}={hapi.alias or hapi.base}",
        "TRIAL_CDS_ON": "2026-03-01",
        "TRIAL_CDS_SHOW_ALL": "yes",
        # A busy machine shall not make these answers partial; one test holds the usual four.
        "TRIAL_CDS_DEADLINE_SECONDS": "30",
        "TRIAL_CDS_DATABASE_URL": f"sqlite:///{store}",
        "HOME": str(store.parent),
    }
    words = [sys.executable, "-m", "cds.cli", "serve", "--port", str(port)]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_for(url, process)
            yield Service(url, hapi)
        finally:
            process.terminate()
            process.communicate(timeout=60)


def _wait_for(url: str, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        try:
            requests.get(f"{url}/readyz", timeout=5).raise_for_status()
        except requests.RequestException:
            ended = process.poll() is not None
            assert not ended, f"the service ended: {process.communicate()[1]}"
            time.sleep(0.1)
        else:
            return
    message = "the service does not answer"
    raise TimeoutError(message)
