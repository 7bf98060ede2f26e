"""Run the service against a FHIR server that disappoints, and under too much load; print figures.

For each fault: calls that prefetch only Patient and Conditions, so that the rest is asked of the
FHIR server. Then whole charts, first as many at a time as can be answered, then four times as many.

    python tools/faults.py --calls 40 --at-once 4
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from cds.content.bundled import bundled_fixtures
from cds.web.fhir_endpoint import Faults, create_fhir_app, endpoint_of, load_fixtures, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
STORY = "desmoid-anc-cells"
DAY = "2026-03-01"
FAULTS = {
    "none": Faults(),
    "slow (5 s)": Faults(slow=5.0),
    "slow Observations (5 s)": Faults(slow_types={"Observation": 5.0}),
    "dead": Faults(dead="closed"),
    "500": Faults(dead="error"),
    "half-dead (403 medication)": Faults(
        forbidden_types=frozenset({"MedicationRequest", "MedicationStatement"})
    ),
    "429": Faults(busy=429),
    "looping pages": Faults(looping_next=True),
    "endless pages": Faults(endless=True),
    "redirecting": Faults(redirect_to="http://127.0.0.1:9"),
    "another patient's entries": Faults(other_patient=True),
    "50 MB": Faults(huge_body=50_000_000),
    "50 MB packed": Faults(gzip_bomb=50_000_000),
}


def chart() -> tuple[str, dict[str, Json]]:
    """One invented patient: id, and resources by type as searches answer them."""
    bundle = json.loads((bundled_fixtures() / STORY / "bundle.json").read_text("utf-8"))
    resources = [entry["resource"] for entry in bundle["entry"]]
    kinds = {one["resourceType"] for one in resources} | {"Procedure", "MedicationStatement"}
    found: dict[str, Json] = {}
    for kind in kinds - {"Patient"}:
        entries = [{"resource": one} for one in resources if one["resourceType"] == kind]
        found[kind] = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
        found[kind] |= {"entry": entries} if entries else {}
    patient = next(one for one in resources if one["resourceType"] == "Patient")
    found["Patient"] = patient
    return patient["id"], found


KEYS = {"MedicationRequest": "medreq", "MedicationStatement": "medstmt", "Procedure": "procedures",
        "Condition": "conditions", "Patient": "patient"}  # fmt: skip


@contextmanager
def service(fhir_base: str) -> Iterator[str]:
    """The service as it is shipped; gives the address of its hook."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="trial-cds-faults-") as folder:
        own = {
            "TRIAL_CDS_DATABASE_URL": f"sqlite:///{Path(folder) / 'store.db'}",
            "TRIAL_CDS_FHIR_ALLOW": fhir_base,
            "TRIAL_CDS_FHIR_PAUSE_SECONDS": "0",
            "TRIAL_CDS_ON": DAY,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "cds.cli", "serve", "--port", str(port)],
            env=os.environ | own,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield from _listening(port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def _listening(port: int) -> Iterator[str]:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
            continue
        yield f"http://127.0.0.1:{port}/cds-services/trial-eligibility"
        return
    message = "the service did not start"
    raise SystemExit(message)


def measured(call: Callable[[], requests.Response], calls: int, at_once: int) -> str:
    """Statuses, percentiles of the time to a 200 and to a refusal, and the rate of the 200s.

    A caller that is told to come back does so after the time that it was told.
    """
    taken: dict[int, list[float]] = {}
    cards: Counter[int] = Counter()

    def one(_: int) -> None:
        began = time.perf_counter()
        answer = call()
        took = time.perf_counter() - began
        taken.setdefault(answer.status_code, []).append(took)
        if "Retry-After" in answer.headers:
            time.sleep(float(answer.headers["Retry-After"]))
        if answer.status_code == 200:  # noqa: PLR2004 - the HTTP status itself
            cards[len(answer.json()["cards"])] += 1

    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, range(calls)))
    whole = time.perf_counter() - began
    parts = []
    for status, times in sorted(taken.items()):
        times.sort()
        last = times[min(len(times) - 1, int(len(times) * 0.99))]
        middle = statistics.median(times)
        parts.append(f"{status} × {len(times)}: p50 {middle:.3f} s, p99 {last:.3f} s")
    rate = len(taken.get(200, [])) / whole
    return f"{'; '.join(parts)}; {rate:.0f} answered a second; cards {dict(cards)}"


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--at-once", type=int, default=4)
    chosen = parser.parse_args()
    patient, found = chart()
    fhir = create_fhir_app(load_fixtures(bundled_fixtures(), None))
    with serving(fhir) as base, service(base) as hook:
        some = {KEYS[kind]: found[kind] for kind in ("Patient", "Condition")}
        every = {KEYS.get(kind, kind.lower()): value for kind, value in found.items()}

        def fire(prefetch: Json) -> Callable[[], requests.Response]:
            request = {
                "hook": "patient-view",
                "hookInstance": str(uuid.uuid4()),
                "context": {"userId": "Practitioner/x", "patientId": patient},
                "fhirServer": base,
                "prefetch": prefetch,
            }
            body = json.dumps(request).encode()  # once: making it would be most of the load
            headers = {"Content-Type": "application/json"}
            return lambda: requests.post(hook, data=body, headers=headers, timeout=60)

        for name, faults in FAULTS.items() if chosen.calls else ():
            endpoint_of(fhir).faults = faults
            print(f"{name:28s} {measured(fire(some), chosen.calls, chosen.at_once)}", flush=True)
        endpoint_of(fhir).faults = Faults()
        for name, at_once in (("whole charts", 16), ("whole charts, four times", 64)):
            print(f"{name:28s} {measured(fire(every), 20 * at_once, at_once)}", flush=True)


if __name__ == "__main__":
    main()
