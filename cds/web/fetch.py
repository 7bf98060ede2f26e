"""Completing a record from the FHIR server that a hook request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.core.facts import Retrieval
from cds.fhir.outbound import Limits
from cds.fhir.record import UnusableInput, is_lacking
from cds.fhir.retrieved import Coverage
from cds.fhir.server import FhirServers, OneCall
from cds.web.chart import completed_chart
from cds.web.errors import Refused
from cds.web.habits import HABITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cds.assess import Content
    from cds.core.when import Evaluation
    from cds.fhir.outbound import Deadline
    from cds.fhir.record import Record
    from cds.fhir.search import Fetched, Search
    from cds.settings import FhirBase, Settings
    from cds.web.habits import Habits
    from cds.web.limits import Gate
    from cds.web.request import HookRequest


_SAID = {"yes": True, "no": False}


def fhir_servers(
    settings: Settings,
    habits: Habits = HABITS["generic"],
    *,
    allow: Iterable[FhirBase] | None = None,
    learning: bool = True,
) -> FhirServers:
    """The FHIR servers that the settings allow: one object for a process and an EHR's habits.

    `allow`: other servers than those of the settings. `learning`: worth finding out what a server
    takes, because more calls will follow.
    """
    limits = Limits(
        max_response_bytes=settings.max_response_bytes,
        max_pages=settings.max_pages,
        max_requests=settings.max_requests,
        page_size=settings.fhir_page_size,
    )
    found_out = None if learning else False
    return FhirServers(
        settings.fhir_allow if allow is None else allow,
        limits=limits,
        not_kept={*settings.not_kept, *habits.not_kept},
        pause=settings.fhir_pause_seconds,
        ca_file=None if settings.ca_bundle is None else str(settings.ca_bundle),
        batch=_SAID.get(settings.fhir_batch, found_out),
        narrow=_SAID.get(settings.fhir_parts, found_out),
        by_category=habits.by_category,
    )


def call_of(request: HookRequest, servers: FhirServers, deadline: Deadline) -> OneCall | None:
    """The way to the FHIR server that a hook request names; None where it names none."""
    if request.fhir_server is None:
        return None
    grant = request.fhir_authorization
    token = None if grant is None else grant.access_token
    return OneCall(
        servers,
        request.fhir_server,
        token,
        request.patient_id,
        deadline,
        by_category=grant is not None and grant.names_categories,
    )


def completed(  # noqa: PLR0913 - what one hook call knows
    record: Record,
    call: OneCall | None,
    not_kept: frozenset[str],
    content: Content,
    asked: Evaluation,
    near_days: int | None,
    heard: Callable[[Sequence[Fetched]], None],
    waiting: Gate,
) -> Record:
    """The record with what the prefetch left out, as far as the server gives it in time.

    Without anything missing, or without a server, nothing is asked; nor is what cannot change the
    cards (`near_days` as in `completed_chart`). A server that may not be called is no error: what
    is missing stays missing, and the card says so. `heard` is told what the server answered, round
    by round. `waiting` is the gate of the calls that wait for a server.

    Raises:
        Refused: 400 where the server's answers are no FHIR R4, 503 where too many calls wait.
    """
    record = without_lists(record, not_kept)
    if call is None or not is_lacking(record):
        return record

    def fetch(wanted: Sequence[Search]) -> list[Fetched]:
        answers = call.fetch(wanted)
        heard(answers)
        return answers

    try:
        with waiting.entered():
            return completed_chart(record, fetch, content, asked, near_days)
    except UnusableInput as problem:
        raise Refused(400, f"fhirServer: {problem}") from None


def without_lists(record: Record, not_kept: frozenset[str]) -> Record:
    """The record, knowing that nobody keeps a list of some types; what is there stays there."""
    absent = [kind for kind in not_kept if record.covered(kind).state is Retrieval.NOT_RETRIEVED]
    if not absent:
        return record
    coverage = dict(record.coverage) | dict.fromkeys(absent, Coverage(Retrieval.NOT_KEPT))
    return msgspec.structs.replace(record, coverage=coverage)
