"""How long before its end a call stops waiting for FHIR servers, so that its answer leaves in time.

What was read must still be judged, kept and sent. That takes milliseconds, or on a machine that
others keep busy ten times as long: what it took lately tells.
"""

from __future__ import annotations

_LEAST = 0.25
_AT_FIRST = 0.75
"""Seconds, before the first call has told: it finds caches empty."""
_SPARE = 1.5
_REMEMBERED = 0.8
_OF_THE_TIME = 1 / 3


class Reserve:
    """The seconds that a process needs beside those in which it waits; shared by its threads."""

    def __init__(self, whole: float) -> None:
        """`whole`: the seconds that a call may take altogether; at most a third is held back."""
        self._least = min(_LEAST, whole / 10)
        self._most = max(self._least, whole * _OF_THE_TIME)
        self._needed = _AT_FIRST

    @property
    def seconds(self) -> float:
        """What is held back of a call's time."""
        return min(max(self._needed, self._least), self._most)

    def note(self, took: float) -> None:
        """A call took so many seconds beside its waiting: more counts at once, less by and by."""
        needed = took * _SPARE
        self._needed = max(needed, _REMEMBERED * self._needed + (1 - _REMEMBERED) * needed)
