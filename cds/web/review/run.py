"""Running the live review page: this machine only, until told to stop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from werkzeug.serving import make_server

from cds.web.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

_HOST = "127.0.0.1"


def run_review(app: Flask, port: int, ready: Callable[[str], None]) -> None:
    """Serve on loopback, on `port` or the next free one, until Ctrl-C; tells `ready` the address.

    Raises:
        OSError: no port is free.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    free = free_port(_HOST, port)
    server = make_server(_HOST, free, app, threaded=True)
    ready(f"http://{_HOST}:{free}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return
    finally:
        server.server_close()
