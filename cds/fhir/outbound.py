"""The guarded session: how a FHIR server may be called, and how much it may answer.

One `GuardedSession` serves one hook call: one base, one token, one deadline. Only the adapter,
which pools connections, and the breaker are shared by all calls of a process.
"""

from __future__ import annotations

import io
import logging
import re
import socket
import threading
import time
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import DecodeError, HTTPError, NewConnectionError, ReadTimeoutError

from cds.fhir.addresses import may_connect
from cds.fhir.batch import only_reads
from cds.fhir.faults import FhirFault, Why

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.fhir.addresses import AllowedBase
    from cds.fhir.breaker import Breaker

_CONNECT_SECONDS = 2.0
_OF_THE_TIME = 0.75  # how much of a call's time one answer may keep it waiting
_OF_WHAT_IS_LEFT = 0.4  # the same for a batch, in whose place searches can still be sent
_FAIR_SECONDS = 1.0  # a server that was given less than this is not to blame for a timeout
_PAUSES = (0.1, 0.3)  # before the second and third try, where the server names no time
_BUSY = frozenset({429, 502, 503, 504})
# Small pieces: whatever the version of urllib3, one packed piece unpacks to 16 MB at most.
_PIECE = 1 << 14
_TOKEN = re.compile(r"[!-~]+", re.ASCII)  # what a header can carry, and no second line of it
_REFUSALS = {401: Why.UNAUTHORIZED, 403: Why.FORBIDDEN, 404: Why.NOT_FOUND, 410: Why.NOT_FOUND}


@dataclass(frozen=True, slots=True)
class Deadline:
    """The instant, on a monotonic clock, at which a hook call must be answered."""

    ends: float
    clock: Callable[[], float]

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """The deadline that lies so many seconds from now."""
        return cls(clock() + seconds, clock)

    @property
    def left(self) -> float:
        """Seconds that are left, 0 when it has passed."""
        return max(0.0, self.ends - self.clock())


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be asked of a FHIR server in one hook call, and how much it may answer."""

    max_requests: int = 200
    max_pages: int = 50
    max_response_bytes: int = 16_000_000
    max_total_bytes: int = 64_000_000
    page_size: int = 200
    max_reads: int = 40
    """Medications that are read one by one where the server does not include them."""
    parallel: int = 8
    """Requests under way at the same time."""


class _InFlight(threading.local):
    """Where the connections of this thread tell which socket they wait on."""

    session: GuardedSession | None = None


_in_flight = _InFlight()


def _refuse_peer(address: str, *, encrypted: bool) -> None:
    if not may_connect(address, encrypted=encrypted):
        raise FhirFault(Why.PEER)


def _resolved(host: str, port: int, *, encrypted: bool) -> None:
    """Refuse a name that leads anywhere it must not, before a first packet is sent."""
    for found in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM):
        _refuse_peer(str(found[4][0]), encrypted=encrypted)


def _connected(sock: socket.socket, *, encrypted: bool) -> socket.socket:
    """The name may have been resolved anew in between: what counts is who answered."""
    try:
        _refuse_peer(str(sock.getpeername()[0]), encrypted=encrypted)
    except (FhirFault, OSError):
        sock.close()
        raise
    return sock


def _waits_on(sock: socket.socket | None) -> None:
    if _in_flight.session is not None and sock is not None:
        _in_flight.session.waits_on(sock)


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        _lookup(self)
        return _connected(super()._new_conn(), encrypted=False)

    def getresponse(self) -> Any:  # noqa: ANN401 - as urllib3 has it
        _waits_on(self.sock)
        return super().getresponse()


class _Encrypted(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        _lookup(self)
        return _connected(super()._new_conn(), encrypted=True)

    def getresponse(self) -> Any:  # noqa: ANN401 - as urllib3 has it
        _waits_on(self.sock)
        return super().getresponse()


def _lookup(connection: HTTPConnection) -> None:
    try:
        _resolved(connection.host, connection.port, encrypted=isinstance(connection, _Encrypted))
    except OSError:
        raise NewConnectionError(connection, "the name cannot be resolved") from None


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _Encrypted


class PooledAdapter(HTTPAdapter):
    """Keeps connections alive between hook calls; holds no token, no cookie, no patient."""

    def __init__(self, connections: int = 32) -> None:
        """Keep up to `connections` open for each of as many servers."""
        # urllib3 logs the path of each request, which names the patient, at DEBUG.
        logging.getLogger("urllib3").setLevel(logging.WARNING)
        super().__init__(pool_connections=connections, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,  # noqa: FBT001, FBT002 - as requests has it
        **more: Any,  # noqa: ANN401 - as requests has it
    ) -> None:
        """Make the pools of connections whose peers are checked."""
        self.poolmanager = PoolManager(connections, maxsize=maxsize, block=block, **more)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _EncryptedPool}


class GuardedSession(requests.Session):
    """A session that calls one FHIR base and nothing else.

    Every request passes `send`, whoever prepared it: the address is compared and rebuilt, the
    token is added after that, redirects are refused, time, size and number are bounded. Threads
    may share it. Any failure is a FhirFault without the answer, its headers or the address.
    """

    def __init__(  # noqa: PLR0913 - each is one guard, by keyword
        self,
        allowed: AllowedBase,
        *,
        token: str | None,
        deadline: Deadline,
        limits: Limits,
        adapter: HTTPAdapter,
        breaker: Breaker,
        ca_file: str | None = None,
    ) -> None:
        """Serve one hook call; `token` was issued for `allowed` and goes nowhere else."""
        super().__init__()
        self.trust_env = False  # no proxy and no .netrc password from the environment
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if ca_file is not None:
            self.verify = ca_file
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self._allowed = allowed
        self._server = str(allowed.base)
        self._token = token
        self._deadline = deadline
        self._limits = limits
        self._breaker = breaker
        self._patience = deadline.left * _OF_THE_TIME
        self._quickest = 0.0
        self._sent = 0
        self._received = 0
        self._lock = threading.Lock()
        self._sockets: dict[int, socket.socket] = {}
        self._over = threading.Event()

    @property
    def sent(self) -> int:
        """How many requests were sent, tries that failed among them."""
        return self._sent

    @property
    def received(self) -> int:
        """How many bytes of answers were read, unpacked."""
        return self._received

    @property
    def quickest(self) -> float:
        """Seconds that the quickest answer so far took; 0 before the first one."""
        return self._quickest

    def waits_on(self, sock: socket.socket) -> None:
        """Remember the socket on which this thread waits, for `end`."""
        self._sockets[threading.get_ident()] = sock

    def end(self) -> None:
        """Stop every request under way: a server that drips its answer holds no thread."""
        self._over.set()
        for sock in list(self._sockets.values()):
            try:
                # Below TLS on purpose: the thread that reads must wake up.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                continue  # it ended by itself in the meantime

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # noqa: ANN401
        """Send a GET, or a batch of GETs, within the guards; the body has then been read.

        Raises:
            FhirFault: anything but a 2xx answer that was read to its end.
        """
        request.url = self._allowed.admit(request.url or "")
        if request.method == "POST":
            request.url = request.url.rstrip("/")
            if request.url != self._server or not only_reads(request.body):
                raise FhirFault(Why.REFUSED)
        elif request.method != "GET":
            raise FhirFault(Why.REFUSED)
        request.headers["Accept-Encoding"] = "gzip"
        request.headers.pop("Authorization", None)
        if self._token is not None:
            if not _TOKEN.fullmatch(self._token):
                raise FhirFault(Why.UNSENDABLE)
            request.headers["Authorization"] = f"Bearer {self._token}"
        return self._persist(request)

    def _persist(self, request: requests.PreparedRequest) -> requests.Response:
        """Try again where a server is busy and the deadline leaves the time."""
        pauses = iter(_PAUSES)
        while True:
            self._admit_one_more()
            given = self._deadline.left
            answer, wait = self._try(request)
            if isinstance(answer, requests.Response):
                self._breaker.succeeded(self._server)
                return answer
            pause = next(pauses, None)
            if wait is None or pause is None or max(wait, pause) >= self._deadline.left:
                self._tell_breaker(request, answer, given)
                raise FhirFault(answer)
            self._over.wait(max(wait, pause))

    def _admit_one_more(self) -> None:
        if self._over.is_set() or self._deadline.left <= 0:
            raise FhirFault(Why.DEADLINE)
        if not self._breaker.allows(self._server):
            raise FhirFault(Why.PAUSED)
        with self._lock:
            if self._sent >= self._limits.max_requests:
                raise FhirFault(Why.TOO_MANY_REQUESTS)
            self._sent += 1

    def _try(
        self, request: requests.PreparedRequest
    ) -> tuple[requests.Response | Why, float | None]:
        """One try: the answer, or why not and the seconds after which to try again (None: never).

        Errors are turned into their kind here, outside of any `raise`: the library's exceptions
        hold the request with its token and the response with its chart.
        """
        _in_flight.session = self
        began = time.monotonic()
        try:
            response = self._send_once(request)
            why, wait = self._judge(response)
            if why is None:
                self._read(response)
                self._note(time.monotonic() - began)
                return response, None
            response.close()
        except FhirFault as problem:
            why, wait = problem.why, None
        except (requests.RequestException, HTTPError, OSError) as problem:
            why, wait = self._kind(problem)
        finally:
            _in_flight.session = None
            self._sockets.pop(threading.get_ident(), None)
        return why, wait

    def _send_once(self, request: requests.PreparedRequest) -> requests.Response:
        left = self._deadline.left
        patience = left * _OF_WHAT_IS_LEFT if request.method == "POST" else self._patience
        timeout = (min(_CONNECT_SECONDS, left), min(patience, left))
        return super().send(
            request,
            stream=True,
            timeout=timeout,
            allow_redirects=False,
            verify=self.verify,
            cert=None,
            proxies={},
        )

    def _judge(self, response: requests.Response) -> tuple[Why | None, float | None]:
        """What the status line and headers say."""
        status = response.status_code
        if status in _BUSY:
            why = Why.BUSY if status in {429, 503} else Why.FAILED
            return why, _seconds(response.headers.get("Retry-After", ""))
        if status >= 500:  # noqa: PLR2004 - HTTP's own boundary
            return Why.FAILED, None
        if status >= 400:  # noqa: PLR2004 - HTTP's own boundary
            return _REFUSALS.get(status, Why.REFUSED), None
        if status >= 300:  # noqa: PLR2004 - HTTP's own boundary
            return Why.REDIRECT, None
        if response.headers.get("Content-Encoding", "identity") not in {"identity", "gzip"}:
            return Why.NOT_FHIR, None  # nothing else was asked for
        return None, None

    def _read(self, response: requests.Response) -> None:
        """Read the body within the bounds of size and time, unpacked as it comes.

        Raises:
            FhirFault: too large, or the deadline passed.
        """
        body = bytearray()
        try:
            for piece in response.raw.stream(_PIECE, decode_content=True):
                body += piece
                self._count(len(piece), len(body))
            self._count(0, len(body))  # what was cut off in its headers looks like an empty body
        except BaseException:
            response.close()  # the rest is not wanted, nor the connection that would bring it
            raise
        response.raw = io.BytesIO(bytes(body))

    def _count(self, piece: int, body: int) -> None:
        with self._lock:
            self._received += piece
            received = self._received
        if body > self._limits.max_response_bytes or received > self._limits.max_total_bytes:
            raise FhirFault(Why.TOO_LARGE)
        if self._over.is_set() or self._deadline.left <= 0:
            raise FhirFault(Why.DEADLINE)

    def _note(self, seconds: float) -> None:
        with self._lock:
            self._quickest = min(self._quickest or seconds, seconds)

    def _kind(self, problem: Exception) -> tuple[Why, float | None]:
        if self._over.is_set() or self._deadline.left <= 0:
            return Why.DEADLINE, None
        if isinstance(problem, requests.Timeout | ReadTimeoutError | TimeoutError):
            return Why.TIMEOUT, None
        if isinstance(problem, requests.exceptions.SSLError):
            return Why.UNREACHABLE, None
        if isinstance(problem, requests.exceptions.ContentDecodingError | DecodeError):
            return Why.NOT_FHIR, None
        # A connection that was kept alive may have been closed in the meantime: worth a new one.
        return Why.UNREACHABLE, 0.0

    def _tell_breaker(self, request: requests.PreparedRequest, why: Why, given: float) -> None:
        """Blame the server for what is its fault; `given` is the time that the last try had."""
        slow = why in {Why.TIMEOUT, Why.DEADLINE}
        spent = given - self._deadline.left
        if why in {Why.FAILED, Why.UNREACHABLE, Why.BUSY} or (slow and spent >= _FAIR_SECONDS):
            # One chart may bring dozens of these at once: a server whose Medications alone are
            # broken still has everybody's lists.
            if not (request.url or "").startswith(f"{self._server}/Medication/"):
                self._breaker.failed(self._server)
        elif not slow and why is not Why.PEER:
            self._breaker.succeeded(self._server)


def _seconds(text: str) -> float:
    """Retry-After in seconds; 0 where it is a date or missing, so that our own pause counts."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0  # noqa: PLR2004
