"""Completing a record from the FHIR server that a hook request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.fhir.outbound import Deadline, Limits
from cds.fhir.record import UnusableInput, merge, missing, record_from_fetched
from cds.fhir.search import searches
from cds.fhir.server import FhirServers, fetch_missing
from cds.web.errors import Refused

if TYPE_CHECKING:
    from cds.fhir.record import Record
    from cds.settings import Settings
    from cds.web.request import HookRequest


def fhir_servers(settings: Settings) -> FhirServers:
    """The FHIR servers that the settings allow: one object for the whole process."""
    limits = Limits(
        max_response_bytes=settings.max_response_bytes,
        max_pages=settings.max_pages,
        max_requests=settings.max_requests,
        page_size=settings.fhir_page_size,
    )
    return FhirServers(
        settings.fhir_allow,
        limits=limits,
        not_kept=settings.not_kept,
        pause=settings.fhir_pause_seconds,
        ca_file=None if settings.ca_bundle is None else str(settings.ca_bundle),
    )


def completed(
    record: Record, request: HookRequest, servers: FhirServers, deadline: Deadline
) -> Record:
    """The record with what the prefetch left out, as far as the server gives it in time.

    Without anything missing, or without a server, nothing is asked. A server that may not be
    called is no error: what is missing stays missing, and the card says so.

    Raises:
        Refused: 400 where the server's answers are no FHIR R4.
    """
    wanted = missing(record)
    if not wanted or request.fhir_server is None:
        return record
    grant = request.fhir_authorization
    fetched = fetch_missing(
        servers,
        request.fhir_server,
        None if grant is None else grant.access_token,
        request.patient_id,
        searches(wanted),
        deadline,
    )
    try:
        return merge(record, record_from_fetched(fetched, request.patient_id))
    except UnusableInput as problem:
        raise Refused(400, f"fhirServer: {problem}") from None
