"""The EHR that launches as an application: its launch page, OAuth endpoints and FHIR server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

from flask import Flask, Response, jsonify, request
from markupsafe import Markup

from cds.web.fhir_endpoint import create_fhir_app

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from cds.web.fhir_endpoint import Store
    from cds.web.smart_endpoint.authorizing import Authorizing

_BASE = "/fhir"
CONFIGURATION = f"{_BASE}/.well-known/smart-configuration"
"""The path at which an EHR says how it authorizes."""

_READ_PATIENT = re.compile(rf"{_BASE}/Patient/([A-Za-z0-9.\-]+)")
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>EHR</title>
<main><h1>{title}</h1>{body}</main></html>"""


def create_smart_app(store: Store, authorizing: Authorizing, app_launch: str) -> Flask:
    """The EHR over a store of charts. `app_launch` is the launch address of our application.

    `/ehr/<patient>` is a chart with a link that launches, `/ehr/<patient>/frame` one that shows
    the application in a frame.
    """
    fhir = create_fhir_app(store)
    app = Flask("cds.web.smart_endpoint", static_folder=None)
    _add_ehr(app, authorizing, app_launch)
    _add_oauth(app, authorizing)
    app.wsgi_app = _together(app.wsgi_app, fhir.wsgi_app, authorizing)  # type: ignore[method-assign,assignment]
    return app


def create_oauth_app(authorizing: Authorizing) -> Flask:
    """The authorization server alone: `/auth/…`, and the SMART configuration below `/fhir`."""
    app = Flask("cds.web.smart_endpoint", static_folder=None)
    _add_oauth(app, authorizing)
    return app


def launch_address(app_launch: str, base: str, launch: str) -> str:
    """Where a browser is sent to launch our application."""
    return f"{app_launch}?{urlencode({'iss': base, 'launch': launch})}"


def _base() -> str:
    return request.host_url.rstrip("/") + _BASE


def _add_ehr(app: Flask, authorizing: Authorizing, app_launch: str) -> None:
    @app.get("/ehr/<patient>")
    def chart(patient: str) -> str:
        address = launch_address(app_launch, _base(), authorizing.launch(patient))
        body = Markup('<p><a href="{}">Clinical trials</a></p>').format(address)
        return _PAGE.format(title="Chart", body=body)

    @app.get("/ehr/<patient>/frame")
    def framed(patient: str) -> str:
        address = launch_address(app_launch, _base(), authorizing.launch(patient))
        body = Markup(
            '<iframe title="Clinical trials" src="{}" width="1000" height="700"></iframe>'
        ).format(address)
        return _PAGE.format(title="Chart", body=body)


def _add_oauth(app: Flask, authorizing: Authorizing) -> None:
    @app.get(CONFIGURATION)
    def configuration() -> Response:
        root = request.host_url.rstrip("/")
        return jsonify(
            issuer=_base(),
            jwks_uri=f"{root}/auth/keys",
            authorization_endpoint=f"{root}/auth/authorize",
            token_endpoint=f"{root}/auth/token",
            grant_types_supported=["authorization_code"],
            response_types_supported=["code"],
            code_challenge_methods_supported=list(authorizing.behaviour.methods),
            capabilities=[
                "launch-ehr",
                "client-public",
                "client-confidential-symmetric",
                "client-confidential-asymmetric",
                "sso-openid-connect",
                "context-ehr-patient",
                "permission-v2",
            ],
        )

    @app.get("/auth/authorize")
    def authorize() -> Response:
        asked, known = request.args, authorizing.registered
        if (asked.get("client_id"), asked.get("redirect_uri")) != (
            known.client_id,
            known.redirect_uri,
        ):
            return Response("This application is not registered.", 400)
        answer = authorizing.authorize(asked, _base()) | {"state": asked.get("state", "")}
        address = f"{known.redirect_uri}?{urlencode(answer)}"
        return Response(status=302, headers={"Location": address})

    @app.post("/auth/token")
    def token() -> Response:
        auth = request.authorization
        basic = (
            (auth.username or "", auth.password or "")
            if auth is not None and auth.type == "basic"
            else None
        )
        status, body = authorizing.exchange(request.form, basic, _base(), request.base_url)
        answer = jsonify(body)
        answer.status_code = status
        answer.headers.update({"Cache-Control": "no-store", "Pragma": "no-cache"})
        return answer

    @app.get("/auth/keys")
    def keys() -> Response:
        return jsonify(authorizing.keys())


def _together(
    own: WSGIApplication, fhir: WSGIApplication, authorizing: Authorizing
) -> WSGIApplication:
    """FHIR below /fhir, for those who have a token for the patient that they ask about."""

    def by_path(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(f"{_BASE}/") or path == CONFIGURATION:
            return own(environ, start_response)
        _, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not authorizing.holds(token, _asked_about(path, environ.get("QUERY_STRING", ""))):
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
            return [b""]
        return fhir(environ, start_response)

    return by_path


def _asked_about(path: str, query: str) -> str | None:
    """The patient that a request names; None where it names none."""
    read = _READ_PATIENT.fullmatch(path)
    if read is not None:
        return read[1]
    named = parse_qs(query)
    for parameter in ("patient", "subject"):
        if parameter in named:
            return named[parameter][0].removeprefix("Patient/")
    return None
