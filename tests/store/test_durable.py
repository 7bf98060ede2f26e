"""What was answered 200 is in the store, whatever becomes of the process that answered."""

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
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests
from sqlalchemy import select

from cds.content.bundled import bundled_fixtures
from cds.store.calls import find_calls
from cds.store.database import Store
from cds.store.tables import feedback

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = "2026-03-01"
STORY = "desmoid-ready"


@pytest.fixture
def server(url: str, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The service over the store, with two workers: the address of its hook, and its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIAL_CDS_")}
    own = {
        "TRIAL_CDS_DATABASE_URL": url,
        "TRIAL_CDS_ON": DAY,
        "TRIAL_CDS_NOT_NOW_DAYS": "0",
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "cds.cli", "serve", "--port", str(port)],
        env=kept | own,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        with suppress(requests.ConnectionError):
            if requests.get(f"{address}/readyz", timeout=5).ok:
                break
        time.sleep(0.1)
    yield f"{address}/cds-services/trial-eligibility", process.pid
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


def request(patient: str) -> dict[str, Any]:
    bundle = json.loads((bundled_fixtures() / STORY / "bundle.json").read_text("utf-8"))
    every = [entry["resource"] for entry in bundle["entry"]]
    conditions = [one for one in every if one["resourceType"] == "Condition"]
    for one in conditions:
        one["subject"] = {"reference": f"Patient/{patient}"}
    entries = [{"resource": one} for one in conditions]
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/a", "patientId": patient},
        "prefetch": {
            "patient": next(one for one in every if one["resourceType"] == "Patient")
            | {"id": patient},
            "conditions": {"resourceType": "Bundle", "type": "searchset", "entry": entries},
        },
    }


def test_decisions_and_feedback_survive_the_sudden_end_of_the_workers_that_took_them(
    server: tuple[str, int], url: str
) -> None:
    hook, process = server
    calls: list[str] = []
    cards: list[str] = []
    for round_ in range(2):
        for number in range(5):
            answer = requests.post(hook, json=request(f"p{round_}-{number}"), timeout=30)
            assert answer.status_code == 200
            calls.append(answer.headers["Trial-CDS-Decision"])
            (card,) = answer.json()["cards"]
            said = {
                "card": card["uuid"],
                "outcome": "overridden",
                "outcomeTimestamp": f"{DAY}T09:30:00Z",
            }
            told = requests.post(f"{hook}/feedback", json={"feedback": [said]}, timeout=30)
            assert told.status_code == 200
            cards.append(card["uuid"])
        for worker in psutil.Process(process).children():
            worker.kill()
        _until_it_answers(hook)
    store = Store(url)
    assert [len(found.decided) for name in calls for found in find_calls(store, name)] == [2] * 10
    with store.read() as connection:
        kept = connection.execute(select(feedback.c.card, feedback.c.trials)).all()
    store.close()
    assert sorted(row.card for row in kept) == sorted(cards)
    assert all(row.trials == ["NCT05490667"] for row in kept)


def _until_it_answers(hook: str) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        with suppress(requests.ConnectionError):
            requests.post(hook, json=request("p"), timeout=30)
            return
        time.sleep(0.1)
