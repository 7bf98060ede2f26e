"""What FHIR servers said or showed of themselves, kept for a while; never anything of a patient."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_HOUR = 3_600.0
_DAY = 86_400.0


class Statement(NamedTuple):
    """What a CapabilityStatement says.

    The types kept (None: it does not say), whether it takes batches, and by what Observations can
    be searched.
    """

    types: frozenset[str] | None = None
    batches: bool = False
    observation: frozenset[str] = frozenset()


class Learnt:
    """What is known of each server by its base; shared by all threads of a process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Know nothing yet; `clock` counts seconds."""
        self._clock = clock
        self._lock = Lock()
        self._statements: dict[str, tuple[float, Statement]] = {}
        self._until: dict[tuple[str, str], float] = {}

    def statement(self, server: str) -> Statement | None:
        """What the server's CapabilityStatement said within the last hour."""
        said, fresh = self.last_statement(server)
        return said if fresh else None

    def last_statement(self, server: str) -> tuple[Statement | None, bool]:
        """What it said within the last day, and whether that was within the last hour."""
        with self._lock:
            when, said = self._statements.get(server, (float("-inf"), Statement()))
            age = self._clock() - when
        return (said if age < _DAY else None), age < _HOUR

    def note_statement(self, server: str, said: Statement) -> None:
        """Keep what a CapabilityStatement says."""
        with self._lock:
            self._statements[server] = (self._clock(), said)

    def holds(self, server: str, what: str) -> bool:
        """Whether something noted of a server still holds."""
        with self._lock:
            return self._clock() < self._until.get((server, what), float("-inf"))

    def note(self, server: str, what: str, seconds: float = _HOUR) -> bool:
        """Note that something holds of a server for a while; whether that is news."""
        with self._lock:
            now = self._clock()
            news = now >= self._until.get((server, what), float("-inf"))
            self._until[server, what] = now + seconds
            return news
