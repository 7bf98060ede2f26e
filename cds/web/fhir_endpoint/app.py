"""The embedded endpoint as a Flask application, and as a server in a thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from hmac import compare_digest
from threading import Thread
from typing import NamedTuple

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import WSGIRequestHandler, make_server

from cds.web.fhir_endpoint.dates import Json
from cds.web.fhir_endpoint.endpoint import Answer, Endpoint
from cds.web.fhir_endpoint.faults import Faults
from cds.web.fhir_endpoint.refusal import Refused
from cds.web.fhir_endpoint.sabotage import FHIR_JSON, Queue, spoiled_answer
from cds.web.fhir_endpoint.store import Store

_EXTENSION = "fhir-endpoint"
_METHODS = ["GET", "POST", "PUT", "OPTIONS"]
_CROSS_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": ", ".join(_METHODS),
    "Access-Control-Allow-Headers": "Accept, Authorization, Cache-Control, Content-Type, Prefer",
    "Access-Control-Expose-Headers": "Content-Location, Location, Retry-After",
}
_DECODER: msgspec.json.Decoder[Json] = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Logged(NamedTuple):
    """One request as it reached the endpoint; the token itself is not kept."""

    method: str
    path: str
    query: str
    had_authorization: bool


def create_fhir_app(  # noqa: PLR0913 - each is one switch, by keyword
    store: Store,
    *,
    faults: Faults | None = None,
    token: str | None = None,
    writable: bool = False,
    base_path: str = "/fhir",
    page_size: int = 20,
    max_count: int = 200,
    request_log: list[Logged] | None = None,
) -> Flask:
    """A FHIR R4 API (read, search, batch, metadata; JSON only) over a store.

    With `token` every request but metadata and preflights needs it as a bearer token. With
    `writable` resources can be created and updated. A page holds `page_size` matches, or what
    `_count` asks for, up to `max_count`. Each request but preflights is appended to
    `request_log`. `endpoint_of(app).faults` can be replaced while the application serves.
    """
    app = Flask("cds.web.fhir_endpoint", static_folder=None)
    endpoint = Endpoint(
        store,
        faults=faults or Faults(),
        writable=writable,
        page_size=page_size,
        max_count=max_count,
    )
    app.extensions[_EXTENSION] = endpoint
    prefix = "/" + base_path.strip("/")
    app.extensions[f"{_EXTENSION}-path"] = prefix
    queue = Queue()

    def serve(path: str = "") -> Response:
        if request.method == "OPTIONS":
            return Response(status=204)
        if request_log is not None:
            query = request.query_string.decode("utf-8", "replace")
            sent = "Authorization" in request.headers
            request_log.append(Logged(request.method, request.path, query, sent))
        path = path.strip("/")
        faults = endpoint.faults_for(path, list(request.args.items()))
        spoiled = spoiled_answer(faults, queue)
        if spoiled is not None:
            return spoiled
        if token is not None and path != "metadata":
            _check_token(token)
        base = faults.alias.rstrip("/") or request.host_url.rstrip("/") + prefix.rstrip("/")
        answer = endpoint.answer(request.method, path, _query(path), _body(path), base)
        return _written(answer, cut=faults.cut_body)

    app.add_url_rule(prefix, view_func=serve, methods=_METHODS, strict_slashes=False)
    below = f"{prefix.rstrip('/')}/<path:path>"
    app.add_url_rule(below, view_func=serve, methods=_METHODS)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _no_route)
    app.after_request(_allow_cross_origin)
    return app


def endpoint_of(app: Flask) -> Endpoint:
    """The endpoint within an application made by `create_fhir_app`."""
    endpoint: Endpoint = app.extensions[_EXTENSION]
    return endpoint


def _check_token(token: str) -> None:
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not compare_digest(sent.encode(), token.encode()):
        raise Refused(401, "A bearer token is needed.", {"WWW-Authenticate": "Bearer"})


def _query(path: str) -> list[tuple[str, str]]:
    """The parameters of a request, those of a POST search's form among them."""
    query = list(request.args.items(multi=True))
    if request.method == "POST" and path.endswith("/_search"):
        if request.mimetype != "application/x-www-form-urlencoded":
            raise Refused(415, "A POST search is a form: application/x-www-form-urlencoded.")
        query += request.form.items(multi=True)
    return query


def _body(path: str) -> Json:
    """The JSON of a write or a batch; None where the request carries none."""
    if request.method == "GET" or path.endswith("/_search"):
        return None
    if request.mimetype not in {"application/fhir+json", "application/json"}:
        raise Refused(415, "This server reads JSON: application/fhir+json.")
    try:
        return _DECODER.decode(request.get_data())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise Refused(400, "The body is not JSON.") from problem


def _written(answer: Answer, *, cut: bool = False) -> Response:
    body = _ENCODER.encode(answer.body)
    if cut:
        body = body[: len(body) // 2]
    return Response(body, answer.status, answer.headers, content_type=FHIR_JSON)


def _refused(refused: Refused) -> Response:
    return _written(Answer(refused.status, refused.outcome(), refused.headers))


def _no_route(problem: HTTPException) -> Response:
    """Flask's own errors, as FHIR says them."""
    status = problem.code if problem.code in {400, 404, 405, 415} else 500
    return _refused(Refused(status, f"This server cannot answer that: {problem.name}."))


def _allow_cross_origin(response: Response) -> Response:
    response.headers.update(_CROSS_ORIGIN)
    return response


class _QuietHandler(WSGIRequestHandler):
    """Writes no access log, whose queries name patients; errors are still written."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def serving(app: Flask, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve an application from a thread for as long as the context lasts; gives its base URL.

    Port 0 takes a free one. Of an application made by `create_fhir_app` the URL given is the
    FHIR base, of any other the root without a closing slash.
    """
    server = make_server(host, port, app, threaded=True, request_handler=_QuietHandler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        path = app.extensions.get(f"{_EXTENSION}-path", "")
        yield f"http://{host}:{server.server_port}{path}".rstrip("/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
