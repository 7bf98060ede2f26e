"""Launches through the real server: several processes, and nothing in the memory of one of them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
import requests

from cds.content.bundled import bundled_fixtures
from cds.web.fhir_endpoint import load_fixtures, serving
from cds.web.smart_endpoint import Authorizing, Registered, create_smart_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Protocol

    class Served(Protocol):
        """A running service."""

        url: str
        log: Path
        database: Path


PATIENTS = ("desmoid-clarithromycin", "desmoid-ready", "rms-ready", "two-trials")


@pytest.fixture(scope="module")
def ehr() -> Iterator[tuple[str, Authorizing]]:
    """The EHR that launches: its root, and what it knows."""
    authorizing = Authorizing(Registered("trial-cds", "registered below"))
    store = load_fixtures(bundled_fixtures(), None)
    with serving(create_smart_app(store, authorizing, "unused")) as root:
        yield root, authorizing


@pytest.fixture(scope="module")
def service(
    serve: Callable[..., Served],
    ehr: tuple[str, Authorizing],
    tmp_path_factory: pytest.TempPathFactory,
) -> Served:
    """A service of four processes."""
    root, authorizing = ehr
    file: Path = tmp_path_factory.mktemp("launch") / "launch.yaml"
    file.write_text(f"ehrs:\n- iss: {root}/fhir\n  client_id: trial-cds\n", "utf-8")
    served = serve(LAUNCH=str(file), ON="2026-03-01", WORKERS="4")
    authorizing.registered = Registered("trial-cds", f"{served.url}/launch/callback")
    return served


class Browser:
    """Cookies as a browser keeps them; on loopback it sends Secure ones without TLS too."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def get(self, address: str) -> requests.Response:
        """The answer of a fresh connection, which any process may take."""
        cookies = "; ".join(f"{name}={value}" for name, value in self._kept.items())
        answer = requests.get(
            address,
            headers={"Cookie": cookies, "Connection": "close"},
            allow_redirects=False,
            timeout=30,
        )
        for name, value in answer.cookies.items():
            self._kept[name] = value or ""
        return answer


def page_after_launch(service: Served, ehr: tuple[str, Authorizing], patient: str) -> str:
    """What stands on the page after a launch in a browser of its own."""
    root, authorizing = ehr
    browser = Browser()
    asked = urlencode({"iss": f"{root}/fhir", "launch": authorizing.launch(patient)})
    left = browser.get(f"{service.url}/launch?{asked}")
    assert left.status_code == 302, left.text
    back = requests.get(left.headers["Location"], allow_redirects=False, timeout=30)
    arrived = browser.get(back.headers["Location"])
    assert arrived.status_code == 303, arrived.text
    pages = [browser.get(arrived.headers["Location"]) for _ in range(4)]
    assert [page.status_code for page in pages] == [200] * 4
    return pages[0].text


def test_many_launches_at_the_same_time_each_get_their_own_patient(
    service: Served, ehr: tuple[str, Authorizing]
) -> None:
    patients = PATIENTS * 3
    with ThreadPoolExecutor(4) as pool:
        pages = pool.map(lambda one: page_after_launch(service, ehr, one), patients)
        for patient, page in zip(patients, pages, strict=True):
            assert set(re.findall(r"<code>Patient/([^<]+)</code>", page)) == {patient}


def test_launches_that_worked_and_that_failed_leave_nothing_of_anybody_behind(
    service: Served, ehr: tuple[str, Authorizing]
) -> None:
    root, authorizing = ehr
    page_after_launch(service, ehr, PATIENTS[0])
    secrets = ["Ada Example", *authorizing.tokens, *authorizing.codes]
    secrets += [f"Patient/{patient}" for patient in PATIENTS]
    browser = Browser()
    for query in (
        {"iss": "https://evil.example/r4", "launch": "rms-ready"},
        {"iss": f"{root}/fhir", "launch": ""},
    ):
        assert browser.get(f"{service.url}/launch?{urlencode(query)}").status_code in {400, 403}
    made_up = urlencode({"state": "rms-ready", "code": "two-trials", "error": "desmoid-ready"})
    assert browser.get(f"{service.url}/launch/callback?{made_up}").status_code == 400
    seen = {
        "log": service.log.read_text("utf-8"),
        "metrics": requests.get(f"{service.url}/metrics", timeout=10).text,
        "store": b"".join(
            file.read_bytes() for file in service.database.parent.glob("store.db*")
        ).decode("latin-1"),
    }
    assert "iss-not-listed" in seen["log"]
    assert "/launch/callback" in seen["metrics"]
    for place, text in seen.items():
        assert not [secret for secret in secrets if secret in text], place
    # Decision records name entries, whose ids begin with the patient in these charts.
    for place in ("log", "metrics"):
        assert not [patient for patient in PATIENTS if patient in seen[place]], place
