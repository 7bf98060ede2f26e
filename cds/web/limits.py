"""How much may be asked at once: refusals come before any work, and say when to try again."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from ipaddress import ip_address
from typing import IO, TYPE_CHECKING, Any

from gunicorn.http.errors import ParseException

from cds.web.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_BURST_SECONDS = 2.0
_MOST_CLIENTS = 4_096
_PIECE = 1 << 18
_MOST_DISCARDED = 4_000_000
_READ = "trial-cds.body-read"


class Gate:
    """Lets so many calls in at the same time; the others are told at once to come back."""

    def __init__(self, most: int) -> None:
        """`most` calls at the same time in this process."""
        self._places = threading.BoundedSemaphore(most)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Hold a place for the time of one call.

        Raises:
            Refused: 503, every place is taken.
        """
        if not self._places.acquire(blocking=False):
            says = "The service is busy; try again in a second."
            raise Refused(503, says, retry_after=1)
        try:
            yield
        finally:
            self._places.release()


def waiting_gate(threads: int) -> Gate:
    """How many of a process's calls may wait for a FHIR server at the same time.

    A quarter of the places, one at least, is left to calls that bring their chart along and so are
    answered at once: they never queue behind those that wait.
    """
    return Gate(max(1, threads - max(1, threads // 4)))


class Rate:
    """So many calls a second for each client of this process; two seconds' worth at once."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`per_second` calls of one client, on average."""
        self._per_second = per_second
        self._full = max(1.0, per_second * _BURST_SECONDS)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, client: str) -> None:
        """Count one call of a client (issuer or network address).

        Raises:
            Refused: 429, the client called too often lately.
        """
        with self._lock:
            now = self._clock()
            left, when = self._left.pop(client, (self._full, now))
            left = min(self._full, left + (now - when) * self._per_second)
            admitted = left >= 1.0
            self._left[client] = (left - 1.0 if admitted else left, now)
            while len(self._left) > _MOST_CLIENTS:
                self._left.popitem(last=False)
        if not admitted:
            says = "This client calls too often; try again in a second."
            raise Refused(429, says, retry_after=1)


def is_counted(address: str | None) -> bool:
    """Whether the rate holds for callers without a name: for all but this machine's own."""
    try:
        return address is None or not ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return True


def read_body(environ: dict[str, Any], most: int) -> bytes:
    """The body of a WSGI request, announced or in chunks.

    Raises:
        Refused: 413, it is larger than `most` bytes; 400, it breaks off.
    """
    length = _announced(environ)
    environ[_READ] = True
    if length is None and not environ.get("wsgi.input_terminated"):
        return b""  # nothing says where it would end, so there is none
    if length is not None and length > most:
        raise _too_large(most)
    try:
        body = _read(environ["wsgi.input"], most + 1 if length is None else length)
    except (OSError, ValueError, ParseException):
        raise _broken_off() from None
    if len(body) > most:
        raise _too_large(most)
    if length is not None and len(body) < length:
        raise _broken_off()
    return body


def discard_body(environ: Mapping[str, Any]) -> None:
    """Take in what a refused request brought, so that its connection can be used again.

    More than a chart is not waited for: the server then closes the connection.
    """
    length = _announced(environ)
    if environ.get(_READ) or length is None or length > _MOST_DISCARDED:
        return
    stream = environ["wsgi.input"]
    try:
        while length > 0 and (piece := stream.read(min(_PIECE, length))):
            length -= len(piece)
    except (OSError, ValueError, ParseException):
        return  # the client has gone, which is all the same now


def _announced(environ: Mapping[str, Any]) -> int | None:
    announced = str(environ.get("CONTENT_LENGTH") or "")
    return int(announced) if announced.isascii() and announced.isdigit() else None


def _read(stream: IO[bytes], most: int) -> bytes:
    """At most so many bytes, in one go where the server gives them so."""
    first = stream.read(most)
    if not first or len(first) >= most:
        return first
    body = bytearray(first)
    while len(body) < most and (piece := stream.read(min(_PIECE, most - len(body)))):
        body += piece
    return bytes(body)


def _too_large(most: int) -> Refused:
    return Refused(413, f"The request is larger than {most} bytes; send less in prefetch.")


def _broken_off() -> Refused:
    return Refused(400, "The request breaks off before its end; send it again.")
