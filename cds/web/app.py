"""The service: a Flask application made from settings and content."""

from __future__ import annotations

import time
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

import cds
from cds.content.fault import ContentFaults
from cds.fhir.outbound import Deadline
from cds.settings import SettingsFault
from cds.store.database import Store
from cds.store.seen import SeenTokens
from cds.web.clients import load_clients
from cds.web.errors import Refused, refusal
from cds.web.feedback import FeedbackService
from cds.web.hook import HookService
from cds.web.kept.service import Keeper
from cds.web.launch.registrations import load_ehrs
from cds.web.launch.views import Launcher, Site, launch_pages
from cds.web.limits import Gate, Rate, discard_body, is_counted, read_body
from cds.web.metrics import CONTENT_TYPE, HOOK_SECONDS, REQUESTS, exposition
from cds.web.report.links import ReportService
from cds.web.request import HOOK, SERVICE
from cds.web.reserve import Reserve
from cds.web.seen.audit import register
from cds.web.seen.log import begin_request, log
from cds.web.sessions import Cookies, Sessions
from cds.web.switches import WatchedSwitches
from cds.web.trust import Caller, Trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

    from cds.assess import Content
    from cds.settings import Settings
    from cds.web.launch.registrations import Ehrs

_STORE = "store"
_KEEPER = "keeper"
_CALL_HEADER = "Trial-CDS-Decision"
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, content-type",
    "Access-Control-Expose-Headers": "retry-after, trial-cds-decision",
    "Access-Control-Max-Age": "600",
}
_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_PHRASES = {
    400: "The request cannot be read as HTTP; send it again.",
    404: "There is nothing at this address; the services are listed at /cds-services.",
    405: "This address does not answer that method.",
    413: "The request is larger than this service takes.",
}
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})  # asked every few seconds by machines
_DISCOVERY = "/cds-services"
_HOOK = f"/cds-services/{SERVICE}"
_FEEDBACK = f"/cds-services/{SERVICE}/feedback"


def create_app(
    settings: Settings,
    content: Content,
    today: Callable[[], date],
    *,
    address: str = "http://127.0.0.1:8080",
) -> Flask:
    """The WSGI application.

    `today` gives the evaluation date of a request; `address` is the one it is served at, where the
    settings name no public one. The store is opened when it is first needed: `store_of(app).open()`
    finds out at once.

    Raises:
        ContentFaults: the file of trusted clients cannot be used.
        SettingsFault: another file that the settings name cannot.
    """
    app = Flask("trial-cds", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    store = app.extensions[_STORE] = Store(settings.database_url)
    address = settings.public_url or address
    door = _Door(settings, _trust(settings, store), address)
    sessions = _sessions(settings, store, address)
    switches = _switches(settings, content, door)
    reports = ReportService(settings, content, store, address, sessions=sessions)
    register(app, settings.audit_file)
    kept = app.extensions[_KEEPER] = Keeper(settings, content, store)
    _register_discovery(
        app, HookService(settings, content, today, reports, kept, switches), door, settings
    )
    app.register_blueprint(reports.pages())
    if settings.launch is not None and sessions is not None:
        site = Site(settings, content, today, store, reports, sessions, address, door.gate, kept)
        app.register_blueprint(launch_pages(Launcher(site, _ehrs(settings.launch)), site))
    _register_feedback(app, settings, store, door)
    _register_health(app, content, store, switches)
    _register_errors(app)
    app.before_request(_begin)
    app.after_request(_common_headers)
    return app


def store_of(app: Flask) -> Store:
    """The store within an application made by `create_app`."""
    store: Store = app.extensions[_STORE]
    return store


def keeper_of(app: Flask) -> Keeper:
    """What keeps the decision records of an application made by `create_app`."""
    keeper: Keeper = app.extensions[_KEEPER]
    return keeper


def json_response(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - anything JSON can say
    """Plain data as a JSON answer."""
    return Response(msgspec.json.encode(value), status, content_type="application/json")


def _trust(settings: Settings, store: Store) -> Trust:
    if settings.clients is None:
        return Trust(None, None)
    ca_file = None if settings.ca_bundle is None else str(settings.ca_bundle)
    return Trust(load_clients(settings.clients, ca_file=ca_file), SeenTokens(store))


def _sessions(settings: Settings, store: Store, address: str) -> Sessions | None:
    """Who launched; None where nobody can.

    Raises:
        SettingsFault: launched pages would not be kept for a moment.
    """
    if settings.launch is None:
        return None
    if settings.page_minutes == 0:
        message = (
            "TRIAL_CDS_LAUNCH: a launched page lasts as long as TRIAL_CDS_PAGE_MINUTES says, which "
            "is 0; write how many minutes."
        )
        raise SettingsFault(message)
    return Sessions(store, Cookies(address), settings.page_minutes * 60)


def _switches(settings: Settings, content: Content, door: _Door) -> WatchedSwitches:
    """What the site switches.

    Raises:
        SettingsFault: the file cannot be used.
    """
    trials = [head.id for head in content.heads]
    try:
        return WatchedSwitches(settings.switches, trials, door.issuers)
    except ContentFaults as problem:
        message = f"TRIAL_CDS_SWITCHES: {problem.faults[0]}"
        raise SettingsFault(message) from None


def _ehrs(path: Path) -> Ehrs:
    try:
        return load_ehrs(path)
    except ContentFaults as problem:
        message = f"TRIAL_CDS_LAUNCH: {problem.faults[0]}"
        raise SettingsFault(message) from None


class _Door:
    """What every call passes: who it is, how often they called, and what they brought."""

    def __init__(self, settings: Settings, trust: Trust, address: str) -> None:
        self.gate = Gate(settings.threads)
        self.issuers = trust.issuers
        self._trust = trust
        self._rate = Rate(settings.client_rate)
        self._address = address.rstrip("/")
        self._most_bytes = settings.max_body_bytes

    def caller(self, path: str) -> Caller:
        """Who calls the endpoint at `path`.

        Raises:
            Refused: 401 for a stranger, 429 for one who calls too often.
        """
        sent = request.headers.get("Authorization")
        caller = self._trust.caller(sent, f"{self._address}{path}")
        if caller.issuer is not None:
            self._rate.admit(caller.issuer)
        elif is_counted(request.remote_addr):
            self._rate.admit(f"address {request.remote_addr}")
        return caller

    def visitor(self, path: str) -> None:
        """Let anybody in who shows nothing; a token that is shown must be sound.

        Raises:
            Refused: 401, the token is not.
        """
        if "Authorization" in request.headers:
            self._trust.caller(request.headers["Authorization"], f"{self._address}{path}")

    def body(self) -> bytes:
        """The JSON that was sent, as bytes.

        Raises:
            Refused: 415, it is something else, or packed; 413, it is too large; 400, it breaks off.
        """
        if request.mimetype != "application/json":
            raise Refused(415, "Send the request as application/json.")
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused(415, "Send the request unpacked, without Content-Encoding.")
        return read_body(request.environ, self._most_bytes)


def _register_discovery(app: Flask, service: HookService, door: _Door, settings: Settings) -> None:
    discovery = msgspec.json.encode({"services": [service.description()]})

    @app.get(_DISCOVERY)
    def services() -> Response:
        door.visitor(_DISCOVERY)
        return Response(discovery, content_type="application/json")

    reserve = Reserve(settings.deadline_seconds)

    @app.post(_HOOK)
    def patient_view() -> Response:
        began = time.monotonic()
        deadline = Deadline.after(settings.deadline_seconds - reserve.seconds)
        with HOOK_SECONDS.time(), door.gate.entered():
            caller = door.caller(_HOOK)
            answer = service.answer(door.body(), caller, deadline)
        reserve.note(time.monotonic() - began - answer.waited)
        response = Response(answer.body, content_type="application/json")
        response.headers[_CALL_HEADER] = answer.call
        return response


def _register_feedback(app: Flask, settings: Settings, store: Store, door: _Door) -> None:
    service = FeedbackService(
        store,
        SERVICE,
        keep_comments=settings.keep_comments,
        not_now=timedelta(days=settings.not_now_days),
    )

    @app.post(_FEEDBACK)
    def feedback() -> Response:
        with door.gate.entered():
            caller = door.caller(_FEEDBACK)
            service.take(door.body(), caller.issuer)
        return Response(status=200)


def _register_health(app: Flask, content: Content, store: Store, switches: WatchedSwitches) -> None:
    @app.get("/healthz")
    def alive() -> Response:
        return json_response({"status": "alive", "version": cds.__version__})

    @app.get("/readyz")
    def ready() -> Response:
        reachable = store.is_reachable()
        trials = [trial.id for trial in content.heads]
        says = {
            "status": "ready" if reachable else "not ready",
            "store": "reachable" if reachable else "not reachable",
            "trials": trials,
            "content": content.digest,
            "switches": "in force" if switches.is_taken else "file has a fault, earlier in force",
        }
        return json_response(says, 200 if reachable else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(exposition(), content_type=CONTENT_TYPE)


def _register_errors(app: Flask) -> None:
    @app.errorhandler(Refused)
    def refused(problem: Refused) -> Response:
        return refusal(problem)

    @app.errorhandler(HTTPException)
    def http_error(problem: HTTPException) -> Response:
        status = problem.code or 500
        says = _PHRASES.get(status, "The request cannot be answered.")
        response = refusal(Refused(status, says))
        allowed = getattr(problem, "valid_methods", None)
        if allowed:
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    @app.errorhandler(Exception)
    def broken(problem: Exception) -> Response:
        # Only the kind of error is logged: its text may quote the chart.
        log.error("unexpected", kind=type(problem).__name__)
        says = f"The {HOOK} service failed; the fault is on our side and has been logged."
        return refusal(Refused(500, says))


def _begin() -> None:
    begin_request()
    g.began = time.monotonic()


def _common_headers(response: Response) -> Response:
    if request.path.startswith(_DISCOVERY):
        response.headers.update(_CORS)
    response.headers.update(_ALWAYS)
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        discard_body(request.environ)
    # The route as it is written, never the address that was called: that may name somebody.
    route = "none" if request.url_rule is None else request.url_rule.rule
    REQUESTS.labels(route, str(response.status_code)).inc()
    took = round((time.monotonic() - g.began) * 1000, 1)
    say = log.debug if route in _QUIET else log.info
    say("answered", route=route, status=response.status_code, milliseconds=took)
    return response
