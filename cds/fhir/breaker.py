"""A FHIR server that keeps failing is left alone for a while."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Breaker:
    """Counts failures in a row, server by server; shared by all calls of a process.

    After `failures` in a row a server is paused for `pause` seconds. Then one request is let
    through: its success ends the pause, its failure begins the next.
    """

    def __init__(
        self, *, failures: int = 5, pause: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with every server trusted."""
        self._failures = failures
        self._pause = pause
        self._clock = clock
        self._lock = Lock()
        self._in_a_row: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def allows(self, server: str) -> bool:
        """Whether a request may be sent now. After a pause only the first asker is told yes."""
        with self._lock:
            until = self._until.get(server)
            if until is None:
                return True
            now = self._clock()
            if now < until:
                return False
            self._until[server] = now + self._pause
            return True

    def succeeded(self, server: str) -> None:
        """The server answered, be it with a refusal."""
        with self._lock:
            self._in_a_row.pop(server, None)
            self._until.pop(server, None)

    def failed(self, server: str) -> None:
        """The server did not answer, or answered that it is broken."""
        with self._lock:
            count = self._in_a_row.get(server, 0) + 1
            self._in_a_row[server] = count
            if count >= self._failures:
                self._until[server] = self._clock() + self._pause
