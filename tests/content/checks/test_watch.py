"""`trial-cds check --watch` as its user sees it: a process, a saved file, Ctrl-C."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from cds.content.bundled import bundled_content

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Watching:
    """A running `check --watch` whose lines can be waited for."""

    def __init__(self, folder: Path) -> None:
        words = ["check", "--content", bundled_content(), "--content", folder]
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "cds.cli",
                *map(str, words),
                "--trial",
                "NCT00000000",
                "--watch",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.reading = threading.Thread(target=self._read)
        self.reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def until(self, shape: str) -> str:
        """Everything that is said up to a line of this shape."""
        said = ""
        while not re.search(shape, said):
            said += self.lines.get(timeout=30)
        return said


def test_each_save_is_checked_at_once_until_ctrl_c_ends_it(write: Callable[..., Path]) -> None:
    folder = write()
    watching = Watching(folder)
    try:
        assert "0 fault(s), 1 notice(s)" in watching.until(r"Watching")

        path = folder / "trials" / "NCT00000000" / "inclusion.yaml"
        sound = path.read_text("utf-8")
        path.write_text(sound.replace("lab: anc", "lab: ancc"), "utf-8")
        said = watching.until(r"1 fault\(s\).*Watching")
        assert "trials/NCT00000000/inclusion.yaml saved" in said
        assert (
            "+ trials/NCT00000000/inclusion.yaml:10: No concept is called 'ancc'. "
            "Did you mean 'anc'?" in said
        )

        path.write_text(sound, "utf-8")
        assert "1 put right" in watching.until(r"0 fault\(s\).*Watching")

        watching.process.send_signal(signal.SIGINT)
        assert watching.process.wait(timeout=30) == 0
        assert watching.process.stderr is not None
        assert watching.process.stderr.read() == "\nNo longer watching.\n"
    finally:
        watching.process.kill()
        watching.process.wait()
        watching.reading.join()
        for pipe in (watching.process.stdout, watching.process.stderr):
            if pipe is not None:
                pipe.close()
