"""Load the invented patients into a FHIR server, and say what it would not take.

    python tools/hapi/load.py http://127.0.0.1:8090/fhir [--unshifted]

Their dates are moved so that the day of each story is today, or stay with --unshifted. Everything
goes in one transaction; entries that a story says are deliberately broken follow one by one. A
line of JSON on standard output says how many are there and which were refused.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import requests
import yaml

from cds.content.bundled import bundled_fixtures
from cds.web.fhir_endpoint import load_fixtures

if TYPE_CHECKING:
    from pathlib import Path

_HEADERS = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
_SECONDS = 120
_UNPROCESSABLE = frozenset({400, 422})
_NEVER_STORED = frozenset({"OperationOutcome"})
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
    entries = [
        {
            "fullUrl": f"{base}/{name(resource)}",
            "resource": resource,
            "request": {"method": "PUT", "url": name(resource)},
        }
        for resource in sound
    ]
    refused: list[str] = []
    with requests.Session() as session:
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        answer = send(session, "POST", base, bundle)
        if not answer.ok:
            message = f"{base} did not take the transaction: {answer.status_code} {answer.text}"
            raise SystemExit(message)
        for resource in resources:
            if name(resource) in broken:
                answer = send(session, "PUT", f"{base}/{name(resource)}", resource)
                if answer.status_code in _UNPROCESSABLE:
                    refused.append(name(resource))
                else:
                    answer.raise_for_status()
    return {"loaded": len(resources) - len(refused), "refused": sorted(refused)}


def main() -> None:
    """Load into the server that the command line names."""
    read = argparse.ArgumentParser(description="load the invented patients into a FHIR server")
    read.add_argument("base", help="the FHIR base URL")
    read.add_argument("--unshifted", action="store_true", help="leave the dates as they are")
    asked = read.parse_args()
    today = None if asked.unshifted else date.today()  # noqa: TID251, DTZ011 - a tool at the edge
    print(json.dumps(load(asked.base.rstrip("/"), bundled_fixtures(), today)), flush=True)


if __name__ == "__main__":
    main()
