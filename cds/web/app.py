"""The service: a Flask application made from settings and content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

import cds
from cds.web.errors import Refused, refusal
from cds.web.hook import HookService
from cds.web.request import HOOK, SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from cds.assess import Content
    from cds.settings import Settings

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, content-type",
    "Access-Control-Max-Age": "600",
}
_PHRASES = {
    404: "There is nothing at this address; the services are listed at /cds-services.",
    405: "This address does not answer that method.",
    413: "The request is larger than this service takes.",
}


def create_app(settings: Settings, content: Content, today: Callable[[], date]) -> Flask:
    """The WSGI application; `today` gives the evaluation date of a request."""
    app = Flask("trial-cds", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    service = HookService(settings, content, today)
    _register_hook(app, service)
    _register_health(app, content)
    _register_errors(app)
    return app


def json_response(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - anything JSON can say
    """Plain data as a JSON answer."""
    return Response(msgspec.json.encode(value), status, content_type="application/json")


def _register_hook(app: Flask, service: HookService) -> None:
    discovery = msgspec.json.encode({"services": [service.description()]})

    @app.get("/cds-services")
    def services() -> Response:
        return Response(discovery, content_type="application/json")

    @app.post(f"/cds-services/{SERVICE}")
    def patient_view() -> Response:
        if request.mimetype != "application/json":
            raise Refused(415, "Send the request as application/json.")
        body = request.get_data(cache=False)
        return Response(service.answer(body), content_type="application/json")

    @app.after_request
    def allow_browsers(response: Response) -> Response:
        if request.path.startswith("/cds-services"):
            response.headers.update(_CORS)
        response.headers["Cache-Control"] = "no-store"
        return response


def _register_health(app: Flask, content: Content) -> None:
    @app.get("/healthz")
    def alive() -> Response:
        return json_response({"status": "alive", "version": cds.__version__})

    @app.get("/readyz")
    def ready() -> Response:
        trials = [trial.id for trial in content.trials]
        return json_response({"status": "ready", "trials": trials, "content": content.digest})


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
        app.logger.error("unexpected %s", type(problem).__name__)
        says = f"The {HOOK} service failed; the fault is on our side and has been logged."
        return refusal(Refused(500, says))
