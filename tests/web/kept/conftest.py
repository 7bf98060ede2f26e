"""A service with a store of its own, and requests with an invented patient's chart."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from cds.assess import Content, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.settings import load_settings
from cds.store.calls import Call, find_calls
from cds.web.app import create_app, store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from werkzeug.test import TestResponse

Json = dict[str, Any]
DAY = date(2026, 3, 1)
HOOK = "/cds-services/trial-eligibility"
KEYS = {
    "Condition": "conditions",
    "Observation": "observations",
    "MedicationRequest": "medreq",
    "MedicationStatement": "medstmt",
    "Procedure": "procedures",
}


@pytest.fixture(scope="session")
def content() -> Content:
    """Both trials and all mappings."""
    return load_content([bundled_content()])


def chart_of(story: str) -> Json:
    """The prefetch of an invented patient."""
    bundle = json.loads((bundled_fixtures() / story / "bundle.json").read_text("utf-8"))
    every = [entry["resource"] for entry in bundle["entry"]]
    found: Json = {"patient": next(one for one in every if one["resourceType"] == "Patient")}
    for kind, key in KEYS.items():
        of = [{"resource": one} for one in every if one["resourceType"] == kind]
        found[key] = {"resourceType": "Bundle", "type": "searchset", "total": len(of)}
        found[key] |= {"entry": of} if of else {}
    return found


@pytest.fixture(scope="session")
def chart() -> Callable[[str], Json]:
    """Gives the prefetch of an invented patient."""
    return chart_of


@dataclass
class Service:
    """The application, and where its store is."""

    app: Flask
    database: str

    def fire(self, story: str = "desmoid-ready", **more: Any) -> TestResponse:
        """Fire the hook with a whole chart; keys of `prefetch` may be replaced."""
        prefetch = chart_of(story) | more.pop("prefetch", {})
        request = {
            "hook": "patient-view",
            "hookInstance": str(uuid.uuid4()),
            "context": {"userId": "Practitioner/a", "patientId": prefetch["patient"]["id"]},
            "prefetch": prefetch,
        }
        return self.app.test_client().post(HOOK, json=request | more)

    def cards(self, story: str = "desmoid-ready", **more: Any) -> list[Json]:
        """The cards for a whole chart."""
        answer = self.fire(story, **more)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        cards: list[Json] = answer.get_json()["cards"]
        return cards

    def say(self, card: Json, outcome: str, *reasons: str, at: str = "09:30:00") -> None:
        """Send feedback about a card."""
        entry: Json = {
            "card": card["uuid"],
            "outcome": outcome,
            "outcomeTimestamp": f"2026-03-01T{at}Z",
        }
        if outcome == "accepted":
            entry["acceptedSuggestions"] = [{"id": "s1"}]
        if reasons:
            entry["overrideReasons"] = [{"reason": {"code": code}} for code in reasons]
        answer = self.app.test_client().post(f"{HOOK}/feedback", json={"feedback": [entry]})
        assert answer.status_code == 200

    def call(self, answer: TestResponse) -> Call:
        """What was kept of a call."""
        (found,) = find_calls(store_of(self.app), answer.headers["Trial-CDS-Decision"])
        return found


@pytest.fixture
def service(content: Content, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Makes services over one store; `more` are settings."""
    made: list[Service] = []

    def make(day: date = DAY, **more: Any) -> Service:
        url = more.pop("database_url", f"sqlite:///{tmp_path / 'store.db'}")
        settings = replace(load_settings({}), database_url=url, **more)
        one = Service(create_app(settings, content, lambda: day), url)
        made.append(one)
        return one

    yield make
    for one in made:
        store_of(one.app).close()
