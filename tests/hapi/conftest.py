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
from importlib.util import module_from_spec, spec_from_file_location
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
from cds.web.fhir_endpoint import Faults, Store, create_fhir_app, load_fixtures, serving
from cds.web.remote import chart_of, servers_for

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "hapi"
START_SECONDS = 900  # from an empty cache, with everything to download
FHIR_JSON = {"Content-Type": "application/fhir+json"}
CHUNK = 500
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


def name_of(resource: dict[str, Any]) -> str:
    """`Type/id`."""
    return f"{resource['resourceType']}/{resource['id']}"


def replaced(value: Any, names: dict[str, str]) -> Any:
    """JSON in which every string that is one of the names is another."""
    text = in_json(value).decode()
    for old, new in names.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    return _DECODER.decode(text)


@dataclass(frozen=True)
class Embedded:
    """Our own small endpoint, which takes itself to be at another address, as HAPI does."""

    base: str
    store: Store
    alias: str | None = "https://fhir.hospital.example/r4"
    refused: frozenset[str] = frozenset()

    def allowed(self) -> FhirBase:
        """The entry of the allow-list."""
        return FhirBase(self.base, self.alias)

    def keep(self, resources: list[dict[str, Any]]) -> None:
        """Put each resource under its own id."""
        for one in resources:
            self.store.put(one)

    def create(self, resources: list[dict[str, Any]]) -> dict[str, str]:
        """Put each resource under a number; names as they were → names as they are now."""
        numbers = {
            name_of(one): f"{one['resourceType']}/{number}"
            for number, one in enumerate(resources, 70_001)
        }
        for one, name in zip(replaced(resources, numbers), numbers.values(), strict=True):
            self.store.put(one | {"id": name.partition("/")[2]})
        return numbers


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

    def _post(self, entries: list[dict[str, Any]]) -> list[str]:
        """Send a transaction; `Type/id` of each entry."""
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        answer = requests.post(self.base, in_json(bundle), headers=FHIR_JSON, timeout=120)
        answer.raise_for_status()
        places = [one["response"]["location"] for one in answer.json()["entry"]]
        names = [place.partition("/_history")[0].split("/")[-2:] for place in places]
        return ["/".join(name) for name in names]

    def keep(self, resources: list[dict[str, Any]]) -> None:
        """Put each resource under its own id."""
        for start in range(0, len(resources), CHUNK):
            self._post(
                [
                    {"resource": one, "request": {"method": "PUT", "url": name_of(one)}}
                    for one in resources[start : start + CHUNK]
                ]
            )

    def create(self, resources: list[dict[str, Any]]) -> dict[str, str]:
        """Have the server choose every id; names as they were → names as they are now."""
        urns = {name_of(one): f"urn:uuid:{number:08d}-0000-4000-8000-{0:012d}"
                for number, one in enumerate(resources)}  # fmt: skip
        entries = [
            {
                "fullUrl": urn,
                "resource": {k: v for k, v in one.items() if k != "id"},
                "request": {"method": "POST", "url": one["resourceType"]},
            }
            for one, urn in zip(replaced(resources, urns), urns.values(), strict=True)
        ]
        return dict(zip(urns, self._post(entries), strict=True))


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
def loading() -> Any:
    """The tool that loads patients into a server."""
    spec = spec_from_file_location("load", TOOLS / "load.py")
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


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


@pytest.fixture(scope="session")
def embedded() -> Iterator[Embedded]:
    """The embedded endpoint over the same stories."""
    store = load_fixtures(bundled_fixtures(), None)
    faults = Faults(alias=Embedded.alias or "")
    with serving(create_fhir_app(store, faults=faults)) as base:
        yield Embedded(base, store)


@pytest.fixture(scope="session", params=["embedded", "hapi"])
def server(request: pytest.FixtureRequest) -> Embedded | Hapi:
    """Each of the two servers in turn."""
    found: Embedded | Hapi = request.getfixturevalue(request.param)
    return found


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

    def hook(self, patient: str, base: str) -> tuple[float, requests.Response]:
        """Fire patient-view without any prefetch; seconds until the answer, and the answer."""
        body = {
            "hook": "patient-view",
            "hookInstance": str(uuid.uuid4()),
            "fhirServer": base,
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
def service(
    hapi: Hapi, embedded: Embedded, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """`trial-cds serve` on the stories' usual day, with a card for every trial."""
    port = _free_port()
    store = tmp_path_factory.mktemp("store") / "store.db"
    environment = {
        "TRIAL_CDS_FHIR_ALLOW": ",".join(
            f"{one.base}={one.alias or one.base}" for one in (hapi, embedded)
        ),
        "TRIAL_CDS_ON": "2026-03-01",
        "TRIAL_CDS_SHOW_ALL": "yes",
        "TRIAL_CDS_RESEARCH_RECORDS": "yes",
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
            yield Service(url)
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
