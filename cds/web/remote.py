"""A chart read from a FHIR server outside of any hook: whoever asks names the server."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from cds.fhir.backend import CONFIGURATION, SignInFault, sign_in, smart_configuration
from cds.fhir.faults import FhirFault, Why
from cds.fhir.outbound import Deadline, PooledAdapter
from cds.fhir.record import Record, UnusableInput
from cds.settings import FhirBase
from cds.web.chart import completed_chart
from cds.web.fetch import fhir_servers
from cds.web.habits import HABITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cds.assess import Content
    from cds.core.when import Evaluation
    from cds.fhir.backend import BackendClient, Token
    from cds.fhir.search import Fetched, Search
    from cds.fhir.server import FhirServers
    from cds.settings import Settings

PATIENCE = 60.0
"""Seconds that a person at a command line waits, other than a clinician at a chart."""

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)


class RemoteFault(Exception):  # noqa: N818 - names what happened
    """The server cannot be asked; the text is one sentence."""


def servers_for(settings: Settings, base: str) -> FhirServers:
    """The servers of the settings, with their aliases, and the one that is named here.

    Raises:
        RemoteFault: `base` is no address of a FHIR server that may be called.
    """
    try:
        allowed = replace(settings, fhir_allow=(*settings.fhir_allow, FhirBase(base)))
        servers = fhir_servers(allowed, HABITS[settings.dialect], learning=False)
        servers.connect(base, None, Deadline.after(0)).__exit__(None, None, None)
    except FhirFault:
        message = "it is no usable FHIR base; write https://host/path, or http on this machine."
        raise RemoteFault(message) from None
    return servers


def signed_in(
    servers: FhirServers, settings: Settings, base: str, client: BackendClient, now: int
) -> Token:
    """A token by SMART Backend Services; `now` in seconds since 1970.

    Raises:
        RemoteFault: the server does not offer it, or refuses.
    """
    try:
        with servers.connect(base, None, Deadline.after(PATIENCE)) as connection:
            configuration = smart_configuration(connection.read(CONFIGURATION))
        ca_file = None if settings.ca_bundle is None else str(settings.ca_bundle)
        return sign_in(client, configuration, PooledAdapter(), now, ca_file)
    except FhirFault as fault:
        message = f"its {CONFIGURATION} cannot be read: {fault.why.value}."
        raise RemoteFault(message) from None
    except SignInFault as problem:
        raise RemoteFault(str(problem)) from None


def chart_of(  # noqa: PLR0913 - who asks whom about whom
    servers: FhirServers,
    base: str,
    token: str | None,
    patient_id: str,
    content: Content,
    asked: Evaluation,
) -> Record:
    """The record of one patient as the server has it.

    What cannot be read is missing from the record, which says so; but there must be a Patient.

    Raises:
        RemoteFault: no Patient, or the server is no FHIR R4.
    """
    if not _FHIR_ID.fullmatch(patient_id):
        message = "the patient's id is no FHIR id; give the id alone, without 'Patient/'."
        raise RemoteFault(message)
    why = Why.NOT_FOUND
    with servers.connect(base, token, Deadline.after(PATIENCE)) as connection:

        def fetch(wanted: Sequence[Search]) -> list[Fetched]:
            nonlocal why
            fetched = connection.fetch(patient_id, wanted)
            for one in fetched:
                if one.covers == "Patient" and one.why is not None:
                    why = one.why
            return fetched

        empty = Record(patient_id, None, {}, {}, {})
        try:
            record = completed_chart(empty, fetch, content, asked)
        except UnusableInput as problem:
            raise RemoteFault(str(problem)) from None
    if record.patient is None:
        message = f"the Patient cannot be read: {why.value}."
        raise RemoteFault(message)
    return record
