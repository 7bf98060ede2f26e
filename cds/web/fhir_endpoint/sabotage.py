"""What the faults do to a whole answer: delays, refusals, bodies that are no FHIR, no answer."""

import gzip
import socket
import time
from collections.abc import Iterator
from threading import Lock

from flask import Response, request

from cds.web.fhir_endpoint.faults import Faults
from cds.web.fhir_endpoint.refusal import Refused

FHIR_JSON = "application/fhir+json; charset=utf-8"
_CHUNK = 1 << 20
_LOGIN_PAGE = "<!doctype html><title>Sign in</title><p>Your session has ended. Please sign in."
_HEAD = b'{"resourceType":"Bundle","type":"searchset","total":0,"link":['
_TAIL = b"]}"


class Queue:
    """Counts the requests that were turned away, until the server has recovered."""

    def __init__(self) -> None:
        self._faults = Faults()
        self._turned_away = 0
        self._lock = Lock()

    def admit(self, faults: Faults) -> None:
        """Raise Refused (429 or 503) while the server is busy."""
        if not faults.busy:
            return
        with self._lock:
            if faults is not self._faults:  # switched anew, so counted anew
                self._faults, self._turned_away = faults, 0
            if faults.busy_first is not None and self._turned_away >= faults.busy_first:
                return
            self._turned_away += 1
        headers = {} if faults.retry_after is None else {"Retry-After": str(faults.retry_after)}
        raise Refused(faults.busy, "The server is busy; try again later.", headers)


def spoiled_answer(faults: Faults, queue: Queue) -> Response | None:
    """What is answered before a request is even read; None when it may be answered properly.

    Raises Refused where a status says it. `faults` are those in force for this request.
    """
    time.sleep(faults.slow)
    if faults.dead == "closed":
        return _hang_up()
    if faults.dead == "error":
        raise Refused(500, "The server has a fault.")
    if faults.redirect_to:
        target = faults.redirect_to.rstrip("/") + request.full_path.rstrip("?")
        return Response(status=302, headers={"Location": target})
    if faults.unauthorized:
        raise Refused(401, "Sign in first.", {"WWW-Authenticate": "Bearer"})
    queue.admit(faults)
    if faults.html:
        return Response(_LOGIN_PAGE, content_type="text/html; charset=utf-8")
    if faults.huge_body:
        return Response(_padded(faults.huge_body), content_type=FHIR_JSON)
    if faults.gzip_bomb:
        body, headers = _bomb(faults.gzip_bomb), {"Content-Encoding": "gzip"}
        return Response(body, content_type=FHIR_JSON, headers=headers)
    return None


def _hang_up() -> Response:
    """Close the connection; the answer returned can no longer be sent.

    Raises ConnectionAbortedError where there is no connection, as in Flask's test client.
    """
    connection = request.environ.get("werkzeug.socket")
    if not isinstance(connection, socket.socket):
        message = "The connection is closed without an answer, as the fault 'dead' asks."
        raise ConnectionAbortedError(message)
    connection.shutdown(socket.SHUT_RDWR)
    return Response(status=500)


def _padded(size: int) -> Iterator[bytes]:
    """An empty searchset, blown up with spaces to `size` bytes."""
    yield _HEAD
    left = size - len(_HEAD) - len(_TAIL)
    while left > 0:
        yield b" " * min(left, _CHUNK)
        left -= _CHUNK
    yield _TAIL


def _bomb(size: int) -> bytes:
    """The same, packed: gzip members follow one another, so one packed chunk serves often."""
    chunk = gzip.compress(b" " * _CHUNK)
    return gzip.compress(_HEAD) + chunk * (size // _CHUNK) + gzip.compress(_TAIL)
