"""`/launch`, where the EHR sends the browser, and `/launch/callback`, where it comes back to."""

from __future__ import annotations

import logging
import re
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from flask import Blueprint, Response, redirect, request

from cds.assess import assess_facts
from cds.core.criterion import Status
from cds.core.when import Evaluation
from cds.fhir.backend import CONFIGURATION
from cds.fhir.facts import facts_from
from cds.fhir.faults import FhirFault
from cds.fhir.outbound import Deadline
from cds.fhir.record import Record, UnusableInput
from cds.fhir.server import FhirServers, OneCall
from cds.settings import FhirBase
from cds.store.fault import StoreFault
from cds.web.chart import completed_chart
from cds.web.fetch import fhir_servers
from cds.web.habits import HABITS
from cds.web.kept.inputs import Input, Listening
from cds.web.kept.service import Answered, namespace, now
from cds.web.launch.authorization import begun, exchanged, read_configuration
from cds.web.launch.fault import LaunchFault, Why
from cds.web.launch.identity import User, keys_at, named, user_of
from cds.web.launch.under_way import UnderWay
from cds.web.report.views import page_headers, plain_page
from cds.web.seen.audit import Access, audit
from cds.web.sessions import Cookies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from cds.assess import Content
    from cds.core.assessment import Assessment
    from cds.fhir.search import Fetched, Search
    from cds.settings import Settings
    from cds.store.database import Store
    from cds.web.kept.service import Keeper
    from cds.web.launch.authorization import Configuration, Granted, Pending
    from cds.web.launch.registrations import Ehr, Ehrs
    from cds.web.limits import Gate
    from cds.web.report.links import ReportService
    from cds.web.sessions import Sessions

PREFIX = "/launch"
_log = logging.getLogger("trial-cds")
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_CONFIGURATION_SECONDS = 5.0
_CONFIGURATION_FRESH = 300.0
_PATIENCE_SECONDS = 5.0
_LONGEST = 4_096


class Site(NamedTuple):
    """What launches need of the service."""

    settings: Settings
    content: Content
    today: Callable[[], date]
    store: Store
    reports: ReportService
    sessions: Sessions
    address: str
    gate: Gate
    kept: Keeper


class Launcher:
    """The way from the EHR's menu to the page."""

    def __init__(self, site: Site, ehrs: Ehrs) -> None:
        """Take the EHRs that may launch."""
        self._site = site
        self._ehrs = ehrs
        settings = site.settings
        allowed = (*settings.fhir_allow, *(FhirBase(ehr.iss) for ehr in ehrs.listed))
        self._servers = {
            name: fhir_servers(settings, habits, allow=allowed) for name, habits in HABITS.items()
        }
        self._redirect = f"{site.address.rstrip('/')}{PREFIX}/callback"
        self._ca_file = None if settings.ca_bundle is None else str(settings.ca_bundle)
        self._configurations: dict[str, tuple[float, Configuration]] = {}
        self._under_way = UnderWay(site.store, Cookies(site.address))

    def leave(self, iss: str, launch: str) -> Response:
        """Send the browser to the EHR's authorization endpoint.

        Raises:
            LaunchFault: the EHR is not listed, or cannot be asked how it authorizes.
            StoreFault: the launch cannot be remembered now.
        """
        if not iss or not launch or len(launch) > _LONGEST:
            raise LaunchFault(Why.NO_LAUNCH)
        ehr = self._ehrs.find(iss)
        if ehr is None:
            raise LaunchFault(Why.NOT_LISTED)
        url, pending = begun(ehr, self._configuration(ehr), launch, self._redirect)
        response = Response(status=302, headers={"Location": url})
        self._under_way.begin(response, pending)
        return response

    def arrive(self, state: str, code: str, error: str) -> Response:
        """What the browser came back with, as a page.

        Raises:
            LaunchFault: it did not come from here, was refused, or there is no chart to show.
            StoreFault: the store cannot be used now.
        """
        pending = self._under_way.take(state)
        ehr = self._ehrs.find(pending.iss)
        if ehr is None:
            raise LaunchFault(Why.NOT_LISTED)
        if error:
            raise LaunchFault(Why.DENIED if error == "access_denied" else Why.REFUSED)
        if not code:
            raise LaunchFault(Why.CODE)
        deadline = Deadline.after(self._site.settings.deadline_seconds + _PATIENCE_SECONDS)
        granted = exchanged(ehr, pending, code, self._redirect, self._ca_file)
        user = user_of(granted.id_token, pending, ehr.client_id, keys_at(self._ca_file))
        if user is not None:
            user = named(user, partial(self._read, ehr, granted.access_token, deadline))
        response = self._shown(ehr, pending, granted, user or User(""), deadline)
        self._under_way.end(response, state)
        return response

    def _shown(
        self, ehr: Ehr, pending: Pending, granted: Granted, user: User, deadline: Deadline
    ) -> Response:
        site = self._site
        patient = granted.patient
        if patient is None or not _FHIR_ID.fullmatch(patient):
            raise LaunchFault(Why.NO_PATIENT)
        asked = Evaluation.of(site.settings.on or site.today(), site.settings.timezone)
        received, listening = now(), Listening()
        audit(Access("launch", patient, user.key or user.name, base=ehr.iss))
        record = self._record(ehr, granted.access_token, patient, asked, deadline, listening)
        facts = facts_from(record, site.content.terminology, asked.zone, site.content.units)
        assessment = assess_facts(facts, site.content, asked)
        session = site.sessions.made(pending.iss, user.key, user.name)
        subject = site.kept.keys().patients(namespace(ehr.iss, None), patient)
        read = Input(patient, {}, asked=True, heard=listening.rounds)
        shown = dict.fromkeys(_concerning(assessment), "page")
        call = Answered("launch", ehr.iss, received, subject[0], read, shown, ())
        site.kept.keep(call, assessment, facts, asked)
        address = site.reports.launched(assessment, facts, reader=session.reader, subject=subject)
        response = redirect(address, 303)
        assert isinstance(response, Response)  # noqa: S101 - Flask's own, told to mypy
        site.sessions.begin(response, session)
        return response

    def _read(self, ehr: Ehr, token: str, deadline: Deadline, path: str) -> bytes:
        servers = self._servers[ehr.dialect or self._site.settings.dialect]
        with servers.connect(ehr.iss, token, deadline) as connection:
            return connection.read(path)

    def _record(  # noqa: PLR0913 - whom to ask, as whom, about whom
        self,
        ehr: Ehr,
        token: str,
        patient: str,
        asked: Evaluation,
        deadline: Deadline,
        listening: Listening,
    ) -> Record:
        servers = self._servers[ehr.dialect or self._site.settings.dialect]
        empty = Record(patient, None, {}, {}, {})
        with OneCall(servers, ehr.iss, token, patient, deadline) as call:

            def fetch(wanted: Sequence[Search]) -> Sequence[Fetched]:
                answers = call.fetch(wanted)
                listening.take(answers)
                return answers

            try:
                record = completed_chart(empty, fetch, self._site.content, asked)
            except UnusableInput:
                raise LaunchFault(Why.CHART) from None
        if record.patient is None:
            raise LaunchFault(Why.CHART)
        return record

    def _configuration(self, ehr: Ehr) -> Configuration:
        """What the EHR says about authorizing, read anew every few minutes."""
        now = time.monotonic()
        read_at, known = self._configurations.get(ehr.iss, (float("-inf"), None))
        if known is not None and now - read_at < _CONFIGURATION_FRESH:
            return known
        servers: FhirServers = self._servers["generic"]
        deadline = Deadline.after(_CONFIGURATION_SECONDS)
        try:
            with servers.connect(ehr.iss, None, deadline) as connection:
                read = read_configuration(connection.read(CONFIGURATION))
        except FhirFault:
            raise LaunchFault(Why.NO_CONFIGURATION) from None
        self._configurations[ehr.iss] = (now, read)
        return read


def _concerning(assessment: Assessment) -> Iterator[str]:
    """The trials that the page of a launch shows."""
    for determination in assessment.determinations:
        if determination.target.status is not Status.FAIL:
            yield determination.trial.id


def launch_pages(launcher: Launcher, site: Site) -> Blueprint:
    """The blueprint with both addresses."""
    pages = Blueprint("launch", __name__, url_prefix=PREFIX)
    headers = page_headers(site.settings.frame_ancestors)

    @pages.get("")
    def launch() -> Response:
        with site.gate.entered():
            return launcher.leave(request.args.get("iss", ""), request.args.get("launch", ""))

    @pages.get("/callback")
    def callback() -> Response:
        said = request.args
        with site.gate.entered():
            return launcher.arrive(
                said.get("state", ""), said.get("code", ""), said.get("error", "")
            )

    @pages.errorhandler(LaunchFault)
    def ended(problem: LaunchFault) -> Response:
        # A fixed word: what the browser brought may name somebody.
        _log.warning("a launch ended: %s", problem.why.value)
        return plain_page("launch.html", problem.status, why=problem.why.value)

    @pages.errorhandler(StoreFault)
    def store_failed(problem: StoreFault) -> Response:
        _log.warning("a launch ended: %s", problem)
        return plain_page("launch.html", 503, why=Why.STORE.value)

    @pages.after_request
    def guarded(response: Response) -> Response:
        response.headers.update(headers)
        return response

    return pages
