"""Minutes of load on the running service while its FHIR server fails and its workers are killed.

Callers fire the hook, with whole charts and with charts that must be fetched, and answer each card
with feedback. Now and then a worker process gets kill -9. At the end the service is stopped and the
store is counted: every feedback and every decision whose request was answered 200 must be there,
whole and once.

    python tools/load.py --minutes 10
    python tools/load.py --minutes 10 --store postgresql
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import requests
from sqlalchemy import func, select

from cds.content.bundled import bundled_fixtures
from cds.store.database import Store
from cds.store.tables import calls, decisions, feedback
from cds.web.fhir_endpoint import Faults, create_fhir_app, endpoint_of, load_fixtures, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

Json = dict[str, Any]
STORY = "desmoid-anc-cells"
DAY = "2026-03-01"
FAULTS = (
    Faults(),
    Faults(slow_types={"Observation": 5.0}),
    Faults(dead="closed"),
    Faults(dead="error"),
    Faults(forbidden_types=frozenset({"MedicationRequest"})),
    Faults(busy=429, retry_after=1),
    Faults(looping_next=True),
    Faults(html=True),
    Faults(cut_body=True),
)
KEYS = {
    "Condition": "conditions",
    "Observation": "observations",
    "MedicationRequest": "medreq",
    "MedicationStatement": "medstmt",
    "Procedure": "procedures",
}
OK = 200
TRIALS = 2


class Caller(threading.Thread):
    """One EHR session after another, until the time is over."""

    numbers = itertools.count()

    def __init__(self, hook: str, fhir: str, chart: Json, ends: float, pause: float) -> None:
        """`chart` is the prefetch of an invented patient; `pause` seconds pass between two."""
        super().__init__()
        self._hook = hook
        self._fhir = fhir
        self._text = json.dumps(chart)
        self._patient = chart["patient"]["id"]
        self._ends = ends
        self._pause = pause
        self._session = requests.Session()
        self.statuses: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.decided: list[str] = []
        self.said: list[str] = []

    def run(self) -> None:
        """Call and answer; whatever fails is counted and called again."""
        while time.monotonic() < self._ends:
            time.sleep(self._pause)
            began = time.perf_counter()
            answer = self._post("hook", self._hook, self._request())
            if answer is None:
                continue
            self.seconds.append(time.perf_counter() - began)
            self.decided.append(answer.headers["Trial-CDS-Decision"])
            for card in answer.json()["cards"]:
                self._answer(card)

    def _request(self) -> Json:
        number = next(self.numbers)
        request: Json = {
            "hook": "patient-view",
            "hookInstance": str(uuid.uuid4()),
            "context": {"userId": "Practitioner/load"},
        }
        if number % 4 == 0:  # the chart must be fetched, from a server that fails
            request["context"]["patientId"] = self._patient
            return request | {"fhirServer": self._fhir}
        patient = f"{self._patient}-{number}"
        request["context"]["patientId"] = patient
        old, new = f'Patient/{self._patient}"', f'Patient/{patient}"'
        prefetch = json.loads(self._text.replace(old, new))
        prefetch["patient"]["id"] = patient
        return request | {"prefetch": prefetch}

    def _answer(self, card: Json) -> None:
        name = f"load-{next(self.numbers)}"
        entry: Json = {
            "card": card["uuid"],
            "outcome": random.choice(("accepted", "overridden")),  # noqa: S311 - no secret
            "outcomeTimestamp": datetime.fromtimestamp(time.time(), UTC).isoformat(),
            "acceptedSuggestions": [{"id": name}],
            "overrideReasons": [{"reason": {"code": name}}],
        }
        for _ in range(5):  # as a client does that was not told that it was taken
            if self._post("feedback", f"{self._hook}/feedback", {"feedback": [entry]}) is not None:
                self.said.append(name)
                return

    def _post(self, what: str, url: str, body: Json) -> requests.Response | None:
        """The answer, where it is 200."""
        try:
            answer = self._session.post(url, json=body, timeout=30)
        except requests.RequestException as problem:
            self.statuses[f"{what} {type(problem).__name__}"] += 1
            return None
        self.statuses[f"{what} {answer.status_code}"] += 1
        if answer.status_code == OK:
            return answer
        time.sleep(float(answer.headers.get("Retry-After", 0)) / 4)
        return None


def prefetched() -> Json:
    """The whole chart of an invented patient, as an EHR prefetches it."""
    bundle = json.loads((bundled_fixtures() / STORY / "bundle.json").read_text("utf-8"))
    every = [entry["resource"] for entry in bundle["entry"]]
    found: Json = {"patient": next(one for one in every if one["resourceType"] == "Patient")}
    for kind, key in KEYS.items():
        of = [{"resource": one} for one in every if one["resourceType"] == kind]
        found[key] = {"resourceType": "Bundle", "type": "searchset", "total": len(of)}
        found[key] |= {"entry": of} if of else {}
    return found


@contextmanager
def store(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty store; PostgreSQL is started for it."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'store.db'}"
        return
    program = [sys.executable, str(Path(__file__).with_name("postgresql.py"))]
    server = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert server.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        yield server.stdout.readline().decode().strip()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=90)


@contextmanager
def service(url: str, fhir: str, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The service as it is shipped; gives the address of its hook, and its first process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {
        "TRIAL_CDS_DATABASE_URL": url,
        "TRIAL_CDS_FHIR_ALLOW": fhir,
        "TRIAL_CDS_ON": DAY,
        "TRIAL_CDS_DEADLINE_SECONDS": "2",
        "XDG_DATA_HOME": str(folder),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cds.cli", "serve", "--port", str(port)],
            env=os.environ | own,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        with suppress(requests.ConnectionError):
            if requests.get(f"{address}/readyz", timeout=5).ok:
                break
        time.sleep(0.1)
    try:
        yield f"{address}/cds-services/trial-eligibility", psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def trouble(first: psutil.Process, app: Flask, ends: float, every: float) -> int:
    """Change the FHIR server's fault and kill one worker, again and again; gives how many."""
    killed = 0
    while time.monotonic() + every < ends:
        time.sleep(every)
        endpoint_of(app).faults = random.choice(FAULTS)  # noqa: S311 - no secret
        workers = first.children()
        if workers:
            with suppress(psutil.NoSuchProcess):
                random.choice(workers).kill()  # noqa: S311 - no secret
                killed += 1
    time.sleep(max(0.0, ends - time.monotonic()))
    return killed


def counted(url: str, callers: list[Caller]) -> bool:
    """Print what was answered 200 and what the store holds; whether nothing is missing."""
    said = [name for one in callers for name in one.said]
    decided = [name for one in callers for name in one.decided]
    kept = Store(url)
    with kept.read() as connection:
        stored = Counter(
            reason["code"]
            for row in connection.execute(select(feedback.c.reasons))
            for reason in row.reasons
        )
        by_call = select(decisions.c.call, func.count().label("n")).group_by(decisions.c.call)
        whole = {row.call for row in connection.execute(by_call) if row.n == TRIALS}
        rows = connection.scalar(select(func.count()).select_from(calls))
    kept.close()
    lost = [name for name in said if name not in stored]
    twice = [name for name, count in stored.items() if count > 1]
    gone = [name for name in decided if name not in whole]
    print(f"feedback answered 200: {len(said)}; in the store: {sum(stored.values())}; "
          f"lost: {len(lost)}; twice: {len(twice)}")  # fmt: skip
    print(f"hook calls answered 200: {len(decided)}; calls in the store: {rows}; "
          f"lost or not whole: {len(gone)}")  # fmt: skip
    return not lost and not twice and not gone


def main() -> None:
    """Read the arguments, load, and count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--callers", type=int, default=6)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two calls")
    parser.add_argument("--every", type=float, default=5.0, help="seconds from kill to kill")
    chosen = parser.parse_args()
    app = create_fhir_app(load_fixtures(bundled_fixtures(), None))
    with (
        tempfile.TemporaryDirectory(prefix="trial-cds-load-") as name,
        store(chosen.store, Path(name)) as url,
        serving(app) as fhir,
    ):
        with service(url, fhir, Path(name)) as (hook, first):
            ends = time.monotonic() + chosen.minutes * 60
            chart = prefetched()
            callers = [Caller(hook, fhir, chart, ends, chosen.pause) for _ in range(chosen.callers)]
            for one in callers:
                one.start()
            killed = trouble(first, app, ends, chosen.every)
            for one in callers:
                one.join()
        print(f"{chosen.store}, {chosen.minutes:g} minutes, {chosen.callers} callers, "
              f"{killed} workers killed")  # fmt: skip
        total = sum((one.statuses for one in callers), Counter[str]())
        print("; ".join(f"{status}: {count}" for status, count in sorted(total.items())))
        seconds = sorted(took for one in callers for took in one.seconds)
        last = seconds[int(len(seconds) * 0.99)]
        print(f"seconds to a 200: p50 {statistics.median(seconds):.3f}, p99 {last:.3f}")
        sound = counted(url, callers)
    raise SystemExit(0 if sound else 1)


if __name__ == "__main__":
    main()
