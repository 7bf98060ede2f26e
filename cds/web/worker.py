"""The worker process: gunicorn's threads, with three things that a chart needs of them.

What comes in broken is answered in the contract's form and never quoted, neither in the answer nor
in the log: gunicorn's own page repeats what it could not read, and that may be a chart. A client
that is slow to send, or to read, is cut off, so that a few of them cannot hold every thread.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

from cds.web.errors import Refused, outcome
from cds.web.seen.log import begin_request, log

if TYPE_CHECKING:
    from collections.abc import Callable

_REASONS = {
    400: "Bad Request",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}
_STATUSES = {
    "ExpectationFailed": 417,
    "LimitRequestHeaders": 431,
    "LimitRequestLine": 414,
}
_OURS = frozenset({"InvalidResponseHeader", "InvalidResponseHeaderName", "ConfigurationProblem"})


class Patience:
    """Which connections are being served, and since when; the overdue ones are cut off.

    After `seconds` nothing more is read from a client, after twice as long nothing is sent.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow each request so many seconds."""
        self._seconds = seconds
        self._clock = clock
        self._served: dict[int, tuple[socket.socket, float]] = {}
        self._lock = threading.Lock()

    def begin(self, sock: socket.socket) -> None:
        """A request is expected on this connection from now on."""
        with self._lock:
            self._served[id(sock)] = (sock, self._clock())

    def end(self, sock: socket.socket) -> None:
        """It was answered, or given up."""
        with self._lock:
            self._served.pop(id(sock), None)

    def cut(self) -> None:
        """End the reading, and later the writing, of what takes too long."""
        now = self._clock()
        with self._lock:
            for sock, began in self._served.values():
                if now - began > 2 * self._seconds:
                    _shut(sock, socket.SHUT_RDWR)
                elif now - began > self._seconds:
                    _shut(sock, socket.SHUT_RD)


def _shut(sock: socket.socket, how: int) -> None:
    try:
        # Below TLS, where there is any: the thread that waits must wake up.
        socket.socket.shutdown(sock, how)
    except OSError:
        return  # it ended by itself in the meantime


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """A gunicorn worker with threads; `seconds` is set on a subclass by `worker_class`."""

    seconds = 15.0

    def __init__(self, *args: Any, **more: Any) -> None:  # noqa: ANN401 - as gunicorn has it
        """Made by gunicorn."""
        super().__init__(*args, **more)
        self._patience = Patience(self.seconds)

    def handle(self, conn: Any) -> Any:  # noqa: ANN401 - as gunicorn has it
        """Serve one request of a connection, within its time."""
        sock = conn.sock
        self._patience.begin(sock)
        try:
            return super().handle(conn)
        finally:
            self._patience.end(sock)

    def murder_pending(self) -> None:
        """What gunicorn does every second: close what nobody uses, and cut off what is overdue."""
        super().murder_pending()
        self._patience.cut()

    def handle_error(
        self,
        req: Any,  # noqa: ANN401 - as gunicorn has it
        client: socket.socket,
        addr: Any,  # noqa: ANN401 - as gunicorn has it
        exc: BaseException,
    ) -> None:
        """Answer what could not be read as HTTP; only its kind is logged."""
        del req, addr  # which may hold parts of a chart, or of whom
        begin_request()
        kind = type(exc).__name__
        status = _status(exc)
        log.warning("request not served", kind=kind, status=status)
        try:
            util.write_nonblock(client, broken_request(status))
        except OSError:
            log.info("client gone", kind=kind)


def _status(problem: BaseException) -> int:
    kind = type(problem).__name__
    of_http = type(problem).__module__ == "gunicorn.http.errors"
    if not of_http or kind in _OURS:
        return 500
    return _STATUSES.get(kind, 400)


def broken_request(status: int) -> bytes:
    """A whole HTTP answer to what was no HTTP, or failed outside of the application."""
    says = "The request cannot be read as HTTP; send it again."
    if status == 500:  # noqa: PLR2004 - the HTTP status itself
        says = "The service failed; the fault is on our side and has been logged."
    body = msgspec.json.encode(outcome(Refused(status, says)))
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json\r\n"
        "Cache-Control: no-store\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def worker_class(seconds: float) -> type[Worker]:
    """A worker that allows each request so many seconds."""
    return type("PatientWorker", (Worker,), {"seconds": seconds})
