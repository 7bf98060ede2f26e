"""What asking costs, per invented patient: requests, bytes and milliseconds, in three ways.

    python tools/hapi/measure.py http://127.0.0.1:8090/fhir [--alias http://localhost:8090/fhir]

The ways: Patient and Conditions first and the rest only where a target diagnosis is possible, as
the service asks; everything in parallel at once; and one batch Bundle. Writes a Markdown table.
"""

from __future__ import annotations

import argparse
import statistics
import time
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import requests
import yaml

from cds.assess import load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.when import Evaluation
from cds.fhir.outbound import Deadline, Limits
from cds.fhir.record import Record, missing
from cds.fhir.search import MEDICATION_TYPES, Search, searches
from cds.fhir.server import FhirServers
from cds.web.chart import completed_chart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cds.assess import Content
    from cds.fhir.search import Fetched

_ROUNDS = 5
_SECONDS = 60.0
_PAGE = 200


class Cost(NamedTuple):
    """Requests, bytes of bodies, and milliseconds."""

    requests: int
    size: int
    milliseconds: float

    def __str__(self) -> str:
        return f"{self.requests} | {self.size / 1000:.0f} | {self.milliseconds:.0f}"


def empty(patient: str) -> Record:
    """A record of which nothing was prefetched."""
    return Record(patient, None, {}, {}, {})


def in_phases(
    servers: FhirServers, base: str, patient: str, content: Content, asked: Evaluation
) -> Cost:
    """As the service asks."""
    size = 0
    started = time.perf_counter()
    with servers.connect(base, None, Deadline.after(_SECONDS)) as connection:

        def fetch(wanted: Sequence[Search]) -> list[Fetched]:
            nonlocal size
            fetched = connection.fetch(patient, wanted)
            size += sum(len(body) for one in fetched for body in one.bodies)
            return fetched

        completed_chart(empty(patient), fetch, content, asked)
        sent = connection.requests_sent
    return Cost(sent, size, (time.perf_counter() - started) * 1000)


def at_once(servers: FhirServers, base: str, patient: str) -> Cost:
    """Everything in parallel."""
    started = time.perf_counter()
    with servers.connect(base, None, Deadline.after(_SECONDS)) as connection:
        fetched = connection.fetch(patient, searches(missing(empty(patient))))
        size = sum(len(body) for one in fetched for body in one.bodies)
        sent = connection.requests_sent
    return Cost(sent, size, (time.perf_counter() - started) * 1000)


def in_a_batch(session: requests.Session, base: str, alias: str, patient: str) -> Cost:
    """One batch Bundle, and the further pages of each of its searches."""
    started = time.perf_counter()
    wanted = searches(missing(empty(patient)))
    paths = [
        one.path(patient, _PAGE, include=one.resource_type in MEDICATION_TYPES) for one in wanted
    ]
    entries = [{"request": {"method": "GET", "url": path}} for path in paths]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = session.post(base, json=bundle, timeout=_SECONDS)
    answer.raise_for_status()
    sent, size = 1, len(answer.content)
    pages = [one.get("resource") or {} for one in answer.json()["entry"]]
    while pages:
        links = pages.pop().get("link") or ()
        for link in links:
            if link["relation"] == "next":
                page = session.get(link["url"].replace(alias, base, 1), timeout=_SECONDS)
                page.raise_for_status()
                sent, size = sent + 1, size + len(page.content)
                pages.append(page.json())
    return Cost(sent, size, (time.perf_counter() - started) * 1000)


def typical(measure: Callable[[], Cost]) -> Cost:
    """The median time of some rounds, after one that warms caches up."""
    measure()
    costs = [measure() for _ in range(_ROUNDS)]
    return costs[-1]._replace(milliseconds=statistics.median(c.milliseconds for c in costs))


def main() -> None:
    """Measure every story and write the table."""
    read = argparse.ArgumentParser(description="what asking a FHIR server costs")
    read.add_argument("base")
    read.add_argument("--alias", help="how the server's links name it")
    read.add_argument("--patient", action="append", default=[], help="another patient's id")
    asked = read.parse_args()
    alias = asked.alias or asked.base
    limits = Limits(page_size=_PAGE, max_requests=1_000)
    servers = FhirServers([(asked.base, asked.alias)], limits=limits)
    content = load_content([bundled_content()])
    told = [yaml.safe_load(one.read_bytes()) for one in bundled_fixtures().glob("*/story.yaml")]
    days = {one["patient"]: date.fromisoformat(one["day"]) for one in told}
    days |= dict.fromkeys(asked.patient, date(2026, 3, 1))
    print("| patient | first things first | | | all at once | | | one batch | | |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    print("| | requests | kB | ms | requests | kB | ms | requests | kB | ms |")
    with requests.Session() as session:
        session.headers["Content-Type"] = "application/fhir+json"
        for patient, day in sorted(days.items()):
            when = Evaluation.of(day)

            def phases(who: str = patient, when: Evaluation = when) -> Cost:
                return in_phases(servers, asked.base, who, content, when)

            def parallel(who: str = patient) -> Cost:
                return at_once(servers, asked.base, who)

            def batch(who: str = patient) -> Cost:
                return in_a_batch(session, asked.base, alias, who)

            costs = [typical(one) for one in (phases, parallel, batch)]
            print(f"| {patient} | {' | '.join(str(cost) for cost in costs)} |", flush=True)


if __name__ == "__main__":
    main()
