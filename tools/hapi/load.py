"""Load the invented patients into a FHIR server, and say what it would not take.

    python tools/hapi/load.py http://127.0.0.1:8090/fhir [--unshifted]
    python tools/hapi/load.py http://127.0.0.1:8090/fhir --long

Their dates are moved so that the day of each story is today, or stay with --unshifted. Everything
goes in one transaction; entries that a story says are deliberately broken follow one by one. A
line of JSON on standard output says how many are there and which were refused. With --long it is
the patient two-thousand alone: one of them with two thousand Observations.
"""

from __future__ import annotations

import argparse
import json
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import requests
import yaml

from cds.content.bundled import bundled_fixtures
from cds.web.fhir_endpoint import load_fixtures

if TYPE_CHECKING:
    from pathlib import Path

    from cds.web.fhir_endpoint import Store

_HEADERS = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
_SECONDS = 120
_UNPROCESSABLE = frozenset({400, 422})
_NEVER_STORED = frozenset({"OperationOutcome"})
_CHUNK = 500
_LONG, _LIKE = "two-thousand", "desmoid-ready"
# What a long-treated patient has most of; none of it is older than the look-back allows.
_SERIES = (("718-7", "Hemoglobin", 13, "g/dL"), ("2951-2", "Sodium", 140, "mmol/L"))
_DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def broken_entries(folder: Path) -> frozenset[str]:
    """`Type/id` of what the stories call deliberately broken."""
    stories = [yaml.safe_load(path.read_bytes()) for path in folder.glob("*/story.yaml")]
    return frozenset(one for story in stories for one in story.get("deliberately_broken", ()))


def name(resource: dict[str, Any]) -> str:
    """`Type/id`."""
    return f"{resource['resourceType']}/{resource['id']}"


def send(session: requests.Session, method: str, url: str, body: object) -> requests.Response:
    """Send JSON; the answer, whatever its status."""
    data = _ENCODER.encode(body)
    return session.request(method, url, data=data, headers=_HEADERS, timeout=_SECONDS)


def load(base: str, folder: Path, today: date | None) -> dict[str, Any]:
    """Put every resource under its own id; gives how many were taken and the names of the rest.

    Raises:
        SystemExit: the server did not take the transaction.
    """
    store = load_fixtures(folder, today)
    broken = broken_entries(folder)
    kinds = [kind for kind in store.types() if kind not in _NEVER_STORED]
    resources = [resource for kind in kinds for resource in store.of_type(kind)]
    sound = [resource for resource in resources if name(resource) not in broken]
    refused: list[str] = []
    with requests.Session() as session:
        _put_all(session, base, sound)
        for resource in resources:
            if name(resource) in broken:
                answer = send(session, "PUT", f"{base}/{name(resource)}", resource)
                if answer.status_code in _UNPROCESSABLE:
                    refused.append(name(resource))
                else:
                    answer.raise_for_status()
    return {"loaded": len(resources) - len(refused), "refused": sorted(refused)}


def long_chart(store: Store, today: date) -> list[dict[str, Any]]:
    """A patient like one of the stories, with two thousand Observations."""
    own: list[dict[str, Any]] = []
    for kind in store.types():
        for resource in store.of_type(kind):
            if re.match(rf"{_LIKE}\b", str(resource["id"])):
                text = _ENCODER.encode(resource).decode()
                renamed = re.sub(rf'\b{_LIKE}\b(?=[-"])', _LONG, text)
                own.append(_DECODER.decode(renamed))
    here = sum(one["resourceType"] == "Observation" for one in own)
    return own + [_old_result(number, today) for number in range(2_000 - here)]


def _old_result(number: int, today: date) -> dict[str, Any]:
    """A result from the years before; two a day, the newest two months old."""
    code, display, value, unit = _SERIES[number % 2]
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "id": f"{_LONG}-old-{number}",
        "status": "final",
        "category": [{"coding": [{"system": system, "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": display}]},
        "subject": {"reference": f"Patient/{_LONG}"},
        "effectiveDateTime": (today - timedelta(days=60 + number // 2)).isoformat(),
        "valueQuantity": {
            "value": value,
            "unit": unit,
            "system": "http://unitsofmeasure.org",
            "code": unit,
        },
    }


def load_long(base: str, folder: Path, today: date | None) -> dict[str, Any]:
    """Put the long chart; gives how many resources it has.

    Raises:
        SystemExit: the server did not take a transaction.
    """
    resources = long_chart(load_fixtures(folder, today), today or date(2026, 3, 1))
    with requests.Session() as session:
        for start in range(0, len(resources), _CHUNK):
            _put_all(session, base, resources[start : start + _CHUNK])
    return {"loaded": len(resources), "refused": []}


def _put_all(session: requests.Session, base: str, resources: list[dict[str, Any]]) -> None:
    entries = [
        {
            "fullUrl": f"{base}/{name(resource)}",
            "resource": resource,
            "request": {"method": "PUT", "url": name(resource)},
        }
        for resource in resources
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = send(session, "POST", base, bundle)
    if not answer.ok:
        message = f"{base} did not take the transaction: {answer.status_code} {answer.text}"
        raise SystemExit(message)


def main() -> None:
    """Load into the server that the command line names."""
    read = argparse.ArgumentParser(description="load the invented patients into a FHIR server")
    read.add_argument("base", help="the FHIR base URL")
    read.add_argument("--unshifted", action="store_true", help="leave the dates as they are")
    read.add_argument("--long", action="store_true", help="only the patient two-thousand")
    asked = read.parse_args()
    today = None if asked.unshifted else date.today()  # noqa: TID251, DTZ011 - a tool at the edge
    how = load_long if asked.long else load
    print(json.dumps(how(asked.base.rstrip("/"), bundled_fixtures(), today)), flush=True)


if __name__ == "__main__":
    main()
