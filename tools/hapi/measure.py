"""What asking costs, per invented patient: requests, bytes and milliseconds, in four ways.

    python tools/hapi/measure.py http://127.0.0.1:8090/fhir --alias http://localhost:8090/fhir

The ways: everything in parallel at once, category by category, as a client would that knows no
better; then as a hook asks: every list read whole, without and with a batch, and long lists of
Observations in part (with a batch too). Writes a Markdown table. The server must hold the patients
with the dates of their stories (`load.py --unshifted`, and `--long`).
"""

from __future__ import annotations

import argparse
import statistics
import time
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import yaml

from cds.assess import load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.when import Evaluation
from cds.fhir.outbound import Deadline, Limits
from cds.fhir.record import Record, missing, record_from_fetched
from cds.fhir.search import searches
from cds.fhir.server import FhirServers
from cds.web.chart import completed_chart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cds.assess import Content
    from cds.fhir.search import Fetched, Search

_ROUNDS = 5
_SECONDS = 60.0
_PAGE = 200
_NEAR_DAYS = 30


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


def as_a_hook(
    servers: FhirServers, base: str, patient: str, content: Content, asked: Evaluation
) -> Cost:
    """Conditions first, the rest in the order of its use, nothing that can change no card."""
    started = time.perf_counter()
    with servers.connect(base, None, Deadline.after(_SECONDS)) as connection:

        def fetch(wanted: Sequence[Search]) -> list[Fetched]:
            return connection.fetch(patient, wanted)

        completed_chart(empty(patient), fetch, content, asked, _NEAR_DAYS)
        sent, size = connection.requests_sent, connection.bytes_received
    return Cost(sent, size, (time.perf_counter() - started) * 1000)


def at_once(servers: FhirServers, base: str, patient: str) -> Cost:
    """Everything in parallel, and made a record of."""
    started = time.perf_counter()
    with servers.connect(base, None, Deadline.after(_SECONDS)) as connection:
        fetched = connection.fetch(patient, searches(missing(empty(patient))))
        record_from_fetched(fetched, patient)
        sent, size = connection.requests_sent, connection.bytes_received
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
    limits = Limits(page_size=_PAGE, max_requests=1_000)
    allow = [(asked.base, asked.alias)]
    naive = FhirServers(allow, limits=limits, by_category=True)
    ways = [
        FhirServers(allow, limits=limits, batch=batch, narrow=narrow)
        for batch, narrow in ((False, False), (True, False), (True, True))
    ]
    content = load_content([bundled_content()])
    told = [yaml.safe_load(one.read_bytes()) for one in bundled_fixtures().glob("*/story.yaml")]
    days = {one["patient"]: date.fromisoformat(one["day"]) for one in told}
    days |= dict.fromkeys(asked.patient, date(2026, 3, 1))
    heads = ("all at once", "as a hook asks", "with a batch", "in part, with a batch")
    print("| patient |", " | | | ".join(heads), "| | |")
    print("| --- |", " | ".join(["---:"] * 3 * len(heads)), "|")
    print("| |", " | ".join(["requests | kB | ms"] * len(heads)), "|")
    for patient, day in sorted(days.items()):
        when = Evaluation.of(day)
        costs = [
            typical(partial(at_once, naive, asked.base, patient)),
            *(typical(partial(as_a_hook, way, asked.base, patient, content, when)) for way in ways),
        ]
        print(f"| {patient} | {' | '.join(str(cost) for cost in costs)} |", flush=True)


if __name__ == "__main__":
    main()
