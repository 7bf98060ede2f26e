"""Running the service under gunicorn, and finding a free port."""

from __future__ import annotations

import ctypes
import errno
import socket
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

from cds.web.metrics import forget_worker
from cds.web.reloading import RenewingArbiter
from cds.web.seen.log import ServerLog
from cds.web.seen.tracing import load_tracing, start_tracing
from cds.web.worker import worker_class

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

_GRACE_SECONDS = 30
_SPARE = 8
_PORTS = 1 << 16
_M_ARENA_MAX = -8  # of mallopt, as glibc's malloc.h has it


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    """gunicorn over an application that is built once, before the workers are forked."""

    def __init__(self, app: Flask, options: dict[str, Any]) -> None:
        self._app = app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Take the options and nothing from the command line or a file."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application itself."""
        return self._app

    def run_renewing(self, renew: Callable[[], Flask | None]) -> None:
        """Serve until told to stop; SIGHUP asks for another application."""
        RenewingArbiter(self, renew).run()


def run(  # noqa: PLR0913 - each is one switch, by keyword
    app: Flask,
    *,
    host: str,
    port: int,
    workers: int,
    threads: int,
    patience: float,
    renew: Callable[[], Flask | None] = lambda: None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until told to stop; calls in flight are finished.

    `ready` is called once, when calls can come. On SIGHUP `renew` makes another application, which
    takes over; None: this one stays.

    `threads` calls are answered at the same time in each process; a few more threads are there to
    tell the others at once that they must come back. `patience`: seconds that one request may
    take to arrive and be answered.
    """
    load_tracing()
    _share_one_heap()
    _Server(
        app,
        {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": workers,
            "threads": threads + _SPARE,
            "worker_class": worker_class(patience),
            "preload_app": True,
            "graceful_timeout": _GRACE_SECONDS,
            "timeout": 60,
            "keepalive": 5,
            # No header of a caller says where this service lies; its addresses are the settings'.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "accesslog": None,  # a request line may name a patient
            "errorlog": "-",
            "logger_class": ServerLog,
            "loglevel": "warning",
            "when_ready": lambda _server: ready(),
            "post_worker_init": lambda _worker: start_tracing(),
            "child_exit": lambda _server, worker: forget_worker(worker.pid),
        },
    ).run_renewing(renew)


def _share_one_heap() -> None:
    """Let all threads of a worker take memory from one heap.

    glibc gives each of many threads a heap of its own, which never shrinks: 8 MB a worker. They
    would not wait for one another longer than they do for the interpreter. Other C libraries have
    no such switch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def check_bindable(host: str, port: int) -> None:
    """Find out whether calls can be waited for there.

    Raises:
        OSError: somebody does already, it is not allowed, or the host is none of this machine's.
    """
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def free_port(host: str, port: int) -> int:
    """`port` if nobody listens there, else the next free one.

    Raises:
        OSError: a hundred ports in a row are busy, or the host is none of this machine's.
    """
    for candidate in range(port, min(port + 100, _PORTS)):
        try:
            check_bindable(host, candidate)
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise
        else:
            return candidate
    message = f"no port from {port} to {port + 99} is free"
    raise OSError(message)
