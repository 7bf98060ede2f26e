"""The demo EHR's pages, with the service and the FHIR endpoint under the same address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException

import cds
from cds.web.demo.chart import chart_of, person_of
from cds.web.demo.markdown import render_markdown
from cds.web.demo.reading import spoken
from cds.web.fhir_endpoint import Logged, create_fhir_app, endpoint_of, load_fixtures
from cds.web.smart_endpoint import CONFIGURATION, create_oauth_app, launch_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from cds.web.demo.clock import DemoClock
    from cds.web.demo.stories import Story
    from cds.web.smart_endpoint import Authorizing

_MOST_TEXTS = 50
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Orderable:
    """A test that a result can be added for: its name, LOINC code, unit and category."""

    concept: str
    label: str
    code: str
    display: str
    unit: str
    category: str


@dataclass(frozen=True, slots=True)
class Demo:
    """What a demo is made of.

    `service` is the real service, called with the clock's day. `fixtures` is the folder of the
    invented patients, `fhir_base` the address by which the service reaches the embedded
    endpoint. `forget` undoes what people said about cards and on pages. With `authorizing` charts
    launch the determination page (SMART App Launch).
    """

    service: Flask
    fixtures: Path
    stories: tuple[Story, ...]
    clock: DemoClock
    fhir_base: str
    tests: tuple[Orderable, ...]
    forget: Callable[[], None] = lambda: None
    authorizing: Authorizing | None = None


def create_demo_app(demo: Demo) -> Flask:
    """The demo: its pages below /demo, FHIR below /fhir, everything else is the service's."""
    log: list[Logged] = []
    store = load_fixtures(demo.fixtures, demo.clock.real_today())
    fhir = create_fhir_app(store, writable=True, request_log=log)
    app = Flask("cds.web.demo", static_url_path="/demo/static")
    app.jinja_env.globals["launches"] = demo.authorizing is not None
    _add_pages(app, demo, fhir)
    _add_actions(app, demo, fhir, log)
    _add_errors(app)

    @app.after_request
    def guarded(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    own = app.wsgi_app
    app.wsgi_app = _together(own, fhir.wsgi_app, _oauth(app, demo), demo.service.wsgi_app)  # type: ignore[method-assign,assignment]
    return app


def _oauth(app: Flask, demo: Demo) -> WSGIApplication:
    """The EHR's sign-on, which launches the determination page from a chart."""
    if demo.authorizing is None:
        return app.wsgi_app
    authorizing = demo.authorizing

    @app.get("/demo/patients/<key>/launch")
    def launch(key: str) -> Response:
        address = launch_address("/launch", demo.fhir_base, authorizing.launch(key))
        return cast("Response", redirect(address))

    return create_oauth_app(authorizing).wsgi_app


def _together(
    pages: WSGIApplication,
    fhir: WSGIApplication,
    oauth: WSGIApplication,
    service: WSGIApplication,
) -> WSGIApplication:
    """One address for all of them: a person forwards one port, a browser sees one origin."""

    def by_path(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        first = "".join(path.split("/")[1:2])
        answers = {"fhir": fhir, "auth": oauth, "demo": pages, "": pages}.get(first, service)
        return (oauth if path == CONFIGURATION else answers)(environ, start_response)

    return by_path


def _add_pages(app: Flask, demo: Demo, fhir: Flask) -> None:
    by_patient = {story.patient: story for story in demo.stories}

    @app.context_processor
    def always() -> dict[str, Any]:
        today = demo.clock.today()
        return {
            "version": cds.__version__,
            "today": today,
            "today_spoken": spoken(today.isoformat()),
            "moved": demo.clock.moved_days,
            "fhir_base": demo.fhir_base,
        }

    @app.get("/")
    def start() -> Response:
        return cast("Response", redirect(url_for("patients")))

    @app.get("/demo/")
    def patients() -> str:
        store, today = endpoint_of(fhir).store, demo.clock.today()
        charts = [
            (story, person_of(store.read("Patient", story.patient), today))
            for story in demo.stories
        ]
        return render_template("patients.html", charts=charts)

    @app.get("/demo/patients/<key>")
    def patient(key: str) -> str:
        store = endpoint_of(fhir).store
        resource = store.read("Patient", key)
        if resource is None:
            abort(404)
        return render_template(
            "patient.html",
            chart=chart_of(store, resource, demo.clock.today()),
            story=by_patient.get(key),
            tests=demo.tests,
        )


def _add_actions(app: Flask, demo: Demo, fhir: Flask, log: list[Logged]) -> None:
    """What the pages ask for. All take JSON, which no foreign page can send here unasked."""

    @app.post("/demo/markdown")
    def markdown() -> Response:
        texts = _sent().get("texts")
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            abort(400, "Send texts, a list of Markdown.")
        return jsonify(html=[render_markdown(one) for one in texts[:_MOST_TEXTS]])

    @app.post("/demo/today")
    def move_today() -> Response:
        try:
            day = _sent().get("day")
            demo.clock.move_to(None if day is None else date.fromisoformat(str(day)))
        except ValueError as problem:
            abort(400, str(problem))
        return jsonify(today=demo.clock.today().isoformat(), moved=demo.clock.moved_days)

    @app.post("/demo/reset")
    def start_again() -> Response:
        _sent()
        demo.clock.move_to(None)
        demo.forget()
        endpoint_of(fhir).store = load_fixtures(demo.fixtures, demo.clock.real_today())
        return jsonify(today=demo.clock.today().isoformat(), moved=0)

    @app.post("/demo/calls")
    def take_calls() -> Response:
        """The FHIR requests that came with the hook's token: those of the service itself."""
        _sent()
        calls, log[:] = list(log), []
        asked = [f"{one.method} {one.path}" + (f"?{one.query}" if one.query else "")
                 for one in calls if one.had_authorization]  # fmt: skip
        return jsonify(calls=asked)


def _sent() -> dict[str, Any]:
    if request.mimetype != "application/json":
        abort(415, "Send the request as application/json.")
    sent = request.get_json()
    if not isinstance(sent, dict):
        abort(400, "Send one JSON object.")
    return sent


def _add_errors(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def http_error(problem: HTTPException) -> tuple[Response | str, int]:
        status = problem.code or 500
        if request.method == "POST":
            return jsonify(says=problem.description), status
        says = "There is no such page or patient." if status == HTTPStatus.NOT_FOUND else ""
        return render_template("error.html", status=status, says=says), status
