"""New content in a running service: checked first, then taken over without dropping a call.

On SIGHUP the master process makes the application anew. Where that fails, the old one stays and a
line of the log says why. Otherwise new workers are forked with it, and the old ones take no further
connections, answer what they have begun, and end.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from gunicorn.arbiter import Arbiter
from watchfiles import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from flask import Flask

_LOOK_MILLISECONDS = 1_000
_SETTLE_MILLISECONDS = 500


class RenewingArbiter(Arbiter):  # type: ignore[misc] # gunicorn ships no types
    """gunicorn's master, whose SIGHUP asks `renew` for another application; None: keep this one."""

    def __init__(self, server: Any, renew: Callable[[], Flask | None]) -> None:  # noqa: ANN401 - as gunicorn has it
        super().__init__(server)
        self._renew = renew

    def handle_hup(self) -> None:
        """Replace all workers by ones with the new application, if there is one."""
        app = self._renew()
        if app is None:
            return
        self.app.callable = app
        for _ in range(self.num_workers):
            self.spawn_worker()
        self.manage_workers()  # which lets the oldest end in peace


def tell_on_change(folders: Sequence[Path]) -> None:
    """Start a process that sends this one SIGHUP whenever a content file changes.

    A folder that is a symbolic link and points elsewhere now counts as a change too. The process
    ends with this one.
    """
    master = os.getpid()
    if os.fork() == 0:
        try:
            _watch(folders, master)
        except KeyboardInterrupt:
            pass  # Ctrl-C in a terminal reaches the whole group
        finally:
            os._exit(0)


def _watch(folders: Sequence[Path], master: int) -> None:
    while True:
        places = [folder.resolve() for folder in folders]
        looks = watch(
            *places,
            raise_interrupt=True,
            debounce=_SETTLE_MILLISECONDS,
            rust_timeout=_LOOK_MILLISECONDS,
            yield_on_timeout=True,
        )
        for changes in looks:
            if os.getppid() != master:
                return
            moved = [folder.resolve() for folder in folders] != places
            if moved or any(_is_content(path) for _, path in changes):
                os.kill(master, signal.SIGHUP)
            if moved:
                break


def _is_content(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.endswith((".yaml", ".tsv")) and not name.startswith((".", "#"))
